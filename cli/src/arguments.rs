//! Values on the command line that several verbs take.

use partywall_tenancy::TenantId;

/// A tenant's id.
pub(crate) fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|why| format!("a tenant id {why}"))
}
