//! Identity headers in trailers, which HTTP/2 carries from end to end: they reach no app and no client.

use std::net::SocketAddr;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use partywall_integration::access_log::Hop;
use partywall_integration::http2::{self, Answer, App, Reply, Seen};
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, SIDECAR, unique};
use partywall_integration::ports;

/// In trailers of requests and of responses.
const SPOOFED: &[&str] = &[
    "x-partywall-tenant",
    "x-partywall-principal",
    "x-partywall-context",
    "x-partywall-reason",
    "x-partywall-anything",
    "x-forwarded-client-cert",
    "x-forwarded-host",
    "x-original-url",
    "x-http-method-override",
];
/// In trailers of requests alone: what tenants were called by before, apps may still tell.
const LEGACY: &str = "x-tenant-id";
/// Shows that trailers pass at all.
const NOTE: &str = "x-note";

/// A mesh in which `orders` speaks HTTP/2, and in which the sidecar of `invoices` is captured: it lets
/// through whatever it is given, with the certificate of `invoices`.
struct Shop {
    mesh: Mesh,
    app: App,
}

static SHOP: LazyLock<Shop> = LazyLock::new(Shop::open);

impl Shop {
    fn open() -> Self {
        let mut mesh = Mesh::start(&Options::named("trailers")).unwrap();
        let [port] = ports::free().unwrap();
        let app =
            App::start(port, |_| Reply { body: vec![b"an answer".to_vec()], trailers: spoofed(), ..Reply::default() })
                .unwrap();
        let before = mesh.site.ports.orders_app;
        mesh.restart("orders", |bootstrap| {
            bootstrap
                .with_filters(SIDECAR)?
                .address("127.0.0.1", before, port)?
                .replace(http2::APP, http2::APP_WITH_HTTP2)
        })
        .unwrap();
        mesh.restart("invoices", |bootstrap| bootstrap.with_filters(&[])).unwrap();
        Self { mesh, app }
    }

    /// Sends a GET with spoofed trailers.
    fn ask(&self, to: SocketAddr, host: &str, path: &str, header: (&str, &str)) -> Answer {
        let request = Request::get(format!("http://{host}{path}")).header(header.0, header.1).body(()).unwrap();
        let mut trailers = spoofed();
        trailers.insert(LEGACY, HeaderValue::from_static("globex"));
        http2::send(to, None, request, &[b"a question"], Some(trailers)).unwrap()
    }

    fn seen(&self, mark: &str) -> Seen {
        let found = self.app.seen(mark);
        assert_eq!(found.len(), 1, "requests that reached the app");
        found[0].clone()
    }
}

fn spoofed() -> HeaderMap {
    let spoofed = SPOOFED.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("globex")));
    spoofed.chain([(HeaderName::from_static(NOTE), HeaderValue::from_static("kept"))]).collect()
}

fn assert_clean(trailers: &HeaderMap) {
    let names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, [NOTE]);
}

#[test]
fn a_client_reaches_no_app_with_an_identity_in_its_trailers_and_gets_none() {
    let mark = unique();
    let bearer = SHOP.mesh.bearer(&accountant(Acme, "acme")).unwrap();
    let edge = SHOP.mesh.address(Hop::Edge);
    let path = format!("/orders/{mark}");
    let answer = SHOP.ask(edge, "acme.shop.example", &path, ("authorization", &bearer));
    assert_eq!(answer.status, 200, "{:?}", answer.headers);
    assert_clean(&answer.trailers);
    let seen = SHOP.seen(&mark);
    assert_eq!(seen.headers["x-partywall-tenant"], "acme");
    assert_clean(&seen.trailers);
}

#[test]
fn a_captured_sidecar_reaches_no_app_with_an_identity_in_its_trailers_and_gets_none() {
    let mark = unique();
    let bearer = SHOP.mesh.bearer(&accountant(Acme, "acme")).unwrap();
    let edge = SHOP.mesh.address(Hop::Edge);
    let before = format!("/orders/{mark}a");
    let answer = SHOP.ask(edge, "acme.shop.example", &before, ("authorization", &bearer));
    assert_eq!(answer.status, 200, "{:?}", answer.headers);
    let root = SHOP.seen(&before).headers["x-partywall-context"].to_str().unwrap().to_owned();

    let captured = SHOP.mesh.address(Hop::InvoicesOutbound);
    let path = format!("/orders/{mark}b");
    let answer = SHOP.ask(captured, "orders", &path, ("x-partywall-context", &root));
    assert_eq!(answer.status, 200, "{:?}", answer.headers);
    assert_clean(&answer.trailers);
    assert_clean(&SHOP.seen(&path).trailers);
}
