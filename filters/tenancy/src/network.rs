//! Networks: ranges of addresses under a name, and which of them hold the address of a client.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::{fmt, str};

use serde::{Deserialize, Serialize};

use crate::{NameSet, Refusal};

/// Ranges under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name, as `office`.
    pub name: String,
    /// Its ranges. They may overlap, within one network and between two.
    pub ranges: Vec<Range>,
}

/// The addresses whose first bits are these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    address: IpAddr,
    bits: u8,
}

/// What is wrong with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// It is no address, or no number follows it where there is a `/`.
    Shape,
    /// More bits than such an address has.
    TooManyBits,
    /// The address has bits behind those that count; this is the range that was probably meant.
    HostBits(Range),
    /// IPv6 that stands for IPv4: clients of such addresses are looked for among the ranges of IPv4; and this is the
    /// same range there, where there is one.
    Mapped(Option<Range>),
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "is no range of addresses",
            Self::TooManyBits => "says more bits than an address of its kind has",
            Self::HostBits(_) => "has bits of an address behind those of the range",
            Self::Mapped(_) => "is IPv4 written as IPv6",
        })
    }
}

impl std::error::Error for RangeError {}

impl Range {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
    ///
    /// # Errors
    ///
    /// What is wrong with it: nothing is repaired.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| RangeError::Shape)?;
        let most = most_bits(address);
        let bits = match bits {
            Some(bits) => {
                let plain = bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
                let bits: u32 = Some(bits).filter(|_| plain).and_then(|b| b.parse().ok()).ok_or(RangeError::Shape)?;
                u8::try_from(bits).ok().filter(|bits| *bits <= most).ok_or(RangeError::TooManyBits)?
            }
            None => most,
        };
        let range = Self { address: network(address, bits), bits };
        if let IpAddr::V6(v6) = address
            && v6.to_ipv4_mapped().is_some()
        {
            let of_ipv4 =
                bits.checked_sub(96).map(|bits| Self { address: network(address.to_canonical(), bits), bits });
            return Err(RangeError::Mapped(of_ipv4));
        }
        if range.address == address { Ok(range) } else { Err(RangeError::HostBits(range)) }
    }

    /// Whether it holds `address`. An IPv6 address that stands for IPv4 is that one, and no range of IPv6 holds it.
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        network(address, self.bits) == self.address
    }

    /// Whether it is one that [`Range::parse`] could give.
    fn is_good(&self) -> bool {
        self.bits <= most_bits(self.address)
            && network(self.address, self.bits) == self.address
            && self.address.to_canonical() == self.address
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// The most networks of a mesh: all of them may hold one address.
    pub const MOST: usize = NameSet::MOST;
    /// The most ranges of all networks together: each request at the edge is looked for in all of them.
    pub const MOST_RANGES: usize = 1024;
    /// The most bytes of all names together: a root context, which is bounded, may have to hold all of them.
    pub const MOST_NAMES: usize = 1024;

    /// The names of those that hold the client's address, as Envoy tells it: `10.1.2.3:4567` or `[2001:db8::1]:4567`.
    /// Nobody's where it is none, as that of a Unix socket.
    pub fn holding(networks: &[Self], address: &[u8]) -> NameSet {
        match address_of(address) {
            Some(address) => Self::holding_address(networks, address),
            None => NameSet::default(),
        }
    }

    /// The names of those that hold this address.
    pub fn holding_address(networks: &[Self], address: IpAddr) -> NameSet {
        let holds = |network: &&Self| network.ranges.iter().any(|range| range.holds(address));
        NameSet::new(networks.iter().filter(holds).map(|network| &network.name)).unwrap_or_default()
    }

    /// Refuses networks of a bundle that nobody compiled.
    pub(crate) fn check(networks: &[Self]) -> Result<(), Refusal> {
        let refused = |what: &str| Err(Refusal::Inconsistent(what.to_owned()));
        let names = networks.iter().map(|network| network.name.len()).sum::<usize>();
        let ranges = networks.iter().map(|network| network.ranges.len()).sum::<usize>();
        if networks.len() > Self::MOST || ranges > Self::MOST_RANGES || names > Self::MOST_NAMES {
            return refused("too many networks or ranges, or names that are too long");
        }
        if !networks.is_sorted_by(|a, b| a.name < b.name) {
            return refused("networks are not sorted, or one is there twice");
        }
        if !networks.iter().flat_map(|network| &network.ranges).all(Range::is_good) {
            return refused("a range of a network is none");
        }
        Ok(())
    }
}

/// The address in `10.1.2.3:4567`, `[2001:db8::1]:4567`, or alone.
fn address_of(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    text.parse::<SocketAddr>().map(|with_port| with_port.ip()).or_else(|_| text.parse::<IpAddr>()).ok()
}

fn most_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with its first `bits` alone.
fn network(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::from((u32::from(v4) & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, ranges: &[&str]) -> Network {
        Network { name: name.into(), ranges: ranges.iter().map(|text| Range::parse(text).unwrap()).collect() }
    }

    #[test]
    fn a_range_ends_where_its_bits_do() {
        for (range, first, last, before, behind) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("10.1.2.0/23", "10.1.2.0", "10.1.3.255", "10.1.1.255", "10.1.4.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::", "ffff::"),
            ("128.0.0.0/1", "128.0.0.0", "255.255.255.255", "127.255.255.255", "::"),
            ("2001:db8::/32", "2001:db8::", "2001:db8:ffff::1", "2001:db7:ffff::", "2001:db9::"),
            ("2001:db8::/33", "2001:db8::", "2001:db8:7fff::1", "2001:db7:ffff::", "2001:db8:8000::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::1", "2001:db8::", "2001:db8::2"),
            ("::/0", "::", "ffff::", "0.0.0.0", "::ffff:10.0.0.1"),
        ] {
            let found = Range::parse(range).unwrap();
            for (address, held) in [(first, true), (last, true), (before, false), (behind, false)] {
                assert_eq!(found.holds(address.parse().unwrap()), held, "{address} in {range}");
            }
        }
    }

    #[test]
    fn ipv4_is_the_same_however_it_is_written() {
        let office = [network("office", &["10.0.0.0/8"]), network("v6", &["::/0"])];
        for address in ["10.1.2.3", "10.1.2.3:443", "::ffff:10.1.2.3", "[::ffff:10.1.2.3]:443", "[::ffff:a01:203]:1"] {
            let names = Network::holding(&office, address.as_bytes());
            assert_eq!(names.iter().collect::<Vec<_>>(), ["office"], "{address}");
        }
        let names = Network::holding(&office, b"[2001:db8::1]:443");
        assert_eq!(names.iter().collect::<Vec<_>>(), ["v6"]);
    }

    #[test]
    fn all_networks_that_hold_an_address_are_named_in_order() {
        let all = [
            network("all", &["0.0.0.0/0", "::/0"]),
            network("other", &["10.2.0.0/16"]),
            network("vpn", &["192.0.2.0/24", "10.1.0.0/16", "10.1.2.0/24"]),
        ];
        let names = Network::holding(&all, b"10.1.2.3:9");
        assert_eq!(names.iter().collect::<Vec<_>>(), ["all", "vpn"]);
    }

    #[test]
    fn what_is_no_address_is_in_no_network() {
        let all = [network("all", &["0.0.0.0/0", "::/0"])];
        for text in [
            "",
            "-",
            "/run/app.sock",
            "@app",
            "10.1.2",
            "10.1.2.3:",
            "10.1.2.3:99999",
            "010.1.2.3",
            "10.1.2.3 ",
            "10.1.2.3,10.1.2.4",
            "[10.1.2.3]:5",
            "2001:db8::1]:5",
            "envoy://listener/",
            "localhost:80",
        ] {
            assert!(Network::holding(&all, text.as_bytes()).is_empty(), "{text}");
        }
        assert!(Network::holding(&all, b"10.1.2.\xff").is_empty());
        assert!(!Network::holding(&all, b"10.1.2.3:5").is_empty());
    }

    #[test]
    fn what_is_no_range_says_why() {
        let range = |text| Range::parse(text).unwrap();
        for (text, why) in [
            ("", RangeError::Shape),
            ("office", RangeError::Shape),
            ("10.0.0.0/", RangeError::Shape),
            ("10.0.0.0/+8", RangeError::Shape),
            ("10.0.0.0/08", RangeError::Shape),
            ("10.0.0.0/8/8", RangeError::Shape),
            ("10.0.0.0 /8", RangeError::Shape),
            ("10.0.0/8", RangeError::Shape),
            ("10.0.0.0/33", RangeError::TooManyBits),
            ("10.0.0.0/264", RangeError::TooManyBits),
            ("::/129", RangeError::TooManyBits),
            ("10.0.0.1/8", RangeError::HostBits(range("10.0.0.0/8"))),
            ("2001:db8::1/32", RangeError::HostBits(range("2001:db8::/32"))),
            ("::ffff:10.0.0.0/104", RangeError::Mapped(Some(range("10.0.0.0/8")))),
            ("::ffff:10.0.0.1", RangeError::Mapped(Some(range("10.0.0.1")))),
            ("::ffff:0.0.0.0/90", RangeError::Mapped(None)),
        ] {
            assert_eq!(Range::parse(text), Err(why), "{text}");
        }
        assert_eq!(range("10.1.2.3").to_string(), "10.1.2.3/32");
    }

    #[test]
    fn networks_that_nobody_compiled_are_refused() {
        let good = [network("a", &["10.0.0.0/8"]), network("b", &[])];
        Network::check(&good).unwrap();
        let [a, b] = good;
        let with = |range| Network { ranges: vec![range], ..a.clone() };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for bad in [
            vec![b.clone(), a.clone()],
            vec![a.clone(), a.clone()],
            vec![with(Range { address: ip("10.0.0.1"), bits: 8 })],
            vec![with(Range { address: ip("10.0.0.0"), bits: 33 })],
            vec![with(Range { address: ip("::ffff:10.0.0.0"), bits: 104 })],
            vec![Network { ranges: vec![Range::parse("::1").unwrap(); 1025], ..a.clone() }],
            (10..75).map(|n| Network { name: n.to_string(), ..b.clone() }).collect(),
            (10..30).map(|n| Network { name: format!("{n}{}", "x".repeat(50)), ..b.clone() }).collect(),
        ] {
            assert!(Network::check(&bad).is_err(), "{bad:?}");
        }
    }
}
