//! `profiles/*.yaml`: settings that the tenants of one tier inherit.

use crate::directory::fields::{Fields, Report};
use crate::directory::settings::{self, Settings};
use crate::directory::values::word;
use crate::directory::yaml::{Located, Node};

/// A tier and what its tenants inherit.
pub(crate) type Profile<'s> = (Located<'s, String>, Settings<'s>);

/// Reads the document of one profile.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<Profile<'s>> {
    let mut fields = Fields::of(node, "a profile", report)?;
    let tier = fields
        .required("profile", "write `profile: gold`: the tier whose tenants inherit it", report)
        .and_then(|node| word(node, "a tier", report));
    let residency = fields.optional("residency").and_then(|node| word(node, "a residency", report));
    let settings = settings::read(&mut fields, report);
    fields.finish(report);
    Some((tier?, Settings { residency, ..settings }))
}
