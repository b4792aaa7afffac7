//! The host as a selecting source: `{tenant}.shop.example`.

use partywall_tenancy::{Reason, TenantId};

use crate::Rejection;

/// The tenant that `authority` names under one of `templates`; `None` when no template fits,
/// which is no source at all. Port, case and one trailing dot make no difference.
pub(crate) fn tenant(authority: &[u8], templates: &[String]) -> Result<Option<TenantId>, Rejection> {
    let Ok(authority) = str::from_utf8(authority) else { return Ok(None) };
    let host = without_port(authority);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    for template in templates {
        let Some((before, after)) = template.split_once("{tenant}") else { continue };
        let Some(label) = host.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else { continue };
        // INVARIANT: a name in the tenants' own space that names no tenant is refused, not passed over:
        // else a selecting source could be avoided by spelling.
        return TenantId::parse(label)
            .map(Some)
            .map_err(|e| Rejection::new(Reason::TenantInvalid, format!("the tenant in the host {e}")));
    }
    Ok(None)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(authority: &str) -> Result<Option<String>, Reason> {
        tenant(authority.as_bytes(), &["{tenant}.shop.example".into(), "shop-{tenant}.example".into()])
            .map(|t| t.map(|t| t.to_string()))
            .map_err(|r| r.reason)
    }

    #[test]
    fn spelling_makes_no_difference() {
        for host in [
            "acme.shop.example",
            "ACME.Shop.Example",
            "acme.shop.example:8080",
            "acme.shop.example.:443",
            "shop-acme.example",
        ] {
            assert_eq!(named(host), Ok(Some("acme".into())), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_no_source() {
        for host in ["shop.example", "acme.shop.example.evil", "orders", "[::1]:80"] {
            assert_eq!(named(host), Ok(None), "{host}");
        }
    }

    #[test]
    fn a_label_that_is_no_tenant_is_refused() {
        for host in
            ["platform.shop.example", "-a.shop.example", "a_b.shop.example", "a.b.shop.example", ".shop.example"]
        {
            assert_eq!(named(host), Err(Reason::TenantInvalid), "{host}");
        }
    }
}
