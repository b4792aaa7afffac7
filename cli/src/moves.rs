//! Tenants that change cells. Bundles reach sidecars at different times, so that a tenant which went from one cell to
//! another in one step would be served by both for a while: by the one under the old bundle, and by the other under the
//! new.
//!
//! ```text
//! cell: eu-1 ──► cell: { from: eu-1, to: eu-2 } ─── nobody serves by an older bundle any more ──► cell: eu-2
//! ```

use std::path::Path;
use std::time::UNIX_EPOCH;

use partywall_tenancy::{Audience, BundleBody, CLOCK_SKEW, Cell, Tenant, TenantId, Tenants, UnixSeconds};

use crate::exit::Failure;
use crate::{slices, time};

/// An overlay is issued this often, in seconds.
const OVERLAY_EACH: u64 = 15;

/// How long after a bundle was published a sidecar may still serve by the one before it, in seconds. It denies
/// `stale_after` from the issue of its last overlay; and where overlays reach it and bundles do not, `stale_after` from
/// the first overlay that names the newer bundle.
fn settled_after(body: &BundleBody) -> u64 {
    2 * u64::from(body.stale_after) + OVERLAY_EACH + 2 * CLOCK_SKEW
}

/// Whether `after` may follow the bundle `before`, which lies in `folder`: no tenant may change cells at once, and one
/// that moves arrives when no sidecar serves by the bundle before its move. `moved` are those of which somebody saw that.
///
/// # Errors
///
/// The first tenant of which this is not so, and when it will be.
pub(crate) fn check(
    before: &BundleBody,
    after: &BundleBody,
    folder: &Path,
    now: UnixSeconds,
    moved: &[TenantId],
) -> Result<(), Failure> {
    let published = published(before, folder);
    for tenant in after.tenants.iter() {
        let Some(Cell::In(new)) = &tenant.cell else { continue };
        let id = &tenant.id;
        match before.tenants.cell(id) {
            Some(Cell::In(old)) if old != new => {
                return Err(Failure::invalid(format!(
                    "tenant `{id}` is in the cell `{old}` by revision {}, and in `{new}` by this one: while it is on its way, \
                     both would serve it\nhelp: write `cell: {{ from: {old}, to: {new} }}` first (`partywall tenant move {id} \
                     --to {new}`), compile, and go on when it has arrived everywhere",
                    before.revision
                )));
            }
            Some(Cell::Moving { from, .. }) if from != new && !moved.contains(id) => {
                let settled = published.saturating_add(settled_after(before));
                if now < settled {
                    return Err(Failure::invalid(format!(
                        "tenant `{id}` moves from `{from}` to `{new}`, and until {} a sidecar of `{from}` may serve it by a \
                         bundle from before\nhelp: compile again then; or, once `partywall status` shows revision {} in every \
                         Envoy of `{from}`, with `--moved {id}`",
                        time::rfc3339(settled),
                        before.revision
                    )));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The tenants of `old`, each in the cell where `in_force` has it: nobody changes cells by going back. One that is no
/// tenant any more, and comes back, is in none.
pub(crate) fn stay(in_force: &BundleBody, old: &BundleBody) -> Result<Tenants, Failure> {
    let tenants = old.tenants.iter().map(|tenant| {
        let cell = in_force.tenants.cell(&tenant.id).cloned();
        Tenant { cell, ..tenant }
    });
    Tenants::pack(tenants)
        .ok_or_else(|| Failure::invalid("the tenants cannot be packed; this is a defect of `partywall`"))
}

/// When a bundle was there to be fetched: it may have waited for signatures after it was issued.
fn published(body: &BundleBody, folder: &Path) -> UnixSeconds {
    let written = |audience| {
        let modified = std::fs::metadata(slices::path(folder, audience)).ok()?.modified().ok()?;
        modified.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    };
    Audience::ALL.into_iter().filter_map(written).chain([body.issued]).max().unwrap_or(body.issued)
}
