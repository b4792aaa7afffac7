//! What is no tenant's and stays open is decided again, too: a platform principal's requests and calls to what serves no
//! tenant end within 1.5 s of the bundle that no longer lets them, whether an answer began or not.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::audit;
use partywall_integration::certificates::Workload;
use partywall_integration::mesh::unique;
use partywall_integration::play::LIVE;
use partywall_integration::raw::{Connection, Request};
use partywall_integration::running::Running;
use partywall_integration::site::{FIRST_REVISION, compile};
use partywall_integration::variant::Variant;
use partywall_integration::{stand_in, wait};

const FEED: &str = r#"
  - { http: "GET /feed/{id}", scope: platform, action: "feed:read", resource: Feed, owner: none }

platform:
  - { spiffe_id: spiffe://mesh.example/ns/shop/sa/reports, actions: ["feed:read"] }
  - { spiffe_id: spiffe://mesh.example/ns/shop/sa/orders, actions: ["feed:read"] }
"#;
const REPORTS: &str = "  - { spiffe_id: spiffe://mesh.example/ns/shop/sa/reports, actions: [\"feed:read\"] }\n";
const IDENTITY: &str = r#"service: identity
spiffe_id: spiffe://mesh.example/ns/shop/sa/identity
clusters: [orders]
tenantless: true
callers: [{ spiffe_id: spiffe://mesh.example/ns/shop/sa/invoices, tenants: all }]
operations: []
"#;
/// A bundle is asked for every three seconds.
const BUNDLE: Duration = Duration::from_secs(10);

/// Both apps: an answer to `/…/begun…` begins and never ends, and to `/…/silent…` there is none.
fn answer(mut stream: TcpStream) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    if first.contains("begun") || first.contains("silent") {
        if first.contains("begun") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
        }
        // Until the other side goes.
        let _ = lines.next();
        return Ok(());
    }
    Ok(stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?)
}

fn start() -> Running {
    let mut variant = Variant::prepare("open-untenanted", &["invoices", "orders"]).unwrap();
    variant.append("services/invoices.yaml", FEED).unwrap();
    variant.replace("services/orders.yaml", "clusters: [orders]", "clusters: [elsewhere]").unwrap();
    fs::write(variant.tenancy("services/identity.yaml"), IDENTITY).unwrap();
    // What serves no tenant has no sidecar of ours.
    let bare = |text: &str| {
        let (before, rest) = text.split_once("                  # partywall: begin\n").unwrap();
        Ok([before, rest.split_once("                  # partywall: end\n").unwrap().1].concat())
    };
    variant.change("orders", bare).unwrap();
    // Else a client hears of the end a second later.
    for stat in ["stat_prefix: inbound\n", "stat_prefix: outbound\n"] {
        variant.envoy("invoices", stat, &format!("{stat}                delayed_close_timeout: 0.1s\n")).unwrap();
    }
    for port in [variant.site.ports.invoices_app, variant.site.ports.orders_app] {
        stand_in::connections(port, answer).unwrap();
    }
    variant.start(&[]).unwrap()
}

/// As what and whence a request comes.
#[derive(Clone, Copy)]
enum Who {
    Platform(Workload),
    App,
}

impl Who {
    fn hop(self) -> Hop {
        match self {
            Self::Platform(_) => Hop::InvoicesInbound,
            Self::App => Hop::InvoicesOutbound,
        }
    }

    fn request(self, what: &str, id: &str) -> Request {
        let host = if let Self::App = self { "orders" } else { "invoices" };
        Request::get(&format!("/feed/{what}")).header("host", host).header("x-request-id", id)
    }

    fn status(self, mesh: &Running) -> u16 {
        let by = if let Self::Platform(workload) = self { workload } else { Workload::Invoices };
        mesh.send(self.hop(), by, &self.request("short", &unique())).map_or(0, |answer| answer.status)
    }
}

/// A request that stays open.
struct Open {
    id: String,
    ends: JoinHandle<(String, Instant)>,
}

impl Open {
    fn of(mesh: &Running, who: Who, what: &str) -> Self {
        let (to, id) = (mesh.site.address(who.hop()), unique());
        let mut connection = match who {
            Who::Platform(workload) => Connection::mutual_tls(to, mesh.site.certificates.of(workload)).unwrap(),
            Who::App => Connection::plain(to).unwrap(),
        };
        connection.send(&who.request(what, &id).bytes()).unwrap();
        let ends = thread::spawn(move || {
            loop {
                match connection.receive() {
                    Ok(answer) => return (answer.status.to_string(), Instant::now()),
                    // Nothing came for a while: it is open.
                    Err(error) if error.to_string().starts_with("after ") => {}
                    Err(error) => return (error.to_string(), Instant::now()),
                }
            }
        });
        Self { id, ends }
    }
}

#[test]
fn what_is_no_tenants_ends_with_what_let_it_in() {
    let mut mesh = start();
    let (reports, orders, app) = (Who::Platform(Workload::Reports), Who::Platform(Workload::Orders), Who::App);
    for who in [reports, orders, app] {
        // At every worker.
        let all = || (0..12).all(|_| who.status(&mesh) == 200).then_some(());
        wait::until(Duration::from_secs(30), all).expect("a bundle arrives");
    }
    let open =
        |who| (0..4).flat_map(|_| ["begun", "silent"]).map(|what| Open::of(&mesh, who, what)).collect::<Vec<_>>();
    let (of_reports, of_app, stays) = (open(reports), open(app), open(orders));
    thread::sleep(Duration::from_secs(1));
    for one in of_reports.iter().chain(&of_app).chain(&stays) {
        assert!(!one.ends.is_finished());
    }

    let tenancy = mesh.site.directory.join("tenancy");
    for (file, from, to) in
        [("services/invoices.yaml", REPORTS, ""), ("services/identity.yaml", "sa/invoices", "sa/nobody")]
    {
        let text = fs::read_to_string(tenancy.join(file)).unwrap();
        assert!(text.contains(from));
        fs::write(tenancy.join(file), text.replace(from, to)).unwrap();
    }
    compile(&tenancy, &mesh.site.keys(), &mesh.site.bundles(), Some(FIRST_REVISION + 2)).unwrap();
    let denied =
        |who: Who| wait::until(BUNDLE, || (who.status(&mesh) == 403).then(Instant::now)).expect("a new bundle");
    let since = [denied(reports), denied(app)];
    let mut lines = Vec::new();
    for (who, all, since) in [(reports, of_reports, since[0]), (app, of_app, since[1])] {
        for one in all {
            let (told, at) = one.ends.join().unwrap();
            let after = at.saturating_duration_since(since);
            println!("{}: {told}, {} ms after the first denial", who.hop(), after.as_millis());
            assert!(told == "403" || told.starts_with("closed after"), "{told}");
            assert!(after <= LIVE, "{after:?}");
            let line = mesh.line(who.hop(), &one.id).unwrap();
            assert_eq!(["decision", "reason"].map(|name| line.field(name)), ["deny", "caller_denied"]);
            lines.push(line);
        }
    }
    // Whom the new bundle lists as well keeps what it has.
    assert!(stays.iter().all(|one| !one.ends.is_finished()));
    let counted = |role| {
        let labels = [("reason", "caller_denied"), ("role", role)];
        mesh.envoy("invoices").unwrap().metric("partywall_authorization_streams_ended_total", &labels).unwrap()
    };
    // What asked for the first denial may have been open, too, when the bundle came.
    for role in ["inbound", "outbound"] {
        let ended = counted(role);
        assert!((8.0..=9.0).contains(&ended), "{role}: {ended}");
    }

    mesh.stop();
    println!("{} decisions", audit::is_whole(&mesh.site, &["invoices"]).unwrap());
    for line in &lines[..2] {
        audit::changes_are_found(&mesh.site, "invoices", line, &["decision", "reason", "detail"]).unwrap();
    }
}
