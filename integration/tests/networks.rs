//! Networks in a real mesh: the edge learns from Envoy where a client calls from, and every hop behind it from the root
//! context alone.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder};
use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::cli;
use partywall_integration::issuers::Provider::Shared;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;
use serde_json::{Value, json};

const NETWORKS: &str = "networks: { office: [127.0.0.1], here: [127.0.0.0/8], away: [192.0.2.0/24] }\n";
const POLICIES: &str = r#"
@id("deleted-in-the-office")
forbid (principal, action == Action::"invoices:delete", resource)
unless { context.networks.contains("office") };
@id("orders-in-the-office")
forbid (principal, action in [Action::"orders:read", Action::"orders:list"], resource)
unless { context.networks.containsAll(["office", "here"]) };
@id("never-from-away")
forbid (principal, action, resource)
when { context.networks.contains("away") };
"#;

const OFFICE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const TIMES: usize = 12;

struct Shop {
    mesh: Running,
    /// One credential, whoever uses it where.
    token: String,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let variant = Variant::prepare("networks", &["edge", "invoices", "orders"]).unwrap();
    variant.append("mesh.yaml", NETWORKS).unwrap();
    fs::write(variant.tenancy("policies/networks.cedar"), POLICIES).unwrap();
    let mesh = variant.start(&[App::Invoices, App::Orders]).unwrap();
    mesh.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound, Hop::InvoicesOutbound, Hop::OrdersInbound]).unwrap();
    let token = mesh.site.issuers.token(&accountant(Shared, "globex"), &unique()).unwrap();
    Shop { mesh, token }
});

impl Shop {
    /// A request at the edge, from this address.
    fn ask(&self, from: IpAddr, method: &str, path: &str, more: &[(&str, &str)]) -> Response {
        let request = Request::new(method, path)
            .header("host", "globex.shop.example")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-length", "0");
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
        request.send_from(from, self.mesh.site.address(Hop::Edge)).unwrap()
    }

    /// The root context that came to the app `invoices` with a request from this address.
    fn root(&self, from: IpAddr) -> String {
        let mark = unique();
        assert_eq!(self.ask(from, "GET", &format!("/tenants/globex/invoices?{mark}"), &[]).status, 200);
        let seen = self.mesh.seen_of(App::Invoices, &mark).unwrap();
        headers(&seen[0], "x-partywall-context").remove(0)
    }

    /// What the sidecar of `orders` says of a root context that `invoices` brings: the status and the deciding policy.
    fn at_orders(&self, root: &str, more: &[(&str, &str)]) -> (u16, String) {
        let id = unique();
        let request = Request::get("/orders/7")
            .header("host", "orders")
            .header("x-request-id", id.as_str())
            .header("x-partywall-context", root);
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
        let answer = self.mesh.send(Hop::OrdersInbound, Workload::Invoices, &request).unwrap();
        (answer.status, self.mesh.line(Hop::OrdersInbound, &id).unwrap().field("policy"))
    }
}

fn claims(root: &str) -> Value {
    let payload = root.split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlSafeNoPadding::decode_to_vec(payload, None).unwrap()).unwrap()
}

#[test]
fn what_is_for_the_office_is_denied_elsewhere() {
    // By turns: one credential and two places never share a root context, at whichever worker.
    for _ in 0..TIMES {
        assert_eq!(SHOP.ask(OFFICE, "DELETE", "/invoices/7", &[]).status, 200);
        let answer = SHOP.ask(ELSEWHERE, "DELETE", "/invoices/7", &[]);
        assert_eq!(SHOP.mesh.outcome(&answer), (403, "policy_denied".into()));
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(SHOP.mesh.line(Hop::Edge, id).unwrap().field("policy"), "deleted-in-the-office");
    }
}

#[test]
fn a_client_says_nothing_of_where_it_is() {
    let claims = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-envoy-external-address", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-partywall-networks", "office"),
    ];
    for claim in claims {
        let answer = SHOP.ask(ELSEWHERE, "DELETE", "/invoices/7", &[claim]);
        assert_eq!(SHOP.mesh.outcome(&answer), (403, "policy_denied".into()), "{claim:?}");
        // Nor does it get out of a network by it.
        assert_eq!(SHOP.ask(OFFICE, "DELETE", "/invoices/7", &[(claim.0, "192.0.2.1")]).status, 200, "{claim:?}");
    }
}

#[test]
fn inner_hops_know_it_from_the_root_context_alone() {
    let (office, elsewhere) = (SHOP.root(OFFICE), SHOP.root(ELSEWHERE));
    assert_eq!(claims(&office)["net"], json!(["here", "office"]));
    assert_eq!(claims(&elsewhere)["net"], json!(["here"]));
    assert!(!claims(&office).to_string().contains("127."), "no address travels");
    let by = |policy: &str| policy.to_owned();
    for _ in 0..TIMES {
        assert_eq!(SHOP.at_orders(&office, &[]), (200, by("accountants-read-and-delete")));
        assert_eq!(SHOP.at_orders(&elsewhere, &[]), (403, by("orders-in-the-office")));
    }
    // The sidecar sees another address than the client's, whatever a header says.
    for address in ["127.0.0.1", "192.0.2.1"] {
        let claim = [("x-forwarded-for", address)];
        assert_eq!(SHOP.at_orders(&office, &claim), (200, by("accountants-read-and-delete")));
        assert_eq!(SHOP.at_orders(&elsewhere, &claim), (403, by("orders-in-the-office")));
    }
    // The app calls on, and its sidecar decides by the same root.
    for _ in 0..TIMES {
        let mark = unique();
        assert_eq!(SHOP.ask(OFFICE, "GET", &format!("/invoices/{mark}"), &[]).status, 200);
        assert_eq!(SHOP.mesh.seen_of(App::Orders, &mark).unwrap().len(), 1);
        let mark = unique();
        SHOP.ask(ELSEWHERE, "GET", &format!("/invoices/{mark}"), &[]);
        assert_eq!(SHOP.mesh.seen_of(App::Invoices, &mark).unwrap().len(), 1);
        assert!(SHOP.mesh.seen_of(App::Orders, &mark).unwrap().is_empty());
    }
}

#[test]
fn what_is_logged_names_networks_and_no_address_and_can_be_decided_again() {
    let mut lines = Vec::new();
    for (from, networks) in [(OFFICE, r#""networks":["here","office"]"#), (ELSEWHERE, r#""networks":["here"]"#)] {
        let answer = SHOP.ask(from, "DELETE", "/invoices/7", &[]);
        let id = answer.header("x-request-id").unwrap();
        let line = SHOP.mesh.line(Hop::Edge, id).unwrap();
        let explain = line.field("explain");
        assert!(explain.contains(networks) && !explain.contains("127."), "{explain}");
        lines.push(line.text().to_owned());
        let (root, id) = (SHOP.root(from), unique());
        let request = Request::get("/orders/7").header("host", "orders").header("x-request-id", id.as_str());
        let request = request.header("x-partywall-context", root);
        SHOP.mesh.send(Hop::OrdersInbound, Workload::Invoices, &request).unwrap();
        let line = SHOP.mesh.line(Hop::OrdersInbound, &id).unwrap();
        assert!(line.field("explain").contains(networks), "{}", line.field("explain"));
        lines.push(line.text().to_owned());
    }
    let site = &SHOP.mesh.site;
    let log = site.directory.join("networks.log");
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    let (bundles, key) = (site.bundles(), site.keys().join("edge.env"));
    let [log, bundles, key] = [&log, &bundles, &key].map(|path| cli::text(path).unwrap());
    let found = cli::run(&["replay", "--log", log, bundles, bundles, "--fingerprint-key", key, "--json"]).unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["not_reproduced"], &found["replayed"]), (&json!([]), &json!(4)), "{found:#}");
    // Addresses are the edge's to know.
    let shown = |audience: &str| {
        let file = site.bundles().join(format!("tenancy.{audience}.bundle"));
        cli::run(&["inspect", cli::text(&file).unwrap()]).unwrap()
    };
    assert!(shown("edge").contains("office: 127.0.0.1/32"));
    assert!(!shown("workload").contains("127.0.0"));
}
