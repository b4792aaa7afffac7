//! A tenant's consent is withdrawn under traffic: both sidecars deny what asked for it, and nothing else changes.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use partywall_integration::access_log::{Hop, Line};
use partywall_integration::certificates::Workload;
use partywall_integration::cli;
use partywall_integration::issuers::Provider::Shared;
use partywall_integration::issuers::{Token, accountant, analyst};
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::play::LIVE;
use partywall_integration::raw::{Request, Response};
use partywall_integration::services::{App, headers};
use partywall_integration::site::{FIRST_REVISION, compile, tenancy};
use partywall_integration::variant::copy;
use partywall_integration::wait;
use serde_json::json;

/// A bundle is asked for every three seconds.
const BUNDLE: Duration = Duration::from_secs(10);

/// What one tenant's analyst asks both sidecars for, with a root that was minted before.
struct Asking<'m> {
    mesh: &'m Mesh,
    tenant: &'static str,
    root: String,
}

impl Asking<'_> {
    fn of<'m>(mesh: &'m Mesh, tenant: &'static str, token: &Token) -> Asking<'m> {
        Asking { mesh, tenant, root: root(mesh, tenant, token) }
    }

    fn ask(&self, hop: Hop) -> Response {
        let (workload, what) = match hop {
            Hop::OrdersInbound => (Workload::Invoices, "orders"),
            _ => (Workload::Edge, "invoices"),
        };
        let path = format!("/tenants/{}/{what}/analytics", self.tenant);
        let request = Request::get(&path).header("host", "any").header("x-partywall-context", self.root.as_str());
        self.mesh.send(hop, workload, &request).unwrap()
    }

    fn both(&self) -> [u16; 2] {
        HOPS.map(|hop| self.ask(hop).status)
    }

    /// Waits until every worker of both sidecars lets it through: many times in a row, and not once denied.
    fn let_in(&self) -> Option<()> {
        wait::until(BUNDLE, || (0..20).all(|_| self.both() == [200, 200]).then_some(()))
    }
}

const HOPS: [Hop; 2] = [Hop::InvoicesInbound, Hop::OrdersInbound];

/// The root context that the edge signed for this token: an invoice would lead to `orders`, an analyst's figures do not.
///
/// Asked for until it comes, since a new bundle is in force at one worker and one sidecar before another.
fn root(mesh: &Mesh, tenant: &'static str, token: &Token) -> String {
    let came = wait::until(BUNDLE, || {
        let mark = unique();
        let path = format!("/tenants/{tenant}/orders/analytics?{mark}");
        let answer = mesh.ask(&mesh.client("GET", tenant, &path, token).unwrap()).unwrap();
        (answer.status == 200).then_some(mark)
    });
    let mark = came.unwrap_or_else(|| panic!("no root for {tenant}: {}", mesh.edge.errors()));
    let seen = mesh.seen_of(App::Orders, &mark).unwrap();
    headers(&seen[0], "x-partywall-context").remove(0)
}

fn publish(mesh: &Mesh, tenancy: &Path, revision: u64) {
    compile(tenancy, &mesh.site.keys(), &mesh.site.bundles(), Some(revision)).unwrap();
}

fn consent(mesh: &Mesh, tenancy: &Path, what: &str) -> Instant {
    let (given, bundles) = (Instant::now(), mesh.site.bundles());
    let (dir, tenancy) = (cli::text(&bundles).unwrap(), cli::text(tenancy).unwrap());
    cli::run(&["consent", what, "acme", "analytics", "--tenancy", tenancy, "--dir", dir]).unwrap();
    given
}

/// What the log says of decisions of `orders` can be decided again, and comes out the same.
fn replayed(mesh: &Mesh, revision: u64) -> u64 {
    let log = mesh.site.directory.join("consents.log");
    let of = |line: &Line| line.field("explain").contains(&format!("\"revision\":{revision},"));
    let lines: Vec<String> = mesh.lines().iter().filter(|line| of(line)).map(|line| line.text().to_owned()).collect();
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    let (bundles, key) = (mesh.site.bundles(), mesh.site.keys().join("edge.env"));
    let [log, bundles, key] = [&log, &bundles, &key].map(|path| cli::text(path).unwrap());
    let found = cli::run(&["replay", "--log", log, bundles, bundles, "--fingerprint-key", key, "--json"]).unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["not_reproduced"], json!([]), "{found:#}");
    found["replayed"].as_u64().unwrap()
}

fn logged(mesh: &Mesh, decision: &str, holds: &str) {
    let wanted = |line: &Line| {
        let analytics = line.field("explain").contains("\"action\":\"analytics:read\"");
        line.hop == Hop::OrdersInbound && line.field("decision") == decision && analytics
    };
    mesh.line(|line| wanted(line) && line.field("explain").contains(holds)).expect(holds);
}

#[test]
fn a_consent_that_is_withdrawn_no_longer_counts_anywhere_until_a_bundle_gives_it_again() {
    let mesh = Mesh::start(&Options::named("consents")).unwrap();
    let directory = mesh.site.directory.join("tenancy");
    copy(&tenancy(), &directory).unwrap();
    let globex = directory.join("tenants/globex.yaml");
    fs::write(&globex, fs::read_to_string(&globex).unwrap() + "consents: [analytics]\n").unwrap();
    publish(&mesh, &directory, FIRST_REVISION + 1);
    let acme = Asking::of(&mesh, "acme", &analyst(Shared, "acme"));
    let others = Asking::of(&mesh, "globex", &analyst(Shared, "globex"));
    others.let_in().expect("the new bundle at both sidecars");
    acme.let_in().expect("nobody has withdrawn it");
    logged(&mesh, "allow", "\"consents\":[\"analytics\"]");

    // Under traffic: what the others ask goes through all the while.
    let over = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(others.both(), [200, 200], "nobody else is concerned");
                asked += 1;
            }
            asked
        });
        let given = consent(&mesh, &directory, "withdraw");
        let first = HOPS.map(|hop| {
            let acme = &acme;
            scope.spawn(move || {
                wait::until(LIVE * 2, || {
                    let asked = Instant::now();
                    (acme.ask(hop).reason() == "policy_denied").then(|| asked - given)
                })
                .expect("never denied")
            })
        });
        let first = first.map(|one| one.join().unwrap());
        for (hop, after) in HOPS.iter().zip(first) {
            println!("withdrawn: first denial at {hop:?} {} ms after the command", after.as_millis());
            assert!(after <= LIVE, "{hop:?}: {after:?}");
        }
        thread::sleep(LIVE.saturating_sub(given.elapsed()));
        // Every worker.
        for _ in 0..20 {
            assert_eq!(acme.both(), [403, 403]);
        }
        over.store(true, Ordering::Relaxed);
        traffic.join().unwrap()
    });
    println!("withdrawn: {asked} requests of another tenant to each sidecar meanwhile, none denied");
    assert!(asked > 10);
    // What asks for no consent is as it was, and the record of a denial holds what was withdrawn.
    let list = mesh.client("GET", "acme", "/tenants/acme/invoices", &accountant(Shared, "acme")).unwrap();
    assert_eq!(mesh.ask(&list).unwrap().status, 200);
    logged(&mesh, "deny", "\"withdrawn\":[\"analytics\"]");
    let replayed = replayed(&mesh, FIRST_REVISION + 1);
    println!("withdrawn: {replayed} recorded decisions of before and after, all the same when replayed");
    assert!(replayed > 40);

    // A bundle without it and without the withdrawal: still denied, and it comes back by the record alone.
    publish(&mesh, &directory, FIRST_REVISION + 2);
    let given = consent(&mesh, &directory, "give");
    thread::sleep(LIVE.saturating_sub(given.elapsed()) * 2);
    assert_eq!(acme.both(), [403, 403], "the overlay gives nothing");
    publish(&mesh, &directory, FIRST_REVISION + 3);
    let acme = Asking::of(&mesh, "acme", &analyst(Shared, "acme"));
    acme.let_in().expect("given again at both sidecars");
}
