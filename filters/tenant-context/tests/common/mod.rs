//! A small mesh: one issuer for acme alone, one for all, an edge that signs, two services.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, reason = "each test file uses a part of it")]

pub mod algorithms;

use std::cell::RefCell;
use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::EncodePublicKey as _;
use partywall_tenancy::statement::TrustedKey;
use partywall_tenancy::{
    Audience, BundleBody, Caller, ContextSigner, Issuer, IssuerKey, KeyAlgorithm, KeySource, MeshId, NameSet, Origin,
    OverlayBody, PolicyState, Recover, RevokedToken, RoleKeys, Secrets, Service, Source, Sources, SpiffeId, Tenant,
    TenantId, TenantScope, TenantStatus, Tenants, Trust, View,
};
use partywall_tenant_context::RootSigner;
use partywall_tenant_context::jwt::{Keys, Memo, PureRust};
use partywall_tenant_context::{Evidence, Peer, RootMemo};

pub const MESH: &str = "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11";
pub const NOW: u64 = 1_800_000_000;
pub const ACME_ISSUER: &str = "https://id.acme.example";
pub const SHARED_ISSUER: &str = "https://id.shared.example";
pub const EDGE: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
pub const INVOICES: &str = "spiffe://mesh.example/ns/shop/sa/invoices";

pub static RS256: LazyLock<rsa::PrivateKey> = LazyLock::new(|| {
    use rsa::Generate as _;
    rsa::PrivateKey::generate()
});
static ES256: LazyLock<p256::ecdsa::SigningKey> =
    LazyLock::new(|| p256::ecdsa::SigningKey::from_slice(&[0x42; 32]).unwrap());

pub fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

pub fn spiffe(id: &str) -> SpiffeId {
    SpiffeId::parse(id).unwrap()
}

pub fn ed25519(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// The signer whose key has this seed; the bundle knows `edge-1` with seed 3.
pub fn signer(id: &str, seed: u8) -> RootSigner {
    use base64::Engine as _;
    let key = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode([seed; 32]);
    RootSigner::new(Secrets::parse(&format!("{id}:{key}")).unwrap().current()).unwrap()
}

pub fn body() -> BundleBody {
    let issuer = |issuer: &str, key: IssuerKey, tenants| Issuer {
        issuer: issuer.into(),
        audiences: vec!["shop".into()],
        tenant_claim: "/tenant".into(),
        roles_claim: "/roles".into(),
        client_claim: "/azp".into(),
        tenants,
        bindings: vec![],
        keys: KeySource::Inline(vec![key]),
    };
    let service = |name: &str, callers: &[(&str, TenantScope)], max_context_age| Service {
        clusters: vec![name.into()],
        callers: callers.iter().map(|(id, t)| Caller { spiffe_id: spiffe(id), tenants: t.clone() }).collect(),
        max_context_age,
        ..Service::new(name, spiffe(&format!("spiffe://mesh.example/ns/shop/sa/{name}")), vec![])
    };
    let record = |id: &str, status| Tenant {
        id: tenant(id),
        tier: "gold".into(),
        status,
        residency: "eu".into(),
        cell: None,
        features: NameSet::default(),
        consents: NameSet::default(),
    };
    let rs = IssuerKey { id: "rs".into(), algorithm: KeyAlgorithm::Rs256, spki: rs256_spki() };
    let es = IssuerKey { id: "es".into(), algorithm: KeyAlgorithm::Es256, spki: es256_spki() };
    BundleBody {
        format: BundleBody::FORMAT,
        // Both kinds of filters are asked against it.
        audience: Audience::Workload,
        mesh: MeshId::parse(MESH).unwrap(),
        revision: 5,
        issued: NOW - 10,
        expires: NOW + 100_000,
        source_digest: [0; 32],
        trust_domain: "mesh.example".into(),
        stale_after: 300,
        approvals: 1,
        keys: RoleKeys { overlay: vec![("o".into(), ed25519(2).verifying_key().to_bytes())], ..RoleKeys::default() },
        grants: None,
        legacy_headers: vec!["x-tenant-id".into()],
        sources: Sources {
            edge: vec![Source::Jwt, Source::Host { template: "{tenant}.shop.example".into() }],
            inbound: vec![],
        },
        api_keys: vec![],
        issuers: vec![
            issuer(ACME_ISSUER, rs, TenantScope::Only(vec![tenant("acme")])),
            issuer(SHARED_ISSUER, es, TenantScope::All),
        ],
        signers: vec![ContextSigner {
            id: "edge-1".into(),
            workload: spiffe(EDGE),
            key: ed25519(3).verifying_key().to_bytes(),
            tenants: TenantScope::All,
        }],
        gateways: vec![],
        cells: vec![],
        networks: vec![],
        tenants: Tenants::pack([
            record("acme", TenantStatus::Active),
            record("globex", TenantStatus::Active),
            record("initech", TenantStatus::Suspended),
        ])
        .unwrap(),
        services: vec![
            service("invoices", &[(EDGE, TenantScope::All)], 120),
            service(
                "orders",
                &[(INVOICES, TenantScope::Only(vec![tenant("acme"), tenant("globex")])), (EDGE, TenantScope::All)],
                120,
            ),
        ],
        modes: partywall_tenancy::Modes::default(),
        shares: vec![],
        events: vec![],
        program: vec![],
        redaction: vec![],
    }
}

pub fn overlay() -> OverlayBody {
    OverlayBody {
        format: OverlayBody::FORMAT,
        mesh: MeshId::parse(MESH).unwrap(),
        sequence: 1,
        issued: NOW,
        expires: NOW + 120,
        bundle: 5,
        suspended: vec![],
        quarantined: vec![],
        revoked_tokens: vec![RevokedToken { issuer: SHARED_ISSUER.into(), id: "revoked".into() }],
        revoked_subjects: vec![],
        revoked_keys: vec![],
        revoked_issuers: vec![],
        revoked_signers: vec![],
        revoked_api_keys: vec![],
        revoked_grants: vec![],
        withdrawn_consents: vec![],
        withdrawn_candidates: 0,
    }
}

pub fn view_of(body: &BundleBody, overlay: &OverlayBody) -> View {
    let key = TrustedKey::new("b", ed25519(1).verifying_key().as_bytes()).unwrap();
    let mut state = PolicyState::new(Trust {
        mesh: body.mesh.clone(),
        audience: body.audience,
        bundle_keys: vec![key],
        floor: 0,
        approvals: 1,
    });
    state.offer_bundle(&body.sign(&[("b", &ed25519(1))]).unwrap(), NOW, |_| Ok(())).unwrap();
    state.offer_overlay(&overlay.sign("o", &ed25519(2)).unwrap(), Origin::Fetched, NOW).unwrap();
    state.view(NOW).unwrap()
}

pub fn view() -> View {
    view_of(&body(), &overlay())
}

/// Claims of a token that every issuer here may issue; `change` makes it something else.
pub fn claims(change: impl FnOnce(&mut serde_json::Value)) -> serde_json::Value {
    let mut claims = serde_json::json!({
        "iss": SHARED_ISSUER, "sub": "alice", "aud": "shop", "iat": NOW - 5, "exp": NOW + 300,
        "tenant": "acme", "roles": ["viewer"], "jti": "j1", "scope": "read write",
    });
    change(&mut claims);
    claims
}

/// A JWS over exactly this header and payload, however wrong, signed by `sign`.
pub fn jws(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    use base64::Engine as _;
    let b64 = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", b64(&signature))
}

pub fn es256(message: &[u8]) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = ES256.sign(message);
    signature.to_bytes().to_vec()
}

pub fn rs256(message: &[u8]) -> Vec<u8> {
    use rsa::signature::SignatureEncoding as _;
    use rsa::signature::Signer as _;
    rsa::pkcs1v15::SigningKey::<sha2::Sha256>::new(RS256.clone()).sign(message).to_vec()
}

pub fn ed25519_sign(seed: u8, message: &[u8]) -> Vec<u8> {
    use ed25519_dalek::Signer as _;
    ed25519(seed).sign(message).to_bytes().to_vec()
}

/// A token of the shared issuer.
pub fn token(claims: &serde_json::Value) -> String {
    jws(r#"{"alg":"ES256","kid":"es","typ":"JWT"}"#, &claims.to_string(), es256)
}

pub fn es256_spki() -> Vec<u8> {
    ES256.verifying_key().to_public_key_der().unwrap().into_vec()
}

pub fn rs256_spki() -> Vec<u8> {
    use rsa::pkcs8::EncodePublicKey as _;
    RS256.to_public_key().to_public_key_der().unwrap().into_vec()
}

/// What was verified before.
pub struct Memos {
    pub tokens: RefCell<Memo>,
    pub roots: RefCell<RootMemo>,
}

impl Memos {
    pub fn new() -> Self {
        Self { tokens: RefCell::new(Memo::new(Memo::CAPACITY)), roots: RefCell::new(RootMemo::new(RootMemo::CAPACITY)) }
    }
}

/// What sources are asked with, for a request over a connection of the peer with this URI.
pub fn evidence<'a>(view: &'a View, memos: &'a Memos, now: u64, uri: &'a [u8]) -> Evidence<'a> {
    Evidence {
        roots: &memos.roots,
        view,
        now,
        peer: Peer { uri, ..Peer::default() },
        server_name: b"",
        address: b"",
        verifier: &PureRust { issuer_keys: None },
        keys: Keys::inline(),
        memo: &memos.tokens,
        api_keys: None,
    }
}

/// A request's headers; a header in `more` replaces the one that is there already.
pub fn headers(more: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let base = [(":method", "GET"), (":path", "/invoices/1"), (":authority", "acme.shop.example")];
    let kept = base.iter().filter(|(name, _)| !more.iter().any(|(n, _)| n == name));
    kept.chain(more).map(|(n, v)| (n.to_string(), v.as_bytes().to_vec())).collect()
}
