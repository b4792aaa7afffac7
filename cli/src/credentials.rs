//! What a client shows at the edge, and what the code of an edge makes of it: `mesh.yaml` says where a tenant stands in a
//! token, a certificate or a host, and here it is asked.
//!
//! The keys are those of this run: every issuer signs with one that nobody else knows, and each API key is one made up
//! for its id. So what is tested is what an edge does with a good credential, and never whether somebody has one.

use std::cell::RefCell;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use partywall_tenancy::{BundleBody, IssuerKey, KeyAlgorithm, KeySource, Secrets, TenantContext, UnixSeconds, View};
use partywall_tenant_context::jwt::{Keys, Memo, PureRust};
use partywall_tenant_context::{
    Established, Evidence, Peer, Rejection, Request, RootMemo, api_key_digest, establish_edge,
};
use serde_json::{Map, Value, json};

use crate::exit::Failure;

/// What a client shows. Nothing is proved yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    /// A token.
    pub(crate) token: Option<Token>,
    /// The id of an API key, or the name of its principal.
    pub(crate) api_key: Option<String>,
    /// The first names of a certificate.
    pub(crate) certificate: Option<Certificate>,
    /// The host asked for.
    pub(crate) host: Option<String>,
    /// More headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The address it calls from; empty where nobody knows.
    pub(crate) address: String,
}

/// A token that its issuer signed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Token {
    /// `iss`.
    pub(crate) issuer: String,
    /// The other claims. `sub`, `aud`, `iat`, `exp` and `jti` are made up where they are not there.
    pub(crate) claims: Map<String, Value>,
    /// How many seconds ago it was issued.
    pub(crate) age: u32,
}

/// Names of a certificate that Envoy verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Its first URI.
    pub(crate) uri: String,
    /// Its first DNS name.
    pub(crate) dns: String,
}

/// The life of a token that does not say its own, in seconds.
const LIFETIME: u64 = 600;
/// The id of every key of this run.
const KEY_ID: &str = "of-this-run";
/// The host of a request that names none: no template holds it.
const HOST: &str = "host.invalid";

/// The keys of one run.
pub(crate) struct Credentials {
    issuer: SigningKey,
    secrets: Secrets,
    now: UnixSeconds,
}

impl Credentials {
    /// New ones.
    pub(crate) fn new(now: UnixSeconds) -> Result<Self, Failure> {
        let mut seeds = [0; 64];
        getrandom::fill(&mut seeds).map_err(|e| Failure::invalid(format!("the system gives no randomness: {e}")))?;
        let (seed, secret) = seeds.split_at(32);
        let unusable = || Failure::invalid("a key made for this run is of no use; this is a defect of `partywall`");
        let secret = format!("{KEY_ID}:{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
        Ok(Self {
            issuer: SigningKey::from_bytes(seed.try_into().map_err(|_| unusable())?),
            secrets: Secrets::parse(&secret).map_err(|_| unusable())?,
            now,
        })
    }

    /// Puts these keys where the bundle has those of issuers and clients.
    pub(crate) fn replace(&self, body: &mut BundleBody) {
        // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, section 4).
        const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let spki = [&ED25519, self.issuer.verifying_key().as_bytes().as_slice()].concat();
        for issuer in &mut body.issuers {
            let key = IssuerKey { id: KEY_ID.into(), algorithm: KeyAlgorithm::EdDsa, spki: spki.clone() };
            issuer.keys = KeySource::Inline(vec![key]);
        }
        for key in &mut body.api_keys {
            key.digest = api_key_digest(self.secrets.current(), whole(&key.id).as_bytes());
            key.hashed_with = KEY_ID.into();
        }
    }

    /// Whom the edge takes the client for. `anonymous` says that the operation is open to everybody.
    pub(crate) fn establish(
        &self,
        view: &View,
        shown: &Shown,
        (method, path): (&str, &str),
        anonymous: bool,
    ) -> Result<TenantContext, Rejection> {
        let body = view.bundle().body();
        let mut headers: Vec<(String, Vec<u8>)> = vec![
            (":method".into(), method.into()),
            (":path".into(), path.into()),
            (":authority".into(), shown.host.as_deref().unwrap_or(HOST).into()),
        ];
        headers.extend(shown.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())));
        if let Some(token) = &shown.token {
            headers.push(("authorization".into(), format!("Bearer {}", self.sign(token, body)).into_bytes()));
        }
        if let Some(name) = &shown.api_key {
            let id = body.api_keys.iter().find(|key| key.id == *name || key.principal == *name).map(|key| &*key.id);
            for header in body.sources.edge.iter().filter_map(api_key_header) {
                // A key that the directory does not know is one that somebody made up.
                headers.push((header.to_owned(), whole(id.unwrap_or(name)).into_bytes()));
            }
        }
        let certificate = shown.certificate.clone().unwrap_or_default();
        let (memo, roots) = (RefCell::new(Memo::new(1)), RefCell::new(RootMemo::new(1)));
        let evidence = Evidence {
            view,
            now: self.now,
            peer: Peer { uri: certificate.uri.as_bytes(), dns: certificate.dns.as_bytes(), digest: b"" },
            server_name: b"",
            address: shown.address.as_bytes(),
            verifier: &PureRust::default(),
            keys: Keys::inline(),
            memo: &memo,
            roots: &roots,
            api_keys: Some(&self.secrets),
        };
        let established = establish_edge(&Request::from_headers(&headers), &evidence, anonymous)?;
        let (Established::Proved(context, _) | Established::Anonymous(context)) = established;
        Ok(context)
    }

    /// The token as its issuer would sign it.
    fn sign(&self, token: &Token, body: &BundleBody) -> String {
        let issuer = body.issuers.iter().find(|issuer| issuer.issuer == token.issuer);
        let audience = issuer.and_then(|issuer| issuer.audiences.first()).map_or("", String::as_str);
        let issued = self.now.saturating_sub(token.age.into());
        let mut claims = token.claims.clone();
        for (name, value) in [
            ("iss", json!(token.issuer)),
            ("sub", json!("somebody")),
            ("aud", json!(audience)),
            ("iat", json!(issued)),
            ("exp", json!(issued + LIFETIME)),
            ("jti", json!("a-token")),
        ] {
            claims.entry(name).or_insert(value);
        }
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!({ "alg": "EdDSA", "kid": KEY_ID })), part(Value::Object(claims)));
        let signature = self.issuer.sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The API key of this id, in this run.
fn whole(id: &str) -> String {
    format!("pw1.{id}.{KEY_ID}")
}

fn api_key_header(source: &partywall_tenancy::Source) -> Option<&str> {
    match source {
        partywall_tenancy::Source::ApiKey { header } => Some(header),
        _ => None,
    }
}
