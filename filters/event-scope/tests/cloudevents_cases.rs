//! The cases in `cases/cloudevents`: an event that is sent or comes, and what goes on.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "cases are files, and a test may say what it did"
)]

#[path = "common/http_cases.rs"]
mod http_cases;
#[path = "common/world.rs"]
mod world;

use http_cases::{files, text};
use partywall_event_scope::cloudevents::{
    Bound, Change, Judge, Refused, Rules, Sign, Source, Verify, Way, binary, body, mode,
};
use partywall_tenancy::TenantId;
use serde_json::Value;

const KEYS: &[&str] = &["why", "rules", "way", "headers", "body", "changes", "goes", "refused"];

/// Signs and believes `for-acme(TYPE|SOURCE|ID)`.
struct Signer;

fn token(event: &Bound<'_>) -> String {
    format!("for-acme({}|{}|{})", event.kind, event.source, event.id)
}

impl Sign for Signer {
    fn sign(&self, event: &Bound<'_>) -> Option<String> {
        (event.kind != "unsigned").then(|| token(event))
    }
}

impl Verify for Signer {
    fn verify(&self, shown: &str, event: &Bound<'_>) -> bool {
        shown == token(event)
    }
}

fn rules(case: &Value) -> Rules {
    let template = |key: &str| text(&case["rules"][key]).map(|template| Source::parse(template).unwrap());
    let types = case["rules"]["types"].as_array().into_iter().flatten();
    let types = types.map(|one| text(one).unwrap().to_owned()).collect();
    Rules { source: template("source"), subject: template("subject"), types }
}

/// What changes in the headers, what body goes on, or why neither.
fn run(case: &Value) -> Result<(Vec<String>, Option<String>), Refused> {
    let rules = rules(case);
    let headers: Vec<(&str, &[u8])> = case["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| text(line).unwrap().split_once(": ").map(|(name, value)| (name, value.as_bytes())).unwrap())
        .collect();
    let tenant = TenantId::parse("acme").unwrap();
    let way = match text(&case["way"]).unwrap() {
        "sent" => Way::Sent(Some(&Signer)),
        "sent unsigned" => Way::Sent(None),
        "came" => Way::Came(&Signer),
        other => panic!("no way `{other}`"),
    };
    let judge = Judge { tenant: &tenant, rules: &rules, way };
    let content_type = headers.iter().find(|(name, _)| *name == "content-type");
    let content_type = content_type.map(|(_, value)| std::str::from_utf8(value).unwrap());
    let mode = mode(content_type, headers.iter().map(|(name, _)| name))?;
    if let Some(given) = text(&case["body"]) {
        let mut out = Vec::new();
        body(mode, given.as_bytes(), &judge, &mut out)?;
        return Ok((Vec::new(), Some(String::from_utf8(out).unwrap())));
    }
    let told = |change: Change| match change {
        Change::Remove(name) => format!("-{name}"),
        Change::Set(name, value) => format!("{name}: {value}"),
    };
    Ok((binary(headers.iter().copied(), &judge)?.into_iter().map(told).collect(), None))
}

#[test]
fn every_case_comes_out_as_it_says() {
    let all = files("cloudevents");
    assert!(all.len() >= 25, "{} cases", all.len());
    let mut wrong = Vec::new();
    for (file, case) in all {
        for key in case.as_object().unwrap().keys() {
            assert!(KEYS.contains(&key.as_str()), "{}: `{key}` says nothing", file.display());
        }
        let expected = match text(&case["refused"]) {
            Some(why) => Err(why.to_owned()),
            None => {
                let changes = case["changes"].as_array().into_iter().flatten();
                let changes = changes.map(|one| text(one).unwrap().to_owned()).collect::<Vec<_>>();
                Ok((changes, text(&case["goes"]).map(str::to_owned)))
            }
        };
        let came = run(&case).map_err(|refused| refused.to_string());
        if came != expected {
            wrong.push(format!("{}:\n  came {came:#?}\n  said {expected:#?}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
