//! `ipaddr`: an address or a network.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The longest text of one: eight groups of four digits and a prefix.
const LONGEST: usize = 43;

/// An address with the length of its prefix. The bits behind the prefix stay as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    address: [u8; 16],
    six: bool,
    prefix: u8,
}

/// Reads an address, or a network in CIDR notation. IPv4 written inside IPv6 is refused.
pub fn ip(text: &str) -> Option<Network> {
    let twice = |c| text.matches(c).nth(1).is_some();
    if text.len() > LONGEST || (twice(':') && twice('.')) {
        return None;
    }
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let (six, bytes) = match address.parse().ok()? {
        IpAddr::V4(four) => {
            let mut bytes = [0; 16];
            for (to, from) in bytes.iter_mut().zip(four.octets()) {
                *to = from;
            }
            (false, bytes)
        }
        IpAddr::V6(six) => (true, six.octets()),
    };
    let most = if six { 128 } else { 32 };
    let prefix = match prefix {
        None => most,
        Some(digits) => {
            let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
            digits.parse().ok().filter(|prefix| plain && *prefix <= most)?
        }
    };
    Some(Network { address: bytes, six, prefix })
}

impl Network {
    /// Whether it is one of IPv6.
    pub fn is_six(self) -> bool {
        self.six
    }

    /// Whether all of it is within `127.0.0.0/8`, or is `::1`.
    pub fn is_loopback(self) -> bool {
        if self.six { self.number() == 1 && self.prefix == 128 } else { self.starts_with(127, 8) }
    }

    /// Whether all of it is within `224.0.0.0/4` or `ff00::/8`.
    pub fn is_multicast(self) -> bool {
        if self.six { self.starts_with(0xff, 8) } else { self.starts_with(0xe0, 4) }
    }

    /// Whether all of it is within `other`.
    pub fn is_in(self, other: Self) -> bool {
        let (first, last) = self.ends();
        let (other_first, other_last) = other.ends();
        self.six == other.six && other_first <= first && last <= other_last
    }

    fn number(self) -> u128 {
        u128::from_be_bytes(self.address)
    }

    /// Whether the first `bits` of its address, at most eight, are those of `byte`, and within its prefix.
    fn starts_with(self, byte: u8, bits: u8) -> bool {
        let [first, ..] = self.address;
        let mask = 0xffu8.checked_shl(8 - u32::from(bits)).unwrap_or(0);
        first & mask == byte & mask && self.prefix >= bits
    }

    /// Its first and its last address. IPv4 lies in the upper bits of the number.
    fn ends(self) -> (u128, u128) {
        let host = u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        (self.number() & !host, self.number() | host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_networks() {
        for text in ["10.0.0.1", "10.0.0.1/0", "10.0.0.0/8", "::1", "ff00::/8", "::/0", "1:2:3:4:5:6:7:8/128"] {
            assert!(ip(text).is_some(), "{text}");
        }
        for text in [
            "",
            "10.0.0",
            "10.0.0.1/33",
            "10.0.0.1/08",
            "10.0.0.1/",
            "10.0.0.1/+8",
            "::ffff:1.2.3.4",
            "01.2.3.4",
            "::1/129",
        ] {
            assert_eq!(ip(text), None, "{text}");
        }
        assert_eq!(ip("10.0.0.1"), ip("10.0.0.1/32"));
        assert_ne!(ip("10.0.0.1/8"), ip("10.0.0.2/8"), "the bits behind the prefix count");
    }

    #[test]
    fn ranges_hold_what_is_in_them() {
        let within = |a, b| ip(a).unwrap().is_in(ip(b).unwrap());
        assert!(within("10.1.2.3", "10.0.0.0/8") && within("10.0.0.0/9", "10.255.0.0/8") && within("::2", "::/0"));
        assert!(
            !within("11.0.0.0", "10.0.0.0/8") && !within("10.0.0.0/7", "10.0.0.0/8") && !within("::1", "0.0.0.0/0")
        );
        assert!(within("0.0.0.0/0", "1.2.3.4/0"));
    }

    #[test]
    fn special_networks_are_known() {
        let of = |text| {
            let network = ip(text).unwrap();
            (network.is_loopback(), network.is_multicast())
        };
        assert_eq!(of("127.0.0.1"), (true, false));
        assert_eq!(of("127.0.0.0/8"), (true, false));
        assert_eq!(of("127.0.0.0/7"), (false, false));
        assert_eq!(of("224.0.0.0/4"), (false, true));
        assert_eq!(of("224.0.0.0/3"), (false, false));
        assert_eq!(of("::1"), (true, false));
        assert_eq!(of("::1/127"), (false, false));
        assert_eq!(of("ff02::1"), (false, true));
        assert_eq!(of("ff00::/7"), (false, false));
    }
}
