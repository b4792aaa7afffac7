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
    assert_eq!(ran.json()["written"].as_array().unwrap().len(), 9);
    let mode = |name: &str| fs::metadata(keys.join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["bundle-1.key", "overlay-1.key", "edge.env", "invoices.env", "orders.env", "audit.keys"] {
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
        let chain = variable(workload, "PARTYWALL_AUDIT_CHAIN").unwrap();
        assert!(chain.starts_with(&workload.replace(".env", "-1:")) && read("audit.keys").lines().any(|l| l == chain));
        let signs = variable(workload, "PARTYWALL_CONTEXT_SIGNING");
        assert_eq!(signs.is_some_and(|key| key.starts_with("edge-1:")), workload == "edge.env");
        let hashes = variable(workload, "PARTYWALL_API_KEYS");
        assert_eq!(hashes.is_some_and(|key| key.starts_with("1:")), workload == "edge.env");
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
fn every_edge_hashes_alike_and_no_sidecar_does() {
    let keys = folder("keys-edges").join("keys");
    let signers = ["--signer", "edge-1=edge", "--signer", "edge-2=edge-eu", "--signer", "orders-1=orders"];
    partywall(&[&["keys", "new", path(&keys), "--sidecar", "orders"], &signers[..]].concat()).succeeds();
    let line = |file: &str| {
        let text = fs::read_to_string(keys.join(file)).unwrap();
        text.lines().find(|line| line.starts_with("PARTYWALL_API_KEYS=")).map(str::to_owned)
    };
    assert!(line("edge.env").is_some());
    assert_eq!(line("edge.env"), line("edge-eu.env"));
    assert_eq!(line("orders.env"), None, "a sidecar that signs is still no edge");
}

const API_KEY: [&str; 8] = ["keys", "api-key", "--tenant", "acme", "--principal", "export", "--expires", "90d"];

#[test]
fn an_api_key_is_shown_once_and_its_entry_reads_back() {
    let here = folder("keys-api-key");
    let (keys, tenancy) = (support::keys(&here), here.join("tenancy"));
    support::copy(&support::sample(), &tenancy);
    let env = keys.join("edge.env");
    let make = |more: &[&str]| partywall(&[&API_KEY[..], &["--env", path(&env)], more].concat());

    let ran = make(&["--role", "viewer", "--scope", "read"]).succeeds();
    let key = ran.stdout().lines().next().unwrap().to_owned();
    let parts: Vec<&str> = key.split('.').collect();
    assert_eq!((parts.len(), parts[0], parts[1].len(), parts[2].len()), (3, "pw1", 16, 43), "{key}");
    let entry = ran.stdout().lines().nth(1).unwrap();
    assert!(entry.contains(parts[1]) && !entry.contains(parts[2]), "{entry}");
    fs::write(tenancy.join("api-keys.yaml"), format!("# Ours.\napi_keys:\n{entry}\n")).unwrap();
    partywall(&["check", path(&tenancy), "--keys", path(&keys)]).succeeds();

    // Added to what is there, comments and all, in either way to indent a list.
    for start in ["# Ours.\napi_keys:\n- ", "# Ours.\napi_keys:\n  - "] {
        fs::write(tenancy.join("api-keys.yaml"), format!("{start}{}", entry.trim_start_matches("  - "))).unwrap();
        let json = make(&["--append", path(&tenancy), "--json"]).succeeds().json();
        let text = fs::read_to_string(tenancy.join("api-keys.yaml")).unwrap();
        assert!(text.starts_with("# Ours.") && text.contains(json["id"].as_str().unwrap()), "{text}");
        assert!(!text.contains(json["key"].as_str().unwrap()));
        partywall(&["check", path(&tenancy), "--keys", path(&keys)]).succeeds();
    }
    fs::remove_file(tenancy.join("api-keys.yaml")).unwrap();
    make(&["--append", path(&tenancy), "--id", "00000000000000ff"]).succeeds();
    make(&["--append", path(&tenancy), "--id", "00000000000000ff"]).ends_with(3).says("this id is there already");
    partywall(&["check", path(&tenancy), "--keys", path(&keys)]).succeeds();
}

#[test]
fn an_api_key_that_would_prove_nothing_is_not_made() {
    let here = folder("keys-api-key-wrong");
    let (keys, tenancy) = (support::keys(&here), support::sample());
    let (edge, orders) = (keys.join("edge.env"), keys.join("orders.env"));
    let make = |args: &[&str]| {
        let ran = partywall(&[&["keys", "api-key", "--principal", "export"], args].concat());
        assert!(!ran.stdout().contains("pw1."), "{}", ran.stdout());
        ran
    };
    let to = ["--expires", "90d", "--env", path(&edge)];
    make(&["--tenant", "acme", "--expires", "90d", "--env", path(&orders)]).ends_with(3).says("of the edge");
    make(&["--tenant", "acme", "--expires", "soon", "--env", path(&edge)]).ends_with(2).says("is no time");
    make(&["--tenant", "acme", "--expires", "2020-01-01T00:00:00Z", "--env", path(&edge)]).ends_with(2).says("future");
    make(&[&["--tenant", "acme", "--id", "x"], &to[..]].concat()).ends_with(2).says("16 of");
    make(&[&["--tenant", "Acme"], &to[..]].concat()).ends_with(2);
    make(&[&["--tenant", "acme", "--role", "a b"], &to[..]].concat()).ends_with(3).says("a role has no blanks");
    let append = ["--append", path(&tenancy)];
    make(&[&["--tenant", "acne"], &to[..], &append[..]].concat()).ends_with(3).says("did you mean `acme`?");
    assert!(!tenancy.join("api-keys.yaml").exists());
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
        &["keys", "api-key"],
        &["serve"],
        &["tenant"],
        &["tenant", "suspend"],
        &["tenant", "quarantine"],
        &["tenant", "resume"],
        &["revoke"],
        &["revoke", "token"],
        &["revoke", "subject"],
        &["revoke", "key"],
        &["revoke", "issuer"],
        &["revoke", "api-key"],
        &["revoke", "signer"],
        &["inspect"],
        &["prove"],
        &["diff"],
        &["replay"],
        &["review"],
        &["status"],
        &["who"],
    ] {
        let ran = partywall(&[verb, &["--help"]].concat()).succeeds();
        let example = format!("\n  partywall {}", verb.join(" "));
        assert!(ran.stdout().contains(&example), "{verb:?}: {}", ran.stdout());
        assert!(ran.stdout().lines().all(|line| line.chars().count() <= 125), "{verb:?}: {}", ran.stdout());
    }
    partywall(&[]).ends_with(2);
    partywall(&["chekc"]).ends_with(2).says("check");
}
