//! What a request was decided for is where it goes, whatever the edge's routes look at.

use partywall_integration::access_log::Hop;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, SIDECAR, unique};
use partywall_integration::services::App;

const INVOICES: &str = "                        - match: { path_separated_prefix: /invoices }\n";

/// The same path leads elsewhere when the filter has written the tenant into the request.
const BY_TENANT: &str = r#"                        - match:
                            path_separated_prefix: /invoices
                            headers: [{ name: x-partywall-tenant, string_match: { exact: acme } }]
                          route: { cluster: orders, timeout: 15s }
"#;

#[test]
fn a_request_that_went_elsewhere_than_it_was_decided_for_gets_no_answer() {
    let mut mesh = Mesh::start(&Options::named("route-by-tenant")).unwrap();
    mesh.restart("edge", |b| b.with_filters(SIDECAR)?.replace(INVOICES, &format!("{BY_TENANT}{INVOICES}"))).unwrap();
    let mark = unique();
    let path = format!("/invoices/{mark}");
    let rerouted = mesh.ask(&mesh.client("GET", "acme", &path, &accountant(Acme, "acme")).unwrap()).unwrap();
    assert_eq!((rerouted.status, rerouted.reason().as_str()), (400, "bad_request"));
    // The edge cannot know before; the service it went to has an inbound filter, and that one denied.
    for app in [App::Invoices, App::Orders] {
        assert!(mesh.seen_of(app, &mark).unwrap().is_empty(), "{}", app.name());
    }
    let id = rerouted.header("x-request-id").unwrap();
    let line = mesh.line(|line| line.hop == Hop::Edge && line.field("request_id") == id).unwrap();
    assert_eq!(line.field("reason"), "ambiguous_request", "{}", line.text());

    let other = mesh.ask(&mesh.client("GET", "globex", &path, &accountant(Shared, "globex")).unwrap()).unwrap();
    assert_eq!(other.status, 200, "the route of others does not change: {}", other.json());
}
