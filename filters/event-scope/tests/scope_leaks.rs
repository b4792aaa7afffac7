//! Eight tenants of one cluster, with prefixes of every kind, a cohort, partition ranges and shared topics: whatever they
//! ask, and whatever a broker lists, no mark of one reaches another.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod common;

use std::collections::BTreeSet;
use std::rc::Rc;

use common::clusters::{cohort, partitions, plain, rule, shared, tenant};
use common::read::{Api, Table};
use common::world::All;
use common::{Random, Setting, Side, Writer, table};
use partywall_event_scope::kafka::codec::{self, Editor, Mark, Place, RequestHeader, Scratch, Verdict};
use partywall_event_scope::kafka::session::{Close, Options, Session, Step};
use partywall_event_scope::scope::{Cluster, Scope};
use partywall_tenancy::{EventCluster, Placed};

const REQUESTS: u64 = 20_000;
/// Who there is, what stands before its names, and what stands behind them: its mark. Those of a cohort have one.
const TENANTS: [(&str, &str, &str); 8] = [
    ("acme", "acme.", "-of-acme-"),
    ("acme-2", "acme-2.", "-of-2-acme-"),
    ("globex", "legacy_", "-of-globex-"),
    ("initech", "in.it.ech-", "-of-initech-"),
    ("north", "franchise.", "-of-franchise-"),
    ("reference", "reference.", "-of-reference-"),
    ("south", "franchise.", "-of-franchise-"),
    ("umbrella", "umbrella.", "-of-umbrella-"),
];
/// Of the broker's `pool`, which partitions are whose: the first, and how many.
const RANGES: [(&str, i32, i32); 4] = [("acme", 0, 8), ("acme-2", 8, 6), ("globex", 14, 6), ("umbrella", 20, 4)];
const PARTITIONS: i32 = 24;
/// What a broker says to the request that stands in for one that is denied.
const STAND_IN_ANSWER: [u8; 14] = [0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0];

fn cluster() -> EventCluster {
    let mut events = plain();
    events.own_prefixes = vec![(tenant("globex"), "legacy_".to_owned()), (tenant("initech"), "in.it.ech-".to_owned())];
    events.cohorts = vec![cohort("franchise", "franchise.", &["north", "south"])];
    events.topics.extend([
        rule("pool", "telemetry", partitions("pool", &RANGES)),
        rule("rates", "fx", shared("reference.topic-1", Some(&["acme", "north", "south"]))),
        rule("secret", "topic-7*", Placed::Denied),
    ]);
    events.new_topics.allowed = true;
    events
}

/// What may be said of a tenant's request or response besides its own names: of a topic, whose it may be.
struct Held<'s> {
    scope: &'s Scope,
    range: Option<(i32, i32)>,
    /// Whether it goes to the broker.
    inward: bool,
    topic: Vec<u8>,
    /// Numbers that the client said itself, by which it is answered.
    said: Vec<i32>,
    /// Whether it spoke of what is shared with others, and of what is denied.
    said_shared: bool,
    said_denied: bool,
    trouble: Option<String>,
    /// Partitions of the pool.
    pooled: usize,
    shared: usize,
}

impl Held<'_> {
    fn name(&mut self, place: &Place<'_>) {
        let name = place.bytes().unwrap_or_default();
        if matches!(place.mark, Mark::Topic | Mark::Resource) {
            self.topic = name.to_vec();
        }
        if name.is_empty() {
            return;
        }
        self.shared += usize::from(name == if self.inward { b"reference.topic-1".as_slice() } else { b"fx" });
        let prefix = self.scope.prefix().as_bytes();
        let topic = matches!(place.mark, Mark::Topic | Mark::Resource);
        let reader = ["acme", "north", "south"].contains(&self.scope.tenant().as_str());
        let reads = reader && name == b"reference.topic-1";
        let own = name.starts_with(prefix) || topic && (name == b"pool" && self.range.is_some() || reads);
        if self.inward && !own {
            self.trouble.get_or_insert(format!("{:?} {}", place.mark, name.escape_ascii()));
        }
        if !self.inward && topic && name == b"fx" && !reader && !self.said_shared {
            self.trouble.get_or_insert("what is shared with others".to_owned());
        }
        if !self.inward && topic && name.starts_with(b"topic-7") && !self.said_denied {
            self.trouble.get_or_insert("what is denied".to_owned());
        }
        if self.inward && topic && own && name.strip_prefix(prefix).is_some_and(|name| name.starts_with(b"topic-7")) {
            self.trouble.get_or_insert(format!("what is denied, {}", name.escape_ascii()));
        }
    }
}

impl Editor for Held<'_> {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        match place.mark {
            Mark::Topic | Mark::Group | Mark::Transaction | Mark::Key | Mark::Resource => self.name(place),
            Mark::Partition if self.topic == if self.inward { b"pool".as_slice() } else { b"telemetry" } => {
                let partition = place.value.number().and_then(|number| i32::try_from(number).ok());
                let (first, count) = self.range.unwrap_or_default();
                let (first, end) = if self.inward { (first, first + count) } else { (0, count) };
                self.pooled += 1;
                if !partition.is_some_and(|n| (first..end).contains(&n) || self.said.contains(&n)) {
                    self.trouble.get_or_insert(format!("partition {partition:?} of the pool"));
                }
            }
            _ => {}
        }
        Verdict::Keep
    }
}

/// Writes down partitions.
#[derive(Default)]
struct Said(Vec<i32>);

impl Editor for Said {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if place.mark == Mark::Partition {
            self.0.extend(place.value.number().and_then(|number| i32::try_from(number).ok()));
        }
        Verdict::Keep
    }
}

fn held(scope: &Scope, inward: bool) -> Held<'_> {
    let range = RANGES.iter().find(|(id, ..)| *id == scope.tenant().as_str()).map(|(_, first, count)| (*first, *count));
    Held {
        scope,
        range,
        inward,
        topic: Vec::new(),
        said: Vec::new(),
        said_shared: false,
        said_denied: false,
        trouble: None,
        pooled: 0,
        shared: 0,
    }
}

fn setting(api: &Api, random: &mut Random, side: Side) -> Setting {
    let mut numbers = vec![
        ("ReplicaId", -1),
        ("Acks", 1),
        ("KeyType", i64::try_from(random.below(2)).unwrap()),
        ("ResourceType", 2),
        ("SessionId", 0),
        ("SessionEpoch", -1),
        ("NumPartitions", 3),
        ("ReplicationFactor", 1),
    ];
    numbers.retain(|_| random.chance(95));
    let empty = if api.key == 19 { vec!["Assignments"] } else { Vec::new() };
    // A client may ask for whatever it has heard of; a broker lists what it has.
    let mut prefixes: Vec<_> = TENANTS.iter().map(|(_, prefix, _)| *prefix).collect();
    let mut tails: Vec<_> = TENANTS.iter().map(|(.., mark)| *mark).collect();
    if side == Side::Request {
        tails = vec![""; tails.len()];
        for _ in 0..16 {
            prefixes.push("");
            tails.push("");
        }
    } else if random.chance(30) {
        // What is shared, and what is denied, has no mark.
        tails = vec![""; tails.len()];
    }
    let ids = (0..u8::try_from(TENANTS.len()).unwrap() + 2).map(|n| [n + 1; 16]).collect();
    let pool = match (side, random.chance(70)) {
        (Side::Request, true) => "telemetry",
        (Side::Request, false) => ["fx", "pool"][random.below(2)],
        (Side::Response, true) => "pool",
        (Side::Response, false) => "reference.topic-1",
    };
    let ranged = random.chance(40).then_some((pool, 0, i64::from(PARTITIONS)));
    Setting { numbers, empty, prefixes, tails, ids, client: "app".to_owned(), ranged, quiet: false }
}

fn written(seed: u64, api: &Api, version: u8, side: Side, setting: &Setting) -> Vec<u8> {
    let mut writer = Writer::new(seed, api, version, side);
    writer.setting = Some(setting);
    let frame = writer.frame(api, side).0;
    [i32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), &frame].concat()
}

fn contains(bytes: &[u8], wanted: &str) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

/// Frames without their lengths.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, behind)) = bytes.split_first_chunk::<4>() {
        let (frame, behind) = behind.split_at(usize::try_from(i32::from_be_bytes(*length)).unwrap());
        (bytes, frames) = (behind, [frames, vec![frame]].concat());
    }
    assert!(bytes.is_empty(), "a piece of a frame");
    frames
}

/// What a broker says to each of these requests: whatever it has, of all tenants.
fn answers(table: &Table, sent: &[u8], seed: u64, random: &mut Random) -> Vec<u8> {
    let mut answers = Vec::new();
    for frame in frames(sent) {
        let header = RequestHeader::read(frame).unwrap();
        let api = table.apis.iter().find(|api| api.key == header.api).unwrap();
        let setting = setting(api, random, Side::Response);
        answers.extend(match header.api {
            17 | 18 | 36 => STAND_IN_ANSWER.to_vec(),
            _ => written(seed, api, u8::try_from(header.version).unwrap(), Side::Response, &setting),
        });
    }
    answers
}

#[test]
fn no_mark_of_one_tenant_reaches_another() {
    let (table, cluster) = (table(), Cluster::new(&cluster(), Rc::default()).unwrap());
    let scopes = TENANTS.map(|(id, ..)| cluster.scope(&tenant(id)).unwrap());
    for (scope, (_, prefix, _)) in scopes.iter().zip(TENANTS) {
        assert_eq!(scope.prefix(), prefix);
    }
    let mut all = All::of(scopes.clone());
    all.ids.fixed = true;
    let topics = TENANTS.iter().map(|(_, prefix, _)| format!("{prefix}topic-9"));
    let topics: Vec<_> = topics.chain(["pool".to_owned(), "reference.topic-1".to_owned()]).collect();
    all.ids.names.borrow_mut().extend((1_u8..).map(|n| [n; 16]).zip(topics.into_iter().map(String::into_bytes)));
    let open = |id: &str| {
        let mut session = Session::new(Options::default());
        session.identify(id.into());
        session
    };
    let mut sessions = TENANTS.map(|(id, ..)| open(id));
    let mut random = Random(41);
    let (mut asked, mut delivered, mut ended, mut pooled, mut shared, mut marks) = (0, 0, 0, 0, 0, BTreeSet::new());
    for turn in 0..REQUESTS {
        let who = random.below(TENANTS.len());
        let (id, _, mark) = TENANTS[who];
        let api = &table.apis[random.below(table.apis.len())];
        if matches!(api.key, 17 | 18 | 36) {
            continue;
        }
        let (first, last) = api.versions;
        let version = first + u8::try_from(random.below(usize::from(last - first) + 1)).unwrap();
        let mut sent = written(turn, api, version, Side::Request, &setting(api, &mut random, Side::Request));
        if random.chance(5) {
            let at = 4 + random.below(sent.len() - 4);
            sent[at] ^= 1 << random.below(8);
        }
        let name = || format!("{id}: {} {version}, turn {turn}", api.name);
        let mut step = Step::default();
        sessions[who].from_client(&sent, &all.peers(), &mut step);
        for frame in frames(&step.out) {
            let mut held = held(&scopes[who], true);
            let mut scratch = Scratch::default();
            codec::request(frame, &mut held, &mut scratch).unwrap();
            assert_eq!(held.trouble, None, "the broker is asked by {}", name());
            (asked, pooled, shared) = (asked + 1, pooled + held.pooled, shared + held.shared);
        }
        let header = |frame: &&[u8]| RequestHeader::read(frame).map(|header| (header.api, header.version)).unwrap();
        let went: Vec<_> = frames(&step.out).iter().map(header).collect();
        let answers = answers(&table, &step.out, turn, &mut random);
        let mut told = Step::default();
        sessions[who].from_broker(&answers, &all.peers(), &mut told);
        delivered += told.out.len();
        for (_, prefix, other) in TENANTS.iter().filter(|(.., other)| *other != mark) {
            assert!(!contains(&told.out, other), "{other} is told to {}: {}", name(), told.out.escape_ascii());
            // Where the client said it itself it is answered in its words.
            let said = contains(&sent, prefix) || !contains(&told.out, prefix);
            assert!(said, "{prefix} is told to {}: {}", name(), told.out.escape_ascii());
        }
        if contains(&told.out, mark) {
            marks.insert(id);
        }
        if let ([frame], [asked]) = (frames(&told.out).as_slice(), went.as_slice())
            && *asked == (api.key, i16::from(version))
        {
            let mut held = held(&scopes[who], false);
            let mut scratch = Scratch::default();
            let mut said = Said::default();
            codec::request(&sent[4..], &mut said, &mut scratch).unwrap();
            (held.said, held.said_shared, held.said_denied) =
                (said.0, contains(&sent, "fx"), contains(&sent, "topic-7"));
            codec::response(api.key, version.into(), frame, &mut held, &mut scratch).unwrap();
            assert_eq!(held.trouble, None, "{} is told", name());
            (pooled, shared) = (pooled + held.pooled, shared + held.shared);
        }
        if step.close != Close::No || told.close != Close::No {
            ended += 1;
            sessions[who] = open(id);
        }
    }
    println!(
        "{asked} requests, {delivered} bytes delivered, {pooled} partitions of a range, {shared} of what is shared, {ended} ended"
    );
    assert!(asked > 10_000 && delivered > 500_000 && pooled > 500 && shared > 300 && ended < 5000);
    assert_eq!(marks.len(), TENANTS.len(), "each hears of its own: {marks:?}");
}
