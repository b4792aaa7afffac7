//! `partywall consent`: withdrawn at once and in the record, given back only by the record.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{Desk, Ran, partywall, path};

impl Desk {
    fn compiled(name: &str) -> Self {
        let desk = Self::new(name);
        desk.compile(&[]).succeeds();
        desk
    }

    fn consent(&self, words: &[&str], places: &[&str]) -> Ran {
        let of = |place: &&str| match *place {
            "--dir" => ["--dir", path(&self.out)],
            _ => ["--tenancy", path(&self.tenancy)],
        };
        let places: Vec<&str> = places.iter().flat_map(of).collect();
        partywall(&[&["consent"], words, &places].concat())
    }

    fn record(&self) -> String {
        fs::read_to_string(self.tenancy.join("tenants/acme.yaml")).unwrap()
    }

    fn overlay(&self) -> String {
        fs::read_to_string(self.out.join("overlay.yaml")).unwrap_or_default()
    }

    fn bundle(&self) -> Value {
        let bundle = self.out.join("tenancy.workload.bundle");
        let found = partywall(&["inspect", path(&bundle), "--json"]).json();
        let tenants = found["body"]["tenants"].as_array().or_else(|| found["tenants"].as_array()).unwrap().clone();
        tenants.iter().find(|tenant| tenant["id"] == "acme").unwrap()["consents"].clone()
    }
}

const WITHDRAW: [&str; 3] = ["withdraw", "acme", "analytics"];
const GIVE: [&str; 3] = ["give", "acme", "analytics"];
const ENTRY: &str = "withdrawn_consents:\n  - { tenant: \"acme\", consent: \"analytics\" }\n";
const BOTH: [&str; 2] = ["--tenancy", "--dir"];

#[test]
fn what_is_withdrawn_is_gone_from_overlay_and_record_and_comes_back_by_the_record_alone() {
    let desk = Desk::compiled("consent-both");
    assert_eq!(desk.bundle(), json!(["analytics"]));
    let ran = desk.consent(&WITHDRAW, &BOTH).succeeds().says("`analytics` of acme is withdrawn");
    ran.says("the record of acme no longer gives `analytics`; it counts after the next `partywall compile`");
    assert!(desk.overlay().contains(ENTRY), "{}", desk.overlay());
    assert!(desk.record().contains("consents: []\n") && desk.record().contains("# For people."), "{}", desk.record());
    desk.consent(&WITHDRAW, &BOTH).succeeds().says("was withdrawn already").says("already; nothing was changed in it");

    // What is given back counts when a bundle has it; the overlay gives nothing.
    desk.compile(&[]).succeeds();
    assert_eq!(desk.bundle(), json!([]));
    let ran = desk.consent(&GIVE, &["--tenancy"]).succeeds().says("it counts after the next `partywall compile`");
    ran.says("name its folder with --dir");
    assert!(desk.overlay().contains(ENTRY), "without its folder nothing is lifted");
    let ran = desk.consent(&GIVE, &BOTH).succeeds().says("the overlay no longer withdraws `analytics` of acme");
    ran.says("does not have it, so it counts after the next");
    assert!(desk.overlay().contains("withdrawn_consents: []\n") && desk.record().contains("consents: [analytics]"));
    desk.compile(&[]).succeeds();
    assert_eq!(desk.bundle(), json!(["analytics"]));
}

#[test]
fn either_place_alone_and_what_is_mistyped() {
    let desk = Desk::compiled("consent-alone");
    let before = desk.record();
    desk.consent(&["withdraw", "acme", "analytcs"], &["--dir"]).ends_with(3).says("did you mean `analytics`?");
    desk.consent(&["withdraw", "globex", "analytics"], &["--dir"])
        .ends_with(3)
        .says("globex has not given `analytics`");
    desk.consent(&["withdraw", "acne", "analytics"], &["--dir"]).ends_with(3).says("did you mean `acme`?");
    desk.consent(&WITHDRAW, &[]).ends_with(2).says("--tenancy");
    desk.consent(&GIVE, &["--dir"]).ends_with(2).says("--tenancy");
    assert!(!desk.overlay().contains("acme"), "{}", desk.overlay());
    desk.consent(&WITHDRAW, &["--dir"]).succeeds();
    assert!(desk.overlay().contains(ENTRY) && desk.record() == before);
    desk.consent(&GIVE, &BOTH).succeeds().says("nothing was changed in it").says("counts again at once");
    assert!(!desk.overlay().contains(ENTRY));
}

#[test]
fn a_record_that_cannot_be_written_keeps_nothing_from_being_withdrawn_and_gives_nothing_back() {
    let desk = Desk::compiled("consent-broken");
    let broken = |text: &str| fs::write(desk.tenancy.join("tenants/acme.yaml"), text).unwrap();
    let (before, bad) = (desk.record(), "tenant: acme\ntier: gold\nstatus: [\n");
    broken(bad);
    desk.consent(&WITHDRAW, &BOTH).ends_with(3).says("`analytics` of acme is withdrawn");
    assert!(desk.overlay().contains(ENTRY), "what counts at once comes first");
    desk.consent(&GIVE, &BOTH).ends_with(3);
    assert!(desk.overlay().contains(ENTRY), "lifted, and the record does not give it");
    broken(&before);
    desk.consent(&GIVE, &BOTH).succeeds();
    assert!(!desk.overlay().contains(ENTRY));
}

#[test]
fn a_consent_that_only_a_candidate_has_is_withdrawn_too() {
    let desk = Desk::compiled("consent-candidate");
    desk.consent(&WITHDRAW, &["--tenancy"]).succeeds();
    desk.compile(&[]).succeeds();
    desk.consent(&GIVE, &["--tenancy"]).succeeds();
    desk.consent(&WITHDRAW, &["--dir"]).ends_with(3).says("acme has not given `analytics`");
    let (tenancy, keys, out) = (path(&desk.tenancy), path(&desk.keys), path(&desk.out));
    partywall(&["compile", tenancy, "--keys", keys, "--out", out, "--candidate", "--tenant", "acme"]).succeeds();
    desk.consent(&["withdraw", "acme", "analytcs"], &["--dir"]).ends_with(3).says("did you mean `analytics`?");
    desk.consent(&WITHDRAW, &["--dir"]).succeeds().says("`analytics` of acme is withdrawn");
    assert!(desk.overlay().contains(ENTRY), "{}", desk.overlay());
    desk.consent(&GIVE, &BOTH).succeeds().says("the candidate has it, so it counts again at once where that decides");
}

/// The folders are what the commands say they are.
#[test]
fn an_overlay_that_was_written_by_hand_is_kept_and_shown() {
    let desk = Desk::compiled("consent-by-hand");
    let file = desk.out.join("overlay.yaml");
    fs::write(&file, "withdrawn_consents: [{ tenant: globex, consent: mail }]\n").unwrap();
    desk.consent(&WITHDRAW, &["--dir"]).succeeds();
    let text = desk.overlay();
    assert!(text.contains("globex") && text.contains("\"acme\""), "{text}");
    fs::write(&file, "withdrawn_consents: [{ tenant: acme, consent: \"A b\" }]\n").unwrap();
    desk.consent(&WITHDRAW, &["--dir"]).ends_with(3).says("overlay.yaml:1:").says("is not 1 to 63 of");
    assert!(Path::new(&file).exists());
}
