//! Candidates: compiled beside the bundle, promoted, approved, withdrawn.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Ran, copy, folder, keys, partywall, path, sample};

struct Mesh {
    tenancy: PathBuf,
    keys: PathBuf,
    out: PathBuf,
}

impl Mesh {
    /// With revision 1 in force.
    fn new(name: &str) -> Self {
        let here = folder(name);
        let mesh = Self { tenancy: here.join("tenancy"), keys: keys(&here), out: here.join("out") };
        copy(&sample(), &mesh.tenancy);
        mesh.compile(&[]).succeeds().says("revision 1");
        mesh
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.tenancy.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    fn compile(&self, more: &[&str]) -> Ran {
        let arguments = ["compile", path(&self.tenancy), "--keys", path(&self.keys), "--out", path(&self.out)];
        partywall(&[&arguments[..], more].concat())
    }

    fn promote(&self, more: &[&str]) -> Ran {
        partywall(&[&["promote", path(&self.out), "--keys", path(&self.keys)], more].concat())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.out.join(format!("tenancy.{name}"))
    }

    /// The files of the edge, by what they are.
    fn kinds(&self) -> Vec<String> {
        let names = fs::read_dir(&self.out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut kinds: Vec<String> = names.filter_map(|n| Some(n.strip_prefix("tenancy.edge.")?.to_owned())).collect();
        kinds.sort();
        kinds
    }

    fn body(&self, name: &str) -> Value {
        let ran = partywall(&["inspect", path(&self.file(name)), "--keys", path(&self.keys), "--json"]).succeeds();
        ran.json()["body"].clone()
    }

    /// Revision and rollout of the candidate, the same in all slices.
    fn tried(&self) -> (u64, Value) {
        let of = |audience: &str| {
            let body = self.body(&format!("{audience}.candidate"));
            (body["revision"].as_u64().unwrap(), body["rollout"].clone())
        };
        let all = ["edge", "workload", "events", "redaction"].map(of);
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        all[0].clone()
    }
}

fn rollout(step: u64, percent: u8, tenants: &[&str]) -> Value {
    json!({ "step": step, "percent": percent, "tenants": tenants })
}

#[test]
fn a_candidate_lies_beside_the_bundle_and_leaves_it_alone() {
    let mesh = Mesh::new("candidate-compile");
    let before = fs::read(mesh.file("edge.bundle")).unwrap();
    mesh.edit("policies/readers.cedar", "Action::\"orders:read\",\n", "");
    let ran = mesh.compile(&["--candidate", "--percent", "5", "--tenant", "initech", "--tenant", "acme"]).succeeds();
    ran.says("a candidate beside revision 1: step 1, decides for 5 % of tenants and for acme, initech")
        .says("tenancy.edge.candidate");
    assert_eq!(mesh.kinds(), ["bundle", "candidate"]);
    assert_eq!(fs::read(mesh.file("edge.bundle")).unwrap(), before);
    assert_eq!(mesh.tried(), (2, rollout(1, 5, &["acme", "initech"])));
    partywall(&["inspect", path(&mesh.file("edge.candidate")), "--keys", path(&mesh.keys)])
        .succeeds()
        .says("candidate,")
        .says("step 1, decides for 5 % of tenants and for acme, initech")
        .says("revision         2");
    // What it would change is told as of any two states.
    let diff = partywall(&["diff", path(&mesh.file("workload.bundle")), path(&mesh.file("workload.candidate"))]);
    diff.ends_with(1).says("orders:read");

    // Another one, and a bundle, have a revision of their own.
    mesh.compile(&["--candidate"]).succeeds().says("revision 3").says("step 1, decides for 0 % of tenants\n");
    assert_eq!(mesh.compile(&["--candidate", "--json"]).succeeds().json()["candidate"], rollout(1, 0, &[]));
    mesh.compile(&[]).succeeds().says("revision 5");
    assert_eq!(mesh.kinds(), ["bundle"], "it was passed");
}

#[test]
fn what_cannot_be_a_candidate_is_told() {
    let here = folder("candidate-refused");
    let keys_of = keys(&here);
    let out = here.join("out");
    let none = partywall(&["compile", path(&sample()), "--keys", path(&keys_of), "--out", path(&out), "--candidate"]);
    none.ends_with(3).says("holds no bundle that a candidate could be tried out beside");
    let mesh = Mesh::new("candidate-wrong");
    mesh.compile(&["--percent", "5"]).ends_with(2).says("--candidate");
    mesh.compile(&["--candidate", "--percent", "101"]).ends_with(2).says("101");
    mesh.compile(&["--candidate", "--tenant", "acne"]).ends_with(2).says("no tenant `acne`; did you mean `acme`?");
    mesh.compile(&["--candidate", "--revision", "1"]).ends_with(3).says("has revision 1 already");
    let fixed = ["--candidate", "--revision", "4", "--issued", "1795000000", "--expires", "1999000000"];
    mesh.compile(&fixed).succeeds();
    let bytes = fs::read(mesh.file("edge.candidate")).unwrap();
    mesh.compile(&fixed).succeeds();
    assert_eq!(fs::read(mesh.file("edge.candidate")).unwrap(), bytes, "the same input, the same bytes");
    mesh.compile(&[&fixed[..], &["--percent", "3"]].concat()).ends_with(3).says("has revision 4 already");
    assert_eq!(fs::read(mesh.file("edge.candidate")).unwrap(), bytes);
    // Whoever can write into the folder does not say which revision comes next.
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    fs::write(mesh.file("edge.candidate"), &forged).unwrap();
    mesh.compile(&[]).ends_with(3).says("no valid signature");
    mesh.promote(&["--percent", "3"]).ends_with(3).says("no valid signature");
    fs::copy(mesh.file("edge.bundle"), mesh.file("edge.candidate")).unwrap();
    mesh.promote(&["--percent", "3"]).ends_with(3);
    fs::remove_file(mesh.file("edge.candidate")).unwrap();
    mesh.promote(&["--percent", "3"]).ends_with(3).says("not of one compile");
}

#[test]
fn a_candidate_is_promoted_step_by_step_to_everybody() {
    let mesh = Mesh::new("candidate-promote");
    mesh.promote(&["--percent", "5"]).ends_with(3).says("holds no candidate");
    mesh.edit("tenants/globex.yaml", "status: active", "status: suspended");
    mesh.compile(&["--candidate"]).succeeds();
    let candidate = mesh.body("edge.candidate");
    mesh.promote(&[]).ends_with(2);
    mesh.promote(&["--all", "--percent", "5"]).ends_with(2);
    mesh.promote(&["--percent", "0"]).ends_with(2).says("nothing changes: step 1, decides for 0 %");
    mesh.promote(&["--tenant", "acne"]).ends_with(2).says("did you mean `acme`?");
    mesh.promote(&["--percent", "5", "--dry-run"]).succeeds().says("would be: step 2, decides for 5 %");
    assert_eq!(mesh.tried(), (2, rollout(1, 0, &[])));

    mesh.promote(&["--tenant", "initech"]).succeeds().says("candidate 2 beside 1: step 2");
    mesh.promote(&["--percent", "10"]).succeeds();
    mesh.promote(&["--tenant", "acme", "--percent", "50"]).succeeds();
    assert_eq!(mesh.tried(), (2, rollout(4, 50, &["acme", "initech"])));
    let promoted = mesh.body("edge.candidate");
    for part in ["revision", "issued", "expires", "source_digest", "tenants", "program"] {
        assert_eq!(promoted[part], candidate[part], "{part}");
    }
    mesh.promote(&["--percent", "20"]).succeeds();
    assert_eq!(mesh.tried().1, rollout(5, 20, &["acme", "initech"]), "the way back is a step, too");

    mesh.promote(&["--all", "--dry-run"]).succeeds().says("would be: the bundle for everybody");
    assert_eq!(mesh.body("edge.bundle")["revision"], 1);
    mesh.promote(&["--all"]).succeeds().says("revision 2: the bundle for everybody; 1 was in force");
    assert_eq!(mesh.kinds(), ["bundle"]);
    let mut wanted = candidate;
    wanted.as_object_mut().unwrap().remove("rollout");
    assert_eq!(mesh.body("edge.bundle"), wanted, "what was tried out is what is in force");
    assert!(mesh.out.join("history/2/tenancy.edge.bundle").exists());
    mesh.promote(&["--all"]).ends_with(3).says("holds no candidate");
}

#[test]
fn a_candidate_that_was_withdrawn_is_gone_and_its_revision_is_not_used_again() {
    let mesh = Mesh::new("candidate-withdraw");
    let withdraw = |more: &[&str]| partywall(&[&["promote", path(&mesh.out), "--withdraw"], more].concat());
    withdraw(&[]).ends_with(3).says("holds no candidate");
    mesh.compile(&["--candidate"]).succeeds().says("revision 2");
    mesh.promote(&["--percent", "7"]).succeeds();
    withdraw(&["--dry-run"]).succeeds().says("would be withdrawn");
    assert_eq!(mesh.kinds(), ["bundle", "candidate"]);
    withdraw(&[]).succeeds().says("is withdrawn");
    assert_eq!(mesh.kinds(), ["bundle", "withdrawn"]);
    let overlay = || fs::read_to_string(mesh.out.join("overlay.yaml")).unwrap();
    assert!(overlay().contains("withdrawn_candidates: 2\n"), "{}", overlay());
    // What is taken away afterwards leaves it there.
    partywall(&["tenant", "suspend", "acme", "--dir", path(&mesh.out)]).succeeds();
    assert!(overlay().contains("withdrawn_candidates: 2\n"), "{}", overlay());
    mesh.compile(&["--candidate"]).succeeds().says("revision 3");
    mesh.edit("tenants/globex.yaml", "status: active", "status: suspended");
    mesh.compile(&[]).succeeds().says("revision 4");
    assert_eq!(mesh.kinds(), ["bundle"]);
    mesh.compile(&["--candidate"]).succeeds().says("revision 5");
    partywall(&["rollback", "1", "--dir", path(&mesh.out), "--keys", path(&mesh.keys)]).succeeds().says("revision 6");
    assert_eq!(mesh.kinds(), ["bundle"]);
}

#[test]
fn a_candidate_needs_as_many_signatures_as_a_bundle_at_each_step() {
    let mesh = Mesh::new("candidate-approve");
    let alice = mesh.out.with_file_name("keys-of-alice");
    partywall(&["keys", "pair", "bundle-2", "--dir", path(&alice)]).succeeds();
    fs::copy(alice.join("bundle-2.pub"), mesh.keys.join("bundle-2.pub")).unwrap();
    fs::copy(mesh.keys.join("bundle-1.pub"), alice.join("bundle-1.pub")).unwrap();
    let approve =
        |keys: &Path, more: &[&str]| partywall(&[&["approve", path(&mesh.out), "--keys", path(keys)], more].concat());
    mesh.edit("mesh.yaml", "bundle: [bundle-1]", "bundle: [bundle-1, bundle-2]");
    mesh.edit("mesh.yaml", "keys:\n", "approvals: 2\nkeys:\n");

    mesh.compile(&["--candidate"]).succeeds().says("1 more signature is needed");
    assert_eq!(mesh.kinds(), ["bundle", "candidate.pending"]);
    approve(&mesh.keys, &[]).ends_with(3).says("have signed already");
    approve(&alice, &["--dry-run"]).succeeds().says("step 1, decides for 0 %").says("bundle-1 (2 needed)");
    let report = approve(&alice, &["--json"]).succeeds().json();
    assert_eq!((&report["bundle"], &report["candidate"]["published"]), (&Value::Null, &true.into()));
    assert_eq!(report["candidate"]["rollout"], rollout(1, 0, &[]));
    assert_eq!(mesh.kinds(), ["bundle", "candidate"]);

    mesh.promote(&["--percent", "10"]).succeeds().says("1 more signature is needed");
    assert_eq!(mesh.tried(), (2, rollout(1, 0, &[])), "the step before stays");
    approve(&alice, &[]).succeeds().says("step 2, decides for 10 %").says("published");
    assert_eq!(mesh.tried(), (2, rollout(2, 10, &[])));
    approve(&alice, &[]).ends_with(3).says("nothing waits for a signature");

    // A newer one waits: the older one stays at its step.
    mesh.compile(&["--candidate"]).succeeds().says("revision 3");
    mesh.promote(&["--percent", "20"]).ends_with(3).says("a newer candidate waits");
    approve(&alice, &[]).succeeds();
    assert_eq!(mesh.tried().0, 3);
    // One that was signed before the step that is there goes nowhere.
    let old = fs::read(mesh.file("edge.candidate")).unwrap();
    for audience in ["edge", "workload", "events", "redaction"] {
        let file = mesh.file(&format!("{audience}.candidate"));
        fs::copy(&file, mesh.file(&format!("{audience}.candidate.pending"))).unwrap();
    }
    approve(&alice, &[]).ends_with(3).says("no newer than the candidate");
    assert_eq!(fs::read(mesh.file("edge.candidate")).unwrap(), old);

    mesh.promote(&["--all"]).succeeds().says("1 more signature is needed");
    assert_eq!(mesh.kinds(), ["bundle", "candidate", "candidate.pending", "pending"]);
    approve(&alice, &[]).succeeds().says("published");
    assert_eq!(mesh.kinds(), ["bundle"]);
    assert_eq!(mesh.body("edge.bundle")["revision"], 3);
}
