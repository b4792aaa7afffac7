//! `kafka_scope` in the counting host: what a request and its response cost in calls to the host and in instructions.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::artefacts;
use partywall_integration::bench::kafka::wire::{Api, Topic, records, request, response};
use partywall_integration::bench::kafka::{AT_BROKER, TOPIC, site};
use partywall_integration::host::sample::{Place, brokers};
use partywall_integration::host::{Cost, Host, Way};
use partywall_integration::served::{Served, served};
use partywall_integration::site::Site;

static SAMPLE: LazyLock<(Site, Served)> = LazyLock::new(|| {
    let site = site("host-kafka").unwrap();
    let served = served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap();
    (site, served)
});

fn host() -> Host {
    let (site, served) = &*SAMPLE;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let module = artefacts::module().unwrap();
    let place = Place { module: &module, keys: &site.keys(), served, secrets: &[], now };
    brokers(&place, "bench", "acme").unwrap()
}

/// The frame with this correlation id, which stands at `at`.
fn numbered(mut frame: Vec<u8>, at: usize, id: u32) -> Vec<u8> {
    frame[at..at + 4].copy_from_slice(&id.to_be_bytes());
    frame
}

/// The request as the broker is to get it: its client's id bears the tenant, too.
fn scoped(frame: &[u8]) -> Vec<u8> {
    let at = frame.windows(7).position(|bytes| bytes == b"\0\x05bench").unwrap();
    let mut frame = [&frame[..at], b"\0\x0aacme.bench", &frame[at + 7..]].concat();
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

/// Passes the frame and says what it cost; what comes out is asserted.
fn pass(host: &mut Host, connection: u32, way: Way, frame: &[u8], expected: &[u8]) -> Cost {
    let passed = host.data(connection, way, frame).unwrap();
    assert!(!passed.closed, "{}", host.world().log().join("\n"));
    assert!(passed.bytes == expected, "{way:?}: other bytes");
    passed.cost
}

/// What a request of this size and its response cost, when the connection has sent some.
fn cost(host: &mut Host, connection: u32, api: Api, size: usize) -> [Cost; 2] {
    let batch = records(size);
    let turn = |id: u32| {
        let asked = |topic| numbered(request(api, Topic::Name(topic), &batch), 8, id);
        let answered = |topic| numbered(response(api, Topic::Name(topic), &batch), 4, id);
        let down = pass(host, connection, Way::Down, &asked(TOPIC), &scoped(&asked(AT_BROKER)));
        [down, pass(host, connection, Way::Up, &answered(AT_BROKER), &answered(TOPIC))]
    };
    (1..=4).map(turn).last().unwrap()
}

#[test]
fn each_callback_asks_the_host_for_bytes_and_gives_some_back() {
    let mut host = host();
    let connection = host.connect().unwrap();
    for api in [Api::Produce, Api::Fetch] {
        // Of long records the first are read, and nothing more until their frame ends.
        for (size, most) in [(200, 1), (64 << 10, 2)] {
            for Cost { calls, .. } in cost(&mut host, connection, api, size) {
                let [read, written] = ["get_buffer", "set_buffer"].map(|name| calls.get(name).copied().unwrap_or(0));
                assert!(
                    calls.len() == 2 && (1..=most).contains(&read) && written == 1,
                    "{} {size}: {calls:?}",
                    api.word()
                );
            }
        }
    }
}

#[test]
fn nobody_reads_records() {
    let mut host = host();
    let connection = host.connect().unwrap();
    for api in [Api::Produce, Api::Fetch] {
        let [short, long, longer] = [200, 64 << 10, 128 << 10].map(|size| cost(&mut host, connection, api, size));
        for ((short, long), longer) in short.iter().zip(long).zip(longer) {
            // Nor copies them, which would be 1,024 for each 64 KB.
            assert!(longer.instructions <= long.instructions + 500, "{}: {long:?}, {longer:?}", api.word());
            // What is read in pieces is walked, and its end looked at apart.
            assert!(long.instructions <= short.instructions + 20_000, "{}: {short:?}, {long:?}", api.word());
        }
    }
}
