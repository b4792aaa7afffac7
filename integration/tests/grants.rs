//! An operator of one tenant looks at another's, by a grant that two people signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::audit;
use partywall_integration::certificates::Workload;
use partywall_integration::cli;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::play::LIVE;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::variant::Variant;
use partywall_integration::wait;
use serde_json::Value;

const GRANTS: &str = "grants: { longest: 4h, actions: [\"invoices:list\"], tenants: [globex, initech], at_once: 8 }\n";
const AT_HOME: &str = "@id(\"never-in-initech\")\nforbid (principal, action == Action::\"invoices:list\", resource)\n\
                       when { resource.tenant == Tenant::\"initech\" && principal.tenant != resource.tenant };\n";
/// Grants are asked for each second.
const SOON: Duration = Duration::from_secs(5);

struct Play {
    mesh: Running,
    alice: PathBuf,
    bob: PathBuf,
}

impl Play {
    fn start() -> Self {
        let mut variant = Variant::prepare("grants", &["edge", "invoices"]).unwrap();
        let keys = variant.site.keys();
        let of = |owner: &str| variant.site.directory.join(format!("keys-of-{owner}"));
        let (alice, bob) = (of("alice"), of("bob"));
        for (id, owner) in [("grant-1", &alice), ("grant-2", &bob)] {
            cli::run(&["keys", "pair", id, "--dir", cli::text(owner).unwrap()]).unwrap();
            fs::copy(owner.join(format!("{id}.pub")), keys.join(format!("{id}.pub"))).unwrap();
        }
        fs::copy(keys.join("grant-1.pub"), bob.join("grant-1.pub")).unwrap();
        let named = "overlay: [overlay-1]\n  grants: [grant-1, grant-2]\n";
        variant.replace("mesh.yaml", "overlay: [overlay-1]\n", named).unwrap();
        variant.append("mesh.yaml", GRANTS).unwrap();
        variant.append("policies/at-home.cedar", AT_HOME).unwrap();
        // The sample's own wall forbids, and no grant is heard over that: it leaves out what may be granted.
        let wall = "unless { principal.tenant == resource.tenant };";
        let leave = "unless { principal.tenant == resource.tenant || action == Action::\"invoices:list\" };";
        variant.replace("policies/wall.cedar", wall, leave).unwrap();
        for workload in ["edge", "invoices"] {
            let from = "overlay_path: /tenancy.overlay }";
            variant.envoy(workload, from, "overlay_path: /tenancy.overlay, grants_path: /tenancy.grants }").unwrap();
            // Each use of one is told, however few allows are.
            audit::keep_allows(&mut variant, workload, 0.0).unwrap();
        }
        let mesh = variant.start(&[App::Invoices]).unwrap();
        mesh.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound]).unwrap();
        Self { mesh, alice, bob }
    }

    /// A request for another tenant's invoices by one who works for acme: the status, and what the edge logged.
    fn ask(&self, token: &partywall_integration::issuers::Token, tenant: &str) -> (u16, String, String) {
        let bearer = self.mesh.site.issuers.token(token, &unique()).unwrap();
        let request = Request::get(&format!("/tenants/{tenant}/invoices"))
            .header("host", "acme.shop.example")
            .header("authorization", format!("Bearer {bearer}"));
        let answer = self.mesh.send(Hop::Edge, Workload::Edge, &request).unwrap();
        let line = self.mesh.line(Hop::Edge, answer.header("x-request-id").unwrap()).unwrap();
        (answer.status, line.field("reason"), line.field("policy"))
    }

    fn operator(&self, tenant: &str) -> (u16, String, String) {
        self.ask(&viewer(Acme, "acme"), tenant)
    }

    fn new_grant(&self, tenant: &str, lasts: &str) -> (String, PathBuf) {
        let (bundles, operator) = (self.mesh.site.bundles(), format!("acme/{}", viewer(Acme, "acme").subject));
        let (dir, keys) = (cli::text(&bundles).unwrap(), cli::text(&self.alice).unwrap());
        let who = ["grant", "new", "--dir", dir, "--keys", keys, "--operator", &operator, "--tenant", tenant];
        let what = ["--action", "invoices:list", "--for", lasts, "--reason", "ticket 7", "--json"];
        let made: Value = serde_json::from_str(&cli::run(&[&who[..], &what].concat()).unwrap()).unwrap();
        (made["id"].as_str().unwrap().into(), made["pending"].as_str().unwrap().into())
    }

    fn approve(&self) {
        let bundles = self.mesh.site.bundles();
        cli::run(&["approve", cli::text(&bundles).unwrap(), "--keys", cli::text(&self.bob).unwrap()]).unwrap();
    }

    fn until(&self, limit: Duration, what: &str, wanted: impl Fn(&(u16, String, String)) -> bool) {
        let mut last = None;
        let found = wait::until(limit, || {
            let told = self.operator("globex");
            let good = wanted(&told);
            last = Some(told);
            good.then_some(())
        });
        assert!(found.is_some(), "{what}: {last:?}\n{}", self.mesh.envoy("edge").unwrap().errors());
    }

    fn refused(&self, reason: &str) -> f64 {
        let labels = [("kind", "grants"), ("reason", reason)];
        self.mesh.envoy("edge").unwrap().metric("partywall_bundle_refused_total", &labels).unwrap()
    }
}

fn foreign(told: &(u16, String, String)) -> bool {
    (told.0, told.1.as_str()) == (404, "resource_foreign")
}

fn serve(folder: &Path, statements: &[Vec<u8>]) {
    let lengths = |s: &Vec<u8>| [&u32::try_from(s.len()).unwrap().to_le_bytes()[..], s].concat();
    let file: Vec<u8> = statements.iter().flat_map(lengths).collect();
    fs::write(folder.join("grants.new"), file).unwrap();
    fs::rename(folder.join("grants.new"), folder.join("tenancy.grants")).unwrap();
}

#[test]
fn an_operator_crosses_by_a_grant_of_two_until_it_ends_or_is_revoked() {
    let play = Play::start();
    let bundles = play.mesh.site.bundles();
    assert!(foreign(&play.operator("globex")));

    // Signed by one, it is none.
    let (id, pending) = play.new_grant("globex", "1h");
    serve(&bundles, &[fs::read(&pending).unwrap()]);
    wait::until(SOON, || (play.refused("approvals") > 0.0).then_some(())).expect("refused");
    assert!(foreign(&play.operator("globex")));
    fs::remove_file(bundles.join("tenancy.grants")).unwrap();

    play.approve();
    play.until(SOON, "granted", |told| told.0 == 200 && told.2 == format!("grant:{id}"));
    let used = play.mesh.envoy("invoices").unwrap().metric("partywall_authorization_grants_used_total", &[]).unwrap();
    assert!(used >= 1.0, "the sidecar of the service decides for itself");
    // Nobody else, and nowhere else.
    assert!(foreign(&play.ask(&accountant(Acme, "acme"), "globex")));
    assert!(foreign(&play.operator("initech")));
    // Every worker.
    thread::sleep(Duration::from_millis(1300));
    for _ in 0..10 {
        assert_eq!(play.operator("globex").0, 200);
    }

    cli::run(&["grant", "revoke", &id, "--dir", cli::text(&bundles).unwrap()]).unwrap();
    play.until(LIVE, "revoked", foreign);

    // A policy that forbids is heard all the same; resource.tenant is the owner.
    play.new_grant("initech", "1h");
    play.new_grant("globex", "8s");
    play.approve();
    play.until(SOON, "granted for 8 s", |told| told.0 == 200);
    let forbidden = wait::until(SOON, || Some(play.operator("initech")).filter(|told| !foreign(told)));
    assert_eq!(forbidden, Some((403, "policy_denied".into(), "never-in-initech".into())));
    play.until(Duration::from_secs(10), "over", foreign);
    fs::write(bundles.join("tenancy.grants"), b"garbage").unwrap();
    wait::until(SOON, || (play.refused("garbage") > 0.0).then_some(())).expect("refused");
    assert_eq!(play.mesh.client("acme", "/tenants/acme/invoices").unwrap().status, 200);
}
