//! Every source of a tenant at a TLS edge: what proves, what narrows, and what is no source at all.

use std::fs;
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use partywall_integration::access_log::Hop;
use partywall_integration::cli;
use partywall_integration::mesh::unique;
use partywall_integration::play::LIVE;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::tls_edge::tls_edge;
use partywall_integration::variant::{Client, Clients, OwnIssuer, Variant, over_tls};
use partywall_integration::wait;
use serde_json::{Value, json};

const SOURCES: &str = r#"
    - certificate: { uri: "spiffe://mesh.example/tenant/{tenant}/sa/{workload}" }
    - path: "/tenants/{tenant}"
    - header: { name: x-shop-tenant, from: ["spiffe://mesh.example/ns/*/sa/partner-gateway"] }
"#;

/// Open to everybody: one path names the tenant, the other leaves that to the host.
const LOGINS: &str = r#"
  - { http: "POST /tenants/{tenant}/orders/login", action: "orders:login", resource: Order, owner: none, anonymous: true }
  - { http: "POST /orders/login", action: "orders:login", resource: Order, owner: none, anonymous: true }
"#;
const EVERYBODY: &str = "\n@id(\"login\")\npermit (principal, action == Action::\"orders:login\", resource);\n";
/// A certificate and a key without a role prove who it is, not what it may do.
const WEB: &str = r#"
@id("web")
permit (
    principal == User::"acme/spiffe://mesh.example/tenant/acme/sa/web",
    action in [Action::"orders:read", Action::"orders:list"],
    resource
);
"#;

struct Mesh {
    running: Running,
    issuer: OwnIssuer,
    clients: Clients,
    key: String,
    expired: String,
    revocable: String,
}

static MESH: LazyLock<Mesh> = LazyLock::new(start);

fn start() -> Mesh {
    let mut variant = Variant::prepare("sources", &["edge", "orders"]).unwrap();
    let (issuer, clients) = (OwnIssuer::make("https://id.many.example", "many-ed-1"), Clients::make().unwrap());
    tls_edge(&mut variant, clients.pem()).unwrap();
    let host = "    - host: \"{tenant}.shop.example\"\n";
    variant.replace("mesh.yaml", host, &format!("{host}{SOURCES}")).unwrap();
    let next = "# How a former system told";
    variant.replace("mesh.yaml", next, &format!("  inbound:\n    - path: \"/tenants/{{tenant}}\"\n\n{next}")).unwrap();
    variant.append("mesh.yaml", &issuer.entry(&variant.site.keys()).unwrap()).unwrap();
    variant.append("services/orders.yaml", LOGINS).unwrap();
    variant.append("policies/readers.cedar", &format!("{EVERYBODY}{WEB}")).unwrap();
    let (key, expired, revocable) =
        (variant.api_key("acme").unwrap(), variant.api_key("acme").unwrap(), variant.api_key("acme").unwrap());
    // The command gives out no key that has ended already.
    let file = fs::read_to_string(variant.tenancy("api-keys.yaml")).unwrap();
    let line = file.lines().find(|line| line.contains(id(&expired))).unwrap();
    let (start, _) = line.split_once("expires:").unwrap();
    variant.replace("api-keys.yaml", line, &format!("{start}expires: 2020-01-01T00:00:00Z }}")).unwrap();
    let running = variant.start(&[App::Orders]).unwrap();
    let edge = running.site.address(Hop::Edge);
    let probe = Request::get("/orders/ready-yet").header("host", "acme.shop.example");
    running.wait_for("the edge", || over_tls(edge, None, None, &probe)).unwrap();
    running.wait_for_policy(&[Hop::OrdersInbound]).unwrap();
    Mesh { running, issuer, clients, key, expired, revocable }
}

fn id(key: &str) -> &str {
    key.split('.').nth(1).unwrap()
}

/// What came of a request: at the edge, and in the app.
#[derive(Debug)]
struct Came {
    answer: Response,
    edge: (u16, String),
    seen: Vec<Value>,
}

impl Came {
    fn told(&self, name: &str) -> Vec<String> {
        self.seen.iter().flat_map(|seen| headers(seen, name)).collect()
    }

    #[track_caller]
    fn let_in_as(&self, tenant: &str) -> &Self {
        assert_eq!((self.edge.clone(), self.told("x-partywall-tenant")), ((200, String::new()), vec![tenant.into()]));
        self
    }

    #[track_caller]
    fn denied(&self, status: u16, reason: &str) -> &Self {
        assert_eq!(self.edge, (status, reason.into()));
        assert!(self.seen.is_empty(), "{self:?}");
        self
    }
}

/// A request to be sent over TLS; `host` is the SNI as well.
#[derive(Clone)]
struct Ask {
    method: &'static str,
    path: String,
    host: &'static str,
    sni: Option<&'static str>,
    client: Option<Client>,
    headers: Vec<(&'static str, String)>,
}

fn at(host: &'static str) -> Ask {
    Ask { method: "GET", path: "/orders/{mark}".into(), host, sni: Some(host), client: None, headers: Vec::new() }
}

impl Ask {
    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn token(self, tenant: Value) -> Self {
        let bearer = MESH.issuer.bearer(&tenant).unwrap();
        self.header("authorization", bearer)
    }

    fn client(self, uri: &str) -> Self {
        Self { client: Some(MESH.clients.issue(uri).unwrap()), ..self }
    }

    fn path(self, path: &str) -> Self {
        Self { path: path.into(), ..self }
    }

    fn send(&self) -> Came {
        let mark = unique();
        let mut request = Request::new(self.method, self.path.replace("{mark}", &mark)).header("host", self.host);
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str());
        }
        let answer = over_tls(MESH.running.site.address(Hop::Edge), self.sni, self.client.as_ref(), &request).unwrap();
        Came { edge: MESH.running.outcome(&answer), seen: MESH.running.seen_of(App::Orders, &mark).unwrap(), answer }
    }
}

const ACME: &str = "acme.shop.example";
const WEB_OF_ACME: &str = "spiffe://mesh.example/tenant/acme/sa/web";
const PARTNER: &str = "spiffe://mesh.example/ns/europe/sa/partner-gateway";
/// A host that selects nobody.
const NO_TENANT: &str = "api.example";

#[test]
fn an_api_key_lets_in_and_never_reaches_an_app() {
    let came = at(ACME).header("x-api-key", &MESH.key).send();
    came.let_in_as("acme");
    assert_eq!(came.told("x-partywall-principal"), ["nightly-export"]);
    let secret = MESH.key.rsplit('.').next().unwrap();
    let app = serde_json::to_string(&came.seen).unwrap();
    assert!(!app.contains(secret) && !app.contains("x-api-key"), "{app}");
    // Whatever it is in the header, the header ends here.
    let other = at(ACME).token(json!("acme")).header("x-api-key", "a-key-of-somebody-else").send();
    other.let_in_as("acme");
    assert!(other.told("x-api-key").is_empty());
}

#[test]
fn a_wrong_api_key_an_expired_one_and_one_of_another_tenant_do_not() {
    let (start, secret) = MESH.key.rsplit_once('.').unwrap();
    let flipped = format!("{start}.{}{}", if secret.starts_with('A') { 'B' } else { 'A' }, &secret[1..]);
    at(ACME).header("x-api-key", flipped).send().denied(401, "credential_invalid");
    let unknown = format!("pw1.0123456789abcdef.{secret}");
    at(ACME).header("x-api-key", unknown).send().denied(401, "credential_invalid");
    at(ACME).header("x-api-key", &MESH.expired).send().denied(401, "credential_expired");
    at(ACME).header("x-api-key", "not-one-of-ours").send().denied(401, "tenant_missing");
    at("globex.shop.example").header("x-api-key", &MESH.key).send().denied(403, "tenant_conflict");
    // An invalid credential is a denial even beside a good one.
    at(ACME).token(json!("acme")).header("x-api-key", &MESH.expired).send().denied(401, "credential_expired");
    at(ACME).token(json!("globex")).header("x-api-key", &MESH.key).send().denied(403, "tenant_conflict");
}

#[test]
fn two_api_keys_in_one_request_are_ambiguous() {
    let came = at(ACME).header("x-api-key", &MESH.key).header("x-api-key", &MESH.key).send();
    assert_ne!(came.answer.status, 200);
    assert!(came.seen.is_empty());
}

#[test]
fn a_revoked_api_key_is_denied_within_a_second_and_a_half() {
    let ask = at(ACME).header("x-api-key", &MESH.revocable);
    ask.send().let_in_as("acme");
    let given = Instant::now();
    let bundles = MESH.running.site.bundles();
    cli::run(&["revoke", "api-key", id(&MESH.revocable), "--dir", cli::text(&bundles).unwrap()]).unwrap();
    let denied = wait::until(LIVE * 2, || {
        let asked = Instant::now();
        (ask.send().edge.1 == "credential_revoked").then(|| asked - given)
    });
    let after = denied.expect("never denied");
    println!("revoked: first denial {} ms after the command", after.as_millis());
    assert!(after <= LIVE, "{after:?}");
    thread::sleep(LIVE.saturating_sub(given.elapsed()));
    for _ in 0..12 {
        ask.send().denied(401, "credential_revoked");
    }
    at(ACME).header("x-api-key", &MESH.key).send().let_in_as("acme");
}

#[test]
fn a_certificate_of_a_tenants_workload_proves_the_tenant() {
    let came = at(ACME).client(WEB_OF_ACME).send();
    came.let_in_as("acme");
    assert_eq!(came.told("x-partywall-principal"), [WEB_OF_ACME]);
    assert!(came.told("x-forwarded-client-cert").iter().all(|xfcc| !xfcc.contains("tenant/acme")));
    at(NO_TENANT).client(WEB_OF_ACME).send().let_in_as("acme");
    at("globex.shop.example").client(WEB_OF_ACME).send().denied(403, "tenant_conflict");
    at(NO_TENANT).client("spiffe://mesh.example/tenant/nobody/sa/web").send().denied(403, "tenant_unknown");
}

#[test]
fn a_certificate_outside_the_template_is_no_source() {
    for uri in [
        "spiffe://mesh.example/ns/shop/sa/web",
        "spiffe://mesh.example/tenant/acme/sa/web/more",
        "spiffe://mesh.example/tenant/acme/ns/web",
        "spiffe://elsewhere.example/tenant/acme/sa/web",
    ] {
        at(ACME).client(uri).send().denied(401, "tenant_missing");
        at(ACME).client(uri).token(json!("acme")).send().let_in_as("acme");
    }
    at(ACME).send().denied(401, "tenant_missing");
}

#[test]
fn a_certificate_and_a_token_of_different_tenants_are_a_conflict() {
    at(NO_TENANT).client(WEB_OF_ACME).token(json!("globex")).send().denied(403, "tenant_conflict");
    let both = at(NO_TENANT).client(WEB_OF_ACME).token(json!("acme")).send();
    both.let_in_as("acme");
    assert_eq!(both.told("x-partywall-principal"), ["carol"], "the first source names the principal");
    // Of several tenants of a token, the certificate leaves one.
    at(NO_TENANT).client(WEB_OF_ACME).token(json!(["globex", "acme"])).send().let_in_as("acme");
}

#[test]
fn of_a_token_for_several_tenants_the_host_picks_one() {
    let both = json!(["acme", "globex"]);
    at(ACME).token(both.clone()).send().let_in_as("acme");
    at("globex.shop.example").token(both.clone()).send().let_in_as("globex");
    at("initech.shop.example").token(both.clone()).send().denied(403, "tenant_conflict");
    at(NO_TENANT).token(both).send().denied(401, "tenant_missing");
    at(NO_TENANT).token(json!(["acme"])).send().let_in_as("acme");
    at(ACME).token(json!([])).send().denied(401, "credential_invalid");
    at(ACME).token(json!(["acme", 7])).send().denied(401, "credential_invalid");
}

#[test]
fn the_path_narrows_and_proves_nothing() {
    let path = "/tenants/globex/orders?page={mark}";
    at(NO_TENANT).token(json!(["acme", "globex"])).path(path).send().let_in_as("globex");
    at(NO_TENANT).token(json!("acme")).path(path).send().denied(403, "tenant_conflict");
    at(ACME).token(json!(["acme", "globex"])).path(path).send().denied(403, "tenant_conflict");
    at(NO_TENANT).path(path).send().denied(401, "tenant_missing");
}

#[test]
fn a_header_counts_from_a_trusted_peer_alone_and_is_gone_for_everybody() {
    let both = || at(NO_TENANT).token(json!(["acme", "globex"])).header("x-shop-tenant", "globex");
    let trusted = both().client(PARTNER).send();
    trusted.let_in_as("globex");
    assert!(trusted.told("x-shop-tenant").is_empty());
    both().send().denied(401, "tenant_missing");
    both().client("spiffe://mesh.example/ns/a/b/sa/partner-gateway").send().denied(401, "tenant_missing");
    both().client("spiffe://mesh.example/ns/europe/sa/partner-gateway2").send().denied(401, "tenant_missing");

    let stranger = at(NO_TENANT).token(json!("acme")).header("x-shop-tenant", "globex").send();
    stranger.let_in_as("acme");
    assert!(stranger.told("x-shop-tenant").is_empty());
    let denied = at(NO_TENANT).token(json!("acme")).header("x-shop-tenant", "globex").client(PARTNER).send();
    denied.denied(403, "tenant_conflict");
    // Said twice, it says nothing that could be relied on.
    both().header("x-shop-tenant", "acme").client(PARTNER).send().denied(400, "ambiguous_request");
}

#[test]
fn a_connection_made_for_another_host_is_misdirected() {
    let other = Ask { sni: Some("globex.shop.example"), ..at(ACME).token(json!("acme")) };
    let came = other.send();
    came.denied(421, "misdirected_request");
    assert_eq!(came.answer.reason(), "misdirected");
    Ask { sni: None, ..at(ACME).token(json!("acme")) }.send().let_in_as("acme");
    Ask { sni: Some("ACME.shop.example"), ..at(ACME).token(json!("acme")) }.send().let_in_as("acme");
}

#[test]
fn an_anonymous_login_gets_no_root_context() {
    let login = |host| Ask { method: "POST", ..at(host).path("/tenants/acme/orders/login?{mark}") };
    let came = login(NO_TENANT).header("content-length", "0").send();
    assert_eq!((came.edge.clone(), came.answer.status, came.seen.len()), ((200, String::new()), 200, 1), "{came:?}");
    println!("an anonymous login: the app is told the tenant {:?}", came.told("x-partywall-tenant"));
    for name in ["x-partywall-context", "x-partywall-principal"] {
        assert!(came.told(name).iter().all(String::is_empty), "{name}: {came:?}");
    }
    let state = came.told("tracestate").join(",");
    assert!(!state.contains("pw="), "{state}");
    // What is claimed must be valid all the same, and what selects must agree.
    let expired = login(NO_TENANT).header("x-api-key", &MESH.expired).header("content-length", "0").send();
    expired.denied(401, "credential_expired");
    login("globex.shop.example").header("content-length", "0").send();
    let proved = login(NO_TENANT).token(json!("acme")).header("content-length", "0").send();
    assert_eq!(proved.told("x-partywall-principal"), ["carol"]);
    // Other operations are as closed as before.
    at(ACME).send().denied(401, "tenant_missing");
}

#[test]
fn certificates_of_another_authority_are_refused_by_the_edge() {
    let stranger = Clients::make().unwrap().issue(WEB_OF_ACME).unwrap();
    let request = Request::get("/orders/1").header("host", ACME);
    let answer = over_tls(MESH.running.site.address(Hop::Edge), Some(ACME), Some(&stranger), &request);
    assert!(answer.is_err(), "{answer:?}");
}

#[test]
fn an_anonymous_login_may_name_its_tenant_by_the_host_alone() {
    let login = Ask { method: "POST", ..at(ACME).path("/orders/login?{mark}") };
    let came = login.header("content-length", "0").send();
    assert_eq!((came.answer.status, came.seen.len()), (200, 1), "{came:?}");
}
