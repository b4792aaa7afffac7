//! Bundles that two keys sign, and keys that follow each other, while the sidecars run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partywall_integration::cli;
use partywall_integration::mesh::{Mesh, Options};
use partywall_integration::site::{FIRST_REVISION, compile, tenancy};
use partywall_integration::variant::copy;
use partywall_integration::wait;

/// A bundle is asked for every three seconds.
const SOON: Duration = Duration::from_secs(10);
const AUDIENCES: [&str; 4] = ["edge", "workload", "events", "redaction"];

fn all(mesh: &Mesh, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
    let envoys = [&mesh.edge, &mesh.invoices, &mesh.orders];
    envoys.iter().map(|envoy| envoy.metric(name, labels).unwrap()).collect()
}

fn in_force(mesh: &Mesh, revision: u64) {
    let there = || all(mesh, "partywall_bundle_revision", &[]).iter().all(|n| *n == revision as f64).then_some(());
    wait::until(SOON, there).unwrap_or_else(|| panic!("revision {revision}: {}", mesh.edge.errors()));
}

/// Publishes what lies in `out`, `pending` or not, as it is: every Envoy refuses it.
fn refused(mesh: &Mesh, out: &Path, extension: &str, reason: &str) {
    let labels = [("kind", "bundle"), ("reason", reason)];
    let before = all(mesh, "partywall_bundle_refused_total", &labels);
    let revision = all(mesh, "partywall_bundle_revision", &[]);
    for audience in AUDIENCES {
        let served = mesh.site.bundles().join(format!("tenancy.{audience}.bundle"));
        fs::copy(&served, served.with_extension("good")).unwrap();
        fs::copy(out.join(format!("tenancy.{audience}.{extension}")), served.with_extension("new")).unwrap();
        fs::rename(served.with_extension("new"), served).unwrap();
    }
    let counted = || all(mesh, "partywall_bundle_refused_total", &labels);
    let more = wait::until(SOON, || counted().iter().zip(&before).all(|(now, then)| now > then).then_some(()));
    for audience in AUDIENCES {
        let served = mesh.site.bundles().join(format!("tenancy.{audience}.bundle"));
        fs::rename(served.with_extension("good"), served).unwrap();
    }
    assert!(more.is_some(), "{reason}: {:?}, before {before:?}\n{}", counted(), mesh.edge.errors());
    assert_eq!(all(mesh, "partywall_bundle_revision", &[]), revision, "the bundle in force stays");
}

/// The sample with these keys, compiled to a folder of its own with the private halves in `keys`.
fn compiled(mesh: &Mesh, name: &str, roles: &str, keys: &Path, revision: u64) -> PathBuf {
    let directory = mesh.site.directory.join(format!("tenancy-{name}"));
    copy(&tenancy(), &directory).unwrap();
    let text = fs::read_to_string(directory.join("mesh.yaml")).unwrap();
    let from = "keys:\n  bundle: [bundle-1]\n";
    assert!(text.contains(from));
    fs::write(directory.join("mesh.yaml"), text.replace(from, roles)).unwrap();
    let out = mesh.site.directory.join(format!("out-{name}"));
    compile(&directory, keys, &out, Some(revision)).unwrap();
    out
}

/// Puts what was compiled where it is served, as `partywall compile` would.
fn publish(mesh: &Mesh, out: &Path) {
    for audience in AUDIENCES {
        let name = format!("tenancy.{audience}.bundle");
        let beside = mesh.site.bundles().join(format!("{name}.new"));
        fs::copy(out.join(&name), &beside).unwrap();
        fs::rename(beside, mesh.site.bundles().join(name)).unwrap();
    }
}

fn approve(out: &Path, keys: &Path) {
    cli::run(&["approve", cli::text(out).unwrap(), "--keys", cli::text(keys).unwrap()]).unwrap();
}

#[test]
fn two_keys_sign_where_two_must_and_a_retired_key_signs_nothing() {
    let mesh = Mesh::start(&Options::named("approvals")).unwrap();
    let keys = mesh.site.keys();
    // Alice has a key of her own, and everybody's public halves.
    let alice = mesh.site.directory.join("keys-of-alice");
    cli::run(&["keys", "pair", "bundle-2", "--dir", cli::text(&alice).unwrap()]).unwrap();
    fs::copy(alice.join("bundle-2.pub"), keys.join("bundle-2.pub")).unwrap();
    fs::copy(keys.join("bundle-1.pub"), alice.join("bundle-1.pub")).unwrap();

    let both = "keys:\n  bundle: [bundle-1, bundle-2]\n";
    publish(&mesh, &compiled(&mesh, "names", both, &keys, FIRST_REVISION + 1));
    in_force(&mesh, FIRST_REVISION + 1);

    let two = format!("approvals: 2\n{both}");
    let out = compiled(&mesh, "two", &two, &keys, FIRST_REVISION + 2);
    refused(&mesh, &out, "pending", "approvals");
    approve(&out, &alice);
    publish(&mesh, &out);
    in_force(&mesh, FIRST_REVISION + 2);
    // One key alone does not do away with the second.
    let out = compiled(&mesh, "down", both, &keys, FIRST_REVISION + 3);
    refused(&mesh, &out, "bundle", "approvals");

    // bundle-1 is lost: a last time both sign, and it is retired.
    let retired = "keys:\n  bundle: [bundle-2]\n  retired: [bundle-1]\n";
    let out = compiled(&mesh, "one", both, &keys, FIRST_REVISION + 3);
    for audience in AUDIENCES {
        fs::rename(out.join(format!("tenancy.{audience}.bundle")), out.join(format!("tenancy.{audience}.pending")))
            .unwrap();
    }
    approve(&out, &alice);
    publish(&mesh, &out);
    in_force(&mesh, FIRST_REVISION + 3);
    for public in ["overlay-1.pub", "edge-1.pub"] {
        fs::copy(keys.join(public), alice.join(public)).unwrap();
    }
    mesh.site.issuers.write_key_sets(&alice).unwrap();
    publish(&mesh, &compiled(&mesh, "retired", retired, &alice, FIRST_REVISION + 4));
    in_force(&mesh, FIRST_REVISION + 4);
    // Every sidecar's configuration still names it.
    let out = compiled(&mesh, "stolen", "keys:\n  bundle: [bundle-1]\n", &keys, FIRST_REVISION + 5);
    refused(&mesh, &out, "bundle", "bad_signature");
}
