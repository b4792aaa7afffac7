//! `operations:` of a service: what its paths mean.

use std::collections::HashMap;

use partywall_authorization::{GRPC, OperationProblem, Operations};
use partywall_tenancy::{Condition, Operation, Owner, Service, SpiffeId};

use crate::directory::attributes;
use crate::directory::data::Data;
use crate::directory::fields::{Fields, Report, flag, listed, once_read, text};
use crate::directory::named;
use crate::directory::place::{self, Around};
use crate::directory::since::{self, Kept};
use crate::directory::yaml::{Located, Node};
use crate::directory::{response, scope};
use crate::lower::schema;
use crate::nearest::nearest;

/// Reads one operation.
pub(crate) fn read<'s>(node: Node<'s>, data: &Data<'_>, report: &mut Report) -> Option<Located<'s, Operation>> {
    let at = node.at;
    let mut fields = Fields::of(node, "an operation", report)?;
    if let Some(route) = fields.optional("route") {
        return named::read((at, route), fields, data, report);
    }
    let http = match (fields.optional("http"), fields.optional("grpc")) {
        (Some(node), None) => http(node, report),
        (None, Some(node)) => grpc(node, report),
        (Some(_), Some(node)) => {
            let diagnostic = node.at.error("an operation has `http` or `grpc`, not both");
            report.add(diagnostic.help("write two operations; both may have the same action"))
        }
        (None, None) => {
            let diagnostic = at.error("an operation must have `http`, `grpc` or `route`");
            report.add(diagnostic.help("write `http: GET /orders/{id}` or `grpc: shop.Orders/Get`"))
        }
    };
    let asked = http.as_ref().map(|http| (http.value.0.as_str(), http.value.1.as_str()));
    let when = when(&mut fields, asked, report);
    let action =
        fields.required("action", "write `action: \"orders:read\"`", report).and_then(|node| action(node, report));
    let resource =
        fields.required("resource", "write `resource: Order`", report).and_then(|node| resource(node, report));
    let id = fields.optional("id").map(|node| parameter(node, asked, report));
    let around = Around { http: asked, id: id.is_some() };
    let owner = fields
        .required(
            "owner",
            "write `owner: path.tenant`, or `owner: [path.tenant, query.tenant_id]`, or, where nothing in the request shows whose it is, `owner: none`",
            report,
        )
        .and_then(|node| place::owner(node, around, report));
    let hold = place::hold(fields.optional("hold"), owner.as_ref(), at, report);
    let anonymous = fields.optional("anonymous").map(|node| anonymous(node, owner.as_ref(), report));
    let attributes = attributes::read(&mut fields, at, data, report);
    let response = fields.optional("response").map(|node| {
        let method = http.as_ref().map(|http| http.value.0.as_str());
        response::read(node, method, &Kept::of(attributes.as_ref(), data), report)
    });
    let scope = fields.optional("scope").map(|node| scope::read(node, report));
    fields.finish(report);
    let (http, when, action, resource, owner, hold) = (http?, when?, action?, resource?, owner?, hold?);
    // A bad `id` was reported; an operation without one would be another operation.
    let id = once_read(id)?;
    let anonymous = once_read(anonymous)?.unwrap_or(false);
    // Without its guard an operation would be another one, too.
    let response = once_read(response)?;
    let (method, path) = http.value;
    let mut attributes = attributes?;
    let scope = once_read(scope)?;
    if let Some(scope) = &scope {
        attributes.scope = scope.value;
    }
    let operation =
        Operation { method, path, when, action, resource, id, owner, hold, anonymous, response, attributes };
    if let Some(scope) = &scope {
        scope::fits(scope, &operation, report)?;
    }
    since::is_told(&operation, at, report)?;
    Some(Located { value: operation, at: http.at })
}

/// The methods that are mapped.
pub(crate) const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// `METHOD /path`, judged by the very code that the sidecar runs.
fn http<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, (String, String)>> {
    let found = text(node, "`http`", report)?;
    let Some((method, path)) = found.value.split_once(' ') else {
        let diagnostic = found.at.error(format!("`{}` is not a method and a path", found.value));
        return report.add(diagnostic.help("write both with one blank between, as `GET /orders/{id}`"));
    };
    if !METHODS.contains(&method) {
        let diagnostic = found.at.error(format!("`{method}` is none of the methods that are mapped"));
        let upper = method.to_ascii_uppercase();
        return report.add(diagnostic.help(match nearest(&upper.to_lowercase(), METHODS.iter().copied()) {
            _ if METHODS.contains(&upper.as_str()) => format!("write `{upper}`"),
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", listed(METHODS)),
        }));
    }
    if let Some(problem) = problem(&alone(method, path)) {
        let diagnostic = found.at.error(format!("path `{path}`: {problem}"));
        return report.add(diagnostic.help("write a path in its normal form, as `/tenants/{tenant}/orders/{id}`"));
    }
    let value = (method.to_owned(), path.to_owned());
    Some(Located { value, at: found.at })
}

/// `package.Service/Method`, or `package.Service/*`.
fn grpc<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, (String, String)>> {
    let found = text(node, "`grpc`", report)?;
    let name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let path = found.value.split_once('/').and_then(|(service, method)| {
        let service = service.split('.').all(name).then_some(service)?;
        match method {
            "*" => Some(format!("/{service}/{{method}}")),
            method => name(method).then(|| format!("/{service}/{method}")),
        }
    });
    let Some(path) = path else {
        let diagnostic = found.at.error(format!("`{}` is no service and method of gRPC", found.value));
        return report.add(diagnostic.help(
            "write both with the package, as in the .proto file: `shop.Orders/Get`, or `shop.Orders/*` for all methods",
        ));
    };
    Some(Located { value: (GRPC.to_owned(), path), at: found.at })
}

pub(crate) fn action(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "an action", report)?;
    if schema::is_action_name(&found.value) {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("action `{}` is not 1 to 64 of `a-z A-Z 0-9 : . _ -`", found.value));
    report.add(diagnostic.help("write a thing and what is done to it, as `orders:read`"))
}

pub(crate) fn resource(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "a resource", report)?;
    if !schema::is_type_name(&found.value) {
        let diagnostic = found.at.error(format!("resource `{}` is no type name of Cedar", found.value));
        return report.add(diagnostic.help("write a capital letter, then letters and digits, as `Order`"));
    }
    if schema::TAKEN.contains(&found.value.as_str()) {
        let diagnostic = found.at.error(format!("`{}` means something else in policies already", found.value));
        return report.add(diagnostic.help("name the type after the thing, as `Order`"));
    }
    Some(found.value)
}

/// What else a request must have.
fn when(fields: &mut Fields<'_>, http: Option<(&str, &str)>, report: &mut Report) -> Option<Vec<Condition>> {
    let query = fields.optional("query").map(|node| place::conditions(node, "query", http, report));
    let header = fields.optional("header").map(|node| place::conditions(node, "header", http, report));
    let mut when = query.unwrap_or(Some(Vec::new()))?;
    when.extend(header.unwrap_or(Some(Vec::new()))?);
    Some(when)
}

fn parameter(node: Node<'_>, http: Option<(&str, &str)>, report: &mut Report) -> Option<String> {
    let found = text(node, "`id`", report)?;
    place::has_parameter(found.at, "", &found.value, http, report).then_some(found.value)
}

/// INVARIANT: an owner is compared with a proved tenant, and here nobody proves one.
fn anonymous(node: Node<'_>, owner: Option<&Owner>, report: &mut Report) -> Option<bool> {
    let at = node.at;
    let anonymous = flag(node, "`anonymous`", report)?;
    let Some(owner @ Owner::Shown { .. }) = owner.filter(|_| anonymous) else { return Some(anonymous) };
    let message = format!("anybody may call this, so that nothing guards the owner in `{owner}`");
    report.add(at.error(message).help("take `anonymous` out, or write `owner: none` on a path that names no tenant"))
}

/// What operations that cover the same requests have in common.
pub(crate) fn shape(method: &str, path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
    format!("{method} {}", segments.join("/"))
}

/// Leaves out, and reports, operations that cover the same requests as another one.
pub(crate) fn apart<'s>(operations: Vec<Located<'s, Operation>>, report: &mut Report) -> Vec<Located<'s, Operation>> {
    let mut first = HashMap::new();
    let mut kept = Vec::with_capacity(operations.len());
    for operation in operations {
        let Operation { method, path, when, .. } = &operation.value;
        let mut when: Vec<String> = when.iter().map(|condition| format!(" {condition}")).collect();
        let shown = format!("{method} {path}{}", when.concat());
        when.sort();
        let shape = shape(method, path) + &when.concat();
        match first.get(&shape) {
            Some(other) => {
                let diagnostic = operation.at.error(format!("`{shown}` covers the same requests as `{other}`"));
                report.push(diagnostic.help("keep one of the two"));
            }
            None => {
                first.insert(shape, shown);
                kept.push(operation);
            }
        }
    }
    // The sidecar's own code has the last word.
    if let Err(error) = Operations::compile(&service_of(kept.iter().map(|o| o.value.clone()).collect()))
        && let Some(at) = kept.get(error.position).map(|o| o.at)
    {
        report.push(at.error(error.problem.to_string()).help("split the service, or change this operation"));
    }
    kept
}

fn problem(service: &Service) -> Option<OperationProblem> {
    Operations::compile(service).err().map(|error| error.problem)
}

/// What is wrong with a path template, if anything.
pub(crate) fn path_problem(path: &str) -> Option<OperationProblem> {
    problem(&alone("GET", path))
}

fn alone(method: &str, path: &str) -> Service {
    service_of(vec![Operation::new(method, path, "", "")])
}

/// A service of which only the operations matter.
fn service_of(operations: Vec<Operation>) -> Service {
    Service::new("", SpiffeId::parse("spiffe://any/any").expect("a constant SPIFFE ID"), operations)
}
