//! Shares: what tenants let others read, told by the signed bundle.
//!
//! ```text
//! shares/x.yaml   owner: acme                   to: [globex]                 ─┐   what globex may read of acme's
//! shares/y.yaml   owner: { cohort: franchise }  to: { cohort: franchise }    ─┴─► what each of them may of the others'
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{GrantId, Refusal, TenantId, UnixSeconds};

/// What some tenants let others read of theirs. Cohorts are written out: the bundle names tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its name, by which it is logged.
    pub name: String,
    /// Whose resources may be read; sorted.
    pub owners: Vec<TenantId>,
    /// By whom; sorted. A tenant that is among both reads what the others own.
    pub to: Vec<TenantId>,
    /// By which actions, as `invoices:read`; sorted.
    pub actions: Vec<String>,
    /// At which services, by name; sorted.
    pub services: Vec<String>,
    /// When it ends; `None` where it lasts as long as the bundle has it.
    pub until: Option<UnixSeconds>,
}

impl Share {
    /// The most shares of a mesh: a request that names another tenant asks each of them.
    pub const MOST: usize = 256;

    /// Whether it lets `tenant` do this, at this time; whether the tenants may act is not asked.
    /// O(log n) in how many tenants it names.
    pub fn covers(&self, tenant: &TenantId, crossing: &Crossing<'_>, now: UnixSeconds) -> bool {
        let owner = |id: &TenantId| id.as_str().cmp(crossing.owner);
        crossing.reads
            && self.until.is_none_or(|until| now < until)
            && tenant.as_str() != crossing.owner
            && self.services.iter().any(|service| service == crossing.service)
            && self.actions.iter().any(|action| action == crossing.action)
            && self.to.binary_search(tenant).is_ok()
            && self.owners.binary_search_by(owner).is_ok()
    }

    /// Whether all of them are written as they are read.
    pub(crate) fn check(all: &[Self]) -> Result<(), Refusal> {
        let wrong = |what: &str| Err(Refusal::Inconsistent(what.to_owned()));
        if all.len() > Self::MOST {
            return wrong("it has more than 256 shares");
        }
        if !all.is_sorted_by(|a, b| a.name < b.name) {
            return wrong("shares are not sorted, or one is there twice");
        }
        let good = |share: &Self| {
            let tenants = [&share.owners, &share.to];
            let names = [&share.actions, &share.services];
            tenants.iter().all(|list| !list.is_empty() && list.is_sorted_by(|a, b| a < b))
                && names.iter().all(|list| !list.is_empty() && list.is_sorted_by(|a, b| a < b))
        };
        match all.iter().find(|share| !good(share)) {
            Some(share) => Err(Refusal::Inconsistent(format!("share `{}` has an empty or unsorted list", share.name))),
            None => Ok(()),
        }
    }
}

/// A request that names another tenant than the one of its context.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// The tenant that it names, as it stands there.
    pub owner: &'a str,
    /// What it would do, as `invoices:read`.
    pub action: &'a str,
    /// The service it would do it at, by name.
    pub service: &'a str,
    /// Whether it reads and changes nothing, by its method and by that of its operation.
    pub reads: bool,
}

/// Whether a method reads and changes nothing (RFC 9110, section 9.2.1). What a call of gRPC does nobody knows.
pub fn reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// Leave to cross into another tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// A grant.
    Grant(GrantId),
    /// A share.
    Share {
        /// Its name.
        name: Box<str>,
    },
}

impl Leave {
    /// How logs begin to name a grant in the place of a policy.
    pub const GRANT: &'static str = "grant:";
    /// How logs begin to name a share in the place of a policy.
    pub const SHARE: &'static str = "share:";

    /// Whether it is for reading alone.
    pub fn reads_only(&self) -> bool {
        matches!(self, Self::Share { .. })
    }
}

/// INVARIANT: as logs tell it, so it names no tenant; whose resource it was stands in `owner` of `explain`, as a
/// fingerprint.
impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(id) => write!(f, "{}{id}", Self::GRANT),
            Self::Share { name } => write!(f, "{}{name}", Self::SHARE),
        }
    }
}
