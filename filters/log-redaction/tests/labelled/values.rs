//! What is to be found: made up, with the checks that are right.

use super::random::Random;

/// What a detector finds, and the names of fields in which it stands.
pub struct Kind {
    pub detector: &'static str,
    pub fields: &'static [&'static str],
    pub make: fn(&mut Random) -> String,
}

/// What stands around the labelled bytes is set off by this.
const MARK: char = '\u{1}';

/// What stands before the labelled bytes, they, and what stands after them.
pub fn parts(value: &str) -> (&str, &str, &str) {
    let mut parts = value.splitn(3, MARK);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(before), Some(inner), Some(after)) => (before, inner, after),
        _ => ("", value, ""),
    }
}

pub const KINDS: &[Kind] = &[
    Kind { detector: "email", fields: &["email", "user", "from", "contact", "login"], make: email },
    Kind { detector: "card", fields: &["card", "payment", "number", "pan", "value"], make: card },
    Kind { detector: "card", fields: &["card_number", "instrument", "source"], make: card_grouped },
    Kind { detector: "iban", fields: &["iban", "account", "to", "creditor"], make: iban },
    Kind { detector: "iban", fields: &["iban", "konto"], make: iban_grouped },
    Kind { detector: "phone", fields: &["phone", "msisdn", "to", "contact"], make: phone },
    Kind { detector: "phone", fields: &["phone", "mobile", "tel", "phone_number"], make: phone_national },
    Kind { detector: "ipv4", fields: &["client_ip", "peer", "remote_addr", "host"], make: ipv4 },
    Kind { detector: "ipv6", fields: &["client_ip", "peer", "remote", "addr"], make: ipv6 },
    Kind { detector: "mac", fields: &["mac", "device", "hwaddr"], make: mac },
    Kind { detector: "national_id", fields: &["ssn", "value", "customer"], make: ssn },
    Kind { detector: "national_id", fields: &["cpf"], make: cpf },
    Kind { detector: "national_id", fields: &["pesel"], make: pesel },
    Kind { detector: "national_id", fields: &["dni", "document"], make: dni },
    Kind { detector: "national_id", fields: &["bsn"], make: bsn },
    Kind { detector: "national_id", fields: &["nhs number", "nhs"], make: nhs },
    Kind { detector: "national_id", fields: &["personnummer", "id"], make: personnummer },
    Kind { detector: "national_id", fields: &["nir", "id"], make: nir },
    Kind { detector: "jwt", fields: &["assertion", "id_token", "value", "x"], make: jwt },
    Kind { detector: "http_basic", fields: &["authorization", "header"], make: basic },
    Kind { detector: "http_bearer", fields: &["authorization", "header"], make: bearer },
    Kind { detector: "url_userinfo", fields: &["url", "origin", "remote"], make: userinfo },
    Kind { detector: "database_url", fields: &["dsn", "url", "db"], make: database },
    Kind { detector: "signed_query", fields: &["url", "download", "location"], make: signed },
    Kind { detector: "password", fields: &["config", "env", "args", "form"], make: password },
    Kind { detector: "private_key", fields: &["key", "pem", "value"], make: private_key },
    Kind { detector: "key", fields: &["value", "config", "header", "arg"], make: key },
    Kind { detector: "key", fields: &["found", "leak", "env"], make: key_more },
    Kind { detector: "crypto", fields: &["wallet", "address", "to"], make: ethereum },
    Kind { detector: "coordinates", fields: &["position", "at", "geo"], make: coordinates },
    Kind { detector: "email", fields: &["query", "body", "payload"], make: email_escaped },
];

const FIRST: &[&str] = &["ada", "grace", "linus", "margaret", "edsger", "barbara", "ken", "radia", "donald", "sophie"];
const LAST: &[&str] = &["muster", "example", "doe", "sample", "bloggs", "placeholder", "nobody", "test"];
const HOSTS: &[&str] = &["example.com", "example.org", "mail.example.net", "corp.example.co.uk", "example.museum"];

fn email(random: &mut Random) -> String {
    let (first, last, host) = (random.pick(FIRST), random.pick(LAST), random.pick(HOSTS));
    match random.below(5) {
        0 => format!("{first}.{last}@{host}"),
        1 => format!("{first}+{}@{host}", random.below(99)),
        2 => format!("{}_{last}{}@{host}", &first[..1], random.below(2000)),
        3 => format!("{}@{host}", first.to_uppercase()),
        _ => format!("{first}-{last}@{host}"),
    }
}

fn email_escaped(random: &mut Random) -> String {
    let (first, last) = (random.pick(FIRST), random.pick(LAST));
    match random.below(3) {
        0 => format!("u=\u{1}{first}%40example.com\u{1}&x=1"),
        1 => format!("{first}.{last}\\u0040example.com"),
        _ => base64(format!("{{\"user\":\"{first}.{last}@example.com\"}}").as_bytes()),
    }
}

fn luhn(mut digits: String) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte - b'0');
            if index % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    digits.push_str(&((10 - sum % 10) % 10).to_string());
    digits
}

fn card(random: &mut Random) -> String {
    let (head, length) = random.pick(&[
        ("4", 16),
        ("51", 16),
        ("2221", 16),
        ("34", 15),
        ("37", 15),
        ("6011", 16),
        ("3528", 16),
        ("36", 14),
        ("62", 16),
        ("4", 19),
    ]);
    let rest = random.digits(length - 1 - head.len());
    luhn(format!("{head}{rest}"))
}

fn card_grouped(random: &mut Random) -> String {
    let rest = random.digits(14);
    let number = luhn(format!("4{rest}"));
    let separator = random.pick(&[" ", "-"]);
    let groups: Vec<&str> = (0..4).map(|index| &number[index * 4..index * 4 + 4]).collect();
    groups.join(separator)
}

fn mod_97(text: &str) -> u64 {
    text.bytes().fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u64::from(byte - b'0')) % 97,
        _ => (rest * 100 + u64::from(byte - b'A') + 10) % 97,
    })
}

fn iban(random: &mut Random) -> String {
    let (country, bank, digits) = random.pick(&[
        ("DE", "", 18),
        ("FR", "", 23),
        ("GB", "WEST", 14),
        ("NL", "ABNA", 10),
        ("ES", "", 20),
        ("PL", "", 24),
        ("CH", "", 17),
        ("SE", "", 20),
    ]);
    let account = format!("{bank}{}", random.digits(digits));
    let check = 98 - mod_97(&format!("{account}{country}00"));
    format!("{country}{check:02}{account}")
}

fn iban_grouped(random: &mut Random) -> String {
    let plain = iban(random);
    let groups: Vec<&str> = (0..plain.len()).step_by(4).map(|at| &plain[at..plain.len().min(at + 4)]).collect();
    groups.join(" ")
}

fn phone(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("+1 {}{} 555 {}", 2 + random.below(8), random.digits(2), random.digits(4)),
        1 => format!("+49 151 {}", random.digits(8)),
        2 => format!("+4420{}", random.digits(8)),
        3 => format!("+33 6 {} {} {} {}", random.digits(2), random.digits(2), random.digits(2), random.digits(2)),
        4 => format!("+91-9{}-{}", random.digits(4), random.digits(5)),
        _ => format!("+1 ({}{}) 555-{}", 2 + random.below(8), random.digits(2), random.digits(4)),
    }
}

fn phone_national(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("({}{}) 555-{}", 2 + random.below(8), random.digits(2), random.digits(4)),
        1 => format!("0151 {}", random.digits(8)),
        2 => format!("06 {} {} {} {}", random.digits(2), random.digits(2), random.digits(2), random.digits(2)),
        3 => format!("07{} {}", random.digits(3), random.digits(6)),
        4 => format!("{}{}-555-{}", 2 + random.below(8), random.digits(2), random.digits(4)),
        _ => format!("030/{}", random.digits(7)),
    }
}

fn ipv4(random: &mut Random) -> String {
    format!("{}.{}.{}.{}", 11 + random.below(200), random.below(256), random.below(256), 1 + random.below(254))
}

fn ipv6(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("2001:db8:{}::{}", random.hex(4), 1 + random.below(9999)),
        1 => format!("fe80::{}:{}:{}:{}", 1 + random.below(9), random.hex(4), random.hex(4), random.hex(4)),
        2 => {
            let groups: Vec<String> = (0..8).map(|_| random.hex(4)).collect();
            groups.join(":")
        }
        _ => format!("::ffff:{}", ipv4(random)),
    }
}

fn mac(random: &mut Random) -> String {
    let octets: Vec<String> = (0..6).map(|_| random.hex(2)).collect();
    octets.join(random.pick(&[":", "-"]))
}

fn ssn(random: &mut Random) -> String {
    format!("{}-{:02}-{:04}", 100 + random.below(500), 1 + random.below(98), 1 + random.below(9998))
}

fn weighted(digits: &str, weights: &[u32]) -> u32 {
    digits.bytes().zip(weights).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum()
}

fn cpf(random: &mut Random) -> String {
    let mut digits = random.digits(9);
    for weights in [&[10, 9, 8, 7, 6, 5, 4, 3, 2][..], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]] {
        let rest = weighted(&digits, weights) * 10 % 11 % 10;
        digits.push_str(&rest.to_string());
    }
    if random.below(2) == 0 {
        digits
    } else {
        format!("{}.{}.{}-{}", &digits[..3], &digits[3..6], &digits[6..9], &digits[9..])
    }
}

fn pesel(random: &mut Random) -> String {
    let head =
        format!("{:02}{:02}{:02}{}", random.below(100), 1 + random.below(12), 1 + random.below(28), random.digits(4));
    let sum = weighted(&head, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    format!("{head}{}", (10 - sum % 10) % 10)
}

fn dni(random: &mut Random) -> String {
    let number = 10_000_000 + random.below(89_999_999);
    format!("{number}{}", char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize]))
}

fn bsn(random: &mut Random) -> String {
    loop {
        let head = format!("1{}", random.digits(7));
        let rest = weighted(&head, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        if rest < 10 {
            return format!("{head}{rest}");
        }
    }
}

fn nhs(random: &mut Random) -> String {
    loop {
        let head = format!("4{}", random.digits(8));
        let check = 11 - weighted(&head, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        if check != 10 {
            return format!("{} {} {}{}", &head[..3], &head[3..6], &head[6..], check % 11);
        }
    }
}

fn personnummer(random: &mut Random) -> String {
    let head =
        format!("{:02}{:02}{:02}{}", random.below(100), 1 + random.below(12), 1 + random.below(28), random.digits(3));
    let whole = luhn(head);
    format!("{}-{}", &whole[..6], &whole[6..])
}

fn nir(random: &mut Random) -> String {
    let head = format!(
        "{}{:02}{:02}{:02}{}",
        1 + random.below(2),
        random.below(100),
        1 + random.below(12),
        1 + random.below(95),
        random.digits(6)
    );
    let key = 97 - head.parse::<u64>().unwrap() % 97;
    format!("{head}{key:02}")
}

pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            out.push(if index <= chunk.len() {
                char::from(ALPHABET[(word >> (18 - 6 * index) & 63) as usize])
            } else {
                '='
            });
        }
    }
    out
}

fn jwt(random: &mut Random) -> String {
    let header = base64(br#"{"alg":"RS256","typ":"JWT"}"#);
    let claims = base64(format!("{{\"sub\":\"u-{}\"}}", random.below(9999)).as_bytes());
    format!("{}.{}.{}", header.trim_end_matches('='), claims.trim_end_matches('='), random.alnum(86))
}

fn basic(random: &mut Random) -> String {
    let secret = random.alnum(10);
    format!("Basic \u{1}{}\u{1}", base64(format!("svc-{}:{secret}", random.pick(FIRST)).as_bytes()))
}

fn bearer(random: &mut Random) -> String {
    format!("Bearer \u{1}{}\u{1}", random.alnum(32))
}

fn userinfo(random: &mut Random) -> String {
    format!("https://\u{1}{}:{}\u{1}@git.example.com/x.git", random.pick(FIRST), random.alnum(12))
}

fn database(random: &mut Random) -> String {
    let (scheme, port) =
        random.pick(&[("postgres", 5432), ("mysql", 3306), ("mongodb+srv", 27017), ("redis", 6379), ("amqp", 5672)]);
    format!("{scheme}://\u{1}app:{}\u{1}@db-{}.example.internal:{port}/shop", random.alnum(14), random.below(9))
}

fn signed(random: &mut Random) -> String {
    format!("https://files.example.com/r.pdf?X-Amz-Expires=900&X-Amz-Signature=\u{1}{}\u{1}&y=1", random.hex(64))
}

fn password(random: &mut Random) -> String {
    let secret = format!("{}!{}", random.alnum(8), random.below(99));
    match random.below(5) {
        0 => format!("password=\u{1}{secret}\u{1}"),
        1 => format!("db_password: \u{1}{secret}\u{1}"),
        2 => format!("\"passwd\": \"\u{1}{secret}\u{1}\""),
        3 => format!("--password \u{1}{secret}\u{1}"),
        _ => format!("client_secret=\u{1}{secret}\u{1}"),
    }
}

fn private_key(random: &mut Random) -> String {
    let (a, b) = (random.alnum(64), random.alnum(40));
    format!(
        "-----BEGIN {} KEY-----\\n{a}\\n{b}\\n-----END {0} KEY-----",
        random.pick(&["PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE"])
    )
}

// Heads are written in two so that no scanner takes this file for a leak.
fn key(random: &mut Random) -> String {
    match random.below(8) {
        0 => format!("{}{}", concat!("AK", "IA"), random.from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        1 => format!("{}{}", concat!("gl", "pat-"), random.alnum(20)),
        2 => format!("{}{}", concat!("AI", "za"), random.alnum(35)),
        3 => format!("{}{}", concat!("sk_", "live_"), random.alnum(24)),
        4 => format!("{}{}-{}-{}", concat!("xo", "xb-"), random.digits(12), random.digits(12), random.alnum(24)),
        5 => format!("{}.{}.{}", concat!("S", "G"), random.alnum(22), random.alnum(43)),
        6 => format!("{}{}", concat!("dop", "_v1_"), random.hex(64)),
        _ => format!("{}{}", concat!("github", "_pat_"), random.alnum(82)),
    }
}

fn key_more(random: &mut Random) -> String {
    match random.below(8) {
        0 => format!("{}{}", concat!("sk-", "ant-"), random.alnum(95)),
        1 => format!("{}{}", concat!("h", "f_"), random.alnum(34)),
        2 => format!("{}{}", concat!("np", "m_"), random.alnum(36)),
        3 => format!("datadog api_key=\u{1}{}\u{1}", random.hex(32)),
        4 => format!("{}{}", concat!("dapi", ""), random.hex(32)),
        5 => format!("{}{}", concat!("hv", "s."), random.alnum(90)),
        6 => format!("{}{}", concat!("shp", "at_"), random.hex(32)),
        _ => format!("{}{}", concat!("g", "hp_"), random.alnum(36)),
    }
}

fn ethereum(random: &mut Random) -> String {
    format!("0x{}", random.hex(40))
}

fn coordinates(random: &mut Random) -> String {
    format!("{}.{}, {}.{}", 10 + random.below(70), random.digits(6), 10 + random.below(70), random.digits(6))
}
