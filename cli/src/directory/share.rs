//! `shares/*.yaml`: what one tenant lets others read, or the tenants of a cohort each other.

use std::path::Path;

use partywall_tenancy::{Owner, Share, TenantId, UnixSeconds, reads};

use crate::diagnostic::{Place, Source};
use crate::directory::fields::{Fields, Report, list, once_each, text, texts};
use crate::directory::service::ServiceEntry;
use crate::directory::tenant::TenantFile;
use crate::directory::values::{is_known, tenant_id, word};
use crate::directory::yaml::{Located, Node, Value};
use crate::nearest::nearest;
use crate::{overlay, time};

/// One file of `shares/`.
#[derive(Debug)]
pub(crate) struct ShareEntry<'s> {
    /// `share`.
    name: Located<'s, String>,
    /// `owner`.
    owner: Party<'s>,
    /// `to`.
    to: Party<'s>,
    /// `actions`.
    actions: Vec<Located<'s, String>>,
    /// `services`.
    services: Vec<Located<'s, String>>,
    /// `until`.
    until: Option<Located<'s, UnixSeconds>>,
}

/// Some tenants.
#[derive(Debug)]
enum Party<'s> {
    /// These.
    Tenants(Vec<Located<'s, TenantId>>),
    /// Those whose record, or profile, says this cohort.
    Cohort(Located<'s, String>),
}

/// How long before its end a share is told of.
const NEAR: UnixSeconds = 14 * 86_400;

/// Reads the document of one file.
pub(crate) fn read<'s>(source: &'s Source, node: Node<'s>, report: &mut Report) -> Option<ShareEntry<'s>> {
    let mut fields = Fields::of(node, "a share", report)?;
    let name = fields
        .required("share", "write `share: orders-for-the-auditor`", report)
        .and_then(|node| word(node, "the name of a share", report));
    let owner = fields
        .required("owner", "write `owner: acme`, or `owner: { cohort: franchise }`", report)
        .and_then(|node| owner(node, report));
    let to = fields
        .required("to", "write `to: [globex]`, or `to: { cohort: franchise }`", report)
        .and_then(|node| to(node, report));
    let mut words = |field, help, what, report: &mut Report| {
        fields.required(field, help, report).map_or(vec![], |node| texts(node, what, report))
    };
    let actions = words("actions", "write `actions: [\"orders:list\"]`", "an action", report);
    let services = words("services", "write `services: [orders]`", "a service", report);
    let until = fields.optional("until").map(|node| until(node, report));
    fields.finish(report);
    let stem = Path::new(source.path()).file_stem().unwrap_or_default().to_string_lossy();
    if let Some(name) = name.as_ref().filter(|name| name.value != stem) {
        let diagnostic = name.at.error(format!("share `{}` stands in `{stem}.yaml`", name.value));
        report.push(diagnostic.help(format!("call the file `{}.yaml`, so that one name means one share", name.value)));
    }
    // What was written and cannot be read is no share for ever.
    let until = until.map_or(Some(None), |read| read.map(Some))?;
    Some(ShareEntry { name: name?, owner: owner?, to: to?, actions, services, until })
}

fn owner<'s>(node: Node<'s>, report: &mut Report) -> Option<Party<'s>> {
    if let Value::Map(_) = node.value {
        return cohort(node, report);
    }
    tenant_id(node, report).map(|one| Party::Tenants(vec![one]))
}

fn to<'s>(node: Node<'s>, report: &mut Report) -> Option<Party<'s>> {
    const HELP: &str = "write a list as `[globex]`, or `{ cohort: franchise }`";
    let at = node.at;
    match &node.value {
        Value::Map(_) => return cohort(node, report),
        Value::List(items) if items.is_empty() => {
            return report.add(at.error("it is shared with nobody").help(HELP));
        }
        Value::List(_) => {}
        // Not `all`, which a list of tenants is elsewhere: it would be for tenants that nobody knows yet, too.
        other => {
            return report.add(at.error(format!("`to` is a list of tenants, this is {}", other.kind())).help(HELP));
        }
    }
    let ids = once_each(list(node, "whom it is shared with", report, tenant_id), "whom it is shared with", report);
    (!ids.is_empty()).then_some(Party::Tenants(ids))
}

fn cohort<'s>(node: Node<'s>, report: &mut Report) -> Option<Party<'s>> {
    let mut fields = Fields::of(node, "a cohort", report)?;
    let name = fields
        .required("cohort", "write `{ cohort: franchise }`", report)
        .and_then(|node| word(node, "a cohort", report));
    fields.finish(report);
    name.map(Party::Cohort)
}

fn until<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, UnixSeconds>> {
    let found = text(node, "`until`", report)?;
    match time::parse_rfc3339(&found.value) {
        Some(value) => Some(Located { value, at: found.at }),
        None => {
            let diagnostic = found.at.error(format!("`{}` is no time in UTC (RFC 3339)", found.value));
            report.add(diagnostic.help("write `2027-01-31T00:00:00Z`"))
        }
    }
}

/// Reports what does not fit the rest of the directory. `known` are the ids of all tenants, sorted.
pub(crate) fn check(
    shares: &[ShareEntry<'_>],
    tenants: &[TenantFile<'_>],
    known: &[TenantId],
    services: &[ServiceEntry<'_>],
    report: &mut Report,
) {
    if let Some(share) = shares.get(Share::MOST) {
        let message = format!("this is one share too many: a mesh has at most {}", Share::MOST);
        report.push(share.name.at.error(message).help("put what the same tenants share into one file"));
    }
    let now = overlay::now_millis() / 1000;
    for share in shares {
        for party in [&share.owner, &share.to] {
            party.check(tenants, known, report);
        }
        share.with_themselves(tenants, report);
        share.operations(services, report);
        if let Some(until) = &share.until {
            let name = &share.name.value;
            if until.value <= now {
                let diagnostic = until.at.error(format!("share `{name}` has ended"));
                report.push(diagnostic.help("take its file out, or write another `until` if it is still wanted"));
            } else if until.value - now < NEAR {
                let message = format!("share `{name}` ends within 14 days, and then what it lets through is denied");
                report.push(until.at.warning(message).help("write another `until` if it is still wanted"));
            }
        }
    }
}

impl Party<'_> {
    fn check(&self, tenants: &[TenantFile<'_>], known: &[TenantId], report: &mut Report) {
        match self {
            Self::Tenants(ids) => ids.iter().for_each(|id| is_known(id, known, report)),
            Self::Cohort(cohort) if self.members(tenants).is_empty() => {
                let diagnostic = cohort.at.error(format!("no tenant is of the cohort `{}`", cohort.value));
                let all = tenants.iter().filter_map(|file| file.cohort.as_deref());
                report.push(diagnostic.help(match nearest(&cohort.value, all) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("write `cohort: {}` in the records of its tenants, or in a profile", cohort.value),
                }));
            }
            Self::Cohort(_) => {}
        }
    }

    /// The tenants, sorted.
    fn members(&self, tenants: &[TenantFile<'_>]) -> Vec<TenantId> {
        let mut ids: Vec<TenantId> = match self {
            Self::Tenants(ids) => ids.iter().map(|id| id.value.clone()).collect(),
            Self::Cohort(cohort) => {
                let of = |file: &&TenantFile<'_>| file.cohort.as_deref() == Some(cohort.value.as_str());
                tenants.iter().filter(of).filter_map(|file| file.tenant.as_ref()).map(|t| t.id.clone()).collect()
            }
        };
        ids.sort();
        ids.dedup();
        ids
    }
}

impl ShareEntry<'_> {
    /// A tenant needs no share for what is its own.
    fn with_themselves(&self, tenants: &[TenantFile<'_>], report: &mut Report) {
        if let (Party::Tenants(owner), Party::Tenants(to)) = (&self.owner, &self.to) {
            for same in to.iter().filter(|id| owner.iter().any(|owner| owner.value == id.value)) {
                let diagnostic = same.at.error(format!("`{}` shares with itself", same.value));
                report.push(diagnostic.help("take it out: what is its own a tenant reads by policies alone"));
            }
        } else if let [one] = self.owner.members(tenants).as_slice()
            && self.to.members(tenants) == [one.clone()]
        {
            let message = format!("share `{}` is of `{one}` with itself alone", self.name.value);
            report.push(self.name.at.error(message).help("a share takes two tenants at least"));
        }
    }

    /// INVARIANT: a share is for reading. What it names exists, and none of it writes.
    fn operations(&self, services: &[ServiceEntry<'_>], report: &mut Report) {
        let names = || services.iter().filter_map(|service| service.name.as_ref());
        for service in &self.services {
            if !names().any(|name| name.value == service.value) {
                let diagnostic = service.at.error(format!("there is no service `{}`", service.value));
                report.push(diagnostic.help(match nearest(&service.value, names().map(|name| name.value.as_str())) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("write `services/{}.yaml`, or take it out here", service.value),
                }));
            }
        }
        let named = |entry: &&ServiceEntry<'_>| {
            entry.name.as_ref().is_some_and(|name| self.services.iter().any(|one| one.value == name.value))
        };
        let operations: Vec<_> = services
            .iter()
            .filter(named)
            .flat_map(|entry| &entry.operations)
            .map(|operation| &operation.value)
            .collect();
        // Where a service is not there, or cannot be read, that is the mistake.
        if operations.is_empty() {
            return;
        }
        for action in &self.actions {
            let does: Vec<_> = operations.iter().filter(|operation| operation.action == action.value).collect();
            if does.is_empty() {
                let message = format!("no operation of the services of this share does `{}`", action.value);
                let meant = nearest(&action.value, operations.iter().map(|operation| operation.action.as_str()));
                report.push(action.at.error(message).help(match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "name an action of the operations in services/".to_owned(),
                }));
            } else if let Some(writes) = does.iter().find(|operation| !reads(&operation.method)) {
                let message = format!(
                    "`{}` is also what `{} {}` does, which may write",
                    action.value, writes.method, writes.path
                );
                report.push(action.at.error(message).help(
                    "a share is for reading, by GET and HEAD: give what reads an action of its own, or take this one out",
                ));
            } else if !does.iter().any(|operation| matches!(operation.owner, Owner::Shown { .. })) {
                let message = format!("no request for `{}` shows whose it is, so that nothing is shared", action.value);
                report.push(
                    action
                        .at
                        .warning(message)
                        .help("write `owner: path.tenant` and `{tenant}` in the path of an operation"),
                );
            }
        }
    }

    /// Its name and each action, with the place where that stands.
    pub(crate) fn places(&self) -> impl Iterator<Item = (String, String, Place)> {
        self.actions.iter().map(|action| (self.name.value.clone(), action.value.clone(), action.at.place()))
    }

    /// As the bundle says it: cohorts are written out.
    pub(crate) fn to_share(&self, tenants: &[TenantFile<'_>]) -> Share {
        let sorted = |list: &[Located<'_, String>]| {
            let mut words: Vec<String> = list.iter().map(|word| word.value.clone()).collect();
            words.sort();
            words
        };
        Share {
            name: self.name.value.clone(),
            owners: self.owner.members(tenants),
            to: self.to.members(tenants),
            actions: sorted(&self.actions),
            services: sorted(&self.services),
            until: self.until.as_ref().map(|until| until.value),
        }
    }
}
