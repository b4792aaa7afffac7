//! What a client may do to a topic, asked once a second at most.

use std::cell::RefCell;
use std::collections::HashMap;

use partywall_event_scope::kafka::session::{Action, Decide, Ruling, World};

use super::client::{Client, Under};
use crate::topics::{Asking, Verdict};

/// How many topics of a connection are remembered.
const REMEMBERED: usize = 256;

/// Decisions of one connection under what holds in this second: policies may ask for the time.
#[derive(Default)]
pub(super) struct Verdicts(RefCell<Remembered>);

#[derive(Default)]
struct Remembered {
    /// What was in force, in which second, and in which world: an answer is decided in that of its request.
    under: (u64, u64, usize),
    /// By the broker's name of a topic, one for each action.
    topics: HashMap<Box<[u8]>, [Option<Verdict>; 6]>,
    /// How much memory that takes, in bytes.
    held: usize,
}

impl Verdicts {
    /// The verdict about the broker's `topic`, if it is known; also for the log.
    pub(super) fn of(&self, action: Action, topic: &[u8]) -> Option<Verdict> {
        self.0.borrow().topics.get(topic)?.get(action as usize)?.clone()
    }

    /// How much memory they take, in bytes.
    pub(super) fn held(&self) -> usize {
        self.0.borrow().held
    }

    /// Forgets what was decided under something else.
    fn under(&self, under: &Under, world: &dyn World) {
        let now = (under.changes, under.now, std::ptr::from_ref(world).addr());
        let mut remembered = self.0.borrow_mut();
        if remembered.under != now {
            *remembered = Remembered { under: now, ..Remembered::default() };
        }
    }

    fn remember(&self, action: Action, topic: &[u8], verdict: Verdict) {
        let mut remembered = self.0.borrow_mut();
        let is_new = !remembered.topics.contains_key(topic);
        if is_new && remembered.topics.len() >= REMEMBERED {
            remembered.topics.clear();
            remembered.held = 0;
        }
        let entry = if is_new { topic.len().saturating_add(size_of::<[Option<Verdict>; 6]>()) } else { 0 };
        let said = verdict.name.len().saturating_add(verdict.rule.len()).saturating_add(verdict.policy.len());
        remembered.held = remembered.held.saturating_add(entry).saturating_add(said);
        let verdicts = remembered.topics.entry(topic.into()).or_default();
        if let Some(place) = verdicts.get_mut(action as usize) {
            *place = Some(verdict);
        }
    }
}

impl Decide for Client {
    fn decide(&self, world: &dyn World, action: Action, topic: &[u8]) -> Ruling {
        let (Some(under), Some(acting), Some(said)) = (&self.under, &self.acting, self.said()) else {
            return Ruling { allow: false, reason: None };
        };
        self.verdicts.under(under, world);
        let verdict = self.verdicts.of(action, topic).unwrap_or_else(|| {
            let Under { view, authorization, now, .. } = under;
            let (context, tenant) = (&acting.context, &acting.tenant);
            let verdict =
                Asking { view, authorization, context, tenant, said, now: *now }.verdict(world, action, topic);
            self.verdicts.remember(action, topic, verdict.clone());
            verdict
        });
        // What else there is to tell lies among the verdicts.
        Ruling { allow: verdict.allow, reason: None }
    }
}
