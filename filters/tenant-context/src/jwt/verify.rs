//! From an `Authorization` header to proven tenants.

use partywall_tenancy::{Issuer, IssuerKey, Reason, TenantId, UnixSeconds, View};
use serde_json::Value;

use super::claims::Claims;
use super::keys::Found;
use super::{Compact, Keys, Verified, spki, strict};
use crate::Rejection;

/// Checks a signature; the host does it natively, pure Rust does what the host cannot.
pub trait SignatureVerifier {
    /// Whether `signature` over `message` verifies under `key`, by the one algorithm the key is for.
    /// `signature` is as it stands in a JWS. Anything unusable is `false`.
    fn verify(&self, key: &IssuerKey, message: &[u8], signature: &[u8]) -> bool;
}

/// The token of a `Bearer` credential (RFC 6750, section 2.1); `None` for any other scheme.
pub fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Verifies `token`. `Ok(None)` when no configured issuer claims it: then it is none of our business.
///
/// What is left to do once the tenant is chosen: [`Verified::check_binding`].
pub fn verify(
    token: &[u8],
    view: &View,
    keys: Keys<'_>,
    now: UnixSeconds,
    verifier: &dyn SignatureVerifier,
) -> Result<Option<Verified>, Rejection> {
    prove(token, view, keys, now, verifier).map(|proved| proved.map(|(verified, _)| verified))
}

/// As [`verify`]; beside it the generation of the key set that the key was found in.
pub(super) fn prove(
    token: &[u8],
    view: &View,
    keys: Keys<'_>,
    now: UnixSeconds,
    verifier: &dyn SignatureVerifier,
) -> Result<Option<(Verified, u64)>, Rejection> {
    let Some(compact) = Compact::read(token) else { return Ok(None) };
    let Some(payload) = strict(&compact.payload) else {
        // Whose it is cannot be said; if it names one of ours in any reading, it is a bad one of theirs.
        return if names_an_issuer(&compact.payload, view) {
            Err(invalid("the claims are no JSON object, or repeat a name"))
        } else {
            Ok(None)
        };
    };
    let Some(issuer) = payload.get("iss").and_then(Value::as_str).and_then(|iss| view.bundle().issuer(iss)) else {
        return Ok(None);
    };
    let Found { key, generation } = select_key(&compact.header, issuer, keys)?;
    if !spki::fits(key) || !verifier.verify(key, compact.signed, &compact.signature) {
        return Err(invalid("the signature does not verify"));
    }
    let claims = Claims::read(&payload, issuer).map_err(invalid)?;
    let tenants = claims.tenants.iter().map(String::as_str);
    let verified = Verified {
        tenants: Vec::new(),
        issuer: issuer.issuer.clone(),
        subject: claims.subject,
        audiences: claims.audiences,
        client: claims.client,
        roles: claims.roles,
        scopes: claims.scopes,
        id: claims.id.unwrap_or_default(),
        not_before: claims.not_before.max(claims.issued).unwrap_or(0),
        expires: claims.expires,
        key_id: key.id.clone(),
    };
    verified.check_still(view, now)?;
    let tenants = read_tenants(tenants, issuer)?;
    Ok(Some((Verified { tenants, ..verified }, generation)))
}

/// Each name is a tenant id that the issuer may name; a name that stands twice counts once.
fn read_tenants<'a>(names: impl Iterator<Item = &'a str>, issuer: &Issuer) -> Result<Vec<TenantId>, Rejection> {
    let mut tenants = Vec::new();
    for name in names {
        let tenant = TenantId::parse(name)
            .map_err(|e| Rejection::of_proved(Reason::TenantInvalid, format!("the tenant claim {e}")))?;
        if !issuer.tenants.contains(&tenant) {
            return Err(invalid("the issuer may not name this tenant"));
        }
        if !tenants.contains(&tenant) {
            tenants.push(tenant);
        }
    }
    Ok(tenants)
}

/// The one key that may have signed: by `kid`, of this issuer, and for exactly this algorithm.
///
/// INVARIANT: the token chooses among the issuer's keys, never the algorithm of a key, and never
/// a key it brings along (`jwk`, `jku`, `x5u`, `x5c` are not looked at; RFC 8725, sections 3.1 and 3.10).
fn select_key<'a>(header: &[u8], issuer: &'a Issuer, keys: Keys<'a>) -> Result<Found<'a>, Rejection> {
    let header = strict(header).ok_or(invalid("the header is no JSON object, or repeats a name"))?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if header.get("crit").is_some() {
        return Err(invalid("`crit` names extensions that are not understood"));
    }
    if let Some(typ) = header.get("typ") {
        let typ = typ.as_str().unwrap_or_default();
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        if !typ.eq_ignore_ascii_case("jwt") && !typ.eq_ignore_ascii_case("at+jwt") {
            return Err(invalid("`typ` is neither `JWT` nor `at+jwt`"));
        }
    }
    let kid = text("kid").ok_or(invalid("`kid` is missing"))?;
    let found = keys.find(issuer, kid)?;
    if text("alg") == Some(found.key.algorithm.name()) {
        Ok(found)
    } else {
        Err(invalid("`alg` is not the algorithm of the key"))
    }
}

fn invalid(what: &'static str) -> Rejection {
    Rejection::new(Reason::CredentialInvalid, what)
}

fn names_an_issuer(payload: &[u8], view: &View) -> bool {
    view.bundle()
        .body()
        .issuers
        .iter()
        .any(|i| !i.issuer.is_empty() && payload.windows(i.issuer.len()).any(|w| w == i.issuer.as_bytes()))
}
