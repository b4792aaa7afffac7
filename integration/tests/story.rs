//! The story of the demo, once decided by `sidecar` and once by the separate stages.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use partywall_integration::mesh::{Mesh, Options, SIDECAR, STAGES};
use partywall_integration::play::{Outcome, Player};
use partywall_integration::story::{Step, story};
use serde_json::Value;

type Played = Vec<(Step, Outcome)>;

static BY_SIDECAR: LazyLock<Played> = LazyLock::new(|| play("story-sidecar", SIDECAR));
static BY_STAGES: LazyLock<Played> = LazyLock::new(|| play("story-stages", STAGES));

fn play(name: &str, filters: &[&str]) -> Played {
    let mesh = Mesh::start(&Options { filters, ..Options::named(name) }).unwrap();
    let mut player = Player::new(&mesh);
    story().into_iter().map(|step| player.play(&step).map(|outcome| (step, outcome)).unwrap()).collect()
}

fn assert_as_expected(played: &Played) {
    let wrong: Vec<String> = played
        .iter()
        .filter(|(_, outcome)| !outcome.differences.is_empty())
        .map(|(step, outcome)| format!("{} {}: {}", step.tenant, step.name, outcome.differences.join("; ")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sidecar_decides_as_the_story_tells() {
    assert_as_expected(&BY_SIDECAR);
}

#[test]
fn the_separate_stages_decide_as_the_story_tells() {
    assert_as_expected(&BY_STAGES);
}

#[test]
fn both_give_the_same_answer_decision_and_reason_at_every_hop() {
    for ((step, one), (_, two)) in BY_SIDECAR.iter().zip(BY_STAGES.iter()) {
        assert_eq!(one.decisions(), two.decisions(), "{} {}", step.tenant, step.name);
        assert_eq!(one.answer.status, two.answer.status, "{} {}", step.tenant, step.name);
        assert_eq!(one.answer.json()["reason"], two.answer.json()["reason"], "{} {}", step.tenant, step.name);
        let policies = |outcome: &Outcome| -> Vec<String> { outcome.lines.iter().map(|l| l.field("policy")).collect() };
        assert_eq!(policies(one), policies(two), "{} {}", step.tenant, step.name);
    }
}

#[test]
fn a_tenant_has_one_fingerprint_at_every_hop_and_no_other_has_it() {
    let prints = |tenant: &str| -> BTreeSet<String> {
        let allowed = BY_SIDECAR.iter().filter(|(step, outcome)| step.tenant == tenant && outcome.answer.status == 200);
        allowed.flat_map(|(_, outcome)| &outcome.lines).map(|line| line.field("tenant")).collect()
    };
    let all: Vec<BTreeSet<String>> = ["acme", "globex", "initech"].map(prints).into();
    for of_one in &all {
        assert_eq!(of_one.len(), 1, "{all:?}");
        assert!(of_one.iter().all(|print| print.starts_with("t1_") && print.len() == 19), "{all:?}");
    }
    assert_eq!(all.iter().flatten().collect::<BTreeSet<_>>().len(), 3, "{all:?}");
}

/// What the log holds of a decision, and nobody's name: neither a tenant's nor a subject's, nor an id of a request.
#[test]
fn every_line_says_what_it_was_decided_on_and_names_nobody() {
    let mut decided = 0;
    for (step, line) in [&*BY_SIDECAR, &*BY_STAGES]
        .into_iter()
        .flat_map(|played| played.iter().flat_map(|(step, outcome)| outcome.lines.iter().map(move |line| (step, line))))
    {
        let about = format!("{} {}, {}: {}", step.tenant, step.name, line.hop, line.text());
        let explained: Value = serde_json::from_str(&line.field("explain")).expect(&about);
        assert_eq!(explained["partywall"], 1, "{about}");
        let said = |name: &str| explained[name].as_str().unwrap_or_default().to_owned();
        for name in ["decision", "reason", "policy", "tenant"] {
            assert_eq!(said(name), line.field(name), "{name}, {about}");
        }
        assert_eq!(explained["revision"].to_string(), line.field("revision"), "{about}");
        assert!(explained["overlay"].as_u64().is_some_and(|sequence| sequence > 1_700_000_000_000), "{about}");
        let lower = line.field("explain").to_lowercase();
        // What replaced `{mark}`: no other request has that word.
        let path = line.field("path");
        let mark = path.split(['/', '=']).find(|part| part.starts_with('r') && part.contains('x'));
        for name in ["acme", "globex", "initech", "nobody", "alice", "bob"].into_iter().chain(mark) {
            assert!(!lower.contains(name), "{name}, {about}");
        }
        if said("reason").is_empty() {
            decided += 1;
            assert!(said("principal").starts_with("s1_") && !said("path").is_empty(), "{about}");
            assert_eq!(said("path").contains("{id}"), said("id").starts_with("r1_"), "{about}");
            assert_eq!(said("path").contains("{tenant}"), said("owner").starts_with("t1_"), "{about}");
            assert!(explained["roles"].as_array().is_some_and(|roles| !roles.is_empty()), "{about}");
            assert!(explained["time"].as_u64().is_some_and(|time| time > 1_700_000_000), "{about}");
        }
    }
    assert!(decided >= 40, "{decided}");
}
