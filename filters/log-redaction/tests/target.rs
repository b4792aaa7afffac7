//! Where a body is sent.

use std::rc::Rc;

use partywall_log_redaction::Target;
use partywall_log_redaction::detect::{Detectors, Selection};
use partywall_log_redaction::fields::{FieldAction, FieldRule, FieldSet};
use partywall_log_redaction::redactor::{Engine, Facts, Own, Redactor, Rules};
use partywall_log_redaction::replace::Keys;
use partywall_log_redaction::tenants::{Listed, Templated, TenantRules};

const GLOBEX: &str = "t1_0000000000000002";

fn redactor() -> Redactor {
    let mut directory = Listed::default();
    let acme = directory.add("acme", &["t1_0000000000000001"], &["acme.shop.example"]);
    directory.add("globex", &[GLOBEX], &["globex.shop.example"]);
    let index = Templated { path: "**".into(), slots: vec!["index".into()], template: "logs-{tenant}-*".into() };
    let keep = FieldRule { path: "query.token".into(), slots: vec![], action: FieldAction::Keep };
    let rules = Rules {
        tenants: Some(TenantRules { templates: vec![index], ..TenantRules::default() }),
        fields: vec![FieldSet { rules: vec![keep], ..FieldSet::default() }],
        ..Rules::default()
    };
    let detectors = Rc::new(Detectors::new(&Selection::default()).unwrap());
    let engine = Engine::new(&rules, detectors, Rc::new(directory), Rc::new(Keys::new(Some(&[7; 32])))).unwrap();
    Redactor::new(Rc::new(engine), &Facts::new("bulk", Own::Tenant(acme)))
}

fn target(path: &str, index: Option<&str>) -> Target {
    redactor().target(path.as_bytes(), index.map(str::as_bytes))
}

#[test]
fn what_says_nothing_stays() {
    for path in
        ["/_bulk", "/_bulk?refresh=true&pipeline=p", "/x?", "/x?a&b=&=c&&", "/x?tenant=acme", "/x?index=logs-acme-1"]
    {
        assert_eq!(target(path, None), Target::Keep, "{path}");
    }
    assert_eq!(target("/logs-acme-2/_bulk", Some("logs-acme-2")), Target::Keep);
    // A rule of fields lets a token stay by which its collector knows the client.
    assert_eq!(target("/x?token=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", None), Target::Keep);
}

#[test]
fn what_is_personal_is_replaced() {
    let Target::Replace(path) = target("/raw?source=ann%40example.com&host=h1", None) else { panic!("it stays") };
    let path = String::from_utf8(path).unwrap();
    assert!(path.starts_with("/raw?source=%5BREDACTED:email:") && path.ends_with("%5D&host=h1"), "{path}");
    let Target::Replace(path) = target("/raw?ann@example.com", None) else { panic!("it stays") };
    assert!(!String::from_utf8(path).unwrap().contains("ann@"));
}

#[test]
fn what_names_another_tenant_goes_no_further() {
    for path in [
        "/x?tenant=globex",
        "/x?index=logs-globex-1",
        "/x?source=globex.shop.example",
        &format!("/x?a=1&source={GLOBEX}"),
    ] {
        assert!(matches!(target(path, None), Target::Deny(_)), "{path}");
    }
    assert!(matches!(target("/ann@example.com/_bulk", Some("ann@example.com")), Target::Deny(_)));
}
