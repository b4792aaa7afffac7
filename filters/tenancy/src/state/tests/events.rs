//! Bundles with clusters of Kafka.

use super::*;
use crate::{BrokerAddresses, EventCluster, EventIdentity, EventPrefix, NewTopics};

fn cluster(own: &str) -> EventCluster {
    EventCluster {
        name: "shop-events".into(),
        region: "eu".into(),
        identity: vec![EventIdentity::Token],
        bound: None,
        prefix: EventPrefix { head: String::new(), tail: ".".into() },
        own_prefixes: vec![(TenantId::parse("initech").unwrap(), own.into())],
        cohorts: vec![],
        brokers: BrokerAddresses::AsTheyAre,
        topics: vec![],
        new_topics: NewTopics::default(),
    }
}

/// `acme` is a tenant of the bundle.
#[test]
fn a_bundle_by_which_one_tenant_sees_anothers_topics_is_refused() {
    let mut state = empty();
    let with = |revision, own: &str| {
        bundle(|body| {
            body.revision = revision;
            body.events = vec![cluster(own)];
        })
    };
    assert_eq!(state.offer_bundle(&with(5, "legacy."), NOW, |_| Ok(())), Ok(Accepted::Installed));
    let refused = state.offer_bundle(&with(6, "acme.x."), NOW, |_| Ok(()));
    assert_eq!(refused.map_err(|refusal| refusal.code()), Err("inconsistent"));
    assert_eq!(state.bundle().map(|bundle| bundle.body().revision), Some(5));
}
