//! Ids of Europe but for the North.

use super::{Id, Lettered, digit, flat, last, luhn, mod_11_10, month_day, part, value, weighted};

pub(super) const IDS: &[Id] = &[
    Id {
        name: "national_id/uk_nino",
        what: "National Insurance number: prefixes that are given out",
        source: "HMRC, NIM39110",
        words: &["nino", "insurance"],
        free: &[],
        told: &[],
        lettered: &[Lettered { pattern: "[a-z](?: ?[0-9]{2}){3} ?[a-d]", written: "AA999999A", told: false }],
        check: nino,
    },
    Id {
        name: "national_id/uk_nhs",
        what: "NHS number: check digit mod 11",
        source: "NHS Data Dictionary, NHS NUMBER; python-stdnum gb.nhs",
        words: &["nhs", "nhsnumber", "patient"],
        free: &[],
        told: &["10", "3 3 4", "3-3-4"],
        lettered: &[],
        check: |code| {
            let right = (11 - weighted(code, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
            right == last(code) && !flat(code)
        },
    },
    Id {
        name: "national_id/pl_pesel",
        what: "PESEL: date with the century in the month, check digit",
        source: "Act on population registration of 24 September 2010; python-stdnum pl.pesel",
        words: &["pesel"],
        free: &[],
        told: &["11"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
            month_day(part(code, 2, 4) % 20, part(code, 4, 6)) && (10 - sum % 10) % 10 == last(code)
        },
    },
    Id {
        name: "national_id/pl_nip",
        what: "NIP: check digit mod 11",
        source: "Act on registration of taxpayers of 13 October 1995; python-stdnum pl.nip",
        words: &["nip"],
        free: &["3-3-2-2", "3-2-2-3"],
        told: &["10"],
        lettered: &[],
        check: |code| weighted(code, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == last(code) && !flat(code),
    },
    Id {
        name: "national_id/es_dni",
        what: "DNI: check letter mod 23",
        source: "Real Decreto 1553/2005; python-stdnum es.dni",
        words: &["dni", "nif"],
        free: &["8L", "8-L", "2.3.3-L", "2.3.3L"],
        told: &[],
        lettered: &[],
        check: |code| code.len() == 9 && dni_letter(value(code.get(..8).unwrap_or_default())) == code.last().copied(),
    },
    Id {
        name: "national_id/es_nie",
        what: "NIE: X, Y or Z, and check letter mod 23",
        source: "Real Decreto 557/2011; python-stdnum es.nie",
        words: &["nie"],
        free: &[],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "A9999999A", told: false }],
        check: |code| {
            let Some(first @ b'X'..=b'Z') = code.first() else { return false };
            dni_letter(u64::from(first - b'X') * 10_000_000 + part(code, 1, 8)) == code.last().copied()
        },
    },
    Id {
        name: "national_id/it_codice_fiscale",
        what: "Codice fiscale: month's letter, day, check letter; letters for digits where two persons had one",
        source: "Decreto del Ministero delle Finanze 23/12/1976; python-stdnum it.codicefiscale",
        words: &["codicefiscale", "fiscale"],
        free: &[],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "AAAAAA**A**A***A", told: false }],
        check: codice_fiscale,
    },
    Id {
        name: "national_id/nl_bsn",
        what: "Burgerservicenummer: the test of eleven",
        source: "Wet algemene bepalingen burgerservicenummer; Logisch Ontwerp BSN; python-stdnum nl.bsn",
        words: &["bsn", "burgerservicenummer", "sofi", "sofinummer"],
        free: &[],
        told: &["9", "4.2.3", "3 3 3", "4 2 3"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[9, 8, 7, 6, 5, 4, 3, 2]);
            !flat(code) && sum % 11 == last(code)
        },
    },
    Id {
        name: "national_id/pt_nif",
        what: "NIF: check digit mod 11",
        source: "Decreto-Lei 14/2013; python-stdnum pt.nif",
        words: &["nif", "contribuinte"],
        free: &[],
        told: &["9", "3 3 3"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[9, 8, 7, 6, 5, 4, 3, 2]);
            let right = match 11 - sum % 11 {
                10 | 11 => 0,
                other => other,
            };
            code.first() != Some(&b'0') && right == last(code)
        },
    },
    Id {
        name: "national_id/fr_nir",
        what: "NIR: sex, month, département, key mod 97; 2A and 2B of Corsica",
        source: "Décret 82-103 du 22 janvier 1982; python-stdnum fr.nir",
        words: &["nir", "insee", "secu", "vitale"],
        free: &["15", "13 2", "1 2 2 2 3 3 2", "1-2-2-2-3-3-2", "1.2.2.2.3.3.2"],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "999999A99999999", told: false }],
        check: nir,
    },
    Id {
        name: "national_id/de_steuer_id",
        what: "Steuer-Identifikationsnummer: one digit twice or thrice among ten, ISO 7064 MOD 11,10",
        source: "§ 139b AO, Steueridentifikationsnummerverordnung; python-stdnum de.idnr",
        words: &["steuer", "steuerid", "idnr", "steueridentifikationsnummer", "identifikationsnummer", "steuernummer"],
        free: &["2 3 3 3"],
        told: &["11"],
        lettered: &[],
        check: steuer_id,
    },
    Id {
        name: "national_id/ch_ahv",
        what: "AHV number: 756, check digit of EAN-13",
        source: "AHVV art. 133, eCH-0044; python-stdnum ch.ssn",
        words: &["ahv", "avs", "oasi"],
        free: &["3.4.4.2", "13"],
        told: &[],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
            code.starts_with(b"756") && (10 - sum % 10) % 10 == last(code)
        },
    },
    Id {
        name: "national_id/be_rijksregister",
        what: "Rijksregisternummer: date, 97 less the rest mod 97, with 2 before it from 2000 on",
        source: "Koninklijk besluit van 3 april 1984; python-stdnum be.nn",
        words: &["rijksregister", "rijksregisternummer", "niss", "insz", "rrn"],
        free: &["2.2.2-3.2"],
        told: &["11"],
        lettered: &[],
        check: |code| {
            let (body, check) = (part(code, 0, 9), part(code, 9, 11));
            let right = |body: u64| 97 - body % 97 == check;
            part(code, 2, 4) % 20 <= 12 && part(code, 4, 6) <= 31 && (right(body) || right(2_000_000_000 + body))
        },
    },
    Id {
        name: "national_id/ie_pps",
        what: "PPS number: check letter mod 23",
        source: "Social Welfare Consolidation Act 2005, s. 262; python-stdnum ie.pps",
        words: &["pps", "ppsn"],
        free: &[],
        told: &[],
        lettered: &[
            Lettered { pattern: "", written: "9999999A", told: true },
            Lettered { pattern: "", written: "9999999AA", told: true },
        ],
        check: |code| {
            // Of the second letters, W, T and X count nothing.
            let second = match code.get(8) {
                Some(byte @ (b'A' | b'B' | b'H')) => u32::from(byte - b'A') + 1,
                Some(b'W' | b'T' | b'X') | None => 0,
                Some(_) => return false,
            };
            let sum = weighted(code.get(..7).unwrap_or_default(), &[8, 7, 6, 5, 4, 3, 2]) + 9 * second;
            code.get(7).copied()
                == Some(match sum % 23 {
                    0 => b'W',
                    other => b'A' + other as u8 - 1,
                })
        },
    },
    Id {
        name: "national_id/ro_cnp",
        what: "Cod numeric personal: date, county and check digit mod 11",
        source: "OUG 97/2005; python-stdnum ro.cnp",
        words: &["cnp"],
        free: &[],
        told: &["13"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
            code.first() != Some(&b'0')
                && month_day(part(code, 3, 5), part(code, 5, 7))
                && (if sum == 10 { 1 } else { sum }) == last(code)
        },
    },
    Id {
        name: "national_id/bg_egn",
        what: "EGN: date with the century in the month, check digit mod 11",
        source: "Civil Registration Act, Ordinance RD-02-20-9/2012; python-stdnum bg.egn",
        words: &["egn", "егн"],
        free: &[],
        told: &["10"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
            month_day(part(code, 2, 4) % 20, part(code, 4, 6)) && sum == last(code)
        },
    },
    Id {
        name: "national_id/cz_rodne_cislo",
        what: "Rodné číslo, of Czechia and Slovakia: date, divisible by eleven",
        source: "Zákon 133/2000 Sb.; zákon 301/1995 Z. z.; python-stdnum cz.rc",
        words: &["rodne", "rodné", "rodnecislo", "cislo"],
        free: &["6/4"],
        told: &["10"],
        lettered: &[],
        check: |code| {
            let month = part(code, 2, 4) % 50;
            // Some given out before 1985 end with 0 where the rest is ten.
            month_day(if month > 20 { month - 20 } else { month }, part(code, 4, 6))
                && part(code, 0, 9) % 11 % 10 == part(code, 9, 10)
        },
    },
    Id {
        name: "national_id/hr_oib",
        what: "OIB: ISO 7064 MOD 11,10",
        source: "Zakon o osobnom identifikacijskom broju; python-stdnum hr.oib",
        words: &["oib"],
        free: &[],
        told: &["11"],
        lettered: &[],
        check: |code| mod_11_10(code) && !flat(code),
    },
    Id {
        name: "national_id/gr_amka",
        what: "AMKA: date and Luhn",
        source: "Law 3655/2008, art. 153; python-stdnum gr.amka",
        words: &["amka", "αμκα"],
        free: &[],
        told: &["11"],
        lettered: &[],
        check: |code| month_day(part(code, 2, 4), part(code, 0, 2)) && luhn(code),
    },
    Id {
        name: "national_id/at_svnr",
        what: "Sozialversicherungsnummer: check digit mod 11 and date",
        source: "§ 31 ASVG; python-stdnum at.vnr",
        words: &["svnr", "sozialversicherungsnummer", "sozialversicherung", "sv"],
        free: &[],
        told: &["10", "4 6"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
            Some(sum) == code.get(3).map(|byte| digit(*byte)) && part(code, 4, 6) <= 31 && part(code, 6, 8) <= 15
        },
    },
    Id {
        name: "national_id/tr_tckn",
        what: "T.C. kimlik numarası: two check digits",
        source: "Nüfus Hizmetleri Kanunu 5490; python-stdnum tr.tckimlik",
        words: &["tckn", "tc", "kimlik", "tckimlik"],
        free: &[],
        told: &["11"],
        lettered: &[],
        check: |code| {
            let odd = weighted(code, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
            let even = weighted(code, &[0, 1, 0, 1, 0, 1, 0, 1]);
            let tenth = (7 * odd + 90 - even) % 10;
            let sum = weighted(code, &[1; 10]) % 10;
            code.first() != Some(&b'0') && part(code, 9, 10) == u64::from(tenth) && sum == last(code)
        },
    },
];

fn nino(code: &[u8]) -> bool {
    let never =
        |at: usize, letters: &[u8]| code.get(at).is_none_or(|byte| letters.contains(byte) || byte.is_ascii_digit());
    !never(0, b"DFIQUV")
        && !never(1, b"DFIQUVO")
        && !matches!(code.get(..2), Some(b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ") | None)
}

fn dni_letter(number: u64) -> Option<u8> {
    b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize).copied()
}

fn codice_fiscale(code: &[u8]) -> bool {
    // What a character in an odd place counts, from 0 or A on.
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    // These letters stand for digits where two persons would have the same code.
    const DIGITS: &[u8] = b"LMNPQRSTUV";
    let digit = |at: usize| {
        let byte = code.get(at).copied().filter(u8::is_ascii_digit);
        let letter = || DIGITS.iter().position(|letter| Some(letter) == code.get(at)).map(|digit| digit as u8);
        byte.map(|byte| byte - b'0').or_else(letter)
    };
    let day = match (digit(9), digit(10)) {
        (Some(tens), Some(ones)) => tens * 10 + ones,
        _ => return false,
    };
    // Women's days count from forty on.
    let dated = matches!(day, 1..=31 | 41..=71) && code.get(8).is_some_and(|month| b"ABCDEHLMPRST".contains(month));
    if !dated || [6, 7, 12, 13, 14].into_iter().any(|at| digit(at).is_none()) {
        return false;
    }
    let place = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') };
    let sum: u32 = code
        .iter()
        .take(15)
        .enumerate()
        .map(|(index, byte)| match index % 2 {
            0 => ODD.get(usize::from(place(*byte))).copied().unwrap_or(0),
            _ => u32::from(place(*byte)),
        })
        .sum();
    code.last().copied() == Some(b'A' + (sum % 26) as u8)
}

fn nir(code: &[u8]) -> bool {
    let department = match code.get(5..7) {
        Some(b"2A") => 19,
        Some(b"2B") => 18,
        Some(_) => part(code, 5, 7),
        None => return false,
    };
    let month = part(code, 3, 5);
    let body = part(code, 0, 5) * 100_000_000 + department * 1_000_000 + part(code, 7, 13);
    matches!(code.first(), Some(b'1'..=b'4' | b'7' | b'8'))
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && department > 0
        && 97 - body % 97 == part(code, 13, 15)
}

fn steuer_id(code: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for byte in code.iter().take(10) {
        if let Some(count) = counts.get_mut(digit(*byte) as usize) {
            *count += 1;
        }
    }
    let more = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().copied().max().unwrap_or(0);
    code.first() != Some(&b'0') && more == 1 && most <= 3 && mod_11_10(code)
}
