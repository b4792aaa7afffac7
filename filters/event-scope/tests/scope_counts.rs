//! How many topics a tenant may have: counted by what a broker lists, asked for before what makes more.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use common::clusters::{plain, tenant};
use common::talk::*;
use common::world::All;
use partywall_event_scope::kafka::session::{Close, Options, Session};
use partywall_event_scope::scope::{Cluster, Counts, Kept};

/// Metadata of all topics in version 12.
const QUESTION: [u8; 19] = [0, 0, 0, 15, 0, 3, 0, 12, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0, 0];

fn talk() -> Talk {
    talk_of(Counts::default())
}

fn talk_of(counts: Counts) -> Talk {
    let mut events = plain();
    (events.new_topics.allowed, events.new_topics.count) = (true, Some(3));
    let cluster = Cluster::new(&events, Rc::new(counts)).unwrap();
    let mut session = Session::new(Options::default());
    session.identify("acme".into());
    Talk { all: All::of([cluster.scope(&tenant("acme")).unwrap()]), session }
}

/// CreateTopics in version 2.
fn create(topics: &[&str]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, u8::try_from(topics.len()).unwrap()];
    for topic in topics {
        body.extend(text(topic));
        // One partition, one replica; neither places nor configurations.
        body.extend([0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    body.extend([0, 0, 0x27, 0x10, 0]);
    request(19, 2, &body)
}

fn created(topics: &[(&str, i16)]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, u8::try_from(topics.len()).unwrap()];
    for (topic, error) in topics {
        body.extend([text(topic), error.to_be_bytes().to_vec(), vec![0xff, 0xff]].concat());
    }
    response(&body)
}

fn listed(topics: &[&str]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, u8::try_from(topics.len() + 1).unwrap()];
    for topic in topics {
        body.extend([vec![0, 0], compact(topic), vec![1; 16], vec![0, 1, 0x80, 0, 0, 0, 0]].concat());
    }
    body.push(0);
    response(&body)
}

/// Without length, correlation and client id.
fn is_asked_first(out: &[u8], create: &[u8]) -> bool {
    out == [&QUESTION[..], create].concat()
}

#[test]
fn topics_are_counted_before_more_are_made() {
    let mut talk = talk();
    // How many there are nobody knows yet, as when a proxy was started anew.
    let step = talk.ask(&create(&["a", "b", "c", "d"]));
    assert!(is_asked_first(&step.out, &STAND_IN), "{}", step.out.escape_ascii());
    talk.tell(&listed(&["acme.old", "rival.a"]));
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, created(&[("a", 41), ("b", 41), ("c", 41), ("d", 41)]));
    let step = talk.ask(&create(&["a", "b"]));
    assert!(is_asked_first(&step.out, &as_acme(&create(&["acme.a", "acme.b"]))), "{}", step.out.escape_ascii());
    // There was one already, which nobody made through this proxy; others' are not its own.
    let step = talk.tell(&listed(&["acme.old", "rival.a", "rival.b", "acme-2.c", "__consumer_offsets"]));
    assert_eq!((step.close, step.out.len()), (Close::No, 0), "the client did not ask");
    let step = talk.tell(&created(&[("acme.a", 0), ("acme.b", 0)]));
    assert_eq!(step.out, created(&[("a", 0), ("b", 0)]));
    // Three by now.
    let step = talk.ask(&create(&["c"]));
    assert!(is_asked_first(&step.out, &STAND_IN));
    // One of them is gone since.
    talk.tell(&listed(&["acme.old", "acme.a", "rival.a", "acme-2.c", "rival.b"]));
    assert_eq!(talk.tell(&STAND_IN_ANSWER).out, created(&[("c", 44)]));
    let step = talk.ask(&create(&["c", "d"]));
    assert!(is_asked_first(&step.out, &as_acme(&create(&["acme.c"]))));
    talk.tell(&listed(&["acme.old", "acme.a"]));
    assert_eq!(talk.tell(&created(&[("acme.c", 0)])).out, created(&[("c", 0), ("d", 44)]));
    assert_eq!(talk.session.outstanding(), 0);
}

/// What workers keep together; every other time somebody else wrote meanwhile.
#[derive(Clone, Default)]
struct Memory {
    kept: Rc<RefCell<HashMap<String, [u64; 3]>>>,
    again: Rc<Cell<bool>>,
}

impl Kept for Memory {
    fn update(&self, prefix: &str, change: &mut dyn FnMut(Option<[u64; 3]>) -> Option<[u64; 3]>) {
        let mut kept = self.kept.borrow_mut();
        self.again.set(!self.again.get());
        if self.again.get() {
            change(kept.get(prefix).copied());
        }
        if let Some(count) = change(kept.get(prefix).copied()) {
            kept.insert(prefix.to_owned(), count);
        }
    }
}

#[test]
fn workers_count_together() {
    let memory = Memory::default();
    let worker = || talk_of(Counts::kept(Box::new(memory.clone())));
    let (mut one, mut other) = (worker(), worker());
    one.ask(&create(&["a"]));
    one.tell(&listed(&["acme.old"]));
    one.tell(&STAND_IN_ANSWER);
    let step = one.ask(&create(&["a"]));
    assert!(is_asked_first(&step.out, &as_acme(&create(&["acme.a"]))), "two by now");
    // What one was told the other knows, and that there is room for one more.
    let step = other.ask(&create(&["b", "c"]));
    assert!(is_asked_first(&step.out, &as_acme(&create(&["acme.b"]))), "{}", step.out.escape_ascii());
    let step = one.ask(&create(&["d"]));
    assert!(is_asked_first(&step.out, &STAND_IN));
    // Asked before the others were made: those count besides.
    one.tell(&listed(&["acme.old"]));
    one.tell(&created(&[("acme.a", 0)]));
    assert!(is_asked_first(&other.ask(&create(&["e"])).out, &STAND_IN));
    // A worker that comes later begins with what is known.
    assert!(is_asked_first(&worker().ask(&create(&["f"])).out, &STAND_IN));
}

#[test]
fn what_a_broker_lists_is_understood_or_ends_the_connection() {
    let mut talk = talk();
    talk.ask(&create(&["a"]));
    assert_eq!(talk.tell(&response(&[1, 2, 3])).close, Close::Now);
}

#[test]
fn where_nothing_is_counted_nothing_is_asked() {
    let mut events = plain();
    events.new_topics.allowed = true;
    let scope = Cluster::new(&events, Rc::default()).unwrap().scope(&tenant("acme")).unwrap();
    let mut talk = Talk { all: All::of([scope]), ..talk() };
    assert_eq!(talk.ask(&create(&["a"])).out, as_acme(&create(&["acme.a"])));
}
