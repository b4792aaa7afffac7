//! What a service answers is shown as long as its dataset allows: by the time that the app's response tells.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Response;
use partywall_integration::running::Running;
use partywall_integration::stand_in;
use partywall_integration::variant::Variant;

const DATASETS: &str = "
datasets:
  - { dataset: invoices, retention: { age: 1h, header: last-modified } }
  - { dataset: order-figures, purposes: [analytics] }
";

struct Shop {
    mesh: Running,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let variant = Variant::prepare("retention", &["edge", "invoices"]).unwrap();
    fs::write(variant.tenancy("datasets.yaml"), DATASETS).unwrap();
    let operation = |http: &str| {
        let rest = r#"action: "invoices:read", resource: Invoice, owner: path.tenant, dataset: invoices"#;
        format!("  - {{ http: \"{http}\", {rest} }}\n")
    };
    let operations = ["GET /tenants/{tenant}/invoices/old/{id}", "POST /tenants/{tenant}/invoices/old/{id}"];
    variant.append("services/invoices.yaml", &operations.map(operation).concat()).unwrap();
    stand_in::connections(variant.site.ports.invoices_app, answer).unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound]).unwrap();
    Shop { mesh }
});

/// The app: answers with the status and the header lines that `x-head` of the request holds, `~` for a line end.
fn answer(mut stream: TcpStream) -> Result<()> {
    let Some(request) = stand_in::head(&mut stream)? else { return Ok(()) };
    let head = request.lines().find_map(|line| line.strip_prefix("x-head: ")).unwrap_or("200 OK");
    let head = head.replace('~', "\r\n");
    stream.write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 6\r\n\r\nSECRET").as_bytes())?;
    Ok(stream.flush()?)
}

/// The time so many seconds ago, in RFC 3339.
fn ago(seconds: u64) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - seconds;
    let (mut days, rest) = (since / 86_400, since % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1, days + 1)
}

impl Shop {
    fn ask(&self, method: &str, head: &str, id: &str) -> Response {
        let path = format!("{method} /tenants/acme/invoices/old/{id}");
        self.mesh.ask_invoices(&path, &[("x-request-id", id), ("x-head", head)]).unwrap()
    }

    fn read(&self, head: &str) -> Response {
        self.ask("GET", head, &unique())
    }
}

#[track_caller]
fn shown(answer: &Response) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, &*body), (200, "SECRET"));
}

#[track_caller]
fn gone(answer: &Response) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, answer.reason().as_str()), (410, "retention"), "{body}");
    assert!(!body.contains("SECRET"), "{body}");
}

#[test]
fn what_is_young_enough_is_shown_and_nothing_else() {
    shown(&SHOP.read(&format!("200 OK~last-modified: {}", ago(60))));
    shown(&SHOP.read(&format!("200 OK~Last-Modified: {}", ago(3_500))));
    gone(&SHOP.read(&format!("200 OK~last-modified: {}", ago(3_700))));
    gone(&SHOP.read("200 OK~last-modified: Sun, 06 Nov 1994 08:49:37 GMT"));
    shown(&SHOP.read("200 OK~last-modified: Wed, 06 Nov 2999 08:49:37 GMT"));
    gone(&SHOP.read("206 Partial Content~last-modified: Sun, 06 Nov 1994 08:49:37 GMT"));
}

#[test]
fn what_does_not_tell_its_age_is_not_shown() {
    gone(&SHOP.read("200 OK"));
    gone(&SHOP.read("200 OK~last-modified: yesterday"));
    gone(&SHOP.read(&format!("200 OK~last-modified: {0}~last-modified: {0}", ago(60))));
}

#[test]
fn errors_and_writes_show_no_object() {
    let error = SHOP.read("404 Not Found");
    assert_eq!((error.status, String::from_utf8_lossy(&error.body).into_owned()), (404, "SECRET".to_owned()));
    let written = SHOP.ask("POST", "200 OK", &unique());
    shown(&written);
}

#[test]
fn it_is_logged_counted_and_told_at_the_edge() {
    let id = unique();
    gone(&SHOP.ask("GET", "200 OK", &id));
    let line = SHOP.mesh.line(Hop::InvoicesInbound, &id).unwrap();
    assert_eq!((line.field("decision").as_str(), line.field("reason").as_str()), ("deny", "retention"));
    let counted =
        SHOP.mesh.envoy("invoices").unwrap().metric("partywall_authorization_outlived_total", &[("role", "inbound")]);
    assert!(counted.unwrap() >= 1.0);
    let answer = SHOP.mesh.client("acme", "/tenants/acme/invoices/old/1").unwrap();
    let body = String::from_utf8_lossy(&answer.body);
    assert!(answer.status == 410 && body.contains("\"gone\"") && !body.contains("SECRET"), "{} {body}", answer.status);
}
