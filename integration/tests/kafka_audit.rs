//! What `kafka_scope` decides stands in a chain, as what is decided about requests: lines of real clients verify, and what
//! is done to one is found.

use std::fs;

use partywall_integration::audit::{gaps, verify};
use partywall_integration::cli;
use partywall_integration::kafka::{Brokers, Options, Scoped, ScopedOptions, Socket, framed};
use serde_json::Value;

const POLICY: &str = "@id(\"own-topics\")\npermit (principal, action in [Action::\"events:produce\", \
                      Action::\"events:consume\", Action::\"events:describe\", Action::\"events:create\"], \
                      resource);\n@id(\"nobody-writes-rates\")\nforbid (principal, action == Action::\"events:produce\", \
                      resource == Topic::\"rates\");\n";
const EVENT: &str = "partywall: event ";

fn start(name: &str, plugin: &str) -> (Brokers, Scoped) {
    let brokers = Brokers::start(&Options { name, ..Options::default() }).unwrap();
    let options = ScopedOptions { name, policy: POLICY, plugin, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    for topic in ["orders", "rates"] {
        let create = ["--create", "--topic", topic, "--partitions", "1"];
        scoped.tool("acme", "TopicCommand", &create, "").unwrap().succeeds().unwrap();
    }
    (brokers, scoped)
}

/// What is found in these lines of Envoy's own log.
fn found(scoped: &Scoped, lines: &[String], more: &[&str]) -> (i32, Value) {
    let file = scoped.site.directory.join("logs/audited.err");
    fs::write(&file, lines.join("\n")).unwrap();
    verify(&scoped.site.keys(), &[&file], more).unwrap()
}

fn lines(scoped: &Scoped) -> Vec<String> {
    scoped.envoy.errors().lines().map(str::to_owned).collect()
}

fn produce(scoped: &Scoped, topic: &str) -> bool {
    scoped.kcat("acme", &["-P", "-t", topic], "one\n").unwrap().status == Some(0)
}

#[test]
fn lines_about_kafka_are_a_chain() {
    let (_brokers, mut scoped) = start("kafka-audit", "log: { allows: 1 }");
    assert!(produce(&scoped, "orders") && !produce(&scoped, "rates"));
    let read = scoped.kcat("acme", &["-C", "-t", "orders", "-e", "-q"], "").unwrap().succeeds().unwrap();
    assert_eq!(read, "one\n");
    let (status, running) = found(&scoped, &lines(&scoped), &[]);
    assert!(status == 0 && running["decisions"].as_u64().unwrap() > 10, "while it runs: {running:#}");

    // More than is written in a second: what is left out has no number.
    let untold = || scoped.envoy.metric("partywall_event_scope_untold_total", &[]).unwrap();
    let mut socket = Socket::connect(&scoped, Some("acme"));
    let of_orders = b"\0\x03\0\x04\0\0\0\x09\0\x04wire\0\0\0\x01\0\x06orders\0";
    for _ in 0..200 {
        socket.send(&framed(of_orders));
        assert!(socket.frame().is_some());
    }
    wait(|| untold() > 100.0);
    // Neither has what Envoy does not print.
    scoped.envoy.print_from("warning").unwrap();
    let before = (untold(), scoped.told().len());
    assert!(produce(&scoped, "orders") && !produce(&scoped, "rates"));
    scoped.envoy.print_from("info").unwrap();
    let told = scoped.told();
    assert!(told[before.1..].iter().all(|line| line["decision"] != "allow"), "{told:?}");
    wait(|| untold() > before.0);
    assert!(produce(&scoped, "orders"));
    a_candidate_is_told(&scoped);
    scoped.tenant("suspend", "acme").unwrap();
    wait(|| {
        let _ = Socket::connect(&scoped, Some("acme")).metadata();
        scoped.told().iter().any(|line| line["decision"] == "end")
    });

    scoped.envoy.stop();
    let (lines, told) = (lines(&scoped), scoped.told());
    let (status, whole) = found(&scoped, &lines, &["--ended"]);
    assert_eq!((status, &whole["without_link"]), (0, &0.into()), "{whole:#}");
    assert_eq!(whole["decisions"], told.len(), "{whole:#}");
    println!("{} decisions", told.len());

    for decision in ["allow", "deny", "end"] {
        let is = |line: &String| line.contains(EVENT) && line.contains(&format!("\"decision\":\"{decision}\""));
        let at = lines.iter().position(is).unwrap_or_else(|| panic!("no {decision}: {told:?}"));
        let mut less = lines.clone();
        less.remove(at);
        let (status, found_out) = found(&scoped, &less, &["--ended"]);
        let gone = gaps(&found_out, "removed") + gaps(&found_out, "before");
        assert_eq!((status, gone), (1, 1), "{decision} was cut out: {found_out:#}");
        let (head, json) = lines[at].split_once(EVENT).unwrap();
        let line: Value = serde_json::from_str(json).unwrap();
        for (name, value) in line.as_object().unwrap() {
            let mut other = line.clone();
            other[name] = match value.as_i64() {
                Some(number) => (number + 1).into(),
                None => format!("{}x", value.as_str().unwrap()).into(),
            };
            let mut altered = lines.clone();
            altered[at] = format!("{head}{EVENT}{other}");
            let (status, found_out) = found(&scoped, &altered, &["--ended"]);
            let told = &found_out["findings"][0];
            assert_eq!(
                (status, &told["what"], &told["line"]),
                (1, &"altered".into(), &(at + 1).into()),
                "{name}: {found_out:#}"
            );
        }
    }
    // The last word cut off with what stood before it.
    let (status, cut) = found(&scoped, &lines[..lines.len() / 2], &["--ended"]);
    assert_eq!(status, 1, "{cut:#}");
}

/// A candidate that closes `orders` is compared first, and then decides for acme alone.
fn a_candidate_is_told(scoped: &Scoped) {
    let site = &scoped.site;
    let policy = site.directory.join("tenancy/policies/events.cedar");
    fs::write(&policy, POLICY.replace("Topic::\"rates\"", "Topic::\"orders\"")).unwrap();
    let [tenancy, keys, bundles] = [site.directory.join("tenancy"), site.keys(), site.bundles()];
    let [tenancy, keys, bundles] = [&tenancy, &keys, &bundles].map(|path| cli::text(path).unwrap());
    cli::run(&["compile", tenancy, "--keys", keys, "--out", bundles, "--candidate"]).unwrap();
    let last = || {
        scoped.told().into_iter().rfind(|line| line["api"] == "Produce").map(|line| {
            let candidate = line["candidate"].as_str().unwrap_or("{}");
            let candidate: Value = serde_json::from_str(candidate).unwrap();
            [line["decision"].clone(), candidate["decides"].clone(), candidate["decision"].clone()]
        })
    };
    // Each worker hears of it at its own time.
    let settles = |works: bool, expected: [&str; 3]| {
        let mut in_a_row = 0;
        wait_long(|| {
            let so = produce(scoped, "orders") == works && last() == Some(expected.map(Value::from));
            in_a_row = if so { in_a_row + 1 } else { 0 };
            in_a_row >= 8
        });
    };
    settles(true, ["allow", "bundle", "deny"]);
    cli::run(&["promote", bundles, "--keys", keys, "--tenant", "acme"]).unwrap();
    settles(false, ["deny", "candidate", "deny"]);
    let counted = |by| {
        let labels = [("change", "allow_to_deny"), ("by", by), ("role", "kafka")];
        scoped.envoy.metric("partywall_candidate_decisions_total", &labels).unwrap()
    };
    wait(|| counted("bundle") >= 8.0 && counted("candidate") >= 8.0);
    cli::run(&["promote", bundles, "--withdraw"]).unwrap();
    let mut in_a_row = 0;
    wait_long(|| {
        in_a_row = if produce(scoped, "orders") { in_a_row + 1 } else { 0 };
        in_a_row >= 8
    });
}

#[track_caller]
fn wait_long(mut is_so: impl FnMut() -> bool) {
    let patience = std::time::Duration::from_secs(60);
    partywall_integration::wait::until(patience, || is_so().then_some(())).expect("it comes");
}

#[track_caller]
fn wait(is_so: impl Fn() -> bool) {
    let patience = std::time::Duration::from_secs(20);
    partywall_integration::wait::until(patience, || is_so().then_some(())).expect("it comes");
}
