//! The path of a request as it may stand in an access log.

/// The longest path written down, in bytes.
const LONGEST: usize = 512;
const CUT: &str = "...";

/// `path` without its query and fragment (they hold tokens and personal data), with every segment
/// replaced that holds a word which `substitute` knows (a tenant's name, by its fingerprint), with `?` for bytes outside
/// printable ASCII, so that nobody writes into the log's own format, and cut at 512 bytes.
///
/// ```
/// # use partywall_log_redaction::redact_path;
/// let names = |s: &str| (s == "acme").then(|| "t1_0f".to_string());
/// assert_eq!(redact_path(b"/tenants/acme/orders?token=1", names), "/tenants/t1_0f/orders");
/// ```
pub fn redact_path(path: &[u8], substitute: impl Fn(&str) -> Option<String>) -> String {
    let only = path.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
    let written = only.get(..LONGEST).unwrap_or(only);
    let printable: String = written.iter().map(|b| if is_plain(*b) { char::from(*b) } else { '?' }).collect();
    let segments: Vec<String> = printable
        .split('/')
        .map(|segment| words(segment).find_map(|word| substitute(&word)).unwrap_or_else(|| segment.to_owned()))
        .collect();
    let mut out = segments.join("/");
    if written.len() < only.len() || out.len() > LONGEST {
        out.truncate(out.floor_char_boundary(LONGEST));
        out.push_str(CUT);
    }
    out
}

/// What a segment may be read as by some app: decoded, in lower case, and each part of it by itself.
pub(crate) fn words(segment: &str) -> impl Iterator<Item = String> {
    let whole = decode(segment).to_ascii_lowercase();
    let parts: Vec<String> =
        whole.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).map(str::to_owned).collect();
    std::iter::once(whole).chain(parts)
}

/// Percent-encoding undone once, for ASCII alone; the rest of a request path names no tenant.
fn decode(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii);
        match byte {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Printable, and nothing that a JSON log would have to escape.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(path: &[u8]) -> String {
        redact_path(path, |s| (s == "globex").then(|| "t1_ff".into()))
    }

    #[test]
    fn query_fragment_and_tenant_go() {
        assert_eq!(redact(b"/a/globex/b?c=d#e"), "/a/t1_ff/b");
        assert_eq!(redact(b"/globexx/#globex?x"), "/globexx/");
        for hidden in ["GLOBEX", "%67lobex", "%47LOBEX", "globex;v=1", "globex.json", "a:globex", "%2Fglobex"] {
            assert_eq!(redact(format!("/a/{hidden}/b").as_bytes()), "/a/t1_ff/b", "{hidden}");
        }
        for plain in ["globex-invoices", "%", "%6", "%zz", "%ff"] {
            assert_eq!(redact(format!("/{plain}").as_bytes()), format!("/{plain}"), "{plain}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_the_log_line() {
        assert_eq!(redact(b"/a\"\n\\\xff\x00b"), "/a?????b");
    }

    #[test]
    fn a_long_path_is_cut() {
        let long = format!("/{}", "a".repeat(10_000));
        assert_eq!(redact(long.as_bytes()).len(), LONGEST + CUT.len());
        let many = redact_path("/globex".repeat(1000).as_bytes(), |_| Some("longer than before".into()));
        assert_eq!(many.len(), LONGEST + CUT.len());
    }
}
