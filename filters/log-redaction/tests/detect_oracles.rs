//! What others say of the same numbers: the crates `luhn` and `iban_validate`, and the parser of addresses in std.

#[path = "labelled/mod.rs"]
mod labelled;

use std::net::{Ipv4Addr, Ipv6Addr};

use labelled::random::Random;
use partywall_log_redaction::detect::{Detectors, Hint, Scratch, Selection};

/// Whether all of `value` is found by the detector, alone in a line.
struct Asked {
    detectors: Detectors,
    scratch: Scratch,
}

impl Asked {
    fn of(name: &str) -> Self {
        let detectors = Detectors::new(&Selection { only: vec![name.to_owned()], ..Selection::default() }).unwrap();
        let scratch = Scratch::new(&detectors);
        Self { detectors, scratch }
    }

    fn found(&mut self, value: &str) -> bool {
        let mut found = Vec::new();
        let text = format!("x {value} y");
        self.detectors.find(&mut self.scratch, text.as_bytes(), Hint::default(), &mut found);
        found.iter().any(|one| one.range == (2..2 + value.len()))
    }
}

#[test]
fn cards_are_those_that_luhn_takes() {
    let mut asked = Asked::of("card");
    let mut random = Random::new(1);
    let mut taken = 0;
    for _ in 0..20_000 {
        let (head, length) =
            random.pick(&[("4", 16), ("51", 16), ("2300", 16), ("37", 15), ("36", 14), ("6011", 16), ("4", 19)]);
        let number = format!("{head}{}", random.digits(length - head.len()));
        let right = luhn::valid(&number);
        taken += usize::from(right);
        assert_eq!(asked.found(&number), right, "{number}");
    }
    assert!(taken > 1500, "{taken}");
}

#[test]
fn accounts_are_those_that_iban_validate_takes() {
    let mut asked = Asked::of("iban");
    let mut random = Random::new(2);
    let mut taken = 0;
    for _ in 0..4_000 {
        let country = random.pick(&[
            "DE", "FR", "ES", "PL", "CH", "SE", "AT", "BE", "DK", "FI", "NO", "CZ", "PT", "IL", "AE", "HR", "EE", "SI",
        ]);
        let length = random.pick(&[15, 16, 18, 20, 21, 22, 23, 24, 25, 27]);
        let body = random.digits(length - 4);
        let head: String = body
            .chars()
            .chain(country.chars())
            .chain("00".chars())
            .map(|c| c.to_digit(36).unwrap().to_string())
            .collect();
        let rest = head.bytes().fold(0_u64, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
        // One in ten with another check.
        let check = if random.below(10) == 0 { random.below(97) } else { 98 - rest };
        let iban = format!("{country}{check:02}{body}");
        // It knows the national form too, so it takes fewer: what it takes, we take.
        let base = iban.parse::<iban::BaseIban>().is_ok() && (2..=98).contains(&check);
        let national = iban.parse::<iban::Iban>().is_ok();
        taken += usize::from(national);
        assert!(!national || asked.found(&iban), "{iban} is not found");
        assert!(base || !asked.found(&iban), "{iban} is found");
    }
    assert!(taken > 100, "{taken}");
}

#[test]
fn addresses_are_those_that_std_takes() {
    let (mut four, mut six) = (Asked::of("ipv4"), Asked::of("ipv6"));
    let mut random = Random::new(3);
    for _ in 0..20_000 {
        let octet = |random: &mut Random| match random.below(4) {
            0 => format!("{:02}", random.below(30)),
            1 => random.below(400).to_string(),
            _ => random.below(256).to_string(),
        };
        let octets: Vec<String> = (0..3 + random.below(3)).map(|_| octet(&mut random)).collect();
        let address = octets.join(".");
        assert_eq!(four.found(&address), address.parse::<Ipv4Addr>().is_ok(), "{address}");
        let groups: Vec<String> = (0..7 + random.below(3))
            .map(|_| {
                let length = 1 + random.below(5) as usize;
                random.hex(length)
            })
            .collect();
        let address = groups.join(":");
        assert_eq!(six.found(&address), address.parse::<Ipv6Addr>().is_ok(), "{address}");
        let address = Ipv6Addr::from(u128::from(random.next()) << 64 | u128::from(random.next()) | 0x2001_u128 << 112)
            .to_string();
        assert!(six.found(&address), "{address}");
    }
}
