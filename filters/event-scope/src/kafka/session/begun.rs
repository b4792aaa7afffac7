//! Frames that are not there as a whole and end with records: they go on to where these begin, and what comes next goes on
//! as it comes. So a large Produce or Fetch is neither held nor copied.
//!
//! What cannot go on so, for whatever reason, is waited for: then all of it is understood, or what is wrong with it.
//!
//! INVARIANT: a request goes on so only where everything in it was decided and nothing is denied, since nothing of it can
//! be taken back; and it was understood but for records and the emptiness of lists of tags, which [`Rest`] looks at.

use std::rc::Rc;

use super::asked::tells;
use super::parts::Answers;
use super::peers::Peers;
use super::pending::{Forward, What};
use super::request::Request;
use super::response::Response;
use super::rules;
use super::sasl::Exchange;
use super::{Core, FETCH, PRODUCE, Step};
use crate::kafka::codec::{RequestHeader, Rest, request_begun, response_begun};

impl Core {
    /// A request of this size, of which the first bytes are there; `None` where the whole is waited for.
    pub(super) fn request_begun(&mut self, begin: (&[u8], usize), peers: &Peers<'_>, step: &mut Step) -> Option<Rest> {
        let header = RequestHeader::read(begin.0).ok().filter(|header| header.api == PRODUCE)?;
        if self.last_words.is_some() || self.exchange != Exchange::Idle || header.known().is_err() {
            return None;
        }
        let world = self.world(peers)?;
        let rule = rules::of(PRODUCE).filter(|rule| rule.offers(header.version, world.classic_only()))?;
        let mut editor = Request::new(rule, &*world, peers, self.options.topics);
        editor.found.decisions = std::mem::take(&mut self.decided);
        let (splice, rest) = request_begun(begin, &mut editor, &mut self.scratch).ok()?;
        let mut found = editor.found;
        if !found.denied.is_empty() || found.whole.is_some() || !found.missing.is_empty() {
            return None;
        }
        // What records say of their trace stands behind what was read, and is there.
        if step.behind > 0 && tells(self.options.traces, &found.decisions) {
            return None;
        }
        let start = step.mark();
        step.splice(&splice);
        // Nobody waits for an answer to what is not acknowledged.
        if found.acks != Some(0) {
            let forward = Forward {
                api: PRODUCE,
                version: header.version,
                world: Rc::clone(&world),
                more: Answers::default(),
                key_type: found.key_type,
                consumer: false,
                all_topics: false,
                session: 0,
                generation: self.generation,
            };
            if self.expect(header.correlation, What::Forward(forward)).is_err() {
                step.back_to(start);
                return None;
            }
        }
        self.note(&mut found, step);
        Some(rest)
    }

    /// A response of this size, likewise.
    pub(super) fn response_begun(&mut self, begin: (&[u8], usize), peers: &Peers<'_>, step: &mut Step) -> Option<Rest> {
        let pending = self.queue.first()?;
        let What::Forward(forward) = &pending.what else { return None };
        let correlation = begin.0.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        if forward.api != FETCH || !forward.more.is_empty() || correlation != Some(pending.correlation) {
            return None;
        }
        let mut editor = Response::new(forward, peers);
        let (splice, rest) = response_begun((FETCH, forward.version), begin, &mut editor, &mut self.scratch).ok()?;
        let session = editor.session;
        step.splice(&splice);
        step.fetched = true;
        if let Some(What::Forward(forward)) = self.queue.pop().map(|pending| pending.what) {
            self.sessions(&forward, session);
        }
        Some(rest)
    }
}
