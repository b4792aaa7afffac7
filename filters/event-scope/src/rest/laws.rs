//! What must hold of every route: JSON made up by the table's shapes, with what becomes of it, however it is cut.

use std::rc::Rc;

use super::table::{Body, Mark, Route, routes};
use super::{Base, Exchange, Head, Options, Peers, Refused, Version};
use crate::kafka::session::{Access, Action, Decide, Kind, Mapped, Ruling, World};
use partywall_json::Shape;

/// acme, whose names begin with it and a dot.
struct Acme;

impl World for Acme {
    fn tenant(&self) -> &str {
        "acme"
    }

    fn inward(&self, _: Kind, name: &[u8], out: &mut Vec<u8>) -> Mapped {
        out.extend([b"acme.", name].concat());
        Mapped::Yes
    }

    fn outward(&self, _: Kind, name: &[u8], out: &mut Vec<u8>) -> bool {
        let own = name.strip_prefix(b"acme.");
        out.extend(own.unwrap_or_default());
        own.is_some()
    }

    fn access(&self, topic: &[u8]) -> Access {
        if topic.starts_with(b"acme.") { Access::Own } else { Access::Foreign }
    }

    fn client(&self, id: Option<&[u8]>, out: &mut Vec<u8>) {
        out.extend(id.unwrap_or_default());
    }

    fn client_outward(&self, id: &[u8], out: &mut Vec<u8>) -> bool {
        out.extend(id);
        true
    }

    fn topic_prefix(&self) -> Option<&str> {
        Some("acme.")
    }

    // Each partition has another number at the broker.
    fn partition_inward(&self, _: &[u8], partition: i32) -> Option<i32> {
        Some(partition + 100)
    }

    fn partition_outward(&self, _: &[u8], partition: i32) -> Option<i32> {
        partition.checked_sub(100).filter(|own| *own >= 0)
    }
}

impl Decide for Acme {
    fn decide(&self, _: &dyn World, _: Action, _: &[u8]) -> Ruling {
        Ruling { allow: true, reason: None::<Rc<str>> }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Makes up JSON: what is given, and what becomes of it.
struct Maker {
    random: Random,
    answers: bool,
    /// Whether names of others stand among those of the tenant.
    hostile: bool,
}

const BASE: &str = "https://rest.shop.example";

impl Maker {
    fn name(&mut self) -> String {
        format!("tok{}", self.random.below(1000))
    }

    fn space(&mut self) -> &'static str {
        ["", "", " ", "\n\t"][usize::try_from(self.random.below(4)).unwrap()]
    }

    fn value(&mut self, shape: &Shape<Mark>) -> (String, String) {
        match shape {
            Shape::Any => same(r#"{"topic":"raw","a":[1.0,null],"a":2}"#),
            Shape::Plain => same(["7", "\"raw\"", "true", "null"][usize::try_from(self.random.below(4)).unwrap()]),
            Shape::Marked(mark) => self.marked(*mark),
            Shape::List(item) => {
                let items: Vec<_> = (0..self.random.below(4)).map(|_| self.value(item)).collect();
                let (given, becomes): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                let comma = format!("{},{}", self.space(), self.space());
                (format!("[{}]", given.join(&comma)), format!("[{}]", becomes.join(",")))
            }
            Shape::Sequence(item) => {
                let items: Vec<_> = (0..1 + self.random.below(3)).map(|_| self.value(item)).collect();
                let (given, becomes): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (given.join(" "), becomes.join("\n"))
            }
            Shape::Object(fields) => {
                let (mut given, mut becomes) = (Vec::new(), Vec::new());
                let first = usize::try_from(self.random.below(fields.len() as u64)).unwrap();
                for field in fields.iter().cycle().skip(first).take(fields.len()) {
                    // Partitions and configurations are of the topic beside them, so that one is never left out.
                    let needed = matches!(field.shape, Shape::Marked(Mark::Topic | Mark::ConfigName));
                    if !needed && self.random.below(3) == 0 {
                        continue;
                    }
                    let (value, new) = self.value(&field.shape);
                    given.push(format!("\"{}\"{}:{value}", field.name, self.space()));
                    becomes.push(format!("\"{}\":{new}", field.name));
                }
                if self.answers {
                    given.push(r#""unknown":{"topic_name":"rival.sec"}"#.to_owned());
                }
                let comma = format!("{},{}", self.space(), self.space());
                (format!("{{{}}}", given.join(&comma)), format!("{{{}}}", becomes.join(",")))
            }
        }
    }

    fn marked(&mut self, mark: Mark) -> (String, String) {
        let name = self.name();
        let foreign = self.hostile && self.random.below(2) == 0;
        let whose = if foreign { "rival.sec" } else { "acme." };
        let pair = |a: String, b: String| (format!("\"{a}\""), format!("\"{b}\""));
        let mapped = format!("{whose}{name}");
        match mark {
            Mark::Topic | Mark::Group if self.answers => pair(mapped, name),
            Mark::Topic | Mark::Group => pair(name, mapped),
            Mark::Partition if self.answers => ("103".to_owned(), "3".to_owned()),
            Mark::Partition => ("3".to_owned(), "103".to_owned()),
            Mark::BaseUri => {
                let path = |group: &str| format!("/consumers/{group}/instances/i");
                pair(format!("http://10.0.0.1:8082{}", path(&mapped)), format!("{BASE}{}", path(&name)))
            }
            Mark::Link => {
                let path = |topic: &str, partition: u8| format!("/v3/clusters/c/topics/{topic}/partitions/{partition}");
                pair(format!("http://10.0.0.1:8082{}", path(&mapped, 103)), format!("{BASE}{}", path(&name, 3)))
            }
            Mark::Crn => pair(format!("crn:///kafka=c/topic={mapped}"), format!("crn:///kafka=c/topic={name}")),
            Mark::Message => pair("rival.sec is full".to_owned(), "the request failed: see `error_code`".to_owned()),
            Mark::Pattern => pair("a.*".to_owned(), r"acme\\.(a.*)".to_owned()),
            Mark::Format => same("\"json\""),
            Mark::NewPartitions | Mark::NewReplicas => same("3"),
            Mark::ConfigName | Mark::ConfigValue | Mark::Client => same("\"retention.ms\""),
        }
    }
}

fn same(text: &str) -> (String, String) {
    (text.to_owned(), text.to_owned())
}

const PEERS: Peers<'_> = Peers { world: &Acme, decide: &Acme };

fn begin(version: Version, route: &Route) -> Exchange {
    let mut path = String::new();
    for segment in route.path.split('/').skip(1) {
        let segment = match segment {
            "{topic}" => "own",
            "{group}" => "grp",
            "{partition}" => "3",
            _ if segment.starts_with('{') => "word",
            other => other,
        };
        path.extend(["/", segment]);
    }
    let base = Base::new("https", "rest.shop.example").unwrap();
    let head = Head { method: route.method, path: &path, base: &base, content_type: Some("application/json") };
    let exchange = Exchange::begin(version, &head, &PEERS, Options::default(), &mut Vec::new()).unwrap();
    let expected =
        path.replace("/own", "/acme.own").replace("/grp", "/acme.grp").replace("/partitions/3", "/partitions/103");
    assert_eq!(exchange.path(), expected);
    exchange
}

type Read = fn(&mut Exchange, &[u8], bool, &Peers<'_>, &mut Vec<u8>) -> Result<(), Refused>;

/// All of a body, in pieces of this size.
fn through(exchange: &mut Exchange, body: &str, size: usize, read: Read) -> Result<String, Refused> {
    let mut out = Vec::new();
    body.as_bytes().chunks(size).try_for_each(|piece| read(exchange, piece, false, &PEERS, &mut out))?;
    read(exchange, b"", true, &PEERS, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn each(mut law: impl FnMut(Version, &'static Route, u64)) {
    for version in [Version::V2, Version::V3] {
        for route in routes(version) {
            (0..200).for_each(|seed| law(version, route, seed));
        }
    }
}

fn maker(seed: u64, answers: bool, hostile: bool) -> Maker {
    Maker { random: Random(seed.wrapping_mul(977) + 1), answers, hostile }
}

#[test]
fn what_a_client_sends_goes_in_by_the_brokers_names_and_changed_in_nothing_else() {
    let mut bodies = 0;
    each(|version, route, seed| {
        let Some(Body { shape, .. }) = route.request else { return };
        let (given, becomes) = maker(seed, false, false).value(shape);
        for size in [usize::MAX, 1, 5] {
            let mut exchange = begin(version, route);
            let sent = through(&mut exchange, &given, size, Exchange::request);
            assert_eq!(sent.as_deref(), Ok(&*becomes), "{} {} in pieces of {size}: {given}", route.method, route.path);
            assert_eq!(exchange.held(), 0);
        }
        bodies += 1;
    });
    assert!(bodies > 2000, "{bodies}");
}

#[test]
fn what_a_server_answers_comes_back_by_the_tenants_names() {
    each(|version, route, seed| {
        let Some(Body { shape, .. }) = route.response else { return };
        // The table says of one API what base URIs, and of the other what links lead to.
        let (given, becomes) = maker(seed, true, false).value(shape);
        for size in [usize::MAX, 1, 5] {
            let mut exchange = begin(version, route);
            assert_eq!(exchange.respond(200, Some("application/json"), false), Ok(()));
            let got = through(&mut exchange, &given, size, Exchange::response);
            assert_eq!(got.as_deref(), Ok(&*becomes), "{} {} in pieces of {size}: {given}", route.method, route.path);
        }
    });
}

#[test]
fn nothing_of_another_tenant_comes_back() {
    let (mut passed, mut refused) = (0, 0);
    each(|version, route, seed| {
        let Some(Body { shape, .. }) = route.response else { return };
        let (given, _) = maker(seed, true, true).value(shape);
        let mut exchange = begin(version, route);
        assert_eq!(exchange.respond(200, Some("application/json"), false), Ok(()));
        let mut out = Vec::new();
        let outcome =
            given.as_bytes().chunks(3).try_for_each(|piece| exchange.response(piece, false, &PEERS, &mut out));
        let outcome = outcome.and_then(|()| exchange.response(b"", true, &PEERS, &mut out));
        // Also of what is refused in the end, nothing left before.
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains("rival") && !text.contains("sec"), "{} {}: {given}\n{text}", route.method, route.path);
        *(if outcome.is_ok() { &mut passed } else { &mut refused }) += 1;
    });
    assert!(passed > 2000 && refused > 100, "{passed} passed, {refused} refused");
}

#[test]
fn a_body_that_is_cut_off_is_none() {
    each(|version, route, seed| {
        let Some(Body { shape, .. }) = route.request else { return };
        if seed > 5 || matches!(shape, Shape::Sequence(_)) {
            return;
        }
        let (given, _) = maker(seed, false, false).value(shape);
        for end in 1..given.trim_end().len() {
            let mut exchange = begin(version, route);
            let outcome = through(&mut exchange, &given[..end], usize::MAX, Exchange::request);
            assert!(outcome.is_err(), "{} {}: {}", route.method, route.path, &given[..end]);
        }
    });
}
