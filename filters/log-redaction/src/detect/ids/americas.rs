//! Ids of the Americas.

use super::{Id, Lettered, digit, flat, last, luhn, month_day, part, weighted};

pub(super) const IDS: &[Id] = &[
    Id {
        name: "national_id/us_ssn",
        what: "Social Security number: area, group and serial that are given out",
        source: "SSA, 20 CFR 422.103; SSN randomization; python-stdnum us.ssn",
        words: &["ssn", "ssns", "social", "socialsecurity", "socialsecuritynumber"],
        free: &["3-2-4"],
        told: &["9", "3 2 4", "3.2.4"],
        lettered: &[],
        check: ssn,
    },
    Id {
        name: "national_id/us_itin",
        what: "Individual Taxpayer Identification Number: 9, and groups that are given out",
        source: "IRS Publication 1915; python-stdnum us.itin",
        words: &["itin", "taxpayer", "taxpayerid", "tin"],
        free: &["3-2-4"],
        told: &["9", "3 2 4"],
        lettered: &[],
        check: itin,
    },
    Id {
        name: "national_id/us_ein",
        what: "Employer Identification Number: a prefix that is given out",
        source: "IRS, EIN prefixes; python-stdnum us.ein",
        words: &["ein", "fein", "employer", "taxid"],
        free: &[],
        told: &["2-7", "9"],
        lettered: &[],
        check: ein,
    },
    Id {
        name: "national_id/ca_sin",
        what: "Social Insurance Number: Luhn",
        source: "Service Canada, SIN code of practice; python-stdnum ca.sin",
        words: &["sin", "nas", "socialinsurance", "insurance"],
        free: &[],
        told: &["9", "3 3 3", "3-3-3"],
        lettered: &[],
        check: |code| luhn(code) && !matches!(code.first(), Some(b'0' | b'8')),
    },
    Id {
        name: "national_id/br_cpf",
        what: "Cadastro de Pessoas Físicas: two check digits mod 11",
        source: "Receita Federal, IN RFB 1548/2015; python-stdnum br.cpf",
        words: &["cpf", "contribuinte"],
        free: &["3.3.3-2"],
        told: &["11", "9-2"],
        lettered: &[],
        check: cpf,
    },
    Id {
        name: "national_id/br_cnpj",
        what: "Cadastro Nacional da Pessoa Jurídica: two check digits mod 11",
        source: "Receita Federal, IN RFB 2119/2022; python-stdnum br.cnpj",
        words: &["cnpj"],
        free: &["2.3.3/4-2"],
        told: &["14"],
        lettered: &[],
        check: cnpj,
    },
    Id {
        name: "national_id/cl_rut",
        what: "Rol Único Tributario: check digit mod 11, or K",
        source: "Servicio de Impuestos Internos; python-stdnum cl.rut",
        words: &["rut", "run", "cedula"],
        free: &["2.3.3-1", "1.3.3-1", "2.3.3-L", "1.3.3-L"],
        told: &["8-1", "7-1", "8-L", "7-L"],
        lettered: &[],
        check: rut,
    },
    Id {
        name: "national_id/mx_curp",
        what: "Clave Única de Registro de Población: date, sex, state and check digit",
        source: "SEGOB/RENAPO, Instructivo normativo CURP (DOF 18/10/2021); python-stdnum mx.curp",
        words: &["curp"],
        free: &[],
        told: &[],
        lettered: &[Lettered { pattern: "", written: "AAAA999999AAAAAA*9", told: false }],
        check: curp,
    },
    Id {
        name: "national_id/ar_cuit",
        what: "CUIT or CUIL: a prefix that is given out, check digit mod 11",
        source: "AFIP/ARCA, RG 10/1997; python-stdnum ar.cuit",
        words: &["cuit", "cuil"],
        free: &["2-8-1"],
        told: &["11"],
        lettered: &[],
        check: cuit,
    },
    Id {
        name: "national_id/ec_cedula",
        what: "Cédula de identidad: province and Luhn",
        source: "Registro Civil del Ecuador; python-stdnum ec.ci",
        words: &["cedula", "identidad"],
        free: &[],
        told: &["10"],
        lettered: &[],
        check: |code| luhn(code) && matches!(part(code, 0, 2), 1..=24 | 30 | 50) && part(code, 2, 3) <= 6,
    },
];

fn ssn(code: &[u8]) -> bool {
    let area = part(code, 0, 3);
    area != 0 && area != 666 && area < 900 && part(code, 3, 5) != 0 && part(code, 5, 9) != 0 && !flat(code)
}

fn itin(code: &[u8]) -> bool {
    let group = part(code, 3, 5);
    code.first() == Some(&b'9') && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn ein(code: &[u8]) -> bool {
    let prefix = part(code, 0, 2);
    let never = matches!(prefix, 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97);
    !never && !flat(code)
}

/// What is left of eleven, as Brazil counts its check digits.
fn eleven(sum: u32) -> u32 {
    match 11 - sum % 11 {
        10 | 11 => 0,
        other => other,
    }
}

fn cpf(code: &[u8]) -> bool {
    let check = |at: usize| code.get(at).map(|byte| digit(*byte));
    !flat(code)
        && check(9) == Some(eleven(weighted(code, &[10, 9, 8, 7, 6, 5, 4, 3, 2])))
        && check(10) == Some(eleven(weighted(code, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])))
}

fn cnpj(code: &[u8]) -> bool {
    let check = |at: usize| code.get(at).map(|byte| digit(*byte));
    !flat(code)
        && check(12) == Some(eleven(weighted(code, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])))
        && check(13) == Some(eleven(weighted(code, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])))
}

fn rut(code: &[u8]) -> bool {
    let Some((check, body)) = code.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip([2, 3, 4, 5, 6, 7].iter().cycle()).map(|(byte, w)| digit(*byte) * w).sum();
    let right = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        other => b'0' + other as u8,
    };
    *check == right && !flat(body)
}

fn curp(code: &[u8]) -> bool {
    const STATES: &str = "ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE";
    // Ñ stands between N and O, and counts.
    const VALUES: &[u8] = b"0123456789ABCDEFGHIJKLMN\xd1OPQRSTUVWXYZ";
    let place = |byte: &u8| VALUES.iter().position(|known| known == byte).unwrap_or(0) as u32;
    let sum: u32 = code.iter().take(17).zip((2..=18).rev()).map(|(byte, weight)| place(byte) * weight).sum();
    let state = code.get(11..13).unwrap_or_default();
    month_day(part(code, 6, 8), part(code, 8, 10))
        && STATES.as_bytes().chunks(2).any(|known| known == state)
        && (10 - sum % 10) % 10 == last(code)
}

fn cuit(code: &[u8]) -> bool {
    let sum = weighted(code, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let right = match 11 - sum % 11 {
        11 => 0,
        10 => 9,
        other => other,
    };
    matches!(part(code, 0, 2), 20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55) && right == last(code)
}
