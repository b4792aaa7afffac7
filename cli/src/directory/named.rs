//! `routes: fill` of a service, and the operations that routes name.

use partywall_authorization::ROUTE;
use partywall_tenancy::{Operation, Owner, RouteWords};

use crate::directory::data::Data;
use crate::directory::fields::{Fields, Report, choice, flag, text};
use crate::directory::yaml::{At, Located, Node};
use crate::directory::{attributes, operation, since};

/// What a service may say of routes that lead to it.
pub(crate) const ROUTES: &[(&str, ())] = &[("fill", ())];

/// Whether `routes` is there; and, if it is good, all that words of routes could mean.
pub(crate) fn routes(fields: &mut Fields<'_>, data: &Data<'_>, report: &mut Report) -> (bool, Option<RouteWords>) {
    let Some(node) = fields.optional("routes") else { return (false, None) };
    (true, choice(node, "`routes`", ROUTES, report).map(|()| data.route_words()))
}

/// The rest of an operation that has `route` in the place of a method and a path.
pub(crate) fn read<'s>(
    (at, route): (At<'s>, Node<'s>),
    mut fields: Fields<'s>,
    data: &Data<'_>,
    report: &mut Report,
) -> Option<Located<'s, Operation>> {
    let of_route = route.at;
    let named = flag(route, "`route`", report);
    let action = fields
        .required("action", "write `action: \"orders:report\"`", report)
        .and_then(|node| operation::action(node, report));
    let resource = fields
        .required("resource", "write `resource: Report`", report)
        .and_then(|node| operation::resource(node, report));
    let owner = fields.required("owner", "write `owner: none`: no path of it is known", report);
    let owner = owner.and_then(|node| {
        let found = text(node, "`owner`", report)?;
        if found.value == "none" {
            return Some(Owner::Unseen);
        }
        let diagnostic = found.at.error("no path of it is known, so nothing can show the owner");
        report.add(diagnostic.help("write `owner: none`"))
    });
    let attributes = attributes::read(&mut fields, at, data, report);
    fields.finish(report);
    if named == Some(false) {
        let diagnostic = of_route.error("`route: false` is no operation");
        return report.add(diagnostic.help("write `route: true`, or `http: GET /orders/{id}`"));
    }
    named?;
    let (action, resource) = (action?, resource?);
    let value = Operation {
        owner: owner?,
        attributes: attributes?,
        ..Operation::new(ROUTE, &format!("/{action}/{resource}"), &action, &resource)
    };
    since::is_told(&value, at, report)?;
    Some(Located { value, at: of_route })
}

/// INVARIANT: no route names an operation of a service that does not listen to routes.
pub(crate) fn check(operations: &[Located<'_, Operation>], routes: bool, report: &mut Report) {
    for operation in operations.iter().filter(|operation| !routes && operation.value.method == ROUTE) {
        let diagnostic = operation.at.error("a route is to name this operation, and nobody listens to routes here");
        report.push(diagnostic.help("write `routes: fill` beside `operations`, or give it `http`"));
    }
}
