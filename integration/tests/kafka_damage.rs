//! Requests of every API, whole and damaged, from many connections, before a broker that looks at each byte: nothing reaches
//! it that was not understood, no name that is not the tenant's, and who asks as it should on the same worker goes on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use partywall_integration::kafka::frames::{Request, requests};
use partywall_integration::kafka::recorder::{Recorder, understand};
use partywall_integration::kafka::{Brokers, Scoped, ScopedOptions, Socket};

const SEED: u64 = 0x6b61_666b;
/// How many bits are turned in each request, one at a time.
const FLIPS: usize = 24;
/// Where each is cut off.
const CUTS: usize = 3;
/// How many send at once.
const SENDERS: usize = 4;
/// How long one answer to who asks as it should may take beside all of this.
const PATIENCE: Duration = Duration::from_secs(2);

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n.max(1)
    }
}

/// A request in ways in which no client sends it.
fn damaged(request: &Request) -> Vec<Vec<u8>> {
    let mut random = Random(SEED ^ (request.api as u64) << 8 ^ request.version as u64);
    let whole = &request.frame;
    let mut all: Vec<Vec<u8>> =
        [0i32, -1, i32::MAX].map(|length| [&length.to_be_bytes()[..], &whole[4..]].concat()).into();
    for _ in 0..CUTS {
        // Cut off, with and without a length that says so.
        let cut = 5 + random.below(whole.len() - 5);
        all.push(whole[..cut].to_vec());
        let length = u32::try_from(cut - 4).unwrap().to_be_bytes();
        all.push([&length[..], &whole[4..cut]].concat());
    }
    for _ in 0..FLIPS {
        let mut turned = whole.clone();
        turned[4 + random.below(whole.len() - 4)] ^= 1 << random.below(8);
        all.push(turned);
    }
    // Numbers that promise much, over whatever stands there.
    for promised in [i32::MAX, -1, 0x0fff_ffff] {
        let mut promising = whole.clone();
        let at = 4 + random.below(whole.len().saturating_sub(8));
        promising.splice(at..at + 4, promised.to_be_bytes());
        all.push(promising);
    }
    all
}

/// Sends it on a connection of its own, and nothing behind it; how many bytes came.
fn send(scoped: &Scoped, frame: &[u8]) -> usize {
    let mut wire = Socket::connect(scoped, Some("acme"));
    wire.send(frame);
    wire.end();
    wire.read_to_end().len()
}

/// Why connections were ended here, so far.
fn ends(scoped: &Scoped) -> Vec<String> {
    let told = scoped.told().into_iter().filter(|line| line["decision"] == "end");
    told.map(|line| line["detail"].to_string()).collect()
}

/// Ends what goes on beside a test, however the test ends.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_is_not_understood_reaches_no_broker() {
    let all = requests().unwrap();
    let wrong = all.iter().filter_map(|Request { api, name, version, frame }| {
        let error = understand(*api, *version, &frame[4..]).err()?;
        Some(format!("{name} {version}: {error:#}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
    let recorder = Recorder::start(&["acme.orders", "globex.orders", "globex.bills"], "acme.").unwrap();
    let plugin = "largest: 1048576\nmemory: 67108864";
    let options = ScopedOptions { name: "kafka-damage", plugin, workers: 1, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &Brokers::standing_in(recorder.port)).unwrap();
    let ended = |reason| scoped.envoy.metric("partywall_event_scope_connections_ended_total", &[("reason", reason)]);

    let (over, asked, slowest) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    let sent = std::thread::scope(|scope| {
        let good = scope.spawn(|| {
            let mut wire = Socket::connect(&scoped, Some("globex"));
            while !over.load(Ordering::Relaxed) {
                let before = Instant::now();
                let answer = wire.metadata().expect("who asks as it should goes on");
                let took = usize::try_from(before.elapsed().as_millis()).unwrap();
                slowest.fetch_max(took, Ordering::Relaxed);
                asked.fetch_add(1, Ordering::Relaxed);
                let holds = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
                assert!(holds(b"orders") && holds(b"bills") && !holds(b"acme") && !holds(b"globex"));
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let ends_it = Ends(&over);
        let sent = AtomicUsize::new(0);
        // As they should be: none is taken for damaged.
        for request in &all {
            let before = ends(&scoped).len();
            send(&scoped, &request.frame);
            sent.fetch_add(1, Ordering::Relaxed);
            let why = ends(&scoped).split_off(before);
            // A message of SASL without the one before it is the exception.
            assert!(
                why.is_empty() || request.name == "SaslAuthenticate",
                "{} {}: {why:?}",
                request.name,
                request.version
            );
        }
        let apis = recorder.recorded().frames.len();
        println!("{} requests as they should be: {apis} APIs at the broker", all.len());
        assert!(apis > 40);
        recorder.talk_nonsense();
        let next = AtomicUsize::new(0);
        let each = |work: &(dyn Fn(&Request) + Sync)| {
            std::thread::scope(|inner| {
                for _ in 0..SENDERS {
                    inner.spawn(|| {
                        while let Some(request) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                            work(request);
                        }
                    });
                }
            });
        };
        each(&|request| {
            for frame in damaged(request) {
                send(&scoped, &frame);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        drop(ends_it);
        good.join().expect("another tenant goes on");
        sent.into_inner()
    });
    let recorded = recorder.recorded();
    println!(
        "{sent} connections in {:?}, {} of them ended as malformed, {} for a length; {} frames of {} APIs at the broker; beside them {} \
         answers to another tenant, the slowest after {} ms",
        begun.elapsed(),
        ended("malformed").unwrap(),
        ended("frame").unwrap(),
        recorded.frames.values().sum::<usize>(),
        recorded.frames.len(),
        asked.load(Ordering::Relaxed),
        slowest.load(Ordering::Relaxed)
    );
    assert!(recorded.wrong.is_empty(), "{:#?}", recorded.wrong);
    assert!(recorded.bare.is_empty(), "{:#?}", recorded.bare);
    assert!(ended("malformed").unwrap() > 300.0 && ended("frame").unwrap() > 300.0);
    assert!(asked.load(Ordering::Relaxed) > 100);
    assert!(slowest.load(Ordering::Relaxed) < usize::try_from(PATIENCE.as_millis()).unwrap());
    assert!(!scoped.envoy.errors().contains("panicked"), "{}", scoped.envoy.errors());
}
