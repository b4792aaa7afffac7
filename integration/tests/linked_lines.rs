//! Lines of the decision log that are written at two moments, or whatever is left out: each verifies, and each change to one
//! is found.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use anyhow::Result;
use partywall_integration::access_log::{Hop, Line};
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Token, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::play::LIVE;
use partywall_integration::raw::{self, Request};
use partywall_integration::roots::Root;
use partywall_integration::running::Running;
use partywall_integration::stand_in::{Says, StandIn};
use partywall_integration::variant::{Variant, copy};
use partywall_integration::{audit, cli, stand_in, wait, websocket};
use serde_json::json;

const INVOICES: &str = r#"
  - { http: "GET /invoices/{id}/live", action: "invoices:read", resource: Invoice, id: id, owner: none }
  - http: GET /invoices/{id}/parts
    action: "invoices:read"
    resource: Invoice
    id: id
    owner: none
    response: { owner: "/*" }
"#;
const ORDERS: &str = r#"
  - { http: "GET /metrics", scope: platform, action: "metrics:scrape", resource: Metrics, owner: none }

platform:
  - { spiffe_id: spiffe://mesh.example/ns/shop/sa/reports, actions: ["metrics:scrape"] }
"#;
const MOVING: &str = "accept_without_context: { peer: spiffe://mesh.example/ns/shop/sa/invoices, tenant: acme, \
                      until: 2099-01-01T00:00:00Z }\n";
const OF_MOVING: &str = "
@id(\"moving-in\")
permit (principal == User::\"acme/spiffe://mesh.example/ns/shop/sa/invoices\", action == Action::\"orders:read\", resource);
";
const SHARE: &str = "share: for-acme\nowner: globex\nto: [acme]\nactions: [\"invoices:list\"]\nservices: [invoices]\n";
const FLOOR: &str = "                            floor: 1\n";
/// The way of an order leads elsewhere once the filter has written `initech` into the request.
const ROUTES: &str = "                        - match: { path_separated_prefix: /invoices }\n";
const BY_TENANT: &str = r#"                        - match:
                            path_separated_prefix: /orders
                            headers: [{ name: x-partywall-tenant, string_match: { exact: initech } }]
                          route: { cluster: invoices, timeout: 15s }
"#;
/// A mesh with a guarded operation, a platform principal, a share and a bound for what `globex` sends; `change` does the rest.
fn start(name: &str, change: impl FnOnce(&mut Variant)) -> Running {
    let mut variant = Variant::prepare(name, &["edge", "invoices", "orders"]).unwrap();
    variant.append("services/invoices.yaml", INVOICES).unwrap();
    variant.append("services/orders.yaml", &format!("{ORDERS}{MOVING}")).unwrap();
    variant.append("policies/readers.cedar", OF_MOVING).unwrap();
    let wall = "unless { principal.tenant == resource.tenant };";
    let leave = "unless { principal.tenant == resource.tenant || action == Action::\"invoices:list\" };";
    variant.replace("policies/wall.cedar", wall, leave).unwrap();
    fs::create_dir(variant.tenancy("shares")).unwrap();
    variant.append("shares/for-acme.yaml", SHARE).unwrap();
    websocket::allow(&mut variant).unwrap();
    let bound = format!("{FLOOR}                            request_bytes: {{ tenants: {{ globex: 1000 }} }}\n");
    variant.envoy("edge", FLOOR, &bound).unwrap();
    change(&mut variant);
    stand_in::connections(variant.site.ports.invoices_app, invoices).unwrap();
    StandIn::start(variant.site.ports.orders_app, |_, _| Says(200, Vec::new())).unwrap();
    let running = variant.start(&[]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound]).unwrap();
    running
}

/// The app: a WebSocket that says nothing, one part that is acme's and one that is not, or nothing.
fn invoices(mut stream: TcpStream) -> Result<()> {
    let mut first = [0; 64];
    let peeked = stream.peek(&mut first)?;
    if String::from_utf8_lossy(&first[..peeked]).contains("/live") {
        websocket::accept(&mut stream, |_| {}, "")?;
        let _ = websocket::receive(&mut stream);
        return Ok(());
    }
    let body = if String::from_utf8_lossy(&first[..peeked]).contains("/parts") { r#"["acme","globex"]"# } else { "" };
    for line in BufReader::new(stream.try_clone()?).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    Ok(write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?)
}

fn token(tenant: &'static str) -> Token {
    viewer(if tenant == "acme" { Acme } else { Shared }, tenant)
}

/// A request at the edge for this tenant.
fn at_edge(mesh: &Running, tenant: &'static str, path: &str) -> Request {
    let bearer = mesh.site.issuers.token(&token(tenant), &unique()).unwrap();
    Request::get(path)
        .header("host", format!("{tenant}.shop.example"))
        .header("authorization", format!("Bearer {bearer}"))
}

/// The line of the edge about this answer.
fn edge_line(mesh: &Running, answer: &raw::Response) -> Line {
    mesh.line(Hop::Edge, answer.header("x-request-id").unwrap()).unwrap()
}

/// A request to a sidecar under an id of its own: the status, 0 where no answer came, and its line.
fn at_sidecar(mesh: &Running, hop: Hop, by: Workload, request: Request) -> (u16, Line) {
    let id = unique();
    let answer = mesh.send(hop, by, &request.header("x-request-id", id.as_str()));
    (answer.map_or(0, |answer| answer.status), mesh.line(hop, &id).unwrap())
}

fn parts(mesh: &Running) -> (u16, Line) {
    let root = Root::of("acme", 0).signed(&mesh.site.signing_seed().unwrap()).unwrap();
    let request = Request::get("/invoices/7/parts").header("host", "invoices").header("x-partywall-context", root);
    at_sidecar(mesh, Hop::InvoicesInbound, Workload::Edge, request)
}

fn scrape(mesh: &Running, by: Workload) -> (u16, Line) {
    at_sidecar(mesh, Hop::OrdersInbound, by, Request::get("/metrics").header("host", "orders"))
}

fn too_large(mesh: &Running) -> Line {
    let request = at_edge(mesh, "globex", "/orders/7").header("transfer-encoding", "chunked");
    let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    let body = [chunk(600), chunk(401), "0\r\n\r\n".into()].concat();
    let answer = raw::plain(mesh.site.address(Hop::Edge), &[&request.bytes(), body.as_bytes()].concat()).unwrap();
    assert_eq!(answer.status, 413);
    edge_line(mesh, &answer)
}

/// An idle WebSocket of `globex` is ended by its suspension; gives the lines of both hops.
fn suspended(mesh: &Running) -> [Line; 2] {
    let (stream, head) =
        websocket::open(mesh.site.address(Hop::Edge), at_edge(mesh, "globex", "/invoices/7/live")).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let id = websocket::header(&head, "x-request-id");
    let dir = mesh.site.bundles();
    let tenant = |verb| cli::run(&["tenant", verb, "globex", "--dir", cli::text(&dir).unwrap()]).unwrap();
    tenant("suspend");
    let lines = [Hop::Edge, Hop::InvoicesInbound].map(|hop| mesh.line(hop, &id).unwrap());
    drop(stream);
    tenant("resume");
    let back = || {
        let one = || at_edge(mesh, "globex", "/orders/7").send(mesh.site.address(Hop::Edge));
        (0..12).all(|_| one().is_ok_and(|answer| answer.status == 200)).then_some(())
    };
    wait::until(LIVE * 4, back).expect("resumed");
    lines
}

#[track_caller]
fn says(line: &Line, expected: [&str; 3]) {
    let told = ["decision", "reason", "policy"].map(|name| line.field(name).trim_start_matches('-').to_owned());
    assert_eq!(told, expected, "{}", line.text());
}

#[test]
fn what_is_written_at_two_moments_verifies_and_each_change_is_found() {
    let mut mesh = start("linked-lines", |variant| {
        variant.envoy("edge", ROUTES, &format!("{BY_TENANT}{ROUTES}")).unwrap();
    });
    let rerouted = edge_line(&mesh, &mesh.client("initech", "/orders/7").unwrap());
    says(&rerouted, ["deny", "ambiguous_request", "viewers-read"]);
    let (status, refused) = parts(&mesh);
    assert_ne!(status, 502, "the head left before the body was judged");
    says(&refused, ["deny", "response_foreign", "viewers-read"]);
    let large = too_large(&mesh);
    says(&large, ["deny", "request_too_large", "viewers-read"]);
    let answer = mesh.client("acme", "/tenants/globex/invoices").unwrap();
    assert_eq!(answer.status, 200);
    let shared = edge_line(&mesh, &answer);
    says(&shared, ["allow", "", "share:for-acme"]);
    let ended = suspended(&mesh);
    let told = ended.iter().filter(|line| line.field("reason") == "tenant_suspended").count();
    assert!(told >= 1, "{ended:?}");
    let (status, denied) = scrape(&mesh, Workload::Invoices);
    assert_eq!(status, 403);
    says(&denied, ["deny", "caller_denied", ""]);
    let (status, scraped) = scrape(&mesh, Workload::Reports);
    assert_eq!(status, 200);
    says(&scraped, ["allow", "", "platform:spiffe://mesh.example/ns/shop/sa/reports"]);

    mesh.stop();
    let decisions = audit::is_whole(&mesh.site, &["edge", "invoices", "orders"]).unwrap();
    println!("{decisions} decisions");
    let [ended_at_edge, ended_inside] = &ended;
    for (workload, line) in [
        ("edge", &rerouted),
        ("invoices", &refused),
        ("edge", &large),
        ("edge", ended_at_edge),
        ("invoices", ended_inside),
        ("orders", &denied),
        ("orders", &scraped),
        ("edge", &shared),
    ] {
        let fields = ["decision", "reason", "policy", "detail", "explain", "path", "revision"];
        audit::changes_are_found(&mesh.site, workload, line, &fields)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", line.text()));
    }
}

/// With no allows kept, denials are there, what platform principals do, and nothing else; and all of it is counted.
#[test]
fn what_is_always_told_is_told_where_no_allow_is() {
    let mut mesh = start("linked-always", |variant| {
        for workload in ["edge", "invoices", "orders"] {
            audit::keep_allows(variant, workload, 0.0).unwrap();
        }
    });
    let lines = |workload: &str| mesh.envoy(workload).unwrap().log().lines();
    let metric = |workload: &str, name: &str, labels: &[(&str, &str)]| {
        mesh.envoy(workload).unwrap().metric(&format!("partywall_{name}_total"), labels).unwrap()
    };
    let before = metric("orders", "authorization_platform_requests", &[]);
    for _ in 0..5 {
        assert_eq!(scrape(&mesh, Workload::Reports).0, 200);
        assert_eq!(scrape(&mesh, Workload::Invoices).0, 403);
        assert_eq!(mesh.client("acme", "/orders/7").unwrap().status, 200);
        assert_eq!(mesh.client("acme", "/tenants/globex/invoices").unwrap().status, 200);
        assert_eq!(mesh.client("acme", "/tenants/initech/invoices").unwrap().status, 404);
    }
    // A peer that moves in brings no context.
    for _ in 0..3 {
        let order = Request::get("/orders/7").header("host", "orders");
        assert_eq!(mesh.send(Hop::OrdersInbound, Workload::Invoices, &order).unwrap().status, 200);
    }
    assert_eq!(metric("orders", "tenant_context_without_context", &[]), 3.0);
    let (_, refused) = parts(&mesh);
    let large = too_large(&mesh);
    assert_eq!(before, 0.0, "`wait_for_policy` asks for nothing of the platform");
    let of = |decision| metric("orders", "authorization_platform_requests", &[("decision", decision)]);
    // Who is no platform principal is counted as a denial of what is the platform's.
    assert_eq!([of("allow"), of("deny")], [5.0, 5.0]);
    assert_eq!(
        [metric("edge", "authorization_shares_used", &[]), metric("invoices", "authorization_shares_used", &[])],
        [5.0; 2]
    );

    let allowed = |workload: &str| lines(workload).into_iter().filter(|line| line.field("decision") == "allow");
    assert_eq!(allowed("edge").count() + allowed("invoices").count(), 0, "shares are told as other allows are");
    let of_platform = allowed("orders").filter(|line| line.field("policy").starts_with("platform:")).count();
    assert_eq!((of_platform, allowed("orders").count()), (5, 5));
    let denied = |workload: &str, reason: &str| {
        let is = |line: &Line| line.field("decision") == "deny" && line.field("reason") == reason;
        lines(workload).iter().filter(|line| is(line)).count()
    };
    assert_eq!((denied("orders", "caller_denied"), denied("edge", "resource_foreign")), (5, 5));
    assert_eq!((denied("invoices", "response_foreign"), denied("edge", "request_too_large")), (1, 1));

    platform_records_are_replayed(&mesh);
    mesh.stop();
    println!("{} decisions", audit::is_whole(&mesh.site, &["edge", "invoices", "orders"]).unwrap());
    audit::changes_are_found(&mesh.site, "invoices", &refused, &["decision", "reason"]).unwrap();
    audit::changes_are_found(&mesh.site, "edge", &large, &["decision", "reason"]).unwrap();
}

/// What the platform principal did is decided again as it was, and flips where it is not listed.
fn platform_records_are_replayed(mesh: &Running) {
    let site = &mesh.site;
    let [log, _] = audit::logs(site, "orders");
    let replay = |new: &Path| {
        let (old, key) = (site.bundles(), site.keys().join("edge.env"));
        let [log, old, new, key] = [&log, &old, new, &key].map(|path| cli::text(path).unwrap());
        cli::json(&["replay", "--json", "--log", log, old, new, "--fingerprint-key", key]).unwrap().1
    };
    let same = replay(&site.bundles());
    assert_eq!((&same["flips"], &same["not_reproduced"]), (&json!([]), &json!([])), "{same:#}");
    assert!(same["replayed"].as_u64().unwrap() >= 5, "{same:#}");
    let new = site.directory.join("without");
    copy(&site.directory.join("tenancy"), &new).unwrap();
    let file = new.join("services/orders.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("sa/reports", "sa/nobody")).unwrap();
    let flips = &replay(&new)["flips"];
    let to = &flips[0]["to"];
    assert_eq!((&flips[0]["count"], &to["reason"]), (&json!(5), &json!("caller_denied")), "{flips:#}");
}
