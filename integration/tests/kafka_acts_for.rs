//! `act_for: fetched`: a consumer acts for a tenant whose records its own sidecar saw it fetch, for a while, and for no other.

use std::time::{Duration, Instant};

use partywall_integration::access_log::Hop;
use partywall_integration::acting::acting;
use partywall_integration::kafka::sidecar::{Outlet, outlets};
use partywall_integration::kafka::{Brokers, Client, Options};
use partywall_integration::mesh::unique;
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;
use partywall_integration::wait;

/// How long a fetch counts, in seconds.
const COUNTS: u64 = 8;
/// So many answers in a row are of every worker.
const IN_A_ROW: usize = 12;

fn kcat(arguments: &[&str], input: &str) -> String {
    Client::kcat().unwrap().run(arguments, input).unwrap().succeeds().unwrap()
}

fn read(at: &str, topic: &str) -> String {
    kcat(&["-b", at, "-C", "-t", topic, "-e", "-q"], "")
}

/// What the sidecar says to a call for `tenant`.
fn call(mesh: &Running, tenant: &str) -> (u16, String) {
    mesh.call(&unique(), &[("x-partywall-act-for", tenant)]).unwrap()
}

fn denied(mesh: &Running, tenant: &str, why: &str) {
    for _ in 0..IN_A_ROW {
        assert_eq!(call(mesh, tenant), (403, "act_for_denied".into()), "{tenant}: {why}");
    }
}

#[test]
fn a_consumer_acts_for_whose_records_it_fetched() {
    let brokers = Brokers::start(&Options { name: "kafka-acts-for", ..Options::default() }).unwrap();
    let broker = brokers.bootstrap();
    for topic in ["acme.orders", "acme.nothing", "globex.orders"] {
        brokers.tool("TopicCommand", &["--create", "--topic", topic]).unwrap().succeeds().unwrap();
        if topic != "acme.nothing" {
            kcat(&["-b", &broker, "-P", "-t", topic], &format!("of {topic}\n"));
        }
    }
    let mut variant = Variant::prepare("kafka-acts-for", &["edge", "invoices", "orders"]).unwrap();
    let settings = format!("\nact_for: {{ tenants: [acme, globex], fetched: {COUNTS}s }}\n");
    acting(&mut variant, &["acme", "globex"], &settings).unwrap();
    let told = Outlet { cluster: "seen", tenant: "acme", plugin: "fetched_to: partywall" };
    let untold = Outlet { cluster: "unseen", plugin: "", ..told };
    let of_globex = Outlet { cluster: "seen-too", tenant: "globex", ..told };
    let places = outlets(&mut variant, &brokers, &[told, untold, of_globex]).unwrap();
    let [seen, unseen, globex] = &places[..] else { panic!("three places") };
    let mesh = variant.start(&[App::Invoices, App::Orders]).unwrap();
    mesh.wait_for_policy(&Hop::ALL).unwrap();
    // A listener for connections cannot be asked as one for requests: it has a bundle once somebody finds the topic.
    for place in &places {
        let listed = || Client::kcat().unwrap().run(&["-b", place, "-L", "-m", "2"], "").unwrap().told;
        let mut in_a_row = 0;
        let ready = wait::until(Duration::from_secs(30), || {
            in_a_row = if listed().contains("topic \"orders\"") { in_a_row + 1 } else { 0 };
            (in_a_row >= IN_A_ROW).then_some(())
        });
        ready.unwrap_or_else(|| panic!("{place}: {}\n{}", listed(), mesh.envoy("invoices").unwrap().errors()));
    }

    denied(&mesh, "acme", "it fetched nothing");
    assert_eq!(read(&broker, "acme.orders"), "of acme.orders\n");
    denied(&mesh, "acme", "no sidecar saw it");
    assert_eq!(read(unseen, "orders"), "of acme.orders\n");
    denied(&mesh, "acme", "a sidecar saw it that tells nobody");
    assert_eq!(read(seen, "nothing"), "");
    denied(&mesh, "acme", "no record came of it");

    let before = Instant::now();
    assert_eq!(read(seen, "orders"), "of acme.orders\n");
    let after = Instant::now();
    wait::until(Duration::from_secs(2), || (call(&mesh, "acme").0 == 200).then_some(())).expect("it was seen to fetch");
    for _ in 0..IN_A_ROW {
        let mark = unique();
        assert_eq!(mesh.call(&mark, &[("x-partywall-act-for", "acme")]).unwrap(), (200, String::new()));
        let seen = mesh.seen_of(App::Orders, &mark).unwrap();
        assert!(seen.iter().all(|seen| headers(seen, "x-partywall-tenant") == ["acme"]) && seen.len() == 1);
    }
    denied(&mesh, "globex", "its records were not fetched");
    // Seconds are counted as the clock has them: a fetch at the end of one counts that long from its beginning.
    let over = wait::until(Duration::from_secs(COUNTS + 5), || (call(&mesh, "acme").0 == 403).then(Instant::now));
    let over = over.expect("it ends");
    assert!(over - before >= Duration::from_secs(COUNTS - 1), "too soon: {:?}", over - before);
    assert!(over - after <= Duration::from_secs(COUNTS + 2), "too late: {:?}", over - after);
    denied(&mesh, "acme", "that is long ago");

    assert_eq!(read(globex, "orders"), "of globex.orders\n");
    wait::until(Duration::from_secs(2), || (call(&mesh, "globex").0 == 200).then_some(()))
        .expect("it was seen to fetch");
    denied(&mesh, "acme", "it fetched another tenant's");
    assert_eq!(read(seen, "orders"), "of acme.orders\n");
    wait::until(Duration::from_secs(2), || (call(&mesh, "acme").0 == 200).then_some(())).expect("and acme's again");
    let (status, _) = mesh.call(&unique(), &[("x-partywall-act-for", "initech")]).unwrap();
    assert_eq!(status, 403, "no matter what was fetched, the directory does not list it");
}
