//! `partywall explain`: the answer, who settles it, and what would turn it.

mod support;

use std::fs;

use serde_json::json;
use support::{Ran, changes, copy, folder, partywall, path, sample};

fn explain(args: &[&str]) -> Ran {
    let sample = sample();
    partywall(&[&["explain", path(&sample)], args].concat())
}

#[test]
fn a_denial_names_its_policy_and_what_would_allow_it() {
    let ask = ["--tenant", "initech", "--role", "accountant", "--service", "invoices", "DELETE", "/invoices/7"];
    let ran = explain(&[&ask[..], &["--json"]].concat()).ends_with(1);
    let json = ran.json();
    assert_eq!((&json["reason"], &json["policy"]), (&"policy_denied".into(), &"no-delete-in-bronze".into()));
    assert_eq!(json["facts"]["resource"], "Invoice::\"7\"");
    let says = json["policies"].as_array().unwrap();
    assert_eq!(says.len(), 2, "{says:?}");
    for policy in says {
        assert_eq!(policy["settles"], policy["policy"] == "no-delete-in-bronze");
        assert!(policy["at"].as_str().unwrap().contains("accountants.cedar:"));
    }
    assert_eq!(changes(&ran), ["in the tier gold", "in the tier silver"]);
    explain(&ask).ends_with(1).says("DENY, policy_denied").says("no-delete-in-bronze            forbid, settles it");
}

#[test]
fn an_allowed_request_tells_what_it_hangs_on() {
    let ask = ["--tenant", "acme", "--role", "viewer", "--service", "orders", "GET", "/orders/7", "--json"];
    assert_eq!(changes(&explain(&ask).succeeds()), ["without the role viewer"]);
}

#[test]
fn another_owner_is_told_before_any_policy() {
    let ask =
        ["--tenant", "acme", "--role", "viewer", "--service", "orders", "GET", "/tenants/globex/orders", "--json"];
    let ran = explain(&ask).ends_with(1);
    assert_eq!(ran.json()["reason"], "resource_foreign");
    assert_eq!(changes(&ran), ["for /tenants/acme/orders"]);
}

#[test]
fn what_the_overlay_takes_counts() {
    let here = folder("explain-overlay");
    let overlay = here.join("overlay.yaml");
    fs::write(&overlay, "suspended: [acme]\n").unwrap();
    let ask = [
        "--tenant",
        "acme",
        "--role",
        "viewer",
        "--service",
        "orders",
        "--overlay",
        path(&overlay),
        "GET",
        "/orders/7",
    ];
    let ran = explain(&[&ask[..], &["--json"]].concat()).ends_with(1);
    assert_eq!(ran.json()["reason"], "tenant_suspended");
    assert_eq!(changes(&ran), ["the overlay takes nothing from this tenant"]);
    fs::write(&overlay, "suspended: acme\n").unwrap();
    explain(&ask).ends_with(3).says("overlay.yaml:1:12");
}

#[test]
fn a_consent_is_shown_and_its_withdrawal_counts() {
    let here = folder("explain-consent");
    let overlay = here.join("overlay.yaml");
    fs::write(&overlay, "withdrawn_consents: [{ tenant: acme, consent: analytics }]\n").unwrap();
    let ask = |tenant, more: &[&str]| {
        let path = format!("/tenants/{tenant}/orders/analytics");
        let who = ["--tenant", tenant, "--role", "analyst", "--service", "orders", "--json", "GET", &path];
        explain(&[&who[..], more].concat())
    };
    let ran = ask("acme", &[]).succeeds();
    assert_eq!(
        (&ran.json()["facts"]["features"], &ran.json()["facts"]["consents"]),
        (&json!("export"), &json!("analytics"))
    );
    assert_eq!(changes(&ran), ["without the role analyst", "without the consent analytics"]);
    let ran = ask("acme", &["--overlay", path(&overlay)]).ends_with(1);
    assert_eq!(ran.json()["facts"]["consents"], "none; withdrawn: analytics");
    assert_eq!(changes(&ran), ["the overlay takes nothing from this tenant"]);
    assert_eq!(changes(&ask("globex", &["--overlay", path(&overlay)]).ends_with(1)), ["with the consent analytics"]);
}

#[test]
fn a_tenant_of_another_cell_is_served_there() {
    let tenancy = folder("explain-cells").join("tenancy");
    copy(&sample(), &tenancy);
    let edit = |file: &str, from: &str, to: &str| {
        let file = tenancy.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
    };
    edit("mesh.yaml", "cells: [{", "cells: [{ cell: eu-2, region: eu }, {");
    edit("profiles/gold.yaml", "# cell: eu-1", "cell: eu-1");
    let ask = |tenant: &str, more: &[&str]| {
        let asked = ["explain", path(&tenancy), "--tenant", tenant, "--role", "viewer", "--service", "orders"];
        partywall(&[&asked, more, &["GET", "/orders/7", "--json"]].concat())
    };
    let fact = |ran: &Ran| ran.json()["facts"]["cell"].clone();
    let here = ask("acme", &["--cell", "eu-1"]).succeeds();
    assert_eq!(fact(&here), "eu-1; decided in eu-1");
    assert_eq!(changes(&here), ["without the role viewer", "in the cell eu-2"]);
    let elsewhere = ask("acme", &["--cell", "eu-2"]).ends_with(1);
    assert_eq!((&elsewhere.json()["reason"], &elsewhere.json()["policy"]), (&json!("cell_foreign"), &json!(null)));
    assert_eq!(
        (fact(&elsewhere), changes(&elsewhere)),
        (json!("eu-1; decided in eu-2"), vec!["in the cell eu-1".into()])
    );
    assert_eq!(fact(&ask("acme", &[]).succeeds()), "eu-1");
    assert_eq!(ask("acme", &["--region", "us"]).ends_with(1).json()["reason"], "residency");
    let nowhere = ask("globex", &["--cell", "eu-1"]).ends_with(1);
    assert_eq!((&nowhere.json()["reason"], fact(&nowhere)), (&json!("cell_foreign"), json!("none; decided in eu-1")));
    assert_eq!(fact(&ask("globex", &[]).succeeds()), json!(null), "of cells nobody asks");
    ask("acme", &["--cell", "eu-3"])
        .ends_with(3)
        .says("`cells` of mesh.yaml has no `eu-3`")
        .says("there are eu-1, eu-2");
    edit("profiles/gold.yaml", "cell: eu-1", "cell: { from: eu-1, to: eu-2 }");
    let moving = ask("acme", &["--cell", "eu-1"]).ends_with(1);
    assert_eq!(moving.json()["reason"], "tenant_moving");
    assert_eq!(fact(&moving), "on its way from eu-1 to eu-2; decided in eu-1");
}

#[test]
fn settings_say_where_they_come_from() {
    let tenancy = folder("explain-settings").join("tenancy");
    copy(&sample(), &tenancy);
    fs::create_dir_all(tenancy.join("profiles")).unwrap();
    fs::write(
        tenancy.join("profiles/gold.yaml"),
        "profile: gold\nresidency: eu\nfeatures: [export]\nlimits: { request_bytes: 5 }\n",
    )
    .unwrap();
    fs::write(tenancy.join("tenants/acme.yaml"), "tenant: acme\ntier: gold\nstatus: active\nfeatures: [bulk]\n")
        .unwrap();
    let ran = partywall(&["explain", path(&tenancy), "--settings", "acme", "--json"]).succeeds();
    let json = ran.json();
    let said = |name: &str| {
        let one = json["settings"].as_array().unwrap().iter().find(|s| s["setting"] == name).unwrap();
        (one["value"].as_str().unwrap().to_owned(), one["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(said("residency"), ("eu".to_owned(), "profile".to_owned()));
    assert_eq!(said("features"), ("bulk".to_owned(), "record".to_owned()));
    assert_eq!(said("limits"), ("request_bytes 5".to_owned(), "profile".to_owned()));
    assert_eq!(said("cell"), ("none".to_owned(), "nobody says it".to_owned()));
    partywall(&["explain", path(&tenancy), "--settings", "acne"]).ends_with(3).says("did you mean `acme`?");
}

#[test]
fn a_question_without_its_parts_is_no_question() {
    explain(&["--tenant", "acme", "GET", "/"]).ends_with(2);
    explain(&["--tenant", "acme", "--service", "order", "GET", "/"]).ends_with(3).says("no service is called `order`");
    explain(&["--settings", "acme", "--tenant", "acme"]).ends_with(2);
}
