//! Patterns of topics, bound to a tenant's prefix: `orders.*` becomes `acme\.(orders.*)`.
//!
//! The server looks for topics by a library of its own, Java's, Python's or librdkafka's. So that all read the same, a
//! pattern has letters, digits, `_`, `-`, `.`, `*`, `+`, `?`, `|`, groups, and classes of these alone: what nests or
//! quotes in one library and not in another could end the parentheses around it.

/// The longest that is taken, in bytes.
const LONGEST: usize = 1024;

/// What stands for `pattern` where names begin with `prefix`; `None` where it cannot be bound.
pub(super) fn bind(prefix: &str, pattern: &[u8]) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let text = str::from_utf8(pattern).ok().filter(|text| text.len() <= LONGEST && prefix.bytes().all(legal))?;
    let text = text.strip_prefix('^').unwrap_or(text);
    let text = text.strip_suffix('$').filter(|text| !text.ends_with('\\')).unwrap_or(text);
    check(text)?;
    Some(format!("{}({text})", prefix.replace('.', "\\.")))
}

fn check(text: &str) -> Option<()> {
    let mut depth = 0_u32;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' | '*' | '+' | '?' | '|' => {}
            '\\' => {
                letters.next_if(|next| matches!(next, '.' | '-' | 'd' | 'w'))?;
            }
            '(' => {
                depth += 1;
                if letters.next_if_eq(&'?').is_some() {
                    letters.next_if_eq(&':')?;
                }
            }
            ')' => depth = depth.checked_sub(1)?,
            '[' => {
                letters.next_if_eq(&'^');
                let mut inner = 0;
                loop {
                    match letters.next()? {
                        ']' if inner > 0 => break,
                        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' => inner += 1,
                        _ => return None,
                    }
                }
            }
            _ => return None,
        }
    }
    (depth == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_pattern_by_itself_is_bound() {
        for (pattern, bound) in [
            ("orders.*", r"acme\.(orders.*)"),
            ("^a|b$", r"acme\.(a|b)"),
            (r"(?:x|[a-z_.-]+)\.v\d", r"acme\.((?:x|[a-z_.-]+)\.v\d)"),
        ] {
            assert_eq!(bind("acme.", pattern.as_bytes()).as_deref(), Some(bound));
        }
    }

    /// Java takes `[[](]]` for one class, RE2 for a class and the begin of a group.
    #[test]
    fn what_could_end_the_parentheses_around_it_is_not() {
        for pattern in [
            "a)|(?:rival.*",
            "[[](]])|rival.*(?:x[[])]]",
            r"\c)",
            r"\Qa",
            r"a\",
            "(?i)x",
            "(?=x)",
            "(?<n>x)",
            "[]",
            "[a",
            "(a",
            "a)",
            "[a&&[b]]",
            "x{2}",
            "^^a",
            "a$b",
            "a b",
            "ä",
            r"a\$",
            r"\)|x",
        ] {
            assert_eq!(bind("acme.", pattern.as_bytes()), None, "{pattern}");
        }
        assert_eq!(bind("acme.", "a".repeat(LONGEST + 1).as_bytes()), None);
    }
}
