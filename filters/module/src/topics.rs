//! What may be done to topics: asked of the same program as requests, under what is in force now.

use std::rc::Rc;

use partywall_authorization::{Authorization, Call, Decision, Query, authorize, authorize_shared};
use partywall_event_scope::kafka::session::{Access, Action, Decide, Kind, Ruling, World};
use partywall_tenancy::{EventCluster, Reason, Ruling as Mode, Tenant, TenantContext, UnixSeconds, View};

/// What topics are decided by.
pub(crate) struct Asking<'a> {
    pub(crate) view: &'a View,
    pub(crate) authorization: &'a Authorization,
    pub(crate) context: &'a TenantContext,
    pub(crate) tenant: &'a Tenant,
    /// What the bundle says of the cluster.
    pub(crate) said: &'a EventCluster,
    pub(crate) now: UnixSeconds,
}

/// What was decided, and what settled it.
#[derive(Clone)]
pub(crate) struct Verdict {
    pub(crate) allow: bool,
    /// Why not, or why it would not be where it is in shadow.
    pub(crate) reason: Option<Reason>,
    pub(crate) policy: Rc<str>,
    /// The rule that covers the topic.
    pub(crate) rule: Rc<str>,
    /// What the tenant calls the topic.
    pub(crate) name: Rc<[u8]>,
}

impl Verdict {
    /// Nobody asks a policy: it is denied, and this is why.
    pub(crate) fn denied(reason: Reason) -> Self {
        let (policy, rule) = (Rc::from(""), Rc::from(""));
        Self { allow: false, reason: Some(reason), policy, rule, name: Rc::default() }
    }

    /// What comes of it; a reason also where it is let through in spite of one.
    pub(crate) fn ruling(&self) -> Ruling {
        Ruling { allow: self.allow, reason: self.reason.map(|reason| reason.code().into()) }
    }
}

impl Asking<'_> {
    /// What there is to say about `action` on the broker's `topic`.
    pub(crate) fn verdict(&self, world: &dyn World, action: Action, topic: &[u8]) -> Verdict {
        let mut name = Vec::new();
        let denied = |rule: &str, name: &[u8]| Verdict {
            rule: rule.into(),
            name: name.into(),
            ..Verdict::denied(Reason::ResourceUnmapped)
        };
        let (Some(rule), true) = (world.rule(topic), world.outward(Kind::Topic, topic, &mut name)) else {
            return denied("", b"");
        };
        let Ok(text) = str::from_utf8(&name) else { return denied(rule, &name) };
        let path = path(action, rule, text);
        let query = Query {
            context: self.context,
            tenant: self.tenant,
            service: &self.said.name,
            call: Call::plain(EventCluster::METHOD, &path),
            region: &self.said.region,
            time: self.now,
        };
        let owner = match self.owner(world, topic) {
            Ok(owner) => owner,
            Err(reason) => return Verdict { reason: Some(reason), ..denied(rule, &name) },
        };
        let decision = match &owner {
            Some(owner) => authorize_shared(self.authorization, &query, owner),
            None => authorize(self.authorization, &query),
        };
        let (allow, reason, policy) = match decision {
            Decision::Allow { policy, .. } => (true, None, policy),
            Decision::Deny { reason, policy, .. } => {
                let modes = &self.view.bundle().body().modes;
                let mode = || modes.rule(reason, &self.said.name, &self.context.tenant, || None);
                // INVARIANT: what is another tenant's is no matter of modes.
                let is_let = owner.is_none() && mode() == Mode::LetThrough;
                (is_let, Some(reason), policy.unwrap_or_default())
            }
        };
        Verdict { allow, reason, policy: policy.into(), rule: rule.into(), name: name.as_slice().into() }
    }
}

impl Asking<'_> {
    /// The other tenant that shares the topic, where one does; the reason to deny where that gives nothing.
    fn owner(&self, world: &dyn World, topic: &[u8]) -> Result<Option<Tenant>, Reason> {
        if world.access(topic) != Access::Read {
            return Ok(None);
        }
        let topic = str::from_utf8(topic).map_err(|_| Reason::ResourceForeign)?;
        self.view.owner_of_topic(self.said, topic)
    }
}

/// The path of the operation of doing `action` to what the tenant calls `name` and `rule` covers.
pub(crate) fn path(action: Action, rule: &str, name: &str) -> String {
    ["/", action.name(), "/", rule, "/", name].concat()
}

impl Decide for Asking<'_> {
    fn decide(&self, world: &dyn World, action: Action, topic: &[u8]) -> Ruling {
        self.verdict(world, action, topic).ruling()
    }
}
