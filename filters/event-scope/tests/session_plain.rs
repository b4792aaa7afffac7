//! What producers and consumers say goes on by programs, where nothing is out of the ordinary: byte for byte as by a walk.
//! In a world that counts partitions anew every frame is walked; but for one topic that world is the same here.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod common;

use common::world::{All, Policy, Prefix};
use common::{Random, Setting, Side, Writer, every, table};
use partywall_event_scope::kafka::codec::Problem;
use partywall_event_scope::kafka::session::{Close, Options, Session, Step, Trouble};

/// How many connections of each version.
const CONNECTIONS: u64 = 60;
/// How many requests on each.
const REQUESTS: u64 = 6;

/// What comes of what is said on a connection, in a world whose frames go on by programs or are walked.
struct Way {
    all: All,
    session: Session,
}

impl Way {
    fn of(range: Option<(i32, i32)>, policy: Policy) -> Self {
        let mut all = All::of([Prefix { range, ..Prefix::of("acme") }]);
        all.policy = policy;
        all.ids.fixed = true;
        let known = (1..20).map(|n: u8| ([n; 16], format!("{}.topic-{n}", if n == 9 { "rival" } else { "acme" })));
        all.ids.names.borrow_mut().extend(known.map(|(id, name)| (id, name.into_bytes())));
        let mut session = Session::new(Options::default());
        session.identify("acme".into());
        Self { all, session }
    }

    fn say(&mut self, side: Side, bytes: &[u8]) -> (Vec<u8>, Step) {
        let mut step = Step::over(bytes);
        match side {
            Side::Request => self.session.from_client(bytes, &self.all.peers(), &mut step),
            Side::Response => self.session.from_broker(bytes, &self.all.peers(), &mut step),
        }
        let mut all = Vec::new();
        step.each_run(bytes, |run| all.extend_from_slice(run));
        (all, step)
    }
}

/// Says the same both ways. Whether the connection goes on.
fn same(name: &str, ways: &mut [Way; 2], side: Side, bytes: &[u8]) -> bool {
    let [(plain, step), (walked, other)] = ways.each_mut().map(|way| way.say(side, bytes));
    // Without a topic's name, a world that counts partitions anew cannot count them: damaged ids alone are unknown here.
    let is_refused = matches!(other.trouble, Some(Trouble::Walk(error)) if error.problem == Problem::Refused);
    if side == Side::Response && is_refused && step.trouble != other.trouble {
        return false;
    }
    // Where a connection ends, nobody looks at what is left of its bytes.
    assert!(plain == walked || step.close == Close::Now, "{name}: {plain:02x?} instead of {walked:02x?}");
    assert_eq!(step.decisions, other.decisions, "{name}");
    assert_eq!((step.fetched, step.close, step.trouble), (other.fetched, other.close, other.trouble), "{name}");
    let [one, other] = ways.each_mut().map(|way| way.session.outstanding());
    assert_eq!(one, other, "{name}");
    step.close == Close::No
}

fn setting(random: &mut Random, side: Side) -> Setting {
    let session = [0, 5, 7][random.below(3)];
    let epoch = [-1, 0, 1][random.below(3)];
    let replica = if random.chance(95) { -1 } else { 3 };
    let acks = [1, -1, 0][random.below(3)];
    let numbers = vec![("ReplicaId", replica), ("Acks", acks), ("SessionId", session), ("SessionEpoch", epoch)];
    let mut empty = Vec::new();
    for list in ["ForgottenTopicsData", "NodeEndpoints", "RecordErrors"] {
        if random.chance(80) {
            empty.push(list);
        }
    }
    let prefixes = match side {
        Side::Request if random.chance(10) => vec!["", "forbidden-", "no name:"],
        Side::Request => vec![""],
        Side::Response if random.chance(10) => vec!["acme.", "rival."],
        Side::Response => vec!["acme."],
    };
    // An id that nobody knows is asked for, and no answer to what was sent has one.
    let ids = if side == Side::Request && random.chance(10) { 1..=20 } else { 1..=8 };
    let ids = ids.map(|n| [n; 16]).collect();
    let quiet = random.chance(80);
    Setting { numbers, empty, prefixes, ids, quiet, client: "app".to_owned(), ..Setting::default() }
}

fn damage(random: &mut Random, frame: &mut Vec<u8>) {
    let at = random.below(frame.len());
    match random.below(6) {
        0 => frame.truncate(at.max(8)),
        1 => frame.push(0),
        2 => frame.insert(at.max(8), 0),
        3 if at >= 8 => drop(frame.remove(at)),
        _ if at >= 4 => frame[at] ^= 1 << random.below(8),
        _ => {}
    }
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [i32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), frame].concat()
}

#[test]
fn programs_do_as_walks() {
    let table = table();
    let (mut said, mut ended) = (0, 0);
    for (api, version, _) in every(&table).filter(|(api, _, side)| api.key <= 1 && *side == Side::Request) {
        for seed in 0..CONNECTIONS {
            let random = &mut Random(seed << 16 | u64::from(version) << 1 | u64::try_from(api.key).unwrap());
            let damaged = random.chance(30);
            let policy = || Policy { denied: vec![("7", None)], odd: seed % 10 == 9 };
            let mut ways = [None, Some((0, 1))].map(|range| Way::of(range, policy()));
            'connection: for n in 0..REQUESTS {
                for side in [Side::Request, Side::Response] {
                    let name = format!("{} {version}, seed {seed}, {side:?} {n}", api.name);
                    let setting = setting(random, side);
                    let mut writer = Writer::new(random.next(), api, version, side);
                    writer.setting = Some(&setting);
                    writer.unknown_tags = if random.chance(20) { 30 } else { 0 };
                    let mut frame = writer.frame(api, side).0;
                    if damaged && random.chance(20) {
                        damage(random, &mut frame);
                    }
                    if side == Side::Response && ways[0].session.outstanding() == 0 {
                        continue;
                    }
                    said += 1;
                    if !same(&name, &mut ways, side, &framed(&frame)) {
                        ended += 1;
                        break 'connection;
                    }
                }
            }
        }
    }
    println!("{said} frames, {ended} connections ended");
    assert!(said > 5 * ended, "most connections go on");
}

#[test]
fn long_records_are_not_copied() {
    let mut ways = [None, Some((0, 1))].map(|range| Way::of(range, Policy::default()));
    let records = vec![7; 20_000];
    let head = b"\0\0\0\x03\0\0\0\x07\0\x03app\xff\xff\0\x01\0\0\0\x09\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\x05";
    let request = framed(&[head.as_slice(), &framed(&records)].concat());
    let (_, step) = ways[0].say(Side::Request, &request);
    assert_eq!(step.kept.len(), 1);
    assert!(step.out.len() < 100);
    let mut ways = [None, Some((0, 1))].map(|range| Way::of(range, Policy::default()));
    assert!(same("Produce", &mut ways, Side::Request, &request));
}
