//! `x-forwarded-client-cert` (XFCC), as far as this Envoy itself wrote it.
//!
//! ```text
//! By=spiffe://…;Hash=ab…;Subject="CN=a",By=spiffe://…;Hash=cd…;Subject="CN=\"b\"";URI=spiffe://…;URI=urn:…;DNS=b.example
//! └ an element: what a hop before told      └ the last element: what this Envoy tells of its peer
//! ```

/// The longest header that is read.
const MAX_BYTES: usize = 64 * 1024;

/// The most names that are read.
const MAX_NAMES: usize = 64;

/// A subject alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    Uri(&'a str),
    Dns(&'a str),
}

/// The names in the element that this Envoy wrote about the certificate with this SHA-256, in lower-case hex;
/// or why they cannot be told.
///
/// Elements stand apart by commas, pairs by `;`, and a value may be quoted, with `\"` for a quote. But Envoy
/// writes names as they are, without quotes, whatever they hold (envoyproxy/envoy#32945), and appends its
/// element to what the client sent. A comma in a name, or a quote that the client left open, would hide
/// names from a reader that goes by the grammar alone.
///
/// INVARIANT: the element is found by the digest, which no certificate can hold of itself, so no name is
/// hidden before it or behind another one.
pub(super) fn names<'a>(xfcc: &'a [u8], digest: &[u8]) -> Result<Vec<Name<'a>>, &'static str> {
    if xfcc.len() > MAX_BYTES {
        return Err("x-forwarded-client-cert is too long");
    }
    let mut rest = after_hash(xfcc, digest).ok_or("x-forwarded-client-cert tells nothing of the peer's certificate")?;
    let mut names = Vec::new();
    while let Some((sign, pair)) = rest.split_first() {
        match sign {
            b';' => {}
            b',' => return Err("an x-forwarded-client-cert element follows the peer's"),
            _ => return Err(MALFORMED),
        }
        let (key, value, after) = split_pair(pair).ok_or(MALFORMED)?;
        if key.eq_ignore_ascii_case(b"URI") {
            names.push(Name::Uri(text(value)?));
        } else if key.eq_ignore_ascii_case(b"DNS") {
            names.push(Name::Dns(text(value)?));
        }
        if names.len() > MAX_NAMES {
            return Err("x-forwarded-client-cert holds too many names");
        }
        rest = after;
    }
    Ok(names)
}

const MALFORMED: &str = "x-forwarded-client-cert cannot be read";

/// What stands behind the last `Hash=<digest>`, where that is a pair of an element.
fn after_hash<'a>(xfcc: &'a [u8], digest: &[u8]) -> Option<&'a [u8]> {
    if digest.is_empty() {
        return None;
    }
    let pair = [b"Hash=", digest].concat();
    let at = xfcc.windows(pair.len()).rposition(|window| window == pair)?;
    let (before, from) = xfcc.split_at_checked(at)?;
    from.strip_prefix(pair.as_slice()).filter(|_| matches!(before.last(), None | Some(b';' | b',')))
}

/// Key and value of the pair at the beginning, and what follows it.
fn split_pair(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let equals = bytes.iter().position(|b| *b == b'=')?;
    let (key, value) = (bytes.get(..equals)?, bytes.get(equals + 1..)?);
    if key.is_empty() || !key.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let mut escaped = false;
        let end = quoted.iter().position(|b| {
            let ends = *b == b'"' && !escaped;
            escaped = *b == b'\\' && !escaped;
            ends
        })?;
        return Some((key, quoted.get(..end)?, quoted.get(end + 1..)?));
    }
    let end = value.iter().position(|b| matches!(b, b';' | b',')).unwrap_or(value.len());
    let (value, after) = value.split_at_checked(end)?;
    (!value.contains(&b'"')).then_some((key, value, after))
}

/// A name that could be read in one way only.
fn text(value: &[u8]) -> Result<&str, &'static str> {
    if value.iter().any(|b| matches!(b, b'"' | b'\\' | b',' | b';')) {
        return Err("a name of the peer's certificate holds signs of x-forwarded-client-cert");
    }
    super::certificate::text(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: Name<'_> = Name::Uri("spiffe://mesh.example/tenant/acme/sa/web");

    fn read(xfcc: &str) -> Result<Vec<Name<'_>>, &'static str> {
        names(xfcc.as_bytes(), b"cd")
    }

    #[test]
    fn the_element_of_the_peer_is_read_as_envoy_writes_it() {
        for before in ["", "By=spiffe://mesh.example/gw;", "Hash=ab;URI=spiffe://mesh.example/x,By=a;By=b;"] {
            let xfcc = format!(
                "{before}Hash=cd;Cert=\"-----BEGIN%20\";Subject=\"O=\\\"a\\\\\\\";URI=b\\\",c;d\\\\\";\
                 URI=spiffe://mesh.example/tenant/acme/sa/web;URI=urn:a=b;uri=;DNS=\"a.example\""
            );
            let expected = [ACME, Name::Uri("urn:a=b"), Name::Uri(""), Name::Dns("a.example")];
            assert_eq!(read(&xfcc).as_deref(), Ok(expected.as_slice()), "{xfcc}");
        }
        assert_eq!(read("Hash=cd"), Ok(vec![]));
    }

    /// A certificate of two tenants, and a name or a client that tries to hide the second.
    #[test]
    fn no_name_hides_another() {
        let own =
            "By=gw;Hash=cd;URI=spiffe://mesh.example/tenant/acme/sa/web;URI=spiffe://mesh.example/tenant/globex/sa/x";
        assert_eq!(read(own).map(|names| names.len()), Ok(2));
        for (client, name) in [
            ("", ",Hash=ef;URI=spiffe://mesh.example/tenant/acme/sa/web"),
            ("", ";URI=\"x;y\""),
            ("", ";a"),
            ("", ";URI=a\""),
            ("", ";URI=a\\"),
            ("Hash=cd;Subject=\",", ";URI=urn:a\""),
            ("Hash=cd;Subject=\",", ",Hash=ef;Subject=\"\""),
            ("x=\"", "\""),
        ] {
            let xfcc = format!("{client}{own}{name}");
            let hidden = read(&xfcc).is_ok_and(|names| names.len() < 2);
            assert!(!hidden, "{xfcc} is read as {:?}", read(&xfcc));
        }
    }

    #[test]
    fn what_is_not_of_the_peer_is_not_read() {
        for xfcc in
            ["", "Hash=ab;URI=a", "xHash=cd;URI=a", "Hash=cde", "Hash=cd;URI", "Hash=cd;=a", "hash=cd", "Hash=cd;"]
        {
            assert!(read(xfcc).is_err(), "{xfcc}");
        }
        assert!(names(b"Hash=;URI=a", b"").is_err());
        assert!(read(&format!("Hash=cd{}", ";URI=a".repeat(MAX_NAMES))).is_ok());
        assert!(read(&format!("Hash=cd{}", ";URI=a".repeat(MAX_NAMES + 1))).is_err());
        assert!(read(&format!("Hash=cd;Cert={}", "a".repeat(MAX_BYTES))).is_err());
    }
}
