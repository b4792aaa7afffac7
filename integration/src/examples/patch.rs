//! Unified diffs, applied as `patch` does it, but without any doubt: what a hunk is about must be there once.

use anyhow::{Context, Result, ensure};

/// Applies `diff` to `text`. Line numbers are not looked at, so that an unrelated line more does no harm;
/// the counts of each hunk are.
pub fn apply(text: &str, diff: &str) -> Result<String> {
    let mut text = text.to_owned();
    let mut lines = diff.lines().skip_while(|line| !line.starts_with("@@")).peekable();
    ensure!(lines.peek().is_some(), "the diff has no hunk");
    while let Some(head) = lines.next() {
        let (old, new) = counts(head).with_context(|| format!("`{head}` is no head of a hunk"))?;
        let (mut from, mut to, mut seen) = (String::new(), String::new(), (0, 0));
        while let Some(line) = lines.next_if(|line| !line.starts_with("@@")) {
            let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
            if sign != "+" {
                from.push_str(&format!("{rest}\n"));
                seen.0 += 1;
            }
            if sign != "-" {
                to.push_str(&format!("{rest}\n"));
                seen.1 += 1;
            }
        }
        ensure!(seen == (old, new), "`{head}` is followed by {} and {} lines", seen.0, seen.1);
        let found = text.matches(&from).count();
        ensure!(found == 1, "the lines of `{head}` are there {found} times");
        text = text.replacen(&from, &to, 1);
    }
    Ok(text)
}

/// `@@ -17,4 +17,9 @@`: 4 lines become 9.
fn counts(head: &str) -> Option<(usize, usize)> {
    let mut words = head.strip_prefix("@@ ")?.split(' ');
    let mut count = |sign: char| -> Option<usize> {
        let range = words.next()?.strip_prefix(sign)?;
        range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok())
    };
    Some((count('-')?, count('+')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n-b\n+B\n+c\n@@ -9 +10 @@\n-z\n+Z\n";

    #[test]
    fn hunks_are_applied_one_after_the_other() {
        assert_eq!(apply("a\nb\nmore\nz\n", DIFF).unwrap(), "a\nB\nc\nmore\nZ\n");
    }

    #[test]
    fn what_is_not_there_or_there_twice_is_an_error() {
        assert!(apply("a\nc\nz\n", DIFF).is_err());
        assert!(apply("a\nb\na\nb\nz\n", DIFF).unwrap_err().to_string().contains("2 times"));
        assert!(apply("a\n", "no diff").is_err());
        let miscounted = DIFF.replace("-1,2", "-1,3");
        assert!(apply("a\nb\nmore\nz\n", &miscounted).unwrap_err().to_string().contains("followed by"));
    }
}
