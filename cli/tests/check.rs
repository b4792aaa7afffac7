//! `partywall check` beyond single mistakes: what nobody reaches, what a change breaks, what a fleet reads.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Ran, copy, folder, partywall, path, sample};

fn tenancy(name: &str) -> PathBuf {
    let tenancy = folder(name).join("tenancy");
    copy(&sample(), &tenancy);
    tenancy
}

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Messages of one severity.
fn told(ran: &Ran, severity: &str) -> Vec<String> {
    let json = ran.json();
    let all = json["diagnostics"].as_array().unwrap().iter().filter(|d| d["severity"] == severity);
    all.map(|d| d["message"].as_str().unwrap().to_owned()).collect()
}

fn unreached(name: &str, policies: &str) -> Vec<String> {
    let tenancy = tenancy(name);
    fs::write(tenancy.join("policies/more.cedar"), policies).unwrap();
    let ran = partywall(&["check", path(&tenancy), "--json"]).succeeds();
    told(&ran, "warning").into_iter().filter(|w| !w.starts_with("nothing in the request shows")).collect()
}

#[test]
fn the_sample_has_nothing_that_nobody_reaches() {
    assert_eq!(unreached("check-sample", ""), Vec::<String>::new());
}

#[test]
fn policies_that_nobody_satisfies_are_told() {
    let policies = r#"
        @id("platinum") permit (principal, action, resource) when { principal.tenant.tier == "platinum" };
        @id("gold-in-us") permit (principal, action, resource) when {
            principal.tenant.tier == "gold" && principal.tenant.residency == "us" };
        @id("both-roles") permit (principal in Role::"a", action, resource) when { principal in Role::"b" };
        @id("beaten") permit (principal in Role::"c", action == Action::"invoices:delete", resource)
            when { principal.tenant.tier == "bronze" };
        @id("for-others") forbid (principal, action, resource) unless { principal.tenant == resource.tenant };
        @id("unless-d") permit (principal, action, resource) when { principal in Role::"e" };
        @id("unless") forbid (principal, action, resource) when { principal in Role::"e" }
            unless { principal in Role::"d" };
    "#;
    assert_eq!(
        unreached("check-unreached", policies),
        [
            "no request in this directory satisfies `platinum`",
            "no request in this directory satisfies `gold-in-us`",
            "wherever `beaten` permits, a `forbid` beats it",
        ]
    );
}

#[test]
fn what_cedar_says_of_a_policy_is_not_said_twice() {
    let found = unreached("check-impossible", "@id(\"never\") permit (principal, action, resource) when { false };");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].contains("no request in this directory"), "{found:?}");
}

#[test]
fn a_policy_of_a_suspended_tenant_and_a_tenant_without_any_are_told() {
    let tenancy = tenancy("check-tenants");
    change(&tenancy.join("tenants/acme.yaml"), "status: active", "status: suspended");
    fs::write(
        tenancy.join("policies/readers.cedar"),
        "@id(\"acme-only\") @tenant(\"acme\") permit (principal, action, resource);",
    )
    .unwrap();
    fs::write(
        tenancy.join("policies/accountants.cedar"),
        "@id(\"globex-only\") @tenant(\"globex\") permit (principal, action, resource);",
    )
    .unwrap();
    let ran = partywall(&["check", path(&tenancy)]).succeeds();
    let ran = ran.says("satisfies `acme-only`").says("`@tenant(\"acme\")` is not active");
    let ran = ran.says("initech.yaml:2:9: warning: no policy permits anything to `initech`");
    assert!(!ran.stdout().contains("anything to `globex`") && !ran.stdout().contains("anything to `acme`"));
}

#[test]
fn a_change_that_breaks_is_refused_unless_it_is_meant() {
    let (old, new) = (tenancy("check-old"), tenancy("check-new"));
    let against =
        |more: &[&str]| partywall(&[&["check", path(&new), "--json", "--against", path(&old)], more].concat());
    against(&[]).succeeds();
    change(
        &new.join("services/orders.yaml"),
        "\"GET /tenants/{tenant}/orders\", action: \"orders:list\", resource: Order, owner: path.tenant",
        "\"GET /tenants/{t}/orders\", action: \"orders:list\", resource: Order, owner: path.t",
    );
    against(&[]).succeeds();
    change(&new.join("services/orders.yaml"), "owner: path.t ", "owner: none ");
    let ran = against(&[]).ends_with(1);
    assert_eq!(told(&ran, "error"), ["the owner was `path.tenant`, and is `none` now"]);
    against(&["--allow-breaking"]).succeeds();
    change(&new.join("services/invoices.yaml"), "invoices:delete", "invoices:drop");
    change(&new.join("policies/accountants.cedar"), "invoices:delete", "invoices:drop");
    let ran = against(&[]).ends_with(1);
    let errors = told(&ran, "error");
    assert!(errors.len() == 2 && errors[0].contains("the action `invoices:delete` is gone"), "{errors:?}");
    let allowed = against(&["--allow-breaking"]).succeeds();
    assert!(told(&allowed, "warning").contains(&"the owner was `path.tenant`, and is `none` now".to_owned()));
}

#[test]
fn an_id_that_was_given_is_never_given_again() {
    let (old, new) = (tenancy("check-reused-old"), tenancy("check-reused-new"));
    fs::write(old.join("tenants/retired.yaml"), "retired: [{ tenant: hooli, since: 2026-01-01T00:00:00Z }]\n").unwrap();
    let against =
        |more: &[&str]| partywall(&[&["check", path(&new), "--json", "--against", path(&old)], more].concat());
    let ran = against(&[]).ends_with(1);
    assert_eq!(told(&ran, "error"), ["`hooli` is gone from the list of former tenants"]);
    fs::write(new.join("tenants/hooli.yaml"), "tenant: hooli\ntier: gold\nresidency: eu\nstatus: active\n").unwrap();
    let ran = against(&["--allow-breaking"]).ends_with(1);
    assert_eq!(told(&ran, "error"), ["`hooli` is the id of a former tenant, and no id is given again"]);
    fs::remove_file(new.join("tenants/hooli.yaml")).unwrap();
    fs::copy(old.join("tenants/retired.yaml"), new.join("tenants/retired.yaml")).unwrap();
    fs::remove_file(new.join("tenants/initech.yaml")).unwrap();
    let ran = against(&[]).ends_with(1);
    assert_eq!(told(&ran, "error").len(), 1);
    assert!(told(&ran, "error")[0].starts_with("the tenant `initech` is gone"));
}

#[test]
fn a_fleet_reads_what_is_written_or_is_told_apart() {
    let sample = sample();
    let this = env!("CARGO_PKG_VERSION");
    partywall(&["check", path(&sample), "--fleet", this]).succeeds();
    let both = format!("{this},0.0.9");
    partywall(&["check", path(&sample), "--fleet", &both]).ends_with(1).says("nothing is known about version `0.0.9`");
    partywall(&["check", path(&sample), "--allow-breaking"]).ends_with(2);
}

/// What `check` says of grants of `actions`, with one more policy instead of the wall.
fn grants(name: &str, actions: &str, wall: Option<&str>) -> Vec<(String, String)> {
    let tenancy = tenancy(name);
    let mesh = tenancy.join("mesh.yaml");
    change(&mesh, "overlay: [overlay-1]\n", "overlay: [overlay-1]\n  grants: [grant-1, grant-2]\n");
    let text = fs::read_to_string(&mesh).unwrap();
    fs::write(&mesh, format!("{text}\ngrants: {{ longest: 2h, actions: {actions}, tenants: [globex], at_once: 2 }}\n"))
        .unwrap();
    if let Some(wall) = wall {
        fs::write(tenancy.join("policies/wall.cedar"), wall).unwrap();
    }
    let json = partywall(&["check", path(&tenancy), "--json"]).succeeds().json();
    let all = json["diagnostics"].as_array().unwrap().iter();
    let about = all.filter(|d| d["message"].as_str().unwrap().starts_with("no grant of"));
    about.map(|d| (d["message"].as_str().unwrap().to_owned(), d["help"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn actions_that_no_grant_can_give_are_told() {
    let found = grants("check-grants", r#"["invoices:list", "invoices:read"]"#, None);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].0, "no grant of `invoices:list` lets anybody across");
    assert!(found[0].1.contains("`own-tenant-only` forbids it"), "{found:?}");
    assert!(found[1].1.starts_with("no path of an operation with this action names the owner"), "{found:?}");
}

#[test]
fn an_action_that_the_wall_excepts_can_be_granted() {
    let wall = |unless: &str| format!("@id(\"own\") forbid (principal, action, resource) unless {{ {unless} }};");
    let own = "principal.tenant == resource.tenant";
    let list = |name: &str, wall: &str| grants(name, r#"["invoices:list"]"#, Some(wall)).len();
    assert_eq!(list("check-granted", &wall(&format!("{own} || action == Action::\"invoices:list\""))), 0);
    // To one role only, or out of one tenant only: somebody can be let across.
    assert_eq!(list("check-granted-role", &wall(&format!("{own} || principal in Role::\"support\""))), 0);
    assert_eq!(list("check-granted-from", &wall(&format!("{own} || principal.tenant == Tenant::\"acme\""))), 0);
    // Out of the owner's own, or into another than `grants` allows: nobody can.
    assert_eq!(list("check-granted-own", &wall(&format!("{own} || principal.tenant == Tenant::\"globex\""))), 1);
    assert_eq!(list("check-granted-into", &wall(&format!("{own} || resource.tenant == Tenant::\"initech\""))), 1);
}
