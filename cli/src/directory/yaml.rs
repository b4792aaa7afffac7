//! YAML as a tree whose every part knows where it stands.
//!
//! A derived type would stop at its first mistake. The tree lets the readers above it go on and
//! tell all of them at once.

mod tree;

use std::fmt;

use serde_saphyr::Spanned;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};

use crate::diagnostic::{Diagnostic, Place, Source};
use tree::Tree;

/// A place in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'s> {
    source: &'s Source,
    line: usize,
    column: usize,
}

impl<'s> At<'s> {
    /// The same for later, when the file is no longer at hand.
    pub(crate) fn place(self) -> Place {
        self.source.place(self.line, self.column)
    }

    /// The file.
    pub(crate) fn file(self) -> &'s str {
        self.source.path()
    }

    /// A mistake here.
    pub(crate) fn error(self, message: impl Into<String>) -> Diagnostic {
        self.source.error(self.line, self.column, message)
    }

    /// The byte of the file.
    pub(crate) fn offset(self) -> usize {
        self.source.offset(self.line, self.column)
    }

    /// Something worth knowing here.
    pub(crate) fn warning(self, message: impl Into<String>) -> Diagnostic {
        self.source.warning(self.line, self.column, message)
    }

    /// Something meant so, yet to be seen here.
    pub(crate) fn note(self, message: impl Into<String>) -> Diagnostic {
        self.source.note(self.line, self.column, message)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.path(), self.line, self.column)
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Located<'s, T> {
    /// The value.
    pub(crate) value: T,
    /// Where it stands.
    pub(crate) at: At<'s>,
}

/// One part of a YAML document.
pub(crate) type Node<'s> = Located<'s, Value<'s>>;

/// What a part of a YAML document is.
#[derive(Clone, Debug)]
pub(crate) enum Value<'s> {
    /// Nothing, `null` or `~`.
    Null,
    /// A text.
    Text(String),
    /// `true`, `false` or a number, as YAML reads it.
    Scalar(String),
    /// A list.
    List(Vec<Node<'s>>),
    /// A mapping, in the order written; a key may be there twice.
    Map(Vec<(Located<'s, String>, Node<'s>)>),
}

impl Value<'_> {
    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) => "a text",
            Self::Scalar(_) => "a number or a yes/no",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads the one document of `source`.
pub(crate) fn parse(source: &Source) -> Result<Node<'_>, Diagnostic> {
    let tree: Spanned<Tree> =
        serde_saphyr::from_str_with_options(source.text(), options()).map_err(|error| unreadable(source, &error))?;
    let root = locate(source, tree);
    match root.value {
        // Nothing stands at the end of the file; that there is nothing is told at its beginning.
        Value::Null => Ok(Node { at: At { source, line: 1, column: 1 }, ..root }),
        _ => Ok(root),
    }
}

/// Reads one line of `source` that holds a JSON value, as YAML does, which knows where each part stands.
pub(crate) fn parse_json_line<'s>(source: &'s Source, number: usize, line: &str) -> Result<Node<'s>, Diagnostic> {
    const HELP: &str = "write one JSON object on one line, as `{\"tenant\": \"acme\", …}`";
    let not_json = |column, what: &str| source.error(number, column, format!("this is not JSON: {what}")).help(HELP);
    serde_json::from_str::<serde::de::IgnoredAny>(line).map_err(|error| {
        let text = error.to_string();
        not_json(error.column(), text.split(" at line ").next().unwrap_or(&text))
    })?;
    let tree: Spanned<Tree> = serde_saphyr::from_str_with_options(line, options())
        .map_err(|_| not_json(1, "it is nested too deep, or holds characters that nothing here does"))?;
    let mut root = locate(source, tree);
    move_down(&mut root, number - 1);
    Ok(root)
}

fn move_down(node: &mut Node<'_>, lines: usize) {
    node.at.line += lines;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| move_down(item, lines)),
        Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            key.at.line += lines;
            move_down(value, lines);
        }),
        Value::Null | Value::Text(_) | Value::Scalar(_) => {}
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 5_000,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn unreadable(source: &Source, error: &serde_saphyr::Error) -> Diagnostic {
    const BOUND: &str = "it is nested deeper, or grows larger by its aliases, than anything that is read";
    let location = error.location().unwrap_or(serde_saphyr::Location::UNKNOWN);
    let at = |message: String| source.error(small(location.line()), small(location.column()), message);
    let inner = match error.without_snippet() {
        serde_saphyr::Error::AliasError { error, .. } => error.without_snippet(),
        other => other,
    };
    match inner {
        serde_saphyr::Error::Budget { breach: BudgetBreach::Documents { .. }, .. }
        | serde_saphyr::Error::MultipleDocuments { .. } => {
            at("a second document begins here".to_owned()).help("write each one into a file of its own")
        }
        serde_saphyr::Error::Budget { .. }
        | serde_saphyr::Error::AliasReplayLimitExceeded { .. }
        | serde_saphyr::Error::AliasExpansionLimitExceeded { .. }
        | serde_saphyr::Error::AliasReplayStackDepthExceeded { .. } => {
            at(format!("this is not read: {BOUND}")).help("write it out, without anchors and aliases")
        }
        other => {
            let text = other.to_string();
            // The place is told by the diagnostic; the parser's own ending would repeat it.
            let message = text.split(" at line ").next().unwrap_or(&text).lines().next().unwrap_or("");
            at(format!("this is not YAML: {message}"))
                .help("mind the indentation, and put a text that begins with one of `{[*&!|>%@` in quotes")
        }
    }
}

fn locate(source: &Source, tree: Spanned<Tree>) -> Node<'_> {
    let at = At { source, line: small(tree.referenced.line()), column: small(tree.referenced.column()) };
    let value = match tree.value {
        Tree::Null => Value::Null,
        Tree::Text(text) => Value::Text(text),
        Tree::Scalar(text) => Value::Scalar(text),
        Tree::List(items) => Value::List(items.into_iter().map(|item| locate(source, item)).collect()),
        Tree::Map(entries) => {
            Value::Map(entries.into_iter().map(|(k, v)| (key(source, k), locate(source, v))).collect())
        }
    };
    Node { value, at }
}

fn key(source: &Source, key: Spanned<String>) -> Located<'_, String> {
    let at = At { source, line: small(key.referenced.line()), column: small(key.referenced.column()) };
    Located { value: key.value, at }
}

fn small(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node<'_>, out: &mut Vec<String>) {
        out.push(format!("{} {}", node.at, node.value.kind()));
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| show(item, out)),
            Value::Map(entries) => entries.iter().for_each(|(key, value)| {
                out.push(format!("{} key {}", key.at, key.value));
                show(value, out);
            }),
            _ => {}
        }
    }

    #[test]
    fn every_part_knows_where_it_stands() {
        let source = Source::new("a", "# c\none: [a, 2]\ntwo:\n  - { b: x, \"c\": }\n  - ß: ~\n");
        let mut out = Vec::new();
        show(&parse(&source).unwrap(), &mut out);
        assert_eq!(
            out,
            [
                "a:2:1 a mapping",
                "a:2:1 key one",
                "a:2:6 a list",
                "a:2:7 a text",
                "a:2:10 a number or a yes/no",
                "a:3:1 key two",
                "a:4:3 a list",
                "a:4:5 a mapping",
                "a:4:7 key b",
                "a:4:10 a text",
                "a:4:13 key c",
                "a:4:16 nothing",
                "a:5:5 a mapping",
                "a:5:5 key ß",
                "a:5:8 nothing",
            ]
        );
    }

    #[test]
    fn a_long_comment_is_no_mistake() {
        let source = Source::new("a", format!("a: 1\n{}b: 2\n", "# line\n".repeat(500)));
        assert!(parse(&source).is_ok());
    }

    #[test]
    fn bombs_are_refused() {
        let mut deep = String::from("a: ");
        deep.push_str(&"[".repeat(10_000));
        let aliases = "a: &a [x, x, x, x, x, x, x, x, x, x]\n\
            b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
            c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n\
            d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n\
            e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n\
            f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n";
        for text in [deep.as_str(), aliases, "a: 1\n---\nb: 2\n", "a: {", "a: b: c", "? [a]\n: b\n", "a: !x y"] {
            let shown = parse(&Source::new("a", text)).unwrap_err().to_string();
            assert!(shown.starts_with("a:"), "{shown}");
            eprintln!("{shown}\n");
        }
    }
}
