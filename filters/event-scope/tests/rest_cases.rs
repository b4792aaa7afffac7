//! The cases in `cases/rest`: what a client sends, what the server gets and says, and what the client gets.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "cases are files, and a test may say what it did"
)]

#[path = "common/http_cases.rs"]
mod http_cases;
#[path = "common/world.rs"]
mod world;

use std::path::Path;

use http_cases::{files, text, world_of};
use partywall_event_scope::rest::{Base, Decision, Exchange, Head, Options, Peers, Refused, Version};
use serde_json::Value;
use world::{All, Prefix};

const KEYS: &[&str] = &[
    "why",
    "given",
    "request",
    "type",
    "body",
    "path",
    "sent",
    "status",
    "answer",
    "answer_type",
    "got",
    "refused",
    "decided",
];

/// What came of a case, as it is compared.
#[derive(Debug, Default, PartialEq)]
struct Came {
    path: Option<String>,
    sent: Option<String>,
    got: Option<String>,
    refused: Option<String>,
    decided: Vec<String>,
}

/// Bodies in pieces of `size` bytes.
fn run(case: &Value, version: Version, size: usize) -> Came {
    let (acme, denied) = world_of(&case["given"]);
    let mut all = All::of([acme.clone(), Prefix::of("rival")]);
    all.policy.denied = denied;
    let peers = Peers { world: &acme, decide: &all.policy };
    let (method, path) = text(&case["request"]).unwrap().split_once(' ').unwrap();
    let base = Base::new("https", "rest.shop.example:8443").unwrap();
    let (content_type, mut decisions, mut came) = (text(&case["type"]), Vec::new(), Came::default());
    let head = Head { method, path, base: &base, content_type };
    let begun = Exchange::begin(version, &head, &peers, Options::default(), &mut decisions);
    let outcome = begun.and_then(|mut exchange| {
        let outcome = talk(&mut exchange, case, &peers, size, &mut came);
        decisions.extend(exchange.take_decisions());
        outcome
    });
    came.refused = outcome.err().map(|refused| refused.to_string());
    came.decided = decisions.iter().map(told).collect();
    came
}

fn talk(exchange: &mut Exchange, case: &Value, peers: &Peers<'_>, size: usize, came: &mut Came) -> Result<(), Refused> {
    let mut out = Vec::new();
    let body = text(&case["body"]).unwrap_or_default().as_bytes();
    let result = body.chunks(size).try_for_each(|chunk| exchange.request(chunk, false, peers, &mut out));
    result.and_then(|()| exchange.request(b"", true, peers, &mut out))?;
    came.path = Some(exchange.path().to_owned());
    came.sent = Some(String::from_utf8(out).unwrap()).filter(|sent| !sent.is_empty());
    let Some(answer) = text(&case["answer"]) else { return Ok(()) };
    let status = case["status"].as_u64().unwrap_or(200).try_into().unwrap();
    let content_type = text(&case["answer_type"]).unwrap_or("application/json");
    let mut out = Vec::new();
    exchange.respond(status, Some(content_type), answer.is_empty())?;
    answer.as_bytes().chunks(size).try_for_each(|chunk| exchange.response(chunk, false, peers, &mut out))?;
    exchange.response(b"", true, peers, &mut out)?;
    came.got = Some(String::from_utf8(out).unwrap());
    Ok(())
}

fn told(decision: &Decision) -> String {
    let topic = String::from_utf8_lossy(&decision.topic);
    format!("{} {topic} {}", decision.action.name(), if decision.allow { "allow" } else { "deny" })
}

fn check(file: &Path, case: &Value, version: Version, wrong: &mut Vec<String>) {
    for key in case.as_object().unwrap().keys() {
        assert!(KEYS.contains(&key.as_str()), "{}: `{key}` says nothing", file.display());
    }
    let own = |key: &str| text(&case[key]).map(str::to_owned);
    let decided = case["decided"].as_array().into_iter().flatten();
    let expected = Came {
        path: own("path"),
        sent: own("sent"),
        got: own("got"),
        refused: own("refused"),
        decided: decided.map(|one| text(one).unwrap().to_owned()).collect(),
    };
    for size in [usize::MAX, 1, 7] {
        let came = run(case, version, size);
        if came != expected {
            wrong.push(format!("{}, in pieces of {size}:\n  came {came:#?}\n  said {expected:#?}", file.display()));
        }
    }
}

#[test]
fn every_case_comes_out_as_it_says() {
    let mut wrong = Vec::new();
    for (version, folder, least) in [(Version::V2, "v2", 20), (Version::V3, "v3", 10)] {
        let all = files(&format!("rest/{folder}"));
        assert!(all.len() >= least, "{folder} has {} cases", all.len());
        for (file, case) in all {
            check(&file, &case, version, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
