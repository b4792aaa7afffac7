//! What may be done to a topic: asked of the same program as requests, under what is in force now.

use std::rc::Rc;

use partywall_authorization::{Authorization, Call, Decision, Query, authorize};
use partywall_event_scope::kafka::session::{Action, Decide, Kind, Ruling, World};
use partywall_tenancy::{EventCluster, Ruling as Mode, Tenant, TenantContext, UnixSeconds, View};

/// What topics are decided by.
pub(super) struct Asked<'a> {
    pub(super) view: &'a View,
    pub(super) authorization: &'a Authorization,
    pub(super) context: &'a TenantContext,
    pub(super) tenant: &'a Tenant,
    /// What the bundle says of the cluster.
    pub(super) said: &'a EventCluster,
    pub(super) now: UnixSeconds,
}

impl Decide for Asked<'_> {
    fn decide(&self, world: &dyn World, action: Action, topic: &[u8]) -> Ruling {
        let denied = |reason: &str| Ruling { allow: false, reason: Some(Rc::from(reason)) };
        let mut name = Vec::new();
        let (Some(rule), true) = (world.rule(topic), world.outward(Kind::Topic, topic, &mut name)) else {
            return denied("no rule of the cluster covers the topic");
        };
        let Ok(name) = str::from_utf8(&name) else { return denied("the topic's name is no text") };
        let path = ["/", action.name(), "/", rule, "/", name].concat();
        let query = Query {
            context: self.context,
            tenant: self.tenant,
            service: &self.said.name,
            call: Call::plain(EventCluster::METHOD, &path),
            region: &self.said.region,
            time: self.now,
        };
        match authorize(self.authorization, &query) {
            Decision::Allow { .. } => Ruling { allow: true, reason: None },
            Decision::Deny { reason, .. } => {
                let modes = &self.view.bundle().body().modes;
                let mode = modes.rule(reason, &self.said.name, &self.context.tenant, || None);
                Ruling { allow: mode == Mode::LetThrough, reason: Some(Rc::from(reason.code())) }
            }
        }
    }
}
