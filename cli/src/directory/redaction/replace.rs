//! `replace`: what stands for what is found.

use std::collections::HashSet;

use partywall_log_redaction::detect::{Detectors, catalog};
use partywall_log_redaction::replace::{Action, Replace};

use crate::directory::fields::{Report, choice};
use crate::directory::redaction::detectors::Detection;
use crate::directory::yaml::{Located, Node, Value};
use crate::redact;

/// What can become of what is found.
pub(crate) const ACTIONS: &[(&str, Action)] = &[
    ("mask", Action::Mask),
    ("pseudonym", Action::Pseudonym),
    ("encrypt", Action::Encrypt),
    ("partial", Action::Partial),
    ("drop_field", Action::DropField),
    ("drop_record", Action::DropRecord),
];

/// `replace` as written.
#[derive(Debug, Default)]
pub(super) struct Replaced<'s> {
    /// `default`, and the other names.
    default: Action,
    by: Vec<(Located<'s, String>, Action)>,
}

pub(super) fn read<'s>(node: Node<'s>, report: &mut Report) -> Replaced<'s> {
    let Value::Map(entries) = node.value else {
        let diagnostic = node.at.error(format!("`replace` is written as a mapping, this is {}", node.value.kind()));
        report.push(diagnostic.help("write `replace: { default: mask, email: pseudonym }`"));
        return Replaced::default();
    };
    let (mut replaced, mut seen) = (Replaced::default(), HashSet::new());
    for (name, node) in entries {
        if !seen.insert(name.value.clone()) {
            let diagnostic = name.at.error(format!("`{}` is there twice in `replace`", name.value));
            report.push(diagnostic.help("keep one of the two"));
            continue;
        }
        let Some(action) = choice(node, "what stands for a value", ACTIONS, report) else { continue };
        if name.value == "default" {
            replaced.default = action;
        } else {
            replaced.by.push((name, action));
        }
    }
    replaced
}

impl Replaced<'_> {
    /// As the bundle says it.
    pub(super) fn to_replace(&self) -> Replace {
        let by = self.by.iter().map(|(name, action)| (name.value.clone(), *action)).collect();
        Replace { default: self.default, by }
    }

    /// Reports names that are no detector's and no group's, or of one that is off.
    pub(super) fn check(&self, detection: &Detection<'_>, detectors: &Detectors, report: &mut Report) {
        for (name, _) in &self.by {
            let word = name.value.as_str();
            let is = |known: &str| known == word || known.strip_prefix(word).is_some_and(|rest| rest.starts_with('/'));
            if detectors.names().any(|(_, known)| is(known)) {
                continue;
            }
            let diagnostic = if catalog().iter().any(|about| is(about.name)) || detection.is_own(word) {
                let diagnostic =
                    name.at.error(format!("`{word}` is off, so that nothing stands for what it would find"));
                diagnostic.help("take this line out, or change `only` and `without` of `detectors`")
            } else {
                let diagnostic = name.at.error(format!("no detector or group is called `{word}`"));
                diagnostic.help(redact::meant(word, &detection.own_names()))
            };
            report.push(diagnostic);
        }
    }
}
