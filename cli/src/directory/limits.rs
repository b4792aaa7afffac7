//! How much tenants may use: `limits` of their records and of the profiles of their tiers.

use crate::directory::profile::Profile;
use crate::directory::settings::Limit;
use crate::directory::tenant::TenantFile;

/// The limits of a directory. A record's `limits` replace those of its profile whole, as every setting does.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// Each tenant with its tier, sorted.
    tenants: Vec<(String, String)>,
    /// Tenant, tier and limits of each record that has some, sorted by tenant.
    records: Vec<(String, String, Vec<Limit>)>,
    /// Tier and limits of each profile that has some, sorted.
    profiles: Vec<(String, Vec<Limit>)>,
}

impl Limits {
    /// Those of these files.
    pub(super) fn of(tenants: &[TenantFile<'_>], profiles: &[Profile<'_>]) -> Self {
        let record = |file: &TenantFile<'_>| {
            let (tenant, limits) = (file.tenant.as_ref()?, file.limits.clone()?);
            Some((tenant.id.to_string(), tenant.tier.to_string(), limits))
        };
        let mut records: Vec<_> = tenants.iter().filter_map(record).collect();
        records.sort();
        let profile =
            |(tier, settings): &Profile<'_>| Some((tier.value.clone(), settings.limits.as_ref()?.value.clone()));
        let mut profiles: Vec<_> = profiles.iter().filter_map(profile).collect();
        profiles.sort();
        let known = tenants.iter().filter_map(|file| file.tenant.as_ref());
        let mut tenants: Vec<_> = known.map(|tenant| (tenant.id.to_string(), tenant.tier.to_string())).collect();
        tenants.sort();
        Self { tenants, records, profiles }
    }

    /// How many tenants there are.
    pub(crate) fn tenants(&self) -> usize {
        self.tenants.len()
    }

    /// Each tenant for which a limit of this name holds: its record's, else that of its tier.
    pub(crate) fn of_each(&self, name: &str) -> Vec<(&str, u64)> {
        let of = |(tenant, tier): &'_ (String, String)| {
            let own = self.records.binary_search_by(|(known, ..)| known.cmp(tenant)).ok();
            let inherited = || self.profiles.iter().find(|(known, _)| known == tier).map(|(_, limits)| limits);
            let limits = own.and_then(|at| self.records.get(at)).map(|(.., limits)| limits).or_else(inherited);
            bound(limits?, name)
        };
        self.tenants.iter().filter_map(|each| Some((&*each.0, of(each)?))).collect()
    }

    /// Tenants with a limit of this name of their own, each with its tier. A record that has limits and not this one has
    /// none, whatever its profile says: `None`.
    pub(crate) fn of_tenants(&self, name: &str) -> Vec<(&str, &str, Option<u64>)> {
        self.records.iter().map(|(tenant, tier, limits)| (&**tenant, &**tier, bound(limits, name))).collect()
    }

    /// Tiers with a limit of this name.
    pub(crate) fn of_tiers(&self, name: &str) -> Vec<(&str, u64)> {
        self.profiles.iter().filter_map(|(tier, limits)| Some((&**tier, bound(limits, name)?))).collect()
    }
}

fn bound(limits: &[Limit], name: &str) -> Option<u64> {
    limits.iter().find(|(known, _)| *known == name).map(|(_, bound)| *bound)
}
