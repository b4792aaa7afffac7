//! `partywall keys new`, and the command line as such.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::{folder, partywall, path};

const WORKLOADS: [&str; 6] = ["--signer", "edge-1=edge", "--sidecar", "invoices", "--sidecar", "orders"];

#[test]
fn a_set_of_keys_is_whole_and_private() {
    let keys = folder("keys-whole").join("keys");
    let ran = partywall(&[&["keys", "new", path(&keys), "--json"], &WORKLOADS[..]].concat()).succeeds();
    assert_eq!(ran.json()["written"].as_array().unwrap().len(), 8);
    let mode = |name: &str| fs::metadata(keys.join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["bundle-1.key", "overlay-1.key", "edge.env", "invoices.env", "orders.env"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(mode("."), 0o700);

    let read = |name: &str| fs::read_to_string(keys.join(name)).unwrap();
    let variable = |file: &str, name: &str| {
        let text = read(file);
        text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")).map(str::to_owned))
    };
    for workload in ["edge.env", "invoices.env", "orders.env"] {
        assert_eq!(variable(workload, "PARTYWALL_BUNDLE_KEYS").unwrap(), read("bundle-1.pub").trim());
        assert_eq!(variable(workload, "PARTYWALL_FINGERPRINT"), variable("edge.env", "PARTYWALL_FINGERPRINT"));
        assert!(variable(workload, "PARTYWALL_SHARED_STATE").unwrap().starts_with("1:"));
        let signs = variable(workload, "PARTYWALL_CONTEXT_SIGNING");
        assert_eq!(signs.is_some_and(|key| key.starts_with("edge-1:")), workload == "edge.env");
    }
    let states: BTreeSet<_> =
        ["edge.env", "invoices.env", "orders.env"].map(|f| variable(f, "PARTYWALL_SHARED_STATE")).into();
    assert_eq!(states.len(), 3, "each workload has a key of its own");
    assert!(!keys.join("edge-1.key").exists(), "a signer's key is in its environment file alone");
    for secret in ["bundle-1.key", "overlay-1.key", "edge.env"].map(read) {
        assert!(!ran.stdout().contains(secret.trim()), "a secret was printed");
    }
}

#[test]
fn nothing_is_ever_overwritten() {
    let keys = folder("keys-twice").join("keys");
    partywall(&[&["keys", "new", path(&keys)], &WORKLOADS[..]].concat()).succeeds();
    let before = fs::read(keys.join("bundle-1.key")).unwrap();
    partywall(&["keys", "new", path(&keys)]).ends_with(3).says("never overwritten");
    assert_eq!(fs::read(keys.join("bundle-1.key")).unwrap(), before);

    // One file in the way is enough, and then nothing else is written.
    let other = folder("keys-in-the-way");
    fs::write(other.join("orders.env"), "mine").unwrap();
    partywall(&["keys", "new", path(&other), "--sidecar", "orders"]).ends_with(3).says("orders.env");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
}

#[test]
fn names_that_would_leave_the_folder_are_usage() {
    let keys = folder("keys-names").join("keys");
    for workloads in [
        ["--sidecar", "../orders"],
        ["--sidecar", "Orders"],
        ["--signer", "edge-1"],
        ["--signer", "bundle-1=edge"],
        ["--signer", "a/b=edge"],
    ] {
        partywall(&[&["keys", "new", path(&keys)], &workloads[..]].concat()).ends_with(2);
    }
    assert!(!keys.exists());
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in [
        &["check"][..],
        &["compile"],
        &["keys"],
        &["keys", "new"],
        &["serve"],
        &["tenant"],
        &["tenant", "suspend"],
        &["tenant", "quarantine"],
        &["tenant", "resume"],
        &["revoke"],
        &["revoke", "token"],
        &["revoke", "signer"],
        &["inspect"],
    ] {
        let ran = partywall(&[verb, &["--help"]].concat()).succeeds();
        let example = format!("\n  partywall {}", verb.join(" "));
        assert!(ran.stdout().contains(&example), "{verb:?}: {}", ran.stdout());
        assert!(ran.stdout().lines().all(|line| line.chars().count() <= 125), "{verb:?}: {}", ran.stdout());
    }
    partywall(&[]).ends_with(2);
    partywall(&["chekc"]).ends_with(2).says("check");
}
