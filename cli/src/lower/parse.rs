//! From policy files to policies with their ids.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{Policy, PolicyId, PolicySet};
use cedar_policy_core::ast;

use super::linked::Templates;
use super::nesting;
use super::position::Finding;
use crate::diagnostic::{Diagnostic, Source};
use crate::directory::links;

/// One policy as written.
#[derive(Clone, Debug)]
pub struct Parsed<'s> {
    /// The file it stands in; of a link that of the links.
    pub source: &'s Source,
    /// The byte at which it begins.
    pub offset: usize,
    /// The policy, under the id that access logs print.
    pub policy: Policy,
}

impl Parsed<'_> {
    /// Its id: `@id("…")`, else `<file stem>#<position in the file>`; of a link the link's.
    pub fn id(&self) -> &str {
        self.tree().id().as_ref()
    }

    pub(crate) fn tree(&self) -> &ast::Policy {
        self.policy.as_ref()
    }
}

/// The policies of all files in order, then those that links make of templates; and what is wrong with the rest. A
/// template that nobody links is a warning. The links are in a file called `links.yaml`.
pub fn parse(sources: &[Source]) -> (Vec<Parsed<'_>>, Vec<Diagnostic>) {
    let (mut parsed, mut found) = (Vec::new(), Vec::new());
    let mut templates = Templates::default();
    let (of_links, of_policies): (Vec<&Source>, Vec<&Source>) =
        sources.iter().partition(|source| source.path().rsplit('/').next() == Some(links::FILE));
    for source in of_policies {
        if let Some((offset, message)) = nesting::problem(source.text()) {
            let error = source.error_at(offset, message);
            found.push(error.help("write fewer parentheses, or split it into several policies"));
            continue;
        }
        match PolicySet::from_str(source.text()) {
            Ok(set) => {
                found.extend(set.templates().filter_map(|template| templates.add(source, template)));
                parsed.extend(in_order(source, &set));
            }
            Err(errors) => found.extend(errors.iter().map(|e| syntax_error(source, e))),
        }
    }
    for source in of_links {
        match links::links(source) {
            Ok(links) => {
                for link in &links {
                    match templates.link(source, link) {
                        Ok(policy) => parsed.push(policy),
                        Err(error) => found.push(error),
                    }
                }
            }
            Err(errors) => found.extend(errors),
        }
    }
    found.extend(id_errors(&parsed));
    // What is wrong may be why nobody links it.
    if found.is_empty() {
        found.extend(templates.unlinked());
    }
    (parsed, found)
}

fn in_order<'s>(source: &'s Source, set: &PolicySet) -> Vec<Parsed<'s>> {
    let place = |policy: &Policy| AsRef::<ast::Policy>::as_ref(policy).loc().map_or(0, |loc| loc.start());
    let mut policies: Vec<_> = set.policies().map(|policy| (place(policy), policy)).collect();
    policies.sort_by_key(|(offset, _)| *offset);
    let stem = source.path().rsplit('/').next().unwrap_or_default().trim_end_matches(".cedar");
    let named = policies.into_iter().enumerate().map(|(at, (offset, policy))| {
        let id = policy.annotation("id").map_or_else(|| format!("{stem}#{}", at + 1), str::to_owned);
        Parsed { source, offset, policy: policy.new_id(PolicyId::new(id)) }
    });
    named.collect()
}

fn syntax_error(source: &Source, error: &cedar_policy::ParseError) -> Diagnostic {
    let found = Finding::of(error);
    let help =
        found.help.unwrap_or_else(|| "write it as `permit (principal, action, resource) when { a == b };`".into());
    source.error_at(found.offset.unwrap_or(0), found.message).help(help)
}

fn id_errors(parsed: &[Parsed<'_>]) -> Vec<Diagnostic> {
    let mut seen: HashMap<&str, &Parsed<'_>> = HashMap::new();
    let mut errors = Vec::new();
    for policy in parsed {
        let id = policy.id();
        let printable = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'#' | b':' | b'/');
        if id.is_empty() || id.len() > 64 || !id.bytes().all(printable) {
            let message = format!("policy id `{}` cannot stand in a log line", id.escape_debug());
            let error = policy.source.error_at(policy.offset, message);
            errors.push(error.help("name it by 1 to 64 of `a-z A-Z 0-9 . _ - # : /`: `@id(\"readers\")`"));
        } else if let Some(first) = seen.insert(id, policy) {
            let (line, _) = first.source.position(first.offset);
            let message = format!("policy id `{id}` is taken by {}:{line}", first.source.path());
            errors.push(policy.source.error_at(policy.offset, message).help("give each policy its own `@id(\"…\")`"));
        }
    }
    errors
}
