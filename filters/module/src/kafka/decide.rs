//! What a client may do to a topic, asked once a second at most.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use partywall_event_scope::kafka::session::{Action, Decide, Ruling, World};

use super::candidate::Beside;
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
    /// The topics, one verdict for each action; the latest is looked at first, then the one behind it: requests name
    /// the same ones in the same order.
    topics: Vec<Topic>,
    at: usize,
    /// Where they are, by the broker's name.
    places: HashMap<Rc<[u8]>, usize>,
    /// How much memory that takes, in bytes.
    held: usize,
}

struct Topic {
    name: Rc<[u8]>,
    verdicts: [Option<Decided>; 6],
}

/// What was decided, and what came of comparing it where there is a candidate.
#[derive(Clone)]
pub(super) struct Decided {
    pub(super) verdict: Verdict,
    pub(super) beside: Option<Rc<Beside>>,
}

impl Remembered {
    fn verdict(&mut self, action: Action, topic: &[u8]) -> Option<&mut Option<Decided>> {
        let is_at = |at: &usize| self.topics.get(*at).is_some_and(|known| *known.name == *topic);
        let next = self.at.saturating_add(1);
        self.at = [self.at, next, 0].into_iter().find(is_at).or_else(|| self.places.get(topic).copied())?;
        self.topics.get_mut(self.at)?.verdicts.get_mut(action as usize)
    }
}

impl Verdicts {
    /// The verdict about the broker's `topic`, if it is known; for the log.
    pub(super) fn of(&self, action: Action, topic: &[u8]) -> Option<Decided> {
        self.0.borrow_mut().verdict(action, topic)?.clone()
    }

    /// The same for who decides.
    fn ruling(&self, action: Action, topic: &[u8]) -> Option<Ruling> {
        self.0.borrow_mut().verdict(action, topic)?.as_ref().map(|decided| decided.verdict.ruling())
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

    fn remember(&self, action: Action, topic: &[u8], decided: Decided) {
        let mut remembered = self.0.borrow_mut();
        let Decided { verdict, beside } = &decided;
        let compared = beside.as_ref().map_or(0, |beside| beside.held());
        let said = [verdict.name.len(), verdict.rule.len(), verdict.policy.len(), compared];
        let said = said.into_iter().fold(0, usize::saturating_add);
        remembered.held = remembered.held.saturating_add(said);
        if let Some(place) = remembered.verdict(action, topic) {
            *place = Some(decided);
            return;
        }
        if remembered.topics.len() >= REMEMBERED {
            *remembered = Remembered { under: remembered.under, held: said, ..Remembered::default() };
        }
        let entry = topic.len().saturating_add(size_of::<Topic>()).saturating_add(size_of::<(Rc<[u8]>, usize)>());
        remembered.held = remembered.held.saturating_add(entry);
        let name: Rc<[u8]> = topic.into();
        let mut verdicts = <[Option<Decided>; 6]>::default();
        if let Some(place) = verdicts.get_mut(action as usize) {
            *place = Some(decided);
        }
        let at = remembered.topics.len();
        remembered.places.insert(Rc::clone(&name), at);
        remembered.topics.push(Topic { name, verdicts });
    }
}

impl Decide for Client {
    fn decide(&self, world: &dyn World, action: Action, topic: &[u8]) -> Ruling {
        let (Some(under), Some(acting), Some(said)) = (&self.under, &self.acting, self.said()) else {
            return Ruling { allow: false, reason: None };
        };
        self.verdicts.under(under, world);
        // What else there is to tell lies among the verdicts.
        self.verdicts.ruling(action, topic).unwrap_or_else(|| {
            let Under { view, authorization, now, tried, .. } = under;
            let (context, tenant) = (&acting.context, &acting.tenant);
            let asking = Asking { view, authorization, context, tenant, said, now: *now };
            let verdict = asking.verdict(world, action, topic);
            let decided = match tried {
                Some(tried) => tried.beside(self, &asking, verdict, (world, action, topic)),
                None => Decided { verdict, beside: None },
            };
            let ruling = decided.verdict.ruling();
            self.verdicts.remember(action, topic, decided);
            ruling
        })
    }
}
