//! Modes, as each verb knows them. What they decide is in `filters/authorization/cases/decide/mode-*`.

mod logs;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use logs::{READ, Request, key_file, line};
use serde_json::{Value, json};
use support::{copy, folder, keys, partywall, path, sample};

const DENIED: [&str; 7] = ["--tenant", "acme", "--service", "orders", "GET", "/orders/7", "--json"];

/// A copy of the sample with a line at the end of these files.
fn with(name: &str, lines: &[(&str, &str)]) -> PathBuf {
    let directory = folder(name).join("tenancy");
    copy(&sample(), &directory);
    for (file, line) in lines {
        let file = directory.join(file);
        fs::write(&file, format!("{}\n{line}\n", fs::read_to_string(&file).unwrap())).unwrap();
    }
    directory
}

fn warnings(directory: &Path) -> Vec<(String, String)> {
    let report = partywall(&["check", path(directory), "--json"]).succeeds().json();
    let found = report["diagnostics"].as_array().unwrap().iter().filter(|d| d["severity"] == "warning");
    let text = |d: &Value, name: &str| d[name].as_str().unwrap().to_owned();
    let file = |d: &Value| text(d, "path").rsplit('/').next().unwrap().to_owned();
    found.map(|d| (file(d), text(d, "message"))).filter(|(_, m)| m.contains("shadow")).collect()
}

#[test]
fn check_lists_everything_that_is_in_shadow() {
    assert_eq!(warnings(&sample()), []);
    let all = with(
        "modes-check",
        &[
            ("mesh.yaml", "mode: shadow"),
            ("services/orders.yaml", "mode: shadow\nallow_shadow_routes: true"),
            ("services/invoices.yaml", "mode: enforce\nallow_shadow_routes: false"),
            ("tenants/acme.yaml", "mode: shadow"),
        ],
    );
    let told =
        |file: &str, what: &str| (file.to_owned(), format!("{what} is in shadow: what policies deny is let through"));
    let expected = [
        told("mesh.yaml", "the whole mesh"),
        told("orders.yaml", "service `orders`"),
        told("orders.yaml", "a route of service `orders` that asks for it"),
        told("acme.yaml", "tenant `acme`"),
    ];
    assert_eq!(warnings(&all), expected);
    let enforced = with("modes-enforced", &[("mesh.yaml", "mode: enforce"), ("tenants/acme.yaml", "mode: shadow")]);
    let told = warnings(&enforced);
    assert!(told.len() == 1 && told[0].1.contains("tenant `acme` is not in shadow: `mode: enforce` at"), "{told:?}");
    partywall(&["check", path(&with("modes-wrong", &[("mesh.yaml", "mode: shadows")]))])
        .ends_with(3)
        .says("`mode` is never `shadows`")
        .says("did you mean `shadow`?");
}

#[test]
fn thousands_of_tenants_in_shadow_are_told_in_a_few_lines() {
    let directory = with("modes-many", &[]);
    let line = |n: usize| json!({ "tenant": format!("t{n:04}"), "tier": "gold", "status": "active", "residency": "eu", "mode": "shadow" });
    let lines: String = (0..3000).map(|n| format!("{}\n", line(n))).collect();
    fs::write(directory.join("tenants/many.ndjson"), lines).unwrap();
    let told = warnings(&directory);
    assert_eq!(told.len(), 21);
    assert!(told.iter().any(|(_, message)| message == "2980 more tenants are in shadow"), "{told:?}");
}

#[test]
fn explain_says_what_would_be_denied_and_what_would_change_that() {
    let directory = with("modes-explain", &[("services/orders.yaml", "mode: shadow")]);
    let ran = partywall(&[&["explain", path(&directory)], &DENIED[..]].concat()).succeeds();
    let told = ran.json();
    assert_eq!(
        (&told["decision"], &told["reason"], &told["shadow"]),
        (&json!("allow"), &Value::Null, &json!("policy_denied"))
    );
    let changes: Vec<_> = told["changes"].as_array().unwrap().iter().map(|c| c["change"].as_str().unwrap()).collect();
    assert!(changes.contains(&"with the role viewer"), "{changes:?}");
    partywall(&[&["explain", path(&directory)], &DENIED[..6]].concat())
        .succeeds()
        .says("ALLOW, in shadow; it would be denied, policy_denied: no policy permits it")
        .says("changes of one thing that would allow it");
    let routes = with("modes-explain-route", &[("services/orders.yaml", "allow_shadow_routes: true")]);
    let by_route = |mode: &str| partywall(&[&["explain", path(&routes), "--route-mode", mode], &DENIED[..]].concat());
    assert_eq!(by_route("shadow").succeeds().json()["shadow"], "policy_denied");
    assert_eq!(by_route("enforce").ends_with(1).json()["reason"], "policy_denied");
    partywall(&[&["explain", path(&routes)], &DENIED[..]].concat()).ends_with(1);
}

#[test]
fn inspect_diff_and_prove_name_what_is_in_shadow() {
    let here = folder("modes-compiled");
    let keys = keys(&here);
    let directory =
        with("modes-inspect", &[("services/orders.yaml", "mode: shadow"), ("tenants/globex.yaml", "mode: enforce")]);
    let out = here.join("served");
    partywall(&["compile", path(&directory), "--keys", path(&keys), "--out", path(&out)]).succeeds();
    for audience in ["edge", "workload"] {
        let bundle = out.join(format!("tenancy.{audience}.bundle"));
        partywall(&["inspect", path(&bundle)])
            .succeeds()
            .says("IN SHADOW        service orders")
            .says("IN SHADOW        but not tenant globex");
        let told = partywall(&["inspect", path(&bundle), "--json"]).succeeds().json();
        assert!(told.to_string().contains(r#""services":[["orders","Shadow"]]"#), "{told}");
    }
    let events = out.join("tenancy.events.bundle");
    assert!(!partywall(&["inspect", path(&events)]).succeeds().stdout().contains("IN SHADOW"));
    let same = partywall(&["diff", path(&sample()), path(&directory)]).ends_with(1);
    assert!(same.stdout().contains("changed setting modes of workload"), "{}", same.stdout());
    if std::env::var_os("CVC5").is_some() {
        partywall(&["prove", path(&directory)])
            .succeeds()
            .says("IN SHADOW service orders; but not tenant globex: there what policies deny is let through");
    }
}

#[test]
fn a_recorded_shadow_is_decided_again_and_told_where_it_would_be_enforced() {
    let (shadow, enforced) = (with("modes-replay", &[("services/orders.yaml", "mode: shadow")]), sample());
    let routes = with("modes-replay-routes", &[("services/orders.yaml", "allow_shadow_routes: true")]);
    let here = folder("modes-replay-log");
    let (key, mut record) = (key_file(&here), Request { roles: &[], ..READ }.record("deny", "policy_denied"));
    (record["decision"], record["shadow"]) = (json!("allow"), json!("deny"));
    let log = logs::write(&here, &[line(&record)]);
    let replay = |old: &Path, new: &Path| {
        let arguments =
            ["replay", "--log", path(&log), path(old), path(new), "--fingerprint-key", path(&key), "--json"];
        let found = partywall(&arguments);
        assert!(found.status() <= 1, "{}", found.stderr());
        found.json()
    };
    let same = replay(&shadow, &shadow);
    assert_eq!((&same["replayed"], &same["not_reproduced"]), (&json!(1), &json!([])), "{same:#}");
    let flips = replay(&shadow, &enforced)["flips"].clone();
    let told = |side: &str| (flips[0][side]["decision"].clone(), flips[0][side]["reason"].clone());
    assert_eq!(told("from"), (json!("allow"), json!("policy_denied")), "{flips:#}");
    assert_eq!(told("to"), (json!("deny"), json!("policy_denied")), "{flips:#}");
    // What nothing in the bundle says, the route said.
    let by_route = replay(&routes, &routes);
    assert_eq!((&by_route["replayed"], &by_route["not_reproduced"]), (&json!(1), &json!([])), "{by_route:#}");
}
