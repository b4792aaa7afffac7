//! Key sets that the edge fetches from issuers: never while a request waits, and the last good one counts.
//!
//! One server plays all issuers, each test has an issuer of its own.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use partywall_integration::access_log::Hop;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::variant::{OwnIssuer, Variant};
use partywall_integration::wait;
use serde_json::json;

/// Between two fetches that unknown keys ask for.
const EACH: Duration = Duration::from_secs(30);
/// Whole seconds of a clock, a tick of the filter, and a busy machine.
const SLACK: Duration = Duration::from_secs(8);

/// What is published, by path. A path that is not there gets no answer at all.
#[derive(Default)]
struct Published {
    sets: HashMap<String, String>,
    asked: HashMap<String, Vec<Instant>>,
}

#[derive(Clone)]
struct Server {
    published: Arc<Mutex<Published>>,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), published: Arc::default() };
        let answering = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = answering.clone();
                thread::spawn(move || server.answer(stream));
            }
        });
        server
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut got = Vec::new();
        while !got.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            got.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&got);
        let path = head.split(' ').nth(1)?.to_owned();
        let set = {
            let mut published = self.published.lock().ok()?;
            published.asked.entry(path.clone()).or_default().push(Instant::now());
            published.sets.get(&path).cloned()?
        };
        let length = set.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{set}").ok()
    }

    fn publish(&self, path: &str, set: String) {
        self.published.lock().unwrap().sets.insert(path.into(), set);
    }

    fn withdraw(&self, path: &str) {
        self.published.lock().unwrap().sets.remove(path);
    }

    fn asked(&self, path: &str) -> Vec<Instant> {
        self.published.lock().unwrap().asked.get(path).cloned().unwrap_or_default()
    }
}

struct Mesh {
    running: Running,
    server: Server,
    issuers: HashMap<&'static str, OwnIssuer>,
}

static MESH: LazyLock<Mesh> = LazyLock::new(|| start("key-sets", &["rotates", "flooded", "goes-down"]));

/// A mesh with these issuers; all publish their sets but `never`.
fn start(name: &str, names: &[&'static str]) -> Mesh {
    let server = Server::start();
    let mut variant = Variant::prepare(name, &["edge", "orders"]).unwrap();
    let issuers: HashMap<_, _> = names.iter().map(|name| (*name, issuer(name, "1"))).collect();
    for name in names {
        let age = if *name == "ages" { "1m" } else { "1h" };
        let jwks =
            format!("{{ cluster: identity, authority: id.{name}.example, path: {}, max_age: {age} }}", path(name));
        variant.append("mesh.yaml", &issuers[name].entry_with(&jwks)).unwrap();
        if *name != "never" {
            server.publish(&path(name), issuers[name].key_set().unwrap());
        }
    }
    variant.cluster("edge", "identity", server.port).unwrap();
    let running = variant.start(&[App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    Mesh { running, server, issuers }
}

fn issuer(name: &str, key: &str) -> OwnIssuer {
    OwnIssuer::make(&format!("https://id.{name}.example"), &format!("{name}-{key}"))
}

fn path(name: &str) -> String {
    format!("/{name}.json")
}

/// Status and exact reason at the edge, for a new token of `issuer`.
fn outcome(issuer: &OwnIssuer) -> (u16, String) {
    outcome_in(&MESH, issuer)
}

fn outcome_in(mesh: &Mesh, issuer: &OwnIssuer) -> (u16, String) {
    let request = Request::get(&format!("/orders/{}", unique()))
        .header("host", "acme.shop.example")
        .header("authorization", issuer.bearer(&json!("acme")).unwrap());
    mesh.running.outcome(&request.send(mesh.running.site.address(Hop::Edge)).unwrap())
}

fn let_in() -> (u16, String) {
    (200, String::new())
}

fn unknown() -> (u16, String) {
    (401, "credential_invalid".into())
}

/// Asks until every worker lets a token of `issuer` in; how long that took.
fn until_let_in(mesh: &Mesh, issuer: &OwnIssuer, limit: Duration) -> Option<Duration> {
    let since = Instant::now();
    let mut in_a_row = 0;
    wait::until(limit, || {
        in_a_row = if outcome_in(mesh, issuer) == let_in() { in_a_row + 1 } else { 0 };
        (in_a_row == 12).then(|| since.elapsed())
    })
}

fn fetched(name: &str) -> &'static OwnIssuer {
    let issuer = &MESH.issuers[name];
    until_let_in(&MESH, issuer, SLACK).expect("the first set comes soon after the bundle");
    issuer
}

#[test]
fn the_first_set_is_fetched_before_any_token_asks_for_it_and_once_for_all_workers() {
    let mesh = start("key-sets-first", &["first"]);
    let (good, asked) = (&mesh.issuers["first"], || mesh.server.asked(&path("first")).len());
    wait::until(SLACK, || (asked() > 0).then_some(())).expect("fetched by itself");
    until_let_in(&mesh, good, SLACK).expect("let in");
    println!("first: {} fetches for two workers", asked());
    assert_eq!(asked(), 1);
    for _ in 0..20 {
        assert_eq!(outcome_in(&mesh, good), let_in());
    }
    assert_eq!(outcome_in(&mesh, &issuer("first", "1")), unknown(), "another key under the same id");
    assert_eq!(asked(), 1, "no request fetches");
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it_and_the_former_still_counts() {
    let former = fetched("rotates");
    let next = issuer("rotates", "2");
    MESH.server.publish(&path("rotates"), next.key_set().unwrap());
    assert_eq!(outcome(&next), unknown());
    let after = until_let_in(&MESH, &next, EACH + SLACK).expect("the new key is learned");
    println!("rotates: the new key counted {} ms after its first token", after.as_millis());
    assert_eq!(outcome(former), let_in(), "tokens of the former key are on their way");
}

#[test]
fn a_flood_of_unknown_keys_fetches_once_in_thirty_seconds() {
    let good = fetched("flooded");
    let since = Instant::now();
    let mut floods = 0;
    while since.elapsed() < EACH + SLACK {
        assert_eq!(outcome(&issuer("flooded", &unique())), unknown());
        floods += 1;
    }
    assert_eq!(outcome(good), let_in());
    let asked = MESH.server.asked(&path("flooded"));
    println!("flooded: {} fetches, {floods} tokens with unknown keys", asked.len());
    assert!(floods > 50, "{floods}");
    assert!(asked.len() >= 2, "one by itself, one for the flood");
    // The filter's clock counts whole seconds.
    let gaps: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= EACH - Duration::from_secs(1)), "{gaps:?}");
}

#[test]
fn a_server_that_is_down_leaves_the_last_good_set_in_force() {
    let good = fetched("goes-down");
    MESH.server.withdraw(&path("goes-down"));
    let before = MESH.server.asked(&path("goes-down")).len();
    let tried = wait::until(EACH + SLACK, || {
        assert_eq!(outcome(&issuer("goes-down", "2")), unknown());
        (MESH.server.asked(&path("goes-down")).len() > before).then_some(())
    });
    tried.expect("it is tried again");
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(4) {
        assert_eq!(outcome(good), let_in());
    }
    let tries = MESH.server.asked(&path("goes-down")).len() - before;
    println!("goes-down: {tries} tries in 4 s without an answer");
    assert!(tries <= 6, "{tries} tries: it backs off");
    let next = issuer("goes-down", "2");
    MESH.server.publish(&path("goes-down"), next.key_set().unwrap());
    until_let_in(&MESH, &next, EACH + SLACK).expect("back again");
}

#[test]
fn a_set_that_cannot_be_fetched_again_counts_until_its_max_age() {
    let mesh = start("key-sets-aging", &["ages"]);
    let good = &mesh.issuers["ages"];
    until_let_in(&mesh, good, SLACK).expect("let in");
    let since = mesh.server.asked(&path("ages"))[0];
    mesh.server.withdraw(&path("ages"));
    thread::sleep(Duration::from_secs(50).saturating_sub(since.elapsed()));
    assert_eq!(outcome_in(&mesh, good), let_in());
    thread::sleep(Duration::from_secs(63).saturating_sub(since.elapsed()));
    for _ in 0..12 {
        assert_eq!(outcome_in(&mesh, good), (503, "policy_unavailable".into()));
    }
}

#[test]
fn without_any_set_every_token_of_the_issuer_is_denied_and_nobody_else_is_concerned() {
    let mesh = start("key-sets-never", &["never", "first"]);
    let (never, first) = (&mesh.issuers["never"], &mesh.issuers["first"]);
    until_let_in(&mesh, first, SLACK).expect("let in");
    for _ in 0..12 {
        assert_eq!(outcome_in(&mesh, never), (503, "policy_unavailable".into()));
    }
    assert_eq!(outcome_in(&mesh, first), let_in());
    let tries = mesh.server.asked(&path("never")).len();
    assert!((1..=6).contains(&tries), "{tries} tries: it backs off");
    mesh.server.publish(&path("never"), never.key_set().unwrap());
    until_let_in(&mesh, never, EACH + SLACK).expect("let in once there is a set");
}

#[test]
fn a_set_is_fetched_again_before_its_max_age_is_over() {
    let mesh = start("key-sets-renewed", &["ages"]);
    let good = &mesh.issuers["ages"];
    until_let_in(&mesh, good, SLACK).expect("let in");
    let since = mesh.server.asked(&path("ages"))[0];
    thread::sleep(Duration::from_secs(63).saturating_sub(since.elapsed()));
    assert_eq!(outcome_in(&mesh, good), let_in());
}
