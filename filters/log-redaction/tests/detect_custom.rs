//! Detectors that operators write, which are on, and what is wrong with the ones that cannot be.

use partywall_log_redaction::detect::{Custom, Detectors, Hint, Scratch, Selection};

fn custom(name: &str, pattern: &str, words: &[&str]) -> Selection {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Selection { custom: vec![Custom { name: name.into(), pattern: pattern.into(), words }], ..Selection::default() }
}

fn found(selection: &Selection, text: &str, key: &str) -> Vec<(String, String)> {
    let detectors = Detectors::new(selection).unwrap();
    let (mut scratch, mut found) = (Scratch::new(&detectors), Vec::new());
    detectors.find(&mut scratch, text.as_bytes(), Hint { key: key.as_bytes() }, &mut found);
    found.iter().map(|one| (detectors.name(one.detector).to_owned(), text[one.range.clone()].to_owned())).collect()
}

fn error(selection: &Selection) -> String {
    Detectors::new(selection).err().expect("it is wrong").to_string()
}

#[test]
fn a_pattern_is_found_whole() {
    let employee = custom("employee", "EMP-[0-9]{4,8}", &[]);
    let one = |text: &str| vec![("employee".to_owned(), text.to_owned())];
    assert_eq!(found(&employee, "by EMP-12345678 now", ""), one("EMP-12345678"));
    assert_eq!(found(&employee, "EMP-1234", ""), one("EMP-1234"));
    assert_eq!(found(&employee, "emp-1234", ""), []);
    assert_eq!(found(&employee, "EMP-1234 EMP-5678", "").len(), 2);
    assert_eq!(
        found(&custom("x", r"\bcase [A-Z]{3}\b", &[]), "the case ABC, the caseABC", ""),
        [("x".into(), "case ABC".into())]
    );
    assert_eq!(found(&custom("x", "(?i)vip[0-9]{2}", &[]), "a VIP77 and ViP01", "").len(), 2);
}

#[test]
fn a_word_has_to_stand_beside_it_if_there_are_words() {
    let badge = custom("badge", "[0-9]{6}", &["badge", "Ausweis"]);
    assert_eq!(found(&badge, "badge 123456", "").len(), 1);
    assert_eq!(found(&badge, "AUSWEIS 123456", "").len(), 1);
    assert_eq!(found(&badge, "123456", "badge_no").len(), 1);
    assert_eq!(found(&badge, "room 123456", ""), []);
}

#[test]
fn custom_and_built_in_ones_are_found_together() {
    let all = custom("employee", "EMP-[0-9]{4}", &[]);
    let names: Vec<String> = found(&all, "EMP-1234 wrote ADA@EXAMPLE.COM from 10.1.2.3, Password=Hunter2", "")
        .into_iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(names, ["employee", "email", "ipv4", "password"]);
}

#[test]
fn names_and_groups_choose() {
    let text = "ada@example.com 10.1.2.3 123-45-6789";
    let only =
        |names: &[&str]| Selection { only: names.iter().map(|name| (*name).into()).collect(), ..Selection::default() };
    let names = |selection: &Selection| found(selection, text, "").into_iter().map(|one| one.0).collect::<Vec<_>>();
    assert_eq!(names(&only(&["email"])), ["email"]);
    assert_eq!(names(&only(&["national_id"])), ["national_id/us_ssn"]);
    assert_eq!(
        names(&Selection { without: vec!["ipv4".into()], ..Selection::default() }),
        ["email", "national_id/us_ssn"]
    );
    assert_eq!(error(&only(&["e-mail"])), "no detector or group is called `e-mail`");
}

#[test]
fn a_pattern_that_cannot_be_says_where() {
    let cases = [
        ("EMP-[0-9]+", "custom detector `x`, column 10 of its pattern: `+` has no end, write `{1,64}`"),
        ("EMP.*", "custom detector `x`, column 5 of its pattern: `*` has no end, write `{0,64}`"),
        (
            "E[0-9]{2,}",
            "custom detector `x`, column 7 of its pattern: it is repeated without end, write the most too, as in `{2,64}`",
        ),
        (
            "[0-9]{300}",
            "custom detector `x`, column 6 of its pattern: it is repeated too often, at most 256 times may be",
        ),
        ("([0-9]{99}){9}", "custom detector `x`, its pattern: it matches more than 256 bytes, write smaller repeats"),
        ("a?b?", "custom detector `x`, its pattern: it matches 0 bytes, write one that takes 3 at least"),
        ("abc(", "custom detector `x`, column 4 of its pattern: unclosed group"),
        (
            "[z-a]bcd",
            "custom detector `x`, column 2 of its pattern: invalid character class range, the start must be <= the end",
        ),
    ];
    for (pattern, message) in cases {
        assert_eq!(error(&custom("x", pattern, &[])), message, "{pattern}");
    }
    assert_eq!(
        error(&custom("Mine", "abcd", &[])),
        "custom detector `Mine`: a name is 1 to 64 of lower-case letters, digits, `_`, `-` and `/`"
    );
    assert_eq!(error(&custom("email", "abcd", &[])), "custom detector `email`: another detector is called so");
    let many = Selection { custom: vec![Custom::default(); 65], ..Selection::default() };
    assert_eq!(error(&many), "there are more than 64 custom detectors");
}

#[test]
fn a_pattern_costs_a_window_at_most() {
    let detectors = Detectors::new(&custom("x", "(?:a[ab]{0,9}){0,20}abc", &["never"])).unwrap();
    let (mut scratch, mut found) = (Scratch::new(&detectors), Vec::new());
    let text = "abc".repeat(20_000);
    detectors.find(&mut scratch, text.as_bytes(), Hint::default(), &mut found);
    assert!(found.is_empty());
    assert!(scratch.steps() < 600 * text.len() as u64, "{} steps", scratch.steps());
}
