//! Links of templates: `policies/links.yaml`, and what `decide --links` reads. The fields are those of Cedar's own file
//! of links; that is JSON, which YAML holds.

use cedar_policy::{EntityUid, SlotId};

use crate::diagnostic::{Diagnostic, Source};
use crate::directory::document;
use crate::directory::fields::{Fields, Report, list, text};
use crate::directory::yaml::{At, Located, Node, Value};

/// The name of the file in `policies/`.
pub(crate) const FILE: &str = "links.yaml";

/// One link, as written.
#[derive(Debug)]
pub(crate) struct Link<'s> {
    /// Where it stands.
    pub(crate) at: At<'s>,
    /// The id of the template.
    pub(crate) template: Located<'s, String>,
    /// The id of the policy that comes of it.
    pub(crate) id: Located<'s, String>,
    /// What is put for each slot.
    pub(crate) slots: Vec<(SlotId, EntityUid)>,
}

const EXAMPLE: &str = "write `args: {\"?principal\": 'Role::\"viewer\"'}`";

/// All links of a file, or what is wrong with it.
pub(crate) fn links(source: &Source) -> Result<Vec<Link<'_>>, Vec<Diagnostic>> {
    let mut report = Report::default();
    let found = document(source, &mut report).map(|node| list(node, "the file of links", &mut report, link));
    let mistakes = report.into_sorted();
    if mistakes.is_empty() { Ok(found.unwrap_or_default()) } else { Err(mistakes) }
}

fn link<'s>(node: Node<'s>, report: &mut Report) -> Option<Link<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "a link", report)?;
    let template = fields.required("template_id", "write the `@id` of the template", report);
    let template = template.and_then(|node| text(node, "the id of a template", report));
    let id = fields.required("link_id", "write a name for the policy that comes of it", report);
    let id = id.and_then(|node| text(node, "the id of a link", report));
    let slots = fields.required("args", EXAMPLE, report).and_then(|node| slots(node, report));
    fields.finish(report);
    Some(Link { at, template: template?, id: id?, slots: slots? })
}

/// `None` where one of them is no good.
fn slots(node: Node<'_>, report: &mut Report) -> Option<Vec<(SlotId, EntityUid)>> {
    let Value::Map(entries) = node.value else {
        let message = format!("`args` is a mapping, this is {}", node.value.kind());
        return report.add(node.at.error(message).help(EXAMPLE));
    };
    let mut slots: Vec<Option<(SlotId, EntityUid)>> = Vec::new();
    for (name, value) in entries {
        let slot = match name.value.as_str() {
            "?principal" => Some(SlotId::principal()),
            "?resource" => Some(SlotId::resource()),
            other => {
                report.add(name.at.error(format!("`{other}` is no slot")).help("write `?principal` or `?resource`"))
            }
        };
        let entity = text(value, "an entity", report).and_then(|found| match found.value.parse() {
            Ok(entity) => Some(entity),
            Err(_) => {
                let message = format!("`{}` is no entity", found.value.escape_debug());
                report.add(found.at.error(message).help("write `Role::\"viewer\"`"))
            }
        });
        if let Some(slot) = &slot
            && slots.iter().flatten().any(|(known, _)| known == slot)
        {
            report.push(name.at.error(format!("`{}` is there twice", name.value)).help("keep one of the two"));
        }
        slots.push(slot.zip(entity));
    }
    slots.into_iter().collect()
}
