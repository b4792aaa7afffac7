//! A topic that a tenant shares, at `kafka_scope` in the counting host: it is read while its owner may act, and no longer.

use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::bench::kafka::wire::{Api, Topic, records, request};
use partywall_integration::host::sample::{Place, brokers};
use partywall_integration::host::{Host, Way};
use partywall_integration::served::served;
use partywall_integration::site::{FIRST_REVISION, compile};
use partywall_integration::variant::Variant;
use partywall_integration::{artefacts, cli};
use serde_json::Value;

/// The cluster is in shadow: what policies deny is let through, and what is another tenant's is not.
const EVENTS: &str = r#"clusters:
  - cluster: bench
    spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy
    region: eu
    mode: shadow
    identity: [{ listener: all }]
    brokers: as_they_are
    topics:
      - { topic: "*" }
      - { topic: globex-rates, shared: { topic: globex.rates, owner: globex, readers: [acme] } }
      - { topic: rates, shared: { topic: reference.rates, readers: all } }
"#;
const CEDAR: &str = r#"
@id("all")
permit (principal, action in [Action::"events:consume", Action::"events:describe"], resource);
@id("nobody-reads-prices")
forbid (principal, action == Action::"events:consume", resource == Topic::"prices");
"#;

/// Whether acme's reading of `topic` goes on to the broker's topic `there`, and what was told of it.
fn reads(host: &mut Host, topic: &str, there: &str) -> (bool, Option<Value>) {
    let before = host.world().log().len();
    let connection = host.connect().unwrap();
    let passed = host.data(connection, Way::Down, &request(Api::Fetch, Topic::Name(topic), &records(200))).unwrap();
    let goes = passed.bytes.windows(there.len()).any(|part| part == there.as_bytes());
    let line = host.world().log()[before..].iter().find_map(|line| line.strip_prefix("partywall: event "));
    (goes, line.map(|line| serde_json::from_str(line).unwrap()))
}

#[test]
fn what_an_owner_shares_is_read_while_it_may_act() {
    let variant = Variant::prepare("kafka-owners", &[]).unwrap();
    variant.append("events.yaml", EVENTS).unwrap();
    variant.append("policies/bench.cedar", CEDAR).unwrap();
    let site = &variant.site;
    let (keys, bundles, logs) = (site.keys(), site.bundles(), site.directory.join("logs"));
    compile(&variant.tenancy(""), &keys, &bundles, Some(FIRST_REVISION + 1)).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let module = artefacts::module().unwrap();
    let first = served(&bundles, &keys, &logs).unwrap();
    let place = Place { module: &module, keys: &keys, served: &first, secrets: &[], now };
    let mut host = brokers(&place, "bench", "acme").unwrap();

    assert_eq!(reads(&mut host, "globex-rates", "globex.rates"), (true, None));
    let tenant = |verb: &str| {
        cli::run(&["tenant", verb, "globex", "--dir", cli::text(&bundles).unwrap()]).unwrap();
        served(&bundles, &keys, &logs).unwrap()
    };
    host.world_mut().serve(tenant("suspend"));
    for _ in 0..20 {
        host.tick(250).unwrap();
    }
    let (goes, line) = reads(&mut host, "globex-rates", "globex.rates");
    let line = line.unwrap();
    let told = ["decision", "reason", "rule"].map(|name| line[name].as_str().unwrap_or_default().to_owned());
    assert_eq!((goes, told), (false, ["deny", "resource_foreign", "globex-rates"].map(str::to_owned)), "{line}");
    // What is nobody's is read still, and shadow lets through what it may.
    assert_eq!(reads(&mut host, "rates", "reference.rates"), (true, None));
    let (goes, line) = reads(&mut host, "prices", "acme.prices");
    assert!(goes && line.is_some_and(|line| line["shadow"] == "deny"), "prices");

    host.world_mut().serve(tenant("resume"));
    for _ in 0..20 {
        host.tick(250).unwrap();
    }
    assert_eq!(reads(&mut host, "globex-rates", "globex.rates"), (true, None));
}
