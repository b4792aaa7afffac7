//! Every algorithm of issuers, signed by another library than the one that verifies, and verified both ways:
//! by the host where it can, and by the module alone.

use std::fs;
use std::sync::LazyLock;

use jwt_simple::prelude::*;
use partywall_integration::access_log::Hop;
use partywall_integration::artefacts;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::{Variant, claims, entry};
use serde_json::{Value, json};

const ISSUER: &str = "https://id.any.example";
/// `hs-1` as bytes 0 to 31: what is published nowhere but here.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

type Sign = Box<dyn Fn(JWTClaims<Value>) -> String + Send + Sync>;

struct Issuer {
    key_set: Value,
    /// By algorithm; the id of each key is `<alg>-1`.
    signers: Vec<(&'static str, Sign)>,
    /// The RSA key's public half as an attacker would try it: PEM, DER, modulus.
    public: Vec<Vec<u8>>,
}

static KEYS: LazyLock<Issuer> = LazyLock::new(make);
/// With the module as shipped, which asks Envoy for signatures.
static MESH: LazyLock<Running> = LazyLock::new(|| start(variant("algorithms")));
/// With the one that does without.
static PURE: LazyLock<Running> = LazyLock::new(|| {
    let variant = variant("algorithms-pure");
    variant.module(&artefacts::pure_module().unwrap()).unwrap();
    start(variant)
});

fn jwk(text: &str, algorithm: &str) -> Value {
    let mut key: Value = serde_json::from_str(text).unwrap();
    key["alg"] = json!(algorithm);
    key["kid"] = json!(format!("{algorithm}-1"));
    key
}

/// One RSA key serves four algorithms under four ids: what keeps them apart is the filter alone.
fn make() -> Issuer {
    let rs256 = RS256KeyPair::generate(2048).unwrap();
    let pem = rs256.to_pem().unwrap();
    let rs384 = RS384KeyPair::from_pem(&pem).unwrap();
    let rs512 = RS512KeyPair::from_pem(&pem).unwrap();
    let ps256 = PS256KeyPair::from_pem(&pem).unwrap();
    let (es256, es384, eddsa) = (ES256KeyPair::generate(), ES384KeyPair::generate(), Ed25519KeyPair::generate());
    let keys = json!([
        jwk(&rs256.public_key().to_jwk(), "RS256"),
        jwk(&rs256.public_key().to_jwk(), "RS384"),
        jwk(&rs256.public_key().to_jwk(), "RS512"),
        jwk(&rs256.public_key().to_jwk(), "PS256"),
        jwk(&es256.public_key().to_jwk(), "ES256"),
        jwk(&es384.public_key().to_jwk(), "ES384"),
        jwk(&eddsa.public_key().to_jwk(), "EdDSA"),
    ]);
    let public = rs256.public_key();
    let modulus = public.to_components().n;
    let public = vec![public.to_pem().unwrap().into_bytes(), public.to_der().unwrap(), modulus];

    let hs256 = HS256Key::from_bytes(&(0..32).collect::<Vec<u8>>()).with_key_id("HS256-1");
    let (rs256, rs384) = (rs256.with_key_id("RS256-1"), rs384.with_key_id("RS384-1"));
    let (rs512, ps256) = (rs512.with_key_id("RS512-1"), ps256.with_key_id("PS256-1"));
    let (es256, es384) = (es256.with_key_id("ES256-1"), es384.with_key_id("ES384-1"));
    let eddsa = eddsa.with_key_id("EdDSA-1");
    let signers: Vec<(&'static str, Sign)> = vec![
        ("RS256", Box::new(move |c| rs256.sign(c).unwrap())),
        ("RS384", Box::new(move |c| rs384.sign(c).unwrap())),
        ("RS512", Box::new(move |c| rs512.sign(c).unwrap())),
        ("PS256", Box::new(move |c| ps256.sign(c).unwrap())),
        ("ES256", Box::new(move |c| es256.sign(c).unwrap())),
        ("ES384", Box::new(move |c| es384.sign(c).unwrap())),
        ("EdDSA", Box::new(move |c| eddsa.sign(c).unwrap())),
        ("HS256", Box::new(move |c| hs256.authenticate(c).unwrap())),
    ];

    Issuer { key_set: json!({ "keys": keys }), signers, public }
}

fn variant(name: &str) -> Variant {
    let mut variant = Variant::prepare(name, &["edge", "orders"]).unwrap();
    fs::write(variant.site.keys().join("any.jwks.json"), KEYS.key_set.to_string()).unwrap();
    let keys = "jwks: any.jwks.json\n    symmetric_keys: [{ kid: HS256-1 }]";
    variant.append("mesh.yaml", &entry(ISSUER, keys)).unwrap();
    variant.secret("edge", "issuer_keys", "PARTYWALL_ISSUER_KEYS", format!("HS256-1:{SECRET}")).unwrap();
    variant
}

fn start(variant: Variant) -> Running {
    let running = variant.start(&[App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    running
}

fn sign(algorithm: &str) -> String {
    let (_, sign) = KEYS.signers.iter().find(|(name, _)| *name == algorithm).unwrap();
    sign(claims(ISSUER, &json!("acme")))
}

/// Status, and the exact reason at the edge; whoever was let in reached the app as acme, nobody else did.
fn outcome(token: &str) -> (u16, String) {
    outcome_in(&MESH, token)
}

fn outcome_in(mesh: &Running, token: &str) -> (u16, String) {
    let mark = unique();
    let request = Request::get(&format!("/orders/{mark}"))
        .header("host", "acme.shop.example")
        .header("authorization", format!("Bearer {token}"));
    let answer = request.send(mesh.site.address(Hop::Edge)).unwrap();
    let seen = mesh.seen_of(App::Orders, &mark).unwrap();
    let tenants: Vec<_> = seen.iter().flat_map(|seen| headers(seen, "x-partywall-tenant")).collect();
    assert_eq!(tenants, if answer.status == 200 { vec!["acme"] } else { vec![] });
    mesh.outcome(&answer)
}

fn let_in() -> (u16, String) {
    (200, String::new())
}

fn invalid() -> (u16, String) {
    (401, "credential_invalid".into())
}

/// Another letter in the middle of the signature: the last one holds bits that are not used.
fn flip(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, tail) = signature.split_at(signature.len() / 2);
    let other = if tail.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{head}{other}{}", &tail[1..])
}

/// The token with a changed header, its signature as it was.
fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let decoded = Base64UrlSafeNoPadding::decode_to_vec(header, None).unwrap();
    let mut header: Value = serde_json::from_slice(&decoded).unwrap();
    change(&mut header);
    format!("{}.{rest}", Base64UrlSafeNoPadding::encode_to_string(header.to_string()).unwrap())
}

#[test]
fn a_good_token_of_every_algorithm_is_let_in_and_one_with_a_flipped_signature_is_not() {
    for (algorithm, _) in &KEYS.signers {
        let token = sign(algorithm);
        assert_eq!(outcome(&token), let_in(), "{algorithm}");
        assert_eq!(outcome(&flip(&token)), invalid(), "{algorithm}, flipped");
        println!("{algorithm}: let in, and refused with a flipped signature");
    }
    assert_eq!(KEYS.signers.len(), 8);
}

/// What an attacker can do to a signature without the key, as a token with it.
fn spoiled(token: &str) -> Vec<(&'static str, String)> {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bytes = Base64UrlSafeNoPadding::decode_to_vec(signature, None).unwrap();
    let with = |bytes: &[u8]| format!("{signed}.{}", Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap());
    let (first, second) = bytes.split_at(bytes.len() / 2);
    vec![
        ("flipped", flip(token)),
        ("empty", format!("{signed}.")),
        ("one byte short", with(&bytes[1..])),
        ("one byte long", with(&[&[0][..], &bytes].concat())),
        ("halves swapped", with(&[second, first].concat())),
        ("first half zero", with(&[&vec![0; first.len()][..], second].concat())),
        ("all zero", with(&vec![0; bytes.len()])),
        ("all ones", with(&vec![0xff; bytes.len()])),
    ]
}

#[test]
fn host_and_module_agree_on_every_algorithm_and_signature() {
    let mut compared = 0;
    for (algorithm, _) in &KEYS.signers {
        let good = sign(algorithm);
        let mut tokens = vec![("good", good.clone(), let_in())];
        tokens.extend(spoiled(&good).into_iter().map(|(how, token)| (how, token, invalid())));
        for (how, token, expected) in tokens {
            assert_eq!(outcome_in(&MESH, &token), expected, "{algorithm}, {how}: by the host");
            assert_eq!(outcome_in(&PURE, &token), expected, "{algorithm}, {how}: by the module alone");
            compared += 1;
        }
    }
    println!("{compared} signatures, answered alike by the host's check and by the module's own");
    assert_eq!(compared, 8 * 9);
}

#[test]
fn a_changed_claim_is_refused_under_every_algorithm() {
    for (algorithm, _) in &KEYS.signers {
        let (token, other) = (sign(algorithm), sign(algorithm));
        let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let claims = other.split('.').nth(1).unwrap();
        assert_eq!(outcome(&format!("{header}.{claims}.{signature}")), invalid(), "{algorithm}");
    }
}

#[test]
fn an_rsa_public_key_is_no_hs256_secret() {
    for secret in &KEYS.public {
        for id in ["RS256-1", "PS256-1", "HS256-1"] {
            let key = HS256Key::from_bytes(secret).with_key_id(id);
            let token = key.authenticate(claims(ISSUER, &json!("acme"))).unwrap();
            assert_eq!(outcome(&token), invalid(), "{id}");
        }
    }
}

#[test]
fn a_key_counts_for_its_own_algorithm_alone() {
    // The very same RSA key, under an id that is for another algorithm.
    for (signed, id) in [("RS256", "RS384-1"), ("RS384", "RS256-1"), ("PS256", "RS256-1"), ("RS256", "PS256-1")] {
        let rsa = sign(signed);
        assert_eq!(outcome(&with_header(&rsa, |h| h["kid"] = json!(id))), invalid(), "{signed} under {id}");
    }
    for (algorithm, _) in &KEYS.signers {
        let token = sign(algorithm);
        for alg in ["none", "None", "HS256", "RS256", "ES256"].into_iter().filter(|alg| alg != algorithm) {
            assert_eq!(outcome(&with_header(&token, |h| h["alg"] = json!(alg))), invalid(), "{algorithm} as {alg}");
        }
        let unsigned = with_header(&token, |h| h["alg"] = json!("none"));
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        assert_eq!(outcome(&unsigned), invalid(), "{algorithm} unsigned");
    }
}
