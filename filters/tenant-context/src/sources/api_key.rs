//! An API key as a proving source: `pw1.<id>.<secret>`.

use hmac::Mac;
use partywall_tenancy::{ProvedBy, Reason, Secret, keyed};

use super::{Evidence, Proven};
use crate::standing::Ground;
use crate::{Rejection, Request, Single};

/// What a key of ours begins with. Anything else in the header is somebody else's and no source.
const PREFIX: &[u8] = b"pw1.";
const LONGEST: usize = 256;
const DOMAIN: &[u8] = b"partywall api key\0";

/// The keyed hash of a whole key under a secret of purpose `api_keys` (HMAC-SHA256, RFC 2104).
pub fn digest(secret: &Secret, key: &[u8]) -> [u8; 32] {
    keyed(secret.bytes()).chain_update(DOMAIN).chain_update(key).finalize().into_bytes().into()
}

/// The tenant of the API key in `header`. A key of ours that is not in the bundle is an invalid
/// credential, and takes as long to refuse as one with a wrong secret.
pub(super) fn prove(header: &str, request: &Request<'_>, evidence: &Evidence<'_>) -> Result<Option<Proven>, Rejection> {
    let key = match request.headers.single(header) {
        Single::Absent => return Ok(None),
        Single::Repeated => return Err(Rejection::new(Reason::AmbiguousRequest, "two API keys")),
        Single::Once(value) if !value.starts_with(PREFIX) => return Ok(None),
        Single::Once(value) => value,
    };
    let invalid = |what: &'static str| Rejection::new(Reason::CredentialInvalid, what);
    if key.len() > LONGEST {
        return Err(invalid("the API key is too long"));
    }
    let secrets = evidence.api_keys.ok_or(invalid("this sidecar has no `api_keys` secret"))?;
    let id = key.split(|b| *b == b'.').nth(1).and_then(|id| str::from_utf8(id).ok()).unwrap_or_default();
    let known = evidence.view.bundle().api_key(id);
    let secret = known.and_then(|k| secrets.find(&k.hashed_with)).unwrap_or(secrets.current());
    let presented = keyed(secret.bytes()).chain_update(DOMAIN).chain_update(key);
    let expected = known.map_or([0; 32], |k| k.digest);
    // INVARIANT: compared in constant time, and also when there is nothing to compare with.
    let matches = presented.verify_slice(&expected).is_ok();
    let Some(known) = known.filter(|_| matches) else {
        return Err(invalid("the API key is not in the bundle"));
    };
    if evidence.view.overlay().revokes_api_key(&known.id) {
        return Err(Rejection::new(Reason::CredentialRevoked, "the overlay revokes this API key"));
    }
    if evidence.now > known.expires {
        return Err(Rejection::new(Reason::CredentialExpired, "the API key is past its time"));
    }
    Ok(Some(Proven {
        by: ProvedBy::ApiKey,
        source: "the API key",
        tenants: vec![known.tenant.clone()],
        principal: known.principal.clone(),
        roles: known.roles.clone(),
        scopes: known.scopes.clone(),
        token_id: known.id.clone(),
        expires: known.expires,
        ground: Some(Ground::ApiKey(known.id.clone())),
    }))
}
