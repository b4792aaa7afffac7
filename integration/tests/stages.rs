//! Each stage by itself, and both with something between them or after them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::http::{StatusCode, Uri};
use partywall_integration::access_log::Hop;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::{Mesh, Options, STAGES, unique};
use partywall_integration::raw::{Request, Response};
use partywall_integration::services::{App, headers};

#[test]
fn authorization_without_a_context_denies_everything() {
    let filters = &["authorization"];
    let mesh = Mesh::start(&Options { filters, ..Options::named("authorization-alone") }).unwrap();
    let mark = unique();
    let request = mesh.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    let answer = mesh.ask(&request).unwrap();
    assert_eq!(answer.status, 401, "{}", answer.json());
    mesh.line(|line| line.field("decision") == "deny" && line.field("reason") == "tenant_missing").unwrap();
    assert!(mesh.seen_of(App::Invoices, &mark).unwrap().is_empty());
}

#[test]
fn authorization_before_the_context_denies_everything() {
    let filters = &["authorization", "tenant_context"];
    let mesh = Mesh::start(&Options { filters, ..Options::named("wrong-order") }).unwrap();
    let request = mesh.client("GET", "acme", "/invoices/1", &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&request).unwrap().status, 401);
    assert!(mesh.seen(App::Invoices).unwrap().is_empty());
}

#[test]
fn tenant_context_alone_establishes_carries_and_denies_but_asks_no_policy() {
    let filters = &["tenant_context"];
    let mesh = Mesh::start(&Options { filters, ..Options::named("context-alone") }).unwrap();
    let mark = unique();
    let path = format!("/invoices/{mark}");
    let request = mesh.client("GET", "acme", &path, &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&request.header("x-tenant-id", "globex")).unwrap().status, 200);
    for app in [App::Invoices, App::Orders] {
        let seen = mesh.seen_of(app, &mark).unwrap();
        assert_eq!(headers(&seen[0], "x-partywall-tenant"), ["acme"]);
        assert!(headers(&seen[0], "x-tenant-id").is_empty());
    }
    // A policy would say no.
    let delete = mesh.client("DELETE", "acme", &path, &viewer(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&delete).unwrap().status, 200);
    let anonymous = Request::get(&path).header("host", "acme.shop.example");
    assert_eq!(mesh.ask(&anonymous).unwrap().status, 401);
    let conflict = mesh.client("GET", "globex", &path, &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&conflict).unwrap().status, 403);
}

/// An edge that only establishes, and sidecars of both stages: all denials but the edge's own come from inside.
/// The sidecar of `orders` is of a build that this edge does not know: it has the certificate, and denies with
/// the status in the path and a word of its own.
struct Shop {
    mesh: Mesh,
    _newer: tokio::runtime::Runtime,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| Shop::open().unwrap());

const NEW_WORD: &str = "clearance_missing";

impl Shop {
    fn open() -> Result<Self> {
        let mut mesh = Mesh::start(&Options { filters: STAGES, ..Options::named("context-alone-at-the-edge") })?;
        let newer = tokio::runtime::Runtime::new()?;
        let listener = newer.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let (before, port) = (mesh.site.ports.orders_app, listener.local_addr()?.port());
        newer.spawn(async move { axum::serve(listener, Router::new().fallback(deny_in_new_words)).await });
        mesh.restart("edge", |bootstrap| bootstrap.with_filters(&["tenant_context"]))?;
        // Nothing of ours between the certificate and the one who answers.
        mesh.restart("orders", |bootstrap| bootstrap.with_filters(&[])?.address("127.0.0.1", before, port))?;
        Ok(Self { mesh, _newer: newer })
    }
}

async fn deny_in_new_words(uri: Uri) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let status = uri.path().rsplit('/').next().and_then(|last| last.parse().ok());
    (status.unwrap_or(StatusCode::OK), [("x-partywall-reason", NEW_WORD)], format!("{{\"reason\":\"{NEW_WORD}\"}}"))
}

/// A client is told no reason but the coarse one, in no header and no body.
fn assert_told(answer: &Response, status: u16, reason: &str, exact: &str) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, answer.json()["reason"].as_str()), (status, Some(reason)), "{body}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(!body.contains(exact) && !format!("{:?}", answer.headers).contains(exact), "{answer:?}");
    assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("x-partywall-")), "{answer:?}");
}

#[test]
fn a_foreign_resource_that_a_stage_inside_denies_is_not_found_for_the_client() {
    let mesh = &SHOP.mesh;
    let request = mesh.client("GET", "acme", "/tenants/globex/invoices", &accountant(Acme, "acme")).unwrap();
    let answer = mesh.ask(&request).unwrap();
    assert_told(&answer, 404, "not_found", "resource_foreign");
    let id = answer.header("x-request-id").unwrap();
    let of = |hop| mesh.line(|line| line.hop == hop && line.field("request_id") == id).unwrap();
    assert_eq!(of(Hop::Edge).field("decision"), "allow", "the edge asks no policy");
    assert_eq!(of(Hop::InvoicesInbound).field("reason"), "resource_foreign");
}

#[test]
fn a_reason_from_inside_that_the_edge_does_not_know_is_told_by_its_status() {
    let mesh = &SHOP.mesh;
    for (inside, status, told) in [
        (400, 400, "bad_request"),
        (401, 401, "unauthenticated"),
        (403, 403, "forbidden"),
        (404, 404, "not_found"),
        (409, 403, "forbidden"),
        (429, 403, "forbidden"),
        (500, 503, "unavailable"),
        (503, 503, "unavailable"),
        // Whoever gives a reason denies.
        (200, 403, "forbidden"),
    ] {
        let path = format!("/orders/{inside}");
        let answer = mesh.ask(&mesh.client("GET", "acme", &path, &accountant(Acme, "acme")).unwrap()).unwrap();
        assert_told(&answer, status, told, NEW_WORD);
    }
}

const SECOND: &str = "                  - name: partywall.authorization\n";

/// Envoy's own filter that answers by itself, or waits, when a header says so.
const FAULT: &str = r#"                  - name: envoy.filters.http.fault
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
                      delay: { header_delay: {}, percentage: { numerator: 100 } }
                      abort: { header_abort: {}, percentage: { numerator: 100 } }
"#;

#[test]
fn a_filter_between_the_stages_that_answers_by_itself_takes_nothing_from_other_tenants() {
    let mut mesh = Mesh::start(&Options { filters: STAGES, ..Options::named("between-the-stages") }).unwrap();
    mesh.restart("edge", |b| b.with_filters(STAGES)?.replace(SECOND, &format!("{FAULT}{SECOND}"))).unwrap();
    let list = |tenant: &str| format!("/tenants/{tenant}/invoices");
    let bearer = mesh.bearer(&accountant(Acme, "acme")).unwrap();
    let acme =
        || Request::get(&list("acme")).header("host", "acme.shop.example").header("authorization", bearer.as_str());
    let aborted = acme().header("x-envoy-fault-abort-request", "418").bytes();
    let flooding = AtomicBool::new(true);
    thread::scope(|scope| {
        let others: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let token = accountant(Shared, "globex");
                    // They wait between the stages while the flood goes on.
                    let ask = || mesh.client("GET", "globex", &list("globex"), &token).unwrap();
                    let mut statuses = Vec::new();
                    while flooding.load(Ordering::Relaxed) {
                        statuses.push(mesh.ask(&ask().header("x-envoy-fault-delay-request", "300")).unwrap().status);
                    }
                    statuses
                })
            })
            .collect();
        // One connection is one worker. It holds 16,384 contexts that wait for their second stage, and none of these
        // may be among them.
        let flood = scope.spawn(|| {
            let mut connection = Connection::open(&mesh);
            let aborted = connection.statuses(&aborted, 16_500).into_iter().filter(|status| *status == 418);
            (aborted.count(), connection.statuses(&acme().bytes(), 10))
        });
        let flooded = flood.join();
        flooding.store(false, Ordering::Relaxed);
        assert_eq!(flooded.unwrap(), (16_500, vec![200; 10]));
        for statuses in others.into_iter().map(|other| other.join().unwrap()) {
            assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 200), "{statuses:?}");
        }
    });
}

/// One connection to the edge that is kept, for many requests.
struct Connection(TcpStream);

impl Connection {
    fn open(mesh: &Mesh) -> Self {
        let stream = TcpStream::connect(mesh.address(Hop::Edge)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends the same request again and again, each after the answer to the one before, and gives their statuses.
    fn statuses(&mut self, request: &[u8], times: usize) -> Vec<u16> {
        (0..times).map(|_| self.status(request)).collect()
    }

    fn status(&mut self, request: &[u8]) -> u16 {
        self.0.write_all(request).unwrap();
        let (mut got, mut chunk) = (Vec::new(), [0; 4096]);
        // Each answer ends with its document, a JSON object.
        while !got.trim_ascii_end().ends_with(b"}") {
            let n = self.0.read(&mut chunk).unwrap();
            assert!(n > 0, "closed after {}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&chunk[..n]);
        }
        let status = got.strip_prefix(b"HTTP/1.1 ").and_then(|rest| str::from_utf8(rest.get(..3)?).ok());
        status.unwrap().parse().unwrap()
    }
}
