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
        .says("got       deny, reason resource_foreign\n  why       the request names another owner")
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

/// Sources, issuers, bindings and API keys of a `mesh.yaml` that has all of them.
#[test]
fn what_a_client_shows_is_judged_as_the_edge_judges_it() {
    const ACME: &str = "issuer: \"https://id.acme.example\"";
    const SHARED: &str = "issuer: \"https://id.shared.example\"";
    const WEB: &str = "azp: web-app, roles: [viewer]";
    const LIST: &str = "GET /tenants/acme/jobs";
    const READ: &str = "GET /jobs/7";
    let gateway = "certificate: { uri: \"spiffe://mesh.example/ns/a/sa/partner-gateway\" }";
    let several = format!("token: {{ {SHARED}, claims: {{ tenant: [acme, globex], roles: [viewer] }} }}");
    let acme = |claims: &str| format!("token: {{ {ACME}, claims: {{ tenant: acme, {claims} }} }}");
    let of_acme = "certificate: { uri: \"spiffe://mesh.example/tenant/acme/sa/jobs\" }";
    let allow = "decision: allow, policy: viewers-read-jobs";
    let deny = |reason: &str| format!("decision: deny, reason: {reason}");
    let played = [
        ("a token of the bound client", acme(WEB), READ, allow.into()),
        ("of another client", acme("roles: [viewer]"), READ, deny("credential_invalid")),
        ("for another audience", acme(&format!("aud: other, {WEB}")), READ, deny("credential_invalid")),
        ("with two audiences", acme(&format!("aud: [other, shop], {WEB}")), READ, allow.into()),
        ("of tomorrow", acme(&format!("nbf: 99999999999, exp: 99999999999, {WEB}")), READ, deny("credential_invalid")),
        ("past its own time", acme(&format!("exp: 1, {WEB}")), READ, deny("credential_expired")),
        (
            "that is old",
            format!("token: {{ {ACME}, claims: {{ tenant: acme, {WEB} }}, age: 2h }}"),
            READ,
            deny("credential_expired"),
        ),
        (
            "that is young",
            format!("token: {{ {ACME}, claims: {{ tenant: acme, {WEB} }}, age: 5m }}"),
            READ,
            allow.into(),
        ),
        ("for two tenants", several.clone(), READ, deny("tenant_missing")),
        ("for two, and the host picks one", format!("{several}, host: acme.shop.example"), READ, allow.into()),
        ("for two, and the path picks one", several.clone(), LIST, allow.into()),
        (
            "for two, and the host picks a third",
            format!("{several}, host: initech.shop.example"),
            READ,
            deny("tenant_conflict"),
        ),
        (
            "for two, and a trusted peer picks one",
            format!("{several}, {gateway}, headers: {{ x-shop-tenant: acme }}"),
            READ,
            allow.into(),
        ),
        (
            "for two, and nobody's header picks one",
            format!("{several}, headers: {{ x-shop-tenant: acme }}"),
            READ,
            deny("tenant_missing"),
        ),
        ("an API key by its principal", "api_key: nightly-export".into(), READ, allow.into()),
        ("an API key by its id", "api_key: 0123456789abcdef".into(), READ, allow.into()),
        ("an API key that is not there", "api_key: weekly-export".into(), READ, deny("credential_invalid")),
        (
            "an API key at the host of another",
            "api_key: nightly-export, host: globex.shop.example".into(),
            READ,
            deny("tenant_conflict"),
        ),
        (
            "an API key and a token of others",
            format!("api_key: nightly-export, token: {{ {SHARED}, claims: {{ tenant: globex }} }}"),
            READ,
            deny("tenant_conflict"),
        ),
        ("a certificate has no role", of_acme.into(), READ, deny("policy_denied")),
        (
            "a certificate at the host of another",
            format!("{of_acme}, host: globex.shop.example"),
            READ,
            deny("tenant_conflict"),
        ),
        (
            "a DNS name at the path of another",
            "certificate: { dns: globex.clients.example }".into(),
            LIST,
            deny("tenant_conflict"),
        ),
        (
            "a certificate of nobody's",
            "certificate: { dns: acme.elsewhere.example }".into(),
            READ,
            deny("tenant_missing"),
        ),
        (
            "two tenants in one certificate",
            "certificate: { uri: \"spiffe://mesh.example/tenant/acme/sa/a\", dns: globex.clients.example }".into(),
            READ,
            deny("ambiguous_request"),
        ),
        ("a host proves nothing", "host: acme.shop.example".into(), READ, deny("tenant_missing")),
        (
            "a host is enough where anybody may call",
            "host: acme.shop.example".into(),
            "POST /login",
            deny("policy_denied"),
        ),
        (
            "a credential is claimed twice",
            format!("{}, headers: {{ authorization: Bearer x }}", acme(WEB)),
            READ,
            deny("ambiguous_request"),
        ),
        ("a path with two readings", acme(WEB), "GET /jobs/a%2fb", deny("ambiguous_request")),
    ];
    let service = |request: &str| format!("service: jobs, request: {request}");
    let cases: String =
        played.iter().map(|(name, given, request, then)| case(name, given, &service(request), then)).collect();
    let tenancy = with("policy-test-shown", &cases);
    let full = support::fixture("every-field");
    for part in [
        "mesh.yaml",
        "api-keys.yaml",
        "datasets.yaml",
        "tenants/hooli.yaml",
        "services/jobs.yaml",
        "policies/linked.cedar",
        "policies/links.yaml",
    ] {
        fs::copy(full.join(part), tenancy.join(part)).unwrap();
    }
    partywall(&["test", path(&tenancy)]).succeeds().says(&format!("{} passed, 0 failed", played.len()));
    // The same words with another outcome are a case that differs, and it says what the edge found.
    let wrong = case("x", &acme("roles: [viewer]"), &service(READ), "decision: allow");
    fs::write(tenancy.join("cases/all.yaml"), format!("{HEAD}{wrong}")).unwrap();
    let ran = partywall(&["test", path(&tenancy)]).ends_with(1);
    ran.says("got       deny, reason credential_invalid").says("client");
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
            "nobody",
            &*case("x", "subject: alice", "service: s, request: GET /", "decision: deny"),
            "`given` says not who acts",
        ),
        (
            "both",
            &*case("x", "tenant: acme, host: a", "service: s, request: GET /", "decision: deny"),
            "take out `tenant`, or what is shown",
        ),
        (
            "roles-beside",
            &*case("x", "host: a, roles: [viewer]", "service: s, request: GET /", "decision: deny"),
            "`roles` stands beside `tenant`",
        ),
        (
            "no-claims",
            &*case("x", "token: { issuer: i }", "service: s, request: GET /", "decision: deny"),
            "a token of a case needs `claims`",
        ),
        (
            "age",
            &*case("x", "token: { issuer: i, claims: {}, age: old }", "service: s, request: GET /", "decision: deny"),
            "`old` is no duration",
        ),
        (
            "no-name",
            &*case("x", "certificate: {}", "service: s, request: GET /", "decision: deny"),
            "this certificate has no name",
        ),
        (
            "header",
            &*case("x", "headers: { X-Tenant: a }", "service: s, request: GET /", "decision: deny"),
            "no name of a header in lower case",
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
