//! The host as a selecting source: `{tenant}.shop.example`.

use crate::template;

/// What `authority` names under `template`; `None` when it does not fit, which is no source at all.
/// Port, case and one trailing dot make no difference. Internationalised names come as `xn--` labels
/// (RFC 5890), which are tenant ids of their own: nothing is decoded, so no two spellings meet.
pub(super) fn named(template: &str, authority: &[u8]) -> Option<String> {
    let host = without_port(str::from_utf8(authority).ok()?);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    template::label(template, &host).map(str::to_owned)
}

/// The host in an authority.
pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_makes_no_difference() {
        for host in ["acme.shop.example", "ACME.Shop.Example", "acme.shop.example:8080", "acme.shop.example.:443"] {
            assert_eq!(named("{tenant}.shop.example", host.as_bytes()).as_deref(), Some("acme"), "{host}");
        }
        let idn = "xn--bcher-kva.shop.example";
        assert_eq!(named("{tenant}.shop.example", idn.as_bytes()).as_deref(), Some("xn--bcher-kva"));
    }

    #[test]
    fn other_hosts_are_no_source_and_names_below_are_no_way_around() {
        for host in ["shop.example", "acme.shop.example.evil", "[::1]:80"] {
            assert_eq!(named("{tenant}.shop.example", host.as_bytes()), None, "{host}");
        }
        assert_eq!(named("{tenant}.shop.example", b"a.b.shop.example").as_deref(), Some("a.b"), "no tenant id");
        assert_eq!(named("{tenant}.shop.example", b"acme\xff.shop.example"), None);
    }
}
