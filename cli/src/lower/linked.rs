//! Templates of a directory, and the policies that links make of them.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, PolicyId, PolicySet, Template};
use cedar_policy_core::ast;

use super::Parsed;
use crate::diagnostic::{Diagnostic, Source};
use crate::directory::links::Link;
use crate::nearest::nearest;

/// The templates of all files, by id.
#[derive(Default)]
pub(super) struct Templates<'s> {
    known: BTreeMap<String, Known<'s>>,
    linked: BTreeSet<String>,
}

struct Known<'s> {
    source: &'s Source,
    offset: usize,
    template: Template,
}

impl<'s> Templates<'s> {
    /// Adds a template of a file. Gives what is wrong with its id.
    pub(super) fn add(&mut self, source: &'s Source, template: &Template) -> Option<Diagnostic> {
        let tree: &ast::Template = template.as_ref();
        let offset = tree.loc().map_or(0, |loc| loc.start());
        let Some(id) = template.annotation("id").filter(|id| !id.is_empty()) else {
            let error = source.error_at(offset, "a template needs an id, by which links name it");
            return Some(error.help("write `@id(\"guest\")` before it"));
        };
        if let Some(first) = self.known.get(id) {
            let (line, _) = first.source.position(first.offset);
            let message = format!("template id `{}` is taken by {}:{line}", id.escape_debug(), first.source.path());
            return Some(source.error_at(offset, message).help("give each template its own `@id(\"…\")`"));
        }
        let template = template.new_id(PolicyId::new(id));
        self.known.insert(id.to_owned(), Known { source, offset, template });
        None
    }

    /// The policy that a link makes of its template, as if it had been written so.
    pub(super) fn link(&mut self, source: &'s Source, link: &Link<'s>) -> Result<Parsed<'s>, Diagnostic> {
        let name = link.template.value.as_str();
        let Some(known) = self.known.get(name) else {
            let error = link.template.at.error(format!("no template has the id `{}`", name.escape_debug()));
            return Err(match nearest(name, self.known.keys().map(String::as_str)) {
                Some(meant) => error.help(format!("did you mean `{meant}`?")),
                None => error.help("write the `@id` of a policy with `?principal` or `?resource` in its scope"),
            });
        };
        self.linked.insert(name.to_owned());
        let slots: BTreeSet<String> = known.template.slots().map(ToString::to_string).collect();
        let filled: BTreeSet<String> = link.slots.iter().map(|(slot, _)| slot.to_string()).collect();
        if slots != filled {
            let listed = slots.iter().map(|slot| format!("`{slot}`")).collect::<Vec<_>>().join(" and ");
            let error = link.at.error(format!("the slots of `{name}` are not those that this link fills"));
            return Err(error.help(format!("fill {listed} in `args`")));
        }
        let policy = filled_in(known.template.clone(), link).map_err(|message| link.at.error(message))?;
        Ok(Parsed { source, offset: link.at.offset(), policy })
    }

    /// A warning for each template that no link names: it decides nothing.
    pub(super) fn unlinked(&self) -> impl Iterator<Item = Diagnostic> {
        self.known.iter().filter(|(id, _)| !self.linked.contains(*id)).map(|(id, known)| {
            let (line, column) = known.source.position(known.offset);
            let message = format!("no link names the template `{}`, so it decides nothing", id.escape_debug());
            known.source.warning(line, column, message).help("link it in policies/links.yaml, or take it out")
        })
    }
}

fn filled_in(template: Template, link: &Link<'_>) -> Result<Policy, String> {
    let (of, id) = (template.id().clone(), PolicyId::new(&link.id.value));
    let mut set = PolicySet::new();
    set.add_template(template).map_err(|e| e.to_string())?;
    set.link(of, id.clone(), link.slots.iter().cloned().collect()).map_err(|e| e.to_string())?;
    let linked = set.policy(&id).ok_or("the link made no policy")?;
    // Cedar keeps a link apart from policies; written out it is one like any other.
    Policy::from_json(Some(id), linked.to_json().map_err(|e| e.to_string())?).map_err(|e| e.to_string())
}
