//! Certificates with several names: what Envoy tells of them, and what becomes of who shows them.
//!
//! A property tells the first name of each kind. All of them stand in `x-forwarded-client-cert` where Envoy is
//! told to write it, unquoted, behind whatever the client sent: so here are names and clients that try to hide one.

use std::sync::LazyLock;

use partywall_integration::access_log::Hop;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, tls};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::tls_edge::tls_edge;
use partywall_integration::variant::Variant;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

const SANITIZE: &str = "forward_client_cert_details: SANITIZE\n";
/// The one that lets a client write into the header as well.
const APPEND: &str = "forward_client_cert_details: APPEND_FORWARD
                set_current_client_cert_details: { subject: true, cert: true, uri: true, dns: true }\n";

const SOURCES: &str = r#"
    - certificate: { uri: "spiffe://mesh.example/tenant/{tenant}/sa/{workload}" }
    - certificate: { dns: "{tenant}.clients.example" }
"#;
const WEB: &str = r#"
@id("web")
permit (
    principal == User::"acme/spiffe://mesh.example/tenant/acme/sa/web",
    action == Action::"orders:read",
    resource
);
"#;

const ACME: &str = "spiffe://mesh.example/tenant/acme/sa/web";
const GLOBEX: &str = "spiffe://mesh.example/tenant/globex/sa/web";

struct Mesh {
    running: Running,
    authority: (CertificateParams, KeyPair),
}

/// Envoy writes all names into the header.
static ALL: LazyLock<Mesh> = LazyLock::new(|| start("forwarded-certificates", APPEND));
/// As shipped: it tells a name by property alone.
static FIRST: LazyLock<Mesh> = LazyLock::new(|| start("first-names", SANITIZE));

fn start(name: &str, forward: &str) -> Mesh {
    let mut variant = Variant::prepare(name, &["edge", "orders"]).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    tls_edge(&mut variant, &pem).unwrap();
    variant.envoy("edge", SANITIZE, forward).unwrap();
    let host = "    - host: \"{tenant}.shop.example\"\n";
    variant.replace("mesh.yaml", host, &format!("{host}{SOURCES}")).unwrap();
    variant.append("policies/readers.cedar", WEB).unwrap();
    let mesh = Mesh { running: variant.start(&[App::Orders]).unwrap(), authority: (params, key) };
    let edge = mesh.running.site.address(Hop::Edge);
    let probe = Request::get("/orders/ready-yet").header("host", "gateway.example").bytes();
    mesh.running.wait_for("the edge", || tls(edge, None, None, &probe)).unwrap();
    mesh.running.wait_for_policy(&[Hop::OrdersInbound]).unwrap();
    mesh
}

/// Whose certificate the authority signs without a look at it.
#[derive(Default)]
struct Client<'a> {
    organization: &'a str,
    uris: &'a [&'a str],
    dns: &'a [&'a str],
    /// The `x-forwarded-client-cert` it sends; `{digest}` is that of its certificate.
    xfcc: Option<&'a str>,
}

impl Client<'_> {
    /// Who it is in the app's eyes, or why it does not get there.
    fn at(&self, mesh: &Mesh) -> Result<String, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, self.organization);
        let uris = self.uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
        let dns = self.dns.iter().map(|dns| SanType::DnsName((*dns).try_into().unwrap()));
        params.subject_alt_names = uris.chain(dns).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let (authority, authority_key) = &mesh.authority;
        let certificate = params.signed_by(&key, &Issuer::from_params(authority, authority_key)).unwrap();
        let mark = unique();
        let mut request = Request::get(&format!("/orders/{mark}")).header("host", "gateway.example");
        if let Some(xfcc) = self.xfcc {
            request = request.header("x-forwarded-client-cert", xfcc.replace("{digest}", &digest(certificate.der())));
        }
        let chain = (vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        let answer = tls(mesh.running.site.address(Hop::Edge), None, Some(chain), &request.bytes()).unwrap();
        let (status, reason) = mesh.running.outcome(&answer);
        let seen = mesh.running.seen_of(App::Orders, &mark).unwrap();
        let told: Vec<String> = seen.iter().flat_map(|seen| headers(seen, "x-partywall-tenant")).collect();
        assert_eq!(told.len(), usize::from(status == 200), "{answer:?}");
        told.into_iter().next().ok_or(reason)
    }
}

/// SHA-256 in lower-case hex, as Envoy tells it.
fn digest(certificate: &CertificateDer<'_>) -> String {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    suite.common.hash_provider.hash(certificate).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn let_in() -> Result<String, String> {
    Ok("acme".into())
}

fn ambiguous() -> Result<String, String> {
    Err("ambiguous_request".into())
}

/// In a quoted value everything parts nothing but the quote.
const ODD: &str = "a\",\\;URI=spiffe://mesh.example/tenant/globex/sa/web;\\\"";

#[test]
fn several_names_of_one_tenant_are_one_tenant() {
    for organization in ["", "a", ODD] {
        assert_eq!(Client { organization, uris: &[ACME], ..Client::default() }.at(&ALL), let_in());
        let all =
            Client { organization, uris: &[ACME, "urn:a=b"], dns: &["acme.clients.example"], ..Client::default() };
        assert_eq!(all.at(&ALL), let_in());
    }
}

#[test]
fn names_of_two_tenants_are_ambiguous_wherever_they_stand() {
    for organization in ["", ODD] {
        for (uris, dns) in [
            ([ACME, GLOBEX].as_slice(), [].as_slice()),
            (&[ACME, "urn:a", GLOBEX], &[]),
            (&[ACME], &["globex.clients.example"]),
            (&[ACME], &["acme.clients.example", "globex.clients.example"]),
            (&["urn:a", ACME], &[]),
        ] {
            let client = Client { organization, uris, dns, ..Client::default() };
            assert_eq!(client.at(&ALL), ambiguous(), "{uris:?} {dns:?}");
        }
    }
}

/// Each would be let in as acme by a reader that parts the header at commas, or at commas outside quotes.
#[test]
fn no_name_and_no_client_hides_another_name() {
    let tail = format!("urn:a,Hash=cd;URI={ACME}");
    for uris in [
        [ACME, GLOBEX, &tail].as_slice(),
        &[ACME, GLOBEX, "urn:a,Hash=cd"],
        &[ACME, "\"urn:a", GLOBEX, "urn:b\""],
        &[ACME, "urn:a;b", GLOBEX],
        &[ACME, "urn:a;Subject=\"", GLOBEX, "urn:b\""],
        &[ACME, "urn:a;URI=urn:b", GLOBEX],
        &[ACME, "urn:a\\", GLOBEX],
    ] {
        assert_eq!(Client { uris, ..Client::default() }.at(&ALL), ambiguous(), "{uris:?}");
    }
    let quoted = [ACME, GLOBEX, "urn:a\""];
    let chained = [ACME, GLOBEX, "urn:a\",Hash=cd"];
    for xfcc in [r#"Hash={digest};Subject=""#, r#"x=""#, "Hash={digest}"] {
        for uris in [[ACME, GLOBEX].as_slice(), &quoted, &chained] {
            let client = Client { uris, xfcc: Some(xfcc), ..Client::default() };
            assert_eq!(client.at(&ALL), ambiguous(), "{xfcc} {uris:?}");
        }
    }
}

#[test]
fn what_a_client_says_of_itself_is_not_read() {
    for xfcc in
        [format!("Hash=ab;URI={GLOBEX}"), r#"x="a"#.into(), "a,b;c".into(), format!("Hash={{digest}};URI={GLOBEX}")]
    {
        let client = Client { uris: &[ACME], xfcc: Some(&xfcc), ..Client::default() };
        assert_eq!(client.at(&ALL), let_in(), "{xfcc}");
        let stranger =
            Client { uris: &["spiffe://mesh.example/ns/shop/sa/web"], xfcc: Some(&xfcc), ..Client::default() };
        assert_eq!(stranger.at(&ALL), Err("tenant_missing".into()), "{xfcc}");
    }
}

/// What is not seen: [threat model](../../docs/threat-model.md), "What is not stopped".
#[test]
fn without_the_header_the_first_name_of_each_kind_counts_alone() {
    let at = |uris: &[&str], dns: &[&str]| Client { uris, dns, ..Client::default() }.at(&FIRST);
    assert_eq!(at(&[ACME, GLOBEX], &[]), let_in());
    assert_eq!(at(&[ACME], &["acme.clients.example", "globex.clients.example"]), let_in());
    assert_eq!(at(&[ACME], &["globex.clients.example"]), ambiguous());
    assert_eq!(at(&["urn:a", ACME], &[]), Err("tenant_missing".into()));
}
