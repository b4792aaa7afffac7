//! Values on the command line that several verbs take.

use partywall_tenancy::{SpiffeId, TenantId, UnixSeconds};

use crate::time::parse_rfc3339;

/// A tenant's id.
pub(crate) fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|why| format!("a tenant id {why}"))
}

/// The SPIFFE ID of a workload.
pub(crate) fn spiffe_id(text: &str) -> Result<SpiffeId, String> {
    let help = || "a workload is named by its SPIFFE ID, as spiffe://mesh.example/ns/shop/sa/invoices".to_owned();
    SpiffeId::parse(text).map_err(|_| help())
}

/// A time in UTC.
pub(crate) fn time(text: &str) -> Result<UnixSeconds, String> {
    parse_rfc3339(text).ok_or_else(|| "a time is written in UTC, as 2026-12-24T18:00:00Z".to_owned())
}
