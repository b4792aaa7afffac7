//! What is left of a value that tells little of whose it is.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What is left of `value`, as the detector called so found it: the last four digits of a card, the network of an address,
/// the domain of a mail address, the country of a phone number. `None` where nothing is known to be left.
pub(crate) fn partial(detector: &str, value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    match detector {
        "card" => {
            let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
            // PCI DSS 3.4.1: no more than the issuer's and the last four; we leave the last four.
            let plain = value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.'));
            let last = digits.last_chunk::<4>().filter(|_| plain && digits.len() >= 12)?;
            Some([b"****", &last[..]].concat())
        }
        "ipv4" => {
            let [a, b, c, _] = text.parse::<Ipv4Addr>().ok()?.octets();
            Some(format!("{a}.{b}.{c}.0/24").into_bytes())
        }
        "ipv6" => {
            let [a, b, c, ..] = text.parse::<Ipv6Addr>().ok()?.segments();
            Some(format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)).into_bytes())
        }
        "email" => {
            let (_, domain) = text.rsplit_once('@')?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            (!domain.is_empty() && domain.bytes().all(plain)).then(|| format!("***@{domain}").into_bytes())
        }
        "phone" => {
            let digits: String = text.strip_prefix('+')?.chars().filter(char::is_ascii_digit).collect();
            Some(format!("+{}***", digits.get(..country(&digits))?).into_bytes())
        }
        _ => None,
    }
}

/// Whether what was found, which ends before `rest`, is what [`partial`] left.
pub(super) fn is_left(detector: &str, value: &[u8], rest: &[u8]) -> bool {
    match detector {
        "ipv4" => value.ends_with(b".0/24") || value.ends_with(b".0") && rest.starts_with(b"/24"),
        "ipv6" => value.ends_with(b"::/48") || value.ends_with(b"::") && rest.starts_with(b"/48"),
        "email" => value.starts_with(b"***@"),
        _ => false,
    }
}

/// How many digits a country's code has that a number begins with (ITU-T E.164, list of assigned codes).
fn country(digits: &str) -> usize {
    let two: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if digits.get(..2).is_some_and(|head| two.contains(&head)) => 2,
        _ => 3,
    }
}
