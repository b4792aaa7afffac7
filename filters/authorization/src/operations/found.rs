//! The operation that covers a request, and what the request shows of the resource.

use std::sync::Arc;

use partywall_tenancy::{Operation, Reason, TenantId};

use super::route::{Evidence, Route};
use super::template;
use crate::guard::Guarded;
use crate::{Body, Call, ROUTE};

/// An operation that covers a request.
#[derive(Clone, Copy, Debug)]
pub struct Found<'o, 'p> {
    pub(super) route: &'o Route,
    pub(super) position: usize,
    pub(super) path: &'p str,
    pub(super) call: Call<'p>,
}

impl<'o, 'p> Found<'o, 'p> {
    /// The operation.
    pub fn operation(&self) -> &'o Operation {
        &self.route.operation
    }

    /// Whether nothing but its route says that the request asks for it.
    pub fn is_named_by_route(&self) -> bool {
        self.route.operation.method == ROUTE && self.call.method != ROUTE
    }

    /// Its position in the service's list.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How what it answers is judged; `None` where that passes as it is.
    pub fn guarded(&self) -> Option<&'o Arc<Guarded>> {
        self.route.guarded.as_ref()
    }

    /// The resource's id, percent-encoded as it came; `None` where the operation names none.
    pub fn id(&self) -> Option<&'p str> {
        template::split(self.path).nth(self.route.id?)
    }

    /// The resource's owner, percent-encoded as it came; `None` where the request does not show it, and need not. The
    /// error says why nobody can say whose it is.
    ///
    /// INVARIANT: every place that the request has shows this owner, and no other one.
    pub fn owner(&self) -> Result<Option<&'p str>, (Reason, &'static str)> {
        let mut owner = None;
        for shown in self.route.shown(self.path, &self.call) {
            let Some(shown) = shown.map_err(|what| (Reason::AmbiguousRequest, what))? else { continue };
            if *owner.get_or_insert(shown) != shown {
                return Err((Reason::ResourceForeign, "the request names two owners"));
            }
        }
        let Operation { owner: declared, .. } = &self.route.operation;
        if owner.is_none() && !declared.may_be_hidden() && !declared.reads_body() {
            return Err((Reason::ResourceForeign, "the request does not show whose it is"));
        }
        Ok(owner)
    }

    /// Whether the body, where the operation looks there, names `tenant` and nobody else.
    ///
    /// INVARIANT: a body that nobody read, or that has no owner in it, is nobody's.
    pub fn check_body(&self, tenant: &TenantId) -> Result<(), (Reason, &'static str)> {
        self.route.evidence.iter().try_for_each(|evidence| {
            let Evidence::Body(pointer) = evidence else { return Ok(()) };
            match self.call.body {
                Body::Elsewhere => Ok(()),
                Body::Whole(body) => pointer.judge(body, tenant),
                Body::Named(owner) if owner == tenant.as_str() => Ok(()),
                Body::Named(_) => Err((Reason::ResourceForeign, "the body names another owner")),
                Body::Unread => Err((Reason::AmbiguousRequest, "nobody read the body, in which the owner stands")),
            }
        })
    }

    /// The most bytes of the body, which must be read before this is decided on; `None` where nobody looks there.
    pub fn hold(&self) -> Option<usize> {
        let hold = self.route.operation.hold;
        usize::try_from(hold).ok().filter(|hold| *hold > 0)
    }

    /// What the path says for the template parameter `name`, percent-encoded as it came.
    pub fn parameter(&self, name: &str) -> Option<&'p str> {
        template::split(self.path).nth(template::parameter(&self.route.operation.path, name)?)
    }
}
