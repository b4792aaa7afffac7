//! A mistake in a file, as told to the person who wrote the file.
//!
//! ```text
//! services/orders.yaml:9:14: error: `path.tenan` names no parameter of the path
//!   9 |     owner: path.tenan
//!     |            ^
//! help: write `path.tenant`
//! ```

use std::fmt;

use serde::Serialize;

/// A text file of a tenancy directory, under the name by which it is shown.
#[derive(Clone, Debug)]
pub struct Source {
    path: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// A file shown as `path` that holds `text`.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path: path.into(), text, lines }
    }

    /// The name by which it is shown, as `tenancy/policies/readers.cedar`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it holds.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    /// An offset past the end, or inside a character, is the nearest position before it.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.lines.partition_point(|start| *start <= end);
        (line, self.text[self.lines[line - 1]..end].chars().count() + 1)
    }

    /// The byte offset of a line and a column, both from 1: what [`Source::position`] takes.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start = line.checked_sub(1).and_then(|at| self.lines.get(at)).copied().unwrap_or(self.text.len());
        let characters = self.text[start..].char_indices().map(|(at, _)| start + at);
        characters.take(column).last().unwrap_or(start)
    }

    /// The line with this number, from 1, without its end.
    fn line(&self, number: usize) -> Option<&str> {
        let start = *self.lines.get(number - 1)?;
        self.text[start..].lines().next()
    }

    /// A mistake at `line` and `column`, both from 1.
    pub fn error(&self, line: usize, column: usize, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, line, column, message.into())
    }

    /// A mistake at a byte offset.
    pub fn error_at(&self, offset: usize, message: impl Into<String>) -> Diagnostic {
        let (line, column) = self.position(offset);
        self.error(line, column, message)
    }

    /// Something that is allowed, yet worth knowing, at `line` and `column`.
    pub fn warning(&self, line: usize, column: usize, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, line, column, message.into())
    }

    /// Something meant so, yet to be seen, at `line` and `column`.
    pub fn note(&self, line: usize, column: usize, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Note, line, column, message.into())
    }

    /// The place at `line` and `column`.
    pub(crate) fn place(&self, line: usize, column: usize) -> Place {
        Place(self.note(line, column, ""))
    }

    fn diagnostic(&self, severity: Severity, line: usize, column: usize, message: String) -> Diagnostic {
        let (line, column) = (line.max(1), column.max(1));
        let source_line = self.line(line).map(str::to_owned);
        Diagnostic { severity, path: self.path.clone(), line, column, message, help: None, source_line }
    }
}

/// A place in a file, kept for what is found out later.
#[derive(Clone, Debug)]
pub(crate) struct Place(Diagnostic);

impl Place {
    /// The line, from 1.
    pub(crate) fn line(&self) -> usize {
        self.0.line
    }

    /// The file.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// A mistake here.
    pub(crate) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Error, message: message.into(), ..self.0.clone() }
    }

    /// Something worth knowing here.
    pub(crate) fn warning(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, message: message.into(), ..self.0.clone() }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is compiled.
    Error,
    /// Allowed, yet worth knowing.
    Warning,
    /// As it was meant; listed, so that nobody overlooks it.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// One mistake: where it stands, what is wrong, what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as its source is named.
    pub path: String,
    /// From 1; 0 where the whole file is meant (it is missing, say).
    pub line: usize,
    /// From 1, in characters; 0 where the whole file is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The line it stands in.
    #[serde(skip)]
    pub source_line: Option<String>,
}

impl Diagnostic {
    /// A mistake that has no line: a file that is missing, unreadable or one too many.
    pub fn of_file(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path: path.into(),
            line: 0,
            column: 0,
            message: message.into(),
            help: None,
            source_line: None,
        }
    }

    /// Something about a whole file that is allowed, yet worth knowing.
    pub fn warning_of_file(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::of_file(path, message) }
    }

    /// The same without the line it stands in, where that may hold a secret.
    #[must_use]
    pub fn without_line(self) -> Self {
        Self { source_line: None, ..self }
    }

    /// The same, with what to write instead.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}: {}", self.severity, printable(&self.message))?;
        if let Some(text) = &self.source_line {
            let number = self.line.to_string();
            let (text, column) = window(text, self.column);
            write!(f, "\n {number} | {}", printable(&text))?;
            write!(f, "\n {:width$} | {}^", "", under(&text, column), width = number.len())?;
        }
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {}", printable(help))?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// The most characters of a line or message that are shown.
const WIDTH: usize = 240;

/// A file may hold anything; what goes to a terminal is of bounded length and holds no control characters.
fn printable(text: &str) -> String {
    let mut shown: String =
        text.chars().take(WIDTH).map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(WIDTH).is_some() {
        shown.push('…');
    }
    shown
}

/// The part of a long line that holds the column, and the column within it.
fn window(line: &str, column: usize) -> (String, usize) {
    if column <= WIDTH {
        return (line.to_owned(), column);
    }
    let skipped = column - WIDTH / 2;
    (format!("…{}", line.chars().skip(skipped).collect::<String>()), column - skipped + 1)
}

/// The blanks before the caret: tabs stay tabs, so that it stands under its column at any tab width.
fn under(line: &str, column: usize) -> String {
    let blanks = line.chars().chain(std::iter::repeat(' '));
    blanks.take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_line_a_caret_and_what_to_write() {
        let source = Source::new("a.yaml", "one: 1\n\ttwö: x\n");
        let shown = source.error(2, 7, "no number").help("write `2`").to_string();
        assert_eq!(shown, "a.yaml:2:7: error: no number\n 2 | \ttwö: x\n   | \t     ^\nhelp: write `2`");
    }

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let source = Source::new("a", "ab\nöö c\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(3), (2, 1));
        assert_eq!(source.position(4), (2, 1));
        assert_eq!(source.position(8), (2, 4));
        assert_eq!(source.position(999), (3, 1));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let shown = Source::new("a", "x\u{1b}[31m").error(1, 2, "bad").to_string();
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }

    #[test]
    fn long_lines_are_cut_around_the_column() {
        let source = Source::new("a", format!("{}X{}", "x".repeat(5_000), "y".repeat(5_000)));
        let shown = source.error(1, 5_001, "m".repeat(5_000)).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().nth(caret), Some('X'));
        assert!(shown.len() < 1_000, "{}", shown.len());
    }

    #[test]
    fn a_file_without_a_line_is_named_alone() {
        assert_eq!(Diagnostic::of_file("mesh.yaml", "is missing").to_string(), "mesh.yaml: error: is missing");
    }
}
