//! Bounds on nesting and on chains, before Cedar's parser: it descends into each level and would
//! overflow its stack on `((((…`.

/// The deepest nesting: far above what people write, far below what fits on the stack of a thread
/// in a debug build.
const MOST_LEVELS: usize = 32;
/// The most operators that make a chain, as `a && b && c` or `a.b.c`, in one policy.
const MOST_LINKS: usize = 8192;

/// The byte at which `text` is too much for the parser, if it is, and why.
pub(super) fn problem(text: &str) -> Option<(usize, &'static str)> {
    // For each open bracket the `if`s within it: `if a then b else if c …` nests without brackets.
    let mut open = vec![0];
    let (mut levels, mut links) = (0, 0);
    for (offset, token) in (Tokens { text, at: 0 }) {
        match token {
            "(" | "[" | "{" => {
                open.push(0);
                levels += 1;
            }
            ")" | "]" | "}" if open.len() > 1 => levels -= 1 + open.pop().unwrap_or_default(),
            ";" if open.len() == 1 => {
                levels -= std::mem::take(&mut open[0]);
                links = 0;
            }
            "if" => {
                open.last_mut().into_iter().for_each(|ifs| *ifs += 1);
                levels += 1;
            }
            "&" | "|" | "." | "+" | "-" | "*" | "!" => links += 1,
            _ => {}
        }
        if levels > MOST_LEVELS {
            return Some((offset, "the policy is nested too deeply"));
        }
        if links > MOST_LINKS {
            return Some((offset, "the policy is too long"));
        }
    }
    None
}

/// Words and single characters, without comments and strings.
struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for Tokens<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<(usize, &'t str)> {
        loop {
            let rest = &self.text[self.at..];
            let first = rest.chars().next()?;
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if first == '"' {
                string(rest)
            } else if word(first) {
                rest.find(|c| !word(c)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let offset = self.at;
            self.at += length;
            if !rest.starts_with("//") && first != '"' && !first.is_whitespace() {
                return Some((offset, &rest[..length]));
            }
        }
    }
}

/// The length of the string at the beginning of `text`, its quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_deep(text: &str) -> Option<usize> {
        problem(text).map(|(offset, _)| offset)
    }

    #[test]
    fn chains_are_counted_by_policy() {
        assert_eq!(problem(&"a.".repeat(MOST_LINKS)), None);
        assert_eq!(problem(&"a.".repeat(MOST_LINKS + 1)), Some((2 * MOST_LINKS + 1, "the policy is too long")));
        assert_eq!(problem(&"a && b;".repeat(MOST_LINKS)), None);
    }

    #[test]
    fn brackets_and_ifs_are_counted() {
        const MOST: usize = MOST_LEVELS;
        assert_eq!(too_deep(&"(".repeat(MOST)), None);
        assert_eq!(too_deep(&"(".repeat(MOST + 1)), Some(MOST));
        assert_eq!(too_deep(&"[({".repeat(12)), Some(MOST));
        assert_eq!(too_deep(&"if a then b else ".repeat(MOST)), None);
        assert_eq!(too_deep(&"if a then b else ".repeat(MOST + 1)), Some(17 * MOST));
        assert_eq!(too_deep(&"(if a then b else c)".repeat(100)), None);
        assert_eq!(too_deep(&"x if y; ".repeat(100)), None);
        assert_eq!(too_deep(&"()[]{}".repeat(100)), None);
        assert_eq!(too_deep(&")".repeat(100)), None);
    }

    #[test]
    fn comments_and_strings_are_not() {
        for skipped in ["\"((((\"", "\"\\\"((((\"", "// ((((\n", "elif ", "\"é((((\" "] {
            assert_eq!(too_deep(&skipped.repeat(100)), None, "{skipped}");
        }
        assert_eq!(too_deep(&format!("\"\\\\\"{}", "(".repeat(100))), Some(MOST_LEVELS + 4));
        assert_eq!(too_deep(&format!("\"{}", "(".repeat(100))), None);
    }
}
