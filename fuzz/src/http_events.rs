//! What must hold of requests to REST APIs of Kafka and of CloudEvents, whatever a client and a server send.
//! `filters/event-scope/tests/fuzz_replay.rs` includes this file and replays the corpus.

use partywall_event_scope::cloudevents::{self, Bound, Judge, Mode, Rules, Sign, Source, Verify, Way};
use partywall_event_scope::rest::{Base, Exchange, Head, Options, Peers, Version};
use partywall_tenancy::TenantId;

use super::kafka_session::world::{Policy, Prefix};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("http_events", http_events)];

/// The largest value that is held.
const LARGEST: usize = 512;

/// The first byte says what it is and in what world, the second how long pieces are. Then come, with a byte 0x1e between,
/// method and path, the body of the request and that of the answer; or the headers of an event and its body.
///
/// In pieces or whole, the same goes on, and the same is refused; what goes on of a body is JSON; what is held is bounded.
pub fn http_events(bytes: &[u8]) {
    let [what, size, rest @ ..] = bytes else { return };
    let mut parts = rest.split(|byte| *byte == 0x1e);
    let mut part = || parts.next().unwrap_or_default();
    if what & 1 != 0 {
        return event(*what, part(), part());
    }
    let version = if what & 2 == 0 { Version::V2 } else { Version::V3 };
    let (head, request, answer) = (part(), part(), part());
    let mut acme = Prefix::of("acme");
    acme.range = (what & 4 != 0).then_some((4, 3));
    let size = usize::from(*size).max(1);
    let whole = rest_api(version, &acme, head, (request, answer), usize::MAX);
    let cut = rest_api(version, &acme, head, (request, answer), size);
    // A value that is too large is seen sooner or later.
    if request.len().max(answer.len()) <= LARGEST {
        assert_eq!(whole, cut, "in pieces of {size}");
    }
}

/// What went to the server, with its path, and what came back; `None` where it was refused.
type Went = (Option<(String, Vec<u8>)>, Option<Vec<u8>>);

fn rest_api(version: Version, acme: &Prefix, head: &[u8], (request, answer): (&[u8], &[u8]), size: usize) -> Went {
    let Ok(head) = std::str::from_utf8(head) else { return (None, None) };
    let (method, path) = head.split_once(' ').unwrap_or(("GET", head));
    let (policy, Some(base)) = (Policy::default(), Base::new("https", "rest.example")) else { return (None, None) };
    let peers = Peers { world: acme, decide: &policy };
    let options = Options { largest_value: LARGEST, topics: 20 };
    let head = Head { method, path, base: &base, content_type: Some("application/json") };
    let Ok(mut exchange) = Exchange::begin(version, &head, &peers, options, &mut Vec::new()) else {
        return (None, None);
    };
    let mut sent = Vec::new();
    let mut read = request.chunks(size).try_for_each(|piece| {
        let read = exchange.request(piece, false, &peers, &mut sent);
        assert!(exchange.held() <= LARGEST + piece.len());
        read
    });
    read = read.and_then(|()| exchange.request(b"", true, &peers, &mut sent));
    if read.is_err() {
        return (None, None);
    }
    json(&sent);
    let went = Some((exchange.path().to_owned(), sent));
    if exchange.respond(200, Some("application/json"), false).is_err() {
        return (went, None);
    }
    let mut got = Vec::new();
    let mut read = answer.chunks(size).try_for_each(|piece| exchange.response(piece, false, &peers, &mut got));
    read = read.and_then(|()| exchange.response(b"", true, &peers, &mut got));
    json(if read.is_ok() { &got } else { &[] });
    (went, read.is_ok().then_some(got))
}

/// Values of JSON, one behind the other.
fn json(text: &[u8]) {
    for value in serde_json::Deserializer::from_slice(text).into_iter::<serde_json::Value>() {
        // A number may be larger than what a computer takes for one.
        let good = value.map_or_else(|error| error.to_string().contains("out of range"), |_| true);
        assert!(good, "{}", String::from_utf8_lossy(text));
    }
}

struct Signer;

impl Sign for Signer {
    fn sign(&self, event: &Bound<'_>) -> Option<String> {
        Some(format!("{}-{}", event.kind.len(), event.source.len() + event.id.len()))
    }
}

impl Verify for Signer {
    fn verify(&self, token: &str, event: &Bound<'_>) -> bool {
        self.sign(event).as_deref() == Some(token)
    }
}

/// What was sent arrives: it is judged as good again, and changed in nothing but the order of its attributes.
fn event(what: u8, headers: &[u8], body: &[u8]) {
    let Ok(tenant) = TenantId::parse("acme") else { return };
    let source = Source::parse("/t/{tenant}/").ok().filter(|_| what & 2 != 0);
    let rules = Rules { source, subject: None, types: Vec::new() };
    let sent = Judge { tenant: &tenant, rules: &rules, way: Way::Sent(Some(&Signer)) };
    let came = Judge { tenant: &tenant, rules: &rules, way: Way::Came(&Signer) };
    for mode in [Mode::Structured, Mode::Batch] {
        let mut out = Vec::new();
        if cloudevents::body(mode, body, &sent, &mut out).is_ok() {
            json(&out);
            let mut again = Vec::new();
            assert_eq!(cloudevents::body(mode, &out, &came, &mut again), Ok(()));
            assert_eq!(out, again);
        }
    }
    let lines = headers.split(|byte| *byte == b'\n');
    let headers: Vec<(&str, &[u8])> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((std::str::from_utf8(name).ok()?, value.get(1..)?))
        })
        .collect();
    let _ = cloudevents::mode(None, headers.iter().map(|(name, _)| name));
    let _ = cloudevents::binary(headers.iter().copied(), &sent);
    let _ = cloudevents::binary(headers.iter().copied(), &came);
}
