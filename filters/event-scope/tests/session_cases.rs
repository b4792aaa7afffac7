//! The cases in `cases/kafka`: what a client sends, what the broker gets, what it answers, and what the client gets.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "cases are files, and a test may say what it did"
)]

mod common;

use std::path::{Path, PathBuf};

use common::read::Table;
use common::world::{All, Prefix};
use common::{Side, fields, table};
use partywall_event_scope::kafka::session::{Action, Close, Options, Session, Step};
use serde_json::Value;

const STAND_IN: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
const STAND_IN_ANSWER: [u8; 14] = [0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0];

/// Runs one. The folder above is the version, that above it the API.
fn run(file: &Path, table: &Table) {
    let text = std::fs::read_to_string(file).unwrap();
    let case: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for key in case.as_object().unwrap().keys() {
        assert!(["why", "by", "given", "talk"].contains(&key.as_str()), "{}: `{key}` says nothing", file.display());
    }
    let folder = |n: usize| file.ancestors().nth(n).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let (version, api) = (folder(1).parse().unwrap(), folder(2));
    let all = given(&case["given"]);
    let mut session = Session::new(Options::default());
    if case["given"]["nobody"] != true {
        session.identify("acme".into());
    }
    for (n, step) in case["talk"].as_array().expect("`talk` is a list").iter().enumerate() {
        say(step, (&api, version), table, &all, &mut session, &format!("{}: step {}", file.display(), n + 1));
    }
}

fn given(given: &Value) -> All {
    let mut acme = Prefix::of("acme");
    let mut denied = Vec::new();
    let mut known = Vec::new();
    for (key, value) in given.as_object().into_iter().flatten() {
        match key.as_str() {
            // Whose the connection is when it begins.
            "nobody" => assert!(value.as_bool().unwrap()),
            "port" => acme.port = Some(u16::try_from(value.as_u64().unwrap()).unwrap()),
            "auto_create" => acme.auto_create = value.as_bool().unwrap(),
            "classic_only" => acme.classic_only = value.as_bool().unwrap(),
            "range" => {
                let number = |n: usize| i32::try_from(value[n].as_i64().unwrap()).unwrap();
                acme.range = Some((number(0), number(1)));
            }
            "denied" => {
                for (topic, actions) in value.as_object().unwrap() {
                    let action = match actions.as_str().unwrap() {
                        "events:produce" => Action::Produce,
                        "events:consume" => Action::Consume,
                        "events:describe" => Action::Describe,
                        "events:create" => Action::Create,
                        "events:delete" => Action::Delete,
                        "events:alter" => Action::Alter,
                        other => panic!("no action {other}"),
                    };
                    let topic: &'static str = Box::leak(topic.clone().into_boxed_str());
                    denied.push((topic, Some(action)));
                }
            }
            "ids" => {
                for (id, topic) in value.as_object().unwrap() {
                    known.push(([id.parse().unwrap(); 16], topic.as_str().unwrap().as_bytes().to_vec()));
                }
            }
            other => panic!("`given` has no {other}"),
        }
    }
    let mut all = All::of([acme, Prefix::of("rival")]);
    all.policy.denied = denied;
    all.ids.names.borrow_mut().extend(known);
    all
}

fn say(step: &Value, (api, version): (&str, u8), table: &Table, all: &All, session: &mut Session, name: &str) {
    let step = step.as_object().expect(name);
    for key in step.keys() {
        let known = ["api", "version", "client_sends", "broker_gets", "broker_says", "client_gets"];
        assert!(known.contains(&key.as_str()), "{name}: `{key}` says nothing");
    }
    let api = step.get("api").map_or(api, |api| api.as_str().unwrap());
    let version = step.get("version").map_or(version, |version| u8::try_from(version.as_u64().unwrap()).unwrap());
    let api = table.apis.iter().find(|known| known.name == api).unwrap_or_else(|| panic!("{name}: no API {api}"));
    let request = |client, said: &Value| {
        hex(said).unwrap_or_else(|| fields::frame(table, api, version, Side::Request, Some(client), said))
    };
    let response =
        |said: &Value| hex(said).unwrap_or_else(|| fields::frame(table, api, version, Side::Response, None, said));

    let mut asked = Step::default();
    session.from_client(&request("app", &step["client_sends"]), &all.peers(), &mut asked);
    let gets = step.get("broker_gets").unwrap_or(&Value::Null);
    let wanted = match gets.as_str().filter(|_| hex(gets).is_none()) {
        Some("nothing") => Vec::new(),
        Some("a stand-in") => STAND_IN.to_vec(),
        Some("the same") => request("acme.app", &step["client_sends"]),
        Some(other) => panic!("{name}: `broker_gets` is fields, `the same`, `a stand-in` or `nothing`, not `{other}`"),
        None => request("acme.app", gets),
    };
    assert_eq!(asked.out.escape_ascii().to_string(), wanted.escape_ascii().to_string(), "{name}: the broker gets");
    let Some(gets) = step.get("client_gets") else { return };
    if gets.as_str() == Some("an end") && asked.close == Close::Now {
        return;
    }
    assert_eq!(asked.close, Close::No, "{name}: {:?}", asked.trouble);
    let said = step.get("broker_says").unwrap_or(&Value::Null);
    let answer = if asked.out == STAND_IN { STAND_IN_ANSWER.to_vec() } else { response(said) };
    let mut told = Step::default();
    session.from_broker(&answer, &all.peers(), &mut told);
    let wanted = match gets.as_str().filter(|_| hex(gets).is_none()) {
        Some("an end") => return assert_eq!((told.close, told.out), (Close::Now, Vec::new()), "{name}"),
        Some("the same") => response(said),
        Some(other) => panic!("{name}: `client_gets` is fields, `the same` or `an end`, not `{other}`"),
        None => response(gets),
    };
    assert_eq!(told.out.escape_ascii().to_string(), wanted.escape_ascii().to_string(), "{name}: the client gets");
    assert_eq!(told.close, Close::No, "{name}: {:?}", told.trouble);
}

/// A whole frame, where it is given as its bytes.
fn hex(said: &Value) -> Option<Vec<u8>> {
    let digits: String = said.as_str().filter(|said| !said.is_empty())?.split_whitespace().collect();
    let byte = |n| u8::from_str_radix(digits.get(n..n + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_case_ends_as_it_says() {
    let table = table();
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/kafka"), &mut found);
    found.sort();
    let mut failed = 0;
    for file in &found {
        failed += usize::from(std::panic::catch_unwind(|| run(file, &table)).is_err());
    }
    println!("{} cases, {failed} failed", found.len());
    assert!(failed == 0 && found.len() >= 30, "{failed} of {} cases failed", found.len());
}
