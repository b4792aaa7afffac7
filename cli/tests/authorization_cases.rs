//! Plays every topic of `filters/authorization/cases/decide`: a part of a directory, requests, and what is decided.
//! `integration/tests/authorization_cases.rs` plays the same files in a real Envoy.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{copy, folder, partywall, path, sample};

fn topics() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../filters/authorization/cases/decide");
    let mut topics: Vec<_> = fs::read_dir(all).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    topics.sort();
    topics
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The topic laid over the sample directory; see the README beside the topics.
fn lay(topic: &Path, to: &Path) {
    copy(&sample(), to);
    for part in ["cases", "services", "policies", "tenants"] {
        if topic.join(part).is_dir() {
            fs::remove_dir_all(to.join(part)).unwrap();
            copy(&topic.join(part), &to.join(part));
        }
    }
    for part in ["profiles", "shares"] {
        if topic.join(part).is_dir() {
            copy(&topic.join(part), &to.join(part));
        }
    }
    if topic.join("datasets.yaml").is_file() {
        fs::copy(topic.join("datasets.yaml"), to.join("datasets.yaml")).unwrap();
    }
    if let Ok(cells) = fs::read_to_string(topic.join("cells.yaml")) {
        let mesh = to.join("mesh.yaml");
        let text = fs::read_to_string(&mesh).unwrap();
        let line = text.lines().find(|line| line.starts_with("cells:")).unwrap();
        fs::write(&mesh, text.replace(line, cells.trim_end())).unwrap();
    }
    if let Ok(more) = fs::read_to_string(topic.join("mesh.append.yaml")) {
        let mesh = to.join("mesh.yaml");
        fs::write(&mesh, fs::read_to_string(&mesh).unwrap() + &more).unwrap();
    }
}

fn cases(topic: &Path) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for file in fs::read_dir(topic.join("cases")).unwrap() {
        let file = file.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let cases: Value = serde_saphyr::from_str(&text).unwrap();
        let cases = cases["cases"].as_array().unwrap().clone();
        found.extend(cases.into_iter().map(|case| (name(&file), case)));
    }
    found
}

#[test]
fn every_case_is_decided_as_it_says_and_every_policy_is_reached() {
    let root = folder("authorization-topics");
    let (mut passed, mut wrong) = (0, Vec::new());
    for topic in topics() {
        let directory = root.join(name(&topic));
        lay(&topic, &directory);
        let ran = partywall(&["test", path(&directory), "--json"]);
        assert!(ran.status() <= 1, "{}: {}", topic.display(), ran.stderr());
        let report = ran.json();
        passed += report["passed"].as_u64().unwrap();
        let failed = report["cases"].as_array().unwrap().iter().filter(|case| case["passed"] == false);
        wrong.extend(failed.map(|case| format!("{}: {}: got {}", case["at"], case["name"], case["got"])));
        let idle = report["coverage"].as_array().unwrap().iter().filter(|policy| policy["satisfied"] == 0);
        wrong.extend(idle.map(|policy| format!("{}: no case satisfies {}", topic.display(), policy["policy"])));
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), passed, wrong.join("\n"));
    assert!(passed >= 200, "only {passed} cases were found");
    println!("{passed} cases");
}

/// A case that could not fail would show nothing.
#[test]
fn a_case_that_says_the_opposite_fails() {
    let root = folder("authorization-flipped");
    let mut flipped = 0;
    for topic in topics() {
        let directory = root.join(name(&topic));
        lay(&topic, &directory);
        let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (file, mut case) in cases(&topic) {
            let then = match case["then"]["decision"].as_str() {
                Some("allow") => serde_json::json!({ "decision": "deny" }),
                _ => serde_json::json!({ "decision": "allow" }),
            };
            case["then"] = then;
            files.entry(file).or_default().push(case);
        }
        for (file, cases) in &files {
            fs::write(directory.join("cases").join(file), serde_json::json!({ "cases": cases }).to_string()).unwrap();
        }
        let report = partywall(&["test", path(&directory), "--json"]).ends_with(1).json();
        assert_eq!(report["passed"], 0, "{}", topic.display());
        flipped += report["failed"].as_u64().unwrap();
    }
    println!("{flipped} cases turned around, and each of them failed");
}

/// Each takes a branch of its own: no two ask the same, and what is expected is told apart by policy or reason.
#[test]
fn no_two_cases_ask_the_same() {
    let (mut asked, mut names) = (BTreeSet::new(), BTreeSet::new());
    for topic in topics() {
        for (file, case) in cases(&topic) {
            let question = format!("{} {} {}", name(&topic), case["given"], case["when"]);
            assert!(asked.insert(question.clone()), "{question} is asked twice");
            let title = format!("{}/{}", name(&topic), case["name"]);
            assert!(names.insert(title.clone()), "{title} of {file} is there twice");
            let then = case["then"].as_object().unwrap();
            let settled = ["reason", "policy", "shadow"].iter().any(|field| then.contains_key(*field));
            assert!(settled, "{title} would take any policy and any reason");
        }
    }
    println!("{} cases of {} topics", asked.len(), topics().len());
}
