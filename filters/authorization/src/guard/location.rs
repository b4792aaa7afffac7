//! Where a response sends its reader, and where it lets a cookie go along: places that may name a tenant.

use super::Refused;

/// A place that a header of a response names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host, with its port if there is one; `None` for the one that was asked.
    pub host: Option<String>,
    /// The path, as a browser would ask for it: without dot segments, and with letters for what is escaped though it need
    /// not be. `None` where any may be meant.
    pub path: Option<String>,
    /// The query, as it stands.
    pub query: Option<String>,
}

impl Place {
    /// What would be asked for there: path and query.
    pub fn asked(&self) -> Option<String> {
        let path = self.path.as_deref()?;
        Some(self.query.as_ref().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
    }
}

/// Where `location` leads a reader who asked for `base`. `None` where it leads out of HTTP, or to what was asked for.
pub(super) fn of_location(base: &str, location: &[u8]) -> Result<Option<Place>, Refused> {
    // Browsers read `\` as `/`, and skip blanks and line ends; others do not.
    if location.iter().any(|b| matches!(b, 0..=0x20 | 0x7F | b'\\')) {
        return Err(Refused::Invalid("its location can be read in two ways"));
    }
    let location = str::from_utf8(location).map_err(|_| Refused::Invalid("its location is no text"))?;
    let rest = match scheme(location) {
        Some((_, rest)) if rest.starts_with("//") => rest,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            return Err(Refused::Invalid("its location has a scheme and no host"));
        }
        Some(_) => return Ok(None),
        None => location,
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query.to_owned())),
        None => (rest, None),
    };
    if let Some(rest) = rest.strip_prefix("//") {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if host.is_empty() {
            return Err(Refused::Invalid("its location has a scheme and no host"));
        }
        return Ok(Some(Place { host: Some(host.to_ascii_lowercase()), path: Some(plain(path)), query }));
    }
    let asked = base.split('?').next().unwrap_or_default();
    let path = if rest.starts_with('/') {
        plain(rest)
    } else if rest.is_empty() {
        if query.is_none() {
            return Ok(None);
        }
        plain(asked)
    } else {
        let folder = asked.rfind('/').and_then(|at| asked.get(..=at)).unwrap_or("/");
        plain(&[folder, rest].concat())
    };
    Ok(Some(Place { host: None, path: Some(path), query }))
}

/// The scheme in front, and what follows its colon.
fn scheme(location: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = location.split_once(':')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(plain)).then_some((scheme, rest))
}

/// A path in its normal form (RFC 3986, section 6.2.2).
fn plain(path: &str) -> String {
    let mut segments: Vec<String> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.split('/').skip(1) {
        let segment = unescaped(segment);
        ends_in_folder = matches!(segment.as_str(), "." | "..");
        match segment.as_str() {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    if ends_in_folder {
        segments.push(String::new());
    }
    ["/", &segments.join("/")].concat()
}

/// A segment with letters, digits, `-`, `.`, `_` and `~` in the place of their escapes.
fn unescaped(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        let escaped = rest.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let meant = escaped.filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
        let length = match meant {
            Some(byte) => {
                out.push(char::from(byte));
                3
            }
            None => {
                out.push('%');
                1
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The places that the attributes of a cookie name (RFC 6265, section 5.2): where one is there twice, each of them.
pub(super) fn of_cookie(cookie: &[u8]) -> Result<Vec<Place>, Refused> {
    let mut places = Vec::new();
    for attribute in cookie.split(|b| *b == b';').skip(1) {
        let (name, value) = attribute.split_at(attribute.iter().position(|b| *b == b'=').unwrap_or(attribute.len()));
        let (name, value) = (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
        let is_domain = name.eq_ignore_ascii_case(b"domain");
        if !is_domain && !name.eq_ignore_ascii_case(b"path") {
            continue;
        }
        let value = str::from_utf8(value).map_err(|_| Refused::Invalid("its cookie is no text"))?;
        places.push(if is_domain {
            let domain = value.strip_prefix('.').unwrap_or(value);
            Place { host: Some(domain.to_ascii_lowercase()), path: None, query: None }
        } else {
            Place { host: None, path: Some(value.to_owned()), query: None }
        });
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(place: &Place) -> String {
        format!("{}{}", place.host.as_deref().unwrap_or("-"), place.asked().as_deref().unwrap_or("*"))
    }

    fn leads(location: &str) -> String {
        match of_location("/tenants/acme/invoices?page=/x/", location.as_bytes()) {
            Ok(Some(place)) => shown(&place),
            Ok(None) => "nowhere".into(),
            Err(_) => "unclear".into(),
        }
    }

    #[test]
    fn a_location_is_read_as_a_browser_would() {
        for (location, to) in [
            ("/tenants/globex/invoices?x#y", "-/tenants/globex/invoices?x"),
            ("/a/./b/../c/", "-/a/c/"),
            ("/a/..", "-/"),
            ("/../..//a", "-//a"),
            ("/a/%2e%2E/%67lobex/%2f%zz%", "-/globex/%2f%zz%"),
            ("../globex/invoices", "-/tenants/globex/invoices"),
            ("7", "-/tenants/acme/7"),
            ("./7?to=/x", "-/tenants/acme/7?to=/x"),
            ("../../../..", "-/"),
            ("7:8", "-/tenants/acme/7:8"),
            ("?page=2#x", "-/tenants/acme/invoices?page=2"),
            ("#end", "nowhere"),
            ("", "nowhere"),
            ("https://GLOBEX.shop.example", "globex.shop.example/"),
            ("https://acme@globex.shop.example:8443/a/../b", "globex.shop.example:8443/b"),
            ("//globex.shop.example?/x", "globex.shop.example/?/x"),
            ("app://globex/x", "globex/x"),
            ("mailto:x@globex.example", "nowhere"),
            ("https:globex", "unclear"),
            ("HTTP:/tenants/globex", "unclear"),
            ("///globex.shop.example/x", "unclear"),
            ("https://acme@/x", "unclear"),
            ("\\\\globex.shop.example", "unclear"),
            ("/\t/globex.shop.example", "unclear"),
            ("/a b", "unclear"),
        ] {
            assert_eq!(leads(location), to, "{location}");
        }
        assert!(of_location("/", b"/\xFF").is_err());
    }

    #[test]
    fn a_cookie_names_places_by_its_attributes() {
        for (cookie, to) in [
            ("a=b", ""),
            ("a=Domain=globex.example", ""),
            ("a=b; Path=/tenants/acme; Secure", "-/tenants/acme"),
            ("a=b;domain = .Globex.shop.example ;PATH=/", "globex.shop.example* -/"),
            ("a=b; Domain=acme.example; Domain=globex.example", "acme.example* globex.example*"),
            ("a=b; Path", "-"),
        ] {
            let places: Vec<_> = of_cookie(cookie.as_bytes()).unwrap().iter().map(shown).collect();
            assert_eq!(places.join(" "), to, "{cookie}");
        }
        assert!(of_cookie(b"a=b; Domain=\xFF").is_err());
    }
}
