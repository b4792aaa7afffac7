//! `partywall test`: what it says about cases that hold, that do not, and that cannot be read.

mod support;

use std::fs;

use support::{copy, folder, partywall, path, sample};

const HEAD: &str = "cases:\n";

fn with(name: &str, cases: &str) -> std::path::PathBuf {
    let tenancy = folder(name).join("tenancy");
    copy(&sample(), &tenancy);
    fs::remove_dir_all(tenancy.join("cases")).unwrap();
    fs::create_dir(tenancy.join("cases")).unwrap();
    fs::write(tenancy.join("cases/all.yaml"), format!("{HEAD}{cases}")).unwrap();
    tenancy
}

fn case(name: &str, given: &str, request: &str, then: &str) -> String {
    format!("  - name: {name}\n    given: {{ {given} }}\n    when: {{ {request} }}\n    then: {{ {then} }}\n")
}

#[test]
fn the_sample_is_tested_and_every_policy_reached() {
    let ran = partywall(&["test", path(&sample()), "--json"]).succeeds();
    let report = ran.json();
    assert_eq!(report["failed"], 0);
    for policy in report["coverage"].as_array().unwrap() {
        // What the wall forbids a sidecar denies before any policy, so that no case gets there.
        let wall = policy["at"].as_str().unwrap().contains("wall.cedar");
        assert_eq!(policy["satisfied"].as_u64().unwrap() > 0, !wall, "{policy}");
    }
    assert!(report["cases"].as_array().unwrap().len() >= 7);
}

#[test]
fn a_case_that_differs_is_told_with_its_place_and_why() {
    let cases = case(
        "a viewer reads",
        "tenant: acme, roles: [viewer]",
        "service: orders, request: GET /orders/7",
        "decision: deny",
    ) + &case(
        "bronze deletes",
        "tenant: initech, roles: [accountant]",
        "service: invoices, request: DELETE /invoices/7",
        "decision: deny, policy: viewers-read",
    ) + &case(
        "another owner",
        "tenant: acme",
        "service: orders, request: GET /tenants/globex/orders",
        "decision: deny, reason: policy_denied",
    ) + &case(
        "nobody",
        "tenant: umbrella",
        "service: orders, request: GET /orders/7",
        "decision: deny, reason: tenant_unknown",
    );
    let tenancy = with("policy-test-differs", &cases);
    let junit = tenancy.with_file_name("report.xml");
    let ran = partywall(&["test", path(&tenancy), "--junit", path(&junit)]).ends_with(1);
    ran.says("cases/all.yaml:5:11: a viewer reads\n  expected  deny\n  got       allow, policy viewers-read\n  why       viewers-read: permit")
        .says("expected  deny, policy viewers-read\n  got       deny, reason policy_denied, policy no-delete-in-bronze")
        .says("accountants-read-and-delete: permit")
        .says("got       deny, reason resource_foreign\n  why       the path names another owner")
        .says("1 passed, 3 failed");
    let report = fs::read_to_string(junit).unwrap();
    assert!(report.contains("tests=\"4\" failures=\"3\""), "{report}");
}

#[test]
fn a_suspended_tenant_is_denied_before_any_policy() {
    let cases = case(
        "suspended",
        "tenant: acme, roles: [viewer]",
        "service: orders, request: GET /orders/7",
        "decision: deny, reason: tenant_suspended",
    );
    let tenancy = with("policy-test-suspended", &cases);
    let file = tenancy.join("tenants/acme.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("status: active", "status: suspended");
    fs::write(file, text).unwrap();
    partywall(&["test", path(&tenancy)]).succeeds().says("1 passed, 0 failed").says("in no case is it satisfied");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    for (name, cases, told) in [
        ("empty", "  []\n", "all.yaml:1:1: error: this file has no cases"),
        (
            "reason",
            &*case("x", "tenant: acme", "service: s, request: GET /", "decision: allow, reason: policy_denied"),
            "only a denial has a reason",
        ),
        (
            "word",
            &*case("x", "tenant: acme", "service: s, request: GET /", "decision: denied"),
            "write `allow` or `deny`",
        ),
        (
            "reason-word",
            &*case("x", "tenant: acme", "service: s, request: GET /", "decision: deny, reason: policy_denid"),
            "did you mean `policy_denied`?",
        ),
        (
            "request",
            &*case("x", "tenant: acme", "service: s, request: /orders", "decision: deny"),
            "is not a method and a path",
        ),
        (
            "field",
            &*case("x", "tenant: acme, role: [viewer]", "service: s, request: GET /", "decision: deny"),
            "did you mean `roles`?",
        ),
        (
            "twice",
            &*case("x", "tenant: acme", "service: s, request: GET /", "decision: deny").repeat(2),
            "a case `x` is there already",
        ),
    ] {
        let tenancy = with(&format!("policy-test-{name}"), cases);
        partywall(&["test", path(&tenancy)]).ends_with(3).says(told);
    }
    let tenancy = with("policy-test-none", "");
    fs::remove_file(tenancy.join("cases/all.yaml")).unwrap();
    partywall(&["test", path(&tenancy)]).ends_with(3).says("there are no cases").says("help:");
    fs::write(tenancy.join("cases/all.yml"), "").unwrap();
    partywall(&["test", path(&tenancy)]).ends_with(3).says("end its name with `.yaml`");
}
