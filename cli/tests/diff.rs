//! `partywall diff`: who gains and who loses what.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{copy, folder, keys, partywall, path, sample};

/// The sample, changed.
fn changed(name: &str, edit: impl FnOnce(&Path)) -> PathBuf {
    let new = folder(name).join("new");
    copy(&sample(), &new);
    edit(&new);
    new
}

fn write(new: &Path, file: &str, text: &str) {
    fs::write(new.join(file), text).unwrap();
}

fn replace(new: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(new.join(file)).unwrap();
    assert!(text.contains(from), "{text}");
    write(new, file, &text.replace(from, to));
}

fn diff(new: &Path) -> Value {
    partywall(&["diff", path(&sample()), path(new), "--json"]).ends_with(1).json()
}

/// Who (user or tenants), which roles, `+` or `-`, the action, the id.
fn told(found: &Value) -> Vec<String> {
    let mut told = Vec::new();
    for one in found["permissions"]["differences"].as_array().unwrap() {
        let who = one["user"].as_str().map_or_else(|| one["tenants"].to_string(), str::to_owned);
        for change in one["changes"].as_array().unwrap() {
            let sign = if change["gains"].as_bool().unwrap() { '+' } else { '-' };
            let id = change["id"].as_str().unwrap_or_default();
            let other = if change["owner"] == "other" { " other" } else { "" };
            told.push(format!("{who} {} {sign}{} {id}{other}", one["roles"], change["action"].as_str().unwrap()));
        }
    }
    told.iter().map(|line| line.replace('"', "").trim_end().to_owned()).collect()
}

#[test]
fn nothing_differs_from_itself() {
    let sample = sample();
    let ran = partywall(&["diff", path(&sample), path(&sample), "--json"]).ends_with(0).json();
    assert_eq!((&ran["parts"], &ran["permissions"]["differences"]), (&json!([]), &json!([])));
    assert!(ran["permissions"]["questions"].as_u64().unwrap() > 50, "{ran}");
    // Other names and another order are no difference in what is permitted.
    let new = changed("diff-renamed", |new| {
        replace(new, "policies/readers.cedar", "viewers-read", "readers");
        fs::rename(new.join("policies/readers.cedar"), new.join("policies/a.cedar")).unwrap();
    });
    let found = diff(&new);
    assert_eq!(found["permissions"]["differences"], json!([]), "{found}");
    assert_eq!(found["parts"].as_array().unwrap().len(), 2, "one policy more, one less: {found}");
}

#[test]
fn a_role_gains_for_the_tenants_that_a_condition_names() {
    let new = changed("diff-role", |new| {
        write(
            new,
            "policies/more.cedar",
            "@id(\"auditors\") permit (principal in Role::\"auditor\", action == Action::\"orders:read\", resource)
             unless { principal.tenant.residency == \"us\" };",
        );
    });
    assert_eq!(told(&diff(&new)), ["[acme,initech] [[auditor]] +orders:read"]);
    partywall(&["diff", path(&sample()), path(&new)])
        .ends_with(1)
        .says("acme, initech, as auditor:")
        .says("gains orders:read on Order at orders (deny policy_denied -> allow by `auditors`)")
        .says("added policy auditors");
}

#[test]
fn what_happens_to_one_user_or_one_resource_is_told_by_itself_and_only_then() {
    let new = changed("diff-named", |new| {
        write(
            new,
            "policies/more.cedar",
            "forbid (principal == User::\"acme/bob\", action == Action::\"orders:read\", resource);
             forbid (principal, action, resource == Order::\"17\") when { principal.tenant == Tenant::\"globex\" };
             permit (principal == User::\"acme/eve\", action == Action::\"orders:list\", resource);
             permit (principal, action == Action::\"orders:list\", resource);",
        );
    });
    assert_eq!(
        told(&diff(&new)),
        [
            "acme/bob [[accountant]] -orders:read",
            "acme/bob [[viewer]] -orders:read",
            "[acme,globex,initech] [[]] +orders:list",
            "[globex] [[accountant]] -orders:read 17",
            "[globex] [[viewer]] -orders:read 17",
        ]
    );
}

#[test]
fn a_consent_that_is_given_is_told_by_what_it_permits() {
    let new = changed("diff-consent", |new| {
        replace(new, "tenants/globex.yaml", "status: active", "status: active\nconsents: [analytics, mail]");
    });
    assert_eq!(told(&diff(&new)), ["[globex] [[analyst]] +analytics:read", "[globex] [[analyst]] +analytics:read"]);
    partywall(&["diff", path(&sample()), path(&new)]).ends_with(1).says("changed tenant globex").says("consents");
}

#[test]
fn two_roles_together_are_asked_about() {
    let new = changed("diff-two", |new| {
        write(
            new,
            "policies/more.cedar",
            "forbid (principal in Role::\"viewer\", action == Action::\"orders:list\", resource)
             when { principal in Role::\"accountant\" };",
        );
    });
    assert_eq!(told(&diff(&new)), ["[acme,globex,initech] [[accountant,viewer]] -orders:list"]);
}

/// A policy that crosses the wall changes nothing while the wall stands, and is told all the same.
#[test]
fn what_policies_alone_would_let_across_is_told() {
    let new = changed("diff-wall", |new| {
        fs::remove_file(new.join("policies/wall.cedar")).unwrap();
        write(
            new,
            "policies/more.cedar",
            "permit (principal, action == Action::\"orders:read\", resource) when { principal.tenant != resource.tenant };",
        );
    });
    let told = told(&diff(&new));
    assert!(told.contains(&"[acme,globex,initech] [] +orders:read  other".to_owned()), "{told:?}");
    assert!(told.iter().all(|line| line.contains("other")), "nothing is gained while the wall stands: {told:?}");
    partywall(&["diff", path(&sample()), path(&new)]).ends_with(1).says("by policies alone: the wall still denies it");
}

#[test]
fn parts_are_told_with_what_of_them_changed() {
    let new = changed("diff-parts", |new| {
        replace(new, "tenants/acme.yaml", "tier: gold", "tier: bronze");
        replace(new, "tenants/globex.yaml", "status: active", "status: suspended");
        fs::remove_file(new.join("tenants/initech.yaml")).unwrap();
        write(new, "tenants/hooli.yaml", "tenant: hooli\ntier: gold\nstatus: active\nresidency: eu\n");
        replace(new, "services/invoices.yaml", "GET /invoices/{id}", "GET /invoice/{id}");
        replace(new, "services/orders.yaml", "max_context_age: 2m", "max_context_age: 3m");
    });
    let found = diff(&new);
    let parts: Vec<String> = found["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let text = |name: &str| part[name].as_str().unwrap();
            let fields: Vec<_> =
                part["fields"].as_array().unwrap().iter().map(|f| f["field"].as_str().unwrap()).collect();
            format!("{} {} {} {}", text("change"), text("kind"), text("name"), fields.join(",")).trim_end().to_owned()
        })
        .collect();
    assert_eq!(
        parts,
        [
            "added operation invoices: GET /invoice/{id}",
            "removed operation invoices: GET /invoices/{id}",
            "changed service orders max_context_age",
            "changed tenant acme features,tier",
            "changed tenant globex status",
            "added tenant hooli",
            "removed tenant initech",
        ],
        "{found:#}"
    );
    let told = told(&found);
    assert!(told.contains(&"[acme] [[accountant]] -invoices:delete".to_owned()), "bronze deletes nothing: {told:?}");
    assert!(told.contains(&"[globex] [[viewer]] -orders:read".to_owned()), "suspended: {told:?}");
    assert!(told.contains(&"[hooli] [[viewer]] +orders:read".to_owned()), "{told:?}");
    assert!(told.contains(&"[initech] [[viewer]] -orders:read".to_owned()), "{told:?}");
}

#[test]
fn a_bundle_and_its_directory_are_the_same_where_keys_are_read() {
    let folder = folder("diff-bundle");
    let (keys, served, sample) = (keys(&folder), folder.join("served"), sample());
    partywall(&["compile", path(&sample), "--keys", path(&keys), "--out", path(&served)]).succeeds();
    partywall(&["diff", path(&served), path(&sample), "--keys", path(&keys)]).ends_with(0).says("(revision 1)");
    partywall(&["diff", path(&sample), path(&served)]).ends_with(0).says("keys were not compared; give --keys");
    let nothing = folder.join("nothing");
    fs::write(&nothing, "x").unwrap();
    partywall(&["diff", path(&nothing), path(&sample)]).ends_with(3).says("neither a tenancy directory nor a bundle");
}
