//! Where a request says whose it is, in a real sidecar: path, query, header and id, each by itself and against each
//! other; and operations of one path that query and headers tell apart. What is denied never arrives at the app.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{LazyLock, Mutex};

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::roots::Root;
use partywall_integration::running::Running;
use partywall_integration::stand_in;
use partywall_integration::variant::Variant;

const OPERATIONS: &str = r#"
  - { http: "GET /lists/{tenant}", action: "invoices:read", resource: Invoice, owner: [path.tenant, query.tenant_id, header.x-account] }
  - { http: "GET /list", action: "invoices:read", resource: Invoice, owner: [query.tenant_id, header.x-account] }
  - { http: "GET /list", query: { view: full }, action: "invoices:delete", resource: Invoice, owner: [query.tenant_id, none] }
  - { http: "GET /list", header: { x-mode: quick }, query: { view: full }, action: "invoices:read", resource: Invoice, owner: none }
  - { http: "GET /things/{id}", action: "invoices:read", resource: Invoice, id: id, owner: "id_prefix.:" }
"#;

struct Shop {
    mesh: Running,
    seed: Vec<u8>,
}

/// Everything that arrived at the app.
static ARRIVED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let variant = Variant::prepare("places", &["invoices"]).unwrap();
    variant.append("services/invoices.yaml", OPERATIONS).unwrap();
    stand_in::connections(variant.site.ports.invoices_app, answer).unwrap();
    let seed = variant.site.signing_seed().unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&[Hop::InvoicesInbound]).unwrap();
    Shop { mesh, seed }
});

fn answer(mut stream: TcpStream) -> Result<()> {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    while !got.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            return Ok(());
        }
        ARRIVED.lock().unwrap().extend_from_slice(&chunk[..n]);
        got.extend_from_slice(&chunk[..n]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")?;
    Ok(stream.flush()?)
}

impl Shop {
    /// What comes of it, and whether it arrived at the app.
    fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Result<(Response, bool)> {
        let mark = unique();
        let answer = self.mesh.ask_invoices(path, &[&[("x-mark", &*mark)], headers].concat())?;
        // To the end of its line, since one mark may begin as another one does.
        let mark = format!("{mark}\r\n");
        let arrived = ARRIVED.lock().unwrap().windows(mark.len()).any(|w| w == mark.as_bytes());
        Ok((answer, arrived))
    }

    #[track_caller]
    fn allows(&self, path: &str, headers: &[(&str, &str)]) {
        let (answer, arrived) = self.ask(path, headers).unwrap();
        assert_eq!((answer.status, arrived), (200, true), "{path} {headers:?}: {}", answer.reason());
    }

    #[track_caller]
    fn denies(&self, reason: &str, path: &str, headers: &[(&str, &str)]) {
        let (answer, arrived) = self.ask(path, headers).unwrap();
        assert_eq!((answer.reason().as_str(), arrived), (reason, false), "{path} {headers:?}: {}", answer.status);
    }
}

#[test]
fn every_place_that_a_request_has_names_the_tenant() {
    SHOP.allows("/lists/acme", &[]);
    SHOP.allows("/lists/acme?tenant_id=acme", &[("x-account", "acme")]);
    SHOP.allows("/list?tenant_id=acme", &[]);
    SHOP.allows("/list", &[("x-account", "acme")]);
    for (path, headers) in [
        ("/lists/globex", &[][..]),
        ("/lists/acme?tenant_id=globex", &[]),
        ("/lists/acme?a=b&tenant_id=", &[]),
        ("/lists/acme", &[("x-account", "globex")]),
        ("/lists/acme?tenant_id=acme", &[("x-account", "globex")]),
        ("/list?tenant_id=%61cme", &[]),
        ("/list", &[("x-account", "")]),
        ("/list", &[]),
        ("/list?page=2", &[]),
    ] {
        SHOP.denies("resource_foreign", path, headers);
    }
}

#[test]
fn what_apps_could_read_otherwise_is_denied() {
    for (path, headers) in [
        ("/list?tenant_id=acme&tenant_id=globex", &[][..]),
        ("/list?tenant_id=acme&tenant%5fid=globex", &[]),
        ("/list?tenant_id=acme&tenant_id[]=globex", &[]),
        ("/list?tenant_id=acme&tenant_id%5B%5D=globex", &[]),
        ("/list?tenant_id=acme&Tenant_Id=globex", &[]),
        ("/list?tenant_id=acme&a=b;tenant_id=globex", &[]),
        ("/list", &[("x-account", "acme"), ("x-account", "globex")]),
        ("/list", &[("x-account", "acme"), ("X-Account", "acme")]),
        ("/list", &[("x-account", "acme, globex")]),
    ] {
        SHOP.denies("ambiguous_request", path, headers);
    }
    // A sidecar's Envoy takes no header with an underscore at all.
    let (answer, arrived) = SHOP.ask("/list?tenant_id=acme", &[("X_Account", "globex")]).unwrap();
    assert_eq!((answer.status, arrived), (400, false), "{}", answer.reason());
}

#[test]
fn an_id_begins_with_its_owner() {
    SHOP.allows("/things/acme:7", &[]);
    SHOP.allows("/things/acme%3A7", &[]);
    for path in ["/things/globex:7", "/things/7", "/things/acme", "/things/acme-eu:7", "/things/:7"] {
        SHOP.denies("resource_foreign", path, &[]);
    }
}

#[test]
fn query_and_header_tell_operations_apart() {
    // A viewer may not delete, whatever the path.
    SHOP.denies("policy_denied", "/list?view=full", &[("x-account", "acme")]);
    SHOP.denies("policy_denied", "/list?view=full&tenant_id=acme", &[]);
    SHOP.denies("resource_foreign", "/list?view=full&tenant_id=globex", &[]);
    SHOP.allows("/list?view=full", &[("x-mode", "quick")]);
    SHOP.allows("/list?view=short", &[("x-account", "acme")]);
    for path in ["/list?view=%66ull", "/list?view=FULL", "/list?vie%77=full", "/list?view=short&view=full"] {
        SHOP.denies("ambiguous_request", path, &[("x-account", "acme")]);
    }
}

#[test]
fn grpc_web_is_answered_as_what_it_is() {
    let root = Root::of("acme", 0).signed(&SHOP.seed).unwrap();
    let ask = |content_type: &str| {
        let request = Request::new("POST", "/shop.Lists/Get")
            .header("host", "invoices")
            .header("x-partywall-context", root.as_str())
            .header("content-length", "0")
            .header("content-type", content_type);
        SHOP.mesh.send(Hop::InvoicesInbound, Workload::Edge, &request).unwrap()
    };
    for content_type in ["application/grpc-web", "application/grpc-web+proto", "application/json"] {
        let answer = ask(content_type);
        assert_eq!((answer.status, answer.header("grpc-status")), (403, None), "{content_type}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{content_type}");
    }
    assert_eq!(ask("application/grpc+proto").header("grpc-status"), Some("7"));
}

#[test]
fn the_log_says_which_operation_it_was() {
    let mark = unique();
    let root = Root::of("acme", 0).signed(&SHOP.seed).unwrap();
    let request = Request::get("/list?view=full")
        .header("host", "invoices")
        .header("x-partywall-context", root)
        .header("x-mode", "quick")
        .header("x-request-id", mark.as_bytes());
    assert_eq!(SHOP.mesh.send(Hop::InvoicesInbound, Workload::Edge, &request).unwrap().status, 200);
    let line = SHOP.mesh.line(Hop::InvoicesInbound, &mark).unwrap();
    let explain = line.field("explain");
    assert!(explain.contains(r#""when":["query.view=full","header.x-mode=quick"]"#), "{explain}");
}
