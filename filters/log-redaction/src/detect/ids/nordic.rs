//! Ids of the North and the Baltic.

use super::{Id, Lettered, digit, last, luhn, month_day, part, value, weighted};

pub(super) const IDS: &[Id] = &[
    Id {
        name: "national_id/se_personnummer",
        what: "Personnummer or samordningsnummer: date and Luhn",
        source: "Folkbokföringslagen 1991:481 § 18; Skatteverket SKV 704; python-stdnum se.personnummer",
        words: &["personnummer", "personnr", "pnr", "samordningsnummer", "ssn"],
        free: &["6-4", "8-4"],
        told: &["10", "12"],
        lettered: &[],
        check: |code| {
            let short = code.get(code.len() - 10..).unwrap_or_default();
            let day = part(short, 4, 6);
            let century = code.len() == 10 || matches!(part(code, 0, 2), 18..=20);
            century && month_day(part(short, 2, 4), if day > 60 { day - 60 } else { day }) && luhn(short)
        },
    },
    Id {
        name: "national_id/fi_hetu",
        what: "Henkilötunnus: date, century's sign, check character mod 31",
        source: "Act 661/2009, decree 128/2010; signs of 2023; python-stdnum fi.hetu",
        words: &["hetu", "henkilötunnus", "henkilotunnus"],
        free: &["6-3L", "6-4"],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "999999A999*", told: false }],
        check: |code| {
            let tail = code.len().saturating_sub(4);
            let number = part(code, 0, 6) * 1000 + part(code, tail, tail + 3);
            let right = b"0123456789ABCDEFHJKLMNPRSTUVWXY".get((number % 31) as usize);
            month_day(part(code, 2, 4), part(code, 0, 2)) && right == code.last()
        },
    },
    Id {
        name: "national_id/dk_cpr",
        what: "CPR number: date; the check digit is not given any more",
        source: "CPR-loven; CPR-kontoret on modulus 11; python-stdnum dk.cpr",
        words: &["cpr", "cprnr", "cprnummer", "personnummer"],
        free: &[],
        told: &["6-4", "10", "6 4"],
        lettered: &[],
        check: |code| month_day(part(code, 2, 4), part(code, 0, 2)),
    },
    Id {
        name: "national_id/no_fodselsnummer",
        what: "Fødselsnummer or D-nummer: date and two check digits mod 11",
        source: "Folkeregisterforskriften § 2-2-1; python-stdnum no.fodselsnummer",
        words: &["fodselsnummer", "fødselsnummer", "personnummer", "fnr"],
        free: &["11", "6 5"],
        told: &["6-5"],
        lettered: &[],
        check: |code| {
            let day = part(code, 0, 2);
            let month = part(code, 2, 4);
            let first = weighted(code, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11;
            let second = weighted(code, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11;
            month_day(month % 40, if day > 40 { day - 40 } else { day }) && first == 0 && second == 0
        },
    },
    Id {
        name: "national_id/is_kennitala",
        what: "Kennitala: date, check digit mod 11, century",
        source: "Þjóðskrá, lög 140/2019; python-stdnum is_.kennitala",
        words: &["kennitala", "kt"],
        free: &[],
        told: &["10", "6-4"],
        lettered: &[],
        check: |code| {
            let day = part(code, 0, 2);
            let right = (11 - weighted(code, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
            month_day(part(code, 2, 4), if day > 40 { day - 40 } else { day })
                && matches!(code.last(), Some(b'0' | b'8' | b'9'))
                && code.get(8).map(|byte| digit(*byte)) == Some(right)
        },
    },
    Id {
        name: "national_id/ee_isikukood",
        what: "Isikukood, and Lithuania's asmens kodas: date and check digit in two steps",
        source: "EVS 585:2007; Lithuanian Law on the Population Register; python-stdnum ee.ik, lt.asmens",
        words: &["isikukood", "asmens", "kodas"],
        free: &[],
        told: &["11"],
        lettered: &[],
        check: |code| {
            let first = weighted(code, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
            let second = weighted(code, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
            let right = if first < 10 { first } else { second % 10 };
            month_day(part(code, 3, 5), part(code, 5, 7)) && value(code) > 0 && right == last(code)
        },
    },
];
