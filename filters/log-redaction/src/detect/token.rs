//! Tokens that say what they are: JWT, private keys in PEM, `Basic` and `Bearer`, parameters that sign URLs.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::catalog::Built;
use super::text::{
    ALNUM, BACKSLASH, BASE64, COLON, DIGIT, DOT, EQUALS, PERCENT, SPACE, TILDE, TOKEN, UPPER, URL64, is,
};
use super::{Candidate, Look, Strength};

/// The longest token that is walked, in bytes; what is longer is cut there, and what follows found by its own.
const LONGEST: usize = 16 << 10;
/// The longest header of a JWT that is decoded, in bytes.
const HEADER: usize = 2048;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
pub(super) const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
pub(super) const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The JWT whose header starts with what ends at `end`: `eyJ` and one more.
pub(super) fn jwt(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let start = end.checked_sub(4)?;
    if !text.starts(start, b"eyJ") || !text.opens(start, URL64) {
        return None;
    }
    let header = text.run(URL64, start, HEADER);
    if text.at(header) != Some(b'.') {
        return None;
    }
    let mut decoded = [0; HEADER];
    let length = URL_SAFE.decode_slice(text.slice(start, header), &mut decoded).ok()?;
    let decoded = decoded.get(..length)?;
    let json = decoded.starts_with(b"{") && decoded.ends_with(b"}");
    if !json || !decoded.windows(5).any(|window| window == b"\"alg\"") {
        return None;
    }
    let mut at = text.run(URL64, header + 1, LONGEST);
    // JWS has three parts, JWE five; a detached payload is empty. What was cut off is secret too.
    for _ in 0..3 {
        if text.at(at) == Some(b'.') && (text.is(at + 1, URL64) || text.at(at + 1) == Some(b'.')) {
            at = text.run(URL64, at + 1, LONGEST);
        }
    }
    look.found(Built::Jwt, start, at, Strength::Proved)
}

/// The private key after `-----BEGIN `, which ends at `end`.
pub(super) fn pem(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let start = end.checked_sub(11)?;
    let label = text.run(UPPER | DIGIT | SPACE, end, 40);
    let named = text.slice(end, label);
    let key = named.ends_with(b"PRIVATE KEY") || named.ends_with(b"PRIVATE KEY BLOCK");
    if !key || !text.starts(label, b"-----") {
        return None;
    }
    let body = label + 5;
    // The next dashes are those of its end, or of something else; then it was cut off.
    let dashes = text.find(b"-----", body, LONGEST);
    let end = match dashes.filter(|at| text.starts(*at, b"-----END ")) {
        Some(close) => {
            let label = text.run(UPPER | DIGIT | SPACE, close + 9, 40);
            if text.starts(label, b"-----") { label + 5 } else { close + 9 }
        }
        // Lines of base64, as far as they go.
        None => {
            let limit = dashes.unwrap_or(body + LONGEST).min(text.len());
            text.run(BASE64 | EQUALS | BACKSLASH, body, limit - body).max(lines(look, body, limit))
        }
    };
    look.found(Built::PrivateKey, start, end, Strength::Proved)
}

/// Where lines of nothing but base64 end.
fn lines(look: &Look<'_>, from: usize, to: usize) -> usize {
    let mut end = from;
    for line in look.text.slice(from, to).split_inclusive(|byte| *byte == b'\n') {
        if !line.trim_ascii().iter().all(|byte| is(*byte, BASE64 | EQUALS | BACKSLASH)) {
            break;
        }
        end += line.len();
    }
    end
}

/// What follows `Basic `, whose first byte ends at `end`.
pub(super) fn basic(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let start = end.checked_sub(1)?;
    if !text.opens(start - 6, ALNUM) {
        return None;
    }
    let stop = text.run(BASE64 | EQUALS, start, 1024);
    let mut decoded = [0; 1024];
    let length = STANDARD.decode_slice(text.slice(start, stop), &mut decoded).ok()?;
    let decoded = decoded.get(..length)?;
    let printable = decoded.iter().all(|byte| *byte >= b' ' && *byte != 127);
    let colon = decoded.contains(&b':');
    if printable && colon && stop - start >= 4 { look.found(Built::Basic, start, stop, Strength::Proved) } else { None }
}

/// What follows `Bearer`, which ends with a separator at `end`.
pub(super) fn bearer(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    if !text.opens(end.checked_sub(7)?, ALNUM) {
        return None;
    }
    let start = text.run(SPACE | COLON | EQUALS, end, 3);
    let mut stop = text.run(TOKEN | PERCENT | COLON, start, LONGEST);
    while stop > start && text.is_before(stop, DOT | COLON) {
        stop -= 1;
    }
    let token = text.slice(start, stop.min(start + 256));
    let digits = token.iter().any(u8::is_ascii_digit);
    let long = token.len() >= 20 && mixed(token);
    if token.len() >= 8 && digits || long { look.found(Built::Bearer, start, stop, Strength::Shaped) } else { None }
}

/// Upper and lower case after each other more than a word has.
fn mixed(token: &[u8]) -> bool {
    let rises =
        token.windows(2).filter(|two| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    rises.count() >= 2
}

/// Parameters that hold nothing else, whatever it looks like.
const SIGNS: &[&[u8]] = &[
    b"x-amz-signature",
    b"x-amz-credential",
    b"x-amz-security-token",
    b"awsaccesskeyid",
    b"x-goog-signature",
    b"x-goog-credential",
    b"x-oss-signature",
    b"x-cos-security-token",
];

/// The value of a parameter that signs a URL; its `=` or `%3D` ends at `end`.
pub(super) fn signed(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let stop = text.run(TOKEN & !EQUALS | EQUALS | PERCENT | TILDE, end, 4096);
    if stop == end || text.starts(end, super::text::MARKER) || text.starts(end, b"REDACTED") {
        return None;
    }
    let name = end - if text.before(end) == Some(b'=') { 1 } else { 3 };
    let ends = |with: &&[u8]| name.checked_sub(with.len()).is_some_and(|start| text.starts_folded(start, with));
    // `?sig=` and `&signature=` are others' parameters too.
    let digits = || text.slice(end, stop.min(end + 256)).iter().any(|byte| is(*byte, DIGIT | PERCENT));
    if SIGNS.iter().any(ends) || stop - end >= 6 && digits() {
        return look.found(Built::Signature, end, stop, Strength::Shaped);
    }
    None
}
