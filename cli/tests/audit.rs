//! `partywall audit` on logs that a chain wrote.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_log_redaction::{Chain, Fields};
use partywall_tenancy::Secrets;
use serde_json::{Value, json};
use support::{Ran, folder, partywall, path};

const KEY: &str = "orders-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const DAY: u64 = 86_400_000;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A log of one VM that made a decision each hour for so many days until now, a denial each third, and then ended.
struct Logged {
    folder: PathBuf,
    lines: Vec<String>,
    end: String,
}

impl Logged {
    fn new(name: &str, days: u64) -> Self {
        let folder = folder(name);
        fs::write(folder.join("audit.keys"), format!("other-1:{}\n{KEY}\n", &KEY[9..])).unwrap();
        let root = Secrets::parse(KEY).unwrap();
        let mut chain = Chain::new(root.current(), [5; 16]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let start = now - days * DAY;
        let mut lines = Vec::new();
        for n in 0..days * 24 {
            let decision = if n % 3 == 0 { "deny" } else { "allow" };
            let policy = if n % 12 == 1 { "grant:g-7".to_owned() } else { format!("p{n}") };
            let explain = json!({ "partywall": 1, "time": (start + n * DAY / 24) / 1000, "decision": decision,
                "policy": policy, "tenant": "t1_0", "principal": "s1_0", "owner": "t1_f", "action": "orders:read",
                "method": "GET", "path": "/orders/{id}", "service": "orders" })
            .to_string();
            let fields = Fields { tenant: "t1_0", decision, policy: &policy, explain: &explain, ..Fields::default() };
            let (number, link) = chain.link(start + n * DAY / 24, TRACE, None, &fields);
            chain.over(number);
            lines.push(
                json!({ "tenant": "t1_0", "decision": decision, "policy": policy, "reason": null, "detail": "-",
                        "explain": explain, "chain": link, "method": "GET",
                        "traceparent": format!("00-{TRACE}-00f067aa0ba902b7-01") })
                .to_string(),
            );
        }
        let end = format!("[info] wasm log x: partywall: chain {}", chain.end(now).unwrap());
        Self { folder, lines, end }
    }

    fn write(&self, lines: &[String]) -> PathBuf {
        let file = self.folder.join("log");
        fs::write(&file, lines.join("\n") + "\n" + &self.end).unwrap();
        file
    }

    fn verify(&self, file: &Path, more: &[&str]) -> Ran {
        let key = self.folder.join("audit.keys");
        partywall(&[&["audit", "verify", path(file), "--key", path(&key)], more].concat())
    }
}

#[test]
fn a_whole_log_is_whole_and_each_change_to_it_is_found() {
    let log = Logged::new("audit-changes", 2);
    log.verify(&log.write(&log.lines), &["--ended"]).succeeds().says("48 decisions of 1 VMs").says("its last word");
    let found = |lines: &[String]| log.verify(&log.write(lines), &["--ended", "--json"]).ends_with(1).json();
    for at in 0..log.lines.len() {
        let mut less = log.lines.clone();
        less.remove(at);
        let why = if at == 0 { "before" } else { "removed" };
        let gaps = found(&less)["gaps"].clone();
        assert_eq!((&gaps[0]["first"], &gaps[0]["why"], gaps.as_array().unwrap().len()), (&json!(at), &json!(why), 1));
    }
    let what = |lines: &[String]| {
        let found = found(lines);
        let one = |one: &Value| format!("{} {}", one["line"], one["what"].as_str().unwrap());
        found["findings"].as_array().unwrap().iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let with = |at: usize, line: String| {
        let mut other = log.lines.clone();
        other[at] = line;
        other
    };
    for (from, to) in [
        ("\"decision\":\"allow\"", "\"decision\":\"deny\""),
        ("\"reason\":null", "\"reason\":\"x\""),
        (TRACE, "4bf92f3577b34da6a3ce929d0e0e4737"),
        (" n=", " n=1"),
        (" mac=", " mac="),
    ] {
        let changed = log.lines[7].replace(from, to);
        if from != to {
            assert_ne!(changed, log.lines[7]);
            assert_eq!(what(&with(7, changed)), "8 altered", "{from}");
        }
    }
    assert_eq!(what(&with(7, log.lines[7].replace("key=orders-1", "key=nobody-1"))), "8 altered");
    assert_eq!(what(&with(7, log.lines[6].clone())), "8 repeated");
    assert_eq!(what(&with(7, log.lines[7][..90].to_owned())), "8 cut");
    let cut = found(&log.lines[..40]);
    assert_eq!(cut["gaps"], json!([{ "boot": "05".repeat(16), "first": 40, "last": 47, "why": "removed" }]));
}

#[test]
fn what_is_not_known_is_said() {
    let log = Logged::new("audit-unknown", 1);
    let file = log.folder.join("no-word");
    fs::write(&file, log.lines.join("\n")).unwrap();
    log.verify(&file, &[]).succeeds().says("no word of Envoy's own log").says("as far as it goes");
    log.verify(&file, &["--ended"]).ends_with(1).says("without a last word");
    fs::write(&file, log.lines[5..].join("\n")).unwrap();
    log.verify(&file, &[]).ends_with(1).says("0 to 4: not in these logs");
    log.verify(&file, &["--part"]).succeeds();
    fs::write(&file, log.lines.join("\n").replace("\"chain\":\"v=1", "\"chain\":\"-\",\"was\":\"v=1")).unwrap();
    log.verify(&file, &[]).succeeds().says("24 decisions have no link");
    let keys = log.folder.join("other.env");
    fs::write(&keys, format!("PARTYWALL_FINGERPRINT=1:x\nPARTYWALL_AUDIT_CHAIN=other-1:{}\n", &KEY[9..])).unwrap();
    fs::write(&file, log.lines.join("\n")).unwrap();
    let verify = ["audit", "verify", path(&file), "--key"];
    partywall(&[&verify[..], &[path(&keys)]].concat()).ends_with(1).says("under a key that --key does not give");
    fs::write(&keys, "PARTYWALL_AUDIT_CHAIN=short\n").unwrap();
    partywall(&[&verify[..], &[path(&keys)]].concat()).ends_with(3).says("audit.keys");
}

#[test]
fn a_pruned_log_verifies_and_what_is_done_to_it_afterwards_is_found() {
    let log = Logged::new("audit-prune", 10);
    let (file, key) = (log.write(&log.lines), log.folder.join("audit.keys"));
    let prune = |from: &Path, keep: &str, to: &str| {
        let out = log.folder.join(to);
        let arguments = ["audit", "prune", path(from), "--keep", keep, "--key", path(&key), "--out", path(&out)];
        (partywall(&arguments), out)
    };
    let (ran, kept) = prune(&file, "denials=1y,allows=3d", "kept");
    ran.succeeds().says("decisions were taken out");
    let text = fs::read_to_string(&kept).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("\"decision\":\"deny\""), 80, "every denial");
    assert!(
        count("\"policy\":\"grant:g-7\"") == 20 && (46..52).contains(&(count("\"decision\":\"allow\"") - 14)),
        "{text}"
    );
    assert_eq!(count("partywall_pruned"), 1);
    log.verify(&kept, &["--ended"]).succeeds();
    // Once more, and shorter.
    let (ran, less) = prune(&kept, "denials=2d,allows=1d", "less");
    ran.succeeds();
    log.verify(&less, &["--ended"]).succeeds();
    assert!(fs::read_to_string(&less).unwrap().lines().count() < 40);
    // Each line that goes now, the statement among them; that one has the last word in it, too.
    let gone = log.folder.join("gone");
    for at in (0..lines.len()).filter(|at| !lines[*at].contains("partywall: chain")) {
        let rest: Vec<&str> = lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| *line).collect();
        fs::write(&gone, rest.join("\n")).unwrap();
        log.verify(&gone, &["--ended"]).ends_with(1);
    }
    fs::write(&gone, text.replace("pruned=2,", "pruned=1,")).unwrap();
    log.verify(&gone, &[]).ends_with(1).says("altered");
    // What is not whole is not pruned, and nothing is written over.
    let mut broken = log.lines.clone();
    broken.remove(9);
    let (ran, out) = prune(&log.write(&broken), "denials=1y,allows=3d", "not");
    ran.ends_with(1).says("nothing was pruned");
    assert!(!out.exists());
    prune(&log.write(&log.lines), "denials=1y,allows=3d", "kept").0.ends_with(3).says("kept");
    for wrong in ["1y", "denials=1y", "denials=1y,allows=7", "denials=1y,allows=7d,allows=1d", "denials=x,allows=1d"] {
        prune(&file, wrong, "wrong").0.ends_with(2).says("denials=1y,allows=7d");
    }
}

#[test]
fn each_use_of_a_grant_is_listed_and_nothing_else() {
    let log = Logged::new("audit-grants", 2);
    let file = log.write(&log.lines);
    let found = partywall(&["audit", "grants", path(&file), "--json"]).succeeds().json();
    let uses = found.as_array().unwrap();
    assert_eq!(uses.len(), 4);
    for one in uses {
        let told = ["grant", "principal", "tenant", "owner", "action"].map(|name| one[name].as_str().unwrap());
        assert_eq!(told, ["g-7", "s1_0", "t1_0", "t1_f", "orders:read"]);
        assert_eq!(one["line"].as_u64().unwrap() % 12, 2);
    }
    partywall(&["audit", "grants", path(&file)])
        .succeeds()
        .says("g-7: s1_0 of t1_0 into t1_f")
        .says("4 uses of grants");
}
