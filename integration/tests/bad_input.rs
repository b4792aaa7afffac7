//! Input that could be read in two ways, or not at all: denied, and the VM lives.

use std::sync::LazyLock;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::raw::{Request, Response, plain};
use partywall_integration::services::App;

static MESH: LazyLock<Mesh> = LazyLock::new(|| Mesh::start(&Options::named("bad-input")).unwrap());

fn good(path: &str) -> Request {
    MESH.client("GET", "acme", path, &accountant(Acme, "acme")).unwrap()
}

/// The filter still decides, in every worker: a trapped VM would answer 503, or be made anew.
fn assert_the_vm_lives() {
    for _ in 0..6 {
        let answer = MESH.ask(&good("/tenants/acme/invoices")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    for envoy in [&MESH.edge, &MESH.invoices, &MESH.orders] {
        let errors = envoy.errors();
        let trap =
            errors.lines().find(|l| l.contains("Uncaught") || l.contains("panicked") || l.contains("unreachable"));
        assert_eq!(trap, None);
        assert_eq!(envoy.metric("envoy_wasm_partywall_sidecar_vm_reload", &[]).unwrap(), 0.0);
    }
}

fn assert_denied(answer: &Response, told: &str, what: &str) {
    assert_eq!(answer.reason(), told, "{what}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    assert!((400..500).contains(&answer.status), "{what}: {}", answer.status);
}

fn nothing_arrived(mark: &str) {
    assert!(MESH.seen_of(App::Invoices, mark).unwrap().is_empty());
    assert!(MESH.seen_of(App::Orders, mark).unwrap().is_empty());
}

#[test]
fn a_path_with_a_second_reading_is_denied() {
    let mark = unique();
    for path in [
        format!("/invoices/a%2f{mark}"),
        format!("/invoices/a%2F{mark}"),
        format!("/invoices/a%5c{mark}"),
        format!("/invoices/%2e%2e/{mark}"),
        format!("/invoices/../{mark}"),
        format!("/invoices//{mark}"),
        format!("/invoices/./{mark}"),
        format!("/invoices/{mark}%00"),
        format!("/invoices/{mark}%25"),
        format!("/invoices/{mark}%"),
        format!("/invoices/{mark};v=1"),
        format!("/%69nvoices/{mark}"),
        format!("/tenants/%61cme/invoices?{mark}"),
    ] {
        assert_denied(&MESH.ask(&good(&path)).unwrap(), "bad_request", &path);
    }
    nothing_arrived(&mark);
    assert_the_vm_lives();
}

#[test]
fn a_byte_that_is_no_text_is_denied_where_it_would_be_read_and_harms_nowhere() {
    let mark = unique();
    let path = format!("/tenants/acme/invoices?{mark}");
    let host = "acme.shop.example";
    let bearer = MESH.bearer(&accountant(Acme, "acme")).unwrap();
    let in_token = [bearer.as_bytes(), b"\xff"].concat();
    let in_path = [path.as_bytes(), b"\xff\xfe"].concat();
    let plain = |host: &[u8]| Request::get(&path).header("host", host);
    for (what, request, status) in [
        ("authorization", plain(host.as_bytes()).header("authorization", in_token), 401),
        ("host", plain(b"acme\xff.shop.example").header("authorization", bearer.as_str()), 400),
        ("path", Request::new("GET", in_path).header("host", host).header("authorization", bearer.as_str()), 400),
        // Taken out by their names, whatever they hold.
        ("x-partywall-tenant", good(&path).header("x-partywall-tenant", *b"\xc3\x28"), 200),
        ("x-tenant-id", good(&path).header("x-tenant-id", *b"\xff"), 200),
        ("tracestate", good(&path).header("tracestate", *b"pw=\xff"), 200),
        // Not ours to judge: apps may use what HTTP allows (`obs-text`, RFC 9110, section 5.5).
        ("any other header", good(&path).header("x-note", *b"caf\xe9"), 200),
    ] {
        assert_eq!(MESH.ask(&request).unwrap().status, status, "{what}");
        assert_the_vm_lives();
    }
}

#[test]
fn a_byte_that_is_no_text_inside_the_mesh_is_denied() {
    let root = MESH.capture("acme", &accountant(Acme, "acme")).unwrap().root;
    let mark = unique();
    let request = || Request::get(&format!("/orders/{mark}")).header("host", "orders");
    let broken = [root.as_bytes(), b"\xff"].concat();
    let answer = MESH.send(Hop::OrdersInbound, Workload::Invoices, &request().header("x-partywall-context", broken));
    assert_denied(&answer.unwrap(), "context_forged", "root");
    let outbound = request().header("tracestate", *b"pw=\xff\xfe").header("traceparent", *b"\xff");
    let answer = MESH.send(Hop::InvoicesOutbound, Workload::Invoices, &outbound).unwrap();
    assert_denied(&answer, "forbidden", "outbound");
    nothing_arrived(&mark);
    assert_the_vm_lives();
}

#[test]
fn a_repeated_identity_header_is_denied() {
    let mark = unique();
    let path = format!("/invoices/{mark}");
    let bearer = || MESH.bearer(&accountant(Acme, "acme")).unwrap();
    let twice = good(&path).header("authorization", bearer());
    assert_denied(&MESH.ask(&twice).unwrap(), "bad_request", "two tokens");
    let root = MESH.capture("acme", &accountant(Acme, "acme")).unwrap().root;
    let two_roots = Request::get(&format!("/orders/{mark}"))
        .header("host", "orders")
        .header("x-partywall-context", root.as_str())
        .header("x-partywall-context", MESH.forged_root("globex").unwrap());
    let answer = MESH.send(Hop::OrdersInbound, Workload::Invoices, &two_roots).unwrap();
    assert_denied(&answer, "ambiguous_request", "two roots");
    nothing_arrived(&mark);
    assert_the_vm_lives();
}

#[test]
fn two_hosts_in_one_request_are_refused() {
    let mark = unique();
    let answer = MESH.ask(&good(&format!("/invoices/{mark}")).header("host", "globex.shop.example"));
    assert!(answer.is_err() || answer.is_ok_and(|a| a.status == 400));
    let absolute = Request::new("GET", format!("http://globex.shop.example/invoices/{mark}"))
        .header("host", "acme.shop.example")
        .header("authorization", MESH.bearer(&accountant(Acme, "acme")).unwrap());
    assert_denied(&MESH.ask(&absolute).unwrap(), "forbidden", "the absolute form counts, and it is a conflict");
    nothing_arrived(&mark);
}

#[test]
fn a_second_spelling_of_another_tenants_host_is_denied() {
    let mark = unique();
    let bearer = MESH.bearer(&accountant(Acme, "acme")).unwrap();
    for host in [
        "globex.shop.example:1:2",
        "globex.shop.example:",
        "globex.shop.example:x80",
        "globex.shop.example:80x",
        "globex.shop.example:123456",
        "globex.shop.example..",
        "globex..shop.example",
        ".globex.shop.example",
        "x.globex.shop.example",
        "globex.acme.shop.example",
        "[globex.shop.example]",
    ] {
        let path = format!("/invoices/{mark}");
        let request = Request::get(&path).header("host", host).header("authorization", bearer.as_str());
        let answer = MESH.ask(&request).unwrap();
        assert_denied(&answer, "bad_request", host);
        let id = answer.header("x-request-id").unwrap().to_owned();
        let line = MESH.line(|line| line.hop == Hop::Edge && line.field("request_id") == id).unwrap();
        let reason = line.field("reason");
        assert!(["ambiguous_request", "tenant_invalid"].contains(&reason.as_str()), "{host}: {}", line.text());
    }
    nothing_arrived(&mark);
    assert_the_vm_lives();
}

#[test]
fn tokens_that_are_no_tokens_are_denied() {
    let mark = unique();
    let none = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkLmFjbWUuZXhhbXBsZSIsInRlbmFudCI6ImFjbWUifQ.";
    let huge = "a".repeat(32 * 1024);
    for token in ["", ".", "..", "a.b.c", "%00", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", none, &huge] {
        let request = Request::get(&format!("/invoices/{mark}"))
            .header("host", "acme.shop.example")
            .header("authorization", format!("Bearer {token}"));
        let answer = MESH.ask(&request).unwrap();
        assert_eq!(answer.status, 401, "{}: {}", &token[..token.len().min(40)], answer.json());
    }
    nothing_arrived(&mark);
    assert_the_vm_lives();
}

#[test]
fn what_is_no_http_is_refused_by_envoy() {
    for bytes in
        [&b"\x16\x03\x01\x00\x05hello\r\n\r\n"[..], b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n\x00: b\r\n\r\n"]
    {
        let answer = plain(MESH.address(Hop::Edge), bytes);
        assert!(answer.as_ref().is_err() || answer.as_ref().is_ok_and(|a| a.status == 400), "{answer:?}");
    }
    assert_the_vm_lives();
}
