//! Texts with places to be filled: `${name}` within a line, or alone on a line for a block of lines.

/// What stands where.
pub(crate) type Places<'p> = [(&'p str, String)];

/// `template` with its places filled. A block is indented as its place is; an empty one takes its line away.
pub(crate) fn fill(template: &str, places: &Places<'_>) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    for line in template.lines() {
        let trimmed = line.trim_start();
        let block = places.iter().find(|(name, _)| trimmed == format!("${{{name}}}"));
        match block {
            Some((_, text)) => {
                let indent = &line[..line.len() - trimmed.len()];
                for inner in text.lines() {
                    push_line(&mut out, indent, inner);
                }
            }
            None => {
                let filled = places
                    .iter()
                    .fold(line.to_owned(), |line, (name, text)| line.replace(&format!("${{{name}}}"), text));
                push_line(&mut out, "", &filled);
            }
        }
    }
    out
}

fn push_line(out: &mut String, indent: &str, line: &str) {
    if !line.is_empty() {
        out.push_str(indent);
        out.push_str(line);
    }
    out.push('\n');
}

/// `text` as a YAML scalar: as it is where nobody could read it otherwise, else as a JSON string, which YAML reads, too.
pub(crate) fn scalar(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    let word = text.bytes().all(plain) && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'/');
    let reserved =
        ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if word && !reserved { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_take_the_indentation_of_their_place_and_empty_ones_their_line() {
        let places = [("one", "a:\n  b: c".to_owned()), ("none", String::new()), ("word", "x".to_owned())];
        assert_eq!(
            fill("top:\n  ${one}\n  ${none}\n  is: ${word}-${word}\n", &places),
            "top:\n  a:\n    b: c\n  is: x-x\n"
        );
    }

    #[test]
    fn a_scalar_is_read_as_the_text_it_is() {
        for text in
            ["orders", "no", "No", "NULL", "SERVER", "e1", "1.5", "a: b", "a #b", "", "{x}", "é", "a\"b", "-", "/a/b"]
        {
            let read: String = serde_saphyr::from_str(&scalar(text)).unwrap();
            assert_eq!(read, text);
        }
    }
}
