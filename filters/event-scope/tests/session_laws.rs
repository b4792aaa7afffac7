//! What holds of every API and version that goes through a session: what is passed, what comes back, what is denied,
//! and that nothing of one tenant reaches another.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod common;

use std::rc::Rc;

use common::clusters::{partitions, plain, rule, tenant};
use common::kinds::{Kind, kind};
use common::read::Api;
use common::world::{All, Prefix};
use common::{Random, Setting, Side, Writer, every, table};
use partywall_event_scope::kafka::codec::{self, Editor, Mark, Place, Reach, Scratch, Verdict, answer};
use partywall_event_scope::kafka::session::{Close, Options, Session, Step};
use partywall_event_scope::scope::Cluster;

/// How many messages of each.
const MESSAGES: u64 = 8;
/// What a session sends instead of a request that is denied.
const STAND_IN: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
/// What a broker says to that.
const STAND_IN_ANSWER: [u8; 14] = [0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0];

fn setting(prefix: &'static str, client: &str, api: i16) -> Setting {
    let numbers = vec![
        ("ReplicaId", -1),
        ("Acks", 1),
        ("KeyType", 0),
        ("ResourceType", 2),
        ("SessionId", 0),
        ("SessionEpoch", -1),
        ("AllowAutoTopicCreation", 0),
        ("NumPartitions", 3),
        ("Count", 3),
        ("ReplicationFactor", 1),
    ];
    let empty = if api == 19 { vec!["Assignments"] } else { Vec::new() };
    let ids = (0..20).map(|n| [n + 1; 16]).collect();
    let (prefixes, tails) = (vec![prefix], Vec::new());
    Setting { numbers, empty, prefixes, tails, ids, client: client.to_owned(), ranged: None, quiet: true }
}

fn written(seed: u64, api: &Api, version: u8, side: Side, setting: &Setting) -> Vec<u8> {
    let mut writer = Writer::new(seed, api, version, side);
    writer.setting = Some(setting);
    let frame = writer.frame(api, side).0;
    [i32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), &frame].concat()
}

/// `acme` and `rival`, in the worlds of the tests and in those that a bundle says; the ids are those of `acme`'s topics.
fn both() -> [All; 2] {
    let mut events = plain();
    events.new_topics.allowed = true;
    let cluster = Cluster::new(&events, Rc::default()).unwrap();
    let scopes = ["acme", "rival"].map(|id| cluster.scope(&tenant(id)).unwrap());
    [All::of([Prefix::of("acme"), Prefix::of("rival")]), All::of(scopes)].map(known)
}

fn known(mut all: All) -> All {
    all.ids.fixed = true;
    all.ids.names.borrow_mut().extend((0..20).map(|n: u8| ([n + 1; 16], format!("acme.topic-{n}").into_bytes())));
    all
}

fn session(tenant: &str) -> Session {
    let mut session = Session::new(Options::default());
    session.identify(tenant.into());
    session
}

fn asked(session: &mut Session, all: &All, bytes: &[u8]) -> Step {
    let mut step = Step::default();
    session.from_client(bytes, &all.peers(), &mut step);
    step
}

fn told(session: &mut Session, all: &All, bytes: &[u8]) -> Step {
    let mut step = Step::default();
    session.from_broker(bytes, &all.peers(), &mut step);
    step
}

/// Joins the group that a SyncGroup names, as some that tell each other of no topics.
fn join(session: &mut Session, all: &All, table: &common::read::Table, sync: &[u8]) {
    let mut names = Names::default();
    codec::request(&sync[4..], &mut names, &mut Scratch::default()).unwrap();
    let group = &names.0[0].1;
    let api = table.apis.iter().find(|api| api.key == 11).unwrap();
    let mut frame = vec![0, 11, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    frame.extend(i16::try_from(group.len()).unwrap().to_be_bytes());
    frame.extend(group);
    // Session timeout, no member yet, `x`, and one protocol.
    frame.extend([0, 0, 0x27, 0x10, 0, 0, 0, 1, b'x', 0, 0, 0, 1, 0, 1, b'p', 0, 0, 0, 1, 9]);
    let frame = [i32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), &frame].concat();
    assert_eq!(asked(session, all, &frame).close, Close::No);
    let response = written(1, api, 0, Side::Response, &setting("acme.", "", 11));
    assert_eq!(told(session, all, &response).close, Close::No);
}

/// Writes down names.
#[derive(Default)]
struct Names(Vec<(Mark, Vec<u8>)>, Vec<i64>);

impl Editor for Names {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        match place.mark {
            // Where the last page ended.
            Mark::Topic if place.within.ends_with("Cursor") => {}
            Mark::Topic | Mark::TopicId | Mark::Group | Mark::Transaction | Mark::Key | Mark::Resource => {
                self.0.extend(place.bytes().map(|bytes| (place.mark, bytes.to_vec())));
            }
            Mark::Error => self.1.extend(place.value.number()),
            _ => {}
        }
        Verdict::Keep
    }
}

fn contains(bytes: &[u8], wanted: &str) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

#[test]
fn own_names_go_in_and_come_back() {
    let table = table();
    for all in both() {
        let (mut passed, mut compared) = (0, 0);
        for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
            if kind(api.key, version) != Kind::Passed {
                continue;
            }
            for seed in 0..MESSAGES {
                let name = format!("{} {version}, seed {seed}", api.name);
                let sent = written(seed, api, version, Side::Request, &setting("", "app", api.key));
                let wanted = written(seed, api, version, Side::Request, &setting("acme.", "acme.app", api.key));
                let mut session = session("acme");
                if api.key == 14 && version < 5 {
                    join(&mut session, &all, &table, &sent);
                }
                let step = asked(&mut session, &all, &sent);
                // A page of all topics is answered here.
                if api.key == 75 && step.out == STAND_IN {
                    continue;
                }
                assert_eq!((step.close, step.trouble), (Close::No, None), "{name}");
                assert!(
                    step.out == wanted,
                    "{name}: the broker gets\n{}\nnot\n{}",
                    step.out.escape_ascii(),
                    wanted.escape_ascii()
                );
                passed += 1;
                // Client metrics have no scope, and this version lists nothing else.
                if (api.key, version) == (74, 0) {
                    continue;
                }
                let response = written(seed, api, version, Side::Response, &setting("acme.", "", api.key));
                let wanted = written(seed, api, version, Side::Response, &setting("", "", api.key));
                let step = told(&mut session, &all, &response);
                assert_eq!((step.close, step.trouble), (Close::No, None), "{name}");
                assert!(
                    step.out == wanted,
                    "{name}: the client gets\n{}\nnot\n{}",
                    step.out.escape_ascii(),
                    wanted.escape_ascii()
                );
                compared += 1;
                assert_eq!(session.outstanding(), 0);
            }
        }
        println!("{passed} requests passed, {compared} responses came back");
        assert!(passed > 1500 && compared > 1500, "{passed}, {compared}");
    }
}

#[test]
fn partitions_of_a_range_are_counted_from_zero() {
    let table = table();
    let mut events = plain();
    events.topics.push(rule("ranged", "ranged", partitions("pool", &[("rival", 47, 3), ("acme", 40, 7)])));
    let scope = Cluster::new(&events, Rc::default()).unwrap().scope(&tenant("acme")).unwrap();
    let world = Prefix { range: Some((40, 7)), ..Prefix::of("acme") };
    for all in [All::of([world]), All::of([scope])] {
        all.ids.names.borrow_mut().extend((0..20).map(|n: u8| ([n + 1; 16], b"pool".to_vec())));
        let mut compared = 0;
        for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
            // Not what changes topics, nor groups in which the broker assigns partitions, nor pages of all topics.
            let apart = matches!(api.key, 19..=21 | 33 | 37 | 44 | 68.. | 14);
            if kind(api.key, version) != Kind::Passed || apart {
                continue;
            }
            for seed in 0..MESSAGES {
                let name = format!("{} {version}, seed {seed}", api.name);
                let (mut mine, mut theirs) = (setting("", "app", api.key), setting("acme.", "acme.app", api.key));
                (mine.ranged, theirs.ranged) = (Some(("ranged", 0, 7)), Some(("pool", 40, 7)));
                let mut session = session("acme");
                let step = asked(&mut session, &all, &written(seed, api, version, Side::Request, &mine));
                let wanted = written(seed, api, version, Side::Request, &theirs);
                assert!(step.out == wanted, "{name}: {}\n{}", step.out.escape_ascii(), wanted.escape_ascii());
                let step = told(&mut session, &all, &written(seed, api, version, Side::Response, &theirs));
                let wanted = written(seed, api, version, Side::Response, &mine);
                assert!(step.out == wanted, "{name}: {}\n{}", step.out.escape_ascii(), wanted.escape_ascii());
                // One that is of somebody else is neither asked for nor told.
                theirs.ranged = Some(("pool", 38, 11));
                asked(&mut session, &all, &written(seed, api, version, Side::Request, &mine));
                let step = told(&mut session, &all, &written(seed, api, version, Side::Response, &theirs));
                assert_eq!(step.close, Close::No, "{name}: {:?}", step.trouble);
                let mut partitions = Partitions::default();
                let scratch = &mut Scratch::default();
                codec::response(api.key, version.into(), &step.out[4..], &mut partitions, scratch).unwrap();
                assert!(partitions.0.iter().all(|partition| (0..7).contains(partition)), "{name}: {:?}", partitions.0);
                mine.ranged = Some(("ranged", 7, 5));
                let step = asked(&mut session, &all, &written(seed, api, version, Side::Request, &mine));
                let mut partitions = Partitions::default();
                codec::request(&step.out[4..], &mut partitions, scratch).unwrap();
                assert!(partitions.0.is_empty(), "{name}: {:?}", partitions.0);
                compared += 1;
            }
        }
        println!("{compared} requests and responses with partitions of a range");
        assert!(compared > 800, "{compared}");
    }
}

/// Writes down partitions.
#[derive(Default)]
struct Partitions(Vec<i64>);

impl Editor for Partitions {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        self.0.extend(place.value.number().filter(|_| place.mark == Mark::Partition));
        Verdict::Keep
    }
}

#[test]
fn what_operators_do_is_answered_with_kafkas_error() {
    let table = table();
    for all in both() {
        let mut denied = 0;
        for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
            let Kind::Denied(code) = kind(api.key, version) else { continue };
            for seed in 0..MESSAGES {
                let name = format!("{} {version}, seed {seed}", api.name);
                let sent = written(seed, api, version, Side::Request, &setting("", "app", api.key));
                let mut session = session("acme");
                let step = asked(&mut session, &all, &sent);
                assert_eq!(step.close, Close::No, "{name}: {:?}", step.trouble);
                assert_eq!(step.out, STAND_IN, "{name}");
                let step = told(&mut session, &all, &STAND_IN_ANSWER);
                let mut names = Names::default();
                let scratch = &mut Scratch::default();
                codec::response(api.key, version.into(), &step.out[4..], &mut names, scratch).unwrap();
                assert!(names.1.iter().all(|found| *found == 0 || *found == i64::from(code)), "{name}: {:?}", names.1);
                denied += usize::from(names.1.contains(&code.into()));
            }
        }
        println!("{denied} requests denied");
        assert!(denied > 250, "{denied}");
    }
}

#[test]
fn a_response_has_nothing_of_others() {
    let table = table();
    for all in both() {
        let (mut came, mut closed) = (0, 0);
        for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
            if kind(api.key, version) != Kind::Passed {
                continue;
            }
            for seed in 0..4 * MESSAGES {
                let name = format!("{} {version}, seed {seed}", api.name);
                let sent = written(seed, api, version, Side::Request, &setting("", "app", api.key));
                let mut session = session("acme");
                if api.key == 14 && version < 5 {
                    join(&mut session, &all, &table, &sent);
                }
                if asked(&mut session, &all, &sent).out == STAND_IN {
                    continue;
                }
                let mut mixed = setting("acme.", "", api.key);
                mixed.prefixes = vec!["acme.", "rival."];
                mixed.quiet = false;
                let response = written(seed, api, version, Side::Response, &mixed);
                let step = told(&mut session, &all, &response);
                assert!(!contains(&step.out, "rival."), "{name}: {}", step.out.escape_ascii());
                assert!(!contains(&step.out, "acme."), "{name}: {}", step.out.escape_ascii());
                if step.close == Close::No {
                    came += 1;
                    let scratch = &mut Scratch::default();
                    codec::response(api.key, version.into(), &step.out[4..], &mut (), scratch).unwrap();
                } else {
                    // A page that ends at another tenant's topic.
                    assert_eq!(api.key, 75, "{name}: {:?}", step.trouble);
                    closed += 1;
                }
            }
        }
        println!("{came} responses came, {closed} connections ended");
        assert!(came > 5000, "{came}");
    }
}

#[test]
fn what_is_denied_of_a_request_is_answered_with_the_rest() {
    let table = table();
    for mut all in both() {
        all.policy.odd = true;
        let (mut denied, mut mixed) = (0, 0);
        for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
            // Those that answer for each topic.
            if kind(api.key, version) != Kind::Passed
                || !matches!(
                    api.key,
                    0 | 1
                        | 2
                        | 3
                        | 8
                        | 9
                        | 19
                        | 20
                        | 21
                        | 23
                        | 24
                        | 28
                        | 32
                        | 33
                        | 37
                        | 44
                        | 47
                        | 61
                        | 75
                        | 78
                        | 79
                        | 90..=92
                )
            {
                continue;
            }
            for seed in 0..MESSAGES {
                let name = format!("{} {version}, seed {seed}", api.name);
                let mut setting = setting("", "app", api.key);
                setting.empty.push("ForgottenTopicsData");
                let sent = written(seed, api, version, Side::Request, &setting);
                let version = i16::from(version);
                let mut session = session("acme");
                let step = asked(&mut session, &all, &sent);
                assert_eq!(step.close, Close::No, "{name}: {:?}", step.trouble);
                let out = &step.out[4..];
                let mut passed = Names::default();
                codec::request(out, &mut passed, &mut Scratch::default()).unwrap();
                let odd = |bytes: &Vec<u8>, mark: Mark| match mark {
                    // The name of id 1 ends in 0.
                    Mark::TopicId => bytes[0].is_multiple_of(2) && bytes[0] != 0,
                    Mark::Topic | Mark::Resource => bytes.last().is_some_and(|last| last % 2 == 1),
                    _ => false,
                };
                assert!(!passed.0.iter().any(|(mark, bytes)| odd(bytes, *mark)), "{name}: {:?}", passed.0);
                let response = if step.out == STAND_IN {
                    STAND_IN_ANSWER.to_vec()
                } else {
                    let mut response = Vec::new();
                    answer(out, 0, Reach::Each, 1 << 20, &mut response).unwrap();
                    response
                };
                let step = told(&mut session, &all, &response);
                assert_eq!(step.close, Close::No, "{name}: {:?}", step.trouble);
                // All that was asked for is answered, in some order.
                let names = |frame: &[u8]| {
                    let mut names = Names::default();
                    codec::response(api.key, version, &frame[4..], &mut names, &mut Scratch::default()).unwrap();
                    names.0.retain(|(_, bytes)| bytes.iter().any(|byte| *byte != 0));
                    names.0.sort_by_key(|(_, bytes)| bytes.clone());
                    names
                };
                let mut whole = Vec::new();
                answer(&sent[4..], 29, Reach::Each, 1 << 20, &mut whole).unwrap();
                let (found, wanted) = (names(&step.out), names(&whole));
                assert_eq!(found.0, wanted.0, "{name}");
                denied += usize::from(found.1.contains(&29));
                mixed += usize::from(found.1.contains(&29) && found.1.contains(&0));
            }
        }
        println!("{denied} answers with what was denied, {mixed} of them with something else as well");
        assert!(denied > 400 && mixed > 100, "{denied}, {mixed}");
    }
}

/// Holds what goes to the broker to frames that are understood and name nothing but the tenant's.
fn own(out: &[u8], tenant: &str, name: &str) -> usize {
    let (mut rest, mut frames) = (out, 0);
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (frame, behind) = behind.split_at(usize::try_from(i32::from_be_bytes(*length)).unwrap());
        (rest, frames) = (behind, frames + 1);
        let mut names = Names::default();
        let scratch = &mut Scratch::default();
        let splice = codec::request(frame, &mut names, scratch).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(splice.is_unchanged(), "{name}");
        for (mark, bytes) in &names.0 {
            let own = bytes.starts_with(format!("{tenant}.").as_bytes()) || bytes == b"shared";
            assert!(own || *mark == Mark::TopicId || bytes.is_empty(), "{name}: {}", bytes.escape_ascii());
        }
    }
    assert!(rest.is_empty(), "{name}: a piece of a frame");
    frames
}

#[test]
fn damage_goes_no_further() {
    let table = table();
    for all in both() {
        let mut random = Random(11);
        let (mut passed, mut came, mut ended) = (0, 0, 0);
        for (api, version, _) in every(&table).filter(|(.., side)| *side == Side::Request) {
            for seed in 0..60 {
                let name = format!("{} {version}, seed {seed}", api.name);
                let good = written(seed % 4, api, version, Side::Request, &setting("", "app", api.key));
                let mut session = session("acme");
                let damaged = damage(&good, &mut random);
                let step = asked(&mut session, &all, &damaged);
                passed += own(&step.out, "acme", &name);
                ended += usize::from(step.close == Close::Now);
                // In the middle of a frame, the client goes.
                let cut = &good[..random.below(good.len())];
                let mut session = self::session("acme");
                assert!(asked(&mut session, &all, cut).out.is_empty(), "{name}: a piece of a frame goes on");

                let mut session = self::session("acme");
                if asked(&mut session, &all, &good).close != Close::No || session.outstanding() != 1 {
                    continue;
                }
                let mut both = setting("acme.", "", api.key);
                (both.prefixes, both.quiet) = (vec!["acme.", "rival."], false);
                both.tails = vec!["-of-acme", "-of-rival"];
                let response = written(seed % 4, api, version, Side::Response, &both);
                let step = told(&mut session, &all, &damage(&response, &mut random));
                // A bit may have made it a name of the tenant's own.
                let names = step.out.windows(6).filter(|window| *window == b"rival.").count();
                assert_eq!(names, 0, "{name}: {}", step.out.escape_ascii());
                came += usize::from(!step.out.is_empty());
                if !step.out.is_empty() && kind(api.key, version) == Kind::Passed {
                    let scratch = &mut Scratch::default();
                    codec::response(api.key, version.into(), &step.out[4..], &mut (), scratch).unwrap();
                }
            }
        }
        println!("{passed} damaged requests passed, {ended} ended their connection; {came} damaged responses came");
        assert!(passed > 3000 && came > 1500 && ended > 1000, "{passed}, {came}, {ended}");
    }
}

/// One to three bits of what stands behind the length are turned.
fn damage(frame: &[u8], random: &mut Random) -> Vec<u8> {
    let mut frame = frame.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = 4 + random.below(frame.len() - 4);
        frame[at] ^= 1 << random.below(8);
    }
    frame
}

#[test]
fn no_mark_of_one_tenant_reaches_another() {
    let table = table();
    for all in both() {
        let mut random = Random(7);
        let mut sessions = [("acme", session("acme")), ("rival", session("rival"))];
        let (mut asked_for, mut delivered) = (0, 0);
        for turn in 0..20_000_u64 {
            let who = random.below(2);
            let (tenant, other) = if who == 0 { ("acme", "rival") } else { ("rival", "acme") };
            let api = &table.apis[random.below(table.apis.len())];
            let (first, last) = api.versions;
            let version = first + u8::try_from(random.below(usize::from(last - first) + 1)).unwrap();
            if kind(api.key, version) == Kind::Apart {
                continue;
            }
            // What a hostile client sends: names of the other, with its prefix and without, and numbers of any kind.
            let mut hostile = setting("", "app", api.key);
            hostile.prefixes = if who == 0 { vec!["", "rival.", "acme."] } else { vec!["", "acme.", "rival."] };
            hostile.numbers.retain(|_| random.chance(90));
            let sent = written(turn, api, version, Side::Request, &hostile);
            let session = &mut sessions[who].1;
            let step = asked(session, &all, &sent);
            assert!(step.close != Close::Later);
            // Whatever the broker is asked for in this tenant's name is of this tenant.
            asked_for += own(&step.out, tenant, &api.name);
            let mut rest = step.out.as_slice();
            let mut answers = Vec::new();
            while let Some((length, behind)) = rest.split_first_chunk::<4>() {
                let (frame, behind) = behind.split_at(usize::try_from(i32::from_be_bytes(*length)).unwrap());
                rest = behind;
                // The broker lists what it has, of both.
                let header = codec::RequestHeader::read(frame).unwrap();
                let asked = table.apis.iter().find(|api| api.key == header.api).unwrap();
                let mut both = setting("acme.", "", asked.key);
                (both.prefixes, both.quiet) = (vec!["acme.", "rival."], false);
                both.tails = vec!["-of-acme", "-of-rival"];
                let known = kind(asked.key, u8::try_from(header.version).unwrap());
                answers.extend(match known {
                    Kind::Apart => STAND_IN_ANSWER.to_vec(),
                    _ => written(turn, asked, u8::try_from(header.version).unwrap(), Side::Response, &both),
                });
            }
            let ended = step.close == Close::Now;
            let step = told(session, &all, &answers);
            delivered += step.out.len();
            assert!(!contains(&step.out, &format!("-of-{other}")), "{}: {}", api.name, step.out.escape_ascii());
            if ended || step.close == Close::Now {
                sessions[who].1 = self::session(tenant);
            }
        }
        println!("{asked_for} requests, {delivered} bytes delivered");
        assert!(asked_for > 10_000 && delivered > 100_000);
    }
}
