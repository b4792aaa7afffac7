//! Shares, in every verb that tells of them.

mod logs;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use logs::{READ, Request, key_file};
use serde_json::{Value, json};
use support::{copy, folder, keys, partywall, path, sample};

const SHARE: &str = "share: to-globex\nowner: acme\nto: [globex]\nactions: [\"orders:list\"]\nservices: [orders]\nuntil: 2099-01-31T00:00:00Z\n";
const WORDS: &str =
    "share to-globex, read-only: globex may do orders:list at orders for what is of acme, until 2099-01-31T00:00:00Z";

/// The sample with a wall that lets orders be listed across, and with this share or without any.
fn sharing(name: &str, share: Option<&str>) -> PathBuf {
    let directory = folder(name).join("tenancy");
    copy(&sample(), &directory);
    let wall = directory.join("policies/wall.cedar");
    let text = fs::read_to_string(&wall).unwrap();
    let from = "unless { principal.tenant == resource.tenant };";
    assert!(text.contains(from));
    let to = "unless { principal.tenant == resource.tenant || action == Action::\"orders:list\" };";
    fs::write(&wall, text.replace(from, to)).unwrap();
    if let Some(share) = share {
        fs::create_dir(directory.join("shares")).unwrap();
        fs::write(directory.join("shares/to-globex.yaml"), share).unwrap();
    }
    directory
}

fn explained(directory: &Path, tenant: &str, owner: &str, more: &[&str]) -> Value {
    let request = format!("/tenants/{owner}/orders");
    let asked = ["explain", path(directory), "--tenant", tenant, "--service", "orders", "--json", "GET", &request];
    partywall(&[&asked[..], more].concat()).json()
}

#[test]
fn explain_names_the_share_and_who_lifts_it() {
    let directory = sharing("shares-explain", Some(SHARE));
    let found = explained(&directory, "globex", "acme", &[]);
    assert_eq!((&found["decision"], &found["policy"]), (&"allow".into(), &"share:to-globex".into()));
    assert_eq!(found["facts"]["crosses"], "share:to-globex; in place of a permit");
    for (tenant, owner) in [("initech", "acme"), ("acme", "globex"), ("globex", "initech")] {
        let found = explained(&directory, tenant, owner, &[]);
        assert_eq!((&found["decision"], &found["reason"]), (&"deny".into(), &"resource_foreign".into()), "{tenant}");
    }
    // The overlay ends it, whichever of the two it names.
    let overlay = directory.parent().unwrap().join("overlay.yaml");
    for (suspended, reason) in [("acme", "resource_foreign"), ("globex", "tenant_suspended")] {
        fs::write(&overlay, format!("suspended: [{suspended}]\n")).unwrap();
        let found = explained(&directory, "globex", "acme", &["--overlay", path(&overlay)]);
        assert_eq!(found["reason"], reason);
    }
    // A policy that forbids is heard, and told.
    fs::write(directory.join("policies/more.cedar"), "@id(\"never\") forbid (principal, action, resource)\nwhen { resource.tenant == Tenant::\"acme\" && principal.tenant != resource.tenant };\n").unwrap();
    let found = explained(&directory, "globex", "acme", &[]);
    assert_eq!((&found["reason"], &found["policy"]), (&"policy_denied".into(), &"never".into()));
}

#[test]
fn a_bundle_says_who_shares_what_and_a_difference_who_gains_it() {
    let (directory, without) = (sharing("shares-diff", Some(SHARE)), sharing("shares-diff-without", None));
    let found = partywall(&["diff", path(&without), path(&directory), "--json"]).ends_with(1).json().to_string();
    assert!(found.contains(WORDS) && found.contains("\"added\""), "{found}");
    partywall(&["diff", path(&directory), path(&without)]).ends_with(1).says(WORDS);

    let folder = directory.parent().unwrap();
    let keys = keys(folder);
    let out = folder.join("served");
    partywall(&["compile", path(&directory), "--keys", path(&keys), "--out", path(&out)]).succeeds();
    for audience in ["edge", "workload"] {
        partywall(&["inspect", path(&out.join(format!("tenancy.{audience}.bundle")))]).succeeds().says(WORDS);
    }
    let events = partywall(&["inspect", path(&out.join("tenancy.events.bundle")), "--json"]).succeeds().json();
    assert_eq!(events["body"]["shares"], json!([]));
}

#[test]
fn what_was_shared_is_decided_again_by_the_shares_of_each_side() {
    let (with, without) = (sharing("shares-replay", Some(SHARE)), sharing("shares-replay-without", None));
    let ended = sharing("shares-replay-ended", Some(SHARE));
    let elsewhere = SHARE.replace("to: [globex]", "to: [initech]");
    fs::write(ended.join("shares/to-globex.yaml"), elsewhere).unwrap();
    let of_acme = Request { owner: "globex", http: "GET /tenants/{tenant}/orders", id: "", ..READ };
    // The recorded request is acme's for what is globex's.
    for directory in [&with, &ended] {
        let file = directory.join("shares/to-globex.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("owner: acme", "owner: globex").replace("to: [globex]", "to: [acme]")).unwrap();
    }
    let line = of_acme.line("allow", "share:to-globex");
    let folder = with.parent().unwrap();
    let log = logs::write(folder, &[line]);
    let key = key_file(folder);
    let replay = |old: &Path, new: &Path| {
        partywall(&["replay", "--log", path(&log), path(old), path(new), "--fingerprint-key", path(&key), "--json"])
    };
    let same = replay(&with, &with).ends_with(0).json().to_string();
    assert!(!same.contains("resource_foreign"), "{same}");
    for other in [&without, &ended] {
        let flipped = replay(&with, other).ends_with(1).json().to_string();
        assert!(flipped.contains("resource_foreign") && flipped.contains("share:to-globex"), "{flipped}");
    }
    // After its end it lets nobody across, by whichever side.
    let mut late = of_acme.record("allow", "share:to-globex");
    late["time"] = json!(4_102_444_800_u64);
    let log = logs::write(folder, &[logs::line(&late)]);
    let told = partywall(&[
        "replay",
        "--log",
        path(&log),
        path(&with),
        path(&with),
        "--fingerprint-key",
        path(&key),
        "--json",
    ]);
    let told = told.ends_with(1).json();
    assert_eq!(told["not_reproduced"][0]["got"], "deny resource_foreign", "{told}");
}

#[test]
fn a_share_that_every_policy_keeps_out_is_told() {
    let here = sharing("shares-forbidden", Some(SHARE));
    let good = partywall(&["check", path(&here)]).succeeds();
    assert!(!good.stdout().contains("lets nobody do"), "{}", good.stdout());
    fs::copy(sample().join("policies/wall.cedar"), here.join("policies/wall.cedar")).unwrap();
    partywall(&["check", path(&here)])
        .succeeds()
        .says("shares/to-globex.yaml:4:11: warning: share `to-globex` lets nobody do `orders:list`")
        .says("`own-tenant-only` forbids it: except it there");
}

/// Where permits are for what is a tenant's own, a share is all that crosses, and the proof says so.
#[test]
fn a_proof_stands_beside_the_shares_that_it_names() {
    assert!(std::env::var_os("CVC5").is_some(), "CVC5 names no solver: `cargo xtask test` fetches one and sets it");
    let here = sharing("shares-prove", Some(SHARE));
    let readers = here.join("policies/readers.cedar");
    let own = "@id(\"viewers-read\") permit (principal in Role::\"viewer\", action == Action::\"orders:list\", resource)\nwhen { principal.tenant == resource.tenant };\n";
    fs::write(&readers, own).unwrap();
    fs::remove_file(here.join("policies/accountants.cedar")).unwrap();
    partywall(&["prove", path(&here)]).succeeds().says(&format!("assumed   {WORDS}")).says("Proved, in");
    // A permit that leaves it out permits across, and that is no share's doing.
    fs::write(&readers, own.replace("when { principal.tenant == resource.tenant }", "")).unwrap();
    let ran = partywall(&["prove", path(&here)]).ends_with(1).says("FALSE");
    let ran = ran.says("`orders:list` is shared by `to-globex`: sidecars let across what that names, and no more");
    ran.says("write at `viewers-read`:\n        when { principal.tenant == resource.tenant }\n");
    // Of what is not shared, nothing of that is said.
    let shared_by = |report: &Value| -> Vec<(String, Value)> {
        let findings = report["findings"].as_array().unwrap().iter().filter(|one| one["verdict"] == "false");
        findings.map(|one| (one["action"].as_str().unwrap().to_owned(), one["shared_by"].clone())).collect()
    };
    let wall = here.join("policies/wall.cedar");
    let text = fs::read_to_string(&wall).unwrap();
    let more = text.replace("== Action::\"orders:list\"", "in [Action::\"orders:list\", Action::\"orders:read\"]");
    assert_ne!(text, more);
    fs::write(&wall, more).unwrap();
    let loose = "permit (principal in Role::\"viewer\", action in [Action::\"orders:list\", Action::\"orders:read\"], resource);";
    fs::write(&readers, loose).unwrap();
    let report = partywall(&["prove", path(&here), "--json"]).ends_with(1).json();
    let found = shared_by(&report);
    assert_eq!(
        found,
        [("orders:list".to_owned(), json!(["to-globex"])), ("orders:read".to_owned(), Value::Null)],
        "{report:#}"
    );
}

/// Of what was shared a while ago and is not any more, the log may be full.
#[test]
fn a_review_counts_what_was_used_of_shares_and_names_those_that_nobody_used() {
    let directory = sharing("shares-review", Some(SHARE));
    let other = SHARE.replace("to-globex", "to-initech").replace("globex", "initech");
    fs::write(directory.join("shares/to-initech.yaml"), other).unwrap();
    let here = directory.parent().unwrap();
    let crossed = Request { tenant: "globex", owner: "acme", http: "GET /tenants/{tenant}/orders", id: "", ..READ };
    let lines = [
        crossed.line("allow", "share:to-globex"),
        Request { time: READ.time + 60, ..crossed }.line("allow", "share:to-globex"),
        crossed.line("allow", "share:long-gone"),
        READ.line("allow", "viewers-read"),
    ];
    let log = logs::write(here, &lines);
    let until = "2026-11-18T11:10:00Z";
    let review = |more: &[&str]| {
        let asked = ["review", path(&directory), "--log", path(&log), "--days", "1", "--until", until];
        partywall(&[&asked[..], more].concat()).ends_with(1)
    };
    let found = review(&["--json"]).json();
    let shares = |list: &str| -> Vec<(String, u64)> {
        let all = found[list].as_array().unwrap().iter().filter(|one| one["kind"] == "share");
        all.map(|one| (one["name"].as_str().unwrap().to_owned(), one["times"].as_u64().unwrap())).collect()
    };
    assert_eq!(shares("used"), [("share:to-globex".to_owned(), 2)], "{found:#}");
    assert_eq!(shares("unused"), [("share:to-initech".to_owned(), 0)], "{found:#}");
    review(&[])
        .says("unused share share:to-initech: not once")
        .says("used share share:to-globex: 2 times, last 2026-11-");
}
