//! Candidates: compiled beside the bundle, promoted, approved, withdrawn.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Desk, Ran, folder, keys, partywall, path, sample};

impl Desk {
    /// With revision 1 in force.
    fn in_force(name: &str) -> Self {
        let desk = Self::new(name);
        desk.compile(&[]).succeeds().says("revision 1");
        desk
    }

    fn promote(&self, more: &[&str]) -> Ran {
        partywall(&[&["promote", path(&self.out), "--keys", path(&self.keys)], more].concat())
    }

    fn withdraw(&self, more: &[&str]) -> Ran {
        partywall(&[&["promote", path(&self.out), "--withdraw"], more].concat())
    }

    fn overlay(&self) -> String {
        fs::read_to_string(self.out.join("overlay.yaml")).unwrap_or_default()
    }

    /// From now on two keys sign. Gives the keys folder of the other approver.
    fn two_approvals(&self) -> PathBuf {
        let alice = self.out.with_file_name("keys-of-alice");
        partywall(&["keys", "pair", "bundle-2", "--dir", path(&alice)]).succeeds();
        fs::copy(alice.join("bundle-2.pub"), self.keys.join("bundle-2.pub")).unwrap();
        fs::copy(self.keys.join("bundle-1.pub"), alice.join("bundle-1.pub")).unwrap();
        self.edit("mesh.yaml", "bundle: [bundle-1]", "bundle: [bundle-1, bundle-2]");
        self.edit("mesh.yaml", "keys:\n", "approvals: 2\nkeys:\n");
        alice
    }

    fn approve(&self, keys: &Path) -> Ran {
        partywall(&["approve", path(&self.out), "--keys", path(keys)])
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
    let mesh = Desk::in_force("candidate-compile");
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
    let mesh = Desk::in_force("candidate-wrong");
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
    // The last byte says that nothing is said of redaction; before it the program ends.
    let end = forged.len() - 2;
    forged[end] ^= 1;
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
    let mesh = Desk::in_force("candidate-promote");
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
    let mesh = Desk::in_force("candidate-withdraw");
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
    let mesh = Desk::in_force("candidate-approve");
    let alice = mesh.two_approvals();
    let approve =
        |keys: &Path, more: &[&str]| partywall(&[&["approve", path(&mesh.out), "--keys", path(keys)], more].concat());

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

const AUDIENCES: [&str; 4] = ["edge", "workload", "events", "redaction"];

#[test]
fn a_revision_that_waited_and_was_withdrawn_is_not_given_out_again() {
    let mesh = Desk::in_force("candidate-withdraw-pending");
    let alice = mesh.two_approvals();
    mesh.compile(&["--candidate"]).succeeds().says("revision 2");
    mesh.withdraw(&[]).succeeds();
    assert!(mesh.overlay().contains("withdrawn_candidates: 2\n"), "{}", mesh.overlay());
    mesh.compile(&["--candidate"]).succeeds().says("revision 3");
    mesh.approve(&alice).succeeds().says("published");
    mesh.compile(&["--candidate"]).succeeds().says("revision 4");
    assert_eq!(mesh.kinds(), ["bundle", "candidate", "candidate.pending", "withdrawn"]);
    mesh.withdraw(&[]).succeeds();
    assert!(mesh.overlay().contains("withdrawn_candidates: 4\n"), "{}", mesh.overlay());
    mesh.compile(&["--candidate"]).succeeds().says("revision 5");
}

#[test]
fn what_the_overlay_withdraws_is_passed_by_each_next_revision_and_goes_no_further() {
    let mesh = Desk::in_force("candidate-overlay");
    let withdrawn = |text: &str| fs::write(mesh.out.join("overlay.yaml"), text).unwrap();
    withdrawn("withdrawn_candidates: 6\n");
    mesh.compile(&["--candidate", "--revision", "6"]).ends_with(3).says("withdraws candidates up to revision 6");
    mesh.compile(&["--candidate"]).succeeds().says("revision 7");
    withdrawn("withdrawn_candidates: 8\n");
    mesh.promote(&["--percent", "5"]).ends_with(3).says("sidecars would refuse 7; compile it again");
    mesh.promote(&["--all"]).ends_with(3).says("sidecars would refuse 7");
    mesh.compile(&["--revision", "8"]).ends_with(3).says("give a higher --revision");
    mesh.compile(&[]).succeeds().says("revision 9");
    withdrawn("withdrawn_candidates: 12\n");
    partywall(&["rollback", "1", "--dir", path(&mesh.out), "--keys", path(&mesh.keys)]).succeeds().says("revision 13");

    let alice = mesh.two_approvals();
    mesh.compile(&["--candidate"]).succeeds().says("revision 14");
    withdrawn("withdrawn_candidates: 14\n");
    mesh.approve(&alice).ends_with(3).says("sidecars would refuse 14");

    // The file carries no signature, so it does not use up all the revisions there are.
    withdrawn("withdrawn_candidates: 18446744073709551614\n");
    mesh.compile(&[]).ends_with(3).says("far above 14");
    mesh.compile(&["--revision", "15"]).succeeds().says("far above 14").says("revision 15");
    let back = ["rollback", "9", "--dir", path(&mesh.out), "--keys", path(&mesh.keys)];
    partywall(&back).succeeds().says("far above 15").says("revision 16");
    // One that is broken stands in nobody's way.
    withdrawn("[");
    partywall(&back).succeeds().says("overlay.yaml:1:").says("revision 17");
    mesh.compile(&[]).succeeds().says("the last signed overlay").says("revision 18");
}

#[test]
fn what_is_withdrawn_does_not_wait_to_be_the_bundle() {
    let mesh = Desk::in_force("candidate-withdraw-all");
    let alice = mesh.two_approvals();
    mesh.compile(&["--candidate"]).succeeds();
    mesh.approve(&alice).succeeds().says("published");
    mesh.promote(&["--all"]).succeeds().says("1 more signature is needed");
    assert_eq!(mesh.kinds(), ["bundle", "candidate", "pending"]);
    mesh.withdraw(&["--dry-run"]).succeeds().says("revision 2, which waits").says("would be taken away too");
    assert_eq!(mesh.kinds(), ["bundle", "candidate", "pending"]);
    mesh.withdraw(&[]).succeeds().says("revision 2, which waits").says("is taken away too");
    assert_eq!(mesh.kinds(), ["bundle", "withdrawn"]);
    mesh.approve(&alice).ends_with(3).says("nothing waits for a signature");

    // A bundle of another revision is none of it.
    mesh.compile(&[]).succeeds().says("revision 3");
    mesh.compile(&["--candidate"]).succeeds().says("revision 4");
    let report = mesh.withdraw(&["--json"]).succeeds().json();
    assert_eq!(report, json!({ "withdrawn": true, "revision": 4, "bundle": null }));
    assert_eq!(mesh.kinds(), ["bundle", "pending", "withdrawn"]);
}

#[test]
fn a_bundle_that_waits_has_its_revision_for_itself() {
    let mesh = Desk::in_force("candidate-pending-bundle");
    let alice = mesh.two_approvals();
    mesh.compile(&[]).succeeds().says("revision 2");
    mesh.compile(&["--candidate"]).succeeds().says("revision 3");
    mesh.compile(&["--candidate", "--revision", "2"]).ends_with(3).says("has revision 3 already");
    mesh.compile(&["--revision", "3"]).ends_with(3).says("revision 3 is given out already").says("promote --all");
    let other = ["--revision", "2", "--issued", "1795000000", "--expires", "1999000000"];
    mesh.compile(&other).ends_with(3).says("give a higher --revision");
    let fixed = ["--revision", "4", "--issued", "1795000000", "--expires", "1999000000"];
    mesh.compile(&fixed).succeeds().says("1 more signature");
    let before = fs::read(mesh.file("edge.pending")).unwrap();
    mesh.compile(&fixed).succeeds();
    assert_eq!(fs::read(mesh.file("edge.pending")).unwrap(), before, "the same input, the same bytes");

    // An older candidate does not take the place of a newer bundle that waits.
    let aside = |from: &str, to: &str| {
        AUDIENCES
            .iter()
            .for_each(|a| fs::rename(mesh.file(&format!("{a}.{from}")), mesh.file(&format!("{a}.{to}"))).unwrap());
    };
    aside("pending", "aside");
    mesh.approve(&alice).succeeds().says("published");
    aside("aside", "pending");
    assert_eq!(mesh.kinds(), ["bundle", "candidate", "pending"]);
    mesh.promote(&["--all"]).ends_with(3).says("a bundle of revision 4 waits for signatures");
    assert_eq!(fs::read(mesh.file("edge.pending")).unwrap(), before);
    mesh.promote(&["--percent", "5"]).succeeds();
}

#[test]
fn a_candidate_goes_though_the_overlay_is_broken_or_nobody_can_read_it() {
    let mesh = Desk::in_force("candidate-withdraw-broken");
    mesh.compile(&["--candidate"]).succeeds().says("revision 2");
    fs::write(mesh.out.join("overlay.yaml"), "[").unwrap();
    let ran = mesh.withdraw(&[]).ends_with(3).says("overlay.yaml:1:").says("sidecars go back within some seconds");
    ran.says("write `withdrawn_candidates: 2` in it");
    assert_eq!(mesh.kinds(), ["bundle", "withdrawn"]);
    assert_eq!(mesh.overlay(), "[");
    fs::remove_file(mesh.out.join("overlay.yaml")).unwrap();

    mesh.compile(&["--candidate"]).succeeds().says("revision 3");
    for audience in AUDIENCES {
        fs::write(mesh.file(&format!("{audience}.candidate")), "garbage").unwrap();
    }
    let ran = mesh.withdraw(&[]).succeeds().says("the overlay withdraws nothing").says("within some seconds");
    ran.says("tenancy.edge.candidate` is no candidate that can be read");
    assert_eq!(mesh.kinds(), ["bundle", "withdrawn"]);
    assert_eq!(mesh.overlay(), "");
    mesh.compile(&[]).ends_with(3).says("help: take it away, or give --revision");
}
