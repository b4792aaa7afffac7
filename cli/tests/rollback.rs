//! The way back: what an earlier revision said, under a higher one.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Desk, Ran, partywall, path};

impl Desk {
    fn rollback(&self, revision: &str, more: &[&str]) -> Ran {
        let arguments = ["rollback", revision, "--dir", path(&self.out), "--keys", path(&self.keys)];
        partywall(&[&arguments[..], more].concat())
    }

    fn diff(&self, old: &Path, new: &Path) -> Ran {
        partywall(&["diff", path(old), path(new)])
    }

    fn revision(&self) -> u64 {
        let shown = partywall(&["inspect", path(&self.edge()), "--json"]).succeeds().json();
        let revision = shown.pointer("/body/revision").or_else(|| shown.get("revision"));
        revision.and_then(|revision| revision.as_u64()).unwrap_or_else(|| panic!("no revision in {shown}"))
    }

    fn edge(&self) -> PathBuf {
        self.out.join("tenancy.edge.bundle")
    }
}

#[test]
fn an_old_revision_comes_back_under_a_higher_one() {
    let mesh = Desk::new("rollback");
    mesh.compile(&[]).succeeds();
    mesh.edit("tenants/globex.yaml", "status: active", "status: suspended");
    mesh.compile(&[]).succeeds().says("revision 2");
    let (first, second) = (mesh.out.join("history/1"), mesh.out.join("history/2"));
    mesh.diff(&first, &second).ends_with(1);

    let before = fs::read(mesh.edge()).unwrap();
    mesh.rollback("1", &["--dry-run"]).succeeds().says("revision 3 would be what revision 1 was; 2 was in force");
    assert_eq!(fs::read(mesh.edge()).unwrap(), before, "a dry run writes nothing");
    let ran = mesh.rollback("1", &[]).succeeds();
    ran.says("revision 3 is what revision 1 was").says("these tenants may act again: globex");
    assert_eq!(mesh.revision(), 3);
    mesh.diff(&first, &mesh.out).succeeds();
    mesh.diff(&first, &mesh.out.join("history/3")).succeeds();

    mesh.compile(&[]).succeeds().says("revision 4");
    mesh.diff(&second, &mesh.out).succeeds();
}

#[test]
fn a_key_that_was_retired_since_does_not_come_back() {
    let mesh = Desk::new("rollback-keys");
    partywall(&["keys", "pair", "bundle-2", "--dir", path(&mesh.keys)]).succeeds();
    mesh.compile(&[]).succeeds();
    mesh.edit("mesh.yaml", "bundle: [bundle-1]", "bundle: [bundle-1, bundle-2]");
    mesh.compile(&[]).succeeds();
    mesh.edit("mesh.yaml", "bundle: [bundle-1, bundle-2]", "bundle: [bundle-2]\n  retired: [bundle-1]");
    mesh.compile(&[]).succeeds().says("signed by bundle-2");
    mesh.rollback("1", &[]).succeeds().says("signed by bundle-2");
    let shown = partywall(&["inspect", path(&mesh.edge()), "--json"]).succeeds();
    let body = shown.json();
    let named = |role: &str| {
        let keys = body.pointer(&format!("/body/keys/{role}")).or_else(|| body.pointer(&format!("/keys/{role}")));
        keys.unwrap_or_else(|| panic!("no {role} in {body}")).to_string()
    };
    assert!(named("bundle").contains("bundle-2") && !named("bundle").contains("bundle-1"), "{}", named("bundle"));
    assert!(named("retired").contains("bundle-1"), "{}", named("retired"));
}

#[test]
fn what_waits_for_another_key_is_not_in_force_yet() {
    let mesh = Desk::new("rollback-approvals");
    mesh.compile(&[]).succeeds();
    mesh.edit("mesh.yaml", "bundle: [bundle-1]", "bundle: [bundle-1, bundle-2]");
    mesh.edit("mesh.yaml", "keys:\n", "approvals: 2\nkeys:\n");
    partywall(&["keys", "pair", "bundle-2", "--dir", path(&mesh.keys)]).succeeds();
    mesh.compile(&[]).succeeds().says("signed by bundle-1, bundle-2");
    let other = mesh.keys.join("bundle-2.key");
    let hidden = mesh.out.join("bundle-2.key");
    fs::rename(&other, &hidden).unwrap();
    let before = fs::read(mesh.edge()).unwrap();
    mesh.rollback("1", &[]).succeeds().says("1 more signature is needed");
    assert_eq!(fs::read(mesh.edge()).unwrap(), before);
    fs::rename(&hidden, &other).unwrap();
    fs::remove_file(mesh.keys.join("bundle-1.key")).unwrap();
    partywall(&["approve", path(&mesh.out), "--keys", path(&mesh.keys)]).succeeds().says("published");
    assert_eq!(mesh.revision(), 3);
    assert!(mesh.out.join("history/3/tenancy.edge.bundle").exists(), "what was approved can be gone back to");
}

#[test]
fn what_was_not_published_or_was_changed_since_is_refused() {
    let mesh = Desk::new("rollback-refused");
    mesh.compile(&[]).succeeds();
    mesh.edit("tenants/globex.yaml", "status: active", "status: suspended");
    mesh.compile(&[]).succeeds();
    mesh.rollback("2", &[]).ends_with(2).says("is not older than 2");
    mesh.rollback("1", &["--expires", "soon"]).ends_with(2).says("`soon` is no time");
    let kept = mesh.out.join("history/1/tenancy.edge.bundle");
    let mut bytes = fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&kept, bytes).unwrap();
    let before = fs::read(mesh.edge()).unwrap();
    mesh.rollback("1", &[]).ends_with(3).says("no valid signature");
    fs::copy(mesh.out.join("history/2/tenancy.edge.bundle"), &kept).unwrap();
    mesh.rollback("1", &[]).ends_with(3).says("is not what its name says");
    fs::remove_dir_all(mesh.out.join("history/1")).unwrap();
    mesh.rollback("1", &[]).ends_with(3).says("does not hold revision 1; it holds 2");
    assert_eq!(fs::read(mesh.edge()).unwrap(), before);
}

#[test]
fn consents_that_come_back_are_told_by_name() {
    let mesh = Desk::new("rollback-consents");
    mesh.compile(&[]).succeeds();
    let consent = |what: &str, more: &[&str]| {
        let arguments = ["consent", what, "acme", "analytics", "--tenancy", path(&mesh.tenancy)];
        partywall(&[&arguments[..], more].concat()).succeeds();
    };
    consent("withdraw", &[]);
    mesh.compile(&[]).succeeds();
    let ran = mesh.rollback("1", &["--dry-run"]).succeeds();
    ran.says("these consents count again: `analytics` of acme\n").says("partywall consent withdraw");
    let report = mesh.rollback("1", &["--json"]).succeeds().json();
    assert_eq!(report["consents_again"], serde_json::json!([{ "tenant": "acme", "consent": "analytics" }]));

    // What the overlay withdraws stays so, and nothing new comes back.
    mesh.compile(&[]).succeeds();
    fs::write(
        mesh.out.join("overlay.yaml"),
        "withdrawn_consents: [{ tenant: acme, consent: analytics }, { tenant: globex, consent: mail }]\n",
    )
    .unwrap();
    let report = mesh.rollback("1", &["--json"]).succeeds().json();
    assert_eq!(report["consents_again"], serde_json::json!([]));
}

/// Exceptions from the wall are told one by one: who went back wanted something else.
#[test]
fn what_crosses_or_comes_without_a_tenant_again_is_told() {
    let mesh = Desk::new("rollback-exceptions");
    let wall = "unless { principal.tenant == resource.tenant";
    mesh.edit("policies/wall.cedar", wall, &format!("{wall} || action == Action::\"orders:list\""));
    let share = |name: &str, more: &str| {
        let text =
            format!("share: {name}\nowner: acme\nto: [globex]\nactions: [\"orders:list\"]\nservices: [orders]\n");
        fs::create_dir_all(mesh.tenancy.join("shares")).unwrap();
        fs::write(mesh.tenancy.join(format!("shares/{name}.yaml")), text + more).unwrap();
    };
    share("gone", "");
    share("narrower", "until: 2099-01-31T00:00:00Z\n");
    share("same", "");
    let operation = "operations:\n";
    let probe =
        "  - { http: \"GET /metrics\", action: \"metrics:read\", resource: Metrics, owner: none, scope: platform }\n";
    mesh.edit("services/orders.yaml", operation, &format!("{operation}{probe}"));
    let extra = "platform:\n  - { spiffe_id: spiffe://mesh.example/ns/ops/sa/scraper, actions: [\"metrics:read\"] }\n";
    let moving = "accept_without_context: { peer: spiffe://mesh.example/ns/edge/sa/gateway, tenant: acme, until: 2099-01-01T00:00:00Z }\n";
    mesh.edit("services/orders.yaml", operation, &format!("{extra}{moving}{operation}"));
    mesh.compile(&[]).succeeds();

    let nothing = |report: &Value| {
        for list in ["active_again", "consents_again", "shares_again", "platform_again", "without_context_again"] {
            assert_eq!(report[list], json!([]), "{list}: {report:#}");
        }
    };
    // Nothing is given again that is there, or that there is more of.
    mesh.edit("shares/narrower.yaml", "until: 2099-01-31T00:00:00Z\n", "");
    mesh.compile(&[]).succeeds();
    nothing(&mesh.rollback("1", &["--dry-run", "--json"]).succeeds().json());

    fs::remove_file(mesh.tenancy.join("shares/gone.yaml")).unwrap();
    mesh.edit("shares/narrower.yaml", "services:", "until: 2098-01-31T00:00:00Z\nservices:");
    mesh.edit("services/orders.yaml", extra, "");
    mesh.edit("services/orders.yaml", "acme, until: 2099", "acme, until: 2098");
    mesh.compile(&[]).succeeds();
    let ran = mesh.rollback("1", &["--dry-run"]).succeeds();
    let ran =
        ran.says("warning: these shares count again:\n  share gone, read-only: globex may do orders:list at orders");
    let ran =
        ran.says("\n  share narrower, read-only:").says("warning: these workloads of the platform may call again:\n");
    let ran = ran.says("  spiffe://mesh.example/ns/ops/sa/scraper at orders, for metrics:read\n");
    let ran = ran.says("warning: these may call without a context again:\n");
    ran.says("  spiffe://mesh.example/ns/edge/sa/gateway at orders, for acme until 2099-01-01T00:00:00Z\n");
    let report = mesh.rollback("1", &["--json"]).succeeds().json();
    let names: Vec<_> = report["shares_again"].as_array().unwrap().iter().map(|one| one["share"].clone()).collect();
    assert_eq!(names, ["gone", "narrower"], "{report:#}");
    let scraper = "spiffe://mesh.example/ns/ops/sa/scraper";
    assert_eq!(
        report["platform_again"],
        json!([{ "service": "orders", "caller": scraper, "actions": ["metrics:read"] }])
    );
    assert_eq!(report["without_context_again"][0]["tenant"], "acme");
}

#[test]
fn what_cannot_be_verified_does_not_stand_in_the_way_back() {
    let mesh = Desk::new("rollback-unverified");
    mesh.compile(&[]).succeeds();
    mesh.edit("tenants/globex.yaml", "status: active", "status: suspended");
    mesh.compile(&[]).succeeds();
    let put = |name: &str, bytes: &[u8]| fs::write(mesh.out.join(name), bytes).unwrap();
    // By a key whose public half is not here.
    let candidate =
        ["compile", path(&mesh.tenancy), "--keys", path(&mesh.keys), "--out", path(&mesh.out), "--candidate"];
    partywall(&candidate).succeeds();
    let mut bytes = fs::read(mesh.out.join("tenancy.edge.candidate")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    put("tenancy.edge.candidate", &bytes);
    put("tenancy.workload.candidate.pending", b"garbage");
    put("tenancy.events.withdrawn", b"");
    put("tenancy.redaction.pending", b"garbage");
    let ran = mesh.rollback("1", &[]).succeeds().says("tenancy.edge.candidate`: ").says("its revision is not counted");
    let ran = ran.says("tenancy.workload.candidate.pending`: is no candidate").says("tenancy.events.withdrawn`: ");
    ran.says("tenancy.redaction.pending`: is no bundle").says("revision 4 is what revision 1 was");
    assert_eq!(mesh.revision(), 4);
}
