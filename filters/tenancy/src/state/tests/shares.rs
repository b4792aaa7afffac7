//! What is shared, with whom, and until when.

use super::*;
use crate::{
    BrokerAddresses, Crossing, EventCluster, EventCohort, EventPrefix, GrantId, Leave, NewTopics, ProvedBy, Share,
    TenantContext, View,
};

fn id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

fn share(change: impl FnOnce(&mut Share)) -> Share {
    let mut share = Share {
        name: "for-globex".into(),
        owners: vec![id("acme")],
        to: vec![id("globex"), id("hooli")],
        actions: vec!["orders:list".into()],
        services: vec!["orders".into()],
        until: Some(NOW + 100),
    };
    change(&mut share);
    share
}

fn state(shares: Vec<Share>, overlaid: impl FnOnce(&mut OverlayBody)) -> Result<PolicyState, Refusal> {
    let bundle = bundle(|b| {
        let active = |name| tenant(name, TenantStatus::Active);
        let tenants = [active("acme"), active("globex"), tenant("hooli", TenantStatus::Suspended), active("initech")];
        b.tenants = Tenants::pack(tenants).unwrap();
        b.shares = shares;
    });
    let mut state = empty();
    state.offer_bundle(&bundle, NOW, |_| Ok(()))?;
    state.offer_overlay(&overlay(overlaid), Origin::Fetched, NOW)?;
    Ok(state)
}

fn context(tenant: &str) -> TenantContext {
    TenantContext {
        tenant: id(tenant),
        tier: "gold".into(),
        region: "eu".into(),
        principal: "alice".into(),
        roles: vec![],
        scopes: vec![],
        networks: NameSet::default(),
        proved_by: ProvedBy::Root,
        token_id: String::new(),
        expires: NOW + 60,
        caller: None,
    }
}

fn list_of(owner: &str) -> Crossing<'_> {
    Crossing { owner, action: "orders:list", service: "orders", reads: true }
}

fn may(view: &View, tenant: &str, crossing: &Crossing<'_>) -> bool {
    view.leave(&context(tenant), crossing).is_some()
}

#[test]
fn a_share_is_for_whom_and_what_it_says() {
    let view = state(vec![share(|_| ())], |_| ()).unwrap().view(NOW).unwrap();
    let (leave, owner) = view.leave(&context("globex"), &list_of("acme")).unwrap();
    assert_eq!(leave, Leave::Share { name: "for-globex".into() });
    assert_eq!((leave.to_string().as_str(), owner.id), ("share:for-globex", id("acme")));
    assert!(leave.reads_only() && !Leave::Grant(GrantId::new([0; 16])).reads_only());

    assert!(!may(&view, "initech", &list_of("acme")), "a third tenant");
    assert!(!may(&view, "acme", &list_of("globex")), "the other way");
    assert!(!may(&view, "globex", &list_of("initech")), "a third tenant's");
    for owner in ["ACME", "acme ", "%61cme", ""] {
        assert!(!may(&view, "globex", &list_of(owner)), "{owner:?}");
    }
    assert!(!may(&view, "globex", &Crossing { reads: false, ..list_of("acme") }), "writing");
    assert!(!may(&view, "globex", &Crossing { action: "orders:read", ..list_of("acme") }));
    assert!(!may(&view, "globex", &Crossing { service: "invoices", ..list_of("acme") }));
    let nobody = TenantContext { proved_by: ProvedBy::Nothing, ..context("globex") };
    assert!(view.leave(&nobody, &list_of("acme")).is_none());
}

#[test]
fn a_share_ends_when_it_says() {
    let state = state(vec![share(|_| ())], |_| ()).unwrap();
    let at = |now| may(&state.view(now).unwrap(), "globex", &list_of("acme"));
    assert_eq!((at(NOW + 99), at(NOW + 100)), (true, false));
}

#[test]
fn both_tenants_must_be_active() {
    let view = |of: fn(&mut OverlayBody)| state(vec![share(|_| ())], of).unwrap().view(NOW).unwrap();
    assert!(!may(&view(|_| ()), "hooli", &list_of("acme")), "suspended by its record");
    assert!(!may(&view(|o| o.suspended = vec![id("acme")]), "globex", &list_of("acme")), "the owner");
    assert!(!may(&view(|o| o.quarantined = vec![id("acme")]), "globex", &list_of("acme")), "the owner");
    assert!(!may(&view(|o| o.suspended = vec![id("globex")]), "globex", &list_of("acme")), "who reads");
    assert!(may(&view(|o| o.suspended = vec![id("initech")]), "globex", &list_of("acme")));
}

#[test]
fn of_a_cohort_each_reads_what_the_others_own() {
    let all = || vec![id("acme"), id("globex")];
    let within = share(|s| (s.owners, s.to, s.until) = (all(), all(), None));
    let view = state(vec![within], |_| ()).unwrap().view(NOW).unwrap();
    assert!(may(&view, "acme", &list_of("globex")) && may(&view, "globex", &list_of("acme")));
    assert!(!may(&view, "acme", &list_of("acme")), "nobody crosses into itself");
    assert!(!may(&view, "initech", &list_of("acme")) && !may(&view, "acme", &list_of("initech")));
}

#[test]
fn a_bundle_with_shares_that_would_be_read_wrongly_is_refused() {
    let refused = |shares| state(shares, |_| ()).map(|_| ()).unwrap_err().to_string();
    let unsorted = share(|s| s.to = vec![id("hooli"), id("globex")]);
    assert!(refused(vec![unsorted]).ends_with("share `for-globex` has an empty or unsorted list"));
    assert!(refused(vec![share(|s| s.owners.clear())]).contains("empty or unsorted"));
    assert!(refused(vec![share(|s| s.actions.clear())]).contains("empty or unsorted"));
    assert!(refused(vec![share(|_| ()), share(|_| ())]).contains("one is there twice"));
    let many = (0..=Share::MOST).map(|n| share(|s| s.name = format!("s{n:04}"))).collect();
    assert!(refused(many).contains("more than 256 shares"));
}

/// A cluster in which acme has the prefix that its id makes, and initech one of its own.
fn cluster() -> EventCluster {
    EventCluster {
        name: "shop-events".into(),
        region: "eu".into(),
        identity: vec![],
        bound: None,
        prefix: EventPrefix { head: String::new(), tail: ".".into() },
        own_prefixes: vec![(id("initech"), "legacy.".into())],
        cohorts: vec![EventCohort {
            name: "franchise".into(),
            prefix: "franchise.".into(),
            tenants: vec![id("globex")],
        }],
        brokers: BrokerAddresses::AsTheyAre,
        topics: vec![],
        new_topics: NewTopics::default(),
    }
}

#[test]
fn a_shared_topic_is_its_owners_for_as_long_as_that_may_act() {
    let of = |overlaid: fn(&mut OverlayBody), topic: &str| {
        let view = state(vec![], overlaid).unwrap().view(NOW).unwrap();
        view.owner_of_topic(&cluster(), topic).map(|owner| owner.map(|owner| owner.id))
    };
    let plain = |_: &mut OverlayBody| ();
    assert_eq!(of(plain, "acme.rates"), Ok(Some(id("acme"))));
    assert_eq!(of(plain, "legacy.rates"), Ok(Some(id("initech"))));
    for nobodys in ["reference.rates", "initech.rates", "globex.rates", "rates", ""] {
        assert_eq!(of(plain, nobodys), Ok(None), "{nobodys}");
    }
    let foreign = Err(Reason::ResourceForeign);
    assert_eq!(of(plain, "hooli.rates"), foreign, "suspended by its record");
    assert_eq!(of(plain, "franchise.rates"), foreign, "whose of them");
    let suspended = |o: &mut OverlayBody| o.suspended = vec![id("acme")];
    let quarantined = |o: &mut OverlayBody| o.quarantined = vec![id("acme")];
    for overlaid in [suspended as fn(&mut OverlayBody), quarantined] {
        assert_eq!(of(overlaid, "acme.rates"), foreign);
        assert_eq!(of(overlaid, "legacy.rates"), Ok(Some(id("initech"))));
    }
}
