//! What the response guard costs inside Envoy: the same bodies through the same sidecar, by an operation that is guarded
//! and by one that is not, in turn, over one kept connection. `plain`, `guarded` and `added` are what a client waits;
//! `cpu` is what Envoy's threads worked more for a guarded one, and `guard` the bytes by that.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::Bound;
use super::figures::{Figure, Figures, summary};
use crate::access_log::Hop;
use crate::certificates::Workload;
use crate::ports::local;
use crate::raw::{Connection, Request};
use crate::roots::{Root, secret};
use crate::variant::Variant;

/// Bytes of a body, and how many requests of it make a round.
const SIZES: [(&str, usize, usize); 3] = [("1 KB", 1_000, 50), ("64 KB", 64_000, 20), ("5 MB", 5_000_000, 3)];
/// What the sidecar may grow by while bodies of the largest size go through it, one after the other.
const MOST_GROWTH: f64 = 64.0;
const BEFORE: &str = "operations:\n";

/// Measures so many rounds.
pub fn run(rounds: usize, progress: fn(&str)) -> Result<(Figures, Vec<Bound>)> {
    progress("a sidecar, an app that answers lists, the bundle server");
    let variant = Variant::prepare("bench-guard", &["invoices"])?;
    let rest = r#"action: "invoices:read", resource: Invoice, owner: none"#;
    let operations = format!(
        "{BEFORE}  - {{ http: \"GET /plain/{{id}}\", {rest} }}\n  - {{ http: \"GET /guarded/{{id}}\", {rest}, response: {{ owner: /items/*/tenant_id }} }}\n"
    );
    variant.replace("services/invoices.yaml", BEFORE, &operations)?;
    app(variant.site.ports.invoices_app)?;
    let environment = variant.site.environment("edge")?;
    let signing = environment.into_iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING").unwrap_or_default();
    let seed = secret(&signing.1)?;
    let mesh = variant.start(&[])?;
    mesh.wait_for_policy(&[Hop::InvoicesInbound])?;
    let (site, envoy) = (&mesh.site, mesh.envoy("invoices")?);
    let mut connection =
        Connection::mutual_tls(local(site.ports.invoices_inbound), site.certificates.of(Workload::Edge))?;

    let mut figures = Figures::default();
    let mut growth = 0.0;
    for (name, size, requests) in SIZES {
        progress(&format!("bodies of {name}, {rounds} rounds"));
        let mut ask = |path: &str| -> Result<(f64, f64)> {
            let root = Root::of("acme", 0).signed(&seed)?;
            let request = Request::get(&format!("/{path}/{size}"))
                .header("host", "invoices")
                .header("x-partywall-context", root)
                .bytes();
            // The first one pays for its root.
            connection.send(&request)?;
            let first = connection.receive()?;
            ensure!((first.status, first.body.len()) == (200, body(size).len()), "{path}: {}", first.status);
            let (began, cpu) = (Instant::now(), envoy.cpu()?);
            for _ in 0..requests {
                connection.send(&request)?;
                ensure!(connection.receive()?.status == 200, "{path} was denied");
            }
            let each = 1e6 / requests as f64;
            Ok((began.elapsed().as_secs_f64() * each, (envoy.cpu()? - cpu).as_secs_f64() * each))
        };
        ask("guarded")?;
        let before = envoy.resident()?;
        let (mut plain, mut guarded, mut added, mut worked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (without, with) = (ask("plain")?, ask("guarded")?);
            plain.push(without.0);
            guarded.push(with.0);
            added.push(with.0 - without.0);
            worked.push(with.1 - without.1);
        }
        growth = (envoy.resident()? as f64 - before as f64) / 1e6;
        let mut figure = |what: &str, values: &[f64], ratio_to| {
            let (value, spread) = summary(values);
            figures.add(Figure { name: format!("{what}/{name}"), value, unit: "us", spread: Some(spread), ratio_to });
            value
        };
        let without = figure("plain", &plain, None);
        let ratio = summary(&guarded).0 / without;
        figure("guarded", &guarded, Some((format!("plain/{name}"), ratio)));
        figure("added", &added, None);
        let more = figure("cpu", &worked, None);
        let figure = |name: String, value, unit| Figure { name, value, unit, spread: None, ratio_to: None };
        figures.add(figure(format!("guard/{name}"), body(size).len() as f64 / more, "MB/s"));
        figures.add(figure(format!("growth/{name}"), growth, "MB"));
    }
    let bound = Bound {
        what: format!("the sidecar grew by {growth:.0} MB while bodies of 5 MB went through, at most {MOST_GROWTH}"),
        kept: growth <= MOST_GROWTH,
    };
    Ok((figures, vec![bound]))
}

/// A list of invoices of some `size` bytes.
fn body(size: usize) -> Vec<u8> {
    const ITEM: &str = r#"{"id":"inv-20391","tenant_id":"acme","total":1250.75,"currency":"EUR","paid":true,"lines":[{"sku":"A-1","n":3},{"sku":"B-7","n":1}],"note":null}"#;
    let items = vec![ITEM; (size / (ITEM.len() + 1)).max(1)];
    format!(r#"{{"items":[{}],"next":null}}"#, items.join(",")).into_bytes()
}

/// An app that answers each request with a list of the size in its path, and keeps the connection.
fn app(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let bodies = Arc::new(SIZES.map(|(_, size, _)| (format!("/{size} "), body(size))));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let bodies = bodies.clone();
            thread::spawn(move || answer(stream, &bodies[..]));
        }
    });
    Ok(())
}

/// Until the other side goes, which is no error.
fn answer(mut stream: TcpStream, bodies: &[(String, Vec<u8>)]) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut got, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let n = stream.read(&mut chunk)?;
        ensure!(n > 0, "closed");
        got.extend_from_slice(&chunk[..n]);
        if !got.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = String::from_utf8_lossy(got.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
        got.clear();
        let found = bodies.iter().find(|(path, _)| line.contains(path.as_str()));
        let body = found.map(|(_, body)| body.as_slice()).unwrap_or_default();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat())?;
    }
}
