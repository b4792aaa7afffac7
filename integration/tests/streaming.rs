//! Bodies that stream both ways at once, a client that waits for `100 Continue`, and CONNECT, in a mesh. The client
//! speaks HTTP/1.1, the edge and the sidecar HTTP/2 between them, and the app HTTP/1.1.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Result, ensure};
use partywall_integration::access_log::Hop;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::{Token, accountant, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::running::Running;
use partywall_integration::stand_in;
use partywall_integration::variant::Variant;
use partywall_integration::wait;
use partywall_integration::websocket::header;

const FEED: &str =
    "\n  - { http: \"POST /invoices/{id}/feed\", action: \"invoices:read\", resource: Invoice, id: id, owner: none }\n";
const ROUTE: &str = "                        - match: { path_separated_prefix: /invoices }\n";
const CONNECT: &str = "                        - match: { connect_matcher: {} }\n                          route: { cluster: invoices, upgrade_configs: [{ upgrade_type: CONNECT, connect_config: {} }] }\n";
const PREFIX: &str = "stat_prefix: edge\n                ";
const UPGRADES: &str = "upgrade_configs: [{ upgrade_type: CONNECT }]\n                ";

static MESH: LazyLock<Running> = LazyLock::new(|| {
    let mut variant = Variant::prepare("streaming", &["edge", "invoices"]).unwrap();
    variant.append("services/invoices.yaml", FEED).unwrap();
    variant.envoy("edge", ROUTE, &format!("{CONNECT}{ROUTE}")).unwrap();
    variant.envoy("edge", PREFIX, &format!("{PREFIX}{UPGRADES}")).unwrap();
    stand_in::connections(variant.site.ports.invoices_app, echo).unwrap();
    let running = variant.start(&[]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound]).unwrap();
    running
});

/// Answers at once, and gives each chunk back as soon as it is there.
fn echo(mut stream: TcpStream) -> Result<()> {
    head(&mut stream)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-app: invoices\r\n\r\n")?;
    loop {
        let part = chunk(&mut stream)?;
        send(&mut stream, &part)?;
        if part.is_empty() {
            return Ok(());
        }
    }
}

fn head(stream: &mut TcpStream) -> Result<String> {
    until(stream, b"\r\n\r\n")
}

fn until(stream: &mut TcpStream, end: &[u8]) -> Result<String> {
    let mut got = Vec::new();
    while !got.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        got.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&got).into_owned())
}

/// The next chunk (RFC 9112, section 7.1); an empty one is the last.
fn chunk(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let size = usize::from_str_radix(until(stream, b"\r\n")?.trim(), 16)?;
    let mut part = vec![0; size];
    stream.read_exact(&mut part)?;
    ensure!(until(stream, b"\r\n")? == "\r\n", "a chunk that does not end");
    Ok(part)
}

fn send(stream: &mut TcpStream, part: &[u8]) -> Result<()> {
    write!(stream, "{:x}\r\n", part.len())?;
    stream.write_all(part)?;
    Ok(stream.write_all(b"\r\n")?)
}

/// Sends the head of a request to the edge; what came is not read yet.
fn begin(first: &str, token: &Token, more: &str) -> TcpStream {
    let bearer = MESH.site.issuers.token(token, &unique()).unwrap();
    let mut stream = TcpStream::connect(MESH.site.address(Hop::Edge)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!("{first} HTTP/1.1\r\nhost: acme.shop.example\r\n{more}");
    write!(stream, "{head}authorization: Bearer {bearer}\r\n\r\n").unwrap();
    stream
}

const STREAMS: &str = "transfer-encoding: chunked\r\ncontent-type: text/plain\r\n";

fn feed() -> String {
    format!("POST /invoices/{}/feed", unique())
}

#[test]
fn a_body_streams_both_ways_at_once() {
    let mut stream = begin(&feed(), &accountant(Acme, "acme"), STREAMS);
    let answer = head(&mut stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("x-app: invoices"), "{answer}");
    // Each part comes back before the next one is sent: nobody on the way waits for the whole.
    for size in [1, 10, 1_000, 20_000, 1] {
        let part = vec![b'a'; size];
        send(&mut stream, &part).unwrap();
        let mut back = Vec::new();
        while back.len() < size {
            back.extend(chunk(&mut stream).unwrap());
        }
        assert_eq!(back, part, "{size} bytes");
    }
    send(&mut stream, b"").unwrap();
    assert_eq!(chunk(&mut stream).unwrap(), b"");
}

#[test]
fn who_waits_for_leave_to_send_gets_it_or_a_denial() {
    let expect = format!("{STREAMS}expect: 100-continue\r\n");
    let mut stream = begin(&feed(), &accountant(Acme, "acme"), &expect);
    let first = head(&mut stream).unwrap();
    assert!(first.starts_with("HTTP/1.1 100 "), "{first}");
    let answer = head(&mut stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    send(&mut stream, b"late").unwrap();
    assert_eq!(chunk(&mut stream).unwrap(), b"late");

    // Envoy gives leave by itself, before any filter; what counts is that the denial comes without the body.
    let mut stream = begin(&feed(), &viewer(Acme, "globex"), &expect);
    let mut answer = head(&mut stream).unwrap();
    if answer.starts_with("HTTP/1.1 100 ") {
        answer = head(&mut stream).unwrap();
    }
    assert!(!answer.starts_with("HTTP/1.1 2") && answer.contains("application/problem+json"), "{answer}");
}

#[test]
fn connect_is_denied_where_envoy_would_let_it() {
    for target in ["CONNECT acme.shop.example:443", "CONNECT orders:80"] {
        let mut stream = begin(target, &accountant(Acme, "acme"), "");
        let answer = head(&mut stream).unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{target}: {answer}");
        let (edge, id) = (MESH.envoy("edge").unwrap(), header(&answer, "x-request-id"));
        let line = wait::until(Duration::from_secs(5), || {
            edge.log().lines().into_iter().find(|line| line.field("request_id") == id)
        });
        let line = line.expect("a line of the edge");
        assert_eq!(line.field("decision"), "deny", "{target}: {}", line.text());
        println!("{target}: {} {}", line.field("status"), line.field("reason"));
    }
}
