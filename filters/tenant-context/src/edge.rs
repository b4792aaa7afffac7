//! Role edge: credentials come from outside and are proved here.

use partywall_tenancy::{Network, Reason, TenantContext};

use crate::ambiguity::check_directed;
use crate::sources::{Evidence, Gathered};
use crate::standing::Standing;
use crate::{Rejection, Request};

/// A tenant context with what may be done with it.
#[derive(Debug)]
pub enum Established {
    /// Proved, with the credentials that it rests on: a root context may be signed for it.
    Proved(TenantContext, Standing),
    /// Selected, for an operation that is open to everybody: it never gets a root context.
    Anonymous(TenantContext),
}

/// Proves a tenant from the sources of role edge. With `anonymous` the operation is open to callers
/// who claim no credential at all; one that is claimed must be valid all the same.
///
/// INVARIANT: whoever is let in as proved was named by every valid proving source that is there, and
/// contradicted by none. Headers of ours that a client sends are not read, and in which networks it is, is told by the
/// address that Envoy knows alone.
pub fn establish(request: &Request<'_>, evidence: &Evidence<'_>, anonymous: bool) -> Result<Established, Rejection> {
    crate::check_unambiguous(request)?;
    evidence.peer.check()?;
    check_directed(request, evidence.server_name)?;
    let body = evidence.view.bundle().body();
    let mut gathered = Gathered::from(&body.sources.edge, request, evidence)?;
    gathered.networks = Network::holding(&body.networks, evidence.address);
    if gathered.proven.is_empty() {
        if anonymous {
            return gathered.settle_anonymous(evidence.view).map(Established::Anonymous);
        }
        return Err(Rejection::new(Reason::TenantMissing, "no source that is configured proves a tenant"));
    }
    gathered.settle(evidence.view).map(|(context, standing)| Established::Proved(context, standing))
}
