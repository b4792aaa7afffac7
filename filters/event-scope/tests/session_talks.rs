//! Conversations through a session: what is outstanding, fetch sessions, topic ids, and how it ends.

mod common;

use common::talk::*;
use partywall_event_scope::kafka::session::{Action, Close, Decision, Options, Session, Step, Trouble};

/// Fetch in version 7 of one topic.
fn fetch(session: i32, epoch: i32, topic: Option<&str>) -> Vec<u8> {
    let mut body = [[0xff; 4], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]].concat();
    body.push(0);
    body.extend(session.to_be_bytes());
    body.extend(epoch.to_be_bytes());
    body.extend([0, 0, 0, u8::from(topic.is_some())]);
    if let Some(topic) = topic {
        body.extend(text(topic));
        body.extend([0, 0, 0, 1, 0, 0, 0, 5]);
        body.extend([0; 20]);
    }
    body.extend([0; 4]);
    request(1, 7, &body)
}

/// The response without topics, or with an error.
fn fetched(error: i16, session: i32) -> Vec<u8> {
    response(&[&[0; 4], &error.to_be_bytes()[..], &session.to_be_bytes(), &[0; 4]].concat())
}

#[test]
fn a_fetch_session_is_of_the_connection_that_got_it() {
    let mut talk = Talk::acme();
    let step = talk.ask(&fetch(99, 3, None));
    assert_eq!(step.out, STAND_IN);
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, fetched(70, 0), "not found, as it would be with another broker");
    // A client that was connected before says which session it had: that is left out.
    let step = talk.ask(&fetch(99, 0, Some("orders")));
    assert_eq!(step.out, as_acme(&fetch(0, 0, Some("acme.orders"))));
    talk.tell(&fetched(0, 42));
    let step = talk.exchange(&fetch(42, 1, None), &fetched(0, 42));
    assert_eq!(step.out, fetched(0, 42));
    // Another bundle: what is in the session was not decided by it.
    talk.session.stale();
    assert_eq!(talk.ask(&fetch(42, 2, None)).out, STAND_IN);
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, fetched(70, 0));
    // Nor is what was asked for before, and answered after.
    talk.ask(&fetch(0, 0, Some("orders")));
    talk.session.stale();
    talk.tell(&fetched(0, 43));
    assert_eq!(talk.ask(&fetch(43, 1, None)).out, STAND_IN);
}

#[test]
fn a_fetch_session_that_is_over_is_nobodys() {
    let mut talk = Talk::acme();
    // The broker does not know it any more, or ends it as it is told to: it may be another connection's by now.
    let ends = [(fetch(42, 1, None), fetched(70, 0)), (fetch(42, 0, Some("orders")), fetched(0, 43))];
    for (ends, answer) in ends {
        talk.exchange(&fetch(0, 0, Some("orders")), &fetched(0, 42));
        talk.exchange(&ends, &answer);
        assert_eq!(talk.ask(&fetch(42, 2, None)).out, STAND_IN);
        talk.tell(&STAND_IN_ANSWER);
    }
}

#[test]
fn versions_that_are_not_spoken_are_asked_for_again() {
    let told = |last: u8| response(&[0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, last]);
    let mut talk = Talk::nobody();
    let step = talk.ask(&request(18, 99, b"whatever that is"));
    assert_eq!(step.out, STAND_IN);
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, told(5));
    // A broker that does not speak the client's version says which it does, in whatever form.
    let asked = request(18, 3, &[&[0][..], &compact("c"), &compact("1"), &[0]].concat());
    for (said, last) in [
        (response(&[0, 35, 0, 0, 0, 2, 0, 3, 0, 0, 0, 9, 0, 18, 0, 0, 0, 2]), 2),
        (response(&[0, 35, 0, 0, 0, 0]), 0),
        (response(&[0, 35, 2, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0]), 0),
    ] {
        assert_eq!(talk.exchange(&asked, &said).out, told(last));
    }
}

#[test]
fn a_replica_fetches_nothing() {
    let mut talk = Talk::acme();
    let mut replica = fetch(0, -1, Some("orders"));
    replica[17..21].copy_from_slice(&[0, 0, 0, 1]);
    assert_eq!(talk.ask(&replica).out, STAND_IN);
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, fetched(31, 0));
}

/// Produce in version 3 to one topic.
fn produce(acks: i16, topic: &str) -> Vec<u8> {
    let mut body = [[0xff, 0xff], acks.to_be_bytes()].concat();
    body.extend([0, 0, 0, 9, 0, 0, 0, 1]);
    body.extend(text(topic));
    body.extend([0, 0, 0, 1, 0, 0, 0, 5]);
    body.extend(bytes(b"records"));
    request(0, 3, &body)
}

#[test]
fn what_nobody_waits_for_is_dropped_where_it_is_denied() {
    let mut talk = Talk::acme();
    talk.all.policy.denied.push(("secret", Some(Action::Produce)));
    let step = talk.ask(&[produce(0, "secret"), produce(0, "orders"), produce(0, "shared")].concat());
    assert_eq!(step.close, Close::No);
    assert_eq!(talk.session.outstanding(), 0);
    let frames = step.out.windows(11).filter(|window| *window == b"acme.orders").count();
    assert_eq!((frames, step.out.windows(6).any(|window| window == b"secret")), (1, false));
    assert_eq!(step.decisions.iter().map(|decision| decision.code).collect::<Vec<_>>(), [29, 0, 29]);
    let step = talk.ask(&produce(1, "secret"));
    assert_eq!(step.out, STAND_IN);
    assert_eq!(step.decisions[0].reason.as_deref(), Some("the test says so"));
}

/// A batch of one record with no key, no value and this header.
fn traced(trace: &str) -> Vec<u8> {
    let header = [&[1, 22][..], b"traceparent", &[trace.len() as u8 * 2], trace.as_bytes()].concat();
    let record = [&[0, 0, 0, 1, 1, 2][..], &header[1..]].concat();
    let mut batch = vec![0; 61];
    (batch[16], batch[60]) = (2, 1);
    batch.push(record.len() as u8 * 2);
    batch.extend(record);
    batch
}

#[test]
fn of_what_trace_denied_records_are_is_told() {
    let frame = |topics: &[(&str, &str)]| {
        let mut body = [[0xff, 0xff], [0, 1]].concat();
        body.extend([0, 0, 0, 9, 0, 0, 0, topics.len() as u8]);
        for (topic, trace) in topics {
            body.extend(text(topic));
            body.extend([0, 0, 0, 1, 0, 0, 0, 5]);
            body.extend(bytes(&traced(trace)));
        }
        request(0, 3, &body)
    };
    let traces = |talk: &mut Talk, topics: &[(&str, &str)]| {
        let step = talk.ask(&frame(topics));
        let trace = |trace: Box<[u8]>| String::from_utf8(trace.into()).unwrap();
        step.decisions.into_iter().map(|decision| decision.trace.map(trace)).collect::<Vec<_>>()
    };
    let mut talk = Talk::acme();
    talk.all.policy.denied.push(("secret", Some(Action::Produce)));
    assert_eq!(traces(&mut talk, &[("orders", "00-a")]), [None], "nobody tells of it");
    let both = [("orders", "00-a"), ("secret", "00-b")];
    assert_eq!(traces(&mut talk, &both), [Some("00-a".into()), Some("00-b".into())]);
    assert_eq!(traces(&mut talk, &[("shared", "00-c")]), [Some("00-c".into())]);
    talk.session = Session::new(Options { traces: true, ..Options::default() });
    talk.session.identify("acme".into());
    assert_eq!(traces(&mut talk, &[("orders", "00-a")]), [Some("00-a".into())]);
    assert_eq!(traces(&mut talk, &[("orders", &"0".repeat(40))]), [Some("0".repeat(40))]);
}

#[test]
fn a_stream_means_the_same_in_pieces_of_any_size() {
    let talk = || {
        let mut talk = Talk::acme();
        talk.all.policy.denied.push(("secret", Some(Action::Produce)));
        talk
    };
    let asked = ["orders", "secret", "orders", "a b", "orders"].map(|topic| produce(1, topic)).concat();
    let whole = talk().ask(&asked);
    assert_eq!(whole.decisions.len(), 5);
    for size in 1..asked.len() {
        let mut talk = talk();
        let (mut out, mut decided) = (Vec::new(), 0);
        for piece in asked.chunks(size) {
            let step = talk.ask(piece);
            assert_eq!((step.trouble, step.close), (None, Close::No), "in pieces of {size}");
            out.extend(step.out);
            decided += step.decisions.len();
        }
        assert_eq!((out == whole.out, decided, talk.session.outstanding()), (true, 5, 5), "in pieces of {size}");
    }
}

#[test]
fn what_is_decided_is_told() {
    let mut talk = Talk::acme();
    talk.all.policy.denied.push(("secret", Some(Action::Produce)));
    let told = |step: &Step| {
        let told = |of: &Decision| (of.action.name(), String::from_utf8_lossy(&of.name).into_owned(), of.code);
        step.decisions.iter().map(told).collect::<Vec<_>>()
    };
    let one = |action, name: &str, code| vec![(action, name.to_owned(), code)];
    assert_eq!(told(&talk.ask(&produce(1, "orders"))), one("events:produce", "acme.orders", 0));
    assert_eq!(told(&talk.ask(&produce(1, "secret"))), one("events:produce", "acme.secret", 29));
    let made = [&[0, 0, 0, 1], &*text("orders"), &13_i32.to_be_bytes(), &1_i16.to_be_bytes(), &[0; 13]].concat();
    let step = talk.ask(&request(19, 2, &made));
    assert_eq!(told(&step), one("events:create", "acme.orders", 44), "the policy lets it, and bounds do not");
    assert!(step.decisions[0].asked);
    assert_eq!(told(&talk.ask(&produce(1, "a b"))), one("events:produce", "a b", 17));
    let groups = request(15, 0, &[vec![0, 0, 0, 2], text("g"), text("forbidden")].concat());
    assert_eq!(told(&talk.ask(&groups)), one("events:consume", "forbidden", 30));
    let acls = request(29, 1, &[&[2, 0xff, 0xff, 3][..], &[0xff; 4], &[2, 1]].concat());
    assert_eq!(told(&talk.ask(&acls)), one("events:alter", "", 31));
    assert_eq!(told(&talk.ask(&heartbeat())), []);
}

#[test]
fn responses_come_in_order_or_not_at_all() {
    let mut talk = Talk::acme();
    assert_eq!(talk.tell(&response(&[0, 0])).trouble, Some(Trouble::OutOfOrder), "nothing was asked");
    assert_eq!(talk.ask(&heartbeat()).close, Close::Now, "and nothing is any more");
    let mut talk = Talk::acme();
    talk.ask(&heartbeat());
    let step = talk.tell(&framed(&[&[0, 0, 0, 8, 0, 0]]));
    assert_eq!((step.out.len(), step.trouble), (0, Some(Trouble::OutOfOrder)));
}

#[test]
fn what_stands_behind_a_request_goes_no_further() {
    // As librdkafka asks for all topics: null, and three bytes more.
    let asked = request(3, 13, &[0, 0, 0, 0, 0, 1, 0, 0]);
    let step = Talk::acme().ask(&asked);
    assert_eq!((step.close, step.out), (Close::No, as_acme(&request(3, 13, &[0, 0, 0, 0, 0]))));
}

#[test]
fn a_flood_ends_itself() {
    let mut talk = Talk::acme();
    let step = talk.ask(&heartbeat().repeat(1000));
    assert_eq!((step.close, talk.session.outstanding()), (Close::No, 1000));
    let step = talk.ask(&heartbeat());
    assert_eq!((step.close, step.trouble), (Close::Now, Some(Trouble::TooMany)));
    assert!(talk.session.held() < 1 << 20, "{}", talk.session.held());
    // Answers to what is denied are held until the broker has said something.
    let mut talk = Talk::acme();
    talk.all.policy.denied.push(("", None));
    let mut names = Vec::new();
    for n in 0..5000 {
        names.extend(text(&format!("t{n}")));
        names.extend([0; 4]);
    }
    let lists = request(2, 1, &[&[0xff; 4], &[0, 0, 0x13, 0x88], names.as_slice()].concat());
    let mut ended = None;
    for _ in 0..200 {
        ended = talk.ask(&lists).trouble;
        assert!(talk.session.held() < 16 << 20);
        if ended.is_some() {
            break;
        }
    }
    assert_eq!(ended, Some(Trouble::TooMany));
}

#[test]
fn a_request_may_name_so_many_topics() {
    // OffsetDelete of topics, DescribeGroups that are all denied, and ids that a member has.
    let topics = |count: i32| {
        let mut body = [text("g"), count.to_be_bytes().to_vec()].concat();
        for _ in 0..count {
            body.extend([text("t"), vec![0; 4]].concat());
        }
        request(47, 0, &body)
    };
    let groups =
        |count: i32| request(15, 0, &[count.to_be_bytes().to_vec(), text("forbidden").repeat(count as usize)].concat());
    let ids = |count: i32| {
        let head = [&[0][..], &compact("g"), &compact("m"), &[0; 4], &[0, 0], &[0; 4], &[0, 0]].concat();
        let ids = [[9; 16].as_slice(), &[1, 0]].concat().repeat(count as usize);
        let count = count + 1;
        let count = [(count & 0x7f) as u8 | 0x80, (count >> 7 & 0x7f) as u8 | 0x80, (count >> 14) as u8];
        request(68, 0, &[head, count.to_vec(), ids, vec![0]].concat())
    };
    let kinds: [&dyn Fn(i32) -> Vec<u8>; 3] = [&topics, &groups, &ids];
    for (n, kind) in kinds.into_iter().enumerate() {
        let step = Talk::acme().ask(&kind(10_000));
        assert_eq!((step.close, step.trouble), (Close::No, None), "{n}");
        assert!(matches!(Talk::acme().ask(&kind(10_002)).trouble, Some(Trouble::Walk(_))), "{n}");
    }
}

/// Metadata in version 12 by one id.
fn by_id(id: u8) -> Vec<u8> {
    request(3, 12, &[&[0, 2][..], &[id; 16], &[0, 0, 0, 0, 0]].concat())
}

/// Metadata in version 12: one broker, and a topic of that id.
fn described(id: u8, error: i16, topic: Option<&str>) -> Vec<u8> {
    let name = topic.map_or(vec![0], compact);
    let head =
        [&[0, 0, 0, 0, 0, 2][..], &[0, 0, 0, 1], &compact("b"), &[0, 0, 0x23, 0x84, 0, 0], &compact("k"), &[0; 4]];
    let topic = [&[2][..], &error.to_be_bytes(), &name, &[id; 16], &[0, 1, 0x80, 0, 0, 0, 0]];
    response(&[head.concat(), topic.concat(), vec![0]].concat())
}

#[test]
fn an_id_that_nobody_knows_is_looked_up_and_answered_as_unknown() {
    let mut talk = Talk::acme();
    let question = framed(&[&[0, 3, 0, 12, 0, 0, 0, 7, 0xff, 0xff, 0, 2], &[5; 16], &[0, 0, 0, 0, 0]]);
    // Metadata tells of brokers as well, so that the rest of it is asked.
    let step = talk.ask(&by_id(5));
    assert!(step.out.ends_with(&question), "{}", step.out.escape_ascii());
    assert_eq!(talk.session.outstanding(), 2);
    let none = framed(&[&[0, 0, 0, 7], &[0, 0, 0, 0, 0, 1], &compact("k"), &[0, 0, 0, 0, 1, 0]]);
    let step = talk.tell(&[none, described(5, 0, Some("acme.orders"))].concat());
    assert_eq!(step.close, Close::No, "{:?}", step.trouble);
    assert_eq!(i16::from_be_bytes([step.out[21], step.out[22]]), 100, "{}", step.out.escape_ascii());
    assert!(!step.out.windows(6).any(|window| window == b"orders"));
    // It is known now.
    let step = talk.exchange(&by_id(5), &described(5, 0, Some("acme.orders")));
    assert!(step.out.windows(8).any(|window| window == [compact("orders"), vec![5]].concat()));

    // Of another tenant and of none it is the same, but for what was asked of the broker.
    let mut answers = Vec::new();
    for name in [Some("rival.orders"), None] {
        let mut talk = Talk::acme();
        let mut told = Vec::new();
        for _ in 0..3 {
            let step = talk.ask(&by_id(6));
            let asked = talk.session.outstanding();
            let none = framed(&[&[0, 0, 0, 7], &[0, 0, 0, 0, 0, 1], &compact("k"), &[0, 0, 0, 0, 1, 0]]);
            let learned = described(6, if name.is_some() { 0 } else { 100 }, name);
            let all = if asked == 2 { [none, learned].concat() } else { none };
            assert_eq!(step.close, Close::No);
            told.push(talk.tell(&all).out);
        }
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1]);
}

/// Fetch in version 13 of one id.
fn fetch_id(session: i32, epoch: i32, id: u8) -> Vec<u8> {
    let mut body = vec![0];
    body.extend([[0xff; 4], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]].concat());
    body.push(0);
    body.extend(session.to_be_bytes());
    body.extend(epoch.to_be_bytes());
    body.push(2);
    body.extend([id; 16]);
    body.extend([2, 0, 0, 0, 5]);
    body.extend([0; 4 + 8 + 4 + 8 + 4 + 1 + 1]);
    // Nothing to forget, no rack, no tags.
    body.extend([1, 1, 0]);
    request(1, 13, &body)
}

/// The response of version 13, without topics.
fn fetched_by_id(session: i32) -> Vec<u8> {
    response(&[&[0; 7], &session.to_be_bytes()[..], &[1, 0]].concat())
}

#[test]
fn a_fetch_that_names_an_unknown_id_says_all_of_it_again() {
    let mut talk = Talk::acme();
    let step = talk.ask(&fetch_id(0, 0, 5));
    assert_eq!(step.close, Close::No, "{:?}", step.trouble);
    assert_eq!(step.out[..6], [0, 0, 0, 33, 0, 3], "Metadata instead");
    let step = talk.tell(&described(5, 0, Some("acme.orders")));
    assert_eq!(i16::from_be_bytes([step.out[13], step.out[14]]), 100, "{}", step.out.escape_ascii());
    // The client asks for all of it again, and it is known.
    assert_eq!(talk.ask(&fetch_id(0, 0, 5)).out, as_acme(&fetch_id(0, 0, 5)));
    talk.tell(&fetched_by_id(42));
    // One that no topic has is left out of the session, and not looked up again at once; what is known goes on.
    talk.ask(&fetch_id(0, 0, 6));
    talk.tell(&described(6, 100, None));
    let step = talk.ask(&fetch_id(0, 0, 6));
    assert_eq!(step.out, STAND_IN);
    talk.tell(&STAND_IN_ANSWER);
    // As soon as it is known, the client is made to say it again.
    let incremental = fetch_id(42, 1, 5);
    assert_eq!(talk.ask(&incremental).out, as_acme(&incremental));
    talk.tell(&fetched_by_id(42));
    talk.all.ids.names.borrow_mut().insert([6; 16], b"acme.late".to_vec());
    assert_eq!(talk.ask(&fetch_id(42, 2, 5)).out, STAND_IN);
    let step = talk.tell(&STAND_IN_ANSWER);
    assert_eq!(i16::from_be_bytes([step.out[13], step.out[14]]), 70);
    assert_eq!(talk.ask(&fetch_id(0, 0, 6)).out, as_acme(&fetch_id(0, 0, 6)));
}

#[test]
fn damage_ends_a_connection_and_nothing_else() {
    let frames = [
        fetch(0, 0, Some("orders")),
        produce(1, "orders"),
        by_id(5),
        heartbeat(),
        request(17, 1, &text("PLAIN")),
        fetch_id(0, 0, 5),
    ];
    for frame in &frames {
        for size in 0..frame.len() {
            let step = Talk::acme().ask(&frame[..size]);
            assert!(step.out.is_empty() && step.close == Close::No, "a piece is held");
        }
        for at in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            let mut talk = Talk::acme();
            let step = talk.ask(&damaged);
            assert!(step.close == Close::Now || step.out.len() < 2 * frame.len() + 64);
            let step = talk.tell(&damaged);
            assert!(step.out.len() < 2 * frame.len() + 64);
        }
        // In pieces it is what it is in one.
        let whole = Talk::acme().ask(&frame.repeat(2)).out;
        let mut talk = Talk::acme();
        let pieces: Vec<u8> = frame.repeat(2).iter().flat_map(|byte| talk.ask(&[*byte]).out).collect();
        assert_eq!(pieces, whole);
    }
}
