//! An attacker holds everything that `invoices`' pod holds: its certificate with the key, its environment, and
//! every root context that it let in. What can be done with that from a TLS connection of the attacker's own?

use std::fs;
use std::sync::LazyLock;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::certificates::{Workload, leaf, uri};
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::viewer;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{self, Chain, Request, Response};
use partywall_integration::roots::{Root, secret};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;
use rcgen::{Issuer, KeyPair};
use serde_json::{Value, json};

const EDGE: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
const ROOT: &str = "x-partywall-context";

/// `orders` lists `invoices` for acme and globex alone.
static CAPTURED: LazyLock<Captured> = LazyLock::new(|| {
    let variant = Variant::prepare("captured", &["edge", "invoices", "orders"]).unwrap();
    let (all, two) = ("sa/invoices, tenants: all }", "sa/invoices, tenants: [acme, globex] }");
    variant.replace("services/orders.yaml", all, two).unwrap();
    let running = variant.start(&[App::Invoices, App::Orders]).unwrap();
    running.wait_for_policy(&Hop::ALL).unwrap();
    Captured::of(running)
});

/// Here the sidecar holds a key of its own: it may sign for globex, for which it also acts.
static SIGNER: LazyLock<Captured> = LazyLock::new(|| {
    let variant = Variant::prepare("captured-signer", &["orders"]).unwrap();
    variant.sign_also(&["invoices-1=invoices"]).unwrap();
    let signer = "\n  - id: invoices-1\n    workload: spiffe://mesh.example/ns/shop/sa/invoices\n    \
                  tenants: [globex]\n\n# Who issues JWTs";
    variant.replace("mesh.yaml", "\n# Who issues JWTs", signer).unwrap();
    variant.append("services/invoices.yaml", "\nact_for: [globex]\n").unwrap();
    let running = variant.start(&[App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::OrdersInbound]).unwrap();
    Captured::of(running)
});

/// What the attacker holds, and where it tries.
struct Captured {
    mesh: Running,
    environment: Vec<(String, String)>,
}

/// What came of one attempt: as told to the attacker, and as the operator reads it.
#[derive(Debug)]
struct Came {
    status: u16,
    reason: String,
    seen: Vec<Value>,
}

impl Captured {
    fn of(mesh: Running) -> Self {
        let environment = mesh.site.environment("invoices").unwrap();
        Self { mesh, environment }
    }

    /// A secret of its environment.
    fn secret(&self, name: &str) -> Vec<u8> {
        let (_, value) = self.environment.iter().find(|(n, _)| n == name).unwrap();
        secret(value).unwrap()
    }

    /// The root context of a request of `tenant` that the sidecar let in: the app behind it got the same.
    fn let_in(&self, tenant: &'static str) -> String {
        headers(&self.request_of(tenant), ROOT).pop().unwrap()
    }

    /// A request of `tenant` as it came through the sidecar.
    fn request_of(&self, tenant: &'static str) -> Value {
        let mark = unique();
        let provider = if tenant == "acme" { Acme } else { Shared };
        let token = self.mesh.site.issuers.token(&viewer(provider, tenant), &mark).unwrap();
        // A list: it causes no further call.
        let request = Request::get(&format!("/tenants/{tenant}/invoices?page={mark}"))
            .header("host", format!("{tenant}.shop.example"))
            .header("authorization", format!("Bearer {token}"));
        assert_eq!(self.mesh.send(Hop::Edge, Workload::Edge, &request).unwrap().status, 200);
        self.mesh.seen_of(App::Invoices, &mark).unwrap().remove(0)
    }

    /// Tries a hop with the certificate of `invoices`, a root if any and more headers.
    fn attempt(&self, hop: Hop, method: &str, root: Option<&str>, more: &[(&str, &str)]) -> Came {
        let (mark, id) = (unique(), unique());
        let path = if hop == Hop::InvoicesInbound { "invoices" } else { "orders" };
        let request = Request::new(method, format!("/{path}/{mark}"))
            .header("host", "anything")
            .header("x-request-id", id.as_str());
        let request = root.into_iter().fold(request, |request, root| request.header(ROOT, root));
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
        let answer = self.mesh.send(hop, Workload::Invoices, &request).unwrap();
        self.came(hop, &answer, &id, &mark)
    }

    fn came(&self, hop: Hop, answer: &Response, id: &str, mark: &str) -> Came {
        let line = self.mesh.line(hop, id).unwrap();
        let app = if hop == Hop::InvoicesInbound { App::Invoices } else { App::Orders };
        let seen = self.mesh.seen_of(app, mark).unwrap();
        Came { status: answer.status, reason: line.field("reason").trim_start_matches('-').into(), seen }
    }

    /// With a root, at the door of `orders`.
    fn with(&self, root: &str) -> Came {
        self.attempt(Hop::OrdersInbound, "GET", Some(root), &[])
    }

    /// Whether somebody with this certificate gets through TLS to `orders` at all.
    fn handshake(&self, chain: Option<Chain>) -> Result<Response> {
        let request = Request::get("/orders/1").header("host", "orders");
        raw::tls(self.mesh.site.address(Hop::OrdersInbound), Some("orders"), chain, &request.bytes())
    }

    /// How often the TLS of `orders` refused somebody, by why.
    fn refused(&self, why: &str) -> f64 {
        self.mesh.envoy("orders").unwrap().metric(&format!("envoy_listener_ssl_fail_verify_{why}"), &[]).unwrap()
    }
}

impl Came {
    #[track_caller]
    fn denied(&self, reason: &str, what: &str) {
        assert_eq!(self.reason, reason, "{what}: {self:?}");
        assert!((400..500).contains(&self.status) && self.seen.is_empty(), "{what}: {self:?}");
    }

    #[track_caller]
    fn let_in_as(&self, tenant: &str, principal: &str) {
        let told = |name| self.seen.iter().flat_map(|seen| headers(seen, name)).collect::<Vec<_>>();
        assert_eq!((self.status, self.reason.as_str()), (200, ""), "{self:?}");
        assert_eq!(told("x-partywall-tenant"), [tenant]);
        assert_eq!(told("x-partywall-principal"), [principal]);
    }
}

#[test]
fn what_it_can_do_is_to_send_a_root_that_it_holds_as_itself() {
    let root = CAPTURED.let_in("acme");
    CAPTURED.with(&root).let_in_as("acme", "bob");
    CAPTURED.with(&root).let_in_as("acme", "bob");
    // Past its `exp`, which binds the edge alone, and within `max_context_age`.
    let edge = edge_seed(&CAPTURED);
    CAPTURED.with(&Root::of("globex", 110).signed(&edge).unwrap()).let_in_as("globex", "mallory");
    // Policy is asked as ever: nobody deletes an order, and what it adds by hand is taken out.
    CAPTURED.attempt(Hop::OrdersInbound, "DELETE", Some(&root), &[]).denied("resource_unmapped", "another method");
    let named = [("x-partywall-tenant", "globex"), ("x-partywall-principal", "root"), ("x-tenant-id", "globex")];
    CAPTURED.attempt(Hop::OrdersInbound, "GET", Some(&root), &named).let_in_as("acme", "bob");
}

#[test]
fn a_root_is_of_no_use_past_the_age_for_another_tenant_or_at_another_service() {
    let edge = edge_seed(&CAPTURED);
    let old = Root::of("acme", 151).signed(&edge).unwrap();
    CAPTURED.with(&old).denied("context_expired", "older than 2m and 30 s of clocks");
    CAPTURED.with(&CAPTURED.let_in("initech")).denied("caller_denied", "a tenant it is not listed for");
    // `invoices` lists the edge alone: it cannot even call itself.
    let root = CAPTURED.let_in("acme");
    let elsewhere = CAPTURED.attempt(Hop::InvoicesInbound, "GET", Some(&root), &[]);
    elsewhere.denied("caller_denied", "a service that does not list it");
    CAPTURED.attempt(Hop::OrdersInbound, "GET", None, &[]).denied("tenant_missing", "no root at all");
}

#[test]
fn a_root_that_it_makes_itself_names_no_tenant() {
    let public = fs::read_to_string(CAPTURED.mesh.site.keys().join("edge-1.pub")).unwrap();
    let (public, text) = (secret(public.trim()).unwrap(), public.trim().to_owned());
    let globex = || Root::of("globex", 0);
    assert!(CAPTURED.environment.iter().all(|(name, _)| name != "PARTYWALL_CONTEXT_SIGNING"), "it holds no such key");
    let own = [7; 32];
    let own_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw" });
    let mut attempts = vec![
        ("signed with a key of its own", globex().signed(&own)),
        ("with its own key id", globex().header("kid", "invoices").signed(&own)),
        ("with no key id", globex().header("kid", Value::Null).signed(&own)),
        ("with the id of a bundle key", globex().header("kid", "bundle-1").signed(&own)),
        ("as `org` invoices", globex().claim("org", Workload::Invoices.spiffe_id()).signed(&own)),
        ("with the key in the header", globex().header("jwk", own_jwk).signed(&own)),
        ("`alg` none", Ok(globex().header("alg", "none").with_signature(""))),
        ("`alg` None, no typ", Ok(Root { header: json!({ "alg": "None" }), ..globex() }.with_signature(""))),
        ("no signature", Ok(globex().with_signature(""))),
        ("HS256 under the edge's public key", globex().header("alg", "HS256").authenticated(&public)),
        ("HS256 under its text", globex().header("alg", "HS256").authenticated(text.as_bytes())),
    ];
    for name in ["PARTYWALL_FINGERPRINT", "PARTYWALL_SHARED_STATE"] {
        let held = CAPTURED.secret(name);
        attempts.push((name, globex().signed(&held)));
        attempts.push((name, globex().header("kid", "1").signed(&held)));
        attempts.push((name, globex().header("alg", "HS256").authenticated(&held)));
    }
    for (what, root) in attempts {
        CAPTURED.with(&root.unwrap()).denied("context_forged", what);
    }
}

#[test]
fn a_root_that_it_alters_is_none_any_more() {
    let good = CAPTURED.let_in("acme");
    let (read, signature) = (|| Root::read(&good).unwrap(), good.rsplit('.').next().unwrap());
    // What it reads is what it would write, so the attempts below differ from it in one thing each.
    let (head, rest) = good.split_once('.').unwrap();
    for (what, altered) in [
        ("tenant", read().claim("ten", "globex").with_signature(signature)),
        ("principal", read().claim("sub", "root").with_signature(signature)),
        ("roles", read().claim("rol", json!(["accountant"])).with_signature(signature)),
        (
            "time",
            read().claim("iat", Root::of("acme", 0).claims["iat"].clone()).claim("jti", "x").with_signature(signature),
        ),
        ("key id", read().header("kid", "edge-2").with_signature(signature)),
        ("a fourth part", format!("{good}.{signature}")),
        ("two in one", format!("{good},{good}")),
        ("a letter of the signature", format!("{head}.{}", flipped(rest))),
    ] {
        CAPTURED.with(&altered).denied("context_forged", what);
    }
    let twice = [(ROOT, good.as_str())];
    CAPTURED.attempt(Hop::OrdersInbound, "GET", Some(&good), &twice).denied("ambiguous_request", "two roots");
    CAPTURED.with(&good).let_in_as("acme", "bob");
}

#[test]
fn it_speaks_as_no_other_workload_by_headers() {
    let root = CAPTURED.let_in("acme");
    let claims = [
        ("x-forwarded-client-cert", format!("By={};URI={EDGE}", Workload::Invoices.spiffe_id())),
        ("X-Forwarded-Client-Cert", format!("Hash=00;Subject=\"\";URI={EDGE},By=x;URI={EDGE}")),
        ("x-partywall-caller", EDGE.to_owned()),
        ("forwarded", format!("by={EDGE}")),
    ];
    for (name, value) in &claims {
        let came = CAPTURED.attempt(Hop::InvoicesInbound, "GET", Some(&root), &[(name, value)]);
        came.denied("caller_denied", name);
        // Where it may call, it is still itself, and the app reads nothing of the kind.
        let came = CAPTURED.attempt(Hop::OrdersInbound, "GET", Some(&root), &[(name, value)]);
        came.let_in_as("acme", "bob");
        assert!(!came.seen[0].to_string().contains(EDGE), "{name}: {came:?}");
    }
}

#[test]
fn it_speaks_as_no_other_workload_by_a_certificate_of_its_own_making() {
    let own = CAPTURED.mesh.site.certificates.of(Workload::Invoices);
    assert!(CAPTURED.handshake(Some(own.for_rustls())).is_ok(), "its own certificate is good");

    let as_edge = || vec![uri(EDGE).unwrap()];
    let before = CAPTURED.refused("error");
    let key = KeyPair::generate().unwrap();
    let alone = leaf(as_edge()).self_signed(&key).unwrap();
    let key_of = |key: &KeyPair| rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let self_signed = (vec![alone.der().clone()], key_of(&key));
    let mut authority = leaf(Vec::new());
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let (ca_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let ca = authority.self_signed(&ca_key).unwrap();
    let of_own_ca = leaf(as_edge()).signed_by(&leaf_key, &Issuer::new(authority, ca_key)).unwrap();
    let own_ca = (vec![of_own_ca.der().clone(), ca.der().clone()], key_of(&leaf_key));
    for (nth, (what, chain)) in [
        ("self-signed", self_signed),
        ("of an authority of its own", own_ca),
        ("signed with its own certificate, which is no authority", own.signs(as_edge()).unwrap()),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(CAPTURED.handshake(Some(chain)).is_err(), "{what}");
        assert_eq!(CAPTURED.refused("error") - before, (nth + 1) as f64, "{what}");
    }
    assert!(CAPTURED.handshake(None).is_err(), "none at all");
    assert_eq!(CAPTURED.refused("no_cert"), 1.0);
    // An authority that also signs for others: what is not of this trust domain stays outside.
    for other in ["spiffe://mesh.example.evil/ns/edge/sa/gateway", "spiffe://elsewhere.example/ns/edge/sa/gateway"] {
        let before = CAPTURED.refused("san");
        let foreign = CAPTURED.mesh.site.certificates.issue(vec![uri(other).unwrap()]).unwrap();
        assert!(CAPTURED.handshake(Some(foreign.for_rustls())).is_err(), "{other}");
        assert_eq!(CAPTURED.refused("san") - before, 1.0, "{other}");
    }
}

#[test]
fn at_the_edge_it_is_a_client_like_any_other() {
    let root = CAPTURED.let_in("acme");
    let request = |headers: &[(&str, &str)]| {
        let request = Request::get("/orders/1").header("host", "acme.shop.example").header(ROOT, root.as_str());
        headers.iter().fold(request, |request, (name, value)| request.header(name, *value))
    };
    let as_edge = format!("URI={EDGE}");
    for more in [&[][..], &[("x-forwarded-client-cert", as_edge.as_str()), ("x-partywall-tenant", "acme")]] {
        let answer = CAPTURED.mesh.send(Hop::Edge, Workload::Invoices, &request(more)).unwrap();
        assert_eq!(CAPTURED.mesh.outcome(&answer), (401, "tenant_missing".into()));
    }
}

#[test]
fn a_token_that_a_client_sent_through_it_is_good_at_the_edge_for_that_client_until_it_ends() {
    let bearer = headers(&CAPTURED.request_of("acme"), "authorization").pop().unwrap();
    let request = |tenant: &str| {
        let request =
            Request::get(&format!("/tenants/{tenant}/orders")).header("host", format!("{tenant}.shop.example"));
        CAPTURED.mesh.send(Hop::Edge, Workload::Invoices, &request.header("authorization", bearer.as_str())).unwrap()
    };
    assert_eq!(CAPTURED.mesh.outcome(&request("acme")), (200, String::new()));
    assert_eq!(CAPTURED.mesh.outcome(&request("globex")), (403, "tenant_conflict".into()));
    // Inside it is no credential, whatever it is sent as.
    let token = bearer.strip_prefix("Bearer ").unwrap();
    CAPTURED.with(token).denied("context_forged", "a token in the place of a root");
    let beside = [("authorization", bearer.as_str())];
    CAPTURED.attempt(Hop::OrdersInbound, "GET", None, &beside).denied("tenant_missing", "a token and no root");
}

#[test]
fn with_a_signing_key_of_its_own_it_names_the_tenants_of_that_key_alone() {
    let own = SIGNER.secret("PARTYWALL_CONTEXT_SIGNING");
    let invoices = Workload::Invoices.spiffe_id();
    let root = |tenant| Root::of(tenant, 0).header("kid", "invoices-1").claim("org", invoices);
    // What the directory lets it do. There is no permission for `mallory`, but viewers may read.
    SIGNER.with(&root("globex").signed(&own).unwrap()).let_in_as("globex", "mallory");
    for (what, forged) in [
        ("another tenant", root("acme")),
        ("a third one", root("initech")),
        ("one that is not there", root("nobody")),
        ("as `org` edge", root("globex").claim("org", EDGE)),
        ("as `org` edge for acme", root("acme").claim("org", EDGE)),
        ("as `org` orders", root("globex").claim("org", Workload::Orders.spiffe_id())),
        ("under the edge's key id", root("globex").header("kid", "edge-1")),
        ("the edge's in all but the key", Root::of("acme", 0)),
        ("of another mesh", root("globex").claim("iss", "00000000-0000-4000-8000-000000000000")),
        (
            "for longer than a minute",
            root("globex").claim("exp", Root::of("globex", 0).claims["exp"].as_u64().unwrap() + 60),
        ),
        (
            "from the future",
            Root::of("globex", 0)
                .header("kid", "invoices-1")
                .claim("org", invoices)
                .claim("iat", 9_999_999_999_u64)
                .claim("exp", 9_999_999_999_u64),
        ),
    ] {
        SIGNER.with(&forged.signed(&own).unwrap()).denied("context_forged", what);
    }
    // Its own roots end with `exp`: `max_context_age` is for those that others signed.
    let old = Root::of("globex", 100).header("kid", "invoices-1").claim("org", invoices);
    SIGNER.with(&old.signed(&own).unwrap()).denied("context_expired", "a root of its own past `exp`");
}

/// Stands for roots that the attacker kept for a while.
fn edge_seed(of: &Captured) -> Vec<u8> {
    let environment = of.mesh.site.environment("edge").unwrap();
    secret(&environment.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING").unwrap().1).unwrap()
}

/// Another letter in the middle.
fn flipped(text: &str) -> String {
    let (head, tail) = text.split_at(text.len() - 20);
    format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..])
}
