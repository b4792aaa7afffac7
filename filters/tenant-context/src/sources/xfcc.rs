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
/// element to what the client sent. A comma in a name, or a quote that the client or a name left open, would
/// hide names from a reader that goes by the grammar alone. So this one also goes by what Envoy can have written:
/// first the details that it quotes, then the names.
///
/// INVARIANT: a name without [signs](has_signs) that stands in the certificate is given back as it is, or the
/// whole is an error. The element is found by the digest, which no certificate can hold of itself; behind
/// the first name nothing swallows another.
pub(super) fn names<'a>(xfcc: &'a [u8], digest: &[u8]) -> Result<Vec<Name<'a>>, &'static str> {
    if xfcc.len() > MAX_BYTES {
        return Err("x-forwarded-client-cert is too long");
    }
    let (_, mut rest) = around_hash(xfcc, digest).ok_or(NOT_OF_THE_PEER)?;
    let mut names = Vec::new();
    while let Some((sign, pair)) = rest.split_first() {
        match sign {
            b';' => {}
            b',' => return Err("an x-forwarded-client-cert element follows the peer's"),
            _ => return Err(MALFORMED),
        }
        let (key, value) =
            pair.split_at_checked(pair.iter().position(|b| *b == b'=').ok_or(MALFORMED)?).ok_or(MALFORMED)?;
        rest = match key {
            b"Subject" | b"Cert" | b"Chain" if names.is_empty() => quoted(value).ok_or(MALFORMED)?.1,
            b"URI" | b"DNS" => {
                let (name, after) = quoted(value).or_else(|| plain(value)).ok_or(MALFORMED)?;
                if has_signs(name) {
                    return Err("a name of the peer's certificate holds signs of x-forwarded-client-cert");
                }
                let name = super::certificate::text(name)?;
                names.push(if key == b"URI" { Name::Uri(name) } else { Name::Dns(name) });
                after
            }
            _ => return Err(MALFORMED),
        };
        if names.len() > MAX_NAMES {
            return Err("x-forwarded-client-cert holds too many names");
        }
    }
    Ok(names)
}

/// The one URI in the one element before the one that this Envoy wrote about the certificate with this SHA-256,
/// where `gateway`, which is the SPIFFE ID in that certificate, wrote it; or why it cannot be told.
///
/// ```text
/// By=<gateway>;Hash=ab…;Subject="CN=a";URI=<what is given back>,By=spiffe://…;Hash=<digest>;…
/// └ what the gateway told of its own peer                     └ what this Envoy tells of the gateway
/// ```
///
/// INVARIANT: whoever calls the gateway chooses no more than that URI. A gateway that sets the header
/// (`SANITIZE_SET`) lets nothing of a client's through, and the rest is its own but for the names, which Envoy
/// writes as they are. So a name without [signs](has_signs) ends the element: behind it no other pair is read,
/// and no other element.
pub(super) fn forwarded<'a>(xfcc: &'a [u8], digest: &[u8], gateway: &str) -> Result<&'a [u8], &'static str> {
    // Of this Envoy's own element nothing is needed but that it ends the header, as Envoy writes it.
    names(xfcc, digest)?;
    let (before, _) = around_hash(xfcc, digest).ok_or(NOT_OF_THE_PEER)?;
    let by = before.strip_prefix(b"By").and_then(plain).filter(|(by, _)| *by == gateway.as_bytes());
    let (_, rest) = by.ok_or("x-forwarded-client-cert does not begin with an element of the gateway that calls")?;
    let (hash, mut rest) = rest.strip_prefix(b";Hash").and_then(plain).ok_or(MALFORMED_BEFORE)?;
    if hash.is_empty() || !hash.iter().all(u8::is_ascii_hexdigit) {
        return Err(MALFORMED_BEFORE);
    }
    while let Some(value) = DETAILS.iter().find_map(|detail| rest.strip_prefix(*detail)) {
        rest = quoted(value).ok_or(MALFORMED_BEFORE)?.1;
    }
    let (uri, rest) = rest.strip_prefix(b";URI").and_then(plain).ok_or("the gateway tells no URI of who calls it")?;
    let own = rest.strip_prefix(b",").ok_or("the gateway tells more than one URI of who calls it")?;
    if !is_beginning(own) {
        return Err("x-forwarded-client-cert holds more than what the gateway and this Envoy tell");
    }
    if has_signs(uri) {
        return Err("the URI that the gateway tells holds signs of x-forwarded-client-cert");
    }
    Ok(uri)
}

/// What Envoy writes in quotes, before the names.
const DETAILS: &[&[u8]] = &[b";Cert", b";Chain", b";Subject"];

/// Whether this is how an element of Envoy's begins before its `Hash=`: with the names of its own certificate.
fn is_beginning(mut element: &[u8]) -> bool {
    while let Some((_, rest)) = element.strip_prefix(b"By").and_then(plain) {
        let Some(rest) = rest.strip_prefix(b";") else { return false };
        element = rest;
    }
    element.is_empty()
}

/// Whether a name could not be told from what stands around it in the header.
pub(super) fn has_signs(name: &[u8]) -> bool {
    name.iter().any(|b| matches!(b, b'"' | b'\\' | b',' | b';'))
}

const MALFORMED: &str = "x-forwarded-client-cert cannot be read";
const MALFORMED_BEFORE: &str = "what the gateway tells of who calls it cannot be read";
const NOT_OF_THE_PEER: &str = "x-forwarded-client-cert tells nothing of the peer's certificate";

/// What stands before and behind the last `Hash=<digest>`, where that is a pair of an element.
fn around_hash<'a>(xfcc: &'a [u8], digest: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    if digest.is_empty() {
        return None;
    }
    let pair = [b"Hash=", digest].concat();
    let at = xfcc.windows(pair.len()).rposition(|window| window == pair)?;
    let (before, from) = xfcc.split_at_checked(at)?;
    let after = from.strip_prefix(pair.as_slice())?;
    matches!(before.last(), None | Some(b';' | b',')).then_some((before, after))
}

/// The value between `="` and the quote that ends it, and what follows.
fn quoted(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = value.strip_prefix(b"=\"")?;
    let mut escaped = false;
    let end = value.iter().position(|b| {
        let ends = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        ends
    })?;
    Some((value.get(..end)?, value.get(end + 1..)?))
}

/// The value between `=` and the next sign that ends it, and what follows.
fn plain(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = value.strip_prefix(b"=")?;
    value.split_at_checked(value.iter().position(|b| matches!(b, b';' | b',')).unwrap_or(value.len()))
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
                 URI=spiffe://mesh.example/tenant/acme/sa/web;URI=urn:a=b;URI=;DNS=\"a.example\""
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
            ("", ";URI=a;RI=b"),
            ("", ";URI=a;Subject=\"\""),
            ("", ";a"),
            ("", ";URI=a\""),
            ("", ";URI=a\\"),
            ("Hash=cd;Subject=\",", ";URI=urn:a\""),
            ("Hash=cd;Subject=\",", ",Hash=ef;Subject=\"\""),
            ("x=\"", "\""),
        ] {
            let xfcc = format!("{client}{own}{name}");
            assert!(read(&xfcc).is_err(), "{xfcc} is read as {:?}", read(&xfcc));
        }
        let swallowed = "Hash=cd;URI=x;Subject=\";URI=spiffe://mesh.example/tenant/globex/sa/x;URI=y\"";
        assert!(read(swallowed).is_err(), "{:?}", read(swallowed));
    }

    const GATEWAY: &str = "spiffe://mesh.example/gw";

    fn told(xfcc: &str) -> Result<&str, &'static str> {
        forwarded(xfcc.as_bytes(), b"cd", GATEWAY).map(|uri| str::from_utf8(uri).unwrap())
    }

    #[test]
    fn what_a_gateway_tells_is_one_uri() {
        for details in ["", ";Cert=\"a%20\"", ";Subject=\"\"", ";Cert=\"a\";Chain=\"b\";Subject=\"CN=\\\",By=x;URI=y\""]
        {
            for own in ["", "By=spiffe://mesh.example/orders;", "By=a;By=;"] {
                let xfcc =
                    format!("By={GATEWAY};Hash=ab{details};URI=spiffe://mesh.example/x,{own}Hash=cd;URI={GATEWAY}");
                assert_eq!(told(&xfcc), Ok("spiffe://mesh.example/x"), "{xfcc}");
            }
        }
    }

    /// All that a client of the gateway chooses are its names; none of them may make it another.
    #[test]
    fn no_name_makes_its_owner_another() {
        let other = "spiffe://mesh.example/other";
        let gateway_also = format!("By={GATEWAY};Hash=ab;URI={other}");
        let forged = [
            "{other};DNS=a",
            "{other};URI=a",
            "{other};Subject=\"",
            "{other};",
            "{other},",
            "{other},By=a",
            "{other},By=a;",
            "{other},Hash=cd",
            "{other},By=a;Hash=cd",
            "{other},By=a;By=b",
            "\"{other}\"",
            "{other}\"",
            "a,{also}",
            "a;Hash=cd,{also}",
            "a,{also},By=a;Hash=cd",
            "a\",{also}",
        ];
        for name in forged {
            let name = name.replace("{other}", other).replace("{also}", &gateway_also);
            for details in ["", ";Subject=\"\"", ";Subject=\"O=\\\"\""] {
                for more in ["", ";URI=urn:a\"", ";URI=urn:a", ";DNS=a,b;c"] {
                    for own in ["", "By=spiffe://mesh.example/orders;"] {
                        let xfcc = format!("By={GATEWAY};Hash=ab{details};URI={name}{more},{own}Hash=cd;URI={GATEWAY}");
                        assert!(told(&xfcc).is_err(), "{xfcc} is read as {:?}", told(&xfcc));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_of_the_peer_is_not_read() {
        for xfcc in [
            "",
            "Hash=ab;URI=a",
            "xHash=cd;URI=a",
            "Hash=cde",
            "Hash=cd;URI",
            "Hash=cd;=a",
            "hash=cd",
            "Hash=cd;",
            "Hash=cd;Subject=a",
            "Hash=cd;uri=a",
        ] {
            assert!(read(xfcc).is_err(), "{xfcc}");
        }
        assert!(names(b"Hash=;URI=a", b"").is_err());
        assert!(read(&format!("Hash=cd{}", ";URI=a".repeat(MAX_NAMES))).is_ok());
        assert!(read(&format!("Hash=cd{}", ";URI=a".repeat(MAX_NAMES + 1))).is_err());
        assert!(read(&format!("Hash=cd;Cert={}", "a".repeat(MAX_BYTES))).is_err());
    }
}
