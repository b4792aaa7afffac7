//! Bundles that several keys must sign, as their owners do it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Ran, copy, folder, keys, partywall, path, sample};

/// A mesh whose bundles two of three keys sign. Each approver has a folder of their own.
struct Mesh {
    here: PathBuf,
    keys: PathBuf,
}

impl Mesh {
    fn new(name: &str) -> Self {
        let here = folder(name);
        let mesh = Self { keys: keys(&here), here };
        copy(&sample(), &mesh.tenancy());
        for (id, owner) in [("bundle-2", "alice"), ("bundle-3", "bob")] {
            let own = mesh.of(owner);
            partywall(&["keys", "pair", id, "--dir", path(&own)]).succeeds();
            fs::copy(own.join(format!("{id}.pub")), mesh.keys.join(format!("{id}.pub"))).unwrap();
            for other in ["bundle-1", "bundle-2"] {
                let public = format!("{other}.pub");
                if !own.join(&public).exists() {
                    fs::copy(mesh.keys.join(&public), own.join(&public)).unwrap();
                }
            }
        }
        mesh.edit("bundle: [bundle-1]", "bundle: [bundle-1, bundle-2, bundle-3]");
        mesh.edit("keys:\n", "approvals: 2\nkeys:\n");
        mesh
    }

    fn tenancy(&self) -> PathBuf {
        self.here.join("tenancy")
    }

    fn out(&self) -> PathBuf {
        self.here.join("out")
    }

    fn of(&self, owner: &str) -> PathBuf {
        self.here.join(format!("keys-of-{owner}"))
    }

    fn edit(&self, from: &str, to: &str) {
        let file = self.tenancy().join("mesh.yaml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    fn compile(&self) -> Ran {
        partywall(&["compile", path(&self.tenancy()), "--keys", path(&self.keys), "--out", path(&self.out())])
    }

    fn approve(&self, owner: &str, more: &[&str]) -> Ran {
        partywall(&[&["approve", path(&self.out()), "--keys", path(&self.of(owner))], more].concat())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.out())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("tenancy.edge"))
            .collect();
        names.sort();
        names
    }
}

#[test]
fn two_of_three_keys_publish_a_bundle() {
    let mesh = Mesh::new("approve-two");
    mesh.compile().succeeds().says("1 more signature is needed").says("tenancy.edge.pending");
    assert_eq!(mesh.names(), ["tenancy.edge.pending"], "no sidecar gets it yet");
    let before = fs::read(mesh.out().join("tenancy.edge.pending")).unwrap();
    mesh.approve("alice", &["--dry-run"]).succeeds().says("3 added, 0 removed").says("bundle-1 (2 needed)");
    assert_eq!(fs::read(mesh.out().join("tenancy.edge.pending")).unwrap(), before);

    let report = mesh.approve("alice", &["--json"]).succeeds().json();
    assert_eq!((&report["bundle"]["published"], &report["bundle"]["needed"]), (&true.into(), &2.into()));
    assert_eq!(report["bundle"]["signed_by"], serde_json::json!(["bundle-1", "bundle-2"]));
    assert_eq!(mesh.names(), ["tenancy.edge.bundle"]);
    for audience in ["edge", "workload", "events", "redaction"] {
        let file = mesh.out().join(format!("tenancy.{audience}.bundle"));
        partywall(&["inspect", path(&file), "--keys", path(&mesh.keys)]).succeeds().says("bundle-1 and bundle-2");
    }
    mesh.approve("bob", &[]).ends_with(3).says("nothing waits for a signature");

    // What changes is told against what is in force.
    fs::remove_file(mesh.tenancy().join("tenants/globex.yaml")).unwrap();
    for file in ["mesh.yaml", "services/orders.yaml", "services/invoices.yaml"] {
        let file = mesh.tenancy().join(file);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(", globex", "").replace("globex, ", "").replace("[globex]", "[acme]")).unwrap();
    }
    mesh.compile().succeeds();
    mesh.approve("bob", &[])
        .succeeds()
        .says("in force         revision 1")
        .says("0 added, 1 removed")
        .says("published");
}

#[test]
fn who_signed_already_counts_once_and_strangers_do_not_count() {
    let mesh = Mesh::new("approve-once");
    mesh.compile().succeeds();
    // The one that compiled.
    partywall(&["approve", path(&mesh.out()), "--keys", path(&mesh.keys)]).ends_with(3).says("have signed already");
    let stranger = mesh.of("mallory");
    partywall(&["keys", "pair", "bundle-9", "--dir", path(&stranger)]).succeeds();
    mesh.approve("mallory", &[]).ends_with(3).says("`bundle-1.pub` is not in");
    fs::copy(mesh.keys.join("bundle-1.pub"), stranger.join("bundle-1.pub")).unwrap();
    mesh.approve("mallory", &[]).ends_with(3).says("no key to sign with");
    // A key of her own under the id of another's.
    partywall(&["keys", "pair", "bundle-3", "--dir", path(&stranger)]).succeeds();
    mesh.approve("mallory", &[]).ends_with(3).says("have signed already");
    assert_eq!(mesh.names(), ["tenancy.edge.pending"]);

    let file = mesh.out().join("tenancy.edge.pending");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    mesh.approve("alice", &[]).ends_with(3);
    fs::remove_file(&file).unwrap();
    mesh.approve("alice", &[]).ends_with(3).says("a *.pending file is missing");
}

#[test]
fn one_key_cannot_do_away_with_the_second() {
    let mesh = Mesh::new("approve-down");
    mesh.compile().succeeds();
    mesh.approve("alice", &[]).succeeds().says("published");
    mesh.edit("approvals: 2\n", "approvals: 1\n");
    mesh.compile().succeeds().says("1 more signature is needed");
    mesh.approve("bob", &[]).succeeds().says("published");
    mesh.compile().succeeds();
    assert_eq!(mesh.names(), ["tenancy.edge.bundle"], "one is enough from now on");
}

#[test]
fn what_cannot_be_asked_for_is_told_with_its_place() {
    let mesh = Mesh::new("approve-wrong");
    let check = |mesh: &Mesh| partywall(&["check", path(&mesh.tenancy()), "--keys", path(&mesh.keys)]);
    check(&mesh).succeeds();
    mesh.edit("approvals: 2\n", "approvals: 4\n");
    check(&mesh).ends_with(3).says("`approvals` asks for 4 keys, and `keys.bundle` names 3");
    mesh.edit("approvals: 4\n", "approvals: 0\n");
    check(&mesh).ends_with(3).says("`approvals` is never `0`").says("from 1 to 16");
    mesh.edit("approvals: 0\n", "approvals: 2\ngrants: { longest: 4h, actions: [\"invoices:raed\"], tenants: all }\n");
    check(&mesh).ends_with(3).says("did you mean `invoices:read`?").says("`keys.grants` does not name two");
    mesh.edit("overlay: [overlay-1]", "overlay: [overlay-1]\n  retired: [bundle-3]");
    check(&mesh).ends_with(3).says("key `bundle-3` signs bundles already");
    let file = |name: &str| Path::new(&mesh.keys).join(name);
    partywall(&["keys", "pair", "bundle-2", "--dir", path(&mesh.keys)]).ends_with(3).says("is there already");
    assert!(!file("bundle-2.key").exists());
}

#[test]
fn clusters_of_kafka_are_among_what_changes() {
    let mesh = Mesh::new("approve-events");
    let cluster = |region: &str| {
        let text = format!(
            "clusters: [{{ cluster: shop-events, spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy, region: {region}, \
             identity: [token], brokers: as_they_are, topics: [{{ topic: '*' }}] }}]\n"
        );
        fs::write(mesh.tenancy().join("events.yaml"), text).unwrap();
    };
    cluster("eu");
    mesh.compile().succeeds();
    mesh.approve("alice", &["--dry-run"]).succeeds().says("services         3 added, 0 removed, 0 changed");
    mesh.approve("alice", &[]).succeeds().says("published");
    cluster("us");
    mesh.compile().succeeds();
    mesh.approve("alice", &["--dry-run"]).succeeds().says("services         0 added, 0 removed, 1 changed");
}
