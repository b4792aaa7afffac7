//! The age of what a service answers.

use partywall_authorization::retention;
use partywall_tenancy::Retention;

use crate::host;

/// Why the response whose head is here may not be shown, if so.
pub(super) fn outlived(retention: &Retention) -> Option<&'static str> {
    // Envoy's own answers (no upstream, a limit) show no object.
    if host::property(&["response", "code_details"]).is_some_and(|details| details != b"via_upstream") {
        return None;
    }
    let headers = host::response_headers();
    // Neither do errors and redirections; 304 says that the object is as the client has it.
    let shows = |status: &[u8]| status.starts_with(b"2") || status == b"304";
    if !values(&headers, ":status").any(shows) {
        return None;
    }
    let name = retention.header.as_deref().unwrap_or_default();
    retention::judge(retention, values(&headers, name), host::now()).err()
}

fn values<'h>(headers: &'h host::Map, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_slice())
}
