//! What is to be shown of each kind of request.

use std::str::FromStr;

use cedar_policy::{Policy, PolicyId, PolicySet};
use serde::Serialize;

use super::kind::{Kind, always};
use super::{Side, Task};
use crate::exit::Failure;

/// A claim about a directory's policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Claim {
    /// No resource of another tenant is permitted.
    NoForeign,
    /// No tenant is permitted anything while it is suspended or quarantined.
    NoSuspended,
    /// Nothing is permitted at all: not to be shown, but told where it is so, as the others say little then.
    Nothing,
    /// What is permitted, was permitted by the directory it is compared with.
    NotWider,
    /// What was permitted by the directory it is compared with, is permitted.
    NotNarrower,
}

/// Which policies are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pass {
    /// Those that were written, alone.
    Authored,
    /// With what sidecars hold by themselves, as policies.
    WithInvariants,
}

/// Ids of the policies that stand for what sidecars hold by themselves.
pub(super) const INVARIANTS: [(&str, &str); 2] = [
    ("(sidecar) own tenant", "principal.tenant == resource.tenant"),
    ("(sidecar) active tenant", "principal.tenant.status == \"active\""),
];

/// The id of the policy that keeps the solver to requests as sidecars make them.
pub(super) const REQUESTS: &str = "(requests)";

impl Claim {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoForeign => "no resource of another tenant is permitted",
            Self::NoSuspended => "no suspended or quarantined tenant is permitted anything",
            Self::Nothing => "nothing is permitted",
            Self::NotWider => "nothing is permitted that was not before",
            Self::NotNarrower => "nothing that was permitted is denied now",
        }
    }

    /// Those to show of `task`.
    pub(super) fn of(task: &Task<'_>) -> &'static [Self] {
        match task.old {
            None => &[Self::NoForeign, Self::NoSuspended],
            Some(_) => &[Self::NoForeign, Self::NoSuspended, Self::NotWider, Self::NotNarrower],
        }
    }
}

/// Two policy sets, and the requests about which they are asked: is one permitted by the first, and not by the second?
pub(super) struct Asked<'t> {
    /// The directory whose policies permit it.
    pub(super) side: &'t Side,
    /// Its policies for this kind, with what holds for all requests.
    pub(super) permits: PolicySet,
    /// The policies that should permit it, too; `None` where nothing should.
    pub(super) covers: Option<PolicySet>,
}

/// The sets of a claim about one kind. `None` where no request of this kind is let in, so that nothing can be permitted.
pub(super) fn asked<'t>(
    task: &Task<'t>,
    kind: &Kind,
    pass: Pass,
    claim: Claim,
    further: Option<&str>,
) -> Result<Option<Asked<'t>>, Failure> {
    let (side, other) = match (claim, task.old) {
        (Claim::NotNarrower, Some(old)) => (old, Some(task.new)),
        (Claim::NotWider, Some(old)) => (task.new, Some(old)),
        _ => (task.new, None),
    };
    let Some(offered) = kind.offered(&side.services) else { return Ok(None) };
    let users = side.users.iter().chain(other.iter().flat_map(|other| &other.users));
    let mut requests = vec![offered, kind.said(&side.services), kind.called(&side.services), always(users)];
    requests.extend(match claim {
        Claim::NoForeign => Some("principal.tenant != resource.tenant".to_owned()),
        Claim::NoSuspended => Some("principal.tenant.status != \"active\"".to_owned()),
        Claim::Nothing | Claim::NotWider | Claim::NotNarrower => None,
    });
    requests.extend(further.map(str::to_owned));
    let permits = set(side, kind, pass, &requests.join(" && "))?;
    let covers = match other {
        None => None,
        // Where the other directory has no such operation, its sidecars deny it.
        Some(other) => match kind.offered(&other.services) {
            None => None,
            Some(offered) => Some(set(other, kind, pass, &offered)?),
        },
    };
    Ok(Some(Asked { side, permits, covers }))
}

/// The policies of `side` that can apply to `kind`, about requests of which `requests` holds.
fn set(side: &Side, kind: &Kind, pass: Pass, requests: &str) -> Result<PolicySet, Failure> {
    let mut all: Vec<Policy> = side.policies.iter().filter(|policy| applies(policy, kind)).cloned().collect();
    all.push(forbid_unless(REQUESTS, requests)?);
    if pass == Pass::WithInvariants {
        all.extend(invariants()?);
    }
    PolicySet::from_policies(all).map_err(Failure::invalid)
}

/// What sidecars hold by themselves, as policies.
pub(super) fn invariants() -> Result<Vec<Policy>, Failure> {
    INVARIANTS.iter().map(|(id, condition)| forbid_unless(id, condition)).collect()
}

fn forbid_unless(id: &str, condition: &str) -> Result<Policy, Failure> {
    let text = format!("forbid (principal, action, resource) unless {{ {condition} }};");
    let policy = Policy::from_str(&text)
        .map_err(|e| Failure::invalid(format!("`{text}` is no policy: {e}; this is a defect of `partywall`")))?;
    Ok(policy.new_id(PolicyId::new(id)))
}

fn applies(policy: &Policy, kind: &Kind) -> bool {
    match policy.action_constraint() {
        cedar_policy::ActionConstraint::Any => true,
        cedar_policy::ActionConstraint::Eq(action) => action == *kind.env.action(),
        // The generated schema has no groups of actions.
        cedar_policy::ActionConstraint::In(actions) => actions.contains(kind.env.action()),
    }
}
