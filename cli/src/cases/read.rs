//! Reads a file of cases.

use std::collections::HashMap;
use std::net::IpAddr;

use partywall_authorization::RouteSays;
use partywall_tenancy::{Mode, Reason, TenantId, UnixSeconds};

use crate::cases::{Case, DECISIONS, Given, Then, route, shown, topic};
use crate::diagnostic::{Diagnostic, Source};
use crate::directory::{
    At, Fields, Located, Mistakes, Node, Value, choice, list, name, once_read, parse, spiffe_id, tenant_id, text,
    texts, word,
};
use crate::rehearsal::OfTopic;
use crate::time::parse_rfc3339;

/// The cases of a file, or everything that is wrong with it.
pub(crate) fn read(source: &Source) -> Result<Vec<Case<'_>>, Vec<Diagnostic>> {
    let node = parse(source).map_err(|mistake| vec![mistake])?;
    let mut mistakes = Mistakes::default();
    let found = file(node, &mut mistakes);
    let mistakes = mistakes.into_sorted();
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

fn file<'s>(node: Node<'s>, mistakes: &mut Mistakes) -> Vec<Case<'s>> {
    const HELP: &str = "write `cases: [{ name: …, given: …, when: …, then: … }]`";
    let at = node.at;
    let Some(mut fields) = Fields::of(node, "a file of cases", mistakes) else { return Vec::new() };
    let cases = fields.required("cases", HELP, mistakes);
    fields.finish(mistakes);
    let Some(cases) = cases else { return Vec::new() };
    let empty = matches!(&cases.value, Value::List(items) if items.is_empty());
    if empty {
        mistakes.push(at.error("this file has no cases").help(HELP));
    }
    let cases = list(cases, "`cases`", mistakes, case);
    once_each(&cases, mistakes);
    cases
}

fn case<'s>(node: Node<'s>, mistakes: &mut Mistakes) -> Option<Case<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "a case", mistakes)?;
    let name = fields
        .required("name", "write `name: a viewer reads an order`", mistakes)
        .and_then(|node| text(node, "the name of a case", mistakes));
    let given = fields.required("given", shown::EXAMPLE, mistakes).and_then(|node| given(node, mistakes));
    let when = fields
        .required("when", "write `when: { service: orders, request: GET /orders/7 }`", mistakes)
        .and_then(|node| if topic::is_meant(&node) { topic::read(node, mistakes) } else { when(node, mistakes) });
    let then =
        fields.required("then", "write `then: { decision: allow }`", mistakes).and_then(|node| then(node, mistakes));
    fields.finish(mistakes);
    let When { service, method, path, headers, body, route, topic, says, region, cell, time, from } = when?;
    let given = given?;
    if let (Given::Workload(_) | Given::Shows(_), Some(_)) = (&given, &topic) {
        let message = "`given` names no tenant, and how a client of Kafka shows one is not played here";
        return mistakes.add(at.error(message).help("write `given: { tenant: acme, roles: [viewer] }`"));
    }
    if let (Given::Workload(_), Some(_)) = (&given, &from) {
        let message = "`from` stands beside a workload that calls by itself, and nobody tells a sidecar where that is";
        return mistakes.add(at.error(message).help("write `tenant`, or take it out"));
    }
    Some(Case {
        name: name?,
        given,
        service,
        method,
        path,
        headers,
        body,
        route,
        topic,
        says,
        region,
        cell,
        time,
        from,
        then: then?,
    })
}

fn given(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Given> {
    let at = node.at;
    let mut fields = Fields::of(node, "`given`", mistakes)?;
    let tenant = fields.optional("tenant").map(|node| tenant_id(node, mistakes));
    let (subject, roles, scopes) = (fields.optional("subject"), fields.optional("roles"), fields.optional("scopes"));
    let withdrawn = fields.optional("withdrawn");
    let caller = fields.optional("caller");
    let shown = shown::read(&mut fields, mistakes);
    fields.finish(mistakes);
    let both = "either the tenant was proved before, or what is shown proves it";
    match (tenant, shown) {
        (None, None) if caller.is_some() => {
            let proved = [(&subject, "subject"), (&roles, "roles"), (&scopes, "scopes"), (&withdrawn, "withdrawn")];
            if let Some((Some(node), name)) = proved.into_iter().find(|(node, _)| node.is_some()) {
                let message = format!("`{name}` stands beside `tenant`, and here a workload calls for no tenant");
                return mistakes.add(node.at.error(message).help("write `tenant`, or take it out"));
            }
            Some(Given::Workload(spiffe_id(caller?, None, mistakes)?.value))
        }
        (None, None) => mistakes.add(at.error("`given` says not who acts").help(shown::EXAMPLE)),
        (Some(_), Some(_)) => mistakes.add(at.error(both).help("take out `tenant`, or what is shown")),
        (None, Some(shown)) => {
            let proved = [
                (&subject, "subject"),
                (&roles, "roles"),
                (&scopes, "scopes"),
                (&withdrawn, "withdrawn"),
                (&caller, "caller"),
            ];
            if let Some((Some(node), name)) = proved.into_iter().find(|(node, _)| node.is_some()) {
                let message = format!("`{name}` stands beside `tenant`, and here a credential says who acts");
                return mistakes.add(node.at.error(message).help("write it among the claims, or take it out"));
            }
            Some(Given::Shows(Box::new(shown?)))
        }
        (Some(tenant), None) => {
            let subject = match subject {
                Some(node) => text(node, "a subject", mistakes).map(|found| found.value),
                None => Some(String::new()),
            };
            let mut some = |node: Option<Node<'_>>, what: &str| {
                node.map_or(vec![], |node| match &node.value {
                    Value::List(items) if items.is_empty() => Vec::new(),
                    _ => texts(node, what, mistakes).into_iter().map(|one| one.value).collect(),
                })
            };
            let (roles, scopes) = (some(roles, "a role"), some(scopes, "a scope"));
            let withdrawn = withdrawn.map_or(vec![], |node| {
                list(node, "`withdrawn`", mistakes, |node, mistakes| name(node, "a consent", mistakes))
            });
            let caller = once_read(caller.map(|node| spiffe_id(node, None, mistakes)))?.map(|found| found.value);
            let tenant: Located<'_, TenantId> = tenant?;
            let withdrawn = withdrawn.into_iter().map(|one| one.value).collect();
            let (tenant, subject) = (tenant.value.to_string(), subject?);
            Some(Given::Proved { tenant, subject, roles, scopes, caller, withdrawn })
        }
    }
}

/// What is asked for.
pub(super) struct When<'s> {
    pub(super) service: Located<'s, String>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) route: Option<Mode>,
    pub(super) topic: Option<OfTopic>,
    pub(super) says: RouteSays,
    pub(super) region: String,
    pub(super) cell: Option<String>,
    pub(super) time: Option<UnixSeconds>,
    pub(super) from: Option<IpAddr>,
}

fn when<'s>(node: Node<'s>, mistakes: &mut Mistakes) -> Option<When<'s>> {
    let mut fields = Fields::of(node, "`when`", mistakes)?;
    let service = fields
        .required("service", "write `service: orders`", mistakes)
        .and_then(|node| text(node, "a service", mistakes));
    let request = fields
        .required("request", "write `request: GET /orders/7`", mistakes)
        .and_then(|node| text(node, "`request`", mistakes));
    let headers = fields.optional("headers").map(|node| shown::headers(node, mistakes));
    let body = fields.optional("body").map(|node| text(node, "a body", mistakes).map(|found| found.value));
    let route = fields.optional("route").map(|node| route::read(node, mistakes));
    let region = match fields.optional("region") {
        Some(node) => word(node, "a region", mistakes).map(|found| found.value),
        None => Some(String::new()),
    };
    let cell = fields.optional("cell").map(|node| word(node, "a cell", mistakes).map(|found| found.value));
    let time = fields.optional("time").map(|node| time(node, mistakes));
    let from = fields.optional("from").map(|node| from(node, mistakes));
    fields.finish(mistakes);
    let (request, region, cell) = (request?, region?, once_read(cell)?);
    let (time, from) = (once_read(time)?, once_read(from)?);
    let headers = headers.unwrap_or(Some(Vec::new()))?;
    let (route, says) = once_read(route)?.unwrap_or_default();
    let body = body.unwrap_or(Some(String::new()))?;
    let upper = |method: &str| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
    match request.value.split_once(' ') {
        Some((method, path)) if upper(method) && path.starts_with('/') => {
            let (method, path) = (method.to_owned(), path.to_owned());
            let topic = None;
            Some(When { service: service?, method, path, headers, body, route, topic, says, region, cell, time, from })
        }
        _ => {
            let diagnostic = request.at.error(format!("`{}` is not a method and a path", request.value));
            mistakes.add(diagnostic.help("write both with one blank between, as `GET /orders/7`"))
        }
    }
}

pub(super) fn time(node: Node<'_>, mistakes: &mut Mistakes) -> Option<UnixSeconds> {
    let found = text(node, "a time", mistakes)?;
    parse_rfc3339(&found.value).or_else(|| {
        let diagnostic = found.at.error(format!("`{}` is no time in UTC", found.value));
        mistakes.add(diagnostic.help("write it as `2026-12-24T18:00:00Z`"))
    })
}

fn from(node: Node<'_>, mistakes: &mut Mistakes) -> Option<IpAddr> {
    let found = text(node, "an address", mistakes)?;
    found.value.parse().ok().or_else(|| {
        let diagnostic = found.at.error(format!("`{}` is no address", found.value));
        mistakes.add(diagnostic.help("write that of the client, as `10.1.2.3` or `2001:db8::7`, without a port"))
    })
}

fn then<'s>(node: Node<'s>, mistakes: &mut Mistakes) -> Option<Then<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "`then`", mistakes)?;
    let [allow, deny] = DECISIONS;
    let decision = fields
        .required("decision", "write `decision: allow` or `decision: deny`", mistakes)
        .and_then(|node| choice(node, "a decision", &[(allow, true), (deny, false)], mistakes));
    let reasons: Vec<(&str, Reason)> = Reason::ALL.iter().map(|reason| (reason.code(), *reason)).collect();
    let reason = fields.optional("reason").map(|node| (node.at, choice(node, "a reason", &reasons, mistakes)));
    let shadow = fields.optional("shadow").map(|node| (node.at, choice(node, "a reason", &reasons, mistakes)));
    let policy = fields.optional("policy").map(|node| text(node, "a policy", mistakes));
    fields.finish(mistakes);
    if let (Some(false), Some((at, _))) = (decision, &shadow) {
        let diagnostic = at.error("what is denied is not let in by being in shadow");
        return mistakes.add(diagnostic.help("write it as `reason`, or write `decision: allow`"));
    }
    if let (Some(true), Some((at, _))) = (decision, &reason) {
        return mistakes.add(reason_of_nothing(*at));
    }
    let (reason, shadow) = (once_read(reason.map(|(_, found)| found))?, once_read(shadow.map(|(_, found)| found))?);
    let policy = once_read(policy)?.map(|found| found.value);
    Some(Then { at, allow: decision?, reason, shadow, policy })
}

fn reason_of_nothing(at: At<'_>) -> Diagnostic {
    at.error("only a denial has a reason").help("take it out, or write `decision: deny`")
}

/// Reports told by name alone must not leave open which case they are about.
fn once_each(cases: &[Case<'_>], mistakes: &mut Mistakes) {
    let mut seen: HashMap<&str, At<'_>> = HashMap::new();
    for case in cases {
        match seen.get(case.name.value.as_str()) {
            Some(first) => {
                let message = format!("a case `{}` is there already, at {first}", case.name.value);
                mistakes.push(case.name.at.error(message).help("give this one a name of its own"));
            }
            None => {
                seen.insert(&case.name.value, case.name.at);
            }
        }
    }
}
