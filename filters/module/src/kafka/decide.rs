//! What a client may do to a topic: asked of the same program as requests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use partywall_authorization::{Call, Decision, Query, authorize};
use partywall_event_scope::kafka::session::{Action, Decide, Kind, Ruling, World};
use partywall_tenancy::{EventCluster, Reason, Ruling as Mode};

use super::client::{Acting, Client, Under};

/// How many topics of a connection are remembered.
const REMEMBERED: usize = 256;

/// What was decided, and what settled it.
#[derive(Clone)]
pub(super) struct Verdict {
    pub(super) allow: bool,
    /// Why not, or why it would not be where it is in shadow.
    pub(super) reason: Option<Reason>,
    pub(super) policy: Rc<str>,
    /// The rule that covers the topic.
    pub(super) rule: Rc<str>,
    /// What the tenant calls the topic.
    pub(super) name: Rc<[u8]>,
}

/// Decisions of one connection under what holds in this second: policies may ask for the time.
#[derive(Default)]
pub(super) struct Verdicts(RefCell<Remembered>);

#[derive(Default)]
struct Remembered {
    under: (u64, u64),
    /// By the broker's name of a topic, one for each action.
    topics: HashMap<Box<[u8]>, [Option<Verdict>; 6]>,
}

impl Verdicts {
    /// The verdict about the broker's `topic`, if it is known; also for the log.
    pub(super) fn of(&self, action: Action, topic: &[u8]) -> Option<Verdict> {
        self.0.borrow().topics.get(topic)?.get(action as usize)?.clone()
    }

    /// Forgets what was decided under something else.
    fn under(&self, under: &Under) {
        let now = (under.changes, under.now);
        let mut remembered = self.0.borrow_mut();
        if remembered.under != now {
            *remembered = Remembered { under: now, topics: HashMap::new() };
        }
    }

    fn remember(&self, action: Action, topic: &[u8], verdict: Verdict) {
        let mut remembered = self.0.borrow_mut();
        if remembered.topics.len() >= REMEMBERED && !remembered.topics.contains_key(topic) {
            remembered.topics.clear();
        }
        let verdicts = remembered.topics.entry(topic.into()).or_default();
        if let Some(place) = verdicts.get_mut(action as usize) {
            *place = Some(verdict);
        }
    }
}

impl Client {
    fn verdict(&self, (under, acting): (&Under, &Acting), world: &dyn World, action: Action, topic: &[u8]) -> Verdict {
        let mut name = Vec::new();
        let denied = |reason: Reason, rule: &str, name: &[u8]| Verdict {
            allow: false,
            reason: Some(reason),
            policy: "".into(),
            rule: rule.into(),
            name: name.into(),
        };
        let (Some(rule), true) = (world.rule(topic), world.outward(Kind::Topic, topic, &mut name)) else {
            return denied(Reason::ResourceUnmapped, "", b"");
        };
        let Ok(text) = str::from_utf8(&name) else { return denied(Reason::ResourceUnmapped, rule, &name) };
        let Some(said) = self.said() else { return denied(Reason::ResourceUnmapped, rule, &name) };
        let path = ["/", action.name(), "/", rule, "/", text].concat();
        let query = Query {
            context: &acting.context,
            tenant: &acting.tenant,
            service: &said.name,
            call: Call::plain(EventCluster::METHOD, &path),
            region: &said.region,
            time: under.now,
        };
        let (allow, reason, policy) = match authorize(&under.authorization, &query) {
            Decision::Allow { policy, .. } => (true, None, policy),
            Decision::Deny { reason, policy, .. } => {
                let modes = &under.view.bundle().body().modes;
                let mode = modes.rule(reason, &said.name, &acting.context.tenant, || None);
                (mode == Mode::LetThrough, Some(reason), policy.unwrap_or_default())
            }
        };
        Verdict { allow, reason, policy: policy.into(), rule: rule.into(), name: name.as_slice().into() }
    }
}

impl Decide for Client {
    fn decide(&self, world: &dyn World, action: Action, topic: &[u8]) -> Ruling {
        let (Some(under), Some(acting)) = (&self.under, &self.acting) else {
            return Ruling { allow: false, reason: None };
        };
        self.verdicts.under(under);
        let verdict = self.verdicts.of(action, topic).unwrap_or_else(|| {
            let verdict = self.verdict((under, acting), world, action, topic);
            self.verdicts.remember(action, topic, verdict.clone());
            verdict
        });
        // What else there is to tell lies among the verdicts.
        Ruling { allow: verdict.allow, reason: None }
    }
}
