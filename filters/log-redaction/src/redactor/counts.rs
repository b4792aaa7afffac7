//! What was done, counted.

use crate::replace::Action;
use crate::tenants::Foreign;

/// How often something was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The detector; `field` where a rule of fields said so, `tenant` for another tenant's name or record, `unattributed`.
    pub detector: String,
    /// As rules name it; `drop_foreign` and `quarantine` for records of others.
    pub action: &'static str,
    /// The carrier.
    pub carrier: &'static str,
    /// How often.
    pub count: u64,
}

/// A place for each detector and action, so that it never grows.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) carrier: &'static str,
    done: Vec<[u64; Action::ALL.len()]>,
    /// What was done and may be taken back; none where all counts at once.
    held: Option<Vec<(u16, Action)>>,
    dropped: u64,
    quarantined: u64,
    pub(super) unattributed: u64,
}

impl Counters {
    pub(super) fn new(detectors: usize) -> Self {
        Self {
            carrier: "",
            done: vec![[0; Action::ALL.len()]; detectors],
            held: None,
            dropped: 0,
            quarantined: 0,
            unattributed: 0,
        }
    }

    pub(super) fn add(&mut self, what: u16, action: Action) {
        match &mut self.held {
            Some(held) => held.push((what, action)),
            None => self.count(what, action),
        }
    }

    /// What is added from now on counts once it is settled.
    pub(super) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// What was held counts, if it is to.
    pub(super) fn settle(&mut self, counts: bool) {
        for (what, action) in self.held.take().unwrap_or_default() {
            if counts {
                self.count(what, action);
            }
        }
    }

    fn count(&mut self, what: u16, action: Action) {
        let place = self.done.get_mut(usize::from(what)).and_then(|all| all.get_mut(action as usize));
        if let Some(place) = place {
            *place += 1;
        }
    }

    /// A record of another tenant, or more, did not go on.
    pub(super) fn left_out(&mut self, foreign: Foreign) {
        if foreign == Foreign::Quarantine { self.quarantined += 1 } else { self.dropped += 1 }
    }

    pub(super) fn take(&mut self, names: &[String]) -> Vec<Count> {
        let carrier = self.carrier;
        let count = |detector: &str, action, count| Count { detector: detector.to_owned(), action, carrier, count };
        let mut all = Vec::new();
        for (name, done) in names.iter().zip(&mut self.done) {
            for (action, done) in Action::ALL.iter().zip(done) {
                all.push(count(name, action.name(), std::mem::take(done)));
            }
        }
        all.push(count("tenant", "drop_foreign", std::mem::take(&mut self.dropped)));
        all.push(count("tenant", "quarantine", std::mem::take(&mut self.quarantined)));
        all.push(count("unattributed", Action::DropRecord.name(), std::mem::take(&mut self.unattributed)));
        all.retain(|count| count.count > 0);
        all
    }
}
