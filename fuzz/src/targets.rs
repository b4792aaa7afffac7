//! What must hold for whatever bytes a peer sends. One function per target; `ALL` lists them for the
//! test that replays the corpus, which includes this very file.
//!
//! Where several parts are wanted, they are lines: a fuzzer mutates them apart from each other.

#[path = "targets/san.rs"]
mod san;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use partywall_tenancy::statement::{self, Kind, TrustedKey};
use partywall_tenancy::{
    ApiKey, Audience, Bundle, BundleBody, Caller, ContextSigner, Grant, GrantCeilings, Issuer, IssuerKey, KeyAlgorithm,
    KeySource, MeshId, NameSet, Network, Origin, Overlay, OverlayBody, PolicyState, ProvedBy, Range, Reason, Recover,
    RevokedToken, RoleKeys, Rollout, Secrets, Service, Source, Sources, SpiffeId, Tenant, TenantContext, TenantId,
    TenantScope, TenantStatus, Tenants, Trust, View, join_grants, split_grants,
};
use partywall_tenant_context::jwt::{self, Keys, Memo, PureRust, Verified, jwk};
use partywall_tenant_context::{
    Baggage, CONTEXT, Carried, Established, Evidence, Handle, Headers, Outbound, Peer, Record, Rejection, Request,
    RootMemo, TraceParent, TraceState, Waiting, api_key_digest, check_unambiguous, establish_edge, establish_inbound,
    recover, take_out, take_out_baggage,
};

pub use san::san;

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[
    ("token", token),
    ("path", path),
    ("san", san),
    ("trace", trace),
    ("api_key", api_key),
    ("root", root),
    ("statement", statement),
];

/// The clock of all targets.
pub const NOW: u64 = 1_800_000_000;
const MESH: &str = "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11";
const ISSUER: &str = "https://id.example";
const EDGE: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
/// It forwards the requests of others.
const GATEWAY: &str = "spiffe://mesh.example/ns/gw/sa/east";
const API_KEY: &str = "pw1.acme-1.c2VjcmV0";
const SECRET: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A JWT, as it is and as `header LF claims` with a good signature; the same bytes as a key set.
pub fn token(bytes: &[u8]) {
    let verifier = PureRust::default();
    let verify = |token: &[u8]| jwt::verify(token, &VIEW, Keys::inline(), NOW, &verifier);
    judge_token(&verify(bytes));
    if let Some((header, claims)) = lines(bytes) {
        let token = jws(header, claims, &key(4));
        let fresh = verify(token.as_bytes());
        judge_token(&fresh);
        let mut memo = Memo::new(4);
        for _ in 0..2 {
            let known = memo.verify(token.as_bytes(), &VIEW, Keys::inline(), NOW, &verifier);
            assert_eq!(known.map(|v| v.map(|v| (*v).clone())), fresh, "memory changes no answer");
        }
    }
    if let Ok(keys) = jwk::read_set(bytes) {
        assert!((1..=jwk::MAX_KEYS).contains(&keys.len()));
        for (n, key) in keys.iter().enumerate() {
            assert!(!key.id.is_empty() && !key.spki.is_empty() && key.algorithm != KeyAlgorithm::Hs256);
            assert!(keys.iter().skip(n + 1).all(|other| other.id != key.id));
        }
    }
    if let Some(token) = jwt::bearer(bytes) {
        assert_eq!(token, token.trim_ascii());
    }
}

fn judge_token(outcome: &Result<Option<Verified>, Rejection>) {
    match outcome {
        Ok(None) => {}
        Ok(Some(verified)) => {
            assert!((1..=64).contains(&verified.tenants.len()));
            assert!(verified.tenants.iter().all(|t| ["acme", "globex"].contains(&t.as_str())), "outside the scope");
            assert!(verified.expires + 30 >= NOW && verified.not_before <= NOW + 30);
            assert!((1..=255).contains(&verified.subject.len()));
            assert!(verified.subject.bytes().all(|b| matches!(b, b' '..=b'~')));
            assert_eq!((verified.issuer.as_str(), verified.key_id.as_str()), (ISSUER, "ed"));
            assert_ne!(verified.id, "revoked");
        }
        Err(rejection) => assert!(
            matches!(
                rejection.reason,
                Reason::CredentialInvalid
                    | Reason::CredentialExpired
                    | Reason::CredentialRevoked
                    | Reason::TenantInvalid
            ),
            "{rejection:?}"
        ),
    }
}

/// `path LF authority`, of an anonymous request.
pub fn path(bytes: &[u8]) {
    let (path, authority) = lines(bytes).unwrap_or((bytes, b"acme.shop.example"));
    let headers = request(path, authority, &[]);
    let request = Request::from_headers(&headers);
    let established = at_edge(&headers, Peer::default(), true);
    if let Err(rejection) = check_unambiguous(&request) {
        assert_eq!(established.map(|_| ()), Err(rejection));
        return;
    }
    let only = request.path_only();
    let decoded = percent_decode(only);
    assert!(only.starts_with(b"/"));
    assert_eq!(decoded.split(|b| *b == b'/').count(), only.split(|b| *b == b'/').count(), "decoding adds no segment");
    assert_eq!(percent_decode(&decoded), decoded, "decoding twice is decoding once");
    for segment in decoded.split(|b| *b == b'/') {
        assert!(segment != b"." && segment != b"..");
        assert!(!segment.iter().any(|b| b.is_ascii_control() || matches!(b, b'\\')));
    }
    assert!(!authority.contains(&b'@') && !authority.contains(&b'/'));
    // Case is no difference between hosts.
    let shouted = self::request(path, &authority.to_ascii_uppercase(), &[]);
    let tenant = |outcome: Result<Established, Rejection>| outcome.map(|e| parts(e).1.tenant).map_err(|r| r.reason);
    let quiet = tenant(established);
    if let Ok(tenant) = &quiet {
        assert!(["acme", "globex"].contains(&tenant.as_str()));
    }
    assert_eq!(tenant(at_edge(&shouted, Peer::default(), true)), quiet);
}

fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let byte = after.first_chunk().and_then(|[a, b]| Some(hex(*a)? << 4 | hex(*b)?));
        match byte.filter(|_| first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// `traceparent LF tracestate LF baggage LF tracestate`; the first line as a handle as well.
pub fn trace(bytes: &[u8]) {
    let (parent, rest) = lines(bytes).unwrap_or((bytes, b""));
    let (state, rest) = lines(rest).unwrap_or((rest, b""));
    let (baggage, more) = lines(rest).unwrap_or((rest, b""));
    if let Some(parsed) = TraceParent::parse(parent) {
        assert_eq!(TraceParent::parse(parsed.to_string().as_bytes()), Some(parsed));
        assert_ne!(parsed.trace_id, [0; 16]);
    }
    if let Some(handle) = str::from_utf8(parent).ok().and_then(Handle::parse) {
        assert_eq!(handle.to_string().as_bytes(), parent);
    }
    let listed = |list: &[(&str, &[u8])]| -> Vec<(String, Vec<u8>)> {
        list.iter().map(|(n, v)| ((*n).to_owned(), v.to_vec())).collect()
    };
    let headers = listed(&[("tracestate", state), ("tracestate", more)]);
    let read = TraceState::of(Headers(&headers));
    if let Some(sent) = read.with(None) {
        let again = listed(&[("tracestate", sent.as_bytes())]);
        let again = TraceState::of(Headers(&again));
        assert!(again.ours.is_empty(), "nothing of ours leaves: {sent}");
        assert_eq!(again.with(None), Some(sent));
    }
    let handle = Handle::new(7, [9; 16]);
    let sent = read.with(Some(&handle)).expect("a handle is something to send");
    assert!(sent.split(',').count() <= 32);
    let again = listed(&[("tracestate", sent.as_bytes())]);
    let again = TraceState::of(Headers(&again));
    // Joined members may be a little longer than the two headers they came in, so the whole may be over the bound.
    assert!(again.ours == [handle.to_string()] || sent.len() > 4096);

    let headers = listed(&[("baggage", baggage)]);
    if let Baggage::Replace(kept) = take_out_baggage(Headers(&headers), &LEGACY) {
        let again = listed(&[("baggage", kept.as_bytes())]);
        assert_eq!(take_out_baggage(Headers(&again), &LEGACY), Baggage::Keep, "{kept}");
    }
    let headers = request(b"/", b"orders", &[("traceparent", parent), ("tracestate", state), ("tracestate", more)]);
    let own = VIEW.bundle().service("invoices").expect("in the fixture");
    let destination = VIEW.bundle().service("orders");
    let sources = Outbound { view: &VIEW, own, destination, now: NOW, roots: &RefCell::new(RootMemo::new(4)) };
    let request = Request::from_headers(&headers);
    let denied = Carried::of(&request).and_then(|carried| {
        assert_eq!(Carried::from_bytes(&carried.to_bytes()), Some(carried.clone()));
        recover(&request, &carried, &sources, &Nothing)
    });
    let denied = denied.expect_err("nothing waits");
    assert!(matches!(denied.reason, Reason::ContextNoRequest | Reason::AmbiguousRequest));
}

struct Nothing;

impl Waiting for Nothing {
    fn by_handle(&self, _: &Handle) -> Option<Record> {
        None
    }

    fn by_trace(&self, _: [u8; 16]) -> Option<Record> {
        None
    }

    fn fetched(&self, _: &TenantId) -> Option<u64> {
        None
    }
}

/// The value of the API key header.
pub fn api_key(bytes: &[u8]) {
    for value in [bytes, &[API_KEY.as_bytes(), bytes].concat(), &[b"pw1.acme-1.", bytes].concat()] {
        let headers = request(b"/", b"gateway.example", &[("x-api-key", value)]);
        let outcome = at_edge(&headers, Peer::default(), false);
        assert_eq!(outcome.is_ok(), value == API_KEY.as_bytes(), "one key, one spelling");
        if let Err(rejection) = outcome {
            let expected = if value.starts_with(b"pw1.") { Reason::CredentialInvalid } else { Reason::TenantMissing };
            assert_eq!(rejection.reason, expected);
        }
    }
}

/// A root context from the edge, as it is and as `header LF claims` signed by a captured key.
pub fn root(bytes: &[u8]) {
    let peer = Peer { uri: EDGE.as_bytes(), ..Peer::default() };
    let arrive = |token: &[u8]| {
        let headers = request(b"/", b"orders", &[(CONTEXT, token)]);
        let outcome = at_orders(&headers, peer);
        if let Ok(established) = &outcome {
            let context = match established {
                Established::Proved(context, _) | Established::Anonymous(context) => context,
            };
            assert_eq!(context.proved_by, ProvedBy::Root);
            assert_eq!(context.tenant.as_str(), "acme", "the key may sign for acme alone");
            assert!(context.expires <= NOW + 30 + 60);
        }
        // Nobody but a listed caller may use what the edge may.
        let stranger = Peer { uri: b"spiffe://mesh.example/ns/shop/sa/reports", ..Peer::default() };
        assert_eq!(at_orders(&headers, stranger).map(|_| ()).map_err(|r| r.reason), Err(Reason::CallerDenied));
        outcome
    };
    let _ = arrive(bytes);
    if let Some((header, claims)) = lines(bytes) {
        let _ = arrive(jws(header, claims, &key(3)).as_bytes());
        let foreign = arrive(jws(header, claims, &key(9)).as_bytes());
        assert!(foreign.is_err(), "no key of the mesh signed it");
    }
}

/// A bundle or overlay, as it is and as a body with a good signature.
pub fn statement(bytes: &[u8]) {
    let (bundle_key, overlay_key) = (trusted("b", 1), trusted("o", 2));
    let open_bundle = |bytes: &[u8]| Bundle::open(bytes, std::slice::from_ref(&bundle_key));
    let open_overlay =
        |bytes: &[u8]| Overlay::open(bytes, std::slice::from_ref(&overlay_key), std::slice::from_ref(&bundle_key));
    let signed_by = |seed: u8, kind| {
        statement::Statement::read(bytes)
            .is_ok_and(|s| s.verify(kind, &[trusted("b", seed), trusted("o", seed)], &[]).is_ok())
    };
    assert!(open_bundle(bytes).is_err() || signed_by(1, Kind::Bundle));
    assert!(open_overlay(bytes).is_err() || signed_by(2, Kind::Overlay));

    let signed = statement::sign(Kind::Bundle, bytes, &[("b", &key(1))]).expect("one signer");
    if let Ok(bundle) = open_bundle(&signed) {
        let body = bundle.body();
        let again = open_bundle(&body.sign(&[("b", &key(1))]).expect("one signer")).expect("it was good before");
        assert_eq!(again.body(), body);
        assert!(body.tenants.iter().all(|t| bundle.tenant(&t.id) == Some(t.clone())));
        assert!(body.services.iter().all(|s| bundle.service(&s.name) == Some(s)));
    }
    assert!(Bundle::open_candidate(&signed, std::slice::from_ref(&bundle_key)).is_err(), "a bundle is no candidate");
    // As they are, and behind a good rollout.
    let behind = [b"\x01\x01\x32\x01\x04acme", bytes].concat();
    assert!(Rollout::read(&behind).is_ok_and(|(rollout, rest)| rollout.percent == 50 && rest == bytes));
    for body in [bytes, &behind] {
        let signed = statement::sign(Kind::Candidate, body, &[("b", &key(1))]).expect("one signer");
        assert!(open_bundle(&signed).is_err(), "a candidate is no bundle");
        if let Ok((bundle, rollout)) = Bundle::open_candidate(&signed, std::slice::from_ref(&bundle_key)) {
            assert!(rollout.percent <= 100 && rollout.step > 0 && rollout.tenants.len() <= Rollout::MAX_TENANTS);
            let all = bundle.body().tenants.iter().take(64).map(|tenant| tenant.id);
            for id in all.chain(rollout.tenants.iter().cloned()) {
                let more = Rollout { percent: rollout.percent.saturating_add(1).min(100), ..rollout.clone() };
                let mesh = &bundle.body().mesh;
                assert!(!rollout.includes(mesh, &id) || more.includes(mesh, &id), "more percent only adds");
            }
            let again = rollout.sign(bundle.body(), &[("b", &key(1))]).expect("one signer");
            let again = Bundle::open_candidate(&again, std::slice::from_ref(&bundle_key)).expect("it was good before");
            assert_eq!((again.0.body(), &again.1), (bundle.body(), &rollout));
        }
    }
    let signed = statement::sign(Kind::Overlay, bytes, &[("o", &key(2))]).expect("one signer");
    if let Ok(overlay) = open_overlay(&signed) {
        let body = overlay.body();
        let again = open_overlay(&body.sign("o", &key(2)).expect("one signer")).expect("it was good before");
        assert_eq!(again, overlay);
        assert!(body.suspended.iter().all(|t| overlay.status(t).is_some()));
    }
    // Whatever a file of grants holds, it falls into the statements it was put together from, or into none.
    if let Ok(statements) = split_grants(bytes) {
        assert_eq!(join_grants(statements.iter().copied()).as_deref(), Some(bytes));
    }
    let signed = statement::sign(Kind::Grant, bytes, &[("g", &key(5)), ("h", &key(6))]).expect("two signers");
    let grant_keys = [trusted("g", 5), trusted("h", 6)];
    let ceilings = GrantCeilings { longest: 3_600, actions: vec![], tenants: TenantScope::All, at_once: 1 };
    assert!(Grant::open(&signed, &grant_keys, &[], Some(&ceilings)).is_err(), "no action may be granted");
    assert!(Grant::open(&signed, &grant_keys[..1], &[], Some(&ceilings)).is_err(), "one key alone");
}

// --- What all targets stand on.

static LEGACY: LazyLock<Vec<String>> = LazyLock::new(|| vec!["x-tenant-id".into()]);
static VIEW: LazyLock<View> = LazyLock::new(view);
/// A good root context of acme.
static ROOT: LazyLock<String> = LazyLock::new(root_of_acme);
static API_KEYS: LazyLock<Secrets> = LazyLock::new(|| Secrets::parse(SECRET).expect("a good secret"));

fn lines(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|b| *b == b'\n')?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn request(path: &[u8], authority: &[u8], more: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    let pseudo = [(":method", b"GET".as_slice()), (":path", path), (":authority", authority)];
    pseudo.iter().chain(more).map(|(n, v)| ((*n).to_owned(), v.to_vec())).collect()
}

fn parts(established: Established) -> (bool, TenantContext) {
    match established {
        Established::Proved(context, _) => (true, context),
        Established::Anonymous(context) => (false, context),
    }
}

fn with_evidence<T>(peer: Peer<'_>, ask: impl FnOnce(&Evidence<'_>) -> T) -> T {
    ask(&Evidence {
        view: &VIEW,
        now: NOW,
        peer,
        server_name: b"",
        address: b"127.0.0.1:9",
        verifier: &PureRust::default(),
        keys: Keys::inline(),
        memo: &RefCell::new(Memo::new(4)),
        roots: &RefCell::new(RootMemo::new(4)),
        api_keys: Some(&API_KEYS),
    })
}

fn at_edge(headers: &[(String, Vec<u8>)], peer: Peer<'_>, anonymous: bool) -> Result<Established, Rejection> {
    with_evidence(peer, |evidence| establish_edge(&Request::from_headers(headers), evidence, anonymous))
}

fn at_orders(headers: &[(String, Vec<u8>)], peer: Peer<'_>) -> Result<Established, Rejection> {
    let service = VIEW.bundle().service("orders").expect("in the fixture");
    let taken = take_out(Headers(headers), &LEGACY);
    with_evidence(peer, |evidence| establish_inbound(&Request::from_headers(headers), &taken, service, evidence, false))
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> [u8; 32] {
    key(seed).verifying_key().to_bytes()
}

fn trusted(id: &str, seed: u8) -> TrustedKey {
    TrustedKey::new(id, &public(seed)).expect("a good key")
}

fn jws(header: &[u8], payload: &[u8], key: &SigningKey) -> String {
    let b64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", b64(header), b64(payload));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", b64(&signature.to_bytes()))
}

fn root_of_acme() -> String {
    let claims = format!(
        r#"{{"iss":"{MESH}","sub":"alice","ten":"acme","tier":"gold","rol":[],"scp":[],"reg":"eu","org":"{EDGE}","rev":1,"iat":{NOW},"exp":{},"jti":"x"}}"#,
        NOW + 60
    );
    jws(br#"{"alg":"EdDSA","kid":"edge-1","typ":"partywall-root+jwt"}"#, claims.as_bytes(), &key(3))
}

fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).expect("a good tenant id")
}

fn spiffe(id: &str) -> SpiffeId {
    SpiffeId::parse(id).expect("a good SPIFFE ID")
}

fn view() -> View {
    let mut state = PolicyState::new(Trust {
        mesh: MeshId::parse(MESH).expect("a UUID"),
        audience: Audience::Edge,
        bundle_keys: vec![trusted("b", 1)],
        floor: 0,
        approvals: 1,
    });
    let bundle = body().sign(&[("b", &key(1))]).expect("one signer");
    state.offer_bundle(&bundle, NOW, |_| Ok(())).expect("a good bundle");
    let overlay = overlay().sign("o", &key(2)).expect("one signer");
    state.offer_overlay(&overlay, Origin::Fetched, NOW).expect("a good overlay");
    state.view(NOW).expect("both are fresh")
}

fn overlay() -> OverlayBody {
    OverlayBody {
        revoked_tokens: vec![RevokedToken { issuer: ISSUER.into(), id: "revoked".into() }],
        ..empty_overlay()
    }
}

fn body() -> BundleBody {
    let ed25519_spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), &public(4)].concat();
    let caller = |id: &str, tenants| Caller { spiffe_id: spiffe(id), tenants };
    let service = |name: &str, callers| Service {
        name: name.into(),
        spiffe_id: spiffe(&format!("spiffe://mesh.example/ns/shop/sa/{name}")),
        clusters: vec![name.into()],
        callers,
        max_context_age: 120,
        recover: Recover::TraceParent,
        own_tenant: None,
        act_for: None,
        platform: vec![],
        without_context: None,
        tenantless: false,
        operations: vec![],
        routes: None,
        events: None,
    };
    let secrets = Secrets::parse(SECRET).expect("a good secret");
    let both = || TenantScope::Only(vec![tenant("acme"), tenant("globex")]);
    let sources = vec![
        Source::Jwt,
        Source::ApiKey { header: "x-api-key".into() },
        Source::UriSan { template: "spiffe://mesh.example/tenant/{tenant}/sa/{workload}".into() },
        Source::DnsSan { template: "{tenant}.clients.example".into() },
        Source::Host { template: "{tenant}.shop.example".into() },
        Source::Path { template: "/t/{tenant}".into() },
    ];
    BundleBody {
        format: BundleBody::FORMAT,
        audience: Audience::Edge,
        mesh: MeshId::parse(MESH).expect("a UUID"),
        revision: 1,
        issued: NOW - 10,
        expires: NOW + 1000,
        source_digest: [0; 32],
        trust_domain: "mesh.example".into(),
        stale_after: 300,
        approvals: 1,
        keys: RoleKeys { overlay: vec![("o".into(), public(2))], ..RoleKeys::default() },
        grants: None,
        legacy_headers: LEGACY.clone(),
        sources: Sources { edge: sources.clone(), inbound: sources },
        api_keys: vec![ApiKey {
            id: "acme-1".into(),
            digest: api_key_digest(secrets.current(), API_KEY.as_bytes()),
            hashed_with: "1".into(),
            tenant: tenant("acme"),
            principal: "robot".into(),
            roles: vec![],
            scopes: vec![],
            expires: NOW + 1000,
        }],
        issuers: vec![Issuer {
            issuer: ISSUER.into(),
            audiences: vec!["shop".into()],
            tenant_claim: "/tenant".into(),
            roles_claim: "/roles".into(),
            client_claim: "/azp".into(),
            tenants: both(),
            bindings: vec![],
            keys: KeySource::Inline(vec![IssuerKey {
                id: "ed".into(),
                algorithm: KeyAlgorithm::EdDsa,
                spki: ed25519_spki,
            }]),
        }],
        signers: vec![ContextSigner {
            id: "edge-1".into(),
            workload: spiffe(EDGE),
            key: public(3),
            tenants: TenantScope::Only(vec![tenant("acme")]),
        }],
        gateways: vec![spiffe(GATEWAY)],
        cells: vec![],
        networks: vec![Network { name: "here".into(), ranges: vec![Range::parse("127.0.0.0/8").expect("a range")] }],
        tenants: Tenants::pack(["acme", "globex"].map(|id| Tenant {
            id: tenant(id),
            tier: "gold".into(),
            status: TenantStatus::Active,
            residency: "eu".into(),
            cell: None,
            features: NameSet::new([id, "export"]).expect("two"),
            consents: NameSet::new(["analytics"]).expect("one"),
        }))
        .expect("two tenants"),
        services: vec![
            service("invoices", vec![caller(EDGE, TenantScope::All)]),
            service(
                "orders",
                vec![
                    caller(EDGE, TenantScope::All),
                    caller("spiffe://mesh.example/tenant/acme/sa/web", TenantScope::All),
                ],
            ),
        ],
        modes: partywall_tenancy::Modes::default(),
        shares: vec![],
        events: vec![],
        program: vec![],
        redaction: vec![],
    }
}

fn empty_overlay() -> OverlayBody {
    OverlayBody {
        format: OverlayBody::FORMAT,
        mesh: MeshId::parse(MESH).expect("a UUID"),
        sequence: 1,
        issued: NOW,
        expires: NOW + 120,
        bundle: 1,
        suspended: vec![],
        quarantined: vec![],
        revoked_tokens: vec![],
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
