//! docs/context-token.md, followed by another implementer: jwt-simple, whose Ed25519 is ed25519-compact. The
//! module has neither of them. So the page is enough to check a root context, and to make one.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use jwt_simple::JWTError;
use jwt_simple::common::{HeaderOptions, VerificationOptions};
use jwt_simple::prelude::{Claims, Duration, Ed25519KeyPair, Ed25519PublicKey, EdDSAKeyPairLike, EdDSAPublicKeyLike};
use jwt_simple::prelude::{JWTClaims, UnixTimeStamp};
use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder, Encoder};
use partywall_integration::access_log::Hop;
use partywall_integration::artefacts;
use partywall_integration::certificates::Workload::{self, Edge, Invoices, Reports};
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::raw::Request;
use partywall_integration::services::{App, headers};
use partywall_integration::site::MESH as MESH_ID;
use serde_json::{Value, json};

const TYPE: &str = "partywall-root+jwt";
const SKEW: u64 = 30;
const MAX_CONTEXT_AGE: u64 = 120;

static MESH: LazyLock<Mesh> = LazyLock::new(|| Mesh::start(&Options::named("context-token")).unwrap());

/// A receiver as the page describes it, with the directory of the vectors.
struct Receiver {
    mesh: String,
    now: u64,
    signers: BTreeMap<String, Signer>,
}

struct Signer {
    key: Ed25519PublicKey,
    workload: String,
}

const SIGNER: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
const CALLER: &str = "spiffe://mesh.example/ns/shop/sa/invoices";

impl Receiver {
    /// The checks of the page, in its order, by number.
    fn receive(&self, peer: &str, token: &str) -> Result<JWTClaims<Value>, &'static str> {
        let forged = |holds: bool| if holds { Ok(()) } else { Err("context_forged") };
        // 1, 2
        if !peer.starts_with("spiffe://mesh.example/") {
            return Err("caller_unknown");
        }
        let listed_for: &[&str] = match peer {
            SIGNER => &["acme", "globex", "initech", "hooli"],
            CALLER => &["acme", "globex"],
            _ => return Err("caller_denied"),
        };
        // 4
        forged(token.len() <= 4096)?;
        let header = header(token).ok_or("context_forged")?;
        let kid = header["kid"].as_str().ok_or("context_forged")?;
        forged(header == json!({ "alg": "EdDSA", "kid": kid, "typ": TYPE }))?;
        // 5, 6; by what time, rule 9 says
        let signer = self.signers.get(kid).ok_or("context_forged")?;
        let claims = signer.claims(token, &VerificationOptions { accept_future: true, ..self.at(0) });
        let claims = claims.map_err(|_| "context_forged")?;
        // 7
        let (subject, own) = (claims.subject.clone().unwrap_or_default(), &claims.custom);
        forged(claims.issuer.as_ref() == Some(&self.mesh) && own["org"] == signer.workload.as_str())?;
        forged((1..=255).contains(&subject.len()) && subject.bytes().all(|b| matches!(b, b' '..=b'~')))?;
        let tenant = own["ten"].as_str().ok_or("context_forged")?;
        let networks = |list: &Vec<Value>| list.len() <= 64 && list.iter().all(Value::is_string);
        forged(own.get("net").is_none_or(|net| net.as_array().is_some_and(networks)))?;
        // 8
        let [issued, expires] = [claims.issued_at, claims.expires_at].map(|at| at.map(|at| at.as_secs()));
        let (issued, expires) = (issued.ok_or("context_forged")?, expires.ok_or("context_forged")?);
        forged(issued <= self.now + SKEW && expires <= issued + 60)?;
        // 9
        if peer == signer.workload {
            let checked = signer.claims(token, &self.at(self.now));
            if checked.is_err_and(|error| matches!(error.downcast_ref(), Some(JWTError::TokenHasExpired))) {
                return Err("context_expired");
            }
        } else if self.now > issued + MAX_CONTEXT_AGE + SKEW {
            return Err("context_expired");
        }
        // 10, 11
        if !listed_for.contains(&tenant) {
            return Err("caller_denied");
        }
        match tenant {
            "acme" | "globex" => Ok(claims),
            "initech" => Err("tenant_suspended"),
            _ => Err("tenant_unknown"),
        }
    }

    fn at(&self, now: u64) -> VerificationOptions {
        VerificationOptions {
            artificial_time: Some(UnixTimeStamp::from_secs(now.max(SKEW))),
            time_tolerance: Some(Duration::from_secs(SKEW)),
            required_signature_type: Some(TYPE.into()),
            ..Default::default()
        }
    }
}

impl Signer {
    fn claims(&self, token: &str, options: &VerificationOptions) -> Result<JWTClaims<Value>, jwt_simple::Error> {
        self.key.verify_token(token, Some(options.clone()))
    }
}

fn header(token: &str) -> Option<Value> {
    serde_json::from_slice(&decode(token.split('.').next()?)).ok()
}

fn decode(text: &str) -> Vec<u8> {
    Base64UrlSafeNoPadding::decode_to_vec(text, None).unwrap_or_default()
}

#[test]
fn every_vector_ends_as_it_says_by_another_implementation() {
    let text = fs::read_to_string(artefacts::root().join("docs/vectors/context-token.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let signer = |name: &str| vectors["signer"][name].as_str().unwrap();
    let key = || Ed25519PublicKey::from_bytes(&decode(signer("public_key"))).unwrap();
    let receiver = Receiver {
        mesh: vectors["mesh"].as_str().unwrap().into(),
        now: vectors["now"].as_u64().unwrap(),
        signers: [(signer("kid").to_owned(), Signer { key: key(), workload: signer("workload").into() })].into(),
    };
    assert_eq!(vectors["skew"], SKEW);
    let (mut accepted, mut denied) = (0, 0);
    for vector in vectors["vectors"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        // Whatever else is wrong with it: of any type, at any time.
        let any = VerificationOptions { required_signature_type: None, accept_future: true, ..receiver.at(0) };
        let valid = key().verify_token::<Value>(text("token"), Some(any)).is_ok();
        assert_eq!(Some(valid), vector["signature_valid"].as_bool(), "{}", text("name"));
        let outcome = receiver.receive(text("peer"), text("token"));
        assert_eq!(outcome.as_ref().map_or_else(|reason| *reason, |_| "accepted"), text("outcome"), "{}", text("name"));
        *(if outcome.is_ok() { &mut accepted } else { &mut denied }) += 1;
    }
    assert!(accepted >= 5 && denied >= 16, "{accepted} accepted, {denied} denied");
}

/// The edge's signing key, out of its environment: its id, its seed and its public half.
fn edge_key() -> (String, Ed25519KeyPair) {
    let environment = MESH.site.environment("edge").unwrap();
    let (_, secret) = environment.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING").unwrap();
    let (id, seed) = secret.split_once(':').unwrap();
    let public = fs::read_to_string(MESH.site.keys().join(format!("{id}.pub"))).unwrap();
    let (_, public) = public.trim().split_once(':').unwrap();
    let pair = Ed25519KeyPair::from_bytes(&[decode(seed), decode(public)].concat()).unwrap();
    (id.into(), pair.with_key_id(id))
}

#[test]
fn a_root_of_the_module_is_one_to_another_implementation() {
    let (id, key) = edge_key();
    for (provider, tenant) in [(Acme, "acme"), (Shared, "globex")] {
        let captured = MESH.capture(tenant, &accountant(provider, tenant)).unwrap();
        assert_eq!(header(&captured.root), Some(json!({ "alg": "EdDSA", "kid": id, "typ": TYPE })));
        let options = VerificationOptions {
            required_signature_type: Some(TYPE.into()),
            required_key_id: Some(id.clone()),
            allowed_issuers: Some([MESH_ID.to_owned()].into()),
            required_subject: Some("alice".into()),
            time_tolerance: Some(Duration::from_secs(0)),
            max_validity: Some(Duration::from_secs(60)),
            ..Default::default()
        };
        let claims = key.public_key().verify_token::<Value>(&captured.root, Some(options.clone())).unwrap();
        let (issued, expires) = (claims.issued_at.unwrap().as_secs(), claims.expires_at.unwrap().as_secs());
        assert!(issued < expires && expires <= issued + 60, "{claims:?}");
        assert_eq!(decode(&claims.jwt_id.unwrap()).len(), 16);
        let own = &claims.custom;
        assert_eq!((&own["ten"], &own["org"]), (&json!(tenant), &json!(SIGNER)));
        assert_eq!(own["rol"], json!(["accountant"]));
        assert!(own["rev"].is_u64() && own["tier"].is_string() && own["reg"].is_string() && own["scp"].is_array());
        let later = VerificationOptions { artificial_time: Some(UnixTimeStamp::from_secs(expires + 1)), ..options };
        assert!(key.public_key().verify_token::<Value>(&captured.root, Some(later)).is_err(), "it ends");
        let stranger = Ed25519KeyPair::generate().public_key();
        assert!(stranger.verify_token::<Value>(&captured.root, None).is_err(), "it is the edge's");
    }
}

/// A root context of another implementation, for acme, with these changes.
fn made(key: &Ed25519KeyPair, seconds: u64, changes: &Value) -> String {
    let mut own = json!({
        "ten": "acme", "tier": "gold", "rol": ["viewer"], "scp": [], "reg": "eu", "org": SIGNER, "rev": 1,
    });
    own.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut claims =
        Claims::with_custom_claims(own, Duration::from_secs(seconds)).with_issuer(MESH_ID).with_subject("dora");
    claims.invalid_before = None;
    let random = Ed25519KeyPair::generate().public_key().to_bytes();
    claims.jwt_id = Some(Base64UrlSafeNoPadding::encode_to_string(&random[..16]).unwrap());
    key.sign_with_options(claims, &HeaderOptions { signature_type: Some(TYPE.into()), ..Default::default() }).unwrap()
}

/// What becomes of it at `orders`, sent by `peer`: who the app is told, or the reason.
fn sent(peer: Workload, root: &str) -> Result<String, String> {
    let mark = unique();
    let request = Request::get(&format!("/orders/{mark}")).header("host", "orders").header("x-partywall-context", root);
    let answer = MESH.send(Hop::OrdersInbound, peer, &request).unwrap();
    let seen = MESH.seen_of(App::Orders, &mark).unwrap();
    if let [seen] = &seen[..] {
        assert_eq!(headers(seen, "x-partywall-context"), [root], "it goes on as it came");
        return Ok(headers(seen, "x-partywall-principal").concat());
    }
    assert!(seen.is_empty() && answer.status != 200, "{answer:?}");
    let line = MESH.line(|l| l.hop == Hop::OrdersInbound && l.field("path").contains(&mark)).unwrap();
    Err(line.field("reason"))
}

#[test]
fn a_root_of_another_implementation_is_one_to_the_module() {
    let (id, key) = edge_key();
    let dora = || Ok("dora".to_owned());
    let denied = |reason: &str| Err(reason.to_owned());
    let good = made(&key, 60, &json!({}));
    assert_eq!(sent(Edge, &good), dora());
    assert_eq!(sent(Invoices, &good), dora());
    assert_eq!(sent(Invoices, &made(&key, 60, &json!({ "unknown": [1] }))), dora());
    assert_eq!(sent(Reports, &good), denied("caller_denied"));
    assert_eq!(sent(Invoices, &made(&key, 61, &json!({}))), denied("context_forged"));
    assert_eq!(sent(Invoices, &made(&key, 60, &json!({ "org": CALLER }))), denied("context_forged"));
    assert_eq!(sent(Invoices, &made(&key, 60, &json!({ "ten": "hooli" }))), denied("tenant_unknown"));
    let stranger = Ed25519KeyPair::generate().with_key_id(&id);
    assert_eq!(sent(Invoices, &made(&stranger, 60, &json!({}))), denied("context_forged"));
}
