//! Role inbound: who calls for what is the platform's. No tenant is established.

use partywall_tenancy::{Reason, SpiffeId};

use crate::sources::Evidence;
use crate::{Rejection, Request, Single, TakenOut, inbound};

/// The workload at the other end of this very connection, by mTLS.
///
/// INVARIANT: no header is read, so that no gateway and nobody behind one is a platform principal; and where a root
/// context comes along, a tenant is meant, whose request must not become the platform's.
pub fn caller(request: &Request<'_>, taken: &TakenOut, evidence: &Evidence<'_>) -> Result<SpiffeId, Rejection> {
    crate::check_unambiguous(request)?;
    evidence.peer.check()?;
    let peer = inbound::peer(evidence)?;
    if evidence.view.bundle().is_gateway(&peer) {
        return Err(Rejection::new(
            Reason::CallerDenied,
            "a gateway is no platform principal, nor is who is behind it",
        ));
    }
    match taken.root {
        Single::Absent => Ok(peer),
        Single::Once(_) | Single::Repeated => {
            Err(Rejection::new(Reason::CallerDenied, "what is the platform's is asked for without a root context"))
        }
    }
}
