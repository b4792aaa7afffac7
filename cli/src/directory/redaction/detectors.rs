//! `detectors`: what is looked for, and what of one's own.

use std::collections::HashMap;
use std::rc::Rc;

use partywall_log_redaction::detect::{Custom, DetectorError, Detectors, Finding, Hint, Scratch, Selection, catalog};

use crate::directory::fields::{Fields, Report, list, text, texts};
use crate::directory::yaml::{At, Located, Node};
use crate::redact;

/// Detectors of one's own have names other than these: of fields and tenants' names, and of `replace`.
const TAKEN: [&str; 3] = ["default", "field", "tenant"];
/// The most of them, as the filter has it.
pub(crate) const MOST: usize = 64;

/// `detectors` as written.
#[derive(Debug, Default)]
pub(super) struct Detection<'s> {
    at: Option<At<'s>>,
    only: Vec<Located<'s, String>>,
    without: Vec<Located<'s, String>>,
    custom: Vec<Own<'s>>,
}

/// One of `custom`.
#[derive(Debug)]
struct Own<'s> {
    name: Located<'s, String>,
    pattern: Located<'s, String>,
    words: Vec<String>,
    /// Texts that are found whole.
    finds: Vec<Located<'s, String>>,
    /// Texts in which it finds nothing.
    passes: Vec<Located<'s, String>>,
}

pub(super) fn read<'s>(node: Node<'s>, report: &mut Report) -> Detection<'s> {
    let at = node.at;
    let Some(mut fields) = Fields::of(node, "`detectors`", report) else { return Detection::default() };
    let mut names = |name: &'static str, what, report: &mut Report| {
        let found = fields.optional(name).map_or(vec![], |node| texts(node, what, report));
        found.into_iter().filter_map(|one| known(one, report)).collect::<Vec<_>>()
    };
    let only = names("only", "`only`", report);
    let without = names("without", "`without`", report);
    let custom = fields.optional("custom").map_or(vec![], |node| list(node, "`custom`", report, own));
    fields.finish(report);
    Detection { at: Some(at), only, without, custom: apart(custom, report) }
}

fn known<'s>(name: Located<'s, String>, report: &mut Report) -> Option<Located<'s, String>> {
    if catalog().iter().any(|about| is_of(about.name, &name.value)) {
        return Some(name);
    }
    let diagnostic = name.at.error(format!("no detector or group is called `{}`", name.value));
    report.add(diagnostic.help(redact::meant(&name.value, &[])))
}

/// Whether `wanted` is `name` or its group.
fn is_of(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}

fn own<'s>(node: Node<'s>, report: &mut Report) -> Option<Own<'s>> {
    let mut fields = Fields::of(node, "a detector", report)?;
    let name = fields
        .required("name", "write `name: order_number`", report)
        .and_then(|node| text(node, "the name of a detector", report));
    let pattern = fields
        .required("pattern", "write `pattern: 'ORD-[0-9]{8}'`", report)
        .and_then(|node| text(node, "a pattern", report));
    let mut all = |name: &'static str, what, report: &mut Report| {
        fields.optional(name).map_or(vec![], |node| texts(node, what, report))
    };
    let words = all("words", "`words`", report);
    let (finds, passes) = (all("finds", "`finds`", report), all("passes", "`passes`", report));
    fields.finish(report);
    let words = words.into_iter().map(|word| word.value).collect();
    Some(Own { name: name?, pattern: pattern?, words, finds, passes })
}

/// Leaves out, and reports, names that are taken, and detectors beyond the most there may be.
fn apart<'s>(found: Vec<Own<'s>>, report: &mut Report) -> Vec<Own<'s>> {
    let mut seen: HashMap<String, At<'s>> = HashMap::new();
    let mut kept = Vec::new();
    for own in found {
        let at = own.name.at;
        if TAKEN.contains(&own.name.value.as_str()) {
            let message = format!("no detector is called `{}`: that means something else", own.name.value);
            report.push(at.error(message).help("call it after what it finds, as `order_number`"));
        } else if let Some(first) = seen.insert(own.name.value.clone(), at) {
            let diagnostic = at.error(format!("the detector `{}` is there twice", own.name.value));
            report.push(diagnostic.help(format!("the first one is at {first}; give this one another name")));
        } else if kept.len() == MOST {
            let message = format!("this is one detector too many: there are at most {MOST} of one's own");
            report.push(at.error(message).help("write one pattern for several, as `(?:ORD|INV)-[0-9]{8}`"));
        } else {
            kept.push(own);
        }
    }
    kept
}

impl Own<'_> {
    fn to_custom(&self) -> Custom {
        Custom { name: self.name.value.clone(), pattern: self.pattern.value.clone(), words: self.words.clone() }
    }
}

impl<'s> Detection<'s> {
    /// As the bundle says it.
    pub(super) fn to_selection(&self) -> Selection {
        let names = |list: &[Located<'_, String>]| list.iter().map(|one| one.value.clone()).collect();
        Selection {
            only: names(&self.only),
            without: names(&self.without),
            custom: self.custom.iter().map(Own::to_custom).collect(),
        }
    }

    /// The names of one's own.
    pub(super) fn own_names(&self) -> Vec<&str> {
        self.custom.iter().map(|own| own.name.value.as_str()).collect()
    }

    /// Whether one of one's own, or a group of them, is called so.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.custom.iter().any(|own| is_of(&own.name.value, name))
    }

    /// Ready to search; what cannot be is told at its place, `at` where it has none.
    pub(super) fn build(&self, at: At<'_>, report: &mut Report) -> Option<Rc<Detectors>> {
        let (mut selection, before) = (self.to_selection(), report.errors());
        let detectors = loop {
            match Detectors::new(&selection) {
                Ok(detectors) => break detectors,
                Err(error) => {
                    let own = match &error {
                        DetectorError::Name { name, .. } | DetectorError::Pattern { name, .. } => Some(name.clone()),
                        _ => None,
                    };
                    self.tell(error, at, report);
                    // What is wrong with the others is told as well.
                    selection.custom.retain(|custom| own.as_ref().is_some_and(|own| custom.name != *own));
                    own?;
                }
            }
        };
        if report.errors() > before {
            return None;
        }
        if let Some(at) = self.at
            && detectors.names().all(|(_, name)| name == "unscanned")
        {
            let diagnostic = at.error("nothing is looked for: every detector is off");
            report.push(diagnostic.help("leave a group on, or take `redaction.yaml` out"));
        }
        let mut search = Search { scratch: Scratch::new(&detectors), detectors: &detectors, found: Vec::new() };
        self.custom.iter().for_each(|own| search.try_out(own, report));
        Some(Rc::new(detectors))
    }

    fn tell(&self, error: DetectorError, at: At<'_>, report: &mut Report) {
        let place = |name: &str, of: fn(&Own<'s>) -> At<'s>| {
            self.custom.iter().find(|own| own.name.value == name).map_or(at, of)
        };
        let (at, message, help) = match error {
            DetectorError::Name { name, why } => (
                place(&name, |own| own.name.at),
                format!("`{name}` is no name of a detector of one's own"),
                why.to_owned(),
            ),
            DetectorError::Pattern { name, place: column, why } => {
                let at = place(&name, |own| own.pattern.at);
                let column = column.map_or(String::new(), |column| format!(", at its column {column}"));
                // What to write instead stands behind a comma, where there is something to be said.
                let (why, help) = why.split_once(", write ").map_or((why.as_str(), None), |(a, b)| (a, Some(b)));
                let help = help.map_or_else(
                    || {
                        "write it as the crate `regex` reads it, and say how often at most something is repeated"
                            .to_owned()
                    },
                    |help| format!("write {help}"),
                );
                (at, format!("the pattern of `{name}` cannot be{column}: {why}"), help)
            }
            other => {
                let at = self.custom.first().map_or(at, |own| own.name.at);
                (at, other.to_string(), "take out what is needed least, or write shorter patterns".to_owned())
            }
        };
        report.push(at.error(message).help(help));
    }
}

struct Search<'d> {
    detectors: &'d Detectors,
    scratch: Scratch,
    found: Vec<Finding>,
}

impl Search<'_> {
    /// Whether it finds what is to be found. Where it asks for a word, the text is in a field that is called so.
    fn try_out(&mut self, own: &Own<'_>, report: &mut Report) {
        let name = own.name.value.as_str();
        let key = own.words.first().map_or("", String::as_str);
        let field = if key.is_empty() { String::new() } else { format!(", in a field called `{key}`") };
        for example in &own.finds {
            let found = self.look(&example.value, key);
            let whole = found.iter().any(|(by, size)| by == name && *size == example.value.len());
            if whole {
                continue;
            }
            let message = match found.as_slice() {
                [] => format!("`{name}` does not find this{field}"),
                [(by, _), ..] if by != name => format!("what is found here is `{by}`, not `{name}`{field}"),
                _ => format!("`{name}` finds a part of this only{field}"),
            };
            let help = "change its pattern, or write in `finds` what it is to find, and nothing around it";
            report.push(example.at.error(message).help(help));
        }
        for example in &own.passes {
            if self.look(&example.value, key).iter().any(|(by, _)| by == name) {
                let message = format!("`{name}` finds something in this, and is not to{field}");
                report.push(example.at.error(message).help("make its pattern narrower, or move this to `finds`"));
            }
        }
    }

    fn look(&mut self, text: &str, key: &str) -> Vec<(String, usize)> {
        self.detectors.find(&mut self.scratch, text.as_bytes(), Hint { key: key.as_bytes() }, &mut self.found);
        let of = |one: &Finding| (self.detectors.name(one.detector).to_owned(), one.range.len());
        self.found.iter().map(of).collect()
    }
}
