//! Reading case files of HTTP events.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use std::path::{Path, PathBuf};

use partywall_event_scope::kafka::session::Action;
use serde_json::Value;

use crate::world::Prefix;

/// All cases of a folder below `cases`, by name.
pub fn files(folder: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(folder);
    let mut all: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    let read = |file: PathBuf| {
        let case = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap());
        let case = case.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, case)
    };
    all.into_iter().map(read).collect()
}

/// A text, if there is one.
pub fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => panic!("`{other}` is no text"),
    }
}

/// What a topic's name ends with, and what is denied of it.
pub type Denied = Vec<(&'static str, Option<Action>)>;

/// The world of acme, and what is denied in it.
pub fn world_of(given: &Value) -> (Prefix, Denied) {
    let mut acme = Prefix::of("acme");
    let mut denied = Vec::new();
    for (key, value) in given.as_object().into_iter().flatten() {
        match key.as_str() {
            "range" => {
                let number = |n: usize| i32::try_from(value[n].as_i64().unwrap()).unwrap();
                acme.range = Some((number(0), number(1)));
            }
            "uncounted" => acme.uncounted = value.as_bool().unwrap(),
            "denied" => {
                for (topic, action) in value.as_object().unwrap() {
                    let topic: &'static str = Box::leak(topic.clone().into_boxed_str());
                    let all = [
                        Action::Produce,
                        Action::Consume,
                        Action::Describe,
                        Action::Create,
                        Action::Delete,
                        Action::Alter,
                    ];
                    let action = all.into_iter().find(|one| one.name() == text(action).unwrap()).unwrap();
                    denied.push((topic, Some(action)));
                }
            }
            other => panic!("`given` has no {other}"),
        }
    }
    (acme, denied)
}
