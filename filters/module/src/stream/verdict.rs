//! From a `response_guard` in a VM of its own back to the filter that let the request in, by filter state.
//!
//! ```text
//! sidecar: decides, writes the line, links it ──► guard: refuses ──verdict──► sidecar: at the end, writes it into the line,
//!                                                                             and links that anew
//! ```

use partywall_tenancy::Reason;

use crate::host;

const PROPERTY: &str = "partywall.verdict";
/// No detail of ours is longer, in bytes.
const LONGEST: usize = 512;

/// Leaves word of why a request or its response was denied here.
///
/// INVARIANT: the fields of a line are written by one VM alone: another one has no key to link them.
pub(super) fn leave(reason: Reason, detail: &str) {
    host::set_property(PROPERTY, format!("{} {detail}", reason.code()).as_bytes());
}

/// What a guard said of this request, if any did. As with all filter state, only filters of this process write it.
pub(super) fn take() -> Option<(Reason, String)> {
    let said = host::property(&[PROPERTY]).filter(|said| said.len() <= LONGEST)?;
    let (reason, detail) = str::from_utf8(&said).ok()?.split_once(' ')?;
    Some((Reason::from_code(reason)?, detail.to_owned()))
}
