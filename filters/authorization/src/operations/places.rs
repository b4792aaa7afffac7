//! Reading one place of a request: its query, or a header.
//!
//! INVARIANT: what is read is what every service reads. Where some would read another value (a name that stands twice,
//! or once more in a spelling that some servers take for the same), nobody reads anything, and the request is denied.

/// Why nobody can say what stands there.
pub(super) type Unclear = &'static str;

/// The longest query that is looked through, in bytes: it is read once for every place that is asked about.
const MAX_QUERY: usize = 16 * 1024;

/// The value of the parameter `name` of the query of `path`, percent-encoded as it came. `None` where it is not there.
pub(super) fn query<'p>(path: &'p str, name: &str) -> Result<Option<&'p str>, Unclear> {
    let Some((_, query)) = path.split_once('?') else { return Ok(None) };
    if query.len() > MAX_QUERY {
        return Err("the query is longer than one is that anybody looks through");
    }
    if !query.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err("the query holds a character that no query has");
    }
    let mut found = None;
    for pair in query.split('&') {
        let (written, value) = pair.split_once('=').unwrap_or((pair, ""));
        if written == name {
            if found.is_some() {
                return Err("a parameter that is asked for stands twice in the query");
            }
            if value.contains(';') {
                return Err("the value of a parameter that is asked for holds `;`, which some servers take for `&`");
            }
            found = Some(value);
        } else if pair.split(';').any(|part| is_taken_for(part.split('=').next().unwrap_or_default(), name)) {
            return Err("the query holds a parameter that some servers take for one that is asked for");
        }
    }
    Ok(found)
}

/// Whether some server takes the name `written` for `name`: percent-encoded, in another case, as an array (`name[]`), or
/// with characters that PHP makes `_`.
fn is_taken_for(written: &str, name: &str) -> bool {
    let blank = |b: u8| b <= b' ';
    let mut read = decoded(written).skip_while(|b| blank(*b)).take_while(|b| !matches!(b, b'[' | 0)).map(folded);
    let same = name.bytes().all(|wanted| read.next() == Some(folded(wanted)));
    same && read.all(|b| b == folded(b' '))
}

/// Bytes that servers do not tell apart become one.
fn folded(byte: u8) -> u8 {
    match byte {
        b'.' | b'-' | b'_' | 0..=b' ' => b'_',
        other => other.to_ascii_lowercase(),
    }
}

/// Text of a query (a `+` is a blank), byte by byte.
pub(super) fn decoded(text: &str) -> impl Iterator<Item = u8> + '_ {
    crate::Id::of_segment(text).pieces().map(|(byte, encoded)| if byte == b'+' && !encoded { b' ' } else { byte })
}

/// The value of the header `name`. `None` where it is not there.
pub(super) fn header<'p>(headers: &'p [(String, Vec<u8>)], name: &str) -> Result<Option<&'p str>, Unclear> {
    let mut found = None;
    for (written, value) in headers {
        // CGI and its heirs read `_` as `-`, so for them it is one header.
        let alike = |(a, b): (u8, u8)| a.to_ascii_lowercase() == b || (a == b'_' && b == b'-');
        if written.len() != name.len() || !written.bytes().zip(name.bytes()).all(alike) {
            continue;
        }
        if found.is_some() || written != name {
            return Err("a header that is asked for stands twice, or in another spelling");
        }
        found = Some(value);
    }
    let Some(value) = found else { return Ok(None) };
    let Ok(text) = str::from_utf8(value) else { return Err("a header that is asked for is not text") };
    // Envoy and apps join what stands twice by a comma.
    if text.contains(',') {
        return Err("a header that is asked for holds several values");
    }
    Ok(Some(text.trim_matches([' ', '\t'])))
}

/// What stands in a path's segment before `separator`, percent-encoded as it came. `None` where there is no such
/// character in it.
pub(super) fn prefix(segment: &str, separator: char) -> Option<&str> {
    let mut at = 0;
    for (byte, encoded) in crate::Id::of_segment(segment).pieces() {
        if char::from(byte) == separator {
            return segment.get(..at);
        }
        at = at.saturating_add(if encoded { 3 } else { 1 });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_query(query: &str) -> Result<Option<String>, ()> {
        super::query(&format!("/a?{query}"), "tenant_id").map(|v| v.map(str::to_owned)).map_err(|_| ())
    }

    #[test]
    fn a_parameter_of_the_query_is_read_where_it_has_one_reading() {
        for (query, value) in [
            ("", None),
            ("a=b&c", None),
            ("tenant_id=acme", Some("acme")),
            ("a=%26&tenant_id=acme&b", Some("acme")),
            ("tenant_id=", Some("")),
            ("tenant_id", Some("")),
            ("tenant_id=%61cme", Some("%61cme")),
            ("tenant_id=a=b", Some("a=b")),
            ("a=tenant_id", None),
            ("tenant_ids=globex&my_tenant_id=globex&tenant=globex", None),
            ("filter[tenant_id]=globex", None),
            ("a;b=c", None),
        ] {
            assert_eq!(of_query(query), Ok(value.map(str::to_owned)), "{query}");
        }
        assert_eq!(super::query("/a", "tenant_id"), Ok(None));
    }

    #[test]
    fn a_parameter_that_could_be_read_in_two_ways_is_not() {
        for query in [
            "tenant_id=acme&tenant_id=acme",
            "tenant_id=acme&tenant_id",
            "tenant%5fid=globex",
            "tenant_id=acme&%74enant_id=globex",
            "tenant_id[]=globex",
            "tenant_id%5B0%5d=globex",
            "TENANT_ID=globex",
            "tenant.id=globex",
            "tenant-id=globex",
            "tenant+id=globex",
            "tenant%20id=globex",
            "+tenant_id=globex",
            "tenant_id%20=globex",
            "tenant_id%00=globex",
            "%0atenant_id=globex",
            "a=b;tenant_id=globex",
            "tenant_id=acme;tenant_id=globex",
            "tenant_id=acme;a",
            "a;%74enant_id[x]",
            "tenant_id=acme#",
            "tenant_id=acme\u{7f}",
            "a=é",
            &format!("a={}", "b".repeat(MAX_QUERY)),
        ] {
            assert_eq!(of_query(query), Err(()), "{query}");
        }
    }

    #[test]
    fn a_header_is_read_where_it_stands_once() {
        let of = |headers: &[(&str, &str)]| {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (n.to_string(), v.as_bytes().to_vec())).collect();
            header(&headers, "x-account").map(|v| v.map(str::to_owned)).map_err(|_| ())
        };
        assert_eq!(of(&[("accept", "a, b")]), Ok(None));
        assert_eq!(of(&[("x-account", " acme\t"), ("x-accounts", "globex")]), Ok(Some("acme".into())));
        assert_eq!(of(&[("x-account", "")]), Ok(Some(String::new())));
        for twice in [
            &[("x-account", "acme"), ("x-account", "acme")][..],
            &[("x_account", "globex")],
            &[("x-account", "acme"), ("x_account", "globex")],
            &[("x_account", "globex"), ("x-account", "acme")],
            &[("x-account", "acme,globex")],
        ] {
            assert_eq!(of(twice), Err(()), "{twice:?}");
        }
        assert!(header(&[("x-account".into(), vec![0xff])], "x-account").is_err());
    }

    #[test]
    fn a_prefix_ends_at_the_first_separator_however_it_is_written() {
        for (segment, expected) in [
            ("acme:42", Some("acme")),
            ("acme%3A42", Some("acme")),
            ("acme%3a42:globex", Some("acme")),
            ("%61cme:42", Some("%61cme")),
            (":42", Some("")),
            ("acme", None),
            ("acme%253A42", None),
            ("acme%3", None),
            ("%zz:1", Some("%zz")),
        ] {
            assert_eq!(prefix(segment, ':'), expected, "{segment}");
        }
    }
}
