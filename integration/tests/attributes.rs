//! What operations say of their data, in a real mesh: regions as Envoy knows them, consents, clearances and features. One
//! sidecar learns its region from Envoy's node, one from its plugin configuration, and the edge from nobody.

use std::fs;
use std::sync::LazyLock;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::cli;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::roots::Root;
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;
use serde_json::json;

const DATASETS: &str = "
clearance: { everyone: internal, roles: [{ role: accountant, up_to: restricted }] }
datasets:
  - { dataset: at-home, residency: tenant }
  - { dataset: here, residency: [ch, eu] }
  - { dataset: elsewhere, residency: [us] }
  - { dataset: contacts, purposes: [service], consent: [marketing] }
  - { dataset: salaries, classification: restricted }
  - { dataset: archive, classification: internal, purposes: [service, audit] }
  - { dataset: past }
  - { dataset: to-come }
  - { dataset: order-figures, purposes: [analytics] }
";

/// Policies speak about the same, and about the time.
const POLICIES: &str = r#"
@id("no-audits")
forbid (principal, action, resource)
when { resource.dataset == "archive" && resource.classification == "internal" && context.purpose == "audit" };
@id("until-2001")
forbid (principal, action, resource)
when { resource.dataset == "past" && context.time >= datetime("2001-01-01T00:00:00Z") };
@id("from-3001")
forbid (principal, action, resource)
when { resource.dataset == "to-come" && context.time >= datetime("3001-01-01T00:00:00Z") };
"#;

/// What each operation says; its name is the end of its path.
const OPERATIONS: [(&str, &str); 12] = [
    ("at-home", "dataset: at-home"),
    ("here", "dataset: here"),
    ("elsewhere", "dataset: elsewhere"),
    ("service", "dataset: contacts, purpose: service"),
    ("marketing", "dataset: contacts, purpose: marketing"),
    ("salaries", "dataset: salaries"),
    ("export", "feature: export"),
    ("hidden", "feature: bulk, feature_off: 404"),
    ("read", "dataset: archive, purpose: service"),
    ("audited", "dataset: archive, purpose: audit"),
    ("past", "dataset: past"),
    ("to-come", "dataset: to-come"),
];

struct Shop {
    mesh: Running,
    seed: Vec<u8>,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("attributes", &["edge", "invoices", "orders"]).unwrap();
    fs::write(variant.tenancy("datasets.yaml"), DATASETS).unwrap();
    fs::write(variant.tenancy("policies/attributes.cedar"), POLICIES).unwrap();
    for (service, action, resource) in [("invoices", "invoices:read", "Invoice"), ("orders", "orders:read", "Order")] {
        let operation = |(name, says): (&str, &str)| {
            format!(
                "  - {{ http: \"GET /tenants/{{tenant}}/{service}/{name}\", action: \"{action}\", resource: {resource}, owner: path.tenant, {says} }}\n"
            )
        };
        let operations: String = OPERATIONS.into_iter().map(operation).collect();
        variant.append(&format!("services/{service}.yaml"), &operations).unwrap();
    }
    variant.replace("tenants/acme.yaml", "consents: [analytics]", "consents: [analytics, marketing]").unwrap();
    let node = "node: { id: invoices-sidecar, cluster: invoices }";
    let in_the_eu = "node: { id: invoices-sidecar, cluster: invoices, locality: { region: eu, zone: eu-1 } }";
    variant.envoy("invoices", node, in_the_eu).unwrap();
    // What is configured goes before what the node says.
    variant
        .envoy(
            "orders",
            "node: { id: orders-sidecar, cluster: orders }",
            "node: { id: orders-sidecar, cluster: orders, locality: { region: eu } }",
        )
        .unwrap();
    let configured = "role: inbound\n                            service";
    variant
        .envoy("orders", configured, &configured.replace("service", "region: us\n                            service"))
        .unwrap();
    let seed = variant.site.signing_seed().unwrap();
    let mesh = variant.start(&[App::Invoices, App::Orders]).unwrap();
    mesh.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound]).unwrap();
    Shop { mesh, seed }
});

impl Shop {
    /// A request at a sidecar, with a root for this tenant and these roles, and the query `id`.
    fn ask(&self, hop: Hop, tenant: &str, roles: &[&str], name: &str, id: &str) -> Result<Response> {
        let service = if hop == Hop::OrdersInbound { "orders" } else { "invoices" };
        let root = Root::of(tenant, 0).claim("rol", json!(roles)).signed(&self.seed)?;
        let request = Request::get(&format!("/tenants/{tenant}/{service}/{name}?{id}"))
            .header("host", "any")
            .header("x-request-id", id)
            .header("x-partywall-features", "everything")
            .header("x-partywall-context", root);
        self.mesh.send(hop, Workload::Edge, &request)
    }

    /// Status, and the exact reason of a denial; every worker must say the same.
    #[track_caller]
    fn said(&self, hop: Hop, tenant: &str, roles: &[&str], name: &str) -> (u16, String) {
        let once = || {
            let answer = self.ask(hop, tenant, roles, name, &unique()).unwrap();
            (answer.status, if answer.status == 200 { String::new() } else { answer.reason() })
        };
        let first = once();
        for _ in 0..7 {
            assert_eq!(once(), first, "{name}");
        }
        first
    }
}

fn allowed() -> (u16, String) {
    (200, String::new())
}

fn denied(reason: &str) -> (u16, String) {
    (if reason == "feature_hidden" { 404 } else { 403 }, reason.into())
}

#[test]
fn a_dataset_is_served_where_it_may_be() {
    let viewer = &["viewer"];
    let (eu, us) = (Hop::InvoicesInbound, Hop::OrdersInbound);
    assert_eq!(SHOP.said(eu, "acme", viewer, "at-home"), allowed());
    assert_eq!(SHOP.said(eu, "globex", viewer, "at-home"), denied("residency"), "globex is at home in us");
    assert_eq!(SHOP.said(us, "globex", viewer, "at-home"), allowed());
    assert_eq!(SHOP.said(us, "acme", viewer, "at-home"), denied("residency"));
    assert_eq!(SHOP.said(eu, "globex", viewer, "here"), allowed(), "the list says nothing of tenants");
    assert_eq!(SHOP.said(us, "globex", viewer, "here"), denied("residency"), "`region` goes before the node's");
    assert_eq!(SHOP.said(us, "acme", viewer, "elsewhere"), allowed());
}

#[test]
fn where_nobody_knows_the_region_nothing_bound_is_served() {
    for name in ["here", "elsewhere", "at-home"] {
        let answer = SHOP.mesh.client("acme", &format!("/tenants/acme/invoices/{name}")).unwrap();
        assert_eq!(SHOP.mesh.outcome(&answer), (403, "residency".into()), "{name}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("residency"), "a client is told coarsely");
    }
    let answer = SHOP.mesh.client("acme", "/tenants/acme/invoices/export").unwrap();
    assert_eq!(answer.status, 200, "what is not bound passes");
}

#[test]
fn consent_clearance_and_feature_are_asked_before_policies() {
    let at = Hop::InvoicesInbound;
    let (viewer, both) = (&["viewer"][..], &["accountant", "viewer"][..]);
    assert_eq!(SHOP.said(at, "acme", viewer, "marketing"), allowed());
    assert_eq!(SHOP.said(at, "globex", viewer, "marketing"), denied("consent"));
    assert_eq!(SHOP.said(at, "globex", viewer, "service"), allowed());
    assert_eq!(SHOP.said(at, "acme", viewer, "salaries"), denied("clearance"));
    assert_eq!(SHOP.said(at, "acme", both, "salaries"), allowed());
    assert_eq!(SHOP.said(at, "acme", viewer, "export"), allowed());
    assert_eq!(SHOP.said(at, "globex", viewer, "export"), denied("feature_off"));
    assert_eq!(SHOP.said(at, "acme", viewer, "hidden"), denied("feature_hidden"));
    assert_eq!(SHOP.said(at, "acme", &[], "marketing"), denied("policy_denied"), "they permit nothing");
    let answer = SHOP.mesh.client("acme", "/tenants/acme/invoices/hidden").unwrap();
    assert_eq!(SHOP.mesh.outcome(&answer), (404, "feature_hidden".into()));
}

#[test]
fn policies_read_what_operations_say_and_the_time() {
    let at = Hop::InvoicesInbound;
    for (name, policy) in [("read", ""), ("audited", "no-audits"), ("past", "until-2001"), ("to-come", "")] {
        let expected = if policy.is_empty() { allowed() } else { denied("policy_denied") };
        assert_eq!(SHOP.said(at, "acme", &["viewer"], name), expected, "{name}");
        let id = unique();
        SHOP.ask(at, "acme", &["viewer"], name, &id).unwrap();
        let by = SHOP.mesh.line(at, &id).unwrap().field("policy");
        assert_eq!(by, if policy.is_empty() { "viewers-read" } else { policy }, "{name}");
    }
}

#[test]
fn the_app_learns_the_features_of_its_tenant_and_no_others() {
    for (tenant, features) in [("acme", vec!["export"]), ("globex", vec![])] {
        let mark = unique();
        assert_eq!(SHOP.ask(Hop::InvoicesInbound, tenant, &["viewer"], "service", &mark).unwrap().status, 200);
        let seen = SHOP.mesh.seen_of(App::Invoices, &mark).unwrap();
        assert_eq!(headers(&seen[0], "x-partywall-features"), features, "{tenant}");
    }
}

#[test]
fn what_is_logged_can_be_decided_again() {
    let mut lines = Vec::new();
    for (tenant, name) in [
        ("acme", "at-home"),
        ("globex", "at-home"),
        ("globex", "marketing"),
        ("acme", "salaries"),
        ("acme", "past"),
        ("acme", "audited"),
    ] {
        let id = unique();
        SHOP.ask(Hop::InvoicesInbound, tenant, &["viewer"], name, &id).unwrap();
        let line = SHOP.mesh.line(Hop::InvoicesInbound, &id).unwrap();
        assert!(line.field("explain").contains(r#""region":"eu""#), "{}", line.field("explain"));
        lines.push(line.text().to_owned());
    }
    let site = &SHOP.mesh.site;
    let log = site.directory.join("attributes.log");
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    let (bundles, key) = (site.bundles(), site.keys().join("edge.env"));
    let [log, bundles, key] = [&log, &bundles, &key].map(|path| cli::text(path).unwrap());
    let found = cli::run(&["replay", "--log", log, bundles, bundles, "--fingerprint-key", key, "--json"]).unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["not_reproduced"], &found["replayed"]), (&json!([]), &json!(6)), "{found:#}");
}
