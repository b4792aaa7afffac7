//! What a caller is told, and what is written down.

use std::sync::LazyLock;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::raw::{Request, Response};

static MESH: LazyLock<Mesh> = LazyLock::new(|| Mesh::start(&Options::named("answers")).unwrap());

fn assert_problem(answer: &Response, status: u16, reason: &str) {
    assert_eq!(answer.status, status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let body = answer.json();
    assert_eq!((&body["status"], &body["reason"]), (&status.into(), &reason.into()), "{body}");
    for member in ["type", "title"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    }
}

#[test]
fn a_denial_at_the_edge_is_a_problem_document_with_a_coarse_reason() {
    let anonymous = MESH.ask(&Request::get("/invoices/1").header("host", "acme.shop.example")).unwrap();
    assert_problem(&anonymous, 401, "unauthenticated");
    let viewer = MESH.ask(&MESH.client("DELETE", "acme", "/invoices/1", &viewer(Acme, "acme")).unwrap()).unwrap();
    assert_problem(&viewer, 403, "forbidden");
    let list = "/tenants/globex/invoices";
    let foreign = MESH.ask(&MESH.client("GET", "acme", list, &accountant(Acme, "acme")).unwrap()).unwrap();
    assert_problem(&foreign, 404, "not_found");
}

#[test]
fn a_denial_names_the_trace_under_which_the_log_has_the_exact_reason() {
    let answer = MESH.ask(&MESH.client("DELETE", "acme", "/invoices/1", &viewer(Acme, "acme")).unwrap()).unwrap();
    let trace = answer.json()["trace"].as_str().unwrap().to_owned();
    assert_eq!(trace.len(), 32);
    let line = MESH.line(|line| line.trace_id().as_deref() == Some(&trace)).unwrap();
    assert_eq!(line.field("reason"), "policy_denied");
}

#[test]
fn nobody_learns_which_tenants_exist_without_a_credential() {
    let ask = |host: &str| {
        let answer = MESH.ask(&Request::get("/tenants/globex/invoices").header("host", host)).unwrap();
        let mut body = answer.json();
        body["trace"] = "".into();
        (answer.status, body)
    };
    assert_eq!(ask("globex.shop.example"), ask("nobody-at-all.shop.example"));
}

#[test]
fn a_denial_inside_tells_the_exact_reason_to_sidecars_and_to_nobody_else() {
    let request = Request::get("/orders/1").header("host", "orders");
    let stranger = MESH.send(Hop::OrdersInbound, Workload::Reports, &request).unwrap();
    assert_problem(&stranger, 403, "forbidden");
    assert_eq!(stranger.reason(), "caller_denied");
    let rootless = MESH.send(Hop::OrdersInbound, Workload::Invoices, &request).unwrap();
    assert_problem(&rootless, 401, "unauthenticated");
    assert_eq!(rootless.reason(), "tenant_missing");
    let app = MESH.send(Hop::InvoicesOutbound, Workload::Invoices, &request).unwrap();
    assert_problem(&app, 403, "forbidden");
    assert_eq!(app.header("x-partywall-reason"), None, "the caller is an app");
}

#[test]
fn a_grpc_caller_gets_its_denial_in_trailers() {
    let request = Request::new("POST", "/shop.Invoices/Read")
        .header("host", "acme.shop.example")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("content-length", "0");
    let answer = MESH.ask(&request).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("grpc-status"), Some("16"), "UNAUTHENTICATED: {:?}", answer.headers);
    let message = answer.header("grpc-message").unwrap_or_default();
    assert!(!message.contains('{'), "no document in a gRPC message: {message}");
    assert!(answer.body.is_empty());
}

#[test]
fn envoys_own_replies_have_the_same_form() {
    let too_many = (0..150).fold(Request::get("/invoices/1").header("host", "acme.shop.example"), |request, n| {
        request.header(&format!("x-{n}"), "1")
    });
    let answer = MESH.ask(&too_many).unwrap();
    assert_problem(&answer, 431, "bad_request");
    let underscored = Request::get("/invoices/1").header("host", "acme.shop.example").header("x_y", "1");
    assert_problem(&MESH.ask(&underscored).unwrap(), 400, "bad_request");
}

#[test]
fn no_log_holds_a_query_a_token_or_a_tenant() {
    let mark = unique();
    let card = "4111111111111111";
    let accountant = accountant(Shared, "globex");
    let bearer = MESH.bearer(&accountant).unwrap();
    for (path, status) in [
        (format!("/tenants/globex/invoices?card={card}&m={mark}"), 200),
        (format!("/invoices/{mark}?card={card}"), 200),
        (format!("/tenants/acme/invoices?card={card}&m={mark}"), 404),
        (format!("/tenants/initech/orders?card={card}&m={mark}"), 404),
        (format!("/globex/unmapped?card={card}"), 403),
    ] {
        let request =
            Request::get(&path).header("host", "globex.shop.example").header("authorization", bearer.as_str());
        let answer = MESH.ask(&request).unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.json());
        let id = answer.header("x-request-id").unwrap().to_owned();
        MESH.line(|line| line.field("request_id") == id).unwrap();
    }
    let mut written: Vec<String> = MESH.lines().iter().map(|line| line.text().to_owned()).collect();
    written.extend([&MESH.edge, &MESH.invoices, &MESH.orders].map(|envoy| envoy.errors()));
    let token = bearer.rsplit('.').next().unwrap();
    for secret in [card, token, "acme", "globex", "initech", "alice", "?"] {
        let told = written.iter().flat_map(|text| text.lines()).find(|line| line.contains(secret));
        // The module's own advice may end in a question mark; a path may not hold one.
        // A path before the first bundle is written as `/?`, since nobody could say what names a tenant in it.
        let told = told.filter(|line| secret != "?" || line.contains("s?") || line.contains("1?"));
        assert_eq!(told, None, "`{secret}` was written down");
    }
}

#[test]
fn an_access_log_line_says_who_what_and_why() {
    let mark = unique();
    let request = MESH.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    assert_eq!(MESH.ask(&request).unwrap().status, 200);
    let of = |hop| MESH.line(|line| line.hop == hop && line.field("path").contains(&mark)).unwrap();
    let orders = of(Hop::OrdersInbound);
    assert_eq!(orders.field("decision"), "allow");
    assert_eq!(orders.field("policy"), "accountants-read-and-delete");
    assert_eq!(orders.field("revision"), "5");
    assert_eq!(orders.field("peer"), "spiffe://mesh.example/ns/shop/sa/invoices");
    assert_eq!(orders.field("method"), "GET");
    assert_eq!(orders.field("status"), "200");
    assert_eq!(orders.field("path"), format!("/orders/{mark}"));
    assert_eq!(of(Hop::InvoicesOutbound).field("upstream"), "spiffe://mesh.example/ns/shop/sa/orders");
    for hop in Hop::ALL {
        assert_eq!(of(hop).trace_id(), orders.trace_id());
        assert_eq!(of(hop).field("tenant"), orders.field("tenant"));
    }
}

#[test]
fn decisions_are_counted_by_tenant_fingerprint_and_reason() {
    let counted =
        |labels: &[(&str, &str)]| MESH.edge.metric("partywall_authorization_decisions_total", labels).unwrap();
    let before = counted(&[("decision", "deny"), ("reason", "policy_denied")]);
    let request = MESH.client("DELETE", "acme", "/invoices/1", &viewer(Acme, "acme")).unwrap();
    let answer = MESH.ask(&request).unwrap();
    let id = answer.header("x-request-id").unwrap().to_owned();
    let fingerprint = MESH.line(|line| line.field("request_id") == id).unwrap().field("tenant");
    assert!(counted(&[("decision", "deny"), ("reason", "policy_denied")]) > before);
    assert!(counted(&[("tenant", &fingerprint), ("decision", "deny")]) >= 1.0);
    assert_eq!(counted(&[("tenant", "acme")]), 0.0);
}
