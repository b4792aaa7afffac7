//! `partywall audit` on lines about Kafka, which stand in Envoy's own log.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_log_redaction::{Chain, EVENT, Event};
use partywall_tenancy::Secrets;
use serde_json::{Map, Value, json};
use support::{Ran, folder, partywall, path};

const KEY: &str = "proxy-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const DAY: u64 = 86_400_000;
/// Denials, what is let in, and the end of a connection, in turn.
const COUNT: u64 = 24;

/// The log of a VM that decided once an hour until now, and then ended.
struct Logged {
    folder: PathBuf,
    /// What stands behind `partywall: event`.
    lines: Vec<String>,
    end: String,
}

impl Logged {
    fn new(name: &str) -> Self {
        let folder = folder(name);
        fs::write(folder.join("audit.keys"), format!("{KEY}\n")).unwrap();
        let mut chain = Chain::new(Secrets::parse(KEY).unwrap().current(), [5; 16]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let mut lines = Vec::new();
        for n in 0..COUNT {
            let at = now - (COUNT - n) * DAY / 24;
            let of_all =
                Event { time: at / 1000, cluster: "shop-events", tenant: "t1_0", revision: 6, ..Event::default() };
            let topic = Event {
                principal: "s1_0",
                api: "Produce",
                action: "events:produce",
                rule: "*",
                id: "r1_0",
                policy: "nobody-writes-rates",
                ..of_all
            };
            let event = match n % 3 {
                0 => Event { decision: "deny", reason: "policy_denied", code: Some(29), traceparent: TRACE, ..topic },
                1 => Event { decision: "allow", shadow: "deny", reason: "policy_denied", ..topic },
                _ => Event { decision: "end", reason: "tenant_suspended", detail: "its tenant may not act", ..of_all },
            };
            let trace = event.traceparent.split('-').nth(1).unwrap_or_default();
            lines.push(event.with_fields(|fields| {
                let (number, link) = chain.link(at, trace, None, fields);
                chain.over(number);
                event.write(&link)
            }));
        }
        let end = format!("partywall: chain {}", chain.end(now).unwrap());
        Self { folder, lines, end }
    }

    /// Writes a log of these lines, each as `format` puts it there.
    fn write(&self, lines: &[String], format: impl Fn(&str) -> String) -> PathBuf {
        let file = self.folder.join("log");
        let lines = lines.iter().map(|line| format(&format!("{EVENT}{line}"))).chain([format(&self.end)]);
        fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
        file
    }

    fn verify(&self, file: &Path) -> Ran {
        let key = self.folder.join("audit.keys");
        partywall(&["audit", "verify", path(file), "--key", path(&key), "--ended", "--json"])
    }

    /// What is found in these lines: `<line> <what>`, and `<first>-<last> <why>` of gaps.
    fn found(&self, lines: &[String]) -> Vec<String> {
        let found = self.verify(&self.write(lines, envoys)).ends_with(1).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let each = |name: &str| found[name].as_array().unwrap().clone();
        let findings = each("findings").into_iter().map(|one| format!("{} {}", one["line"], text(&one["what"])));
        let gaps =
            each("gaps").into_iter().map(|gap| format!("{}-{} {}", gap["first"], gap["last"], text(&gap["why"])));
        findings.chain(gaps).collect()
    }
}

/// Envoy's own format.
fn envoys(message: &str) -> String {
    format!(
        "[2026-11-29 12:00:00.000][17][warning][wasm] [source/extensions/common/wasm/context.cc:1157] wasm log partywall.kafka_scope kafka_scope: {message}"
    )
}

#[test]
fn lines_about_kafka_are_whole_in_whatever_form_the_log_has() {
    let log = Logged::new("audit-events-forms");
    let envoy_json =
        |message: &str| json!({ "level": "warning", "message": format!("wasm log x: {message}") }).to_string();
    let container = |message: &str| json!({ "log": envoys(message) + "\n", "stream": "stderr" }).to_string();
    let both = |message: &str| json!({ "log": envoy_json(message) }).to_string();
    let behind = |message: &str| format!("{} thread=7", envoys(message));
    let forms: [&dyn Fn(&str) -> String; 5] = [&envoys, &envoy_json, &container, &both, &behind];
    for form in forms {
        let found = log.verify(&log.write(&log.lines, form)).succeeds().json();
        let numbers = ["decisions", "words", "without_link"].map(|name| found[name].as_u64().unwrap());
        assert_eq!((numbers, &found["vms"][0]["end"]), ([COUNT, 1, 0], &json!("closed")), "{}", form("x"));
    }
    // A shipper that reads the object has it alone.
    let alone = |message: &str| message.strip_prefix(EVENT).map_or(envoys(message), str::to_owned);
    log.verify(&log.write(&log.lines, alone)).succeeds();
    let unlinked: Vec<String> = log.lines.iter().map(|line| line.replace("\"chain\"", "\"was\"")).collect();
    let found = log.verify(&log.write(&unlinked, envoys)).ends_with(1).json();
    assert_eq!(found["without_link"], COUNT, "{found:#}");
}

#[test]
fn each_line_that_is_cut_out_or_cut_off_and_each_pair_that_is_swapped_is_found() {
    let log = Logged::new("audit-events-cut");
    for at in 0..log.lines.len() {
        let mut less = log.lines.clone();
        less.remove(at);
        let why = if at == 0 { "before" } else { "removed" };
        assert_eq!(log.found(&less), [format!("{at}-{at} {why}")]);
        let mut short = log.lines.clone();
        short[at].truncate(60);
        assert_eq!(log.found(&short), [format!("{} cut", at + 1), format!("{at}-{at} {why}")]);
        let mut twice = log.lines.clone();
        twice.insert(at, log.lines[at].clone());
        assert_eq!(log.found(&twice), [format!("{} repeated", at + 2)]);
    }
    // Links of two lines, one in the place of the other.
    let (first, second) = (member(&log.lines[3], "chain"), member(&log.lines[6], "chain"));
    let mut swapped = log.lines.clone();
    swapped[3] = with(&log.lines[3], "chain", second);
    swapped[6] = with(&log.lines[6], "chain", first);
    assert_eq!(log.found(&swapped)[..2], ["4 altered", "7 altered"]);
    // Whole lines in another order are what a log of several workers is.
    let mut order = log.lines.clone();
    order.swap(3, 6);
    log.verify(&log.write(&order, envoys)).succeeds();
}

fn object(line: &str) -> Map<String, Value> {
    serde_json::from_str(line).unwrap()
}

fn member(line: &str, name: &str) -> Value {
    object(line)[name].clone()
}

fn with(line: &str, name: &str, value: Value) -> String {
    let mut object = object(line);
    object.insert(name.to_owned(), value);
    Value::Object(object).to_string()
}

#[test]
fn each_member_that_says_something_else_or_nothing_is_found() {
    let log = Logged::new("audit-events-fields");
    let mut names = Vec::new();
    for at in 0..3 {
        for (name, value) in object(&log.lines[at]) {
            let other = match &value {
                Value::Number(number) => json!(number.as_i64().unwrap() + 1),
                value => json!(format!("{}x", value.as_str().unwrap())),
            };
            let mut altered = log.lines.clone();
            altered[at] = with(&log.lines[at], &name, other);
            let found = log.found(&altered);
            assert_eq!(found[0], format!("{} altered", at + 1), "{name}");
            let mut gone = log.lines.clone();
            let mut less = object(&log.lines[at]);
            less.remove(&name);
            gone[at] = Value::Object(less).to_string();
            // Without a link it is a gap; without what says that it is about Kafka, it reads as another line.
            assert!(!log.found(&gone).is_empty(), "{name}");
            names.push(name);
        }
    }
    names.sort();
    names.dedup();
    let all = "action api chain cluster code decision detail id policy principal reason revision rule shadow tenant time traceparent";
    assert_eq!(names.join(" "), all);
}

#[test]
fn denials_and_ends_are_pruned_later_than_what_was_let_in() {
    let log = Logged::new("audit-events-prune");
    let (file, key, out) = (log.write(&log.lines, envoys), log.folder.join("audit.keys"), log.folder.join("kept"));
    let keep = ["--keep", "denials=1y,allows=12h", "--key", path(&key), "--out", path(&out)];
    partywall(&[&["audit", "prune", path(&file)], &keep[..]].concat()).succeeds().says("4 decisions were taken out");
    let found = log.verify(&out).succeeds().json();
    assert_eq!(found["decisions"], COUNT - 4, "{found:#}");
}
