//! Grants: two people, two keys, one file.

mod support;

use std::fs;
use std::path::PathBuf;

use support::{Ran, copy, folder, keys, partywall, path, sample};

struct Mesh {
    here: PathBuf,
}

const CEILINGS: &str =
    "grants: { longest: 2h, actions: [\"invoices:list\", \"orders:list\"], tenants: [globex], at_once: 2 }\n";

impl Mesh {
    fn new(name: &str) -> Self {
        let here = folder(name);
        let keys = keys(&here);
        let mesh = Self { here };
        let owners = [("grant-1", "alice"), ("grant-2", "bob")];
        for (id, owner) in owners {
            partywall(&["keys", "pair", id, "--dir", path(&mesh.of(owner))]).succeeds();
        }
        for (id, owner) in owners {
            let public = fs::read(mesh.of(owner).join(format!("{id}.pub"))).unwrap();
            for folder in [keys.clone(), mesh.of("alice"), mesh.of("bob")] {
                fs::write(folder.join(format!("{id}.pub")), &public).unwrap();
            }
        }
        let tenancy = mesh.here.join("tenancy");
        copy(&sample(), &tenancy);
        let file = tenancy.join("mesh.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let text = text.replace("overlay: [overlay-1]\n", "overlay: [overlay-1]\n  grants: [grant-1, grant-2]\n");
        fs::write(file, text + CEILINGS).unwrap();
        partywall(&["compile", path(&tenancy), "--keys", path(&keys), "--out", path(&mesh.out())]).succeeds();
        mesh
    }

    fn out(&self) -> PathBuf {
        self.here.join("out")
    }

    fn of(&self, owner: &str) -> PathBuf {
        self.here.join(format!("keys-of-{owner}"))
    }

    fn grant(&self, owner: &str, tenant: &str, action: &str, lasts: &str) -> Ran {
        let (out, keys) = (self.out(), self.of(owner));
        let who = ["grant", "new", "--dir", path(&out), "--keys", path(&keys), "--operator", "acme/alice"];
        let what = ["--tenant", tenant, "--action", action, "--for", lasts, "--reason", "ticket 7", "--json"];
        partywall(&[&who[..], &what].concat())
    }

    fn approve(&self, owner: &str, more: &[&str]) -> Ran {
        partywall(&[&["approve", path(&self.out()), "--keys", path(&self.of(owner))], more].concat())
    }

    fn states(&self) -> Vec<String> {
        let list = partywall(&["grant", "list", "--dir", path(&self.out()), "--json"]).succeeds().json();
        list.as_array().unwrap().iter().map(|grant| grant["state"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_grant_waits_for_a_second_key_then_lives_until_it_is_revoked() {
    let mesh = Mesh::new("grant-life");
    let made = mesh.grant("alice", "globex", "invoices:list", "1h").succeeds().json();
    let id = made["id"].as_str().unwrap();
    assert_eq!((made["signed_by"].as_str(), mesh.states()), (Some("grant-1"), vec!["pending".to_owned()]));
    mesh.approve("alice", &[]).ends_with(3).says("signed it already");
    mesh.approve("bob", &["--dry-run"]).succeeds().says("ticket 7").says("acme/alice").says("grant-1 (2 needed)");
    assert_eq!(mesh.states(), ["pending"]);
    mesh.approve("bob", &[]).succeeds().says("grant-1, grant-2").says("published");
    assert_eq!(mesh.states(), ["live"]);
    mesh.approve("bob", &[]).ends_with(3).says("nothing waits");

    let second = mesh.grant("bob", "globex", "orders:list", "1h").succeeds().json();
    mesh.approve("alice", &[]).succeeds();
    assert_eq!(mesh.states(), ["live", "live"]);
    partywall(&["grant", "revoke", id, "--dir", path(&mesh.out())]).succeeds().says("is revoked");
    assert_eq!(mesh.states(), ["revoked", "live"]);
    let yaml = fs::read_to_string(mesh.out().join("overlay.yaml")).unwrap();
    assert!(yaml.contains(&format!("revoked_grants:\n  - \"{id}\"")), "{yaml}");
    let other = second["id"].as_str().unwrap().replace(|c: char| c.is_ascii_digit(), "a");
    partywall(&["grant", "revoke", &other, "--dir", path(&mesh.out())]).ends_with(3).says("there is no grant");
    partywall(&["grant", "list", "--dir", path(&mesh.out())]).succeeds().says("live").says("ticket 7");
}

#[test]
fn what_a_sidecar_would_refuse_is_not_made() {
    let mesh = Mesh::new("grant-wrong");
    mesh.grant("alice", "globex", "invoices:list", "3h").ends_with(3).says("grants of 7200 s at most");
    mesh.grant("alice", "globex", "invoices:read", "1h").ends_with(3).says("no grant of `invoices:read`");
    mesh.grant("alice", "initech", "invoices:list", "1h").ends_with(3).says("no grant for `initech`");
    mesh.grant("alice", "acme", "invoices:list", "1h").ends_with(3).says("their own tenant");
    mesh.grant("alice", "globx", "invoices:list", "1h").ends_with(3).says("did you mean `globex`?");
    mesh.grant("alice", "globex", "invoices:list", "soon").ends_with(2).says("is no duration");
    assert!(mesh.states().is_empty());
    // Keys of another role sign none.
    let keys = mesh.here.join("keys");
    fs::rename(mesh.of("alice"), mesh.of("nobody")).unwrap();
    fs::rename(&keys, mesh.of("alice")).unwrap();
    mesh.grant("alice", "globex", "invoices:list", "1h").ends_with(3).says("no key to sign with");
}

#[test]
fn a_grant_that_was_changed_or_signed_by_a_stranger_is_not_approved() {
    let mesh = Mesh::new("grant-forged");
    let made = mesh.grant("alice", "globex", "invoices:list", "1h").succeeds().json();
    let file = PathBuf::from(made["pending"].as_str().unwrap());
    let good = fs::read(&file).unwrap();
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&file, &changed).unwrap();
    mesh.approve("bob", &[]).ends_with(3);
    fs::write(&file, b"garbage").unwrap();
    mesh.approve("bob", &[]).ends_with(3).says("is no grant");
    fs::write(&file, &good).unwrap();
    fs::remove_file(mesh.of("bob").join("grant-1.pub")).unwrap();
    mesh.approve("bob", &[]).ends_with(3).says("no valid signature");
    assert_eq!(mesh.states(), ["pending"]);
}
