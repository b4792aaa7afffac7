//! `scope` of an operation: whether what it is about is a tenant's, nobody's or the platform's.

use std::collections::HashMap;

use partywall_authorization::GRPC;
use partywall_tenancy::{Operation, Owner, Residency, Scope};

use crate::directory::fields::{Report, choice};
use crate::directory::service::ServiceEntry;
use crate::directory::yaml::{At, Located, Node};

/// Reads the word.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, Scope>> {
    let at = node.at;
    choice(node, "`scope`", Scope::ALL, report).map(|value| Located { value, at })
}

/// Whether the operation is what its scope says. `None` where it is not, since without its scope it would be another one.
pub(crate) fn fits(scope: &Located<'_, Scope>, operation: &Operation, report: &mut Report) -> Option<()> {
    if scope.value == Scope::Tenant {
        return Some(());
    }
    let name = scope.value.name();
    let mut refuse = |message: String, help: &str| report.add(scope.at.error(message).help(help));
    if operation.owner != Owner::Unseen {
        let whose = if scope.value == Scope::GlobalRead { "nobody's" } else { "the platform's" };
        let message =
            format!("`{name}` says that it is {whose}, and `owner: {}` that it is a tenant's", operation.owner);
        return refuse(message, "write `owner: none`, or take `scope` out");
    }
    if operation.anonymous {
        let message = format!("`{name}` is for those who proved who they are, and `anonymous` for anybody");
        return refuse(message, "take one of the two out");
    }
    if operation.response.is_some() {
        let message =
            format!("`{name}` says that no tenant owns it, and `response` where its owner stands in the answer");
        return refuse(message, "take `response` out, or `scope`");
    }
    let attributes = &operation.attributes;
    if attributes.needs_consent || attributes.residency == Residency::Owners {
        let what = if attributes.needs_consent { "asks its owner for consent" } else { "has `residency: tenant`" };
        let message = format!("dataset `{}` {what}, and what is of scope `{name}` has no owner", attributes.dataset);
        return refuse(message, "give it a dataset of its own, or take `scope` out");
    }
    match scope.value {
        Scope::GlobalRead if operation.method == GRPC => refuse(
            "`global-read` is for what only reads, and no call of gRPC says whether it does".to_owned(),
            "take `scope` out: with `owner: none` policies decide about it all the same",
        ),
        Scope::GlobalRead if !matches!(operation.method.as_str(), "GET" | "HEAD") => refuse(
            format!("`global-read` is for what only reads, and `{}` may change something", operation.method),
            "write GET or HEAD, or take `scope` out and say whose it is",
        ),
        Scope::Platform if attributes.cleared.is_some() || attributes.feature.is_some() => refuse(
            "platform principals have neither roles to be cleared by nor features".to_owned(),
            "take `classification`, `dataset` or `feature` out, or `scope`",
        ),
        _ => Some(()),
    }
}

/// Reports actions of several scopes: policies name actions, and would mean one of them.
pub(crate) fn once_each(services: &[ServiceEntry<'_>], report: &mut Report) {
    let mut first: HashMap<&str, (Scope, At<'_>)> = HashMap::new();
    for Located { value, at } in services.iter().flat_map(|service| &service.operations) {
        let scope = value.attributes.scope;
        match first.get(value.action.as_str()) {
            Some((other, first)) if *other != scope => {
                let (scope, other) = (scope.name(), other.name());
                let message =
                    format!("the action `{}` is of scope `{scope}` here, and `{other}` at {first}", value.action);
                report.push(at.error(message).help("give one of the two an action of its own"));
            }
            Some(_) => {}
            None => {
                first.insert(&value.action, (scope, *at));
            }
        }
    }
}
