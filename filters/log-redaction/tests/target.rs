//! Where a body is sent.

use std::rc::Rc;

use partywall_log_redaction::Target;
use partywall_log_redaction::detect::{Detectors, Selection};
use partywall_log_redaction::fields::{FieldAction, FieldRule, FieldSet};
use partywall_log_redaction::redactor::{Engine, Facts, Own, Redactor, Rules};
use partywall_log_redaction::replace::Keys;
use partywall_log_redaction::tenants::{Foreign, Listed, Templated, Tenant, TenantRules};

const GLOBEX: &str = "t1_0000000000000002";

fn redactor(known: bool) -> Redactor {
    let index = Templated { path: "**".into(), slots: vec!["index".into()], template: "logs-{tenant}-*".into() };
    with(known, TenantRules { templates: vec![index], ..TenantRules::default() })
}

/// By these rules of tenants.
fn with(known: bool, tenants: TenantRules) -> Redactor {
    let mut directory = Listed::default();
    let acme = directory.add("acme", &["t1_0000000000000001"], &["acme.shop.example"]);
    directory.add("globex", &[GLOBEX], &["globex.shop.example"]);
    let keep = FieldRule { path: "query.token".into(), slots: vec![], action: FieldAction::Keep };
    let rules = Rules {
        tenants: Some(tenants),
        fields: vec![FieldSet { rules: vec![keep], ..FieldSet::default() }],
        ..Rules::default()
    };
    let detectors = Rc::new(Detectors::new(&Selection::default()).unwrap());
    let engine = Engine::new(&rules, detectors, Rc::new(directory), Rc::new(Keys::new(Some(&[7; 32])))).unwrap();
    Redactor::new(Rc::new(engine), &Facts::new("bulk", if known { Own::Tenant(acme) } else { Own::Record }))
}

fn target(path: &str, index: Option<&str>) -> Target {
    redactor(true).target(path.as_bytes(), [index.map(str::as_bytes), None])
}

#[test]
fn what_says_nothing_stays() {
    for path in [
        "/_bulk",
        "/_bulk?refresh=true&pipeline=p",
        "/x?",
        "/x?a&b=&=c&&",
        "/x?tenant=acme",
        "/x?a=%20+%zz%",
        "/x?index=logs-acme-1",
        "/x?tenant=%61cme",
    ] {
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
        // However it is written.
        "/x?tenant=globe%78",
        "/x?index=logs-glob%65x-1",
        "/x?Index=logs-globex-1",
        "/x?ten%61nt=globex",
        "/x?tenant+=globex",
        "/x?a=1;tenant=globex&b;c",
        "/x?tenant=nobody",
    ] {
        assert!(matches!(target(path, None), Target::Deny(_)), "{path}");
    }
    assert!(matches!(target("/ann@example.com/_bulk", Some("ann@example.com")), Target::Deny(_)));
}

#[test]
fn what_a_route_leaves_open_is_looked_through() {
    let open = |rest: &str| redactor(true).target(format!("/in/{rest}").as_bytes(), [None, Some(rest.as_bytes())]);
    for rest in ["web", "web/1", "acme", "acme/web", ""] {
        assert_eq!(open(rest), Target::Keep, "{rest}");
    }
    for rest in
        ["globex", "web/globex", "GLOBEX/x", "globex.shop.example", GLOBEX, "ann@example.com", "a/ann@example.com/b"]
    {
        assert!(matches!(open(rest), Target::Deny(_)), "{rest}");
    }
}

/// Without a template the words of an index count.
#[test]
fn an_index_in_the_path_or_the_query_counts_against_other_tenants() {
    use partywall_log_redaction::carriers::{Carrier, Kind, Limits};
    let sent = |known: bool, [path, index]: [&str; 2], body: &str| {
        let index = Some(index.as_bytes()).filter(|index| !index.is_empty());
        let mut redactor = with(known, TenantRules::default());
        redactor.next(&Facts { index, ..Facts::new("bulk", if known { Own::Tenant(Tenant(0)) } else { Own::Record }) });
        if redactor.target(path.as_bytes(), [index, None]) != Target::Keep {
            return None;
        }
        let (mut carrier, mut out) = (Carrier::new(Kind::Bulk, Limits::default()), Vec::new());
        carrier.push(body.as_bytes(), true, &mut redactor, &mut out).unwrap();
        Some(String::from_utf8(out).unwrap())
    };
    let (nobody, acme) = ("{\"index\":{}}\n{\"a\":1}\n", "{\"index\":{}}\n{\"tenant\":\"acme\"}\n");
    let of = |tenant: &str| [format!("/logs-{tenant}-prod/_bulk"), format!("logs-{tenant}-prod")];
    for (known, tenant, body, goes) in [
        (true, "acme", nobody, true),
        (true, "system", nobody, true),
        (true, "globex", nobody, false),
        // Of what tenants share the records say whose they are.
        (false, "globex", nobody, true),
        (false, "globex", acme, false),
        (false, "acme", acme, true),
    ] {
        let [path, index] = of(tenant);
        let expected = if goes { body } else { "" };
        assert_eq!(sent(known, [&path, &index], body).as_deref(), Some(expected), "{known} {tenant} {body}");
        let query = format!("/_bulk?index={index}");
        let out = sent(known, [&query, ""], body);
        assert_eq!(out.filter(|out| !out.is_empty()).is_some(), goes, "{query} {known} {body}");
    }
    // Where names are masked there is no writing of an index in the path.
    let mut masks = with(true, TenantRules { foreign: Foreign::Mask, ..TenantRules::default() });
    let [path, index] = of("globex");
    assert!(matches!(masks.target(path.as_bytes(), [Some(index.as_bytes()), None]), Target::Deny(_)));
}

#[test]
fn of_a_workload_that_tenants_share_the_query_says_whose_the_body_is() {
    use partywall_log_redaction::carriers::{Carrier, Kind, Limits};
    let sent = |path: &str, line: &[u8]| {
        let mut redactor = redactor(false);
        assert_eq!(redactor.target(path.as_bytes(), [None, None]), Target::Keep, "{path}");
        let (mut carrier, mut out) = (Carrier::new(Kind::Ndjson, Limits::default()), Vec::new());
        carrier.push(line, true, &mut redactor, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let (acme, globex) = (b"{\"tenant\":\"acme\",\"a\":1}", b"{\"tenant\":\"globex\",\"a\":1}");
    assert!(sent("/x?tenant=globex", acme).is_empty(), "acme's record does not go to globex");
    assert!(sent("/x?tenant=globex", globex).contains("globex"));
    let twice = redactor(false).target(b"/x?tenant=globex&index=logs-acme-1", [None, None]);
    assert!(matches!(twice, Target::Deny(_)), "of two tenants");
}
