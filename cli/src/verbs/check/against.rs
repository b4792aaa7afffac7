//! `--against OLD`: what a change would break that only the state before can tell.

use std::collections::BTreeSet;

use partywall_tenancy::{Operation, Owner, Place, TenantId};

use crate::clusters::Prefixes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::directory::{Directory, EVENTS, RETIRED, Reading};

/// What `new` breaks of `old`. With `allowed`, warnings where it may be meant; an id that is given again never is.
pub(super) fn check(old: &Reading, new: &Reading, path: &std::path::Path, allowed: bool) -> Vec<Diagnostic> {
    let (Some(before), Some(after)) = (old.directory(), new.directory()) else { return Vec::new() };
    let mut found = tenants(old, new, &before, &after, path);
    let mut breaks = operations(new, &before, &after, path);
    breaks.extend(names(&before, &after, path));
    if allowed {
        breaks.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Warning);
    }
    found.extend(breaks);
    found
}

/// INVARIANT: an id means one tenant for ever, and the list of former ones only grows.
fn tenants(
    old: &Reading,
    new: &Reading,
    before: &Directory<'_>,
    after: &Directory<'_>,
    path: &std::path::Path,
) -> Vec<Diagnostic> {
    let file = path.join("tenants").join(RETIRED);
    let file = file.to_string_lossy();
    let kept: BTreeSet<_> = new.retired().iter().collect();
    let now: BTreeSet<_> = after.tenants.iter().map(|tenant| &tenant.id).collect();
    let mut found = Vec::new();
    for id in old.retired().iter().filter(|id| !kept.contains(id)) {
        found.push(match new.tenant_place(id) {
            Some(place) => place
                .error(format!("`{id}` is the id of a former tenant, and no id is given again"))
                .help(format!("give this tenant an id of its own, and put `{id}` back into tenants/{RETIRED}")),
            None => Diagnostic::of_file(&*file, format!("`{id}` is gone from the list of former tenants"))
                .help("put it back: its id could be given to somebody else"),
        });
    }
    for id in before.tenants.iter().map(|tenant| &tenant.id).filter(|id| !now.contains(id) && !kept.contains(id)) {
        let message = format!("the tenant `{id}` is gone, and nothing keeps its id from being given again");
        found.push(
            Diagnostic::of_file(&*file, message)
                .help(format!("remove it with `partywall tenant offboard {id}`, which adds it to this list")),
        );
    }
    found
}

const MEANT: &str = "if it is meant, say so with `--allow-breaking`";

fn operations(new: &Reading, before: &Directory<'_>, after: &Directory<'_>, path: &std::path::Path) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let actions: BTreeSet<&str> =
        after.services.iter().flat_map(|service| &service.operations).map(|o| o.action.as_str()).collect();
    let mut dropped = BTreeSet::new();
    for service in before.services {
        let now = after.services.iter().find(|other| other.name == service.name);
        let file = match before.is_cluster(&service.name) {
            true => path.join(EVENTS),
            false => path.join("services").join(format!("{}.yaml", service.name)),
        };
        for operation in &service.operations {
            if !actions.contains(operation.action.as_str()) && dropped.insert(&operation.action) {
                let message = format!("the action `{}` is gone, and with it what policies say of it", operation.action);
                let help = format!("put `{} {}` back; {MEANT}", operation.method, operation.path);
                found.push(Diagnostic::of_file(file.to_string_lossy(), message).help(help));
            }
            let same = |other: &&Operation| {
                other.method == operation.method
                    && shape(&other.path) == shape(&operation.path)
                    && conditions(other) == conditions(operation)
            };
            let Some(other) = now.and_then(|service| service.operations.iter().find(same)) else { continue };
            if whose(&other.owner, &other.path) == whose(&operation.owner, &operation.path) {
                continue;
            }
            let message = format!("the owner was `{}`, and is `{}` now", operation.owner, other.owner);
            let http = format!("{} {}", other.method, other.path);
            let at = new.operation_place(&service.name, &http);
            let diagnostic = at.map_or_else(
                || Diagnostic::of_file(file.to_string_lossy(), message.clone()),
                |at| at.error(message.clone()),
            );
            found.push(diagnostic.help(format!("write `owner: {}` again; {MEANT}", operation.owner)));
        }
    }
    found
}

/// Names of tenants at a cluster of Kafka: behind another prefix a tenant finds none of its topics, groups and offsets.
fn names(before: &Directory<'_>, after: &Directory<'_>, path: &std::path::Path) -> Vec<Diagnostic> {
    let file = path.join(EVENTS);
    let mut found = Vec::new();
    for old in before.events {
        let Some(new) = after.events.iter().find(|new| new.name == old.name) else { continue };
        let (were, are) = (Prefixes::of_cluster(old), Prefixes::of_cluster(new));
        let moved = before.tenants.iter().filter(|tenant| were.of(&tenant.id) != are.of(&tenant.id));
        let known = |id: &TenantId| after.tenants.binary_search_by(|tenant| tenant.id.cmp(id)).is_ok();
        let mut moved = moved.map(|tenant| &tenant.id).filter(|id| known(id));
        let Some(first) = moved.next() else { continue };
        let more = match moved.count() {
            0 => String::new(),
            more => format!(", and those of {more} more tenants likewise"),
        };
        let (was, is, name) = (were.of(first), are.of(first), &old.name);
        let message = format!("names of `{first}` at `{name}` stood behind `{was}`, and stand behind `{is}` now{more}");
        let help = format!("write `prefixes: {{ {first}: \"{was}\" }}`: it finds none of its topics else; {MEANT}");
        found.push(Diagnostic::of_file(file.to_string_lossy(), message).help(help));
    }
    found
}

/// A path without the names of its parameters.
fn shape(path: &str) -> Vec<&str> {
    path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment }).collect()
}

/// What else a request must have, in whatever order it is written.
fn conditions(operation: &Operation) -> BTreeSet<String> {
    operation.when.iter().map(ToString::to_string).collect()
}

/// Where the owner stands; a parameter may be called otherwise now.
fn whose(owner: &Owner, path: &str) -> (BTreeSet<String>, bool) {
    let place = |place: &Place| match place {
        Place::Path(name) => {
            let is = |segment: &str| segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) == Some(name);
            format!("segment {:?}", path.split('/').position(is))
        }
        other => other.to_string(),
    };
    (owner.places().iter().map(place).collect(), owner.may_be_hidden())
}
