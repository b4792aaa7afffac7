//! A candidate beside the bundle in force at `kafka_scope`, in the counting host: what each says of a topic, who decides, and
//! what is told of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::bench::kafka::wire::{Api, Topic, records, request};
use partywall_integration::host::sample::{Place, brokers_with};
use partywall_integration::host::{Host, Way};
use partywall_integration::served::served;
use partywall_integration::site::{FIRST_REVISION, compile};
use partywall_integration::variant::{Variant, copy};
use partywall_integration::{artefacts, audit, cli};
use serde_json::{Value, json};

const EVENTS: &str = r#"clusters:
  - cluster: bench
    spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy
    region: eu
    identity: [{ listener: all }]
    brokers: as_they_are
    topics: [{ topic: "*" }]
"#;
const CEDAR: &str = r#"
@id("own-topics")
permit (principal, action in [Action::"events:produce", Action::"events:consume"], resource);
@id("nobody-writes-rates")
forbid (principal, action == Action::"events:produce", resource == Topic::"rates");
"#;
const IN_FORCE: u64 = FIRST_REVISION + 1;
const CANDIDATE: u64 = IN_FORCE + 1;

/// A site with a bundle, beside which a test lays candidates.
struct Site {
    variant: Variant,
    cases: std::cell::Cell<u32>,
}

impl Site {
    fn new(name: &str) -> Self {
        let variant = Variant::prepare(name, &[]).unwrap();
        variant.append("events.yaml", EVENTS).unwrap();
        variant.append("policies/bench.cedar", CEDAR).unwrap();
        let site = &variant.site;
        compile(&variant.tenancy(""), &site.keys(), &site.bundles(), Some(IN_FORCE)).unwrap();
        Self { variant, cases: std::cell::Cell::new(0) }
    }

    /// A folder of bundles with a candidate, in which these files say something else; it decides for `tenant`, or nobody.
    fn candidate(&self, changes: &[(&str, &str, &str)], tenant: Option<&str>) -> PathBuf {
        self.cases.set(self.cases.get() + 1);
        let folder = self.variant.site.directory.join(format!("case-{}", self.cases.get()));
        let (tenancy, out) = (folder.join("tenancy"), folder.join("bundles"));
        copy(&self.variant.tenancy(""), &tenancy).unwrap();
        copy(&self.variant.site.bundles(), &out).unwrap();
        for (file, from, to) in changes {
            let text = fs::read_to_string(tenancy.join(file)).unwrap();
            assert!(text.contains(from), "{file} has no `{from}`");
            fs::write(tenancy.join(file), text.replace(from, to)).unwrap();
        }
        let keys = self.variant.site.keys();
        let [tenancy, keys, folder] = [&tenancy, &keys, &out].map(|path| cli::text(path).unwrap());
        cli::run(&["compile", tenancy, "--keys", keys, "--out", folder, "--candidate"]).unwrap();
        if let Some(tenant) = tenant {
            cli::run(&["promote", folder, "--keys", keys, "--tenant", tenant]).unwrap();
        }
        out
    }

    /// The filter at acme's listener, with what lies in `bundles` in force and tried out.
    fn host(&self, bundles: &Path) -> Host {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (site, module) = (&self.variant.site, artefacts::module().unwrap());
        let served = served(bundles, &site.keys(), &site.directory.join("logs")).unwrap();
        let place = Place { module: &module, keys: &site.keys(), served: &served, secrets: &[], now };
        let more = json!({ "log": { "allows": 0 }, "secrets": { "audit_chain": "PARTYWALL_AUDIT_CHAIN" } });
        let mut host = brokers_with(&place, "bench", "acme", more).unwrap();
        for _ in 0..40 {
            host.tick(250).unwrap();
        }
        assert!(host.world().log().iter().any(|line| line.contains("is tried out")), "{:#?}", host.world().log());
        host
    }

    /// What is told of acme's writing to `topic`, and how it was compared: `<change> by <who>`.
    fn told(&self, bundles: &Path, topic: &str) -> (Option<Value>, String) {
        let mut host = self.host(bundles);
        let connection = host.connect().unwrap();
        host.data(connection, Way::Down, &request(Api::Produce, Topic::Name(topic), &records(200))).unwrap();
        host.tick(250).unwrap();
        let log = host.world().log().to_vec();
        let lines = log.iter().filter_map(|line| line.strip_prefix("partywall: event "));
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.len() <= 1, "{lines:#?}");
        let file = self.variant.site.directory.join("told.err");
        fs::write(&file, log.join("\n")).unwrap();
        let (status, found) = audit::verify(&self.variant.site.keys(), &[&file], &[]).unwrap();
        assert_eq!((status, &found["decisions"]), (0, &lines.len().into()), "{found:#}");
        let metrics = host.world().metrics().iter().filter(|(name, _)| name.ends_with("candidate_decisions_total"));
        let counted: Vec<String> = metrics
            .map(|(name, number)| {
                let label = |label: &str| {
                    let (_, rest) = name.split_once(&format!("{label}=.=")).unwrap();
                    rest.split_once(";.;").unwrap().0.to_owned()
                };
                assert_eq!((label("role"), *number), ("kafka".into(), 1), "{name}");
                format!("{} by {}", label("change"), label("by"))
            })
            .collect();
        (lines.into_iter().next(), counted.join(", "))
    }
}

/// What a line says: decision, reason, policy and revision; and of its candidate who decides, the decision, reason and policy.
fn says(line: &Value) -> String {
    let text = |value: &Value, name: &str| match &value[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let all = |value: &Value, names: &[&str]| names.iter().map(|name| text(value, name)).collect::<Vec<_>>().join(" ");
    let candidate: Value = serde_json::from_str(line["candidate"].as_str().unwrap_or("{}")).unwrap();
    format!(
        "{} / {}",
        all(line, &["decision", "reason", "policy", "revision"]),
        all(&candidate, &["decides", "decision", "reason", "policy"])
    )
}

const OPENED: (&str, &str, &str) =
    ("policies/bench.cedar", "resource == Topic::\"rates\"", "resource == Topic::\"none\"");
const CLOSED: (&str, &str, &str) =
    ("policies/bench.cedar", "resource == Topic::\"rates\"", "resource == Topic::\"orders\"");
const HIDDEN: (&str, &str, &str) =
    ("events.yaml", "topics: [{ topic: \"*\" }]", "topics: [{ topic: \"*\" }, { topic: orders, deny: true }]");
const MOVED: (&str, &str, &str) = ("events.yaml", "    brokers:", "    prefixes: { acme: \"other.\" }\n    brokers:");
const GONE: (&str, &str, &str) = ("events.yaml", "cluster: bench", "cluster: other");
const SUSPENDED: (&str, &str, &str) = ("tenants/acme.yaml", "status: active", "status: suspended");

#[test]
fn each_decision_is_compared_and_counts_for_whom_the_candidate_decides() {
    let site = Site::new("kafka-candidates");
    let denied = |revision| format!("deny policy_denied nobody-writes-rates {revision}");
    let allowed = |revision| format!("allow - own-topics {revision}");
    let unmapped = "resource_unmapped -";
    for (what, changes, tenant, topic, expected, counted) in [
        (
            "a topic is closed",
            &[CLOSED][..],
            None,
            "orders",
            format!("{} / bundle deny policy_denied nobody-writes-rates", allowed(IN_FORCE)),
            "allow_to_deny by bundle",
        ),
        (
            "and for acme it is",
            &[CLOSED],
            Some("acme"),
            "orders",
            format!("{} / candidate deny policy_denied nobody-writes-rates", denied(CANDIDATE)),
            "allow_to_deny by candidate",
        ),
        (
            "for somebody else it is no matter",
            &[CLOSED],
            Some("globex"),
            "orders",
            format!("{} / bundle deny policy_denied nobody-writes-rates", allowed(IN_FORCE)),
            "allow_to_deny by bundle",
        ),
        (
            "a topic is opened",
            &[OPENED],
            None,
            "rates",
            format!("{} / bundle allow - own-topics", denied(IN_FORCE)),
            "deny_to_allow by bundle",
        ),
        (
            "and for acme it is",
            &[OPENED],
            Some("acme"),
            "rates",
            format!("{} / candidate allow - own-topics", allowed(CANDIDATE)),
            "deny_to_allow by candidate",
        ),
        (
            "the name leads elsewhere: nobody is let in to where it leads now",
            &[OPENED, MOVED],
            Some("acme"),
            "rates",
            format!("{} / bundle allow - own-topics", denied(IN_FORCE)),
            "deny_to_allow by bundle",
        ),
        (
            "a rule denies",
            &[HIDDEN],
            Some("acme"),
            "orders",
            format!("deny {unmapped} {CANDIDATE} / candidate deny {unmapped}"),
            "allow_to_deny by candidate",
        ),
        (
            "the cluster is gone",
            &[GONE],
            Some("acme"),
            "orders",
            format!("deny {unmapped} {CANDIDATE} / candidate deny {unmapped}"),
            "allow_to_deny by candidate",
        ),
        (
            "the tenant may not act there",
            &[SUSPENDED],
            Some("acme"),
            "orders",
            format!("deny tenant_suspended - {CANDIDATE} / candidate deny tenant_suspended -"),
            "allow_to_deny by candidate",
        ),
    ] {
        let (line, compared) = site.told(&site.candidate(changes, tenant), topic);
        assert_eq!((line.as_ref().map(says), &*compared), (Some(expected), counted), "{what}: {line:#?}");
    }
}

#[test]
fn nothing_is_told_where_both_say_the_same_and_a_difference_names_nobody() {
    let site = Site::new("kafka-candidates-same");
    let same = site.candidate(&[CLOSED], None);
    let (line, counted) = site.told(&same, "prices");
    assert_eq!((line, &*counted), (None, "same by bundle"));
    let (line, _) = site.told(&same, "orders");
    let line = line.unwrap();
    let candidate: Value = serde_json::from_str(line["candidate"].as_str().unwrap()).unwrap();
    let of = |name: &str| candidate[name].clone();
    assert_eq!(
        [
            of("partywall_candidate"),
            of("revision"),
            of("step"),
            of("service"),
            of("method"),
            of("action"),
            of("resource")
        ],
        [json!(1), CANDIDATE.into(), json!(1), json!("bench"), json!("KAFKA"), json!("events:produce"), json!("Topic")]
    );
    assert_eq!(of("bundle"), json!({ "revision": IN_FORCE, "decision": "allow", "policy": "own-topics" }));
    assert_eq!([of("tenant"), of("id")], [line["tenant"].clone(), line["id"].clone()]);
    assert!(!line.to_string().contains("acme") && !line.to_string().contains("\"orders\""), "{line}");
}
