//! The path of a request as it may stand in an access log.

/// The longest path written down, in bytes.
const LONGEST: usize = 512;
const CUT: &str = "...";

/// `path` without its query and fragment (they hold tokens and personal data), with every segment
/// that `substitute` knows replaced (a tenant's name by its fingerprint), with `?` for bytes outside
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
    let segments: Vec<String> =
        printable.split('/').map(|segment| substitute(segment).unwrap_or_else(|| segment.to_owned())).collect();
    let mut out = segments.join("/");
    if written.len() < only.len() || out.len() > LONGEST {
        out.truncate(out.floor_char_boundary(LONGEST));
        out.push_str(CUT);
    }
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
