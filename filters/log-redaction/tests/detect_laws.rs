//! What holds for whatever bytes: ranges are sorted, apart and in bounds; what was masked is not found again; no text costs
//! more than its length lets it.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

#[path = "labelled/mod.rs"]
mod labelled;

use labelled::random::Random;
use partywall_log_redaction::detect::{Detectors, Finding, Hint, Scratch, Selection};

fn all() -> Detectors {
    Detectors::new(&Selection::default()).unwrap()
}

fn masked(detectors: &Detectors, text: &[u8], found: &[Finding]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    for one in found {
        out.extend_from_slice(&text[at..one.range.start]);
        out.extend_from_slice(format!("[REDACTED:{}:0f3a9c1d]", detectors.name(one.detector)).as_bytes());
        at = one.range.end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// Checks one text; says what is wrong.
fn check(detectors: &Detectors, scratch: &mut Scratch, text: &[u8], key: &[u8]) {
    let mut found = Vec::new();
    detectors.find(scratch, text, Hint { key }, &mut found);
    let mut at = 0;
    for one in &found {
        assert!(at <= one.range.start && one.range.start < one.range.end && one.range.end <= text.len(), "{found:?}");
        at = one.range.end;
    }
    let once = masked(detectors, text, &found);
    let mut again = Vec::new();
    detectors.find(scratch, &once, Hint { key }, &mut again);
    if !again.is_empty() {
        let names: Vec<_> = again.iter().map(|one| (detectors.name(one.detector), one.range.clone())).collect();
        panic!(
            "found again: {names:?}\nin {}\nof {} ({})",
            String::from_utf8_lossy(&once),
            String::from_utf8_lossy(text),
            String::from_utf8_lossy(key)
        );
    }
}

#[test]
fn what_was_masked_is_not_found_again() {
    let detectors = all();
    let mut scratch = Scratch::new(&detectors);
    for line in labelled::set() {
        check(&detectors, &mut scratch, line.text.as_bytes(), line.key.as_bytes());
    }
}

/// Pieces that validators look for, put together at random.
fn hostile(random: &mut Random, between: &[&str]) -> Vec<u8> {
    const PIECES: &[&str] = &[
        "@",
        "eyJ",
        ".",
        "::",
        ":",
        "-",
        " ",
        "+",
        "+1",
        "4111 1111",
        "4111111111111111",
        "password=",
        "\"",
        "\\\"",
        "\\u0040",
        "%40",
        "://",
        "https://",
        "a",
        "ada@example.com",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "Bearer ",
        "Basic ",
        "AKIA",
        "sk-",
        "DE89",
        "0x",
        "bc1q",
        "[REDACTED:",
        "[REDACTED:email:0f]",
        "]",
        "10.1.2.3",
        "2001:db8::1",
        "123-45-6789",
        "ssn",
        "phone",
        "(415) 555-2671",
        "\n",
        "=",
        "/",
        "datadog",
        "token",
        "YWRhQGV4YW1wbGUuY29tIGlzIGhlcmU=",
        "\u{a0}",
        "ü",
        "48.85837, 2.29448",
        "lat=",
        "12345678",
        "00:11:22:33:44:55",
        "?sig=",
        ">",
        "<",
        "--token ",
    ];
    let mut text = Vec::new();
    for _ in 0..2 + random.below(12) {
        text.extend_from_slice(random.pick(PIECES).as_bytes());
        text.extend_from_slice(random.pick(between).as_bytes());
    }
    text
}

#[test]
fn pieces_put_together_at_random_keep_the_laws() {
    let detectors = all();
    let mut scratch = Scratch::new(&detectors);
    let mut random = Random::new(77);
    for _ in 0..30_000 {
        let text = hostile(&mut random, &[" ", ", ", "; ", "\n", "\t", " | "]);
        let key = random.pick(&["", "", "password", "phone", "ssn", "lat", "datadog_api_key"]);
        check(&detectors, &mut scratch, &text, key.as_bytes());
    }
}

#[test]
fn any_bytes_keep_the_laws() {
    let detectors = all();
    let mut scratch = Scratch::new(&detectors);
    let mut random = Random::new(78);
    for _ in 0..3_000 {
        let length = random.below(200) as usize;
        let text: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        check(&detectors, &mut scratch, &text, b"");
    }
}

/// Steps of validators per byte that no text may take more of.
const MOST: u64 = 150;

#[test]
fn no_text_costs_more_than_its_length_lets_it() {
    let detectors = all();
    let mut scratch = Scratch::new(&detectors);
    let mut found = Vec::new();
    let long = |unit: &str| unit.repeat(131_072 / unit.len()).into_bytes();
    let mut texts: Vec<(String, Vec<u8>)> = [
        "@",
        "a@",
        "a@b.",
        "a@a@a.aa",
        "eyJ",
        "eyJ.",
        "eyJa.eyJa.",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "password=",
        "password=\"",
        "password: x ",
        "1 ",
        "12 ",
        "1",
        "12345678 ",
        "4111 1111 ",
        "4-",
        "1.1.1.1",
        "1.",
        "::",
        "a::",
        "1::1:",
        "0:",
        "00:",
        "aa:bb:cc:dd:ee:ff ",
        "+1",
        "+1 ",
        "+49 ",
        "0049 ",
        "sk-",
        "sk-a",
        "AKIA",
        "SG.",
        "datadog key ",
        "datadog ",
        "aws key ",
        "Bearer ",
        "Basic aaaa",
        "Basic a:",
        "http://",
        "://a:",
        "://a@",
        "https://a:b@",
        "0x",
        "0x12345678 ",
        "bc1q",
        "DE89 ",
        "DE89",
        "DE89 3704 0044 ",
        "[REDACTED:",
        "[REDACTED:email:",
        "[REDACTED:email:0f]",
        "%40",
        "%41",
        "\\u0040",
        "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQg",
        "aGVsbG8",
        "Aa1",
        "1.2345, 1.2345,",
        "lat=1.2",
        "?sig=",
        "x-amz-signature=",
        "<password>",
        "--token a",
        "ssn 123456789 ",
        "ssn 123-45-678 ",
        "phone 0151 2345678 ",
        "A1",
        "1A",
        "12345678A ",
        "AAAAA9999A ",
        "L1",
        "\u{a0}1",
        "-us1",
        ":AAabc",
        "AZDO",
        "NRAL",
        "abcdef0123456789",
        "\"key\":\"value\",",
        "{\"a\":{\"b\":[1,2,3]}}",
        "ü",
        "(415) ",
        "2026-11-29 ",
        "===",
        "....",
        "----",
        "    ",
        "1 1 1 1-1-1.1.1/1 ",
        "a@b.cc 0123456789abcdefghijk ",
        "Basic YTpi 0123456789abcdefghijk ",
    ]
    .iter()
    .map(|unit| ((*unit).to_owned(), long(unit)))
    .collect();
    let mut random = Random::new(79);
    for round in 0..40 {
        let text: Vec<u8> = (0..131_072 / 16).flat_map(|_| hostile(&mut random, &[""])).take(131_072).collect();
        texts.push((format!("pieces {round}"), text));
    }
    let (mut worst, mut over) = ((0, String::new()), Vec::new());
    for (name, text) in &texts {
        let before = scratch.steps();
        detectors.find(&mut scratch, text, Hint::default(), &mut found);
        let each = (scratch.steps() - before) / text.len() as u64;
        if each > worst.0 {
            worst = (each, name.clone());
        }
        if each > MOST {
            over.push(format!("{name:?} takes {each} steps per byte"));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
    println!("the worst takes {} steps per byte: {:?}", worst.0, worst.1);
}
