//! `partywall replay`: recorded decisions, made again.

mod logs;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use logs::{READ, Request, key_file, line};
use serde_json::{Value, json};
use support::{Ran, copy, folder, partywall, path, sample};

struct Change {
    folder: PathBuf,
    old: PathBuf,
    new: PathBuf,
}

/// OLD is the sample; NEW is the sample with a file more or less.
fn change(name: &str, edit: impl FnOnce(&Path)) -> Change {
    let folder = folder(name);
    let new = folder.join("new");
    copy(&sample(), &new);
    edit(&new);
    Change { folder, old: sample(), new }
}

impl Change {
    fn replay(&self, lines: &[String], more: &[&str]) -> Ran {
        let log = logs::write(&self.folder, lines);
        let key = key_file(&self.folder);
        let arguments =
            ["replay", "--log", path(&log), path(&self.old), path(&self.new), "--fingerprint-key", path(&key)];
        partywall(&[&arguments, more].concat())
    }

    fn json(&self, lines: &[String], status: i32) -> Value {
        self.replay(lines, &["--json"]).ends_with(status).json()
    }
}

fn policy(directory: &Path, text: &str) {
    fs::write(directory.join("policies/more.cedar"), text).unwrap();
}

fn in_service(directory: &Path, service: &str, from: &str, to: &str) {
    let path = directory.join(format!("services/{service}.yaml"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

const FOREIGN: Request<'static> = Request { owner: "globex", http: "GET /tenants/{tenant}/orders", id: "", ..READ };

#[test]
fn the_same_policy_decides_the_same() {
    let change = change("replay-same", |_| ());
    let lines = [
        READ.line("allow", "viewers-read"),
        Request { roles: &[], ..READ }.line("deny", "policy_denied"),
        FOREIGN.line("deny", "resource_foreign"),
        Request { owner: "acme", ..FOREIGN }.line("allow", "viewers-read"),
        // The former fingerprint key.
        line(&json!({
            "partywall": 1, "time": 5, "decision": "allow", "policy": "viewers-read", "service": "orders",
            "tenant": former(), "method": "GET", "path": "/orders/{id}", "resource": "Order", "id": "r1_0", "roles": ["viewer"],
        })),
    ];
    let found = change.json(&lines, 0);
    assert_eq!((&found["lines"], &found["replayed"]), (&json!(5), &json!(5)), "{found}");
    for list in ["flips", "same_answer", "not_reproduced", "not_replayed", "skipped"] {
        assert_eq!(found[list], json!([]), "{found}");
    }
    change.replay(&lines, &[]).ends_with(0).says("5 decided again").says("0 flip");
}

fn former() -> String {
    let former = logs::KEYS.split_once(',').unwrap().1;
    let keys = partywall_tenancy::FingerprintKeys::new(&partywall_tenancy::Secrets::parse(former).unwrap());
    keys.of(&partywall_tenancy::TenantId::parse("acme").unwrap())
}

#[test]
fn what_flips_is_told_by_tenant_and_policy() {
    let change = change("replay-flips", |new| {
        policy(
            new,
            "@id(\"not-bob\") forbid (principal == User::\"acme/bob\", action, resource);
             @id(\"not-17\") forbid (principal, action, resource == Order::\"17\") when { principal.tenant.tier == \"silver\" };
             @id(\"anybody-lists\") permit (principal, action == Action::\"orders:list\", resource);",
        );
    });
    let globex = Request { tenant: "globex", ..READ };
    let lines = [
        READ.line("allow", "viewers-read"),
        Request { subject: "ann", ..READ }.line("allow", "viewers-read"),
        globex.line("allow", "viewers-read"),
        Request { id: "18", ..globex }.line("allow", "viewers-read"),
        READ.line("allow", "viewers-read"),
        Request { subject: "ann", roles: &[], owner: "acme", ..FOREIGN }.line("deny", "policy_denied"),
    ];
    let found = change.json(&lines, 1);
    assert_eq!(found["replayed"], 6, "{found}");
    let flips: Vec<_> = found["flips"].as_array().unwrap().iter().map(short).collect();
    assert_eq!(
        flips,
        [
            ("acme", 1, "deny", "allow", "anybody-lists", 6),
            ("acme", 2, "allow", "deny", "not-bob", 1),
            ("globex", 1, "allow", "deny", "not-17", 3),
        ],
        "{found:#}"
    );
    change
        .replay(&lines, &[])
        .ends_with(1)
        .says("acme: 2 times allow by `viewers-read` -> deny policy_denied by `not-bob`");
}

fn short(flip: &Value) -> (&str, u64, &str, &str, &str, u64) {
    let text = |side: &str, name: &str| flip[side][name].as_str().unwrap();
    (
        flip["tenant"].as_str().unwrap(),
        flip["count"].as_u64().unwrap(),
        text("from", "decision"),
        text("to", "decision"),
        text("to", "policy"),
        flip["examples"][0]["line"].as_u64().unwrap(),
    )
}

#[test]
fn where_old_is_not_what_decided_the_line_is_told_and_counts_for_nothing() {
    let change = change("replay-unlike", |new| policy(new, "forbid (principal, action, resource);"));
    let found = change.json(&[READ.line("allow", "viewers-read"), READ.line("deny", "policy_denied")], 1);
    assert_eq!((&found["replayed"], found["flips"].as_array().unwrap().len()), (&json!(1), 1));
    let unlike = &found["not_reproduced"][0];
    assert_eq!((&unlike["count"], &unlike["examples"][0]["line"]), (&json!(1), &json!(2)));
    assert_eq!(
        (&unlike["expected"], &unlike["got"]),
        (&json!("deny policy_denied"), &json!("allow by `viewers-read`"))
    );
}

#[test]
fn what_cannot_be_decided_again_is_counted_with_its_reason() {
    let change = change("replay-cannot", |_| ());
    let good = READ.line("allow", "viewers-read");
    let of = |name: &str, value: Value| {
        let mut record = READ.record("allow", "viewers-read");
        record[name] = value;
        line(&record)
    };
    let early = json!({ "partywall": 1, "time": 5, "decision": "deny", "reason": "tenant_missing" });
    let unmapped = json!({ "partywall": 1, "time": 5, "decision": "deny", "reason": "resource_unmapped" });
    let lines = [
        good[..good.len() - 20].to_owned(),
        "{\"explain\":null}".to_owned(),
        "GET /orders/17 200".to_owned(),
        of("partywall", json!(2)),
        of("roles", json!("viewer")),
        line(&early),
        line(&unmapped),
        of("tenant", json!("t9_0000000000000000")),
        of("path", json!("/elsewhere")),
        "x".repeat(2 << 20),
        good.clone(),
    ];
    let found = change.json(&lines, 0);
    assert_eq!((&found["lines"], &found["replayed"]), (&json!(11), &json!(1)), "{found}");
    let whys = |list: &str, count: &str| -> Vec<(String, u64)> {
        let whys = found[list].as_array().unwrap().iter();
        whys.map(|one| (one["why"].as_str().unwrap().to_owned(), one[count].as_u64().unwrap())).collect()
    };
    let (skipped, not) = (whys("skipped", "lines"), whys("not_replayed", "count"));
    assert_eq!((skipped.len(), skipped.iter().map(|(_, n)| n).sum::<u64>()), (6, 6), "{skipped:?}");
    assert_eq!((not.len(), not.iter().map(|(_, n)| n).sum::<u64>()), (4, 4), "{not:?}");
    for why in [
        "denied before authorization (`tenant_missing`)",
        "no operation covered",
        "another fingerprint key",
        "neither has",
    ] {
        assert!(not.iter().any(|(known, _)| known.contains(why)), "{why}: {not:?}");
    }
    change.replay(&lines[..3], &[]).ends_with(1).says("0 decided again").says("cut, or broken");
}

/// What NEW asks for and OLD's log does not hold: told, and never guessed.
#[test]
fn nobody_can_tell_what_the_log_does_not_hold() {
    let list = Request { roles: &["viewer"], owner: "acme", ..FOREIGN };
    let read = READ.line("allow", "viewers-read");
    for (name, edit, lines, why) in [
        (
            "role",
            (|new| policy(new, "forbid (principal in Role::\"intern\", action, resource);")) as fn(&Path),
            vec![read.clone()],
            "it depends on role `intern`",
        ),
        (
            "owner",
            |new| {
                in_service(
                    new,
                    "orders",
                    "\"GET /orders/{id}\", action: \"orders:read\", resource: Order, id: id, owner: none",
                    "\"GET /orders/{id}\", action: \"orders:read\", resource: Order, owner: path.id",
                )
            },
            vec![read.clone()],
            "NEW reads the owner from `{id}`",
        ),
        (
            "id",
            |new| {
                in_service(
                    new,
                    "orders",
                    "resource: Order, owner: path.tenant",
                    "resource: Order, id: tenant, owner: path.tenant",
                );
            },
            vec![Request { owner: "zz9", ..FOREIGN }.line("deny", "resource_foreign")],
            "NEW reads the resource's id from `{tenant}`",
        ),
    ] {
        let change = change(&format!("replay-tell-{name}"), edit);
        let found = change.json(&lines, 1);
        assert_eq!((&found["replayed"], &found["flips"]), (&json!(0), &json!([])), "{name}: {found:#}");
        let said = found["not_replayed"][0]["why"].as_str().unwrap_or_default();
        assert!(said.contains(why), "{name}: {found:#}");
    }
    // A path that NEW writes out is another id than every unnamed one.
    let change = change("replay-tell-literal", |new| {
        let more = "  - { http: \"GET /orders/latest\", action: \"orders:latest\", resource: Order, owner: none }\n";
        let path = new.join("services/orders.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + more).unwrap();
    });
    let latest = Request { id: "latest", ..READ }.line("allow", "viewers-read");
    let found = change.json(&[read, latest, list.line("allow", "viewers-read")], 1);
    assert_eq!((&found["replayed"], found["flips"].as_array().unwrap().len()), (&json!(3), 1), "{found:#}");
    assert_eq!(found["flips"][0]["examples"][0]["line"], 2);
}

/// A grant is what the log says it was, as long as the bundle lets it be given; a policy that forbids is heard.
#[test]
fn a_grant_that_was_used_counts_again_within_what_the_bundle_lets_be_granted() {
    let ceilings = |directory: &Path| {
        let path = directory.join("mesh.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("overlay: [overlay-1]\n", "overlay: [overlay-1]\n  grants: [grant-1, grant-2]\n");
        let grants = "grants: { longest: 2h, actions: [\"orders:list\"], tenants: [globex], at_once: 2 }\n";
        fs::write(&path, text + grants).unwrap();
        fs::remove_file(directory.join("policies/wall.cedar")).unwrap();
    };
    let used = [FOREIGN.line("allow", "grant:000102030405060708090a0b0c0d0e0f")];
    let mut same = change("replay-grant-same", ceilings);
    same.old = same.new.clone();
    assert_eq!(same.json(&used, 0)["replayed"], 1);
    for (name, edit, reason) in [
        ("none", (|new| fs::remove_file(new.join("policies/wall.cedar")).unwrap()) as fn(&Path), "resource_foreign"),
        ("forbidden", |new| policy(new, "forbid (principal, action, resource == Order::\"\");"), "policy_denied"),
    ] {
        let mut change = change(&format!("replay-grant-{name}"), edit);
        change.old = same.new.clone();
        if name == "forbidden" {
            ceilings(&change.new);
        }
        let found = change.json(&used, 1);
        let flip = &found["flips"][0];
        assert_eq!((&flip["to"]["reason"], &flip["count"]), (&json!(reason), &json!(1)), "{name}: {found:#}");
    }
}

/// What was withdrawn when the request was decided counts in both, whatever the records say by now.
#[test]
fn a_consent_that_was_withdrawn_at_the_time_does_not_count() {
    let analytics = "GET /tenants/{tenant}/orders/analytics";
    let request = |tenant| Request { tenant, owner: tenant, roles: &["analyst"], http: analytics, id: "", ..READ };
    let line = |tenant, decision, why, withdrawn: &[&str]| {
        let mut record = request(tenant).record(decision, why);
        record["action"] = json!("analytics:read");
        if !withdrawn.is_empty() {
            record["withdrawn"] = json!(withdrawn);
        }
        logs::line(&record)
    };
    let given = |new: &Path| {
        let path = new.join("tenants/globex.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + "consents: [analytics, mail]\n").unwrap();
    };
    let lines = [
        line("acme", "allow", "analytics-with-consent", &[]),
        line("acme", "deny", "policy_denied", &["analytics"]),
        line("globex", "deny", "policy_denied", &[]),
        line("globex", "deny", "policy_denied", &["analytics"]),
    ];
    let found = change("replay-consent", given).json(&lines, 1);
    assert_eq!((&found["replayed"], &found["not_reproduced"]), (&json!(4), &json!([])), "{found:#}");
    let flips = found["flips"].as_array().unwrap();
    assert_eq!((flips.len(), &flips[0]["count"], &flips[0]["tenant"]), (1, &json!(1), &json!("globex")), "{found:#}");

    // Of the owner's consents likewise, where a grant lets an operator across.
    let mut granted = change("replay-consent-granted", |new| {
        let path = new.join("mesh.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("overlay: [overlay-1]\n", "overlay: [overlay-1]\n  grants: [grant-1, grant-2]\n");
        let grants = "grants: { longest: 2h, actions: [\"orders:list\"], tenants: [globex], at_once: 2 }\n";
        fs::write(&path, text + grants).unwrap();
        fs::remove_file(new.join("policies/wall.cedar")).unwrap();
        given(new);
        policy(
            new,
            "forbid (principal, action == Action::\"orders:list\", resource)
             unless { resource.tenant.consents.contains(\"mail\") };",
        );
    });
    granted.old = granted.new.clone();
    let mut record = FOREIGN.record("deny", "policy_denied");
    record["policy"] = json!("more#1");
    record["owner_withdrawn"] = json!(["mail"]);
    let used = FOREIGN.line("allow", "grant:000102030405060708090a0b0c0d0e0f");
    let found = granted.json(&[used, logs::line(&record)], 0);
    assert_eq!((&found["replayed"], &found["not_reproduced"]), (&json!(2), &json!([])), "{found:#}");
}

#[test]
fn a_key_is_asked_for_and_a_bad_one_refused() {
    let change = change("replay-keys", |_| ());
    let log = logs::write(&change.folder, &[READ.line("allow", "viewers-read")]);
    let arguments = ["replay", "--log", path(&log), path(&change.new), path(&change.new)];
    partywall(&arguments).ends_with(2).says("give --fingerprint-key FILE");
    let bad = change.folder.join("bad");
    fs::write(&bad, "nothing").unwrap();
    partywall(&[&arguments[..], &["--fingerprint-key", path(&bad)]].concat()).ends_with(3).says("key without an id");
}

/// A record says in which cell and region it was decided, and which cell serves the tenant is for OLD and NEW to say.
#[test]
fn what_was_denied_for_its_cell_is_denied_for_it_again() {
    let cells = |directory: &Path, cell: &str| {
        let edit = |file: &str, from: &str, to: &str| {
            let file = directory.join(file);
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(&file, text.replace(from, to)).unwrap();
        };
        edit("mesh.yaml", "cells: [{", "cells: [{ cell: eu-2, region: eu }, {");
        edit("profiles/gold.yaml", "# cell: eu-1", cell);
    };
    let Change { folder, new, .. } = change("replay-cells", |new| cells(new, "cell: eu-2"));
    let old = folder.join("old");
    copy(&sample(), &old);
    cells(&old, "cell: eu-1");
    let change = Change { folder, old, new };
    let in_cell = |cell: &str, region: &str, decision: &str, why: &str| {
        let mut record = READ.record(decision, why);
        record["cell"] = cell.into();
        record["region"] = region.into();
        line(&record)
    };
    let lines = [
        in_cell("eu-1", "", "allow", "viewers-read"),
        in_cell("eu-2", "", "deny", "cell_foreign"),
        in_cell("", "", "allow", "viewers-read"),
        in_cell("", "us", "deny", "residency"),
        in_cell("eu-1", "us", "deny", "residency"),
        // Not what was decided.
        in_cell("eu-2", "", "allow", "viewers-read"),
    ];
    let found = change.json(&lines, 1);
    let flips: Vec<_> = found["flips"].as_array().unwrap().iter().map(short).collect();
    assert_eq!(
        flips,
        [("acme", 1, "deny", "allow", "viewers-read", 2), ("acme", 1, "allow", "deny", "", 1)],
        "{found:#}"
    );
    assert_eq!(found["same_answer"][0]["to"]["reason"], "cell_foreign", "{found:#}");
    let unlike = &found["not_reproduced"][0];
    assert_eq!((&unlike["count"], &unlike["examples"][0]["line"]), (&json!(1), &json!(6)), "{found:#}");
}
