//! Networks on the command line: `explain`, `test`, `replay` and `diff` of policies that ask where a client calls from.

mod logs;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use logs::{READ, Request};
use serde_json::json;
use support::{Ran, changes, copy, folder, partywall, path, sample};

const NETWORKS: &str = "networks: { office: [10.0.0.0/8, \"2001:db8::/32\"], vpn: [10.1.0.0/16, 192.0.2.7] }\n";
const IN_THE_OFFICE: &str = "@id(\"in-the-office\")\nforbid (principal, action == Action::\"orders:read\", resource)\n\
                             unless { context.networks.contains(\"office\") };\n";

/// The sample with networks, and this policy more.
fn directory(name: &str, policy: &str) -> PathBuf {
    let here = folder(name).join("tenancy");
    copy(&sample(), &here);
    let mesh = fs::read_to_string(here.join("mesh.yaml")).unwrap();
    fs::write(here.join("mesh.yaml"), mesh + NETWORKS).unwrap();
    fs::write(here.join("policies/networks.cedar"), policy).unwrap();
    here
}

fn explain(directory: &Path, more: &[&str]) -> Ran {
    let ask = ["--tenant", "acme", "--role", "viewer", "--service", "orders", "GET", "/orders/7", "--json"];
    partywall(&[&["explain", path(directory)], &ask[..], more].concat())
}

#[test]
fn explain_finds_the_networks_of_an_address_and_what_another_would_change() {
    let here = directory("networks-explain", IN_THE_OFFICE);
    for (from, networks) in [
        ("10.1.2.3", "office, vpn"),
        ("::ffff:10.2.0.1", "office"),
        ("2001:db8::7", "office"),
        ("10.255.255.255", "office"),
    ] {
        let ran = explain(&here, &["--from", from]).succeeds();
        assert_eq!(ran.json()["facts"]["networks"], networks, "{from}");
        assert_eq!(changes(&ran), ["without the role viewer", "out of the network office"], "{from}");
    }
    for (more, networks) in [
        (&["--from", "192.0.2.7"][..], "vpn"),
        (&["--from", "11.0.0.1"], "none"),
        (&[], "none"),
        (&["--network", "vpn"], "vpn"),
    ] {
        let ran = explain(&here, more).ends_with(1);
        assert_eq!(
            (&ran.json()["policy"], &ran.json()["facts"]["networks"]),
            (&json!("in-the-office"), &json!(networks))
        );
        assert_eq!(changes(&ran), ["from the network office"], "{more:?}");
    }
    explain(&here, &["--network", "office", "--network", "vpn"]).succeeds();
    explain(&here, &["--network", "ofice"]).ends_with(3).says("is called `ofice`\nhelp: there are office, vpn\n");
    explain(&here, &["--network", "office", "--from", "10.0.0.1"]).ends_with(2);
    explain(&here, &["--from", "10.0.0.1:80"]).ends_with(2);
    // Nobody is told of what no policy asks for.
    let without = directory("networks-explain-without", "");
    assert_eq!(explain(&without, &[]).succeeds().json()["facts"].get("networks"), None);
    explain(&sample(), &["--network", "office"]).ends_with(3).says("is called `office`\nhelp: there is none\n");
}

#[test]
fn what_is_no_address_of_a_case_is_told() {
    let here = directory("networks-cases", IN_THE_OFFICE);
    let case = |given: &str, from: &str| {
        let when = format!("{{ service: orders, request: GET /orders/7, from: {from} }}");
        let text = format!("cases: [{{ name: x, given: {given}, when: {when}, then: {{ decision: allow }} }}]\n");
        fs::remove_dir_all(here.join("cases")).unwrap_or_default();
        fs::create_dir(here.join("cases")).unwrap();
        fs::write(here.join("cases/one.yaml"), text).unwrap();
        partywall(&["test", path(&here)])
    };
    let viewer = "{ tenant: acme, roles: [viewer] }";
    case(viewer, "10.1.2.3").succeeds();
    case(viewer, "\"2001:db8::1\"").succeeds();
    case(viewer, "192.0.2.7").ends_with(1).says("in-the-office");
    for wrong in ["office", "10.1.2.3:80", "10.0.0.0/8", "10.1.2"] {
        case(viewer, wrong).ends_with(3).says("is no address").says("as `10.1.2.3` or `2001:db8::7`");
    }
    let workload = "{ caller: \"spiffe://mesh.example/ns/edge/sa/gateway\" }";
    case(workload, "10.1.2.3").ends_with(3).says("`from` stands beside a workload");
}

/// A recorded request of a viewer, from these networks.
fn from(networks: &[&str], decision: &str, why: &str) -> String {
    logs::with(("networks", networks), "in-the-office", decision, why)
}

#[test]
fn replay_decides_by_the_networks_that_were_recorded() {
    let old = directory("networks-replay-old", IN_THE_OFFICE);
    let new = directory("networks-replay-new", &IN_THE_OFFICE.replace("contains(\"office\")", "contains(\"vpn\")"));
    let lines = [
        from(&["office"], "allow", "viewers-read"),
        from(&["office", "vpn"], "allow", "viewers-read"),
        from(&["vpn"], "deny", "policy_denied"),
        from(&[], "deny", "policy_denied"),
    ];
    let same = logs::replay("networks-replay-same", &lines, &old, &old, 0);
    assert_eq!((&same["replayed"], &same["not_reproduced"]), (&json!(4), &json!([])), "{same:#}");
    let flips = logs::replay("networks-replay-flips", &lines, &old, &new, 1);
    let told: Vec<_> = flips["flips"].as_array().unwrap().iter().map(|flip| flip["to"]["decision"].clone()).collect();
    assert_eq!(told, ["allow", "deny"], "{flips:#}");
}

#[test]
fn replay_says_where_networks_were_not_recorded() {
    let (old, new) = (sample(), directory("networks-replay-unknown", IN_THE_OFFICE));
    let lines = [READ.line("allow", "viewers-read")];
    let found = logs::replay("networks-replay-cannot", &lines, &old, &new, 1);
    assert!(found.to_string().contains("it depends on networks, which OLD does not ask for"), "{found:#}");
    // What no policy asks networks about is decided as ever.
    let listed = Request { owner: "acme", http: "GET /tenants/{tenant}/orders", id: "", ..READ };
    let other = logs::replay("networks-replay-can", &[listed.line("allow", "viewers-read")], &old, &new, 0);
    assert_eq!(other["replayed"], 1, "{other:#}");
}

/// What nobody wrote down may have been there together: a role that OLD does not name, and a network.
#[test]
fn replay_says_where_networks_make_a_difference_to_some_roles_alone() {
    let visitor = "principal in Role::\"visitor\"";
    let office = "context.networks.contains(\"office\")";
    let read = "action == Action::\"orders:read\", resource";
    let to_visitors = format!("@id(\"a\") permit ({visitor}, {read}) when {{ {office} }};\n");
    let to_others = format!("@id(\"a\") forbid (principal, {read}) unless {{ {office} && !({visitor}) }};\n");
    let stranger = Request { roles: &[], ..READ }.line("deny", "policy_denied");
    for (name, policy, line) in
        [("visitors", to_visitors, stranger), ("others", to_others, READ.line("allow", "viewers-read"))]
    {
        let new = directory(&format!("networks-replay-of-{name}"), &policy);
        let found = logs::replay(&format!("networks-replay-to-{name}"), &[line], &sample(), &new, 1);
        assert!(found.to_string().contains("it depends on networks, which OLD does not ask for"), "{found:#}");
    }
}

#[test]
fn diff_tells_from_where_somebody_gains_or_loses() {
    let new = directory("networks-diff", IN_THE_OFFICE);
    let ran = partywall(&["diff", path(&sample()), path(&new)]).ends_with(1);
    assert!(!ran.stdout().contains(" from office"), "{}", ran.stdout());
    ran.says(
        "loses orders:read on Order at orders from no network (allow by `viewers-read` -> deny policy_denied by `in-the-office`)")
        .says("loses orders:read on Order at orders from vpn ")
        .says("added network office");
    let everywhere = IN_THE_OFFICE.split("unless").next().unwrap().trim_end().to_owned() + ";\n";
    let old = directory("networks-diff-old", &IN_THE_OFFICE.replace("office\")", "vpn\")"));
    let new = directory("networks-diff-everywhere", &everywhere);
    // What was lost before is not lost once more.
    let found = partywall(&["diff", path(&old), path(&new), "--json"]).ends_with(1).json();
    let lost: Vec<_> = found["permissions"]["differences"].as_array().unwrap().iter().collect();
    let from: Vec<_> = lost.iter().flat_map(|one| one["changes"].as_array().unwrap()).map(|c| &c["network"]).collect();
    assert!(!from.is_empty() && from.iter().all(|network| **network == json!("vpn")), "{found:#}");
    // From anywhere, where it makes no difference.
    let asks = "@id(\"asks\") permit (principal in Role::\"x\", action == Action::\"orders:list\", resource)\n\
                when { context.networks.contains(\"office\") };\n";
    let (old, new) =
        (directory("networks-diff-asks", asks), directory("networks-diff-asks-new", &format!("{asks}{everywhere}")));
    let found = partywall(&["diff", path(&old), path(&new), "--json"]).ends_with(1).json();
    let changes = found["permissions"]["differences"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| one["changes"].as_array().unwrap());
    let from: Vec<_> = changes.filter(|change| change["action"] == "orders:read").map(|c| &c["network"]).collect();
    assert!(!from.is_empty() && from.iter().all(|network| network.is_null()), "{found:#}");
}
