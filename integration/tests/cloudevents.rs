//! CloudEvents between two sidecars, made and read by the SDK of their project: whose they are stands in them, and one
//! that a broker brings later is let in by the context in it.

use std::process::Command;
use std::sync::LazyLock;

use partywall_integration::access_log::Hop;
use partywall_integration::artefacts;
use partywall_integration::certificates::Workload;
use partywall_integration::kafka::Client;
use partywall_integration::mesh::unique;
use partywall_integration::process::Process;
use partywall_integration::raw::{Connection, Request, Response};
use partywall_integration::roots::Root;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::variant::Variant;
use serde_json::{Value, json};

const INVOICES: &str = "spiffe://mesh.example/ns/shop/sa/invoices";
const EVENTS: &str = r#"
  - { http: "POST /events", action: "orders:receive", resource: Order, owner: none }
events:
  cloudevents:
    source: /tenants/{tenant}/
    types: [invoice.*]
    context: 1h
    deliveries: [spiffe://mesh.example/ns/shop/sa/reports]
"#;
const SIGNER: &str = "
  - id: invoices-1
    workload: spiffe://mesh.example/ns/shop/sa/invoices
    tenants: [acme, globex]

# Who issues JWTs";

struct Shop {
    mesh: Running,
    _app: Process,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("cloudevents", &["invoices", "orders"]).unwrap();
    variant.sign_also(&["invoices-1=invoices"]).unwrap();
    variant.replace("mesh.yaml", "\n# Who issues JWTs", SIGNER).unwrap();
    variant.append("services/invoices.yaml", "\nact_for: [acme, globex]\n").unwrap();
    let caller = "callers:\n  - { spiffe_id: spiffe://mesh.example/ns/shop/sa/reports, tenants: [acme] }\n";
    variant.replace("services/orders.yaml", "callers:\n", caller).unwrap();
    variant.append("services/orders.yaml", EVENTS).unwrap();
    for tenant in ["acme", "globex"] {
        let policy = format!(
            "\n@id(\"invoices-send-for-{tenant}\")\npermit (principal == User::\"{tenant}/{INVOICES}\", action == \
             Action::\"orders:receive\", resource);\n"
        );
        variant.append("policies/readers.cedar", &policy).unwrap();
    }
    variant.render().unwrap();
    let port = variant.site.ports.orders_app;
    let mut command = Command::new("python3");
    command.arg(artefacts::root().join("integration/kafka/cloud_events.py")).args(["receive", &port.to_string()]);
    command.env("PYTHONPATH", artefacts::cloud_events().unwrap());
    let app = Process::start("receiver", &mut command, &variant.site.directory.join("logs")).unwrap();
    let mesh = variant.start(&[]).unwrap();
    let sends =
        || mesh.send(Hop::InvoicesOutbound, Workload::Invoices, &Request::get("/ready-yet").header("host", "orders"));
    mesh.wait_for("invoices outbound", sends).unwrap();
    mesh.wait_for_policy(&[Hop::OrdersInbound]).unwrap();
    Shop { mesh, _app: app }
});

fn attributes(more: &Value) -> Value {
    let mut attributes = json!({
        "id": unique(), "source": "/tenants/acme/invoices", "type": "invoice.paid", "datacontenttype": "application/json",
    });
    attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    attributes
}

impl Shop {
    /// An event by the SDK, through both sidecars: the status, what the app understood, and the sender's log's reason.
    fn send(&self, mode: &str, tenant: &str, attributes: &Value) -> (u16, Value, String) {
        let (id, port) = (unique(), self.mesh.site.ports.invoices_outbound.to_string());
        let arguments = ["send", &port, mode, tenant, &id, &attributes.to_string()];
        let told = Client::events_program().unwrap().run(&arguments, "").unwrap().succeeds().unwrap();
        let (status, body) = told.split_once('\n').unwrap();
        let line = self.mesh.line(Hop::InvoicesOutbound, &id).unwrap();
        let reason = line.field("reason").trim_start_matches('-').to_owned();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default(), reason)
    }

    /// A request to orders' sidecar as `workload`, without a root.
    fn bring(&self, workload: Workload, headers: &[(String, String)], body: &str) -> Response {
        let request = Request::new("POST", "/events").header("host", "orders");
        let request = request.header("content-length", body.len().to_string());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value.as_bytes()));
        let site = &self.mesh.site;
        let (to, identity) = (site.address(Hop::OrdersInbound), site.certificates.of(workload));
        let mut connection = Connection::mutual_tls(to, identity).unwrap();
        connection.send(&request.bytes()).unwrap();
        connection.send(body.as_bytes()).unwrap();
        connection.receive().unwrap()
    }
}

#[test]
fn an_event_arrives_with_its_tenant_and_a_context() {
    for mode in ["binary", "structured"] {
        let sent = attributes(&json!({}));
        let (status, told, _) = SHOP.send(mode, "acme", &sent);
        assert_eq!(status, 200, "{told}");
        let got = &told["attributes"];
        assert_eq!((&got["id"], &got["source"], &got["type"]), (&sent["id"], &sent["source"], &sent["type"]), "{told}");
        assert_eq!((&got["partywalltenant"], &told["data"]), (&json!("acme"), &json!({ "amount": 7 })), "{mode}");
        let context = got["partywallcontext"].as_str().unwrap_or_else(|| panic!("{mode}: {told}"));
        assert_eq!(context.split('.').count(), 3);
    }
}

#[test]
fn an_event_that_says_something_else_is_not_sent() {
    for mode in ["binary", "structured"] {
        for (more, reason) in [
            (json!({ "partywalltenant": "globex" }), "resource_foreign"),
            (json!({ "source": "/tenants/globex/invoices" }), "resource_foreign"),
            (json!({ "type": "order.made" }), "resource_unmapped"),
        ] {
            let (status, told, found) = SHOP.send(mode, "acme", &attributes(&more));
            assert_eq!(found, reason, "{mode} {more}: {status} {told}");
            assert!(told["attributes"].is_null(), "{told}");
        }
        let globex = attributes(&json!({ "source": "/tenants/globex/invoices" }));
        let (status, told, _) = SHOP.send(mode, "globex", &globex);
        assert_eq!((status, &told["attributes"]["partywalltenant"]), (200, &json!("globex")), "{told}");
    }
}

#[test]
fn without_the_filter_of_events_nothing_is_answered() {
    // The bootstrap as it is shipped: nobody rendered it anew.
    let variant = Variant::prepare("cloudevents-unscoped", &["orders"]).unwrap();
    variant.append("services/orders.yaml", EVENTS).unwrap();
    let caller = "callers:\n  - { spiffe_id: spiffe://mesh.example/ns/shop/sa/reports, tenants: [acme] }\n";
    variant.replace("services/orders.yaml", "callers:\n", caller).unwrap();
    let seed = variant.site.signing_seed().unwrap();
    let mesh = variant.start(&[App::Orders]).unwrap();
    mesh.wait_for_policy(&[Hop::OrdersInbound]).unwrap();
    let root = Root::of("acme", 0).signed(&seed).unwrap();
    let request = Request::get("/orders/7").header("host", "orders").header("x-partywall-context", root);
    let answer = mesh.send(Hop::OrdersInbound, Workload::Edge, &request).unwrap();
    assert_eq!((answer.status, answer.reason().as_str()), (503, "policy_unavailable"));
}

/// The headers of an event as a broker keeps it.
fn kept(attributes: &Value) -> Vec<(String, String)> {
    let attributes = attributes.as_object().unwrap().iter().filter(|(name, _)| *name != "datacontenttype");
    let headers = attributes.map(|(name, value)| (format!("ce-{name}"), value.as_str().unwrap().to_owned()));
    headers.chain([("content-type".to_owned(), "application/json".to_owned())]).collect()
}

#[test]
fn an_event_is_brought_later_by_whom_the_service_lists() {
    let (_, told, _) = SHOP.send("binary", "acme", &attributes(&json!({})));
    let mut event = told["attributes"].clone();
    event.as_object_mut().unwrap().remove("time");
    let headers = kept(&event);
    let answer = SHOP.bring(Workload::Reports, &headers, r#"{"amount":7}"#);
    assert_eq!(answer.status, 200, "{}", answer.reason());
    assert_eq!(answer.json()["attributes"]["partywalltenant"], "acme");
    assert_eq!(answer.json()["principal"], INVOICES);

    let changed = |name: &str, value: Option<&str>| -> Vec<(String, String)> {
        let rest = headers.iter().filter(|(one, _)| one != name).cloned();
        rest.chain(value.map(|value| (name.to_owned(), value.to_owned()))).collect()
    };
    for (what, reason) in [
        (changed("ce-id", Some("another")), "context_forged"),
        (changed("ce-type", Some("invoice.void")), "context_forged"),
        (changed("ce-source", Some("/tenants/acme/other")), "context_forged"),
        (changed("ce-partywalltenant", Some("globex")), "resource_foreign"),
        (changed("ce-partywallcontext", None), "tenant_missing"),
        (changed("ce-partywallcontext", Some("a.b.c")), "context_forged"),
    ] {
        let answer = SHOP.bring(Workload::Reports, &what, r#"{"amount":7}"#);
        assert_eq!(answer.reason(), reason, "{what:?}: {}", answer.status);
    }
    // A caller, but none that brings events.
    let answer = SHOP.bring(Workload::Invoices, &headers, r#"{"amount":7}"#);
    assert_eq!(answer.reason(), "tenant_missing");
    // Not for this tenant.
    let globex = attributes(&json!({ "source": "/tenants/globex/invoices" }));
    let (_, told, _) = SHOP.send("binary", "globex", &globex);
    let mut event = told["attributes"].clone();
    event.as_object_mut().unwrap().remove("time");
    assert_eq!(SHOP.bring(Workload::Reports, &kept(&event), "{}").reason(), "caller_denied");
}
