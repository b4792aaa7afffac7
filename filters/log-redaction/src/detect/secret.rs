//! What a field holds that is called after a secret: in a record by its name, and in a text by `name=value`,
//! `name: value`, JSON, XML and options of a command line.

use super::catalog::Built;
use super::keys::entropy;
use super::text::{ALNUM, Class, DASH, DOT, HIGH, MARKER, QUOTE, REST, SPACE, UNDERSCORE, is};
use super::words::{ABOUT, SECRET, TOKEN};
use super::{Candidate, Look, Strength};

/// The longest value, in bytes.
const LONGEST: usize = 1024;
/// How much of it is looked at to say whether it is one.
const LOOKED_AT: usize = 256;

/// Whether it is written where no value is, or what sentences go on with.
fn is_no_value(value: &[u8]) -> bool {
    // None of them is longer.
    let mut lower = [0; 14];
    let Some(place) = lower.get_mut(..value.len()) else { return false };
    place.copy_from_slice(value);
    place.make_ascii_lowercase();
    matches!(
        &*place,
        b"null"
            | b"nil"
            | b"none"
            | b"undefined"
            | b"true"
            | b"false"
            | b"redacted"
            | b"filtered"
            | b"masked"
            | b"hidden"
            | b"required"
            | b"invalid"
            | b"incorrect"
            | b"missing"
            | b"expired"
            | b"wrong"
            | b"ok"
            | b"failed"
            | b"must"
            | b"empty"
            | b"unset"
            | b"not"
            | b"is"
            | b"was"
            | b"the"
            | b"a"
            | b"n/a"
            | b"yes"
            | b"no"
            | b"string"
            | b"<nil>"
            | b"[filtered]"
            | b"[hidden]"
            | b"[masked]"
            | b"optional"
            | b"denied"
            | b"rejected"
            | b"accepted"
            | b"set"
            | b"present"
            | b"absent"
            | b"unknown"
            | b"bearer"
            | b"basic"
            | b"secret"
            | b"password"
            | b"changed"
            | b"mismatch"
            | b"too"
            | b"cannot"
            | b"for"
            | b"from"
            | b"in"
            | b"to"
            | b"with"
            | b"and"
            | b"or"
            | b"on"
            | b"by"
            | b"authentication"
            | b"plain"
            | b"default"
            | b"some"
            | b"any"
            | b"no,"
            | b"unauthorized"
            | b"forbidden"
            | b"revoked"
            | b"valid"
            | b"success"
            | b"error"
            | b"user"
            | b"disabled"
            | b"enabled"
    )
}

/// The locators: a word and what separates it from its value, and options of a command line.
pub(super) const FIELD: &str = concat!(
    "(?i:pass(?:word|wd|wort|phrase|code)s?|pwd|pass|kennwort|senha|wachtwoord|contrase(?:n|[\\xc2\\xc3][\\xa0-\\xbf])a|mot_?de_?passe|",
    "secret(?:[ _-]?(?:access[ _-]?)?key)?s?|credentials?|(?:api|access|auth|private|secret|account|shared|signing|encryption|master|service)[ _-]?key|",
    "api[_-]?token|token|authorization|cookie|session[_-]?id|jsessionid|phpsessid|csrf|sid|cvv2?|cvc|otp|mnemonic)",
    "[\"'\\\\\\]]{0,3}[ \\t]{0,2}(?:[:=>])"
);
pub(super) const OPTION: &str =
    "(?:\\A|[ \"'=:\\[,])--?(?i:[a-z-]*(?:password|passwd|secret|token|api-key|apikey|access-key|pass))[ =][^ ]";

/// The value of a whole field, by its name.
pub(super) fn by_name(look: &Look<'_>) -> Option<Candidate> {
    let (all, last) = look.key_bits;
    let text = &look.text;
    let strong = all & SECRET != 0;
    if !(strong || all & TOKEN != 0) || last & ABOUT != 0 {
        return None;
    }
    let mut start = text.run(SPACE, 0, 64);
    let mut end = text.len();
    while end > start && text.is_before(end, SPACE) {
        end -= 1;
    }
    // `Authorization: Splunk …`: the scheme may stay.
    for scheme in [&b"basic "[..], b"bearer ", b"token ", b"splunk ", b"apikey ", b"digest ", b"negotiate ", b"hawk "] {
        if text.starts_folded(start, scheme) {
            start += scheme.len();
        }
    }
    value(look, start, end, strong)
}

/// The value after a word and its separator, which end at `end`.
pub(super) fn in_text(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let separator = text.before(end)?;
    // `=>` of Ruby and PHP, `==` and `!=` of code.
    let mut at = end + usize::from(separator == b'=' && text.at(end) == Some(b'>'));
    if matches!(text.at(end), Some(b'=' | b':')) {
        return None;
    }
    at = text.run(SPACE, at, 2);
    let mut name_end = end - 1;
    while name_end > 0 && text.is_before(name_end, QUOTE | SPACE | super::text::BACKSLASH) && end - name_end < 8 {
        name_end -= 1;
    }
    if text.before(name_end) == Some(b']') {
        name_end -= 1;
    }
    let name_start = text.run_back(ALNUM | UNDERSCORE | DASH | DOT | HIGH, name_end, 48);
    // The name before the `:` of `https://token:…@host` is another detector's.
    if !text.opens(name_start, ALNUM) || text.ends(name_start, b"://") {
        return None;
    }
    // `<password>` and `password=`, but no `->password > 3`.
    if separator == b'>' && text.before(name_start) != Some(b'<') {
        return None;
    }
    let (all, last) = look.rules.words.name(text.slice(name_start, name_end));
    let strong = all & SECRET != 0;
    let weak = all & TOKEN != 0 || look.key_bits.0 & TOKEN != 0;
    if !(strong || weak) || last & ABOUT != 0 {
        return None;
    }
    let (start, stop) = extent(look, at, separator)?;
    let mut start = start;
    let schemes: &[&[u8]] = match text.at(start).map(|byte| byte.to_ascii_lowercase()) {
        Some(b'a' | b'b' | b's' | b't') => &[b"basic ", b"bearer ", b"token ", b"splunk ", b"apikey "],
        _ => &[],
    };
    for scheme in schemes {
        if text.starts_folded(start, scheme) {
            let (from, _) = extent(look, start + scheme.len(), b':')?;
            start = from;
        }
    }
    let stop = if start > stop { extent(look, start, b':')?.1 } else { stop };
    value(look, start, stop, strong)
}

/// The value after an option and one byte of it, which end at `end`.
pub(super) fn option(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let at = end.checked_sub(1)?;
    if text.at(at) == Some(b'-') {
        return None;
    }
    let (start, stop) = extent(look, at, b'=')?;
    let name_end = at - 1;
    let name = text.run_back(ALNUM | DASH, name_end, 32);
    let strong = look.rules.words.name(text.slice(name, name_end)).0 & SECRET != 0;
    value(look, start, stop, strong)
}

/// Where the value at `at` starts and ends: what quotes hold, or up to what separates values.
fn extent(look: &Look<'_>, at: usize, separator: u8) -> Option<(usize, usize)> {
    let text = &look.text;
    let escaped = usize::from(text.at(at) == Some(b'\\') && text.is(at + 1, QUOTE));
    let quote = text.at(at + escaped).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let start = at + escaped + usize::from(quote.is_some());
    let (known_start, known_end) = look.extent.get();
    // Neither quotes nor a tag say where it ends.
    let bare = quote.is_none() && separator != b'>';
    let known = bare && known_start <= start && start < known_end;
    let mut end = if known { known_end } else { start };
    if bare {
        // Nearly all bytes of a value end none.
        let rest = text.all().get(end..text.len().min(start + LONGEST)).unwrap_or_default();
        let length = rest.iter().position(|byte| is(*byte, ENDS) && ends(*byte)).unwrap_or(rest.len());
        text.spend(length + 1);
        end += length;
    }
    while !bare && end - start < LONGEST {
        let Some(byte) = text.at(end) else { break };
        let stop = match quote {
            Some(quote) if escaped == 0 && byte == b'\\' && text.at(end + 1) == Some(quote) => {
                end += 2;
                continue;
            }
            Some(quote) => byte == quote || escaped == 1 && byte == b'\\' && text.at(end + 1) == Some(quote),
            None => byte == b'<',
        };
        if stop {
            break;
        }
        end += 1;
    }
    if bare {
        look.extent.set((start, end));
        // The end of a sentence.
        while end > start && matches!(text.before(end), Some(b'.' | b':' | b'?' | b'!')) && text.is(end, SPACE) {
            end -= 1;
        }
    }
    (end > start).then_some((start, end))
}

/// Kinds that what ends a value without quotes is of.
const ENDS: Class = SPACE | QUOTE | REST;

/// Whether a byte ends a value without quotes.
fn ends(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b',' | b';' | b'&' | b'"' | b'\'' | b'`' | b'<' | b')' | b'}' | b']' | b'|')
}

fn value(look: &Look<'_>, start: usize, end: usize, strong: bool) -> Option<Candidate> {
    let text = &look.text;
    let value = text.slice(start, end.min(start + LOOKED_AT));
    // A brace is where a structure begins.
    let sign = matches!(value, [byte] if !byte.is_ascii_alphanumeric());
    if value.is_empty() || sign || value.starts_with(MARKER) || is_nothing(value) {
        return None;
    }
    let found = || look.found(Built::Password, start, end, Strength::Told);
    if strong {
        return found();
    }
    // What is left around something masked looks otherwise than it did.
    if value.windows(MARKER.len()).any(|window| window == MARKER) {
        return None;
    }
    let sentence = value.contains(&b' ') && !value.contains(&b'=');
    let digits = value.iter().any(u8::is_ascii_digit);
    let letters = value.iter().any(u8::is_ascii_alphabetic);
    let looks = value.len() >= 12 && digits && letters || value.len() >= 20 && entropy(value) > 3.5;
    if looks && !sentence { found() } else { None }
}

/// Whether nothing is there, or something that was masked or is filled in later.
fn is_nothing(value: &[u8]) -> bool {
    let known = is_no_value(value);
    let stars = value.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'?' | b'#'));
    let filled =
        value.starts_with(b"${") || value.starts_with(b"{{") || value.starts_with(b"<%") || value.starts_with(b"$(");
    let shown = value.starts_with(b"%") && value.len() <= 3;
    let bracket = value.first() == Some(&b'<') && value.last() == Some(&b'>');
    known || stars || filled || shown || bracket || value.starts_with(b"[REDACTED") || value == b"["
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_value_is_of_the_kinds_that_are_looked_at() {
        for byte in 0..=255 {
            assert!(!ends(byte) || is(byte, ENDS), "{byte}");
        }
    }
}
