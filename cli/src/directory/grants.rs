//! How many must approve, and what may be granted: `approvals` and `grants` of `mesh.yaml`.

use partywall_tenancy::GrantCeilings;

use crate::directory::fields::{Fields, Report, texts};
use crate::directory::key_roles::KeyRoles;
use crate::directory::service::ServiceEntry;
use crate::directory::values::{Scope, duration, number, scope};
use crate::directory::yaml::{At, Located, Node};
use crate::nearest::nearest;

/// `grants`.
#[derive(Debug)]
pub(crate) struct GrantsEntry<'s> {
    /// `longest`, in seconds.
    pub(crate) longest: u32,
    /// `actions`.
    pub(crate) actions: Vec<Located<'s, String>>,
    /// `tenants`.
    pub(crate) tenants: Scope<'s>,
    /// `at_once`.
    pub(crate) at_once: u16,
}

impl GrantsEntry<'_> {
    /// As the bundle says it.
    pub(crate) fn to_ceilings(&self) -> GrantCeilings {
        let mut actions: Vec<String> = self.actions.iter().map(|action| action.value.clone()).collect();
        actions.sort();
        GrantCeilings { longest: self.longest, actions, tenants: self.tenants.to_tenant_scope(), at_once: self.at_once }
    }
}

/// Reads `approvals`: how many keys must sign a bundle.
pub(crate) fn approvals(node: Node<'_>, keys: &KeyRoles<'_>, report: &mut Report) -> Option<u8> {
    let at = node.at;
    let asked = number(node, "`approvals`", 1..=16, report)?;
    if usize::from(asked) > keys.bundle.len() && !keys.bundle.is_empty() {
        let message = format!("`approvals` asks for {asked} keys, and `keys.bundle` names {}", keys.bundle.len());
        return report.add(at.error(message).help("name more keys, or ask for fewer: nobody could sign a bundle"));
    }
    u8::try_from(asked).ok()
}

/// Reads `grants`.
pub(crate) fn read<'s>(node: Node<'s>, keys: &KeyRoles<'_>, report: &mut Report) -> Option<GrantsEntry<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "`grants`", report)?;
    let longest = fields
        .required("longest", "write `longest: 4h`", report)
        .and_then(|node| duration(node, "`longest`", 60..=86_400, report));
    let actions = fields
        .required("actions", "write `actions: [\"invoices:read\"]`", report)
        .map(|node| texts(node, "an action", report));
    let tenants = fields.required("tenants", "write `tenants: all`", report).and_then(|node| scope(node, report));
    let at_once = match fields.optional("at_once") {
        Some(node) => number(node, "`at_once`", 1..=256, report),
        None => Some(16),
    };
    fields.finish(report);
    if keys.grants.len() < 2 {
        let diagnostic = at.error("two keys sign a grant, and `keys.grants` does not name two");
        report.push(diagnostic.help(
            "write `keys: { grants: [grant-1, grant-2], … }`; `partywall keys pair grant-1 --dir keys` makes one",
        ));
    }
    Some(GrantsEntry { longest: longest?, actions: actions?, tenants: tenants?, at_once: at_once? })
}

/// Reports actions that no operation has: a mistyped one would be a grant that helps nobody.
pub(crate) fn check(grants: Option<&GrantsEntry<'_>>, services: &[ServiceEntry<'_>], report: &mut Report) {
    let all = || services.iter().flat_map(|s| &s.operations).map(|operation| &operation.value);
    let known = || all().map(|operation| operation.action.as_str());
    for Located { value, at } in grants.iter().flat_map(|grants| &grants.actions) {
        if !known().any(|action| action == value) {
            unknown(*at, value, nearest(value, known()), report);
        } else if all().any(|one| one.action == *value && one.attributes.scope == partywall_tenancy::Scope::Platform) {
            let message = format!("`{value}` is of scope `platform`, and a grant is for what is a tenant's");
            report.push(
                at.error(message).help("take it out: platform principals are listed in `platform` of their service"),
            );
        }
    }
}

fn unknown(at: At<'_>, action: &str, meant: Option<&str>, report: &mut Report) {
    let diagnostic = at.error(format!("no operation has the action `{action}`"));
    report.push(diagnostic.help(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write an action of `services/`, as `invoices:read`".to_owned(),
    }));
}
