//! The app that forgot `WHERE tenant_id = ?`: what it answers goes through a real sidecar, which lets out what is the
//! tenant's own, byte by byte, and nothing of another's.

use std::io::Write;
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Response;
use partywall_integration::running::Running;
use partywall_integration::stand_in;
use partywall_integration::variant::Variant;

/// What the sample says of an invoice, and what it says here.
const OPERATION: &str =
    r#"  - { http: "GET /invoices/{id}", action: "invoices:read", resource: Invoice, id: id, owner: none }"#;

struct Shop {
    mesh: Running,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("guard", &["invoices"]).unwrap();
    let operation = |path: &str, response: &str| {
        let rest = r#"action: "invoices:read", resource: Invoice, owner: none"#;
        format!("  - {{ http: \"{path}\", {rest}, response: {{ {response} }} }}\n")
    };
    let items = "owner: /items/*/tenant, element_cap: 64 KiB";
    let operations = [
        operation("GET /streamed/{id}", items),
        operation("HEAD /streamed/{id}", items),
        operation("GET /held/{id}", &format!("{items}, hold: 64 KiB")),
        operation("GET /dropped/{id}", &format!("{items}, foreign: drop, hold: 4 KiB")),
        operation("GET /masked/{id}", &format!("{items}, foreign: mask")),
        operation("GET /reported/{id}", &format!("{items}, foreign: report")),
        operation("GET /passing/{id}", &format!("{items}, errors: pass")),
        operation("GET /lines/{id}", "owner: /tenant, format: ndjson, foreign: drop"),
        operation("GET /events/{id}", "owner: /tenant, format: sse"),
        operation("GET /header/{id}", "owner: header.x-owner"),
    ];
    variant.replace("services/invoices.yaml", OPERATION, &(operations.concat() + OPERATION)).unwrap();
    // Holding a head back is for listeners that say so.
    variant.holds_responses("invoices").unwrap();
    stand_in::connections(variant.site.ports.invoices_app, answer).unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&[Hop::InvoicesInbound]).unwrap();
    Shop { mesh }
});

/// The app: answers with what the header `x-say` of the request holds, `|` between pieces that are sent apart and `~`
/// for a line end. `@N` is a list of that many large elements, the last one another tenant's; `#N` as many letters.
fn answer(mut stream: TcpStream) -> Result<()> {
    let Some(request) = stand_in::head(&mut stream)? else { return Ok(()) };
    let header = |name: &str| {
        let value = request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_default().to_owned()
    };
    let head = header("x-head").replace('~', "\r\n");
    let seen = format!("{}/{}", header("range"), header("accept-encoding"));
    let body = header("x-say").replace('~', "\n");
    let status = if head.is_empty() { "HTTP/1.1 200 OK\r\ncontent-type: application/json".to_owned() } else { head };
    let mut out = format!("{status}\r\nx-asked: {seen}\r\nconnection: close\r\n");
    if !header("x-fold").is_empty() {
        let bomb = body.strip_prefix('#').and_then(|number| number.parse().ok());
        let body = bomb.map_or(body, |number| format!("{{\"items\":[],\"x\":\"{}\"}}", "x".repeat(number)));
        let folded = fold(&header("x-fold"), body.as_bytes());
        out.push_str(&format!("content-length: {}\r\n\r\n", folded.len()));
        stream.write_all(out.as_bytes())?;
        for part in folded.chunks(folded.len() / 3 + 1) {
            stream.write_all(part)?;
            stream.flush()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    } else if header("x-length").is_empty() {
        out.push_str("transfer-encoding: chunked\r\n\r\n");
        stream.write_all(out.as_bytes())?;
        for piece in body.split('|') {
            let piece = match (piece.strip_prefix('@'), piece.strip_prefix('#')) {
                (Some(number), _) => many(number.parse()?),
                (_, Some(number)) => "x".repeat(number.parse()?),
                _ => piece.to_owned(),
            };
            for part in piece.as_bytes().chunks(16 * 1024) {
                stream.write_all(format!("{:x}\r\n", part.len()).as_bytes())?;
                stream.write_all(part)?;
                stream.write_all(b"\r\n")?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        stream.write_all(b"0\r\n\r\n")?;
    } else {
        out.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(out.as_bytes())?;
    }
    Ok(stream.flush()?)
}

/// As apps that compress whether they are asked or not send it.
fn fold(coding: &str, body: &[u8]) -> Vec<u8> {
    match coding {
        "deflate" => miniz_oxide::deflate::compress_to_vec_zlib(body, 6),
        "raw" => miniz_oxide::deflate::compress_to_vec(body, 6),
        _ => {
            let mut crc = !0_u32;
            for byte in body {
                crc ^= u32::from(*byte);
                (0..8).for_each(|_| crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 });
            }
            let crc = if coding == "damaged" { crc } else { !crc };
            let deflated = miniz_oxide::deflate::compress_to_vec(body, 6);
            let head = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
            [&head, &deflated[..], &crc.to_le_bytes(), &(body.len() as u32).to_le_bytes()].concat()
        }
    }
}

fn many(number: usize) -> String {
    let own = format!(r#"{{"text":"{}","tenant":"acme"}}"#, "x".repeat(10_000));
    format!("{{\"items\":[{},{}]}}", vec![own; number].join(","), foreign())
}

fn own(n: usize) -> String {
    format!(r#"{{"n":{n},"tenant":"acme"}}"#)
}

fn foreign() -> String {
    r#"{"n":"SECRET","tenant":"globex"}"#.to_owned()
}

fn items(elements: &[String]) -> String {
    format!(r#"{{"items":[{}],"next":null}}"#, elements.join(","))
}

impl Shop {
    fn say(&self, path: &str, body: &str) -> Result<Response> {
        self.mesh.ask_invoices(path, &[("x-say", body)])
    }
}

/// An answer of the sidecar's own, with this reason, and nothing of what the app said.
fn denied(answer: &Response, reason: &str) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, answer.reason().as_str()), (502, reason), "{body}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(!body.contains("SECRET") && !body.contains("globex"), "{body}");
}

fn shown(answer: &Response) -> (u16, String) {
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn what_is_the_tenants_own_leaves_byte_by_byte() {
    let clean = items(&[own(1), own(2)]);
    let cut = clean.replace(',', "|,").replace("ten", "te|n");
    for path in ["/streamed/1", "/held/1", "/dropped/1", "/masked/1", "/reported/1", "/passing/1"] {
        for body in [clean.as_str(), cut.as_str(), r#"{"items":[]}"#, r#"{"it\u0065ms":[{"ten\u0061nt":"\u0061cme"}]}"#]
        {
            let answer = SHOP.say(path, body).unwrap();
            assert_eq!(shown(&answer), (200, body.replace('|', "")), "{path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
        let whole = SHOP.mesh.ask_invoices(path, &[("x-say", &clean), ("x-length", "1")]).unwrap();
        assert_eq!(shown(&whole), (200, clean.clone()), "{path}");
    }
}

#[test]
fn a_foreign_element_is_denied_before_any_byte_where_the_response_is_held() {
    let escaped = r#"{"items":[{"n":"SECRET","ten\u0061nt":"globex"}]}"#;
    let twice = r#"{"items":[{"tenant":"acme","n":"SECRET","tenant":"globex"}]}"#;
    for body in [&items(&[own(1), foreign()]), &items(&[own(1), foreign()]).replace(',', "|,"), escaped, twice] {
        denied(&SHOP.say("/held/1", body).unwrap(), "response_foreign");
    }
    for body in
        [r#"{"items":[{"n":"SECRET"}]}"#, r#"{"items":[{"tenant":null}]}"#, "SECRET", r#"{"items":["#, "[]", "{}"]
    {
        denied(&SHOP.say("/held/1", body).unwrap(), "response_unclear");
    }
    let large = "{\"items\":[{\"text\":\"|#70000|\",\"tenant\":\"acme\"}]}";
    denied(&SHOP.say("/held/1", large).unwrap(), "response_unclear");
}

#[test]
fn where_bytes_have_left_the_response_breaks_off() {
    let body = items(&[own(1), "|".into(), foreign()]).replace(",|,", "|,");
    let broken = SHOP.say("/streamed/1", &body);
    assert!(broken.is_err(), "a client must not take it for whole: {:?}", broken.map(|a| shown(&a)));
    // More than is held, and the foreign one last.
    let broken = SHOP.say("/held/1", "@20");
    assert!(broken.is_err(), "a client must not take it for whole: {:?}", broken.map(|a| a.status));
    // The next request is another one.
    assert_eq!(SHOP.say("/streamed/1", &items(&[own(1)])).unwrap().status, 200);
}

#[test]
fn a_foreign_element_is_left_out_masked_or_reported() {
    let body = items(&[foreign(), own(1), foreign(), own(2)]);
    for body in [body.clone(), body.replace(',', "|,"), body.replace("ten", "te|n")] {
        let answer = SHOP.say("/dropped/1", &body).unwrap();
        assert_eq!(shown(&answer), (200, items(&[own(1), own(2)])));
        let answer = SHOP.say("/masked/1", &body).unwrap();
        assert_eq!(shown(&answer), (200, items(&["null".into(), own(1), "null".into(), own(2)])));
        let answer = SHOP.say("/reported/1", &body).unwrap();
        assert_eq!(shown(&answer), (200, body.replace('|', "")));
    }
    let head = "HTTP/1.1 200 OK~etag: \"1\"~content-digest: sha-256=:AAAA:";
    let answer =
        SHOP.mesh.ask_invoices("/dropped/1", &[("x-say", &body), ("x-head", head), ("x-length", "1")]).unwrap();
    assert_eq!(shown(&answer), (200, items(&[own(1), own(2)])));
    assert_eq!((answer.header("etag"), answer.header("content-digest")), (None, None));
    let kept = SHOP.mesh.ask_invoices("/streamed/1", &[("x-say", &items(&[own(1)])), ("x-head", head)]).unwrap();
    assert_eq!(kept.header("etag"), Some("\"1\""));
}

#[test]
fn lines_and_events_are_judged_one_by_one() {
    let lines = SHOP.say("/lines/1", &format!("{}~{}|~{}", own(1), foreign(), own(2))).unwrap();
    assert_eq!(shown(&lines), (200, format!("{}\n{}", own(1), own(2))));
    let events = format!("event: x~data: {}~~: ping~~", own(1));
    assert_eq!(shown(&SHOP.say("/events/1", &events).unwrap()), (200, events.replace('~', "\n")));
    assert!(SHOP.say("/events/1", &format!("data: {}~~|data: {}~~", own(1), foreign())).is_err());
}

#[test]
fn what_an_app_compressed_leaves_plainly() {
    let clean = items(&[own(1), own(2)]);
    let say = |path: &str, body: &str, fold: &str, coding: &str| {
        let head = format!("HTTP/1.1 200 OK~content-encoding: {coding}~etag: \"1\"~content-digest: sha-256=:AAAA:");
        SHOP.mesh.ask_invoices(path, &[("x-say", body), ("x-fold", fold), ("x-head", &head)])
    };
    for (fold, coding) in [("gzip", "gzip"), ("gzip", "x-gzip"), ("deflate", "deflate"), ("raw", "deflate")] {
        for path in ["/streamed/1", "/held/1", "/masked/1"] {
            let answer = say(path, &clean, fold, coding).unwrap();
            assert_eq!(shown(&answer), (200, clean.clone()), "{path} {fold}");
            assert_eq!((answer.header("content-encoding"), answer.header("content-digest")), (None, None));
            assert_eq!(answer.header("etag"), if path == "/masked/1" { None } else { Some("W/\"1\"") });
        }
        denied(&say("/held/1", &items(&[own(1), foreign()]), fold, coding).unwrap(), "response_foreign");
        let dropped = say("/dropped/1", &items(&[foreign(), own(1)]), fold, coding).unwrap();
        assert_eq!(shown(&dropped), (200, items(&[own(1)])));
        assert!(say("/streamed/1", "#16000000", fold, coding).is_err(), "a bomb: {fold}");
    }
    denied(&say("/held/1", &clean, "damaged", "gzip").unwrap(), "response_unclear");
    denied(&say("/held/1", &clean, "gzip", "deflate").unwrap(), "response_unclear");
    denied(&say("/held/1", &clean, "gzip", "gzip, gzip").unwrap(), "response_unclear");
    let broken = say("/streamed/1", &clean, "damaged", "gzip");
    assert!(broken.is_err(), "a client must not take it for whole: {:?}", broken.map(|a| shown(&a)));
}

#[test]
fn the_head_is_judged_too() {
    let clean = items(&[own(1)]);
    let head = |head: &str| SHOP.mesh.ask_invoices("/streamed/1", &[("x-say", &clean), ("x-head", head)]).unwrap();
    for bad in [
        "HTTP/1.1 206 Partial Content~content-range: bytes 0-1/2",
        "HTTP/1.1 200 OK~content-encoding: br",
        "HTTP/1.1 200 OK~content-type: multipart/mixed; boundary=x",
    ] {
        denied(&head(bad), "response_unclear");
    }
    denied(&head("HTTP/1.1 303 See Other~location: /tenants/globex/invoices"), "response_foreign");
    assert_eq!(head("HTTP/1.1 303 See Other~location: /tenants/acme/invoices").status, 303);
    for elsewhere in [
        "location: ../tenants/globex",
        "location: /tenants/acme/%2e%2e/globex/invoices",
        "location: https://globex.shop.example/",
        "content-location: /tenants/globex",
        "set-cookie: a=b; Path=/tenants/globex",
        "set-cookie: x=y~set-cookie: a=b; Domain=globex.shop.example; Secure",
    ] {
        denied(&head(&format!("HTTP/1.1 200 OK~{elsewhere}")), "response_foreign");
    }
    denied(&head("HTTP/1.1 303 See Other~location: https:globex"), "response_unclear");
    for here in [
        "location: https://acme.shop.example/tenants/acme",
        "location: https://login.shop.example/",
        "set-cookie: a=b; Path=/tenants/acme; Domain=acme.shop.example",
        "set-cookie: a=b; Domain=shop.example",
    ] {
        assert_eq!(head(&format!("HTTP/1.1 200 OK~{here}")).status, 200, "{here}");
    }

    let asked =
        SHOP.mesh.ask_invoices("/streamed/1", &[("x-say", &clean), ("range", "bytes=0-1"), ("accept-encoding", "br")]);
    assert_eq!(asked.unwrap().header("x-asked"), Some("/identity"), "the app is asked for all, and plainly");

    let error = |path: &str| {
        let said = [("x-say", "{\"who\":\"globex SECRET\"}"), ("x-head", "HTTP/1.1 404 Not Found~etag: \"SECRET\"")];
        SHOP.mesh.ask_invoices(path, &said).unwrap()
    };
    assert_eq!(shown(&error("/streamed/1")), (404, String::new()));
    assert_eq!(shown(&error("/passing/1")), (404, "{\"who\":\"globex SECRET\"}".into()));

    let owner = |owner: &str| {
        let head = format!("HTTP/1.1 200 OK~{owner}");
        SHOP.mesh.ask_invoices("/header/1", &[("x-say", "anything"), ("x-head", &head)]).unwrap()
    };
    assert_eq!(shown(&owner("x-owner: acme")), (200, "anything".into()));
    denied(&owner("x-owner: acme~x-owner: globex"), "response_foreign");
    denied(&owner("x-other: acme"), "response_unclear");
    let empty = SHOP.mesh.ask_invoices("HEAD /streamed/1", &[("x-length", "1")]).unwrap();
    assert_eq!(empty.status, 200);
}

#[test]
fn it_is_logged_and_counted() {
    let id = unique();
    let answer = SHOP.mesh.ask_invoices("/held/1", &[("x-say", &items(&[foreign()])), ("x-request-id", &id)]).unwrap();
    denied(&answer, "response_foreign");
    let line = SHOP.mesh.line(Hop::InvoicesInbound, &id).unwrap();
    assert_eq!((line.field("decision").as_str(), line.field("reason").as_str()), ("deny", "response_foreign"));
    assert!(line.field("detail").contains("another tenant"), "{}", line.field("detail"));
    SHOP.say("/dropped/1", &items(&[foreign(), own(1)])).unwrap();
    let envoy = SHOP.mesh.envoy("invoices").unwrap();
    let dropped = envoy.metric("partywall_guard_elements_total", &[("outcome", "dropped")]).unwrap();
    let denials = envoy.metric("partywall_guard_denials_total", &[("reason", "foreign"), ("role", "inbound")]).unwrap();
    assert!(dropped >= 1.0 && denials >= 1.0, "{dropped} {denials}");
}
