//! Requests that are held until their body is decided on: however it is cut and whatever it is called, no byte of one
//! that is denied arrives at the app.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use anyhow::Result;
use axum::http::{self, HeaderMap};
use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::http2::{self, Tls};
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Connection, Request, Response};
use partywall_integration::roots::Root;
use partywall_integration::running::Running;
use partywall_integration::stand_in;
use partywall_integration::variant::Variant;

const OPERATIONS: &str = r#"
  - { http: "POST /orders", action: "invoices:read", resource: Invoice, owner: body./customer/tenant_id, hold: 4 KiB }
  - { http: "GET /orders", action: "invoices:read", resource: Invoice, owner: body./customer/tenant_id, hold: 4 KiB }
  - { http: "POST /{tenant}/orders", action: "invoices:read", resource: Invoice, owner: [path.tenant, body./tenant], hold: 64 KiB }
  - { http: "POST /batches", action: "invoices:read", resource: Invoice, owner: "body./items/*/tenant", hold: 64 KiB }
  - { http: "POST /deleted", action: "invoices:delete", resource: Invoice, owner: body./tenant, hold: 4 KiB }
  - { http: "POST /plain", action: "invoices:read", resource: Invoice, owner: none }
"#;
const OWN: &str = r#"{"text":"hello","customer":{"tenant_id":"acme"}}"#;
const FOREIGN: &str = r#"{"text":"SECRET","customer":{"tenant_id":"globex"}}"#;

struct Shop {
    mesh: Running,
    seed: Vec<u8>,
}

/// Everything that arrived at the app.
static ARRIVED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("held-requests", &["invoices"]).unwrap();
    variant.append("services/invoices.yaml", OPERATIONS).unwrap();
    // What holding takes is rendered where a service asks for it.
    variant.render().unwrap();
    assert!(variant.text("invoices").unwrap().contains("hold_requests: true"));
    stand_in::connections(variant.site.ports.invoices_app, answer).unwrap();
    let seed = variant.site.signing_seed().unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&[Hop::InvoicesInbound]).unwrap();
    Shop { mesh, seed }
});

/// The app: answers with the body that it got.
fn answer(mut stream: TcpStream) -> Result<()> {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let body = loop {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            return Ok(());
        }
        ARRIVED.lock().unwrap().extend_from_slice(&chunk[..n]);
        got.extend_from_slice(&chunk[..n]);
        if let Some(body) = whole(&got) {
            break body;
        }
    };
    stream.write_all(
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(),
    )?;
    stream.write_all(&body)?;
    Ok(stream.flush()?)
}

/// The body of a request, once all of it is there.
fn whole(got: &[u8]) -> Option<Vec<u8>> {
    let end = got.windows(4).position(|w| w == b"\r\n\r\n")?;
    let (head, mut rest) = (String::from_utf8_lossy(&got[..end]).to_lowercase(), &got[end + 4..]);
    if head.contains("transfer-encoding: chunked") {
        let mut body = Vec::new();
        loop {
            let line = rest.windows(2).position(|w| w == b"\r\n")?;
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
            body.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
            rest = rest.get(line + 2 + size + 2..)?;
            if size == 0 {
                return Some(body);
            }
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    rest.get(..length).map(<[u8]>::to_vec)
}

fn arrived(mark: &str) -> bool {
    // To the end of its line, since one mark may begin as another one does.
    let mark = format!("{mark}\r\n");
    ARRIVED.lock().unwrap().windows(mark.len()).any(|w| w == mark.as_bytes())
}

impl Shop {
    fn head(&self, request: &str, mark: &str, headers: &[(&str, &str)]) -> Request {
        let (method, path) = request.split_once(' ').unwrap();
        let root = Root::of("acme", 0).signed(&self.seed).unwrap();
        let request = Request::new(method, path)
            .header("host", "invoices")
            .header("x-partywall-context", root)
            .header("x-mark", mark.as_bytes());
        headers.iter().fold(request, |request, (name, value)| request.header(name, *value))
    }

    fn connection(&self) -> Connection {
        let site = &self.mesh.site;
        Connection::mutual_tls(site.address(Hop::InvoicesInbound), site.certificates.of(Workload::Edge)).unwrap()
    }

    /// What comes of it, and whether it arrived at the app.
    fn send(&self, request: &str, headers: &[(&str, &str)], pieces: &[&[u8]]) -> Result<(Response, bool)> {
        let mark = unique();
        let mut connection = self.connection();
        connection.send(&self.head(request, &mark, headers).bytes())?;
        for piece in pieces {
            connection.send(piece)?;
            std::thread::sleep(Duration::from_millis(if pieces.len() > 1 { 5 } else { 0 }));
        }
        let answer = connection.receive()?;
        Ok((answer, arrived(&mark)))
    }

    fn post(&self, request: &str, body: &str) -> (Response, bool) {
        let length = body.len().to_string();
        let headers = [("content-type", "application/json"), ("content-length", length.as_str())];
        self.send(request, &headers, &[body.as_bytes()]).unwrap()
    }
}

#[track_caller]
fn passed((answer, arrived): (Response, bool), body: &str) {
    let got = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, got.as_str(), arrived), (200, body, true), "{}", answer.reason());
}

#[track_caller]
fn denied((answer, arrived): (Response, bool), reason: &str) {
    assert_eq!((answer.reason().as_str(), arrived), (reason, false), "{}", answer.status);
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

const CHUNKED: [(&str, &str); 2] = [("content-type", "application/json"), ("transfer-encoding", "chunked")];

#[test]
fn the_body_says_whose_it_is() {
    passed(SHOP.post("POST /orders", OWN), OWN);
    passed(SHOP.post("GET /orders", OWN), OWN);
    denied(SHOP.post("POST /orders", FOREIGN), "resource_foreign");
    for body in [
        r#"{"customer":{"tenant_id":"acme","tenant_id":"globex"}}"#,
        r#"{"customer":{"tenant_id":"globex"},"customer":{"tenant_id":"acme"}}"#,
        r#"{"customer":{"tenant_id":"acme","tenant\u005fid":"globex"}}"#,
        r#"{"customer":{}}"#,
        r#"{"tenant_id":"acme"}"#,
        "{}",
        "",
    ] {
        denied(SHOP.post("POST /orders", body), "resource_foreign");
    }
    for body in [r#"{"customer":{"tenant_id":"acme","Tenant_ID":"globex"}}"#, "tenant_id=acme", r#"{"customer":"#] {
        denied(SHOP.post("POST /orders", body), "ambiguous_request");
    }
    passed(SHOP.post("POST /acme/orders", r#"{"tenant":"acme"}"#), r#"{"tenant":"acme"}"#);
    denied(SHOP.post("POST /acme/orders", r#"{"tenant":"globex"}"#), "resource_foreign");
    denied(SHOP.post("POST /globex/orders", r#"{"tenant":"acme"}"#), "resource_foreign");
    let items = r#"{"items":[{"tenant":"acme"},{"tenant":"acme"}]}"#;
    passed(SHOP.post("POST /batches", items), items);
    denied(SHOP.post("POST /batches", &items.replacen("acme", "globex", 1)), "resource_foreign");
    // A body that is fine makes nothing of a policy that does not permit it.
    denied(SHOP.post("POST /deleted", r#"{"tenant":"acme"}"#), "policy_denied");
    passed(SHOP.post("POST /plain", FOREIGN), FOREIGN);
}

#[test]
fn however_it_is_cut_it_is_read_as_a_whole() {
    for at in 0..FOREIGN.len() {
        let (a, b) = FOREIGN.as_bytes().split_at(at);
        let mut pieces: Vec<Vec<u8>> =
            [a, b].iter().filter(|piece| !piece.is_empty()).map(|piece| chunk(piece)).collect();
        pieces.push(b"0\r\n\r\n".to_vec());
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        denied(SHOP.send("POST /orders", &CHUNKED, &pieces).unwrap(), "resource_foreign");
    }
    let mut pieces: Vec<Vec<u8>> = OWN.as_bytes().chunks(1).map(chunk).collect();
    pieces.push(b"0\r\n\r\n".to_vec());
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    passed(SHOP.send("POST /orders", &CHUNKED, &pieces).unwrap(), OWN);
    // Trailers end a body, too.
    let trailing = [&chunk(OWN.as_bytes())[..], b"0\r\nx-more: yes\r\n\r\n"].concat();
    passed(SHOP.send("POST /orders", &CHUNKED, &[&trailing]).unwrap(), OWN);
    let trailing = [&chunk(FOREIGN.as_bytes())[..], b"0\r\nx-more: yes\r\n\r\n"].concat();
    denied(SHOP.send("POST /orders", &CHUNKED, &[&trailing]).unwrap(), "resource_foreign");
}

#[test]
fn a_body_that_nobody_looks_into_is_denied() {
    let length = OWN.len().to_string();
    let length = ("content-length", length.as_str());
    for headers in [
        &[length][..],
        &[("content-type", "text/plain"), length],
        &[("content-type", "application/x-www-form-urlencoded"), length],
        &[("content-type", "application/json; charset=utf-16"), length],
        &[("content-type", "application/json"), ("content-type", "text/plain"), length],
        &[("content-type", "application/json"), ("content-encoding", "gzip"), length],
    ] {
        denied(SHOP.send("POST /orders", headers, &[OWN.as_bytes()]).unwrap(), "ambiguous_request");
    }
    for content_type in ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.shop.v1+json"] {
        let headers = [("content-type", content_type), length];
        passed(SHOP.send("POST /orders", &headers, &[OWN.as_bytes()]).unwrap(), OWN);
    }
    denied(SHOP.send("POST /orders", &[("content-type", "application/json")], &[]).unwrap(), "resource_foreign");
    denied(SHOP.send("GET /orders", &[], &[]).unwrap(), "ambiguous_request");
}

#[test]
fn more_than_is_held_is_denied_at_once() {
    let large = format!(r#"{{"text":"{}","customer":{{"tenant_id":"acme"}}}}"#, "x".repeat(5_000));
    denied(SHOP.post("POST /orders", &large), "ambiguous_request");
    // The length alone is enough: nobody waits for what is denied anyway.
    let headers = [("content-type", "application/json"), ("content-length", "4097")];
    denied(SHOP.send("POST /orders", &headers, &[]).unwrap(), "ambiguous_request");
    let pieces: Vec<Vec<u8>> = large.as_bytes().chunks(1_000).map(chunk).collect();
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    denied(SHOP.send("POST /orders", &CHUNKED, &pieces).unwrap(), "ambiguous_request");
    let just = format!(r#"{{"text":"{}","customer":{{"tenant_id":"acme"}}}}"#, "x".repeat(4_096 - 43));
    assert_eq!(just.len(), 4_096);
    passed(SHOP.post("POST /orders", &just), &just);
}

#[test]
fn what_is_denied_by_its_head_waits_for_no_body() {
    let headers = [("content-type", "application/json"), ("content-length", "20")];
    denied(SHOP.send("POST /globex/orders", &headers, &[]).unwrap(), "resource_foreign");
    denied(SHOP.send("POST /deleted", &headers, &[]).unwrap(), "policy_denied");
}

#[test]
fn a_body_that_does_not_end_goes_nowhere() {
    let mark = unique();
    let mut connection = SHOP.connection();
    let headers = [("content-type", "application/json"), ("content-length", "60")];
    connection.send(&SHOP.head("POST /orders", &mark, &headers).bytes()).unwrap();
    connection.send(OWN.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(!arrived(&mark), "nothing of it goes on before its end");
    drop(connection);
    // Others go on meanwhile and after.
    passed(SHOP.post("POST /orders", OWN), OWN);
    assert!(!arrived(&mark));
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    for (body, status) in [(OWN, 200), (FOREIGN, 403)] {
        let mark = unique();
        let length = body.len().to_string();
        let headers =
            [("content-type", "application/json"), ("content-length", length.as_str()), ("expect", "100-continue")];
        let mut connection = SHOP.connection();
        connection.send(&SHOP.head("POST /orders", &mark, &headers).bytes()).unwrap();
        assert_eq!(connection.receive().unwrap().status, 100);
        assert!(!arrived(&mark));
        connection.send(body.as_bytes()).unwrap();
        let answer = connection.receive().unwrap();
        assert_eq!((answer.status, arrived(&mark)), (status, status == 200), "{}", answer.reason());
    }
}

#[test]
fn http2_is_held_as_well() {
    let site = &SHOP.mesh.site;
    let to = site.address(Hop::InvoicesInbound);
    let ask = |body: &[&[u8]], trailers: Option<HeaderMap>| {
        let mark = unique();
        let root = Root::of("acme", 0).signed(&SHOP.seed).unwrap();
        let request = http::Request::post("https://invoices/orders")
            .header("x-partywall-context", root)
            .header("x-mark", &mark)
            .header("content-type", "application/json");
        let client = Some(site.certificates.of(Workload::Edge).for_rustls());
        let tls = Tls { sni: Some("sidecar.invalid"), client };
        let answer = http2::send(to, Some(tls), request.body(()).unwrap(), body, trailers).unwrap();
        (answer.status, answer.header("x-partywall-reason"), arrived(&mark))
    };
    let trailers = || Some(HeaderMap::from_iter([(http::HeaderName::from_static("x-more"), "yes".parse().unwrap())]));
    let (own, foreign) = (OWN.as_bytes(), FOREIGN.as_bytes());
    assert_eq!(ask(&[own], None), (200, String::new(), true));
    assert_eq!(ask(&[&own[..9], &own[9..]], trailers()), (200, String::new(), true));
    for (body, trailers) in [(vec![foreign], None), (vec![&foreign[..9], &foreign[9..]], trailers())] {
        assert_eq!(ask(&body, trailers), (403, "resource_foreign".into(), false));
    }
    assert_eq!(ask(&[&[b'x'; 8192]], None).1, "ambiguous_request");
}

#[test]
fn the_log_says_whose_it_was_and_nothing_of_the_body() {
    let mark = unique();
    let length = OWN.len().to_string();
    let headers =
        [("content-type", "application/json"), ("content-length", length.as_str()), ("x-request-id", mark.as_str())];
    let (answer, _) = SHOP.send("POST /orders", &headers, &[OWN.as_bytes()]).unwrap();
    assert_eq!(answer.status, 200);
    let line = SHOP.mesh.line(Hop::InvoicesInbound, &mark).unwrap();
    assert!(line.field("explain").contains(r#""owner":"t1_"#), "{}", line.text());
    assert!(!line.text().contains("hello") && !line.text().contains("acme"), "{}", line.text());
}
