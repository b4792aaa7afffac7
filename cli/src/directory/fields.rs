//! From YAML nodes to values: every function reports what is wrong and goes on.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;

use crate::diagnostic::{Diagnostic, Severity};
use crate::directory::yaml::{At, Located, Node, Value};
use crate::nearest::nearest;

/// More mistakes than these are counted, not told: nobody reads them, and a broken file may hold
/// a hundred thousand.
const MAX_TOLD: usize = 1_000;
/// Among so many entries a mistyped field is looked for. No mapping that is read has as many fields, and a broken file
/// may hold a hundred thousand.
const MAX_FIELDS: usize = 64;

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    told: Vec<Diagnostic>,
    more: usize,
}

impl Report {
    /// Adds one.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.push_with(|| diagnostic);
    }

    /// Adds one that takes its time to be put in words.
    fn push_with(&mut self, diagnostic: impl FnOnce() -> Diagnostic) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.told.push(diagnostic());
        }
    }

    /// Adds one and gives `None`, so that a reader can end with it.
    pub(crate) fn add<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.push(diagnostic);
        None
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.told.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count() + self.more
    }

    /// Whether what is added now is only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.told.len() >= MAX_TOLD
    }

    /// All of them, in the order of files and lines.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.told.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
        if let (Some(last), true) = (self.told.last(), self.more > 0) {
            // An error, since what was only counted may hold one.
            let rest = Diagnostic::of_file(&last.path, format!("{} more were found, here or elsewhere", self.more));
            self.told.push(rest.help("mend these first"));
        }
        self.told
    }
}

/// The entries of a mapping, taken out one by one; what is left over is unknown.
pub(crate) struct Fields<'s> {
    at: At<'s>,
    what: &'static str,
    entries: Vec<(Located<'s, String>, Node<'s>)>,
    known: Vec<&'static str>,
    /// Those of the known ones that must be there.
    #[cfg(test)]
    needed: Vec<&'static str>,
}

impl<'s> Fields<'s> {
    /// The entries of `node`, which is to be `what` ("a tenant", say).
    pub(crate) fn of(node: Node<'s>, what: &'static str, report: &mut Report) -> Option<Self> {
        let Value::Map(entries) = node.value else {
            return report.add(
                node.at
                    .error(format!("{what} is written as a mapping, this is {}", node.value.kind()))
                    .help("write one `name: value` per line"),
            );
        };
        let mut seen = HashSet::new();
        let mut kept = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if seen.insert(key.value.clone()) {
                kept.push((key, value));
            } else {
                report.push_with(|| {
                    let message = format!("`{}` is there twice in {what}", key.value);
                    key.at.error(message).help("keep one of the two")
                });
            }
        }
        Some(Self {
            at: node.at,
            what,
            entries: kept,
            known: Vec::new(),
            #[cfg(test)]
            needed: Vec::new(),
        })
    }

    /// A field that may be left out; `null` counts as left out.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Node<'s>> {
        self.known.push(name);
        let at = self.entries.iter().position(|(key, _)| key.value == name)?;
        let (_, node) = self.entries.remove(at);
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// A field that must be there; `help` says how to write it.
    pub(crate) fn required(&mut self, name: &'static str, help: &str, report: &mut Report) -> Option<Node<'s>> {
        self.known.push(name);
        #[cfg(test)]
        self.needed.push(name);
        let found = self.entries.iter().position(|(key, _)| key.value == name);
        let Some((key, node)) = found.map(|at| self.entries.remove(at)) else {
            // A near miss among the entries is that field, mistyped: one mistake, not two.
            if self.entries.iter().take(MAX_FIELDS).any(|(key, _)| nearest(&key.value, [name]).is_some()) {
                return None;
            }
            return report.add(self.at.error(format!("{} needs `{name}`", self.what)).help(help));
        };
        if matches!(node.value, Value::Null) {
            return report.add(key.at.error(format!("`{name}` is empty")).help(help));
        }
        Some(node)
    }

    /// A field of a former version, if somebody still writes it; it is not among those that are suggested.
    pub(crate) fn former(&mut self, name: &str) -> Option<Located<'s, String>> {
        let at = self.entries.iter().position(|(key, _)| key.value == name)?;
        Some(self.entries.remove(at).0)
    }

    /// Reports every entry that nobody asked for.
    pub(crate) fn finish(self, report: &mut Report) {
        #[cfg(test)]
        asked::record(self.what, &self.known, &self.needed);
        for (key, _) in self.entries {
            report.push_with(|| {
                let help = match nearest(&key.value, self.known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it has {}", listed(&self.known)),
                };
                key.at.error(format!("{} has no field `{}`", self.what, key.value)).help(help)
            });
        }
    }
}

/// A text that is not empty.
pub(crate) fn text<'s>(node: Node<'s>, what: &str, report: &mut Report) -> Option<Located<'s, String>> {
    match node.value {
        Value::Text(text) if text.trim().is_empty() => {
            report.add(node.at.error(format!("{what} is empty")).help("write it, or take the line out"))
        }
        Value::Text(value) => Some(Located { value, at: node.at }),
        Value::Scalar(scalar) => report.add(
            node.at
                .error(format!("{what} is a text, but YAML reads this as `{scalar}`"))
                .help(format!("put it in quotes: `\"{scalar}\"`")),
        ),
        other => report.add(
            node.at
                .error(format!("{what} is a text, this is {}", other.kind()))
                .help("write it as one text, in quotes"),
        ),
    }
}

/// A list; each item is read by `each`, and those that are no good are left out.
pub(crate) fn list<'s, T>(
    node: Node<'s>,
    what: &str,
    report: &mut Report,
    mut each: impl FnMut(Node<'s>, &mut Report) -> Option<T>,
) -> Vec<T> {
    match node.value {
        Value::List(items) => items.into_iter().filter_map(|item| each(item, report)).collect(),
        other => {
            let diagnostic = node.at.error(format!("{what} is a list, this is {}", other.kind()));
            report.push(diagnostic.help("write `[one, two]`, or one `- item` per line"));
            Vec::new()
        }
    }
}

/// A list of texts with at least one item and none twice.
pub(crate) fn texts<'s>(node: Node<'s>, what: &str, report: &mut Report) -> Vec<Located<'s, String>> {
    if let Value::List(items) = &node.value
        && items.is_empty()
    {
        report.push(node.at.error(format!("{what} is an empty list")).help("write at least one"));
    }
    let found = list(node, what, report, |item, report| text(item, what, report));
    once_each(found, what, report)
}

/// What is not there is fine, and what is there and no good is not.
pub(crate) fn once_read<T>(found: Option<Option<T>>) -> Option<Option<T>> {
    match found {
        Some(found) => found.map(Some),
        None => Some(None),
    }
}

/// Leaves out, and reports, what is there for the second time.
pub(crate) fn once_each<'s, T: Clone + Eq + Hash + Display>(
    mut found: Vec<Located<'s, T>>,
    what: &str,
    report: &mut Report,
) -> Vec<Located<'s, T>> {
    let mut seen = HashSet::new();
    found.retain(|item| {
        let first = seen.insert(item.value.clone());
        if !first {
            let message = format!("{what}: `{}` is there twice", item.value);
            report.push(item.at.error(message).help("take one of the two out"));
        }
        first
    });
    found
}

/// One word out of a few.
pub(crate) fn choice<T: Copy>(node: Node<'_>, what: &str, choices: &[(&str, T)], report: &mut Report) -> Option<T> {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let found = text(node, what, report)?;
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == found.value) {
        return Some(*value);
    }
    let help = match nearest(&found.value, words.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write {}", listed(&words)),
    };
    report.add(found.at.error(format!("{what} is never `{}`", found.value)).help(help))
}

/// `true` or `false`.
pub(crate) fn flag(node: Node<'_>, what: &str, report: &mut Report) -> Option<bool> {
    match &node.value {
        Value::Scalar(word) if word == "true" => Some(true),
        Value::Scalar(word) if word == "false" => Some(false),
        Value::Text(word) | Value::Scalar(word) => {
            report.add(node.at.error(format!("{what} is never `{word}`")).help("write `true` or `false`"))
        }
        other => report.add(node.at.error(format!("{what} is not {}", other.kind())).help("write `true` or `false`")),
    }
}

/// "`a`, `b` or `c`".
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|w| format!("`{w}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// What the readers asked for on this thread: schemas are held against it.
#[cfg(test)]
pub(crate) mod asked {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};

    type Names = BTreeSet<&'static str>;

    thread_local! {
        static ASKED: RefCell<BTreeMap<&'static str, (Names, Names)>> = RefCell::default();
    }

    /// Adds what one reader asked for; needed is what every time was.
    pub(super) fn record(what: &'static str, known: &[&'static str], needed: &[&'static str]) {
        ASKED.with_borrow_mut(|asked| {
            let needed: Names = needed.iter().copied().collect();
            let entry = asked.entry(what).or_insert_with(|| (Names::new(), needed.clone()));
            entry.0.extend(known);
            entry.1.retain(|name| needed.contains(name));
        });
    }

    /// For each thing that was read its fields, and those of them that must be there.
    pub(crate) fn take() -> BTreeMap<&'static str, (Names, Names)> {
        ASKED.take()
    }
}
