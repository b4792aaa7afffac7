//! Plays every file of `cases/attacks` against real Envoys, over TLS, with certificates made for it.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, Result, bail, ensure};
use partywall_integration::access_log::Hop;
use partywall_integration::artefacts;
use partywall_integration::attack::{Authority, By, Case, Door, Names, Protocol, Then};
use partywall_integration::case_files::read;
use partywall_integration::certificates::{Workload, leaf};
use partywall_integration::http2::{self, Tls};
use partywall_integration::mesh::unique;
use partywall_integration::raw::{self, Chain, Request};
use partywall_integration::roots::{Root, secret};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::tls_edge::tls_edge;
use partywall_integration::variant::{Clients, OwnIssuer, Variant, over_tls};
use rcgen::{BasicConstraints, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;

const SOURCES: &str = r#"
    - certificate: { uri: "spiffe://mesh.example/tenant/{tenant}/sa/{workload}" }
    - certificate: { dns: "{tenant}.clients.example" }
    - path: "/tenants/{tenant}"
    - header: { name: x-shop-tenant, from: ["spiffe://mesh.example/ns/*/sa/partner-gateway"] }
"#;
/// So that the filter sees every name of a certificate, and not the first of each kind alone.
const SANITIZE: &str = "                forward_client_cert_details: SANITIZE\n";
const EVERY_NAME: &str = "                forward_client_cert_details: SANITIZE_SET
                set_current_client_cert_details: { uri: true, dns: true }
";
const TRUSTED: &str =
    "                  trusted_ca: { filename: /etc/partywall/tls/ca.pem }\n                  match_typed";
const SPIFFE: &str = r#"                  custom_validator_config:
                    name: envoy.tls.cert_validator.spiffe
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig
                      trust_domains: [{ name: mesh.example, trust_bundle: { filename: /etc/partywall/tls/ca.pem } }]
                  match_typed"#;
/// Certificates and keys prove who it is; a permission makes a request of theirs a good one.
const PERMITTED: &str = "\n@id(\"attacks\")\npermit (principal, action == Action::\"orders:read\", resource);\n";

struct Mesh {
    running: Running,
    issuer: OwnIssuer,
    clients: Clients,
    key: String,
    seed: Vec<u8>,
}

static MESH: LazyLock<Mesh> = LazyLock::new(|| start().unwrap());

fn start() -> Result<Mesh> {
    let mut variant = Variant::prepare("attacks", &["edge", "invoices", "orders"])?;
    let (issuer, clients) = (OwnIssuer::make("https://id.many.example", "many-ed-1"), Clients::make()?);
    tls_edge(&mut variant, clients.pem())?;
    variant.envoy("edge", SANITIZE, EVERY_NAME)?;
    variant.envoy_once("invoices", TRUSTED, SPIFFE)?;
    let host = "    - host: \"{tenant}.shop.example\"\n";
    variant.replace("mesh.yaml", host, &format!("{host}{SOURCES}"))?;
    variant.append("mesh.yaml", &issuer.entry(&variant.site.keys())?)?;
    variant.append("policies/readers.cedar", PERMITTED)?;
    let key = variant.api_key("acme")?;
    let running = variant.start(&[App::Invoices, App::Orders])?;
    let environment = running.site.environment("edge")?;
    let signing = environment.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING").context("no signing key")?;
    let seed = secret(&signing.1)?;
    let probe = Request::get("/orders/ready-yet").header("host", "acme.shop.example");
    running.wait_for("the edge", || over_tls(running.site.address(Hop::Edge), None, None, &probe))?;
    running.wait_for_policy(&[Hop::OrdersInbound, Hop::InvoicesInbound])?;
    Ok(Mesh { running, issuer, clients, key, seed })
}

impl Mesh {
    fn place(door: Door) -> (Hop, &'static str) {
        match door {
            Door::Edge => (Hop::Edge, "edge"),
            Door::Orders => (Hop::OrdersInbound, "orders"),
            Door::Invoices => (Hop::InvoicesInbound, "invoices"),
        }
    }

    fn certificate(&self, case: &Case) -> Result<Option<Chain>> {
        let Some(Names { by, authority, .. }) = &case.certificate else {
            let own = self.running.site.certificates.of(Workload::Edge).for_rustls();
            return Ok((case.to != Door::Edge).then_some(own));
        };
        let mut params = leaf(case.certificate.as_ref().context("it is there")?.names()?);
        if *authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }
        Ok(Some(match by {
            Authority::Clients => self.clients.sign(params)?.for_rustls(),
            Authority::Mesh => self.running.site.certificates.sign(params)?.for_rustls(),
            Authority::Nobody => {
                let key = KeyPair::generate()?;
                let certificate = params.self_signed(&key)?;
                (vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            }
        }))
    }

    /// Plays a case over one protocol; an error says what came instead of what must.
    fn play(&self, case: &Case, protocol: Protocol) -> Result<()> {
        let (hop, envoy) = Self::place(case.to);
        let mark = unique();
        let refused = || -> Result<f64> {
            let count = |why: &str| self.running.envoy(envoy)?.metric(&format!("envoy_listener_ssl_{why}"), &[]);
            Ok(count("connection_error")? + count("fail_verify_error")? + count("fail_verify_san")?)
        };
        let before = refused()?;
        let answer = self.send(case, protocol, hop, &mark);
        let app = if case.to == Door::Invoices { App::Invoices } else { App::Orders };
        let seen = self.running.seen_of(app, &mark)?;
        let told: Vec<_> = seen.iter().flat_map(|seen| headers(seen, "x-partywall-tenant")).collect();
        match &case.then {
            Then::LetIn(tenant) => {
                let came = answer?;
                ensure!(came.status == 200, "status {}, {}", came.status, self.reason(hop, &came).unwrap_or_default());
                ensure!(told == [tenant.as_str()], "the app was told {told:?}");
                let all = seen[0]["headers"].to_string();
                let other = ["acme", "globex"].into_iter().find(|other| other != tenant && all.contains(other));
                ensure!(other.is_none(), "a header tells the app another tenant: {all}");
            }
            Then::Denied(reason) => {
                let came = answer?;
                ensure!(
                    (400..500).contains(&came.status) && seen.is_empty(),
                    "status {}, the app got {told:?}",
                    came.status
                );
                let exact = self.reason(hop, &came)?;
                ensure!(exact == *reason, "denied as `{exact}`, status {}", came.status);
                ensure!((came.status == 421) == (reason == "misdirected_request"), "status {}", came.status);
            }
            Then::Refused(By::Tls) => {
                if let Ok(came) = answer {
                    bail!("TLS let it in: status {}", came.status);
                }
                ensure!(seen.is_empty() && refused()? > before, "no connection, and TLS counted nothing");
            }
            Then::Refused(By::Envoy) => {
                ensure!(seen.is_empty(), "it reached the app");
                if let Ok(came) = answer {
                    ensure!(came.status == 400, "status {}", came.status);
                    ensure!(!came.body.contains("urn:partywall"), "the filter answered: {}", came.body);
                }
            }
        }
        Ok(())
    }

    fn send(&self, case: &Case, protocol: Protocol, hop: Hop, mark: &str) -> Result<Came> {
        let token = |tenants: &serde_json::Value| self.issuer.bearer(tenants);
        let mut all: Vec<(String, String)> = Vec::new();
        if case.to != Door::Edge {
            all.push(("x-request-id".into(), mark.into()));
        }
        if let Some(tenants) = &case.token {
            all.push(("authorization".into(), token(tenants)?));
        }
        if let Some(tenant) = &case.root {
            all.push(("x-partywall-context".into(), Root::of(tenant, 0).signed(&self.seed)?));
        }
        for (name, value) in &case.headers {
            let value = value.replace("{token}", &token(&json!("acme"))?).replace("{other}", &token(&json!("globex"))?);
            all.push((name.clone(), value.replace("{key}", &self.key)));
        }
        let (to, target) = (self.running.site.address(hop), case.target.replace("{mark}", mark));
        let (sni, client) = (case.sni.as_deref(), self.certificate(case)?);
        match protocol {
            Protocol::H1 => {
                let mut request = Request::new(&case.method, target);
                if let Some(authority) = &case.authority {
                    request = request.header("host", authority.as_str());
                }
                for (name, value) in &all {
                    request = request.header(name, value.as_str());
                }
                let answer = raw::tls(to, sni, client, &request.bytes())?;
                let id = answer.header("x-request-id").unwrap_or(mark).to_owned();
                Ok(Came { status: answer.status, id, body: String::from_utf8_lossy(&answer.body).into_owned() })
            }
            Protocol::H2 => {
                let authority = case.authority.as_deref().context("HTTP/2 has an authority here")?;
                let mut request = axum::http::Request::builder();
                request = request.method(case.method.as_str()).uri(format!("https://{authority}{target}"));
                for (name, value) in &all {
                    request = request.header(name, value);
                }
                let request = request.body(()).context("HTTP/2 cannot say this; write `over: [h1]`")?;
                let answer = http2::send(to, Some(Tls { sni, client }), request, &[], None)?;
                let id = Some(answer.header("x-request-id")).filter(|id| !id.is_empty()).unwrap_or(mark.into());
                Ok(Came { status: answer.status, id, body: String::from_utf8_lossy(&answer.body).into_owned() })
            }
        }
    }

    /// The exact reason, as the operator reads it.
    fn reason(&self, hop: Hop, came: &Came) -> Result<String> {
        Ok(self.running.line(hop, &came.id)?.field("reason").trim_start_matches('-').into())
    }
}

struct Came {
    status: u16,
    id: String,
    body: String,
}

#[test]
fn every_attack_comes_to_what_its_file_says() {
    let files = read::<Case>(Path::new(&artefacts::root().join("integration/cases/attacks"))).unwrap();
    let (mut played, mut wrong) = (0, Vec::new());
    for (file, contents) in &files {
        let good = contents.cases.iter().filter(|case| matches!(case.then, Then::LetIn(_))).count();
        assert!((1..contents.cases.len()).contains(&good), "{file}: a good request and a bad one belong together");
        for case in &contents.cases {
            for protocol in &case.over {
                played += 1;
                if let Err(error) = MESH.play(case, *protocol) {
                    wrong.push(format!("{file}: {} ({protocol:?}, {:?}): {error:#}", case.name, case.then));
                }
            }
        }
    }
    println!("{played} requests of {} files", files.len());
    assert!(wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
}
