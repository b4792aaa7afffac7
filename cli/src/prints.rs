//! From fingerprints back to names, for those who hold the key: by making the fingerprint of every name that is known.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use partywall_tenancy::{FingerprintKeys, Secrets, TenantId};

use crate::exit::Failure;
use crate::files;
use crate::material::Material;

/// The variable of a sidecar's environment file that holds the keys.
const VARIABLE: &str = "PARTYWALL_FINGERPRINT";
/// No file with keys is longer.
const MAX_SIZE: u64 = 64 << 10;

/// Reads the fingerprint keys, current and former: `id:key` lines, or an environment file of a workload. Without a
/// file, from the environment of this process.
pub(crate) fn keys(file: Option<&Path>) -> Result<Vec<FingerprintKeys>, Failure> {
    let (text, place) = match file {
        Some(path) => {
            (files::read_text(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?, format!("`{}`", path.display()))
        }
        None => {
            let text = std::env::var(VARIABLE).map_err(|_| {
                Failure::usage(format!(
                    "the log names tenants by fingerprints; give --fingerprint-key FILE (a workload's .env file, or \
                     `id:key`), or set {VARIABLE}"
                ))
            })?;
            (text, VARIABLE.to_owned())
        }
    };
    let in_file = text.lines().find_map(|line| line.trim().strip_prefix(VARIABLE)?.strip_prefix('='));
    let list = in_file.map_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(","), str::to_owned);
    let secrets = Secrets::parse(&list).map_err(|e| Failure::invalid(format!("{place} {e}")))?;
    Ok(secrets.all().map(FingerprintKeys::with).collect())
}

/// Every name that is known, by its fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Prints {
    tenants: HashMap<String, TenantId>,
    /// Principals that policies name, by tenant and subject.
    principals: HashMap<String, (TenantId, String)>,
    /// Resources that policies or paths name, by type and id.
    resources: HashMap<String, (String, String)>,
}

impl Prints {
    /// Fingerprints all tenants of `materials`, and all users and resources that these name.
    pub(crate) fn of(keys: &[FingerprintKeys], materials: &[&Material]) -> Self {
        let mut prints = Self::default();
        for (material, key) in materials.iter().flat_map(|m| keys.iter().map(move |key| (m, key))) {
            for tenant in &material.tenants {
                prints.tenants.insert(key.of(&tenant.id), tenant.id.clone());
            }
            for (kind, id) in material.entities() {
                if kind == "User" {
                    let Some((tenant, subject)) = id.split_once('/') else { continue };
                    let Ok(tenant) = TenantId::parse(tenant) else { continue };
                    prints.principals.insert(key.of_principal(&tenant, subject), (tenant, subject.to_owned()));
                } else {
                    prints.resource(key, kind, id);
                }
            }
        }
        // A path that is written out in one program may be a parameter of the other.
        let operations = || materials.iter().flat_map(|m| &m.body.services).flat_map(|service| &service.operations);
        let literals: BTreeSet<&str> =
            operations().flat_map(|o| o.path.split('/')).filter(|s| !s.is_empty() && !s.starts_with('{')).collect();
        let kinds: BTreeSet<&str> = operations().map(|o| o.resource.as_str()).collect();
        for key in keys {
            kinds.iter().for_each(|kind| literals.iter().for_each(|id| prints.resource(key, kind, id)));
        }
        prints
    }

    fn resource(&mut self, key: &FingerprintKeys, kind: &str, id: &str) {
        self.resources.insert(key.of_resource(kind, id.as_bytes()), (kind.to_owned(), id.to_owned()));
    }

    /// The tenant with this fingerprint.
    pub(crate) fn tenant(&self, print: &str) -> Option<&TenantId> {
        self.tenants.get(print)
    }

    /// The subject of the principal with this fingerprint, if a policy names it.
    pub(crate) fn principal(&self, print: &str) -> Option<(&TenantId, &str)> {
        self.principals.get(print).map(|(tenant, subject)| (tenant, subject.as_str()))
    }

    /// The id of the resource with this fingerprint, if a policy or a path names it.
    pub(crate) fn resource_id(&self, print: &str) -> Option<(&str, &str)> {
        self.resources.get(print).map(|(kind, id)| (kind.as_str(), id.as_str()))
    }
}
