//! Identity headers are taken out on every path that Envoy knows besides the straight one: health checks, mirrored
//! requests, retries, internal redirects, replies that Envoy makes itself. (Preflight requests: `identity_headers.rs`;
//! trailers: `trailers.rs`.)

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Token, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::stand_in::{Says, Seen, StandIn};
use partywall_integration::variant::Variant;

const ORDERS: &str = "                        - match: { path_separated_prefix: /orders }
                          route: { cluster: orders, timeout: 15s }
";
const ORDERS_TRIED_AND_MIRRORED: &str = "                        - match: { path_separated_prefix: /orders }
                          route:
                            cluster: orders
                            timeout: 15s
                            retry_policy: { retry_on: 5xx, num_retries: 2, retry_back_off: { base_interval: 0.01s } }
                            request_mirror_policies: [{ cluster: shadow }]
";
const INVOICES: &str = "                        - match: { path_separated_prefix: /invoices }
                          route: { cluster: invoices, timeout: 15s }
";
const REDIRECT: &str = "internal_redirect_policy: { max_internal_redirects: 2, redirect_response_codes: [302] }";
/// What a route adds to answers, Envoy's own as well.
const HOSTS: &str = "                      domains: [\"*\"]\n";
const ADDED: &str =
    "                      response_headers_to_add: [{ header: { key: x-partywall-tenant, value: globex } }]\n";
/// Mirrored requests leave the mesh: role egress in the cluster's own filter chain, where no listener is to fit, takes
/// out what is ours.
const SHADOW: &str = "    - name: shadow\n      type: STATIC\n";
const EGRESS: &str = r#"      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http_protocol_options: {} }
          http_filters:
            - name: partywall.sidecar
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                config:
                  name: partywall.egress
                  root_id: sidecar
                  failure_policy: FAIL_RELOAD
                  vm_config: *vm
                  configuration:
                    "@type": type.googleapis.com/google.protobuf.Struct
                    value:
                      role: egress
                      mesh: 3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11
                      bundle: { cluster: partywall-bundles, path: /tenancy.workload.bundle, overlay_path: /tenancy.overlay }
                      trusted_keys: { env: PARTYWALL_BUNDLE_KEYS }
                      secrets: { fingerprint: PARTYWALL_FINGERPRINT }
            - name: envoy.filters.http.upstream_codec
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec
"#;
const APP: &str = "                          route: { cluster: app, timeout: 15s }\n";
const BEGIN: &str = "                  # partywall: begin\n                  - name: partywall.sidecar\n";
const OPEN: &str =
    "\n  - { http: \"GET /healthz\", action: \"invoices:probe\", resource: Invoice, owner: none, anonymous: true }\n";
const EVERYBODY: &str = "\n@id(\"probe\")\npermit (principal, action == Action::\"invoices:probe\", resource);\n";

const SPOOFED: [(&str, &str); 6] = [
    ("x-partywall-tenant", "globex"),
    ("x-partywall-principal", "root"),
    ("x-partywall-context", "eyJhbGciOiJub25lIn0.e30."),
    ("x-partywall-anything", "globex"),
    ("x-tenant-id", "globex"),
    ("x-forwarded-client-cert", "URI=spiffe://mesh.example/ns/edge/sa/globex"),
];

struct Shop {
    mesh: Running,
    invoices: StandIn,
    orders: StandIn,
    shadow: StandIn,
    key: String,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("every-path", &["edge", "invoices", "orders"]).unwrap();
    let ports = variant.site.ports;
    let invoices = StandIn::start(ports.invoices_app, app).unwrap();
    let orders = StandIn::start(ports.orders_app, app).unwrap();
    let shadow = StandIn::start(0, |_, _| Says(200, Vec::new())).unwrap();

    // By trace id: a redirect from a service to itself comes with the trace id of the request before it.
    variant.append("services/invoices.yaml", &format!("{OPEN}\nrecover: traceparent\n")).unwrap();
    variant.append("policies/readers.cedar", EVERYBODY).unwrap();
    let key = variant.api_key("acme").unwrap();
    variant.envoy("edge", "vm_config:\n", "vm_config: &vm\n").unwrap();
    variant.envoy("edge", HOSTS, &format!("{HOSTS}{ADDED}")).unwrap();
    variant.envoy("edge", ORDERS, ORDERS_TRIED_AND_MIRRORED).unwrap();
    let redirecting = INVOICES.replacen("timeout: 15s }", &format!("timeout: 15s, {REDIRECT} }}"), 1);
    variant.envoy("edge", INVOICES, &redirecting).unwrap();
    variant.cluster("edge", "shadow", shadow.address.port()).unwrap();
    variant.envoy("edge", SHADOW, &format!("{SHADOW}{EGRESS}")).unwrap();
    for (sidecar, pass_through) in [("invoices", true), ("orders", false)] {
        // A redirect of `invoices` is left to the edge.
        let redirect = if sidecar == "orders" { REDIRECT } else { "priority: DEFAULT" };
        let route = format!("                          route: {{ cluster: app, timeout: 1s, {redirect} }}\n");
        variant.envoy(sidecar, APP, &route).unwrap();
        let check = format!(
            "                  - name: envoy.filters.http.health_check\n                    typed_config:\n                      \
             \"@type\": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck\n                      \
             pass_through_mode: {pass_through}\n                      \
             headers: [{{ name: \":path\", string_match: {{ prefix: /healthz }} }}]\n"
        );
        let inbound = format!("{BEGIN}                    typed_config:\n");
        let first = format!("{check}{inbound}");
        variant.envoy_once(sidecar, &inbound, &first).unwrap();
    }
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&Hop::ALL).unwrap();
    Shop { mesh, invoices, orders, shadow, key }
});

/// Both apps: the last word of the path says what to do.
fn app(seen: &Seen, before: usize) -> Says {
    let (_, verb) = seen.path.rsplit_once('.').unwrap_or_default();
    match verb {
        "flaky" if before < 2 => Says(503, Vec::new()),
        "slow" => {
            thread::sleep(Duration::from_secs(2));
            Says(200, Vec::new())
        }
        "onward" => {
            Says(302, vec![("location", format!("http://{}/orders/{}", seen.all("host")[0], last(&seen.path)))])
        }
        "again" => {
            Says(302, vec![("location", format!("http://{}/invoices/{}", seen.all("host")[0], last(&seen.path)))])
        }
        "around" => Says(302, vec![("location", format!("http://globex.shop.example/orders/{}", last(&seen.path)))]),
        "chatty" => Says(200, SPOOFED.map(|(name, value)| (name, value.to_owned())).into()),
        status => Says(status.parse().unwrap_or(200), vec![("x-partywall-tenant", "globex".into())]),
    }
}

/// `x` of `/invoices/x.onward`.
fn last(path: &str) -> &str {
    path.rsplit('/').next().and_then(|last| last.split('.').next()).unwrap_or_default()
}

fn spoofed(path: &str, host: &str) -> Request {
    SPOOFED.iter().fold(Request::get(path).header("host", host), |request, (name, value)| request.header(name, *value))
}

/// A client of `tenant` with claims of another identity.
fn client(tenant: &'static str, path: &str) -> Response {
    let token: Token = viewer(if tenant == "acme" { Acme } else { Shared }, tenant);
    let token = SHOP.mesh.site.issuers.token(&token, &unique()).unwrap();
    let request = spoofed(path, &format!("{tenant}.shop.example")).header("authorization", format!("Bearer {token}"));
    let answer = SHOP.mesh.send(Hop::Edge, Workload::Edge, &request).unwrap();
    let told: Vec<_> = answer.headers.iter().filter(|(name, _)| name.contains("partywall")).collect();
    assert!(told.is_empty(), "{path}: what says something of tenants leaves the mesh: {answer:?}");
    answer
}

#[track_caller]
fn assert_told_as(seen: &Seen, tenant: &str) {
    assert_eq!(
        (seen.all("x-partywall-tenant"), seen.all("x-partywall-principal")),
        (vec![tenant.into()], vec!["bob".into()])
    );
    assert_eq!(seen.all("x-partywall-context").len(), 1);
    for name in ["x-partywall-anything", "x-tenant-id"] {
        assert!(seen.all(name).is_empty(), "{name}: {seen:?}");
    }
    assert!(!format!("{:?}", seen.headers).contains("sa/globex"), "{seen:?}");
}

#[test]
fn each_try_of_a_request_brings_the_same_identity_once() {
    let mark = unique();
    assert_eq!(client("acme", &format!("/orders/{mark}.flaky")).status, 200);
    let tries = SHOP.orders.seen(&mark);
    assert_eq!(tries.len(), 3);
    for one in &tries {
        assert_told_as(one, "acme");
        assert_eq!(one.all("x-partywall-context"), tries[0].all("x-partywall-context"), "one root for all tries");
    }
    let denied = unique();
    assert_eq!(client("acme", &format!("/orders/{denied}/more.flaky")).status, 403);
    assert!(SHOP.orders.seen(&denied).is_empty());
}

#[test]
fn a_mirrored_request_takes_neither_a_claim_nor_a_root_out_of_the_mesh() {
    let mark = unique();
    assert_eq!(client("acme", &format!("/orders/{mark}.200")).status, 200);
    assert_told_as(&SHOP.orders.seen(&mark)[0], "acme");
    let mirrored = partywall_integration::wait::until(Duration::from_secs(5), || SHOP.shadow.seen(&mark).pop());
    let mirrored = mirrored.expect("it is mirrored");
    let ours = mirrored.headers.keys().filter(|name| name.as_str().contains("partywall")).count();
    assert_eq!(ours, 0, "{mirrored:?}");
    for (name, _) in SPOOFED {
        assert!(mirrored.all(name).is_empty(), "{name}: {mirrored:?}");
    }
    let denied = unique();
    assert_eq!(client("acme", &format!("/orders/{denied}/more.200")).status, 403);
    assert!(SHOP.shadow.seen(&denied).is_empty(), "what is denied is not mirrored");
}

#[test]
fn an_internal_redirect_at_the_edge_is_decided_again_for_the_same_tenant() {
    for tenant in ["acme", "globex"] {
        let mark = unique();
        let answer = client(tenant, &format!("/invoices/{mark}.onward"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_told_as(&SHOP.invoices.seen(&mark)[0], tenant);
        let redirected = SHOP.orders.seen(&mark);
        assert_eq!(redirected.len(), 1);
        assert_told_as(&redirected[0], tenant);
    }
    let mark = unique();
    assert_eq!(client("acme", &format!("/invoices/{mark}.again")).status, 200);
    let seen = SHOP.invoices.seen(&mark);
    assert_eq!(seen.len(), 2);
    seen.iter().for_each(|one| assert_told_as(one, "acme"));
    // An API key does not get past the first decision, so there is none for the second.
    let mark = unique();
    let request =
        spoofed(&format!("/invoices/{mark}.onward"), "acme.shop.example").header("x-api-key", SHOP.key.as_str());
    let answer = SHOP.mesh.send(Hop::Edge, Workload::Edge, &request).unwrap();
    assert_eq!((answer.status, answer.reason().as_str()), (401, "unauthenticated"));
    assert_eq!((SHOP.invoices.seen(&mark).len(), SHOP.orders.seen(&mark).len()), (1, 0));
    // To another tenant's host it is another tenant's request, and the token is not.
    let mark = unique();
    let answer = client("acme", &format!("/invoices/{mark}.around"));
    assert_eq!((answer.status, answer.reason().as_str()), (403, "forbidden"));
    assert_eq!((SHOP.invoices.seen(&mark).len(), SHOP.orders.seen(&mark).len()), (1, 0));
}

#[test]
fn an_internal_redirect_at_a_sidecar_is_decided_again_for_the_same_tenant() {
    let mark = unique();
    let answer = client("acme", &format!("/orders/{mark}.onward"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = SHOP.orders.seen(&mark);
    assert_eq!(seen.iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>().len(), 2, "{seen:?}");
    for one in &seen {
        assert_told_as(one, "acme");
        assert_eq!(one.all("x-partywall-context"), seen[0].all("x-partywall-context"));
    }
}

#[test]
fn what_envoy_answers_by_itself_says_nothing_of_tenants() {
    // The sidecar gives up on the app after a second.
    let mark = unique();
    assert_eq!(client("acme", &format!("/invoices/{mark}.slow")).status, 504);
    assert_told_as(&SHOP.invoices.seen(&mark)[0], "acme");
    // No route at all: without a credential nobody learns that.
    assert_eq!(client("acme", "/nowhere").status, 403);
    let anonymous = SHOP.mesh.send(Hop::Edge, Workload::Edge, &spoofed("/nowhere", "acme.shop.example")).unwrap();
    assert_eq!(anonymous.status, 401);
}

#[test]
fn what_apps_say_of_tenants_leaves_no_mesh_whatever_they_answer() {
    for verb in ["200", "204", "304", "404", "500", "chatty"] {
        let mark = unique();
        let answer = client("acme", &format!("/orders/{mark}.{verb}"));
        assert_eq!(answer.status, verb.parse().unwrap_or(200));
        assert!(answer.header("x-forwarded-client-cert").is_none(), "{answer:?}");
        assert_told_as(&SHOP.orders.seen(&mark)[0], "acme");
    }
}

#[test]
fn a_health_check_that_envoy_answers_reaches_nobody_and_one_that_it_passes_on_is_decided() {
    // `orders`: Envoy answers before the filter, and the app is not asked.
    let ask = |hop, workload, mark: &str, host: &str| {
        SHOP.mesh.send(hop, workload, &spoofed(&format!("/healthz?{mark}"), host)).unwrap()
    };
    let mark = unique();
    let answer = ask(Hop::OrdersInbound, Workload::Reports, &mark, "orders");
    assert_eq!(answer.status, 200);
    assert!(SHOP.orders.seen(&mark).is_empty());
    assert!(answer.headers.iter().all(|(name, _)| !name.contains("partywall")), "{answer:?}");
    // `invoices`: passed on, so it is a request like any other, here for an operation open to everybody.
    let mark = unique();
    let honest =
        Request::get(&format!("/healthz?{mark}")).header("host", "acme.shop.example").header("x-tenant-id", "globex");
    let honest = honest.header("x-partywall-tenant", "globex");
    assert_eq!(SHOP.mesh.send(Hop::InvoicesInbound, Workload::Edge, &honest).unwrap().status, 200);
    let seen = SHOP.invoices.seen(&mark);
    assert_eq!((seen.len(), seen[0].all("x-partywall-tenant")), (1, vec!["acme".to_owned()]));
    for name in ["x-tenant-id", "x-partywall-context", "x-partywall-principal"] {
        assert!(seen[0].all(name).is_empty(), "{name}: {seen:?}");
    }
    let mark = unique();
    let stranger = ask(Hop::InvoicesInbound, Workload::Reports, &mark, "acme.shop.example");
    assert_eq!((stranger.status, stranger.reason().as_str()), (403, "caller_denied"));
    let forged = ask(Hop::InvoicesInbound, Workload::Edge, &mark, "acme.shop.example");
    assert_eq!((forged.status, forged.reason().as_str()), (401, "context_forged"));
    assert!(SHOP.invoices.seen(&mark).is_empty());
}
