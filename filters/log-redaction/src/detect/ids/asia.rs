//! Ids of Asia, Africa and Oceania.

use super::{Id, Lettered, digit, flat, last, luhn, month_day, part, weighted};

pub(super) const IDS: &[Id] = &[
    Id {
        name: "national_id/in_aadhaar",
        what: "Aadhaar: starts with 2 to 9, Verhoeff",
        source: "UIDAI, Aadhaar numbering scheme; python-stdnum in_.aadhaar",
        words: &["aadhaar", "aadhar", "uidai", "uid"],
        free: &["4 4 4"],
        told: &["12", "4-4-4"],
        lettered: &[],
        check: |code| matches!(code.first(), Some(b'2'..=b'9')) && !flat(code) && verhoeff(code),
    },
    Id {
        name: "national_id/in_pan",
        what: "Permanent Account Number: the fourth letter is a kind of holder",
        source: "Income Tax Department, rule 114; python-stdnum in_.pan",
        words: &["pan"],
        free: &[],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "AAAAA9999A", told: false }],
        check: |code| {
            let letters = code.iter().take(5).all(u8::is_ascii_uppercase);
            letters
                && matches!(
                    code.get(3),
                    Some(b'A' | b'B' | b'C' | b'F' | b'G' | b'H' | b'J' | b'K' | b'L' | b'P' | b'T')
                )
                && part(code, 5, 9) > 0
        },
    },
    Id {
        name: "national_id/kr_rrn",
        what: "Resident registration number: date and sex; the check digit is not given any more",
        source: "Resident Registration Act, Enforcement Rule art. 2; python-stdnum kr.rrn",
        words: &["rrn", "jumin", "주민등록번호", "주민번호"],
        free: &["6-7"],
        told: &["13"],
        lettered: &[],
        check: |code| month_day(part(code, 2, 4), part(code, 4, 6)) && matches!(code.get(6), Some(b'1'..=b'8')),
    },
    Id {
        name: "national_id/jp_my_number",
        what: "My Number: check digit mod 11",
        source: "Order of the Ministry of Internal Affairs 85/2014, art. 5; python-stdnum jp.in_",
        words: &["mynumber", "kojin", "マイナンバー", "個人番号"],
        free: &[],
        told: &["12", "4 4 4", "4-4-4"],
        lettered: &[],
        check: |code| {
            let rest = weighted(code, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
            (if rest <= 1 { 0 } else { 11 - rest }) == last(code) && !flat(code)
        },
    },
    Id {
        name: "national_id/cn_resident_id",
        what: "Resident identity number: region, date and check character mod 11-2",
        source: "GB 11643-1999, ISO 7064 MOD 11-2; python-stdnum cn.ric",
        words: &["身份证", "shenfenzheng"],
        free: &["18", "17L"],
        told: &[],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
            matches!(part(code, 0, 2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
                && matches!(part(code, 6, 8), 19 | 20)
                && month_day(part(code, 10, 12), part(code, 12, 14))
                && code.len() == 18
                && b"10X98765432".get((sum % 11) as usize) == code.last()
        },
    },
    Id {
        name: "national_id/my_nric",
        what: "MyKad: date and place of birth",
        source: "National Registration Regulations 1990; python-stdnum my.nric",
        words: &["nric", "mykad", "ic"],
        free: &["6-2-4"],
        told: &["12"],
        lettered: &[],
        check: |code| {
            month_day(part(code, 2, 4), part(code, 4, 6))
                && !matches!(part(code, 6, 8), 0 | 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97)
        },
    },
    Id {
        name: "national_id/sg_nric",
        what: "NRIC or FIN: check letter mod 11",
        source: "National Registration Act 1965",
        words: &["nric", "fin"],
        free: &[],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "A9999999A", told: false }],
        check: nric,
    },
    Id {
        name: "national_id/hk_hkid",
        what: "HKID: check digit mod 11 in parentheses",
        source: "Registration of Persons Regulations, Cap. 177A",
        words: &["hkid"],
        free: &[],
        told: &[],
        lettered: &[
            Lettered { pattern: super::HONG_KONG, written: "A999999*", told: false },
            Lettered { pattern: super::HONG_KONG, written: "AA999999*", told: false },
        ],
        check: hkid,
    },
    Id {
        name: "national_id/tw_id",
        what: "National identification card: letter of the place, check digit",
        source: "Household Registration Act",
        words: &["身分證", "身份證"],
        free: &[],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "A999999999", told: false }],
        check: |code| {
            let place = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
            let Some(first) = code.first().and_then(|byte| place.iter().position(|known| known == byte)) else {
                return false;
            };
            let first = first as u32 + 10;
            let rest = weighted(code.get(1..).unwrap_or_default(), &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
            (first / 10 + first % 10 * 9 + rest).is_multiple_of(10)
        },
    },
    Id {
        name: "national_id/th_id",
        what: "Citizen's number: check digit mod 11",
        source: "Bureau of Registration Administration, Civil Registration Act; python-stdnum th.pin",
        words: &["บัตรประชาชน", "citizen"],
        free: &["1-4-5-2-1", "1 4 5 2 1"],
        told: &["13"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
            matches!(code.first(), Some(b'1'..=b'8')) && (11 - sum % 11) % 10 == last(code) && !flat(code)
        },
    },
    Id {
        name: "national_id/il_id",
        what: "Teudat zehut: Luhn",
        source: "Population Registry Law 1965; python-stdnum il.idnr",
        words: &["teudat", "zehut", "ת.ז", "תז"],
        free: &[],
        told: &["9"],
        lettered: &[],
        check: |code| luhn(code) && !flat(code),
    },
    Id {
        name: "national_id/za_id",
        what: "Identity number: date, citizenship and Luhn",
        source: "Identification Act 68 of 1997; python-stdnum za.idnr",
        words: &["said", "rsa", "identity", "idnumber"],
        free: &["6 4 3", "6 4 2 1"],
        told: &["13"],
        lettered: &[],
        check: |code| {
            month_day(part(code, 2, 4), part(code, 4, 6)) && matches!(code.get(10), Some(b'0'..=b'2')) && luhn(code)
        },
    },
    Id {
        name: "national_id/au_tfn",
        what: "Tax File Number: weighted sum mod 11",
        source: "ATO, TFN algorithm; python-stdnum au.tfn",
        words: &["tfn", "taxfile", "taxfilenumber"],
        free: &[],
        told: &["9", "3 3 3", "3-3-3"],
        lettered: &[],
        check: |code| weighted(code, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !flat(code),
    },
    Id {
        name: "national_id/au_medicare",
        what: "Medicare card: starts with 2 to 6, check digit",
        source: "Services Australia, Medicare card number",
        words: &["medicare"],
        free: &[],
        told: &["10", "4 5 1", "4-5-1", "11", "4 5 1/1", "4 5 1-1"],
        lettered: &[],
        check: |code| {
            let sum = weighted(code, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
            matches!(code.first(), Some(b'2'..=b'6')) && code.get(8).map(|byte| digit(*byte)) == Some(sum)
        },
    },
    Id {
        name: "national_id/nz_ird",
        what: "IRD number: weighted sum mod 11, in two steps",
        source: "Inland Revenue, RWT and NRWT specification; python-stdnum nz.ird",
        words: &["ird", "irdnumber"],
        free: &[],
        told: &["9", "8", "3-3-3", "2-3-3", "3 3 3", "2 3 3"],
        lettered: &[],
        check: ird,
    },
];

fn verhoeff(code: &[u8]) -> bool {
    // The dihedral group of order ten: how two digits multiply.
    let multiply = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permute = |digit: usize| [1, 5, 7, 6, 2, 8, 3, 0, 9, 4].get(digit).copied().unwrap_or(0);
    let mut sum = 0;
    for (index, byte) in code.iter().rev().enumerate() {
        let mut value = digit(*byte) as usize;
        for _ in 0..index % 8 {
            value = permute(value);
        }
        sum = multiply(sum, value);
    }
    sum == 0
}

fn nric(code: &[u8]) -> bool {
    let Some((first, rest)) = code.split_first() else { return false };
    let sum = weighted(rest.get(..7).unwrap_or_default(), &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, more) = match first {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"KLJNPQRTUWX", 3),
        _ => return false,
    };
    let at = ((sum + more) % 11) as usize;
    let at = if *first == b'M' { 10 - at } else { at };
    letters.get(at) == code.last()
}

fn hkid(code: &[u8]) -> bool {
    let letter = |byte: u8| u32::from(byte.wrapping_sub(b'A')) + 10;
    let (head, rest) = match code {
        [a, rest @ ..] if code.len() == 8 => (36 * 9 + letter(*a) * 8, rest),
        [a, b, rest @ ..] => (letter(*a) * 9 + letter(*b) * 8, rest),
        _ => return false,
    };
    let check = match rest.last() {
        Some(b'A') => 10,
        Some(byte) => digit(*byte),
        None => return false,
    };
    (head + weighted(rest.get(..6).unwrap_or_default(), &[7, 6, 5, 4, 3, 2]) + check).is_multiple_of(11)
}

fn ird(code: &[u8]) -> bool {
    let number = super::value(code);
    let Some((check, body)) = code.split_last() else { return false };
    let sum = |weights: &[u32]| {
        body.iter().rev().zip(weights.iter().rev()).map(|(byte, weight)| digit(*byte) * weight).sum::<u32>() % 11
    };
    let right = match sum(&[3, 2, 7, 6, 5, 4, 3, 2]) {
        0 => 0,
        1 => match sum(&[7, 4, 3, 2, 5, 2, 7, 6]) {
            0 => 0,
            1 => return false,
            rest => 11 - rest,
        },
        rest => 11 - rest,
    };
    (10_000_000..=150_000_000).contains(&number) && right == digit(*check)
}
