//! Requests that a broker has not answered yet, in order: it answers in the order in which it was asked.

use std::collections::VecDeque;
use std::rc::Rc;

use super::parts::Answers;
use super::peers::World;
use super::sasl::{Mechanism, Shown};

/// A request that was sent, and what is to become of its response.
pub(super) struct Pending {
    pub(super) correlation: i32,
    pub(super) what: What,
}

/// What is to become of a response.
pub(super) enum What {
    /// It is edited and goes to the client.
    Forward(Forward),
    /// It is that of a request which stood in for one that was denied: the answer goes to the client instead.
    Replace(Vec<u8>),
    /// As that, and it says which topics some ids are of. Without an answer, the client did not ask at all.
    Learn(Option<Vec<u8>>),
    /// It says which topics there are, which the client did not ask: how many are the world's own is counted, which had
    /// allowed so many before.
    Count { world: Rc<dyn World>, made: u64 },
    /// What the broker offers.
    Versions { version: i16 },
    /// Whether it takes the mechanism.
    Handshake { version: i16, mechanism: Mechanism },
    /// Whether it believes what was shown.
    Authenticate { version: i16, shown: Shown },
}

/// A request that was understood and sent, or a part of one.
pub(super) struct Forward {
    pub(super) api: i16,
    pub(super) version: i16,
    /// That by which it was mapped; another may hold by now.
    pub(super) world: Rc<dyn World>,
    /// Answers to the parts that were denied.
    pub(super) more: Answers,
    /// What kind of keys a coordinator was looked for.
    pub(super) key_type: i64,
    /// Whether members of its group tell each other of topics.
    pub(super) consumer: bool,
    /// Whether it asked for all topics.
    pub(super) all_topics: bool,
    /// The fetch session that it goes on with, or 0.
    pub(super) session: i64,
    /// How often bundles had changed.
    pub(super) generation: u64,
}

impl What {
    /// How many bytes it holds.
    fn held(&self) -> usize {
        match self {
            What::Forward(forward) => forward.more.held(),
            What::Replace(answer) | What::Learn(Some(answer)) => answer.len(),
            What::Authenticate { shown, .. } => shown.held(),
            What::Learn(None) | What::Count { .. } | What::Versions { .. } | What::Handshake { .. } => 0,
        }
    }
}

/// Those requests, so many and with so many bytes held for them at most.
pub(super) struct Queue {
    waiting: VecDeque<Pending>,
    held: usize,
    most: usize,
    largest: usize,
}

impl Queue {
    pub(super) fn new(most: usize, largest: usize) -> Self {
        Self { waiting: VecDeque::new(), held: 0, most, largest }
    }

    /// `false` where there are too many.
    pub(super) fn push(&mut self, correlation: i32, what: What) -> bool {
        let held = self.held.saturating_add(what.held());
        let fits = self.waiting.len() < self.most && held <= self.largest;
        if fits {
            self.held = held;
            self.waiting.push_back(Pending { correlation, what });
        }
        fits
    }

    /// The one that is answered next, which stays.
    pub(super) fn first(&self) -> Option<&Pending> {
        self.waiting.front()
    }

    /// The one that is answered next.
    pub(super) fn pop(&mut self) -> Option<Pending> {
        let pending = self.waiting.pop_front()?;
        self.held = self.held.saturating_sub(pending.what.held());
        Some(pending)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many bytes they and what is held for them take.
    pub(super) fn held(&self) -> usize {
        self.held.saturating_add(self.waiting.capacity().saturating_mul(size_of::<Pending>()))
    }
}
