//! `identity` of a cluster: how a client shows its tenant.

use std::collections::HashMap;

use partywall_tenancy::{EventIdentity, SpiffeId, TenantId, UserForm};

use crate::directory::fields::{Fields, Report, listed, text};
use crate::directory::template::{self, Form, Template};
use crate::directory::values::{Scope, scope, spiffe_id, tenant_id};
use crate::directory::yaml::{At, Located, Node, Value};
use crate::nearest::nearest;

/// The ways, as they are written.
const WAYS: &[&str] = &["uri", "dns", "workloads", "user", "token", "listener"];

/// `identity` as written.
#[derive(Debug, Default)]
pub(crate) struct Identity<'s> {
    /// Each way, but for the listener, and where it stands.
    pub(super) shown: Vec<(EventIdentity, At<'s>)>,
    /// Workloads and whose they are.
    pub(super) workloads: Vec<(SpiffeId, Located<'s, TenantId>)>,
    /// `listener`.
    pub(super) listener: Option<Scope<'s>>,
}

enum Way<'s> {
    Template(Template<'s>, Form),
    Workloads(Vec<(SpiffeId, Located<'s, TenantId>)>),
    User(String),
    Token,
    Listener(Scope<'s>),
}

/// Reads the list; `None` where one of them is no good, since what is left says less than what was meant.
pub(super) fn read<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<Identity<'s>> {
    const HELP: &str =
        "write one `- way` per line, as `- uri: \"spiffe://mesh.example/tenant/{tenant}/sa/{workload}\"`";
    let at = node.at;
    let Value::List(items) = node.value else {
        let diagnostic = at.error(format!("`identity` is a list, this is {}", node.value.kind()));
        return report.add(diagnostic.help(HELP));
    };
    if items.is_empty() {
        return report.add(at.error("no client could show its tenant, so that all are denied").help(HELP));
    }
    let count = items.len();
    let ways: Vec<_> = items.into_iter().filter_map(|item| Some((item.at, way(item, trust_domain, report)?))).collect();
    if ways.len() < count {
        return None;
    }
    let mut found = Identity::default();
    let mut templates = Vec::new();
    for (at, way) in ways {
        match way {
            Way::Listener(scope) => {
                if found.listener.replace(scope).is_some() {
                    twice(at, "listener", report);
                }
            }
            Way::Token => found.add(EventIdentity::Token, at, "token", report),
            Way::User(template) => found.add(EventIdentity::User { template }, at, "user", report),
            Way::Template(template, form) => {
                let text = template.text.clone();
                let shown = match form {
                    Form::Uri => EventIdentity::UriSan { template: text },
                    _ => EventIdentity::DnsSan { template: text },
                };
                found.shown.push((shown, at));
                templates.push(template);
            }
            Way::Workloads(list) => {
                let mut workloads: Vec<_> =
                    list.iter().map(|(id, tenant)| (id.clone(), tenant.value.clone())).collect();
                workloads.sort();
                found.add(EventIdentity::Workload { workloads }, at, "workloads", report);
                found.workloads.extend(list);
            }
        }
    }
    template::apart(&templates.iter().collect::<Vec<_>>(), report);
    Some(found)
}

impl<'s> Identity<'s> {
    /// Where `token` stands.
    pub(super) fn token(&self) -> Option<At<'s>> {
        self.shown.iter().find(|(way, _)| *way == EventIdentity::Token).map(|(_, at)| *at)
    }

    /// Adds a way of which there is one at most.
    fn add(&mut self, way: EventIdentity, at: At<'s>, name: &str, report: &mut Report) {
        let same = |other: &EventIdentity| std::mem::discriminant(other) == std::mem::discriminant(&way);
        if self.shown.iter().any(|(other, _)| same(other)) {
            twice(at, name, report);
        }
        self.shown.push((way, at));
    }
}

fn twice(at: At<'_>, way: &str, report: &mut Report) {
    report.push(at.error(format!("`{way}` is a way to show a tenant for the second time")).help("keep one of the two"));
}

fn way<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<Way<'s>> {
    let at = node.at;
    if let Value::Text(word) = &node.value {
        if word == "token" {
            return Some(Way::Token);
        }
        let help = match nearest(word, WAYS.iter().copied()) {
            Some("token") => "did you mean `token`?".to_owned(),
            Some(meant) => format!("write `{{ {meant}: … }}`"),
            None => format!("it is one of {}", listed(WAYS)),
        };
        return report.add(at.error(format!("`{word}` is no way to show a tenant")).help(help));
    }
    let mut fields = Fields::of(node, "an identity", report)?;
    let uri = fields.optional("uri");
    let dns = fields.optional("dns");
    let workloads = fields.optional("workloads");
    let user = fields.optional("user");
    let listener = fields.optional("listener");
    let known = [&uri, &dns, &workloads, &user, &listener];
    let count = known.into_iter().flatten().count();
    fields.finish(report);
    if count != 1 {
        let diagnostic = at.error(format!("this says {count} ways to show a tenant, and is to say one"));
        return report.add(diagnostic.help("write each way as an item of its own, as `- user: \"{tenant}.{user}\"`"));
    }
    if let Some(node) = uri {
        let written = text(node, "a URI template", report)?;
        return template::read(Form::Uri, written, report).map(|template| Way::Template(template, Form::Uri));
    }
    if let Some(node) = dns {
        let written = text(node, "a DNS template", report)?;
        return template::read(Form::Dns, written, report).map(|template| Way::Template(template, Form::Dns));
    }
    if let Some(node) = user {
        return self::user(node, report).map(Way::User);
    }
    if let Some(node) = workloads {
        return self::workloads(node, trust_domain, report).map(Way::Workloads);
    }
    scope(listener?, report).map(Way::Listener)
}

fn user(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "`user`", report)?;
    if UserForm::parse(&found.value).is_some() {
        return Some(found.value);
    }
    let diagnostic =
        found.at.error(format!("`{}` does not tell which part of a user's name is its tenant", found.value));
    report.add(diagnostic.help(
        "write `{tenant}`, `{tenant}.{user}` or `{user}@{tenant}`, with one character between that no tenant id has",
    ))
}

/// SPIFFE IDs and the tenant of each.
fn workloads<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    report: &mut Report,
) -> Option<Vec<(SpiffeId, Located<'s, TenantId>)>> {
    const HELP: &str = "write `workloads: { \"spiffe://mesh.example/ns/shop/sa/orders-acme\": acme }`";
    let at = node.at;
    let Value::Map(entries) = node.value else {
        let diagnostic = at.error(format!("`workloads` is a mapping, this is {}", node.value.kind()));
        return report.add(diagnostic.help(HELP));
    };
    if entries.is_empty() {
        return report.add(at.error("these are no workloads").help(HELP));
    }
    let (count, mut seen, mut found) = (entries.len(), HashMap::new(), Vec::new());
    for (key, value) in entries {
        let id = spiffe_id(Node { value: Value::Text(key.value), at: key.at }, trust_domain, report);
        let (Some(id), Some(tenant)) = (id, tenant_id(value, report)) else { continue };
        match seen.insert(id.value.clone(), id.at) {
            Some(first) => {
                let diagnostic = id.at.error(format!("workload `{}` is there twice", id.value));
                report.push(diagnostic.help(format!("a workload is of one tenant; the first one is at {first}")));
            }
            None => found.push((id.value, tenant)),
        }
    }
    (found.len() == count).then_some(found)
}
