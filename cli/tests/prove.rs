//! `partywall prove`, with the solver that the environment variable CVC5 names.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Ran, copy, folder, partywall, path, sample};

const WALL: &str = "forbid (principal, action, resource) unless { principal.tenant == resource.tenant };
                    forbid (principal, action, resource) unless { principal.tenant.status == \"active\" };\n";

/// The sample, with these policies in place of its own.
fn directory(name: &str, policies: &str) -> PathBuf {
    let here = folder(name).join("tenancy");
    copy(&sample(), &here);
    fs::remove_dir_all(here.join("policies")).unwrap();
    fs::create_dir(here.join("policies")).unwrap();
    fs::write(here.join("policies/only.cedar"), policies).unwrap();
    here
}

fn prove(directory: &Path, more: &[&str]) -> Ran {
    assert!(
        std::env::var_os("CVC5").is_some_and(|path| !path.is_empty()),
        "CVC5 names no solver: `cargo xtask test` fetches one and sets it; or install cvc5 and set CVC5=cvc5"
    );
    partywall(&[&["prove", path(directory)], more].concat())
}

/// The findings that are false: pass, claim and action, with the counterexample.
fn falsehoods(report: &Value) -> Vec<([&str; 3], &Value)> {
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["verdict"] != "unknown"), "{report:#}");
    let told = findings.iter().filter(|finding| finding["verdict"] == "false").map(|finding| {
        let word = |name: &str| finding[name].as_str().unwrap();
        ([word("policies"), word("claim"), word("action")], &finding["counterexample"])
    });
    told.collect()
}

/// What is false of these policies alone, as `claim action`. Every counterexample is played through `decide`, and those
/// of tenants that exist through `explain`.
fn authored(name: &str, policies: &str) -> (Vec<String>, Vec<Value>) {
    let here = directory(name, policies);
    let found = here.with_file_name("found");
    let ran = prove(&here, &["--json", "--counterexample", path(&found)]);
    let report = ran.json();
    let all = falsehoods(&report);
    let ran = ran.ends_with(i32::from(!all.is_empty()));
    assert_eq!(report["proved"], all.is_empty(), "{report:#}");
    assert!(all.iter().all(|([pass, ..], _)| *pass == "authored"), "sidecars hold the rest: {}", ran.stdout());
    for (at, ([_, claimed, _], counterexample)) in all.iter().enumerate() {
        let file = |kind: &str| path(&found.join(format!("{}.{kind}.json", at + 1))).to_owned();
        let (policies, schema) = (found.join("policies.json"), found.join("schema.cedarschema"));
        let decided = partywall(&[
            "decide",
            "--schema",
            path(&schema),
            "--policies",
            path(&policies),
            "--entities",
            &file("entities"),
            "--request",
            &file("request"),
            "--with",
            "both",
            "--json",
        ]);
        let decided = decided.succeeds().json();
        assert_eq!(decided["decision"], "allow");
        assert_eq!(decided["policies"], counterexample["permitted_by"]);
        let words: Vec<&str> = counterexample["explain"].as_str().unwrap().split(' ').skip(1).collect();
        if *claimed == "no_foreign" && counterexample["not_in_directory"] == json!([]) {
            partywall(&words).succeeds().says("ALLOW").says("by policies alone");
        }
    }
    let told = all.iter().map(|([_, claim, action], _)| format!("{claim} {action}")).collect();
    (told, all.into_iter().map(|(_, counterexample)| counterexample.clone()).collect())
}

#[test]
fn the_sample_is_proved() {
    let ran = prove(&sample(), &["--json"]).succeeds();
    let report = ran.json();
    assert_eq!((&report["proved"], &report["kinds"], &report["policies"]), (&json!(true), &json!(7), &json!(6)));
    assert_eq!((&report["never_permitted"], &report["assumed"]), (&json!([]), &json!([])));
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 7 * 2 * 2);
    assert!(findings.iter().all(|finding| finding["verdict"] == "proved"), "{report:#}");
    prove(&sample(), &[])
        .succeeds()
        .says("assumed   nothing")
        .says("proved   no resource of another tenant is permitted\n")
        .says("The policies with what sidecars hold by themselves")
        .says("7 of 7: ");
}

#[test]
fn grants_that_may_be_live_are_told_with_the_proof() {
    let here = folder("prove-grants").join("tenancy");
    copy(&sample(), &here);
    let mesh = here.join("mesh.yaml");
    let text = fs::read_to_string(&mesh).unwrap();
    let with = text.replacen(
        "\nkeys:\n",
        "\ngrants: { longest: 1h, actions: [\"orders:read\"], tenants: [acme] }\nkeys:\n  grants: [grant-1, grant-2]\n",
        1,
    );
    assert_ne!(text, with);
    fs::write(&mesh, with).unwrap();
    prove(&here, &[])
        .succeeds()
        .says("assumed   live grants, at most 16 at once and 3600 s long: an operator does orders:read for acme");
}

#[test]
fn a_link_counts_as_the_policy_it_makes() {
    let policy = "@id(\"own\") permit (principal == ?principal, action == Action::\"orders:read\", resource)
                  when { resource.tenant == Tenant::\"acme\" && principal.tenant.status == \"active\" };";
    let here = directory("prove-link", policy);
    let link = |user: &str| {
        let text = format!("- template_id: own\n  link_id: linked\n  args: {{ \"?principal\": 'User::\"{user}\"' }}\n");
        fs::write(here.join("policies/links.yaml"), text).unwrap();
    };
    link("acme/ann");
    prove(&here, &[]).succeeds();
    link("globex/gus");
    prove(&here, &[]).ends_with(1).says("permitted by `linked`").says("--tenant globex --subject gus --owner acme");
}

#[test]
fn a_planted_permit_of_all_is_found() {
    let here = folder("prove-planted").join("tenancy");
    copy(&sample(), &here);
    fs::remove_file(here.join("policies/wall.cedar")).unwrap();
    fs::write(here.join("policies/planted.cedar"), "@id(\"planted\") permit (principal, action, resource);").unwrap();
    prove(&here, &[])
        .ends_with(1)
        .says("FALSE    no resource of another tenant is permitted: not of 7 of 7 kinds")
        .says("FALSE    no suspended or quarantined tenant is permitted anything: not of 7 of 7 kinds")
        .says("permitted by `planted`")
        .says(&format!("partywall explain {} --tenant ", here.display()))
        .says("Not proved");
}

#[test]
fn every_action_is_permitted_by_a_permit_of_all() {
    let (told, all) = authored("prove-permit-all", "@id(\"all\") permit (principal, action, resource);");
    assert_eq!(told.len(), 14, "{told:?}");
    let first = all.iter().find(|found| found["method"] == "DELETE").unwrap();
    assert_eq!((&first["permitted_by"], &first["roles"]), (&json!(["all"]), &json!([])));
    assert_ne!(first["tenant"]["id"], first["owner"]["id"]);
    assert_eq!((&first["not_in_directory"], &first["method"]), (&json!([]), &json!("DELETE")));
    let explain = format!(
        "--tenant {} --subject someone --owner {} --service invoices DELETE /invoices/1",
        first["tenant"]["id"].as_str().unwrap(),
        first["owner"]["id"].as_str().unwrap()
    );
    assert!(first["explain"].as_str().unwrap().ends_with(&explain), "{first:#}");
}

#[test]
fn a_policy_that_forgets_the_tenant_is_found_where_it_permits() {
    let policy = "permit (principal in Role::\"viewer\", action == Action::\"orders:read\", resource)
                  when { principal.tenant.status == \"active\" && principal.tenant.tier like \"g*d\" };";
    let (told, all) = authored("prove-forgets", policy);
    assert_eq!(told, ["no_foreign orders:read"]);
    assert_eq!((&all[0]["roles"], &all[0]["tenant"]["id"]), (&json!(["viewer"]), &json!("acme")));
    assert_eq!((&all[0]["service"], &all[0]["path"]), (&json!("orders"), &json!("/orders/1")));
}

/// A consent says nothing about whose a resource is.
#[test]
fn a_policy_that_trusts_a_consent_alone_is_found_with_a_tenant_that_gave_it() {
    let policy = "permit (principal, action == Action::\"analytics:read\", resource)
                  when { resource.tenant.consents.contains(\"analytics\") && principal.tenant.status == \"active\" };";
    let (told, all) = authored("prove-consent", policy);
    assert_eq!(told, ["no_foreign analytics:read", "no_foreign analytics:read"]);
    for found in all {
        assert_eq!((&found["owner"]["id"], &found["not_in_directory"]), (&json!("acme"), &json!([])), "{found:#}");
        assert_eq!(found["owner"]["consents"], json!(["analytics"]), "{found:#}");
    }
    let walled = format!("{WALL} {policy}");
    prove(&directory("prove-consent-walled", &walled), &[]).succeeds();
    // Sets are compared, and no consent of one tenant is another's.
    let sets = "permit (principal, action == Action::\"orders:read\", resource)
                when { principal.tenant.consents == resource.tenant.consents && !principal.tenant.features.isEmpty()
                       && principal.tenant.status == \"active\" };";
    let (told, all) = authored("prove-sets", sets);
    assert_eq!(told, ["no_foreign orders:read"]);
    assert_eq!(all[0]["tenant"]["consents"], all[0]["owner"]["consents"], "{:#}", all[0]);
}

#[test]
fn a_forbid_saves_it() {
    let policy = format!("permit (principal, action, resource); {WALL}");
    assert_eq!(authored("prove-forbid", &policy).0, Vec::<String>::new());
}

#[test]
fn a_forbid_that_cannot_be_evaluated_saves_nothing() {
    // The sum is more than a Long can hold, so the forbid ends in an error for every request, and does not count.
    let policy = "permit (principal, action == Action::\"orders:read\", resource)
                  when { principal.tenant.status == \"active\" };
                  forbid (principal, action, resource)
                  when { 9223372036854775807 + 1 > 0 || principal.tenant != resource.tenant };";
    assert_eq!(authored("prove-error", policy).0, ["no_foreign orders:read"]);
}

#[test]
fn a_policy_of_one_tenant_counts_for_it_alone() {
    let policy = "@tenant(\"acme\") permit (principal, action == Action::\"orders:list\", resource)
                  when { principal.tenant.status == \"active\" };";
    let (told, all) = authored("prove-tenant", policy);
    assert_eq!(told, ["no_foreign orders:list"]);
    assert_eq!(all[0]["tenant"]["id"], "acme");
    assert_eq!(all[0]["path"], format!("/tenants/{}/orders", all[0]["owner"]["id"].as_str().unwrap()));
    let policy = "@tenant(\"acme\") permit (principal, action, resource)
                  when { resource.tenant == Tenant::\"acme\" && principal.tenant.status == \"active\" };";
    assert_eq!(authored("prove-tenant-own", policy).0, Vec::<String>::new());
}

#[test]
fn a_suspended_tenant_is_told_from_a_quarantined_one() {
    let own = "permit (principal, action == Action::\"orders:read\", resource)
               when { principal.tenant == resource.tenant && ";
    let (told, all) = authored("prove-suspended", &format!("{own} true }};"));
    assert_eq!(told, ["no_suspended orders:read"]);
    assert_ne!(all[0]["tenant"]["status"], "active");
    let (told, all) = authored("prove-quarantined", &format!("{own} principal.tenant.status != \"suspended\" }};"));
    assert_eq!(told, ["no_suspended orders:read"]);
    assert_eq!(all[0]["tenant"]["status"], "quarantined");
    let both = format!("{own} ![\"suspended\", \"quarantined\"].contains(resource.tenant.status) }};");
    assert_eq!(authored("prove-neither", &both).0, Vec::<String>::new());
}

#[test]
fn a_user_is_of_its_tenant() {
    let policy = "permit (principal == User::\"acme/ann\", action, resource)
                  when { resource.tenant == Tenant::\"acme\" && principal.tenant.status == \"active\" };";
    assert_eq!(authored("prove-user", policy).0, Vec::<String>::new());
    let policy = "permit (principal == User::\"acme/ann\", action == Action::\"orders:read\", resource)
                  when { resource.tenant == Tenant::\"globex\" && principal.tenant.status == \"active\" };";
    let (told, all) = authored("prove-user-foreign", policy);
    assert_eq!(told, ["no_foreign orders:read"]);
    assert_eq!((&all[0]["tenant"]["id"], &all[0]["subject"]), (&json!("acme"), &json!("ann")));
    assert_eq!(all[0]["owner"]["id"], "globex");
}

#[test]
fn roles_are_what_users_are_in() {
    let policy = "permit (principal in Role::\"viewer\", action == Action::\"orders:read\", resource)
                  when { principal in [Role::\"auditor\", Role::\"clerk\"] && principal.tenant.status == \"active\" };
                  forbid (principal in Role::\"clerk\", action, resource);";
    let (told, all) = authored("prove-roles", policy);
    assert_eq!((told, &all[0]["roles"]), (vec!["no_foreign orders:read".into()], &json!(["auditor", "viewer"])));
}

#[test]
fn extension_types_are_understood() {
    let policy = |hour: &str| {
        format!(
            "permit (principal, action == Action::\"orders:read\", resource)
             when {{ principal.tenant.status == \"active\"
                 && ip(\"10.1.2.3\").isInRange(ip(\"10.0.0.0/8\")) && decimal(\"1.5\").lessThan(decimal(\"1.6\"))
                 && datetime(\"2026-11-24\").offset(duration(\"{hour}\")) > datetime(\"2026-11-24T01:00:00Z\") }};"
        )
    };
    assert_eq!(authored("prove-extensions", &policy("2h")).0, ["no_foreign orders:read"]);
    assert_eq!(authored("prove-extensions-never", &policy("1h")).0, Vec::<String>::new());
}

#[test]
fn tenants_that_are_not_there_may_come() {
    let policy = "permit (principal, action == Action::\"orders:read\", resource)
                  when { principal.tenant.tier == \"platinum\" && principal.tenant.status == \"active\" };";
    let (told, all) = authored("prove-not-there", policy);
    assert_eq!(told, ["no_foreign orders:read"]);
    assert_eq!(all[0]["tenant"]["tier"], "platinum");
    assert!(!all[0]["not_in_directory"].as_array().unwrap().is_empty(), "{:#}", all[0]);
    prove(&folder_of("prove-not-there"), &[]).ends_with(1).says("; the directory has no such tenant");
}

fn folder_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).join("tenancy")
}

#[test]
fn what_nothing_permits_is_told() {
    // The workload is that of another service.
    let policy = "permit (principal, action == Action::\"orders:read\", resource)
                  when { context.service == Workload::\"spiffe://mesh.example/ns/shop/sa/invoices\" };";
    let here = directory("prove-idle", policy);
    prove(&here, &[]).succeeds().says("orders:read on Order: nothing permits it to any tenant");
    assert_eq!(prove(&here, &["--json"]).json()["never_permitted"].as_array().unwrap().len(), 7);
    fs::write(here.join("policies/only.cedar"), "").unwrap();
    prove(&here, &[]).succeeds().says("invoices:read on Invoice: nothing permits it");
}

#[test]
fn an_attribute_of_a_named_entity_is_refused() {
    for asked in [
        "Tenant::\"acme\".tier == \"gold\"",
        "(if principal in Role::\"x\" then Tenant::\"acme\" else principal.tenant).tier == \"gold\"",
        "{ of: User::\"acme/ann\" }.of.tenant == principal.tenant",
    ] {
        let policy = format!("permit (principal, action, resource)\nwhen {{ {asked} }};");
        prove(&directory("prove-named", &policy), &[])
            .ends_with(3)
            .says("only.cedar:2:8: error: asks for an attribute of an entity that is named");
    }
}

#[test]
fn two_directories_are_compared() {
    let wall = |policy: &str| format!("{WALL} {policy}");
    let old = directory(
        "prove-old",
        &wall("permit (principal in Role::\"viewer\", action == Action::\"orders:read\", resource);"),
    );
    let compare = |name: &str, policy: &str, more: &[&str]| {
        let new = directory(name, &wall(policy));
        prove(&new, &[&["--json", "--against", path(&old)], more].concat())
    };
    let changes = |report: &Value, pass: &str| -> Vec<String> {
        let all = report["changes"].as_array().unwrap().iter().filter(|c| c["policies"] == pass);
        let told = all.filter(|c| c["change"] != "equal").map(|c| format!("{} {}", c["action"], c["change"]));
        told.map(|text| text.replace('"', "")).collect()
    };
    // Said in another way.
    let same = "permit (principal, action, resource)
                when { action == Action::\"orders:read\" && [Role::\"viewer\"].contains(Role::\"viewer\") }
                unless { !(principal in Role::\"viewer\") };";
    let report = compare("prove-same", same, &[]).succeeds().json();
    assert_eq!(changes(&report, "authored"), Vec::<String>::new());

    let less = "permit (principal in Role::\"viewer\", action == Action::\"orders:read\", resource)
                when { principal.tenant.tier != \"bronze\" };";
    let report = compare("prove-less", less, &[]).ends_with(1).json();
    assert_eq!(changes(&report, "authored"), ["orders:read narrower"]);
    let (told, counterexample) = falsehoods(&report)[0];
    assert_eq!(
        (told, &counterexample["tenant"]["id"]),
        (["authored", "not_narrower", "orders:read"], &json!("initech"))
    );
    compare("prove-less", less, &["--narrower"]).succeeds();

    let more = "permit (principal, action in [Action::\"orders:read\", Action::\"orders:list\"], resource);";
    let report = compare("prove-more", more, &["--narrower"]).ends_with(1).json();
    assert_eq!(changes(&report, "authored"), ["orders:list wider", "orders:read wider"]);

    let other = "permit (principal in Role::\"clerk\", action == Action::\"orders:read\", resource);";
    let report = compare("prove-other", other, &["--narrower"]).ends_with(1).json();
    assert_eq!(changes(&report, "authored"), ["orders:read both"]);
    let new = directory("prove-other", &wall(other));
    prove(&new, &["--against", path(&old)])
        .ends_with(1)
        .says("orders:read on Order: WIDER and narrower")
        .says("--role clerk");
}

#[test]
fn only_sidecars_make_them_the_same() {
    let permit = "permit (principal, action == Action::\"orders:read\", resource);";
    let (old, new) = (directory("prove-open", permit), directory("prove-walled", &format!("{WALL} {permit}")));
    let found = new.with_file_name("found");
    let report =
        prove(&new, &["--json", "--against", path(&old), "--counterexample", path(&found)]).ends_with(1).json();
    let changed: Vec<_> = report["changes"].as_array().unwrap().iter().filter(|c| c["change"] != "equal").collect();
    assert_eq!(
        changed,
        [&json!({ "policies": "authored", "action": "orders:read", "resource": "Order", "change": "narrower" })]
    );
    assert!(found.join("old.json").exists() && !found.join("policies.json").exists());
}

#[test]
fn an_operation_that_is_gone_permits_nothing() {
    let policy = format!("{WALL} permit (principal, action, resource);");
    let (old, new) = (directory("prove-both", &policy), directory("prove-gone", &policy));
    let orders = new.join("services/orders.yaml");
    let text = fs::read_to_string(&orders).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("orders:list")).collect();
    assert_eq!(without.len() + 1, text.lines().count());
    fs::write(&orders, without.join("\n")).unwrap();
    prove(&new, &["--against", path(&old), "--narrower"]).succeeds().says("orders:list on Order: narrower");
    prove(&old, &["--against", path(&new), "--narrower"]).ends_with(1).says("orders:list on Order: WIDER");
}

#[test]
fn a_solver_that_is_missing_or_none_is_told() {
    partywall(&["prove", path(&sample()), "--cvc5", "/nowhere/cvc5"])
        .ends_with(3)
        .says("`/nowhere/cvc5` cannot be started")
        .says("help: install cvc5");
    partywall(&["prove", path(&sample()), "--cvc5", "true"]).ends_with(3).says("`true` is no cvc5");
}

/// A cvc5 that runs `script` when it is asked.
fn fake(name: &str, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder(name).join("cvc5");
    let text = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo cvc5 version 0 && exit\n{script}\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn what_the_solver_does_not_answer_is_not_proved() {
    let here = directory("prove-unanswered", "permit (principal, action == Action::\"orders:read\", resource);");
    for (name, script, told) in [
        ("prove-slow", "exec sleep 600", "no answer within 1 s"),
        ("prove-gone-away", "exit 1", "unknown"),
        ("prove-unsure", "while read -r line; do [ \"$line\" = '(check-sat)' ] && echo unknown; done", "does not know"),
    ] {
        let cvc5 = fake(name, script);
        partywall(&["prove", path(&here), "--cvc5", path(&cvc5), "--timeout", "1s"])
            .ends_with(1)
            .says("unknown  no resource of another tenant is permitted: not of 1 of 7 kinds")
            .says(told)
            .says("Not proved");
    }
}

/// What only a solver believes is not shown.
#[test]
fn a_model_that_does_not_fit_is_no_counterexample() {
    let here = directory("prove-believed", "permit (principal, action == Action::\"orders:read\", resource);");
    let cvc5 = fake(
        "prove-liar",
        "while read -r line; do case \"$line\" in '(check-sat)') echo sat;; '(get-model)') printf '(\\n)\\n';; esac; done",
    );
    let report = partywall(&["prove", path(&here), "--cvc5", path(&cvc5), "--json"]).ends_with(1).json();
    let verdicts: Vec<&Value> = report["findings"].as_array().unwrap().iter().map(|f| &f["verdict"]).collect();
    assert!(verdicts.contains(&&json!("unknown")) && !verdicts.contains(&&json!("false")), "{report:#}");
}

#[test]
fn a_broken_directory_and_a_command_line_without_sense_are_refused() {
    let here = directory("prove-broken", "permit (principal, action, resource) when { principal.nothing };");
    partywall(&["prove", path(&here)]).ends_with(3).says("only.cedar:1:").says("nothing");
    partywall(&["prove", path(&sample()), "--narrower"]).ends_with(2);
    partywall(&["prove", path(&sample()), "--timeout", "0s"]).ends_with(2).says("write it as `30s` or `5m`");
}

#[test]
fn a_counterexample_names_the_networks_that_it_takes() {
    let policies = format!(
        "@id(\"office\") permit (principal, action == Action::\"orders:read\", resource)
         when {{ context.networks.contains(\"office\") && !context.networks.contains(\"vpn\") }};
         @id(\"own\") permit (principal, action, resource) when {{ principal.tenant == resource.tenant }};
         {}",
        WALL.lines().last().unwrap()
    );
    let here = directory("prove-networks", &policies);
    let mesh = fs::read_to_string(here.join("mesh.yaml")).unwrap();
    fs::write(here.join("mesh.yaml"), mesh + "networks: { office: [10.0.0.0/8], vpn: [192.0.2.0/24] }\n").unwrap();
    let report = prove(&here, &["--json"]).ends_with(1).json();
    let all = falsehoods(&report);
    assert_eq!(all.len(), 1, "{report:#}");
    let (what, example) = all[0];
    assert_eq!((what[2], &example["networks"]), ("orders:read", &json!(["office"])), "{report:#}");
    assert!(example["explain"].as_str().unwrap().contains(" --network office "), "{report:#}");
    // Where it takes no network, none is named.
    let anywhere = "permit (principal, action, resource) when { !context.networks.contains(\"office\") };";
    fs::write(here.join("policies/only.cedar"), anywhere).unwrap();
    let report = prove(&here, &["--json"]).ends_with(1).json();
    assert!(falsehoods(&report).iter().all(|(_, example)| example["networks"] == json!([])), "{report:#}");
    // Any will do: one that the directory has is named.
    let somewhere = "permit (principal, action, resource) when { !context.networks.isEmpty() };";
    fs::write(here.join("policies/only.cedar"), somewhere).unwrap();
    let report = prove(&here, &["--json"]).ends_with(1).json();
    let named = falsehoods(&report);
    let known = |networks: &Value| [json!(["office"]), json!(["vpn"])].contains(networks);
    assert!(!named.is_empty() && named.iter().all(|(_, example)| known(&example["networks"])), "{report:#}");
}

/// A cohort of a cluster of Kafka, and a topic that its owner shares: whose those are no policy is asked.
#[test]
fn a_proof_is_under_what_tenants_see_of_each_others_topics() {
    let here = directory("prove-events", WALL);
    let topics = "[{ topic: acme-rates, shared: { topic: acme.rates, owner: acme, readers: [globex] } }]";
    let cluster = format!(
        "clusters: [{{ cluster: shop-events, spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy, region: eu, \
         identity: [token], cohorts: {{ franchise: f. }}, brokers: as_they_are, topics: {topics} }}]\n"
    );
    fs::write(here.join("events.yaml"), cluster).unwrap();
    let file = here.join("tenants/initech.yaml");
    let record = fs::read_to_string(&file).unwrap();
    fs::write(file, record + "cohort: franchise\n").unwrap();
    let report = prove(&here, &["--json"]).succeeds().json();
    assert_eq!(
        report["assumed"],
        json!([
            "the cohort franchise of shop-events: topics, groups and transactional ids are the same for initech",
            "the topic acme.rates of shop-events, which is acme's, read-only: globex may read it",
        ])
    );
}

/// A cluster lists no callers, and takes whoever shows a tenant: its proxy tells policies what the certificate says.
#[test]
fn anybody_may_be_a_client_of_kafka() {
    let by = |others: &[&str]| {
        let others = others.iter().map(|id| format!("Workload::\"{id}\"")).collect::<Vec<_>>().join(", ");
        format!(
            "permit (principal, action == Action::\"events:produce\", resource)
             when {{ principal.tenant.status == \"active\" }} unless {{ [{others}].contains(context.caller) }};"
        )
    };
    let here = directory("prove-clients", &by(&[""]));
    let cluster = |identity: &str| {
        let text = format!(
            "clusters: [{{ cluster: shop-events, spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy, region: eu, \
             identity: [{identity}], brokers: as_they_are, topics: [{{ topic: orders }}] }}]\n"
        );
        fs::write(here.join("events.yaml"), text).unwrap();
    };
    let found = || {
        let report = prove(&here, &["--json"]).ends_with(1).json();
        let all = falsehoods(&report);
        let [(what, example)] = all[..] else { panic!("{report:#}") };
        assert_eq!(what, ["authored", "no_foreign", "events:produce"]);
        let words: Vec<&str> = example["explain"].as_str().unwrap().split(' ').skip(1).collect();
        partywall(&words).succeeds().says("by policies alone");
        example["caller"].clone()
    };
    cluster("{ workloads: { \"spiffe://mesh.example/ns/shop/sa/acmes\": acme } }");
    assert_eq!(found(), "spiffe://mesh.example/ns/shop/sa/acmes");
    // Whoever it is, where nobody is known, or nobody of those who are.
    cluster("token");
    let [gateway, invoices] = ["spiffe://mesh.example/ns/edge/sa/gateway", "spiffe://mesh.example/ns/shop/sa/invoices"];
    fs::write(here.join("policies/only.cedar"), by(&["", gateway, invoices])).unwrap();
    assert_eq!(found(), "spiffe://of.no.mesh/stranger");
}
