//! `keys` of `mesh.yaml`: which key may sign what.

use crate::directory::fields::{Fields, Report, list, once_each};
use crate::directory::mesh::MeshEntry;
use crate::directory::values::key_id;
use crate::directory::yaml::{Located, Node};

/// Key ids by role.
#[derive(Debug, Default)]
pub(crate) struct KeyRoles<'s> {
    /// `keys.bundle`.
    pub(crate) bundle: Vec<Located<'s, String>>,
    /// `keys.retired`.
    pub(crate) retired: Vec<Located<'s, String>>,
    /// `keys.overlay`.
    pub(crate) overlay: Vec<Located<'s, String>>,
    /// `keys.grants`.
    pub(crate) grants: Vec<Located<'s, String>>,
}

/// Reads `keys`.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> KeyRoles<'s> {
    let Some(mut fields) = Fields::of(node, "`keys`", report) else { return KeyRoles::default() };
    let bundle = fields.required("bundle", "write `bundle: [bundle-1]`", report);
    let overlay = fields.required("overlay", "write `overlay: [overlay-1]`", report);
    let (retired, grants) = (fields.optional("retired"), fields.optional("grants"));
    fields.finish(report);
    let mut role = |node: Option<Node<'s>>, what, fewest| node.map_or(vec![], |node| ids(node, what, fewest, report));
    KeyRoles {
        bundle: role(bundle, "`keys.bundle`", 1),
        retired: role(retired, "`keys.retired`", 0),
        overlay: role(overlay, "`keys.overlay`", 1),
        grants: role(grants, "`keys.grants`", 0),
    }
}

fn ids<'s>(node: Node<'s>, what: &str, fewest: usize, report: &mut Report) -> Vec<Located<'s, String>> {
    let at = node.at;
    let mut bad = 0;
    let found = list(node, what, report, |item, report| {
        let id = key_id(item, report);
        bad += usize::from(id.is_none());
        id
    });
    let count = found.len() + bad;
    if !(fewest..=16).contains(&count) {
        let diagnostic = at.error(format!("{what} has {count} keys; it needs {fewest} to 16"));
        report.push(diagnostic.help("write the ids of the key files, as `[bundle-1]`"));
    }
    once_each(found, what, report)
}

/// INVARIANT: a key has one role. Whoever may only take away (overlay), let one operator cross (grants) or
/// speak for a request (signer) must not be able to sign a bundle.
pub(crate) fn one_role_each(mesh: &MeshEntry<'_>, report: &mut Report) {
    fn of<'k, 's>(
        role: &'static str,
        ids: &'k [Located<'s, String>],
    ) -> impl Iterator<Item = (&'static str, &'k Located<'s, String>)> {
        ids.iter().map(move |id| (role, id))
    }
    let roles = of("bundles", &mesh.keys.bundle)
        .chain(of("overlays", &mesh.keys.overlay))
        .chain(of("nothing any more", &mesh.keys.retired))
        .chain(of("grants", &mesh.keys.grants))
        .chain(mesh.signers.iter().map(|signer| ("root contexts", &signer.id)));
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (role, id) in roles {
        match seen.iter().find(|(_, known)| *known == id.value) {
            Some((other, _)) if *other == role && role != "root contexts" => {}
            Some((other, _)) => {
                let message = format!("key `{}` signs {other} already, and a key signs one kind of thing", id.value);
                report.push(id.at.error(message).help("make another key, with an id of its own"));
            }
            None => seen.push((role, &id.value)),
        }
    }
}
