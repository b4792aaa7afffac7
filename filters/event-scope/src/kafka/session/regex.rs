//! Patterns of topics, in RE2's grammar, bound to a tenant's prefix: `orders.*` becomes `\Qacme.\E(?:orders.*)`.
//!
//! What is put between those parentheses must be a pattern by itself: `a)|(?:other.*` is one only with them. What could
//! be read in two ways, as `\Q`, is refused rather than understood.

/// The longest pattern that is taken, in bytes.
const LONGEST: usize = 1024;
/// How deep parentheses may stand in each other.
const DEEPEST: usize = 64;

/// Appends `pattern` bound to `prefix`; `false`, and nothing, where it is no pattern by itself or none that can be bound.
///
/// A pattern matches a whole name. So `^` where a name begins and `$` where it ends say nothing and are left out; behind
/// the prefix `^` would never match. Elsewhere they are refused.
pub(super) fn wrap(prefix: &str, pattern: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let bound = pattern.len() <= LONGEST && std::str::from_utf8(pattern).is_ok() && !prefix.contains('\\');
    if bound {
        out.extend_from_slice(b"\\Q");
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(b"\\E(?:");
    }
    let bound = bound && copy(pattern, out).is_some();
    if bound {
        out.push(b')');
    } else {
        out.truncate(start);
    }
    bound
}

/// What [`wrap`] was given; `None` where it was not of this prefix.
pub(super) fn unwrap<'p>(prefix: &str, pattern: &'p [u8]) -> Option<&'p [u8]> {
    let rest = pattern.strip_prefix(b"\\Q")?.strip_prefix(prefix.as_bytes())?;
    rest.strip_prefix(b"\\E(?:")?.strip_suffix(b")")
}

/// Appends the pattern as it goes, without what anchors its branches.
fn copy(pattern: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut depth = 0_usize;
    let mut rest = pattern;
    // Whether nothing of a name is matched before this, and by depth, whether nothing was before the parenthesis.
    let mut begins = true;
    let mut opened = [true; DEEPEST + 1];
    while let Some((byte, after)) = rest.split_first() {
        let mut still = false;
        let taken = match byte {
            b'\\' => escape(after)? + 1,
            b'[' => class(rest)?,
            b'(' => {
                let (size, closed) = group(after)?;
                still = begins;
                if !closed {
                    depth += 1;
                    *opened.get_mut(depth)? = begins;
                }
                1 + size
            }
            b')' => {
                depth = depth.checked_sub(1)?;
                1
            }
            b'|' => {
                still = opened.get(depth).copied()?;
                1
            }
            b'^' if begins => {
                rest = after;
                continue;
            }
            b'$' if ends(after, depth) => {
                rest = after;
                continue;
            }
            b'^' | b'$' => return None,
            _ => 1,
        };
        begins = still;
        let (piece, behind) = rest.split_at_checked(taken)?;
        out.extend_from_slice(piece);
        rest = behind;
    }
    (depth == 0).then_some(())
}

/// Whether a branch of the whole pattern ends here, so deep in parentheses.
fn ends(after: &[u8], depth: usize) -> bool {
    let closing = after.iter().take_while(|byte| **byte == b')').count();
    match after.get(closing) {
        None => true,
        Some(b'|') => closing == depth,
        Some(_) => false,
    }
}

/// How many bytes an escape has behind its backslash.
fn escape(after: &[u8]) -> Option<usize> {
    match after.first()? {
        // What quotes, a byte instead of a character, and anchors.
        b'Q' | b'E' | b'C' | b'A' | b'z' | b'Z' => None,
        byte if byte.is_ascii() => Some(1),
        _ => None,
    }
}

/// How many bytes `?...` has behind an opening parenthesis, up to where the pattern goes on, and whether the parenthesis
/// is closed by then.
fn group(after: &[u8]) -> Option<(usize, bool)> {
    let Some(inner) = after.strip_prefix(b"?") else { return Some((0, false)) };
    let name = inner.strip_prefix(b"P<").or_else(|| inner.strip_prefix(b"<"));
    if let Some(name) = name {
        let size = name.iter().position(|byte| *byte == b'>')?;
        let named = name.get(..size)?.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        return (named && size > 0).then_some((after.len() - name.len() + size + 1, false));
    }
    let flags = inner.iter().take_while(|byte| b"imsU-".contains(byte)).count();
    match inner.get(flags)? {
        b':' => Some((flags + 2, false)),
        b')' if flags > 0 => Some((flags + 2, true)),
        _ => None,
    }
}

/// How many bytes a class has, from `[` to `]`.
fn class(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    if rest.get(at) == Some(&b'^') {
        at += 1;
    }
    // The first one may be a bracket that closes nothing.
    let mut first = true;
    loop {
        match (rest.get(at)?, first) {
            (b']', false) => return Some(at + 1),
            (b'\\', _) => at += 1 + escape(rest.get(at + 1..)?)?,
            (b'[', _) => {
                let name = rest.get(at..)?.strip_prefix(b"[:")?;
                let size = name.windows(2).position(|two| two == b":]")?;
                let named = name.get(..size)?.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'^');
                if !named {
                    return None;
                }
                at += size + 4;
            }
            _ => at += 1,
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(pattern: &str) -> Option<String> {
        let mut out = Vec::new();
        wrap("acme.", pattern.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_a_pattern_by_itself_is_bound() {
        for (pattern, inner) in [
            ("orders", "orders"),
            ("orders.*|pay[a-z]+", "orders.*|pay[a-z]+"),
            ("^orders$|^pay$", "orders|pay"),
            // As librdkafka puts several into one.
            ("(^mi$)|(^rd.*)", "(mi)|(rd.*)"),
            ("((^a|^b)|(?:^c))d$", "((a|b)|(?:c))d"),
            ("(?i)^Orders$", "(?i)Orders"),
            ("(a|b)(?:c)(?i:d)(?P<n>e)(?<m>f)", "(a|b)(?:c)(?i:d)(?P<n>e)(?<m>f)"),
            ("[)]", "[)]"),
            ("[])]", "[])]"),
            ("[^])(]x", "[^])(]x"),
            ("[[:alpha:])]", "[[:alpha:])]"),
            ("\\)\\(", "\\)\\("),
            ("a{2,3}\\d", "a{2,3}\\d"),
            ("(?i)Orders", "(?i)Orders"),
        ] {
            let bound = wrapped(pattern).unwrap_or_else(|| panic!("{pattern} is a pattern"));
            assert_eq!(bound, format!("\\Qacme.\\E(?:{inner})"));
            assert_eq!(unwrap("acme.", bound.as_bytes()), Some(inner.as_bytes()));
            assert_eq!(unwrap("other.", bound.as_bytes()), None);
        }
    }

    #[test]
    fn what_gets_out_is_refused() {
        for pattern in [
            "a)|(?:other.*",
            "a)",
            "(a",
            ")(",
            "[",
            "[]",
            "[^]",
            "[\\",
            "\\",
            "\\Qa",
            "\\Q)\\E",
            "(?",
            "(?#a)",
            "(?=a)",
            "(?P<n",
            "(?P<)>a)",
            "a^b",
            "a(^b)",
            "(a|b)(c|^d)",
            "(?i)a^b",
            "(a$|b)c",
            "(a$)b",
            "a$b",
            "\\Aa",
            "[[:a)|(:]",
            "[[a]]",
            "\\C",
        ] {
            assert_eq!(wrapped(pattern), None, "{pattern}");
        }
        assert_eq!(wrapped(&"(".repeat(100)), None);
        assert_eq!(wrapped(&"a".repeat(LONGEST + 1)), None);
        assert!(!wrap("acme.", &[0xff], &mut Vec::new()));
    }
}
