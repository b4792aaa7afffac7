//! Scopes on the command line: `explain`, `test`, `replay` and `diff` of policies that ask what a credential
//! may be used for.

mod logs;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use logs::READ;
use serde_json::json;
use support::{Ran, changes, copy, folder, partywall, path, sample};

const BY_SCOPE: &str = "@id(\"by-scope\")\nforbid (principal, action == Action::\"orders:read\", resource)\n\
                        unless { context.scopes.contains(\"orders:read\") };\n";
const NO_OTHERS: &str = "@id(\"no-others\")\nforbid (principal, action == Action::\"orders:read\", resource)\n\
                         unless { [\"orders:read\", \"openid\"].containsAll(context.scopes) };\n";

/// The sample with this policy more.
fn directory(name: &str, policy: &str) -> PathBuf {
    let here = folder(name).join("tenancy");
    copy(&sample(), &here);
    fs::write(here.join("policies/scopes.cedar"), policy).unwrap();
    here
}

fn explain(directory: &Path, more: &[&str]) -> Ran {
    let ask = ["--tenant", "acme", "--role", "viewer", "--service", "orders", "GET", "/orders/7", "--json"];
    partywall(&[&["explain", path(directory)], &ask[..], more].concat())
}

#[test]
fn explain_tells_the_scopes_and_what_others_would_change() {
    let here = directory("scopes-explain", BY_SCOPE);
    let ran = explain(&here, &["--scope", "orders:read", "--scope", "openid"]).succeeds();
    assert_eq!(ran.json()["facts"]["scopes"], "orders:read, openid");
    assert_eq!(changes(&ran), ["without the role viewer", "without the scope orders:read"]);
    for more in [&["--scope", "orders"][..], &[]] {
        let ran = explain(&here, more).ends_with(1);
        assert_eq!(
            (&ran.json()["policy"], changes(&ran)),
            (&json!("by-scope"), vec!["with the scope orders:read".into()])
        );
    }
    let others = directory("scopes-explain-others", NO_OTHERS);
    let ran = explain(&others, &["--scope", "openid", "--scope", "mail"]).ends_with(1);
    assert_eq!(changes(&ran), ["without the scope mail"]);
    // Nobody is told of what no policy asks for.
    let without = directory("scopes-explain-without", "");
    assert_eq!(explain(&without, &[]).succeeds().json()["facts"].get("scopes"), None);
}

/// A recorded request of a viewer, with these scopes of its credential.
fn by(scopes: &[&str], decision: &str, why: &str) -> String {
    logs::with(("scopes", scopes), "by-scope", decision, why)
}

#[test]
fn replay_decides_by_the_scopes_that_were_recorded() {
    let old = directory("scopes-replay-old", BY_SCOPE);
    let new = directory("scopes-replay-new", &BY_SCOPE.replace("contains(\"orders:read\")", "isEmpty()"));
    let lines = [
        by(&["orders:read"], "allow", "viewers-read"),
        by(&["other scopes"], "deny", "policy_denied"),
        by(&[], "deny", "policy_denied"),
    ];
    let same = logs::replay("scopes-replay-same", &lines, &old, &old, 0);
    assert_eq!((&same["replayed"], &same["not_reproduced"]), (&json!(3), &json!([])), "{same:#}");
    // That there were others is enough to know.
    let flips = logs::replay("scopes-replay-flips", &lines, &old, &new, 1);
    let told: Vec<_> = flips["flips"].as_array().unwrap().iter().map(|flip| flip["to"]["decision"].clone()).collect();
    assert_eq!(told, ["allow", "deny"], "{flips:#}");
}

#[test]
fn replay_says_where_scopes_were_not_recorded() {
    let why = "it depends on scopes that OLD does not ask for, so nobody wrote them down";
    let lines = [READ.line("allow", "viewers-read")];
    for (name, policy) in [("named", BY_SCOPE), ("others", NO_OTHERS)] {
        let new = directory(&format!("scopes-replay-{name}"), policy);
        let found = logs::replay(&format!("scopes-replay-cannot-{name}"), &lines, &sample(), &new, 1);
        assert!(found.to_string().contains(why), "{found:#}");
    }
    // Of others nobody knows what they were; where there were none, everybody does.
    let old = directory("scopes-replay-asked", BY_SCOPE);
    let new = directory("scopes-replay-asks-more", &BY_SCOPE.replace("orders:read\")", "mail\")"));
    let found = logs::replay(
        "scopes-replay-more",
        &[by(&["orders:read", "other scopes"], "allow", "viewers-read")],
        &old,
        &new,
        1,
    );
    assert!(found.to_string().contains(why), "{found:#}");
    let found = logs::replay("scopes-replay-known", &[by(&["orders:read"], "allow", "viewers-read")], &old, &new, 1);
    assert_eq!(found["flips"][0]["to"]["decision"], "deny", "{found:#}");
}

#[test]
fn diff_tells_by_which_scope_somebody_gains_or_loses() {
    let ran = partywall(&["diff", path(&sample()), path(&directory("scopes-diff", BY_SCOPE))]).ends_with(1);
    assert!(!ran.stdout().contains(" with scope orders:read"), "{}", ran.stdout());
    ran.says("loses orders:read on Order at orders without any scope (allow by `viewers-read` -> deny policy_denied by `by-scope`)")
        .says("loses orders:read on Order at orders with scope other scopes ");
    // With whatever scope, where it makes no difference.
    let everywhere = BY_SCOPE.split("unless").next().unwrap().trim_end().to_owned() + ";\n";
    let asks = "@id(\"asks\") permit (principal in Role::\"x\", action == Action::\"orders:list\", resource)\n\
                when { context.scopes.contains(\"a\") };\n";
    let (old, new) =
        (directory("scopes-diff-asks", asks), directory("scopes-diff-asks-new", &format!("{asks}{everywhere}")));
    let found = partywall(&["diff", path(&old), path(&new), "--json"]).ends_with(1).json();
    let lost = found["permissions"]["differences"].as_array().unwrap();
    let lost = lost.iter().flat_map(|one| one["changes"].as_array().unwrap());
    let by: Vec<_> = lost.filter(|change| change["action"] == "orders:read").map(|change| &change["scope"]).collect();
    assert!(!by.is_empty() && by.iter().all(|scope| scope.is_null()), "{found:#}");
}

#[test]
fn cases_say_the_scopes_of_a_credential() {
    let here = directory("scopes-cases", BY_SCOPE);
    let case = |given: &str| {
        let when = "{ service: orders, request: GET /orders/7 }";
        let text = format!("cases: [{{ name: x, given: {given}, when: {when}, then: {{ decision: allow }} }}]\n");
        fs::remove_dir_all(here.join("cases")).unwrap_or_default();
        fs::create_dir(here.join("cases")).unwrap();
        fs::write(here.join("cases/one.yaml"), text).unwrap();
        partywall(&["test", path(&here)])
    };
    case("{ tenant: acme, roles: [viewer], scopes: [\"orders:read\"] }").succeeds();
    case("{ tenant: acme, roles: [viewer], scopes: [] }").ends_with(1).says("by-scope");
    case("{ caller: \"spiffe://mesh.example/ns/edge/sa/gateway\", scopes: [a] }")
        .ends_with(3)
        .says("`scopes` stands beside");
    case("{ host: acme.shop.example, scopes: [a] }").ends_with(3).says("`scopes` stands beside `tenant`");
}
