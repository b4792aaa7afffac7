//! What routes say, as each verb knows it. What it decides is in `filters/authorization/cases/decide/route-words`.

mod logs;
mod support;

use std::fs;
use std::path::PathBuf;

use logs::{READ, key_file, line};
use serde_json::{Value, json};
use support::{copy, folder, keys, partywall, path, sample};

const NAMED: &str = "  - { route: true, action: \"orders:report\", resource: Report, owner: none }\nroutes: fill\n";
const PERMIT: &str =
    "@id(\"reports\") permit (principal in Role::\"viewer\", action == Action::\"orders:report\", resource);\n";

/// A copy of the sample in which routes may name reports of `orders`.
fn listening(name: &str) -> PathBuf {
    let directory = folder(name).join("tenancy");
    copy(&sample(), &directory);
    let orders = directory.join("services/orders.yaml");
    fs::write(&orders, fs::read_to_string(&orders).unwrap() + NAMED).unwrap();
    fs::write(directory.join("policies/reports.cedar"), PERMIT).unwrap();
    directory
}

#[test]
fn explain_decides_by_what_a_route_says() {
    let directory = listening("routes-explain");
    let explain = |route: &[&str], request: &str| {
        let words = route.iter().flat_map(|word| ["--route", word]);
        let asked =
            ["explain", path(&directory), "--tenant", "acme", "--role", "viewer", "--service", "orders", "--json"];
        partywall(&asked.into_iter().chain(words).chain(["GET", request]).collect::<Vec<_>>())
    };
    let report = ["action=orders:report", "resource=Report"];
    assert_eq!(explain(&report, "/reports/7").succeeds().json()["policy"], "reports");
    assert_eq!(explain(&[], "/reports/7").ends_with(1).json()["reason"], "resource_unmapped");
    assert_eq!(explain(&report, "/orders/7").ends_with(1).json()["reason"], "resource_unmapped");
    explain(&["dataset=order-figures", "purpose=analytics"], "/orders/7").succeeds();
    explain(&["dataset=order-figures"], "/orders/7").ends_with(1);
    explain(&["data=order-figures"], "/orders/7").ends_with(2).says("write one of action, resource, dataset");
}

#[test]
fn a_request_that_a_route_named_is_decided_again() {
    let (directory, here) = (listening("routes-replay"), folder("routes-replay-log"));
    let key = key_file(&here);
    let recorded = |words: &[&str], reason: &str| {
        let mut record = READ.record(if reason.is_empty() { "allow" } else { "deny" }, reason);
        record["policy"] = json!(if reason.is_empty() { "reports" } else { "" });
        (record["method"], record["path"]) = (json!("ROUTE"), json!("/orders:report/Report"));
        (record["action"], record["resource"]) = (json!("orders:report"), json!("Report"));
        record["id"] = json!("");
        record["route"] = json!(words);
        line(&record)
    };
    let good = ["action=orders:report", "resource=Report"];
    let lines = [recorded(&good, ""), recorded(&[&good[..], &["dataset=order-figures"]].concat(), "resource_unmapped")];
    let log = logs::write(&here, &lines);
    let arguments = ["--fingerprint-key", path(&key), "--json"];
    let replay = |new: &PathBuf| -> Value {
        let words = [&["replay", "--log", path(&log), path(&directory), path(new)], &arguments[..]].concat();
        partywall(&words).json()
    };
    let same = replay(&directory);
    assert_eq!((&same["replayed"], &same["not_reproduced"]), (&json!(2), &json!([])), "{same:#}");
    assert_eq!(same["flips"], json!([]));
    let without = listening("routes-replay-without");
    fs::remove_file(without.join("policies/reports.cedar")).unwrap();
    assert_eq!(replay(&without)["flips"][0]["to"]["reason"], "policy_denied");
}

#[test]
fn inspect_says_which_services_listen() {
    let (directory, here) = (listening("routes-inspect"), folder("routes-compiled"));
    let out = here.join("served");
    partywall(&["compile", path(&directory), "--keys", path(&keys(&here)), "--out", path(&out)]).succeeds();
    for audience in ["edge", "workload"] {
        let bundle = out.join(format!("tenancy.{audience}.bundle"));
        partywall(&["inspect", path(&bundle)]).succeeds().says("ROUTES THAT LEAD TO IT say what requests ask for");
    }
}
