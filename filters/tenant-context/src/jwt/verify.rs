//! From an `Authorization` header to a proven tenant.

use partywall_tenancy::{CLOCK_SKEW, Issuer, IssuerKey, KeyAlgorithm, Reason, TenantId, UnixSeconds, View};
use serde_json::Value;

use super::claims::Claims;
use super::{Compact, strict};
use crate::Rejection;

/// Checks a signature; the host does it natively, tests in pure Rust.
pub trait SignatureVerifier {
    /// Whether `signature` over `message` verifies under the key (SubjectPublicKeyInfo in DER).
    /// `signature` is as it stands in a JWS. Anything unusable is `false`.
    fn verify(&self, algorithm: KeyAlgorithm, spki: &[u8], message: &[u8], signature: &[u8]) -> bool;
}

/// What a valid token proved.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// The tenant it names.
    pub tenant: TenantId,
    /// `sub`.
    pub subject: String,
    /// Roles, from where the issuer keeps them.
    pub roles: Vec<String>,
    /// `scope`, split.
    pub scopes: Vec<String>,
    /// `jti`, empty where there is none.
    pub id: String,
    /// `exp`.
    pub expires: UnixSeconds,
}

/// The token of a `Bearer` credential (RFC 6750, section 2.1); `None` for any other scheme.
pub fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Verifies `token`. `Ok(None)` when no configured issuer claims it: then it is none of our business.
pub fn verify(
    token: &[u8],
    view: &View,
    now: UnixSeconds,
    verifier: &dyn SignatureVerifier,
) -> Result<Option<Verified>, Rejection> {
    let Some(compact) = Compact::read(token) else { return Ok(None) };
    let Some(payload) = strict(&compact.payload) else {
        // Whose it is cannot be said; if it names one of ours in any reading, it is a bad one of theirs.
        return if names_an_issuer(&compact.payload, view) {
            invalid("the claims are no JSON object, or repeat a name")
        } else {
            Ok(None)
        };
    };
    let Some(issuer) = payload.get("iss").and_then(Value::as_str).and_then(|iss| view.bundle().issuer(iss)) else {
        return Ok(None);
    };
    let key = match select_key(&compact.header, issuer) {
        Ok(key) => key,
        Err(what) => return invalid(what),
    };
    if !verifier.verify(key.algorithm, &key.spki, compact.signed, &compact.signature) {
        return invalid("the signature does not verify");
    }
    let claims = match Claims::read(&payload, issuer) {
        Ok(claims) => claims,
        Err(what) => return invalid(what),
    };
    judge(claims, issuer, view, now).map(Some)
}

fn judge(claims: Claims, issuer: &Issuer, view: &View, now: UnixSeconds) -> Result<Verified, Rejection> {
    let reject = |reason, what: &'static str| Err(Rejection::new(reason, what));
    if now > claims.expires.saturating_add(CLOCK_SKEW) {
        return reject(Reason::CredentialExpired, "`exp` is past");
    }
    let from_future = |t: Option<UnixSeconds>| t.is_some_and(|t| t > now.saturating_add(CLOCK_SKEW));
    if from_future(claims.not_before) || from_future(claims.issued) {
        return reject(Reason::CredentialInvalid, "`nbf` or `iat` is in the future");
    }
    if !claims.audiences.iter().any(|a| issuer.audiences.contains(a)) {
        return reject(Reason::CredentialInvalid, "no audience of the issuer matches `aud`");
    }
    if let Some(id) = &claims.id
        && view.overlay().revokes_token(&issuer.issuer, id)
    {
        return reject(Reason::CredentialRevoked, "the overlay revokes this `jti`");
    }
    let tenant = TenantId::parse(&claims.tenant)
        .map_err(|e| Rejection::of_proved(Reason::TenantInvalid, format!("the tenant claim {e}")))?;
    if !issuer.tenants.contains(&tenant) {
        return reject(Reason::CredentialInvalid, "the issuer may not name this tenant");
    }
    Ok(Verified {
        tenant,
        subject: claims.subject,
        roles: claims.roles,
        scopes: claims.scopes,
        id: claims.id.unwrap_or_default(),
        expires: claims.expires,
    })
}

/// The one key that may have signed: by `kid`, of this issuer, and for exactly this algorithm.
///
/// INVARIANT: the token chooses among the issuer's keys, never the algorithm of a key, and never
/// a key it brings along (`jwk`, `jku`, `x5u`, `x5c` are not looked at; RFC 8725, sections 3.1 and 3.10).
fn select_key<'a>(header: &[u8], issuer: &'a Issuer) -> Result<&'a IssuerKey, &'static str> {
    let header = strict(header).ok_or("the header is no JSON object, or repeats a name")?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if header.get("crit").is_some() {
        return Err("`crit` names extensions that are not understood");
    }
    if let Some(typ) = header.get("typ") {
        let typ = typ.as_str().unwrap_or_default();
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        if !typ.eq_ignore_ascii_case("jwt") && !typ.eq_ignore_ascii_case("at+jwt") {
            return Err("`typ` is neither `JWT` nor `at+jwt`");
        }
    }
    let kid = text("kid").ok_or("`kid` is missing")?;
    let key = issuer.keys.iter().find(|k| k.id == kid).ok_or("`kid` is no key of the issuer")?;
    let alg = match key.algorithm {
        KeyAlgorithm::Rs256 => "RS256",
        KeyAlgorithm::Es256 => "ES256",
    };
    if text("alg") == Some(alg) { Ok(key) } else { Err("`alg` is not the algorithm of the key") }
}

fn invalid<T>(what: &'static str) -> Result<T, Rejection> {
    Err(Rejection::new(Reason::CredentialInvalid, what))
}

fn names_an_issuer(payload: &[u8], view: &View) -> bool {
    view.bundle()
        .body()
        .issuers
        .iter()
        .any(|i| !i.issuer.is_empty() && payload.windows(i.issuer.len()).any(|w| w == i.issuer.as_bytes()))
}
