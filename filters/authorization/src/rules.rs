//! What an operation's attributes ask for, before any policy is heard.

use std::collections::BTreeSet;

use partywall_tenancy::{Attributes, Reason, Residency, Service, Tenant};

use crate::Query;
use crate::operations::Denial;

/// Judges one request for an operation with these attributes, on what is `owner`'s: the query's own tenant, or the one
/// that a grant lets it cross into.
///
/// INVARIANT: what is denied here never reaches a policy, so no policy and no grant can lift it.
#[inline(always)]
pub(crate) fn judge(attributes: &Attributes, query: &Query<'_>, owner: &Tenant) -> Result<(), Denial> {
    if let Some(feature) = &attributes.feature
        && !query.tenant.features.contains(&feature.name)
    {
        let reason = if feature.hidden { Reason::FeatureHidden } else { Reason::FeatureOff };
        return Err((reason, "the feature of the operation is off for the tenant"));
    }
    let served = match &attributes.residency {
        Residency::Anywhere => true,
        Residency::Owners => *owner.residency == *query.region,
        Residency::Only(regions) => regions.iter().any(|region| region == query.region),
    };
    if attributes.residency != Residency::Anywhere && query.region.is_empty() {
        return Err((Reason::Residency, "the dataset is bound to regions, and nobody knows in which one this is"));
    }
    if !served {
        return Err((Reason::Residency, "the dataset may not be served in this region"));
    }
    if let Some(cleared) = &attributes.cleared
        && !query.context.roles.iter().any(|role| cleared.contains(role))
    {
        return Err((Reason::Clearance, "no role of the principal is cleared for the classification"));
    }
    if attributes.needs_consent && !owner.consents.contains(&attributes.purpose) {
        return Err((Reason::Consent, "the owner has not consented to the purpose"));
    }
    Ok(())
}

/// Whether `text` can name a region: 1 to 63 of `a-z 0-9 -`, as the reader of a directory takes it.
pub fn is_region(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(plain)
}

/// The names that attributes ask for: a record of a decision must hold them, as it does those that policies name.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) roles: BTreeSet<Box<str>>,
    pub(crate) features: BTreeSet<Box<str>>,
    pub(crate) consents: BTreeSet<Box<str>>,
}

impl Asked {
    /// What the operations of these services ask for.
    pub(crate) fn of(services: &[Service]) -> Self {
        let mut asked = Self::default();
        for words in services.iter().filter_map(|service| service.routes.as_ref()) {
            let cleared = words.classifications.iter().filter_map(|(_, cleared)| cleared.as_ref());
            asked.roles.extend(cleared.flatten().map(|role| role.as_str().into()));
            let consents = words.datasets.iter().flat_map(|dataset| &dataset.consent);
            asked.consents.extend(consents.map(|consent| consent.as_str().into()));
        }
        for attributes in services.iter().flat_map(|s| &s.operations).map(|o| &o.attributes) {
            asked.roles.extend(attributes.cleared.iter().flatten().map(|role| role.as_str().into()));
            asked.features.extend(attributes.feature.iter().map(|feature| feature.name.as_str().into()));
            if attributes.needs_consent {
                asked.consents.insert(attributes.purpose.as_str().into());
            }
        }
        asked
    }
}
