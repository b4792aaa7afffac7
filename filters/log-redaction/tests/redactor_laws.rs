//! What holds of every body of every carrier: nothing that was found goes on, no name of another tenant does, what is clean
//! stays, and what was redacted stays as it is, in whatever pieces it comes.

#[path = "common/kinds.rs"]
mod kinds;
#[path = "labelled/mod.rs"]
mod labelled;
#[path = "common/messages.rs"]
mod messages;
#[path = "common/redact.rs"]
mod redact;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/script.rs"]
mod script;
#[path = "common/telemetry.rs"]
mod telemetry;

use std::rc::Rc;

use kinds::{kinds, same};
use partywall_log_redaction::carriers::{Carrier, Kind, Limits};
use partywall_log_redaction::detect::{Detectors, Selection};
use partywall_log_redaction::fields::{FieldAction, FieldRule, FieldSet, Unlisted};
use partywall_log_redaction::redactor::{Engine, Own, Redactor, Rules};
use partywall_log_redaction::replace::{Action, Replace};
use partywall_log_redaction::tenants::{Foreign, TenantRules, Unattributed};
use redact::{ACME, GLOBEX_PRINT, again, directory, engine, keys, of, run};
use samples::sample;
use script::{Answer, Script};
use telemetry::Random;

/// A body in which `value` stands in many places, keys and values; apart from what is beside it.
fn body(kind: Kind, value: &str, random: &mut Random) -> Vec<u8> {
    let answers = vec![Answer { text: Some("z-q".into()), to: Some(format!("({value})")), ..Answer::default() }];
    let (mut script, mut out) = (Script::new(answers, Vec::new()), Vec::new());
    Carrier::new(kind, Limits::default()).push(&sample(kind, random), true, &mut script, &mut out).unwrap();
    out
}

fn has(bytes: &[u8], value: &str) -> bool {
    bytes.windows(value.len()).any(|window| window.eq_ignore_ascii_case(value.as_bytes()))
}

fn each(mut law: impl FnMut(&str, Kind, &mut Random)) {
    for (name, kind) in kinds() {
        for seed in 0..6 {
            law(name, kind, &mut Random(seed));
        }
    }
}

fn rules(action: Action, foreign: Foreign) -> Rules {
    Rules {
        replace: Replace { default: action, ..Replace::default() },
        tenants: Some(TenantRules { foreign, ..TenantRules::default() }),
        ..Rules::default()
    }
}

const ACTIONS: [Action; 6] =
    [Action::Mask, Action::Pseudonym, Action::Encrypt, Action::Partial, Action::DropField, Action::DropRecord];
const PERSONAL: [&str; 4] = ["ada@example.com", "4111111111111111", "2001:db8:1:2::77", "DE89370400440532013000"];
const MARKS: [&str; 3] = [GLOBEX_PRINT, "www.globex.test", "globex.shop.example"];

#[test]
fn nothing_that_is_found_goes_on() {
    for action in ACTIONS {
        let facts = of(Own::Tenant(ACME));
        let mut redactor = Redactor::new(engine(&rules(action, Foreign::Drop)), &facts);
        let mut held = 0;
        each(|name, kind, random| {
            for value in PERSONAL {
                let body = body(kind, value, random);
                held += usize::from(has(&body, value));
                let (out, _) = again(&mut redactor, &facts, kind, &[&body]).unwrap();
                assert!(!has(&out, value), "{name} {action:?}: {}", same(kind, &out));
            }
        });
        assert!(held > 200, "{held} bodies held something");
    }
}

#[test]
fn no_name_of_another_tenant_goes_on_wherever_it_stands() {
    for (foreign, own) in [
        (Foreign::Drop, Own::Tenant(ACME)),
        (Foreign::Quarantine, Own::Tenant(ACME)),
        (Foreign::Mask, Own::Tenant(ACME)),
        (Foreign::Mask, Own::Record),
    ] {
        let facts = of(own);
        let mut redactor = Redactor::new(engine(&rules(Action::Partial, foreign)), &facts);
        let mut held = 0;
        each(|name, kind, random| {
            for mark in MARKS {
                for value in [mark.to_owned(), format!("a@{mark}"), format!("https://u:pw12345678@{mark}/x?y={mark}")] {
                    let body = body(kind, &value, random);
                    held += usize::from(has(&body, mark));
                    let (out, _) = again(&mut redactor, &facts, kind, &[&body]).unwrap();
                    assert!(!has(&out, mark), "{name} {foreign:?} {own:?}: {}", same(kind, &out));
                }
            }
        });
        assert!(held > 400, "{held} bodies held a name");
    }
}

#[test]
fn what_is_clean_stays_byte_by_byte() {
    let selection = Selection { without: vec!["ipv4".into()], ..Selection::default() };
    let detectors = Rc::new(Detectors::new(&selection).unwrap());
    let kept = FieldRule { path: "**".into(), slots: Vec::new(), action: FieldAction::Scan };
    let fields = vec![FieldSet { unlisted: Unlisted::Drop, rules: vec![kept], ..FieldSet::default() }];
    let rules = Rules { fields, ..rules(Action::Mask, Foreign::Drop) };
    let engine = Rc::new(Engine::new(&rules, detectors, Rc::new(directory()), Rc::new(keys())).unwrap());
    each(|name, kind, random| {
        let body = sample(kind, random);
        let (out, counts) = run(&engine, &of(Own::Tenant(ACME)), kind, &[&body]).unwrap();
        assert!(counts.is_empty(), "{name}: {counts:?}");
        assert!(out == body, "{name}: {}", same(kind, &out));
    });
}

#[test]
fn what_was_redacted_stays_as_it_is_in_whatever_pieces() {
    let tenants = TenantRules {
        foreign: Foreign::Mask,
        tag: Some("partywall.tenant".into()),
        unattributed: Unattributed::KeepMasked,
        ..TenantRules::default()
    };
    for action in ACTIONS {
        let rules = Rules { tenants: Some(tenants.clone()), ..rules(action, Foreign::Mask) };
        let facts = of(Own::Tenant(ACME));
        let mut redactor = Redactor::new(engine(&rules), &facts);
        each(|name, kind, random| {
            for value in PERSONAL.into_iter().chain(MARKS) {
                let body = body(kind, value, random);
                let (out, _) = again(&mut redactor, &facts, kind, &[&body]).unwrap();
                let mut pieces = Vec::new();
                let mut rest = &body[..];
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at((1 + random.below(40)).min(rest.len()));
                    pieces.push(piece);
                    rest = behind;
                }
                assert!(again(&mut redactor, &facts, kind, &pieces).unwrap().0 == out, "{name} {action:?}: pieces");
                let (twice, _) = again(&mut redactor, &facts, kind, &[&out]).unwrap();
                assert!(twice == out, "{name} {action:?}:\n{}\n{}", same(kind, &out), same(kind, &twice));
            }
        });
    }
}

#[test]
fn a_redactor_that_is_used_again_is_as_a_new_one() {
    let engine = engine(&rules(Action::Pseudonym, Foreign::Drop));
    let facts = of(Own::Record);
    let mut used = Redactor::new(engine.clone(), &facts);
    each(|name, kind, random| {
        let body = body(kind, "ada@example.com", random);
        let mut out = Vec::new();
        used.next(&facts);
        Carrier::new(kind, Limits::default()).push(&body, true, &mut used, &mut out).unwrap();
        assert!(out == run(&engine, &facts, kind, &[&body]).unwrap().0, "{name}");
        used.take_counts();
    });
}

#[test]
fn lines_of_the_labelled_set_are_redacted_once() {
    let lines: Vec<String> = labelled::set().into_iter().map(|line| line.text.replace(['\n', '\r'], " ")).collect();
    let body = lines.join("\n").into_bytes();
    for action in [Action::Mask, Action::Pseudonym, Action::Encrypt, Action::Partial] {
        let facts = of(Own::Tenant(ACME));
        let mut redactor = Redactor::new(engine(&rules(action, Foreign::Mask)), &facts);
        let (out, counts) = again(&mut redactor, &facts, Kind::Lines, &[&body]).unwrap();
        assert!(counts.iter().map(|count| count.count).sum::<u64>() > 1000, "{counts:?}");
        let (twice, _) = again(&mut redactor, &facts, Kind::Lines, &[&out]).unwrap();
        let (out, twice) = (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&twice).into_owned());
        for (once, twice) in out.lines().zip(twice.lines()) {
            assert_eq!(once, twice, "{action:?}");
        }
    }
}
