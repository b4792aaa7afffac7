//! A directory, as far as proofs speak of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cedar_policy::Policy;
use cedar_policy_core::ast;
use partywall_tenancy::{GrantCeilings, Service, Share, SpiffeId, Tenant, TenantScope};

use super::dereference;
use crate::diagnostic::{Diagnostic, Severity};
use crate::directory;
use crate::exit::Failure;
use crate::lower::{Valid, Vocabulary, named, valid};
use crate::modes::in_shadow;
use crate::{clusters, shares};

/// One directory.
pub(crate) struct Side {
    /// Where it lies, as on the command line.
    pub(crate) path: PathBuf,
    /// Its tenants.
    pub(crate) tenants: Vec<Tenant>,
    /// Its services.
    pub(crate) services: Vec<Service>,
    /// Its policies as they count: confined to a tenant where `@tenant` says so.
    pub(crate) policies: Vec<Policy>,
    /// What it declares that crosses the wall, each in words: a proof is under these assumptions.
    pub(crate) assumed: Vec<String>,
    /// The shares among it.
    pub(super) shares: Vec<Share>,
    /// What is in shadow, in words: there policies deny nothing, whatever is proved of them.
    pub(crate) in_shadow: Vec<String>,
    /// The names of its networks.
    pub(crate) networks: Vec<String>,
    /// The workloads that clusters of Kafka know as clients, by their SPIFFE IDs. Others may be clients, too.
    pub(super) clients: Vec<String>,
    /// Users that policies name, each with its tenant.
    pub(super) users: BTreeMap<String, String>,
}

impl Side {
    /// Reads `path`, which must be without a mistake.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let reading = directory::read(path, None);
        let mistakes: Vec<Diagnostic> =
            reading.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect();
        let Some(directory) = reading.directory() else { return Err(Failure::diagnostics(&mistakes)) };
        let vocabulary = Vocabulary {
            tenants: directory.tenants,
            services: directory.services,
            networks: Some(&directory.mesh.networks),
            clusters: directory.events,
        };
        let Valid { parsed, translated, .. } =
            valid(&vocabulary, directory.policies).map_err(|e| Failure::diagnostics(&e))?;
        let unknowable: Vec<Diagnostic> = parsed.iter().flat_map(dereference::of_named).collect();
        if !unknowable.is_empty() {
            return Err(Failure::diagnostics(&unknowable));
        }
        let users = parsed.iter().flat_map(|policy| users(policy.tree())).collect();
        Ok(Self {
            path: path.to_owned(),
            tenants: directory.tenants.to_vec(),
            services: directory.services.to_vec(),
            policies: translated.policies,
            assumed: {
                let shared = directory.shares.iter().map(shares::words);
                let clusters = directory.events.iter().flat_map(|cluster| clusters::across(cluster, directory.tenants));
                directory.mesh.grants.iter().map(granted).chain(shared).chain(clusters).collect()
            },
            shares: directory.shares.to_vec(),
            in_shadow: in_shadow(directory.modes),
            networks: directory.mesh.networks.iter().map(|network| network.name.clone()).collect(),
            clients: clusters::workloads(directory.events).map(SpiffeId::to_string).collect(),
            users,
        })
    }
}

/// What live grants may do.
fn granted(ceilings: &GrantCeilings) -> String {
    let GrantCeilings { longest, actions, tenants, at_once } = ceilings;
    let tenants = match tenants {
        TenantScope::All => "every tenant".to_owned(),
        TenantScope::Only(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let actions = actions.join(", ");
    format!("live grants, at most {at_once} at once and {longest} s long: an operator does {actions} for {tenants}")
}

/// The users that a policy names: id and tenant.
fn users(policy: &ast::Policy) -> impl Iterator<Item = (String, String)> {
    named(policy).into_iter().filter(|uid| uid.entity_type().to_string() == "User").filter_map(|uid| {
        let id: &str = uid.eid().as_ref();
        id.split_once('/').map(|(tenant, _)| (id.to_owned(), tenant.to_owned()))
    })
}
