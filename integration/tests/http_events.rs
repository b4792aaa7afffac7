//! REST APIs of Kafka behind a sidecar: a server in front of a real broker, and two tenants that call topics and groups
//! the same.

use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::artefacts;
use partywall_integration::certificates::Workload;
use partywall_integration::kafka::{Brokers, Client, Options};
use partywall_integration::mesh::unique;
use partywall_integration::process::Process;
use partywall_integration::raw::{Connection, Request, Response};
use partywall_integration::roots::Root;
use partywall_integration::running::Running;
use partywall_integration::variant::Variant;
use partywall_integration::wait;
use serde_json::{Value, json};

const CLUSTER: &str = r#"
clusters:
  - cluster: shop-events
    spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy
    region: eu
    identity: [{ uri: "spiffe://mesh.example/tenant/{tenant}/sa/{workload}" }]
    brokers: as_they_are
    new_topics: { partitions: 3 }
    topics:
      - { topic: "locked*", name: locked }
      - topic: ranged
        partitions: { topic: pool, of: 4, ranges: { acme: 0-1, globex: 2-3 } }
      - { topic: rates, shared: { topic: reference.rates, readers: all } }
      - { topic: "*", name: own }
"#;
const POLICIES: &str = r#"
@id("rest")
permit (principal in Role::"viewer", action == Action::"rest:use", resource);
@id("topics")
permit (
    principal in Role::"viewer",
    action in [
        Action::"events:produce", Action::"events:consume", Action::"events:describe", Action::"events:create",
        Action::"events:delete", Action::"events:alter"
    ],
    resource is Topic
);
@id("locked-topics-are-not-written")
forbid (principal, action == Action::"events:produce", resource is Topic)
when { resource == Topic::"locked-1" };
"#;
const V2: &[&str] = &[
    "GET /topics",
    "GET /topics/{t}",
    "POST /topics/{t}",
    "GET /topics/{t}/partitions",
    "POST /consumers/{g}",
    "DELETE /consumers/{g}/instances/{i}",
    "POST /consumers/{g}/instances/{i}/subscription",
    "GET /consumers/{g}/instances/{i}/subscription",
    "POST /consumers/{g}/instances/{i}/assignments",
    "POST /consumers/{g}/instances/{i}/offsets",
    "GET /consumers/{g}/instances/{i}/offsets",
    "GET /consumers/{g}/instances/{i}/records",
    "GET /brokers",
];
const V3: &[&str] = &[
    "GET /v3/clusters/{c}/topics",
    "POST /v3/clusters/{c}/topics",
    "GET /v3/clusters/{c}/topics/{t}",
    "DELETE /v3/clusters/{c}/topics/{t}",
    "POST /v3/clusters/{c}/topics/{t}/records",
    "GET /v3/clusters/{c}/consumer-groups",
];

struct Shop {
    mesh: Running,
    seed: Vec<u8>,
    brokers: Brokers,
    _server: Process,
}

impl Shop {
    fn open(name: &'static str, version: &str, operations: &[&str]) -> Self {
        let brokers = Brokers::start(&Options { name, ..Options::default() }).unwrap();
        let topic = |name: &str, partitions: &str| {
            brokers.tool("TopicCommand", &["--create", "--topic", name, "--partitions", partitions]).unwrap().succeeds()
        };
        for name in ["acme.orders", "globex.orders", "acme.locked-1", "acme.noted", "globex.secret", "reference.rates"]
        {
            topic(name, "1").unwrap();
        }
        topic("pool", "4").unwrap();
        let mut variant = Variant::prepare(name, &["orders"]).unwrap();
        let lines: String = operations
            .iter()
            .map(|http| format!("  - {{ http: \"{http}\", action: \"rest:use\", resource: RestApi, owner: none }}\n"))
            .collect();
        let events = format!("events: {{ rest: {version}, cluster: shop-events }}\n");
        variant.append("services/orders.yaml", &(lines + &events)).unwrap();
        variant.append("events.yaml", CLUSTER).unwrap();
        variant.append("policies/events.cedar", POLICIES).unwrap();
        variant.render().unwrap();
        let rendered = variant.text("orders").unwrap();
        assert!(rendered.contains("root_id: event_scope"), "{rendered}");
        let port = variant.site.ports.orders_app;
        let mut command = Command::new("python3");
        command.arg(artefacts::root().join("integration/kafka/rest_server.py"));
        command.args([brokers.bootstrap(), port.to_string()]).env("PYTHONPATH", artefacts::kafka_clients().unwrap());
        let server = Process::start("rest", &mut command, &variant.site.directory.join("logs")).unwrap();
        let seed = variant.site.signing_seed().unwrap();
        let mesh = variant.start(&[]).unwrap();
        mesh.wait_for_policy(&[Hop::OrdersInbound]).unwrap();
        let shop = Self { mesh, seed, brokers, _server: server };
        let path = operations[0].trim_start_matches("GET ").replace("{c}", "c");
        let up =
            wait::until(Duration::from_secs(30), || (shop.ask("acme", "GET", &path, None).status == 200).then_some(()));
        let last = shop.ask("acme", "GET", &path, None);
        up.unwrap_or_else(|| panic!("{} {:?}", last.status, String::from_utf8_lossy(&last.body)));
        shop
    }

    fn ask(&self, tenant: &str, method: &str, path: &str, body: Option<&str>) -> Response {
        self.ask_with(tenant, method, path, body, &unique())
    }

    fn ask_with(&self, tenant: &str, method: &str, path: &str, body: Option<&str>, id: &str) -> Response {
        let root = Root::of(tenant, 0).signed(&self.seed).unwrap();
        let mut request = Request::new(method, path)
            .header("host", "rest.shop.example")
            .header("x-partywall-context", root)
            .header("x-request-id", id);
        if let Some(body) = body {
            let kind = if path.starts_with("/v3") { "application/json" } else { "application/vnd.kafka.json.v2+json" };
            request = request.header("content-type", kind).header("content-length", body.len().to_string());
        }
        let site = &self.mesh.site;
        let (to, identity) = (site.address(Hop::OrdersInbound), site.certificates.of(Workload::Edge));
        let mut connection = Connection::mutual_tls(to, identity).unwrap();
        connection.send(&request.bytes()).unwrap();
        connection.send(body.unwrap_or_default().as_bytes()).unwrap();
        connection.receive().unwrap()
    }

    #[track_caller]
    fn json(&self, tenant: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map(|body| body.to_string());
        let answer = self.ask(tenant, method, path, body.as_deref());
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(matches!(answer.status, 200 | 204), "{tenant} {method} {path}: {} {text}", answer.status);
        answer.json()
    }

    #[track_caller]
    fn denied(&self, tenant: &str, request: &str, body: Option<Value>, reason: &str) {
        let (method, path) = request.split_once(' ').unwrap();
        let (body, id) = (body.map(|body| body.to_string()), unique());
        let answer = self.ask_with(tenant, method, path, body.as_deref(), &id);
        assert_eq!(answer.reason(), reason, "{tenant} {request}: {} {:?}", answer.status, answer.json());
        let line = self.mesh.line(Hop::OrdersInbound, &id).unwrap();
        assert_eq!((line.field("decision").as_str(), line.field("reason").as_str()), ("deny", reason));
    }

    /// Reads until there are so many records.
    fn records(&self, tenant: &str, instance: &str, count: usize) -> Vec<Value> {
        let mut found = Vec::new();
        for _ in 0..20 {
            let more = self.json(tenant, "GET", &format!("{instance}/records?timeout=2000"), None);
            found.extend(more.as_array().unwrap().iter().cloned());
            if found.len() >= count {
                break;
            }
        }
        found
    }
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| Shop::open("http-events-v2", "v2", V2));
static THIRD: LazyLock<Shop> = LazyLock::new(|| Shop::open("http-events-v3", "v3", V3));

fn value(value: impl Into<Value>) -> Value {
    json!({ "records": [{ "value": value.into() }] })
}

#[test]
fn two_tenants_with_the_same_names_live_side_by_side() {
    for tenant in ["acme", "globex"] {
        let marked = format!("of {tenant}");
        let written = SHOP.json(tenant, "POST", "/topics/orders", Some(value(marked)));
        assert_eq!((&written["offsets"][0]["error"], &written["offsets"][0]["partition"]), (&Value::Null, &json!(0)));
    }
    for tenant in ["acme", "globex"] {
        let created = json!({ "name": "one", "format": "json", "auto.offset.reset": "earliest" });
        let instance = SHOP.json(tenant, "POST", "/consumers/billing", Some(created));
        let at = "https://rest.shop.example/consumers/billing/instances/one";
        assert_eq!(instance, json!({ "instance_id": "one", "base_uri": at }));
        let at = "/consumers/billing/instances/one";
        SHOP.json(tenant, "POST", &format!("{at}/subscription"), Some(json!({ "topics": ["orders"] })));
        let records = SHOP.records(tenant, at, 1);
        let expected =
            json!({ "topic": "orders", "key": null, "value": format!("of {tenant}"), "partition": 0, "offset": 0 });
        assert_eq!(records, [expected], "{tenant}");
        assert_eq!(SHOP.json(tenant, "GET", &format!("{at}/subscription"), None), json!({ "topics": ["orders"] }));
        SHOP.json(tenant, "POST", &format!("{at}/offsets"), None);
        let asked = json!({ "partitions": [{ "topic": "orders", "partition": 0 }] });
        let committed = SHOP.json(tenant, "GET", &format!("{at}/offsets"), Some(asked));
        assert_eq!(committed["offsets"][0]["topic"], "orders");
        assert_eq!(committed["offsets"][0]["offset"], 1, "{committed}");
    }
    // What the broker has, asked by a client of its own.
    let raw =
        Client::kcat().unwrap().run(&["-b", &SHOP.brokers.bootstrap(), "-C", "-t", "globex.orders", "-e", "-q"], "");
    assert_eq!(raw.unwrap().succeeds().unwrap(), "\"of globex\"\n");
    for tenant in ["acme", "globex"] {
        SHOP.json(tenant, "DELETE", "/consumers/billing/instances/one", None);
    }
}

#[test]
fn a_tenant_sees_its_own_topics_and_what_is_shared() {
    assert_eq!(SHOP.json("acme", "GET", "/topics", None), json!(["locked-1", "noted", "orders", "ranged", "rates"]));
    let mut seen = SHOP.json("globex", "GET", "/topics", None);
    seen.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(seen, json!(["orders", "ranged", "rates", "secret"]));
    assert_eq!(SHOP.json("acme", "GET", "/topics/orders", None)["name"], "orders");
    let partitions = SHOP.json("globex", "GET", "/topics/ranged/partitions", None);
    let numbers: Vec<_> = partitions.as_array().unwrap().iter().map(|one| one["partition"].clone()).collect();
    assert_eq!(numbers, [0, 1]);
    // What the server says of what is not there holds the broker's names.
    let answer = SHOP.ask("acme", "GET", "/topics/secret", None);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, text.contains("globex"), text.contains("acme.")), (404, false, false), "{text}");
    assert_eq!(answer.json()["error_code"], 40401);
}

#[test]
fn partitions_of_a_shared_topic_are_counted_by_tenant() {
    for (tenant, partition) in [("acme", 0), ("globex", 1)] {
        let records = json!({ "records": [{ "value": tenant, "partition": partition }] });
        let written = SHOP.json(tenant, "POST", "/topics/ranged", Some(records));
        assert_eq!(
            (&written["offsets"][0]["partition"], &written["offsets"][0]["error"]),
            (&json!(partition), &Value::Null)
        );
    }
    SHOP.denied("acme", "POST /topics/ranged", Some(value("anywhere")), "resource_foreign");
    let other = json!({ "records": [{ "value": "x", "partition": 2 }] });
    SHOP.denied("acme", "POST /topics/ranged", Some(other), "resource_foreign");
    // Whoever reads all of the topic still gets its own.
    let at = "/consumers/ranges/instances/r";
    let created = json!({ "name": "r", "format": "json", "auto.offset.reset": "earliest" });
    SHOP.json("globex", "POST", "/consumers/ranges", Some(created));
    SHOP.json("globex", "POST", &format!("{at}/subscription"), Some(json!({ "topics": ["ranged"] })));
    let records = SHOP.records("globex", at, 1);
    let got: Vec<_> = records.iter().map(|one| (one["value"].clone(), one["partition"].clone())).collect();
    assert_eq!(got, [(json!("globex"), json!(1))]);
    SHOP.json("globex", "DELETE", at, None);
}

#[test]
fn what_may_not_be_done_never_reaches_the_server() {
    SHOP.denied("acme", "POST /topics/locked-1", Some(value("x")), "policy_denied");
    SHOP.denied("acme", "POST /topics/rates", Some(value("x")), "policy_denied");
    SHOP.denied("acme", "GET /brokers", None, "resource_unmapped");
    SHOP.denied("acme", "GET /topics?all=1", None, "resource_unmapped");
    let twice = r#"{"topics":["orders"],"topics":["orders"]}"#;
    let answer = SHOP.ask("acme", "POST", "/consumers/g/instances/i/subscription", Some(twice));
    assert_eq!(answer.reason(), "ambiguous_request");
    let out = json!({ "topic_pattern": "x)|(?:globex.*" });
    SHOP.denied("acme", "POST /consumers/g/instances/i/subscription", Some(out), "ambiguous_request");
    // An instance of another tenant's group is none.
    let created = json!({ "name": "mine", "format": "json" });
    SHOP.json("acme", "POST", "/consumers/private", Some(created));
    let answer = SHOP.ask("globex", "GET", "/consumers/private/instances/mine/records", None);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, text.contains("acme")), (404, false), "{text}");
    SHOP.json("acme", "DELETE", "/consumers/private/instances/mine", None);
    // More than what is held of a body, by the filter and by Envoy.
    let large = json!({ "topics": ["x".repeat(2 * 1024 * 1024)] }).to_string();
    assert_eq!(SHOP.ask("acme", "POST", "/consumers/g/instances/i/subscription", Some(&large)).status, 413);
}

#[test]
fn a_pattern_finds_the_tenants_own_alone() {
    SHOP.json("globex", "POST", "/topics/secret", Some(value("hidden from acme")));
    let at = "/consumers/patterns/instances/p";
    for (tenant, pattern) in [("acme", "not.*|sec.*"), ("globex", "sec.*")] {
        let created = json!({ "name": "p", "format": "json", "auto.offset.reset": "earliest" });
        SHOP.json(tenant, "POST", "/consumers/patterns", Some(created));
        SHOP.json(tenant, "POST", &format!("{at}/subscription"), Some(json!({ "topic_pattern": pattern })));
    }
    SHOP.json("acme", "POST", "/topics/noted", Some(value("for the pattern")));
    let own = SHOP.records("acme", at, 1);
    assert!(!own.is_empty() && own.iter().all(|one| one["topic"] == "noted"), "{own:?}");
    let other = SHOP.records("globex", at, 1);
    assert!(!other.is_empty() && other.iter().all(|one| one["topic"] == "secret"), "{other:?}");
    for tenant in ["acme", "globex"] {
        SHOP.json(tenant, "DELETE", at, None);
    }
}

#[test]
fn records_of_many_megabytes_go_on_as_they_come() {
    let record = json!({ "value": "x".repeat(100_000) });
    let records = json!({ "records": vec![record; 60] });
    let written = SHOP.json("globex", "POST", "/topics/secret", Some(records));
    let offsets = written["offsets"].as_array().unwrap();
    assert_eq!((offsets.len(), offsets.iter().all(|one| one["error"].is_null())), (60, true));
}

#[test]
fn the_third_version_keeps_names_and_links_apart() {
    let names = |tenant: &str| -> Vec<String> {
        let page = THIRD.json(tenant, "GET", "/v3/clusters/tests/topics", None);
        let text = page.to_string();
        let other = if tenant == "acme" { "globex" } else { "acme" };
        assert!(!text.contains(other) && !text.contains(&format!("{tenant}.")), "{text}");
        let own = |one: &Value| one["topic_name"].as_str().unwrap().to_owned();
        page["data"].as_array().unwrap().iter().map(own).collect()
    };
    assert_eq!(names("acme"), ["locked-1", "noted", "orders", "ranged", "rates"]);
    let new = json!({ "topic_name": "made", "partitions_count": 2, "replication_factor": 1 });
    let made = THIRD.json("acme", "POST", "/v3/clusters/tests/topics", Some(new));
    assert_eq!(made["topic_name"], "made");
    assert_eq!(made["metadata"]["resource_name"], "crn:///kafka=tests/topic=made");
    let link = "https://rest.shop.example/v3/clusters/tests/topics/made/partitions";
    assert_eq!(made["partitions"]["related"], link);
    assert!(names("acme").contains(&"made".to_owned()) && !names("globex").contains(&"made".to_owned()));
    let large = json!({ "topic_name": "large", "partitions_count": 4, "replication_factor": 1 });
    THIRD.denied("acme", "POST /v3/clusters/tests/topics", Some(large), "policy_denied");

    let rows = "{\"value\":{\"type\":\"JSON\",\"data\":1}}\n{\"value\":{\"type\":\"JSON\",\"data\":2}}";
    let answer = THIRD.ask("acme", "POST", "/v3/clusters/tests/topics/made/records", Some(rows));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 2, "{text}");
    assert!(told.iter().all(|one| one["topic_name"] == "made" && one["error_code"] == 200), "{text}");
    THIRD.json("globex", "GET", "/v3/clusters/tests/consumer-groups", None);
    let answer = THIRD.ask("globex", "DELETE", "/v3/clusters/tests/topics/made", None);
    assert_eq!(answer.status, 404, "globex has no topic of this name");
    THIRD.json("acme", "DELETE", "/v3/clusters/tests/topics/made", None);
}
