//! Frames that go on before they are there as a whole come out as they would have then, wherever they are cut; what cannot
//! be understood goes no further than its beginning.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod common;

use std::rc::Rc;

use common::clusters::{plain, tenant};
use common::read::Api;
use common::talk::{Talk, bytes, request, response, text};
use common::world::{All, Prefix};
use common::{Random, Setting, Side, Writer, table};
use partywall_event_scope::kafka::codec::Problem;
use partywall_event_scope::kafka::session::{Action, Close, Decision, Options, Session, Step, Trouble};
use partywall_event_scope::scope::Cluster;

/// The length with which a frame begins.
const LENGTH: usize = 4;

fn session(large: usize) -> Session {
    let mut session = Session::new(Options { large, ..Options::default() });
    session.identify("acme".into());
    session
}

/// `acme` and `rival`, in the worlds of the tests and in those that a bundle says.
fn both() -> [All; 2] {
    let cluster = Cluster::new(&plain(), Rc::default()).unwrap();
    let scopes = ["acme", "rival"].map(|id| cluster.scope(&tenant(id)).unwrap());
    let known = |mut all: All| {
        all.ids.fixed = true;
        all.ids.names.borrow_mut().extend((0..20).map(|n: u8| ([n + 1; 16], format!("acme.topic-{n}").into_bytes())));
        all
    };
    [All::of([Prefix::of("acme"), Prefix::of("rival")]), All::of(scopes)].map(known)
}

fn written(seed: u64, api: &Api, version: u8, side: Side, prefix: &'static str, client: &str) -> Vec<u8> {
    let setting = Setting {
        numbers: vec![("ReplicaId", -1), ("Acks", 1), ("SessionId", 0), ("SessionEpoch", -1)],
        empty: Vec::new(),
        prefixes: vec![prefix],
        tails: Vec::new(),
        ids: (0..20).map(|n| [n + 1; 16]).collect(),
        client: client.to_owned(),
        ranged: None,
        quiet: true,
    };
    let mut writer = Writer::new(seed, api, version, side);
    writer.setting = Some(&setting);
    let frame = writer.frame(api, side).0;
    [i32::try_from(frame.len()).unwrap().to_be_bytes().as_slice(), &frame].concat()
}

/// What comes of these bytes in two pieces, the step of each.
fn in_two(all: &All, way: Side, session: &mut Session, bytes: &[u8], cut: usize) -> [Step; 2] {
    let (first, second) = bytes.split_at(cut);
    [first, second].map(|piece| {
        let mut step = Step::default();
        match way {
            Side::Request => session.from_client(piece, &all.peers(), &mut step),
            Side::Response => session.from_broker(piece, &all.peers(), &mut step),
        }
        step
    })
}

/// A session that takes what comes this way, and has asked if it is a response.
fn ready(all: &All, way: Side, large: usize, asked: &[u8]) -> Session {
    let mut session = session(large);
    if way == Side::Response {
        let mut step = Step::default();
        session.from_client(asked, &all.peers(), &mut step);
        assert_eq!((step.trouble, session.outstanding()), (None, 1));
    }
    session
}

/// Every version of Produce, and of what Fetch is answered with.
fn each(mut test: impl FnMut(&All, Side, &[u8], Vec<u8>, &str)) {
    let table = table();
    for all in both() {
        for (key, way) in [(0, Side::Request), (1, Side::Response)] {
            let api = table.apis.iter().find(|api| api.key == key).unwrap();
            for version in api.versions.0..=api.versions.1 {
                for seed in 0..12 {
                    let asked = written(seed, api, version, Side::Request, "", "app");
                    let frame = match way {
                        Side::Request => asked.clone(),
                        Side::Response => written(seed, api, version, way, "acme.", ""),
                    };
                    test(&all, way, &asked, frame, &format!("{} {version}, seed {seed}", api.name));
                }
            }
        }
    }
}

#[test]
fn a_frame_comes_out_the_same_wherever_it_is_cut() {
    let (mut frames, mut begun, mut early) = (0, 0, 0);
    each(|all, way, asked, frame, name| {
        let [_, whole] = in_two(all, way, &mut ready(all, way, usize::MAX, asked), &frame, 0);
        assert_eq!(whole.trouble, None, "{name}");
        frames += 1;
        let before = early;
        for cut in LENGTH..frame.len() {
            let mut session = ready(all, way, 1, asked);
            let [first, second] = in_two(all, way, &mut session, &frame, cut);
            assert_eq!((first.trouble, second.trouble), (None, None), "{name}, cut at {cut}");
            assert!([&*first.out, &second.out].concat() == whole.out, "{name}, cut at {cut}: other bytes");
            let decided = first.decisions.len() + second.decisions.len();
            assert_eq!((decided, first.fetched | second.fetched), (whole.decisions.len(), whole.fetched), "{name}");
            assert_eq!(session.outstanding(), usize::from(way == Side::Request), "{name}");
            early += usize::from(!first.out.is_empty());
        }
        begun += usize::from(early > before);
    });
    println!("{begun} of {frames} frames went on before they were there, at {early} places");
    assert!(begun * 6 > frames && early > 5000, "{begun} of {frames}, {early}");
}

#[test]
fn damage_goes_no_further_than_the_beginning() {
    let mut random = Random(5);
    let (mut passed, mut ended) = (0, 0);
    each(|all, way, asked, mut frame, name| {
        for _ in 0..30 {
            let at = LENGTH + random.below(frame.len() - LENGTH);
            frame[at] ^= 1 << random.below(8);
            let [_, whole] = in_two(all, way, &mut ready(all, way, usize::MAX, asked), &frame, 0);
            let cut = LENGTH + random.below(frame.len() - LENGTH);
            let [first, second] = in_two(all, way, &mut ready(all, way, 1, asked), &frame, cut);
            let out = [&*first.out, &second.out].concat();
            let trouble = first.trouble.or(second.trouble);
            match (trouble, whole.trouble) {
                (None, None) => assert!(out == whole.out, "{name}, cut at {cut}: other bytes"),
                // Nobody looked at the tags that came behind the records, and they had been cut out else.
                (Some(Trouble::Walk(error)), None) => assert_eq!(error.problem, Problem::Tags, "{name}"),
                (None, Some(trouble)) => panic!("{name}, cut at {cut}: it goes on in spite of {trouble}"),
                (Some(_), _) => {}
            }
            if trouble.is_some() {
                let length = out.first_chunk().map_or(0, |length| i32::from_be_bytes(*length) as usize);
                assert!(out.is_empty() || out.len() < LENGTH + length, "{name}: a frame goes on as a whole");
                ended += 1;
            } else {
                passed += 1;
            }
            frame[at] ^= 1 << random.below(8);
        }
    });
    println!("{passed} damaged frames passed, {ended} ended their connection");
    assert!(passed > 2000 && ended > 2000, "{passed}, {ended}");
}

/// Produce in version 3, with records of 100 bytes for each topic.
fn produce_to(acks: i16, topics: &[&str]) -> Vec<u8> {
    let mut body = [[0xff, 0xff], acks.to_be_bytes()].concat();
    body.extend([0, 0, 0, 9, 0, 0, 0, topics.len() as u8]);
    for topic in topics {
        body.extend(text(topic));
        body.extend([0, 0, 0, 1, 0, 0, 0, 5]);
        body.extend(bytes(&[b'r'; 100]));
    }
    request(0, 3, &body)
}

fn produce(acks: i16, topic: &str) -> Vec<u8> {
    produce_to(acks, &[topic])
}

fn talk() -> Talk {
    let mut talk = Talk::acme();
    talk.session = session(1);
    talk.all.policy.denied.push(("secret", Some(Action::Produce)));
    talk
}

#[test]
fn long_runs_of_what_was_read_are_not_copied() {
    let frame = |topic: &str, size: usize| {
        let mut body = [[0xff, 0xff], [0, 1]].concat();
        body.extend([0, 0, 0, 9, 0, 0, 0, 1]);
        body.extend(text(topic));
        body.extend([0, 0, 0, 1, 0, 0, 0, 5]);
        body.extend(bytes(&vec![b'r'; size]));
        request(0, 3, &body)
    };
    let sizes = [("orders", 100), ("orders", 10_000), ("secret", 10_000), ("orders", 5_000), ("orders", 3)];
    let asked = sizes.map(|(topic, size)| frame(topic, size)).concat();
    let whole = talk().ask(&asked);
    for cut in (0..asked.len()).step_by(97) {
        let mut talk = talk();
        let (mut sent, mut kept) = (Vec::<u8>::new(), 0);
        for piece in [&asked[..cut], &asked[cut..]] {
            let mut step = Step::over(piece);
            talk.session.from_client(piece, &talk.all.peers(), &mut step);
            assert_eq!(step.trouble, None);
            step.each_run(piece, |run| sent.extend_from_slice(run));
            kept += step.kept.len();
        }
        assert!(sent == whole.out, "cut at {cut}: other bytes");
        assert!(kept >= 1, "cut at {cut}");
    }
}

/// What comes of bytes of which so many are read at a time where more stand behind them, and of records none that need not be:
/// what goes on, what was decided, and how many were not read.
fn in_part(talk: &mut Talk, bytes: &[u8], begin: usize) -> (Vec<u8>, Vec<Decision>, usize) {
    let (mut sent, mut decided, mut unread) = (Vec::new(), Vec::new(), 0);
    let (mut at, mut all) = (0, false);
    while at < bytes.len() {
        let unseen = talk.session.rest_from_client().unseen().min(bytes.len() - at);
        talk.session.pass_from_client(unseen);
        sent.extend_from_slice(&bytes[at..at + unseen]);
        (at, unread) = (at + unseen, unread + unseen);
        let left = bytes.len() - at;
        let piece =
            &bytes[at..at + if all || talk.session.holds_nothing() != [true; 2] { left } else { begin.min(left) }];
        let mut step = Step::over(piece);
        step.behind = left - piece.len();
        talk.session.from_client(piece, &talk.all.peers(), &mut step);
        assert_eq!(step.trouble, None);
        assert!(step.left == 0 || step.behind > 0, "all that there is is taken");
        let taken = &piece[..piece.len() - step.left];
        step.each_run(taken, |run| sent.extend_from_slice(run));
        decided.append(&mut step.decisions);
        (at, all) = (at + taken.len(), step.left > 0);
    }
    (sent, decided, unread)
}

#[test]
fn what_stands_behind_need_not_be_read() {
    let topics = ["orders", "secret", "orders", "orders", "a b", "orders"];
    let asked = topics.map(|topic| produce(1, topic)).concat();
    for traces in [false, true] {
        let talk = || {
            let mut talk = talk();
            talk.session = Session::new(Options { large: 1, traces, ..Options::default() });
            talk.session.identify("acme".into());
            talk
        };
        let whole = talk().ask(&asked);
        let mut most = 0;
        for begin in 1..asked.len() {
            let (sent, decided, unread) = in_part(&mut talk(), &asked, begin);
            assert!(sent == whole.out, "{begin} at a time: other bytes");
            assert_eq!(decided, whole.decisions, "{begin} at a time");
            most = most.max(unread);
        }
        // What records say of their trace is looked for in them.
        assert!(if traces { most == 0 } else { most > 150 }, "{most} bytes were not read");
    }
}

#[test]
fn what_is_denied_is_waited_for() {
    for (acks, topic) in [(1, "secret"), (0, "secret"), (1, "a b")] {
        let frame = produce(acks, topic);
        let mut talk = talk();
        assert!(talk.ask(&frame[..60]).out.is_empty(), "{topic}");
        let step = talk.ask(&frame[60..]);
        assert_eq!((step.out.len(), step.decisions.len()), (if acks == 0 { 0 } else { 14 }, 1), "{topic}");
        assert!(talk.ask(&produce(acks, "orders")[..60]).out.ends_with(b"rrr"));
    }
    // Also where it came as a whole, and what is let comes behind it.
    let frame = produce_to(1, &["secret", "orders"]);
    assert!(talk().ask(&frame[..frame.len() - 9]).out.is_empty());
    let frame = produce_to(1, &["orders", "orders"]);
    assert!(talk().ask(&frame[..frame.len() - 9]).out.ends_with(b"rrr"));
}

#[test]
fn what_goes_on_is_outstanding_until_it_is_there() {
    let frame = produce(0, "orders");
    let mut talk = talk();
    assert!(!talk.ask(&frame[..60]).out.is_empty());
    assert_eq!(talk.session.outstanding(), 1, "so that who is suspended meanwhile does not send the rest");
    let missing = frame.len() - 60;
    assert_eq!(talk.session.rest_from_client().unseen(), missing);
    talk.session.pass_from_client(missing - 1);
    assert_eq!(talk.session.outstanding(), 1);
    assert_eq!(talk.ask(&[b"r", &*produce(1, "secret")].concat()).out[0], b'r');
    assert_eq!(talk.session.outstanding(), 1, "the one that is denied");
}

#[test]
fn an_answer_to_another_request_does_not_begin() {
    let mut talk = talk();
    talk.ask(&produce(1, "orders"));
    let told = response(&[0; 60]);
    assert!(talk.tell(&told[..40]).out.is_empty(), "only records are passed so");
    let step = talk.tell(&told[40..]);
    assert_eq!(step.close, Close::Now);
}

#[test]
fn a_large_frame_is_not_held() {
    let mut talk = Talk::acme();
    let mut body = [[0xff, 0xff], [0, 1]].concat();
    body.extend([0, 0, 0, 9, 0, 0, 0, 1]);
    body.extend(text("orders"));
    body.extend([0, 0, 0, 1, 0, 0, 0, 5]);
    body.extend(bytes(&vec![b'r'; 10 << 20]));
    let (mut sent, mut held) = (0, 0);
    for piece in request(0, 3, &body).chunks(16 << 10) {
        let passed = talk.session.rest_from_client().unseen().min(piece.len());
        talk.session.pass_from_client(passed);
        sent += passed + talk.ask(&piece[passed..]).out.len();
        held = held.max(talk.session.held());
    }
    // `acme.` twice.
    assert_eq!((sent, talk.session.outstanding()), (body.len() + 17 + 10, 1));
    assert!(held < 64 << 10, "{held} bytes are held");
}
