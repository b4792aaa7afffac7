//! How else than by the URI of a certificate a client shows its tenant, and brokers that names tell apart.

use std::fs;
use std::time::Duration;

use partywall_integration::certificates::uri;
use partywall_integration::kafka::wire::Wire;
use partywall_integration::kafka::{Brokers, Client, Options, Scoped, ScopedOptions, Socket};
use partywall_integration::ports::local;
use partywall_integration::{raw, wait};
use rcgen::SanType;

const PATIENCE: Duration = Duration::from_secs(20);
/// Topics of two tenants, of different names, so that what is seen says whose world it is.
const TOPICS: [(&str, &str); 2] = [("acme", "of-acme"), ("globex", "of-globex")];

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// What a client with a certificate of these names sees; `None` where its connection ends, at once or after an empty answer.
fn seen(scoped: &Scoped, names: Vec<SanType>) -> Option<Vec<String>> {
    let identity = scoped.site.certificates.issue(names).unwrap();
    let mut wire = Wire::over(raw::dial(local(scoped.port), Some(&identity), PATIENCE).unwrap(), "somebody");
    let seen = wire.topics()?;
    if seen.is_empty() { wire.topics() } else { Some(seen) }
}

/// Why the last connection was ended.
fn why(scoped: &Scoped) -> String {
    let told = scoped.told();
    let last = told.iter().rfind(|line| line["decision"] == "end");
    last.map(|line| line["reason"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

fn of(tenant: &str) -> Option<Vec<String>> {
    Some(vec![format!("of-{tenant}")])
}

#[test]
fn each_way_names_one_tenant() {
    let brokers = Brokers::start(&Options { name: "kafka-identities", ..Options::default() }).unwrap();
    for (tenant, topic) in TOPICS {
        let topic = format!("{tenant}.{topic}");
        brokers.tool("TopicCommand", &["--create", "--topic", &topic]).unwrap().succeeds().unwrap();
    }
    by_listener(&brokers);
    by_name(&brokers);
}

fn by_listener(brokers: &Brokers) {
    let options = ScopedOptions {
        name: "kafka-by-listener",
        identity: "[{ listener: [acme, globex] }, { uri: \"spiffe://mesh.example/tenant/{tenant}/sa/{workload}\" }]",
        plugin: "tenant: acme",
        ..ScopedOptions::default()
    };
    let scoped = Scoped::start(&options, brokers).unwrap();
    let tenant = |tenant: &str| vec![uri(&format!("spiffe://mesh.example/tenant/{tenant}/sa/web")).unwrap()];
    let told = Socket::connect(&scoped, None).metadata().unwrap();
    let holds = |part: &[u8]| told.windows(part.len()).any(|window| window == part);
    assert!(holds(b"of-acme") && !holds(b"of-globex"), "without a certificate: the listener's");
    assert_eq!(seen(&scoped, tenant("acme")), of("acme"));
    let stranger = vec![uri("spiffe://mesh.example/ns/shop/sa/somebody").unwrap()];
    assert_eq!(seen(&scoped, stranger), of("acme"), "a certificate that says nothing of tenants");
    assert_eq!(seen(&scoped, tenant("globex")), None);
    assert_eq!(why(&scoped), "tenant_conflict");

    // By plain connections, of a tenant that no listener may be bound to.
    let options = ScopedOptions {
        name: "kafka-by-other-listener",
        identity: "[{ listener: [globex] }]",
        plugin: "tenant: acme",
        plain: true,
        ..ScopedOptions::default()
    };
    let scoped = Scoped::start(&options, brokers).unwrap();
    let mut wire = Wire::over(raw::dial(local(scoped.port), None, PATIENCE).unwrap(), "somebody");
    assert_eq!((wire.topics(), why(&scoped)), (None, "caller_denied".into()));
}

fn by_name(brokers: &Brokers) {
    let options = ScopedOptions {
        name: "kafka-by-name",
        identity: "[{ workloads: { \"spiffe://mesh.example/ns/shop/sa/orders-a\": acme, \
                   \"spiffe://mesh.example/ns/shop/sa/orders-g\": globex } }, { dns: \"{tenant}.clients.example\" }]",
        ..ScopedOptions::default()
    };
    let scoped = Scoped::start(&options, brokers).unwrap();
    let workload = |name: &str| uri(&format!("spiffe://mesh.example/ns/shop/sa/{name}")).unwrap();
    assert_eq!(seen(&scoped, vec![workload("orders-a")]), of("acme"));
    assert_eq!(seen(&scoped, vec![workload("orders-g")]), of("globex"));
    assert_eq!(seen(&scoped, vec![dns("acme.clients.example")]), of("acme"));
    assert_eq!(seen(&scoped, vec![dns("globex.clients.example")]), of("globex"));
    assert_eq!(seen(&scoped, vec![workload("orders-g"), dns("globex.clients.example")]), of("globex"));
    let both = vec![workload("orders-a"), dns("globex.clients.example")];
    assert_eq!((seen(&scoped, both), why(&scoped)), (None, "tenant_conflict".into()));
    for nobody in [
        workload("orders-acme"),
        workload("orders-a/b"),
        dns("acme.clients.example.org"),
        dns("a.acme.clients.example"),
        dns("acme.clients"),
    ] {
        let named = format!("{nobody:?}");
        assert_eq!((seen(&scoped, vec![nobody]), why(&scoped)), (None, "tenant_missing".into()), "{named}");
    }
    let unknown = vec![dns("nobody.clients.example")];
    assert_eq!((seen(&scoped, unknown), why(&scoped)), (None, "tenant_unknown".into()));
}

/// All brokers behind one address and port: the name that a client asks for in TLS leads to each.
#[test]
fn names_lead_to_brokers() {
    let brokers = Brokers::start(&Options { name: "kafka-sni", brokers: 2, ..Options::default() }).unwrap();
    let options = ScopedOptions { name: "kafka-sni", sni: "b{id}.kafka.example", ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    let create = ["--create", "--topic", "acme.orders", "--replica-assignment", "1,2"];
    brokers.tool("TopicCommand", &create).unwrap().succeeds().unwrap();
    let listed = wait::until(PATIENCE, || {
        let told = scoped.kcat("acme", &["-L", "-t", "orders"], "").unwrap().told;
        (told.contains("leader 1,") && told.contains("leader 2,")).then_some(told)
    });
    let listed = listed.expect("both lead a partition");
    for id in 1..=2 {
        assert!(listed.contains(&format!("broker {id} at b{id}.kafka.example:{}", scoped.port)), "{listed}");
    }
    // Kafka's own client, which checks that it is who it asked for.
    let hosts = scoped.tls().join("hosts");
    fs::write(&hosts, "127.0.0.1 b1.kafka.example b2.kafka.example localhost\n").unwrap();
    let config = scoped.java("acme").unwrap();
    let (at, config) = (format!("b2.kafka.example:{}", scoped.port), config.display().to_string());
    let run = |tool: &str, arguments: &[&str], input: &str| {
        let client = Client::tool(tool).unwrap().property("jdk.net.hosts.file", &hosts.display().to_string());
        let all = [&["--bootstrap-server", &*at, "--command-config", &*config], arguments].concat();
        client.run(&all, input).unwrap().succeeds().unwrap_or_else(|error| panic!("{error:#}\n{:?}", scoped.told()))
    };
    let records: String = (0..40).map(|n| format!("{n}:record {n}\n")).collect();
    let keyed = ["--topic", "orders", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    run("ConsoleProducer", &keyed, &records);
    let read = ["--topic", "orders", "--group", "readers", "--from-beginning", "--max-messages", "40"];
    let told = run("consumer.ConsoleConsumer", &[&read[..], &["--timeout-ms", "20000"]].concat(), "");
    let mut lines: Vec<&str> = told.lines().collect();
    lines.sort_unstable();
    let mut wanted: Vec<String> = (0..40).map(|n| format!("record {n}")).collect();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
    let ends = brokers.tool("GetOffsetShell", &["--topic", "acme.orders"]).unwrap().succeeds().unwrap();
    let both = ends.lines().filter(|line| !line.ends_with(":0")).count();
    assert_eq!(both, 2, "each broker got some: {ends}");
}
