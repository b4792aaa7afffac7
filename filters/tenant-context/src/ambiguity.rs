//! Refusing what could be read in two ways, rather than choosing one of them.

use partywall_tenancy::Reason;

use crate::sources::without_port;
use crate::{Rejection, Request, Single};

/// Headers that say who calls: one value, or nobody can tell which one counts.
const ONCE: &[&str] = &["authorization", "host", "traceparent"];

/// Checks that method, path, authority and identity headers have exactly one reading.
pub fn check(request: &Request<'_>) -> Result<(), Rejection> {
    let refuse = |what: &'static str| Err(Rejection::new(Reason::AmbiguousRequest, what));
    if request.method.is_empty() || !request.method.iter().all(u8::is_ascii_uppercase) {
        return refuse("the method is not an upper-case word");
    }
    if let Some(what) = path_fault(request.path) {
        return refuse(what);
    }
    if let Some(what) = authority_fault(request.authority) {
        return refuse(what);
    }
    if ONCE.iter().any(|name| request.headers.single(name) == Single::Repeated) {
        return refuse("an identity header is repeated");
    }
    if request.headers.all("authorization").any(is_joined_bearer) {
        return refuse("several credentials stand in one header");
    }
    Ok(())
}

/// Checks that the request names the host that its connection was made for. A browser may reuse a
/// connection for every host of the server's certificate (RFC 9113, section 9.1.1); told 421 it makes
/// a new one. Without SNI there is nothing to compare.
pub(crate) fn check_directed(request: &Request<'_>, server_name: &[u8]) -> Result<(), Rejection> {
    let authority = str::from_utf8(request.authority).unwrap_or_default();
    let host = without_port(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    if server_name.is_empty() || server_name.eq_ignore_ascii_case(host.as_bytes()) {
        return Ok(());
    }
    Err(Rejection::new(Reason::MisdirectedRequest, "the connection was made for another host than the authority"))
}

/// Envoy joins repeated `authorization` headers with commas before a filter sees them. A Bearer token holds
/// none (RFC 6750, section 2.1), so a comma beside one means that something else was sent as well.
fn is_joined_bearer(value: &[u8]) -> bool {
    const BEARER: &[u8] = b"bearer ";
    value.contains(&b',') && value.windows(BEARER.len()).any(|w| w.eq_ignore_ascii_case(BEARER))
}

/// Whether `path` is anything but the one canonical spelling of itself (RFC 3986, section 6.2.2).
fn path_fault(path: &[u8]) -> Option<&'static str> {
    let only = path.split(|b| *b == b'?').next().unwrap_or_default();
    if only.first() != Some(&b'/') {
        return Some("the path does not begin with `/`");
    }
    if !path.iter().all(u8::is_ascii_graphic) {
        return Some("the path holds a byte outside printable ASCII");
    }
    if only.iter().any(|b| matches!(b, b'\\' | b';' | b'#')) {
        return Some("the path holds `\\`, `;` or `#`");
    }
    // The last segment may be empty (a trailing slash); an empty one inside is `//`.
    let mut segments = only.split(|b| *b == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"." | b".." => return Some("the path holds a dot segment"),
            b"" if segments.peek().is_some() => return Some("the path holds an empty segment"),
            _ => {}
        }
    }
    percent_fault(only)
}

/// Encoded characters are fine where the encoding changes nothing; these change what a segment is.
fn percent_fault(path: &[u8]) -> Option<&'static str> {
    let mut rest = path;
    while let Some(at) = rest.iter().position(|b| *b == b'%') {
        let after = rest.get(at + 1..).unwrap_or_default();
        let Some(byte) = after.first_chunk().and_then(|[a, b]| Some(hex(*a)? << 4 | hex(*b)?)) else {
            return Some("the path holds a broken percent-encoding");
        };
        match byte {
            b'/' | b'\\' => return Some("the path holds an encoded slash"),
            b'%' => return Some("the path is encoded twice"),
            0..=0x1f | 0x7f => return Some("the path holds an encoded control character"),
            b'-' | b'.' | b'_' | b'~' | b';' => return Some("the path encodes a character that stands for itself"),
            _ if byte.is_ascii_alphanumeric() => return Some("the path encodes a character that stands for itself"),
            _ => {}
        }
        rest = after.get(2..).unwrap_or_default();
    }
    None
}

/// An authority is a host, then perhaps a port (RFC 3986, section 3.2). Whatever else can be written
/// there, some app takes for the host and another does not.
fn authority_fault(authority: &[u8]) -> Option<&'static str> {
    if authority.is_empty() {
        return Some("there is no authority");
    }
    if authority.contains(&b'@') {
        return Some("the authority holds user information");
    }
    let Ok(text) = str::from_utf8(authority) else { return Some("the authority is not text") };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("", port),
            _ => return Some("the authority holds a bracket that closes no IPv6 address"),
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port_ok = match port.strip_prefix(':') {
        Some(digits) => (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    if !port_ok {
        return Some("the authority has something behind the host that is no port");
    }
    let label_ok =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let host = host.strip_suffix('.').unwrap_or(host);
    if !text.starts_with('[') && !host.split('.').all(label_ok) {
        return Some("the authority's host has an empty label, or a character that no host has");
    }
    None
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_paths_pass() {
        for good in ["/", "/a/b", "/a/", "/a%20b", "/a%C3%A9", "/a?b=%2f//..", "/~a/b-c_d.e", "/a%2Cb", "/..a"] {
            assert_eq!(path_fault(good.as_bytes()), None, "{good}");
        }
    }

    #[test]
    fn every_second_reading_is_refused() {
        for bad in [
            "",
            "*",
            "a",
            "http://x/a",
            "//a",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/..",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%2e%2e/b",
            "/a%252fb",
            "/a%00",
            "/a%0a",
            "/a;v=1",
            "/a\\b",
            "/a#b",
            "/a%",
            "/a%g0",
            "/a%6",
            "/a b",
            "/tenants/%61cme",
            "/a%7Eb",
            "/a%3bb",
            "/é",
        ] {
            assert!(path_fault(bad.as_bytes()).is_some(), "{bad}");
        }
        assert!(path_fault(b"/a\xff").is_some());
    }

    #[test]
    fn a_request_belongs_to_the_host_of_its_connection() {
        let directed = |authority: &str, server_name: &str| {
            let headers = vec![(":authority".to_string(), authority.as_bytes().to_vec())];
            check_directed(&Request::from_headers(&headers), server_name.as_bytes()).is_ok()
        };
        assert!(directed("acme.shop.example:8443", "acme.shop.example"));
        assert!(directed("ACME.shop.example.", "acme.shop.example"));
        assert!(directed("acme.shop.example", ""));
        assert!(!directed("globex.shop.example", "acme.shop.example"));
    }

    #[test]
    fn authorities() {
        for good in
            ["acme.shop.example", "acme.shop.example:8080", "acme.shop.example.:80", "[::1]:80", "[::1]", "orders"]
        {
            assert_eq!(authority_fault(good.as_bytes()), None, "{good}");
        }
        for bad in [
            "",
            "user@acme.shop.example",
            "acme.shop.example/",
            "a b",
            "acme\u{2024}shop",
            "a:1:2",
            "a:",
            "a:x80",
            "a:123456",
            "a..",
            "a..b",
            ".a",
            ".",
            ":80",
            "[::1",
            "[::1]x",
            "[acme]",
            "a]",
            "::1",
        ] {
            assert!(authority_fault(bad.as_bytes()).is_some(), "{bad}");
        }
    }
}
