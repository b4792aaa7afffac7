//! What locates what: one pattern per cue, all in one automaton.
//!
//! A pattern is as short as it can be and still rare in ordinary logs: it says where to look, the validator does the rest.

use super::catalog::Built;
use super::{Rules, iban, ids, keys, place, secret};

/// What a hit may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    At,
    Number,
    Plus,
    Ipv4,
    Ipv6Short,
    Ipv6Full,
    Mac,
    MacDotted,
    Jwt,
    Pem,
    Basic,
    Bearer,
    Signed,
    Field,
    Option,
    Ethereum,
    Bech32,
    Pair,
    Named,
    Iban,
    /// An id with letters: which, and which form of it.
    Lettered(usize, usize),
    /// Keys that say whose they are.
    Key,
    /// A provider's name.
    Keyword,
    /// What was masked before.
    Marker,
    /// An escape.
    Escape,
    /// A custom detector.
    Custom(usize),
}

const SIGNED: &str = "(?i:x-amz-signature|x-amz-credential|x-amz-security-token|awsaccesskeyid|x-goog-signature|x-goog-credential|\
    x-oss-signature|x-cos-security-token|[?&]signature|[?&]sig|[?&]hmac|[?&]key-pair-id|[?&]ossaccesskeyid|[?&]se_sig)(?i:=|%3D)";

/// The cues of what is on, and their patterns. `heads` are those of keys.
pub(super) fn all(rules: &Rules, heads: &[keys::Head]) -> Vec<(Cue, String)> {
    const FIXED: &[(Cue, &[Built], &str)] = &[
        (Cue::At, &[Built::Email, Built::Userinfo, Built::Database], "@"),
        (Cue::Plus, &[Built::Phone], "\\+[ (]?[1-9]"),
        (Cue::Ipv4, &[Built::Ipv4], "\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]"),
        (Cue::Ipv6Short, &[Built::Ipv6], "::"),
        (Cue::Ipv6Full, &[Built::Ipv6], "(?i:(?::[0-9a-f]{1,4}){5}:[0-9a-f])"),
        (Cue::Mac, &[Built::Mac], "(?i:(?:[:-][0-9a-f]{2}){5})"),
        (Cue::MacDotted, &[Built::Mac], "(?i:(?:\\.[0-9a-f]{4}){2})"),
        (Cue::Jwt, &[Built::Jwt], "(?:\\A|[^0-9A-Za-z])eyJ[0-9A-Za-z_-]"),
        (Cue::Pem, &[Built::PrivateKey], "-----BEGIN "),
        (Cue::Basic, &[Built::Basic], "(?i:basic )[0-9A-Za-z+/=]"),
        (Cue::Bearer, &[Built::Bearer], "(?i:bearer)[ :=]"),
        (Cue::Signed, &[Built::Signature], SIGNED),
        (Cue::Field, &[Built::Password], secret::FIELD),
        (Cue::Option, &[Built::Password], secret::OPTION),
        (Cue::Ethereum, &[Built::Ethereum], "(?:\\A|[^0-9A-Za-z])0x(?i:[0-9a-f]{8})"),
        (Cue::Bech32, &[Built::Bitcoin], "(?:\\A|[^0-9A-Za-z])(?i:bc1|tb1|ltc1|bcrt1)[0-9A-Za-z]"),
        (Cue::Pair, &[Built::Coordinates], place::PAIR),
        (Cue::Named, &[Built::Coordinates], place::NAMED),
        (Cue::Marker, &[], "\\[REDACTED:"),
        (Cue::Escape, &[], "(?:%[2-7]|\\\\u00[2-7])[0-9A-Fa-f]"),
    ];
    let on = |built: &Built| rules.is_on(built.id());
    let mut cues: Vec<(Cue, String)> = FIXED
        .iter()
        .filter(|(_, of, _)| of.is_empty() || of.iter().any(on))
        .map(|(cue, _, pattern)| (*cue, (*pattern).to_owned()))
        .collect();
    if on(&Built::Iban) {
        cues.push((Cue::Iban, iban::pattern()));
    }
    // Cards, phones and ids alike: whether they are on is asked where they are found. Once per run of digits in groups, for
    // a start at each group would make a state of each way to part eight digits.
    cues.push((
        Cue::Number,
        "(?:\\A|[^0-9 ./()-]|[ ./()-]{3})[ ./()-]{0,2}[0-9](?:(?:[ ./()-]{0,2}|[\\xc2\\xc3][\\xa0-\\xbf])[0-9]){7}"
            .to_owned(),
    ));
    for (index, id) in ids::all().enumerate().filter(|(index, _)| rules.is_on(ids::id(*index))) {
        let forms = id.lettered.iter().enumerate().filter(|(_, lettered)| !lettered.pattern.is_empty());
        cues.extend(forms.map(|(form, lettered)| (Cue::Lettered(index, form), lettered.pattern.to_owned())));
    }
    let wanted = heads.iter().enumerate().filter(|(index, _)| rules.keys.ids_of_head(*index).any(|id| rules.is_on(id)));
    cues.extend(keys::locators(wanted.map(|(_, head)| head)).map(|pattern| (Cue::Key, pattern)));
    let words = rules.keys.keywords.iter();
    let words = words.filter(|(_, rows)| rules.keys.ids_of(rows).any(|id| rules.is_on(id)));
    let words = keys::locator_of_words(words.map(|(word, _)| *word));
    if !words.is_empty() {
        cues.push((Cue::Keyword, words));
    }
    // What is located in any case has a quarter of the states; validators look at the case themselves.
    // A text is searched as if a line feed and a blank stood before it, so its start needs no states of its own.
    cues.into_iter().map(|(cue, pattern)| (cue, format!("(?i:{})", pattern.replace("\\A|", "")))).collect()
}
