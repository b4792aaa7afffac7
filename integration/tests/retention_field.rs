//! Each element of a list is shown as long as its dataset allows: by the time that stands in it, in a real sidecar.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Response;
use partywall_integration::running::Running;
use partywall_integration::stand_in;
use partywall_integration::variant::Variant;

const DATASETS: &str = "
datasets:
  - { dataset: invoices, retention: { age: 1h } }
  - { dataset: figures, retention: { age: 1h, header: last-modified } }
  - { dataset: order-figures, purposes: [analytics] }
";

/// A route that fills in a dataset, before the one that leads everywhere.
const ROUTE: &str =
    "                        - match: { prefix: / }\n                          route: { cluster: app, timeout: 15s }\n";
const SAYS: &str = "                        - match: { prefix: /routed }\n                          route: { cluster: app, timeout: 15s }\n                          metadata: { filter_metadata: { partywall: { dataset: invoices } } }\n";

struct Shop {
    mesh: Running,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("retention-field", &["invoices"]).unwrap();
    fs::write(variant.tenancy("datasets.yaml"), DATASETS).unwrap();
    let operation = |path: &str, dataset: &str, response: &str| {
        let rest = format!(r#"action: "invoices:read", resource: Invoice, owner: none, dataset: {dataset}"#);
        format!("  - {{ http: \"GET {path}\", {rest}, response: {{ {response} }} }}\n")
    };
    let operations = [
        operation("/aged/denied/{id}", "invoices", "since: /items/*/at"),
        operation("/aged/held/{id}", "invoices", "since: /items/*/at, hold: 64 KiB"),
        operation("/aged/dropped/{id}", "invoices", "since: /items/*/at, outlived: drop, hold: 64 KiB"),
        operation("/aged/masked/{id}", "figures", "since: /items/*/at, outlived: mask"),
        operation("/aged/lines/{id}", "invoices", "since: /at, format: ndjson, outlived: drop"),
        operation(
            "/aged/owned/{id}",
            "invoices",
            "owner: /items/*/tenant, foreign: drop, since: /items/*/at, hold: 64 KiB",
        ),
    ];
    let routed = |method: &str| {
        let rest = r#"action: "invoices:read", resource: Invoice, owner: none"#;
        format!("  - {{ http: \"{method} /routed/{{id}}\", {rest} }}\n")
    };
    let routed = [routed("GET"), routed("HEAD"), routed("POST")].concat();
    variant.append("services/invoices.yaml", &format!("{}{routed}routes: fill\n", operations.concat())).unwrap();
    variant.envoy("invoices", ROUTE, &format!("{SAYS}{ROUTE}")).unwrap();
    // Holding a head back is for listeners that say so.
    variant.holds_responses("invoices").unwrap();
    stand_in::connections(variant.site.ports.invoices_app, answer).unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&[Hop::InvoicesInbound]).unwrap();
    Shop { mesh }
});

/// The app: answers with what `x-say` of the request holds, `~` for a line end, with the status `x-status`, compressed
/// where there is `x-fold`. It tells which conditions it was asked under.
fn answer(mut stream: TcpStream) -> Result<()> {
    let Some(request) = stand_in::head(&mut stream)? else { return Ok(()) };
    let header = |name: &str| request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let status = header("x-status").unwrap_or("200 OK");
    let mut body = header("x-say").unwrap_or_default().replace('~', "\n").into_bytes();
    let asked = [header("if-none-match"), header("if-modified-since")].iter().flatten().count();
    let mut head = format!("HTTP/1.1 {status}\r\nx-conditions: {asked}\r\nconnection: close\r\n");
    if header("x-fold").is_some() {
        body = gzip(&body);
        head.push_str("content-encoding: gzip\r\n");
    }
    if !status.starts_with("304") {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if !status.starts_with("304") {
        stream.write_all(&body)?;
    }
    Ok(stream.flush()?)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut crc = !0_u32;
    for byte in body {
        crc ^= u32::from(*byte);
        (0..8).for_each(|_| crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 });
    }
    let deflated = miniz_oxide::deflate::compress_to_vec(body, 6);
    let head = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    [&head, &deflated[..], &(!crc).to_le_bytes(), &(body.len() as u32).to_le_bytes()].concat()
}

/// So many seconds ago, in seconds since 1970.
fn ago(seconds: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - seconds
}

fn young() -> String {
    format!(r#"{{"tenant":"acme","at":{}.5}}"#, ago(3_000))
}

fn old() -> String {
    format!(r#"{{"n":"SECRET","tenant":"acme","at":{}}}"#, ago(4_000))
}

/// As old, told in words.
const LONG_AGO: &str = r#"{"n":"SECRET","at":"2020-02-29T23:59:59.25+01:00"}"#;

fn items(elements: &[&str]) -> String {
    format!(r#"{{"items":[{}],"next":null}}"#, elements.join(","))
}

impl Shop {
    fn say(&self, path: &str, body: &str) -> Result<Response> {
        self.mesh.ask_invoices(path, &[("x-say", body)])
    }

    /// Waits until it is counted: elements are when the stream is over.
    #[track_caller]
    fn counts(&self, metric: &str, labels: &[(&str, &str)]) {
        for _ in 0..100 {
            let counted = self.mesh.envoy("invoices").unwrap().metric(metric, labels);
            if counted.unwrap_or_default() >= 1.0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{metric} {labels:?} is not counted");
    }
}

#[track_caller]
fn shown(answer: &Response, body: &str) {
    assert_eq!((answer.status, &*String::from_utf8_lossy(&answer.body)), (200, body));
}

#[track_caller]
fn gone(answer: &Response) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, answer.reason().as_str()), (410, "retention"), "{body}");
    assert!(!body.contains("SECRET"), "{body}");
}

#[test]
fn what_is_young_leaves_byte_by_byte() {
    let clean = items(&[&young(), r#"{"at":"2999-01-01T00:00:00Z" }"#]);
    for path in ["denied", "held", "dropped", "masked"] {
        // The dataset of one has a header, which need not be there where the body tells.
        shown(&SHOP.say(&format!("/aged/{path}/1"), &clean).unwrap(), &clean);
    }
}

#[test]
fn a_list_with_an_old_element_is_denied() {
    for element in [old(), LONG_AGO.to_owned()] {
        gone(&SHOP.say("/aged/held/1", &items(&[&young(), &element])).unwrap());
        // The head has left; nothing of the element does.
        let broken = SHOP.say("/aged/denied/1", &items(&[&young(), &element]));
        assert!(broken.is_err() || !String::from_utf8_lossy(&broken.unwrap().body).contains("SECRET"));
    }
}

#[test]
fn what_does_not_tell_its_age_is_denied() {
    let milliseconds = format!(r#"{{"n":"SECRET","at":{}000}}"#, ago(0));
    for element in [r#"{"n":"SECRET"}"#, r#"{"n":"SECRET","at":null}"#, r#"{"n":"SECRET","at":"new"}"#, &milliseconds] {
        gone(&SHOP.say("/aged/held/1", &items(&[element])).unwrap());
        gone(&SHOP.say("/aged/dropped/1", &items(&[&young(), element])).unwrap());
    }
}

#[test]
fn an_old_element_is_left_out_or_masked() {
    let (first, last) = (young(), young());
    let mixed = items(&[&old(), &first, LONG_AGO, &last]);
    shown(&SHOP.say("/aged/dropped/1", &mixed).unwrap(), &items(&[&first, &last]));
    shown(&SHOP.say("/aged/masked/1", &mixed).unwrap(), &items(&["null", &first, "null", &last]));
    let lines = SHOP.say("/aged/lines/1", &format!("{first}~{LONG_AGO}~{last}~")).unwrap();
    shown(&lines, &format!("{first}\n{last}\n"));
}

#[test]
fn what_comes_compressed_is_judged_alike() {
    let first = young();
    let dropped =
        SHOP.mesh.ask_invoices("/aged/dropped/1", &[("x-say", &items(&[&first, &old()])), ("x-fold", "1")]).unwrap();
    shown(&dropped, &items(&[&first]));
    assert_eq!(dropped.header("content-encoding"), None);
    gone(&SHOP.mesh.ask_invoices("/aged/held/1", &[("x-say", &items(&[&first, &old()])), ("x-fold", "1")]).unwrap());
}

#[test]
fn owners_are_judged_first() {
    let first = young();
    let foreign = r#"{"n":"SECRET","tenant":"globex"}"#;
    shown(&SHOP.say("/aged/owned/1", &items(&[foreign, &first])).unwrap(), &items(&[&first]));
    gone(&SHOP.say("/aged/owned/1", &items(&[foreign, &old()])).unwrap());
}

#[test]
fn nobody_asks_whether_it_changed() {
    let clean = items(&[&young()]);
    let conditions = [("if-none-match", "\"a\""), ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let whole = SHOP.mesh.ask_invoices("/aged/held/1", &[&conditions[..], &[("x-say", &clean)]].concat()).unwrap();
    shown(&whole, &clean);
    assert_eq!(whole.header("x-conditions"), Some("0"));
    gone(&SHOP.mesh.ask_invoices("/aged/held/1", &[("x-status", "304 Not Modified")]).unwrap());
    let error = SHOP.mesh.ask_invoices("/aged/held/1", &[("x-status", "404 Not Found"), ("x-say", "SECRET")]).unwrap();
    assert_eq!((error.status, &*error.body), (404, &b""[..]));
}

#[test]
fn what_a_route_fills_in_is_denied_where_nobody_looks_for_its_age() {
    let clean = items(&[&young()]);
    gone(&SHOP.say("/routed/1", &clean).unwrap());
    gone(&SHOP.mesh.ask_invoices("/routed/1", &[("x-status", "304 Not Modified")]).unwrap());
    assert_eq!(SHOP.say("HEAD /routed/1", &clean).unwrap().status, 410);
    let error =
        SHOP.mesh.ask_invoices("/routed/1", &[("x-status", "404 Not Found"), ("x-say", "no such thing")]).unwrap();
    assert_eq!((error.status, &*error.body), (404, &b"no such thing"[..]));
    // What is written is not asked.
    shown(&SHOP.say("POST /routed/1", &clean).unwrap(), &clean);
}

#[test]
fn it_is_logged_and_counted() {
    let id = unique();
    gone(&SHOP.mesh.ask_invoices("/aged/held/1", &[("x-request-id", &id), ("x-say", &items(&[&old()]))]).unwrap());
    let line = SHOP.mesh.line(Hop::InvoicesInbound, &id).unwrap();
    assert_eq!((line.field("decision").as_str(), line.field("reason").as_str()), ("deny", "retention"));
    SHOP.counts("partywall_guard_denials_total", &[("reason", "outlived"), ("role", "inbound")]);
    shown(&SHOP.say("/aged/dropped/1", &items(&[&old()])).unwrap(), &items(&[]));
    SHOP.counts("partywall_guard_elements_total", &[("outcome", "outlived")]);
}
