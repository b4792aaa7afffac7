//! A candidate beside the bundle in force, in Envoy: compared, let loose on some tenants, on all, or taken away.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use partywall_integration::access_log::Hop;
use partywall_integration::mesh::unique;
use partywall_integration::play::LIVE;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::site::{FIRST_REVISION, compile, new_keys};
use partywall_integration::variant::{Variant, copy};
use partywall_integration::{cli, wait};
use serde_json::Value;

/// Bundle and candidate are asked for every three seconds; what is gone is asked for once more.
const SOON: Duration = Duration::from_secs(15);
/// Two workers, each with a VM of its own, and the kernel picks one per connection.
const IN_A_ROW: usize = 12;
const AUDIENCES: [&str; 4] = ["edge", "workload", "events", "redaction"];
const IN_FORCE: u64 = FIRST_REVISION + 1;
const CLOSED: &str = "\n@id(\"orders-are-closed\")\nforbid (principal, action == Action::\"orders:read\", resource);\n";

struct Play(Running);

impl Play {
    fn start() -> Self {
        let variant = Variant::prepare("candidates", &["edge", "orders"]).unwrap();
        let mesh = variant.start(&[App::Orders]).unwrap();
        mesh.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
        Self(mesh)
    }

    fn tenancy(&self) -> PathBuf {
        self.0.site.directory.join("tenancy")
    }

    fn bundles(&self) -> PathBuf {
        self.0.site.bundles()
    }

    fn compile_candidate(&self, tenancy: &Path, keys: &Path, out: &Path, more: &[&str]) {
        let (tenancy, keys, out) = (cli::text(tenancy).unwrap(), cli::text(keys).unwrap(), cli::text(out).unwrap());
        let arguments = ["compile", tenancy, "--keys", keys, "--out", out, "--candidate"];
        cli::run(&[&arguments[..], more].concat()).unwrap();
    }

    fn promote(&self, how: &[&str]) {
        let (bundles, keys) = (self.bundles(), self.0.site.keys());
        let arguments = ["promote", cli::text(&bundles).unwrap(), "--keys", cli::text(&keys).unwrap()];
        cli::run(&[&arguments[..], how].concat()).unwrap();
    }

    /// A read of an order: the status, and the edge's line.
    fn order(&self, tenant: &'static str) -> (u16, Value) {
        self.ask(tenant, &format!("/orders/{}", unique()))
    }

    fn ask(&self, tenant: &'static str, path: &str) -> (u16, Value) {
        let answer = self.0.client(tenant, path).unwrap();
        let line = self.0.line(Hop::Edge, answer.header("x-request-id").unwrap()).unwrap();
        (answer.status, serde_json::from_str(line.text()).unwrap())
    }

    /// Until every worker of both Envoys answers so.
    fn settles(&self, what: &str, wanted: [(&'static str, u16); 3]) {
        let (mut in_a_row, mut last) = (0, Vec::new());
        let found = wait::until(SOON, || {
            last = wanted.iter().map(|(tenant, _)| (*tenant, self.order(tenant).0)).collect();
            in_a_row = if last == wanted { in_a_row + 1 } else { 0 };
            (in_a_row >= IN_A_ROW).then_some(())
        });
        assert!(found.is_some(), "{what}: {last:?}\n{}", self.errors());
    }

    fn errors(&self) -> String {
        self.0.envoy("edge").unwrap().errors() + &self.0.envoy("orders").unwrap().errors()
    }

    fn metric(&self, workload: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.0.envoy(workload).unwrap().metric(name, labels).unwrap()
    }

    /// Until both Envoys try this out; step 0 for nothing.
    fn tried(&self, revision: u64, step: u64) {
        let both = || {
            ["edge", "orders"].map(|workload| {
                (
                    self.metric(workload, "partywall_candidate_revision", &[]) as u64,
                    self.metric(workload, "partywall_candidate_step", &[]) as u64,
                )
            })
        };
        let found = wait::until(SOON, || (both() == [(revision, step); 2]).then_some(()));
        assert!(found.is_some(), "candidate {revision}, step {step}: {:?}\n{}", both(), self.errors());
    }

    fn publish(&self, from: &Path, extension: &str) {
        for audience in AUDIENCES {
            let served = self.bundles().join(format!("tenancy.{audience}.candidate"));
            fs::copy(from.join(format!("tenancy.{audience}.{extension}")), served.with_extension("new")).unwrap();
            fs::rename(served.with_extension("new"), served).unwrap();
        }
    }

    /// What lies in `from` is refused by both, again and again, and told once; what is tried out stays.
    fn refused(&self, from: &Path, extension: &str, reason: &str, stays: (u64, u64)) {
        // One Envoy alone may have answered so far: what is to stay must be there first.
        self.tried(stays.0, stays.1);
        let labels = [("kind", "candidate"), ("reason", reason)];
        let word = format!("candidate refused ({reason})");
        let count = |workload| self.metric(workload, "partywall_bundle_refused_total", &labels);
        let told = |workload: &str| self.0.envoy(workload).unwrap().errors().matches(&word).count();
        let (before, told_before) = (["edge", "orders"].map(count), ["edge", "orders"].map(told));
        let kept = self.0.site.directory.join("kept");
        let _ = fs::remove_dir_all(&kept);
        copy(&self.bundles(), &kept).unwrap();
        self.publish(from, extension);
        let twice = wait::until(SOON, || {
            let counted = ["edge", "orders"].map(count);
            counted.iter().zip(&before).all(|(now, then)| *now >= then + 2.0).then_some(())
        });
        assert!(twice.is_some(), "{reason}: {:?}\n{}", ["edge", "orders"].map(count), self.errors());
        assert_eq!(["edge", "orders"].map(told), told_before.map(|n| n + 1), "{reason}: {}", self.errors());
        self.tried(stays.0, stays.1);
        if kept.join("tenancy.edge.candidate").exists() {
            return self.publish(&kept, "candidate");
        }
        for audience in AUDIENCES {
            fs::remove_file(self.bundles().join(format!("tenancy.{audience}.candidate"))).unwrap();
        }
    }
}

fn told(line: &Value) -> Value {
    serde_json::from_str(line["candidate"].as_str().unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {line}"))
}

#[test]
fn a_candidate_is_compared_then_decides_for_some_then_for_all() {
    let play = Play::start();
    fs::write(
        play.tenancy().join("policies/accountants.cedar"),
        fs::read_to_string(play.tenancy().join("policies/accountants.cedar")).unwrap() + CLOSED,
    )
    .unwrap();
    let keys = play.0.site.keys();
    let (first, everybody, nobody) = (
        IN_FORCE + 1,
        [("acme", 403), ("globex", 403), ("initech", 403)],
        [("acme", 200), ("globex", 200), ("initech", 200)],
    );

    // For comparison only: answers stay as they are, and the log tells what would be otherwise.
    play.compile_candidate(&play.tenancy(), &keys, &play.bundles(), &[]);
    play.tried(first, 1);
    play.settles("in shadow", nobody);
    let (status, line) = play.order("acme");
    let difference = told(&line);
    assert_eq!(
        (status, &line["policy"], &line["revision"]),
        (200, &"viewers-read".into(), &IN_FORCE.to_string().into())
    );
    let found = |name: &str| difference[name].clone();
    assert_eq!(
        [found("decides"), found("decision"), found("reason"), found("policy"), found("revision"), found("step")],
        [
            "bundle".into(),
            "deny".into(),
            "policy_denied".into(),
            "orders-are-closed".into(),
            Value::from(first),
            1.into()
        ]
    );
    assert_eq!(
        difference["bundle"],
        serde_json::json!({ "revision": IN_FORCE, "decision": "allow", "policy": "viewers-read" })
    );
    assert_eq!([found("path"), found("action")], ["/orders/{id}".into(), Value::from("orders:read")]);
    assert_eq!(difference["tenant"], line["tenant"]);
    assert!(!difference.to_string().contains("acme"), "nobody's name: {difference}");
    // Where they agree, nothing is told.
    let (status, line) = play.ask("acme", "/tenants/acme/orders");
    assert_eq!((status, line["candidate"].as_str().unwrap_or_default()), (200, ""));
    for workload in ["edge", "orders"] {
        let count = |change, by| {
            play.metric(workload, "partywall_candidate_decisions_total", &[("change", change), ("by", by)])
        };
        assert!(count("allow_to_deny", "bundle") >= 12.0 && count("same", "bundle") >= 1.0, "{workload}");
        assert_eq!([count("deny_to_allow", "bundle"), count("allow_to_deny", "candidate")], [0.0, 0.0], "{workload}");
    }

    // By list, then by hash: 26 of 100 is the place of globex, 27 that of initech, 70 that of acme.
    play.promote(&["--tenant", "acme"]);
    play.settles("acme alone", [("acme", 403), ("globex", 200), ("initech", 200)]);
    let (_, line) = play.order("acme");
    assert_eq!((&line["policy"], &line["revision"]), (&"orders-are-closed".into(), &first.to_string().into()));
    assert_eq!(told(&line)["decides"], "candidate");
    let explained: Value = serde_json::from_str(line["explain"].as_str().unwrap()).unwrap();
    assert_eq!(explained["revision"], first);
    play.promote(&["--percent", "27"]);
    play.settles("27 %", [("acme", 403), ("globex", 403), ("initech", 200)]);
    play.promote(&["--percent", "28"]);
    play.settles("28 %", everybody);
    assert!(play.metric("edge", "partywall_candidate_decisions_total", &[("by", "candidate")]) >= 12.0);

    // What is no good leaves everything as it is.
    let elsewhere = play.0.site.directory.join("elsewhere");
    copy(&play.bundles(), &elsewhere).unwrap();
    play.refused(&elsewhere, "bundle", "wrong_kind", (first, 4));
    play.compile_candidate(&play.tenancy(), &keys, &elsewhere, &[]);
    let strangers = play.0.site.directory.join("keys-of-strangers");
    new_keys(&strangers).unwrap();
    play.0.site.issuers.write_key_sets(&strangers).unwrap();
    let out = play.0.site.directory.join("out-of-strangers");
    compile(&play.tenancy(), &strangers, &out, Some(20)).unwrap();
    play.compile_candidate(&play.tenancy(), &strangers, &out, &[]);
    play.refused(&out, "candidate", "bad_signature", (first, 4));
    let two = play.0.site.directory.join("tenancy-two");
    copy(&play.tenancy(), &two).unwrap();
    cli::run(&["keys", "pair", "bundle-2", "--dir", cli::text(&elsewhere).unwrap()]).unwrap();
    fs::copy(elsewhere.join("bundle-2.pub"), keys.join("bundle-2.pub")).unwrap();
    let mesh = fs::read_to_string(two.join("mesh.yaml")).unwrap();
    let changed = mesh.replacen("bundle: [bundle-1]", "bundle: [bundle-1, bundle-2]", 1);
    fs::write(two.join("mesh.yaml"), changed.replacen("keys:\n", "approvals: 2\nkeys:\n", 1)).unwrap();
    play.compile_candidate(&two, &keys, &elsewhere, &[]);
    play.refused(&elsewhere, "candidate.pending", "approvals", (first, 4));
    play.settles("after what was refused", everybody);

    // Taken away; and what came before it does not come back.
    let old = play.0.site.directory.join("old");
    copy(&play.bundles(), &old).unwrap();
    let kept = play.0.site.directory.join("withdrawn");
    copy(&play.bundles(), &kept).unwrap();
    let given = Instant::now();
    play.promote(&["--withdraw"]);
    // By the overlay: before the file is missed. Every worker of both Envoys has heard of it by then.
    while play.order("acme").0 != 200 {
        assert!(given.elapsed() < LIVE, "not within a second and a half");
    }
    eprintln!("withdrawn after {} ms", given.elapsed().as_millis());
    play.tried(0, 0);
    play.settles("withdrawn", nobody);
    play.refused(&kept, "candidate", "older", (0, 0));
    play.compile_candidate(&play.tenancy(), &keys, &play.bundles(), &["--tenant", "acme"]);
    play.tried(first + 1, 1);
    play.refused(&old, "candidate", "older", (first + 1, 1));

    // For everybody, and nobody whom it decided for goes back meanwhile.
    play.settles("acme alone again", [("acme", 403), ("globex", 200), ("initech", 200)]);
    play.promote(&["--all"]);
    let in_force = wait::until(SOON, || {
        assert_eq!(play.order("acme").0, 403, "not even for a moment");
        let revision = |workload| play.metric(workload, "partywall_bundle_revision", &[]) as u64;
        (["edge", "orders"].map(revision) == [first + 1; 2]).then_some(())
    });
    assert!(in_force.is_some(), "{}", play.errors());
    play.settles("for everybody", everybody);
    play.tried(0, 0);
    let refused = play.errors().matches("candidate refused").count();
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(play.errors().matches("candidate refused").count(), refused, "nothing is left to refuse");
}
