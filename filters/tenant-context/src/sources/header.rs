//! A header as a selecting source, from peers that are trusted to set it.

use partywall_tenancy::Reason;

use super::Peer;
use crate::{Rejection, Request, Single, template};

/// What the header `name` says, if the peer may say it; from anybody else the header is not looked at,
/// since it was taken out of the request like every other claim.
pub(super) fn named(
    name: &str,
    peers: &[String],
    request: &Request<'_>,
    peer: &Peer<'_>,
) -> Result<Option<String>, Rejection> {
    let Some(id) = peer.spiffe_id() else { return Ok(None) };
    if !peers.iter().any(|pattern| template::fits(pattern, id.as_str())) {
        return Ok(None);
    }
    let ambiguous =
        || Rejection::new(Reason::AmbiguousRequest, "a header that selects the tenant holds several values");
    match request.headers.single(name) {
        Single::Absent => Ok(None),
        Single::Repeated => Err(ambiguous()),
        Single::Once(value) if value.contains(&b',') => Err(ambiguous()),
        // What is not text is no tenant either; the tenant id's own rules say so.
        Single::Once(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
    }
}
