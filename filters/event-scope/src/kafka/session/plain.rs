//! Requests and responses in which nothing is out of the ordinary: names are mapped and written at once.
//!
//! INVARIANT: an editor says here what it says in a walk, or that it is for a walk to do. What was decided of a frame that
//! is walked after all is decided anew.

use super::fetches::{Fetch, Fetches};
use super::peers::{Access, Kind, Mapped};
use super::request::Request;
use super::response::Response;
use super::{FETCH, PRODUCE};
use crate::kafka::codec::{Mark, Names, Program};

/// How plain frames go of what a connection says most: the latest version of each.
#[derive(Default)]
pub(super) struct Programs([Option<Program>; 4]);

impl Programs {
    /// `None` where frames of it are walked.
    pub(super) fn of(&mut self, api: i16, version: i16, is_request: bool) -> Option<&Program> {
        let at = match api {
            PRODUCE => 0,
            FETCH => 1,
            _ => return None,
        };
        let place = self.0.get_mut(2 * at + usize::from(is_request))?;
        if place.as_ref().is_none_or(|program| !program.is_of(api, version, is_request)) {
            *place = Program::new(api, version, is_request);
        }
        place.as_ref()
    }
}

/// A request that a program walks.
pub(super) struct PlainRequest<'r, 'a> {
    request: &'r mut Request<'a>,
    fetches: &'r mut Fetches,
    session: i64,
    /// The session of a fetch, its epoch and what they mean: that is judged once.
    pub(super) judged: Option<(i64, i64, Fetch)>,
}

impl<'r, 'a> PlainRequest<'r, 'a> {
    pub(super) fn new(request: &'r mut Request<'a>, fetches: &'r mut Fetches) -> Self {
        Self { request, fetches, session: 0, judged: None }
    }
}

impl Names for PlainRequest<'_, '_> {
    fn client(&mut self, id: Option<&[u8]>, out: &mut Vec<u8>) {
        self.request.world.client(id, out);
    }

    fn topic(&mut self, name: &[u8]) -> Option<&[u8]> {
        let request = &mut *self.request;
        request.topic.clear();
        let mapped = request.world.inward(Kind::Topic, name, &mut request.topic);
        let plain = mapped == Mapped::Yes && !request.is_too_much() && request.decide(request.rule.action).is_none();
        plain.then_some(&request.topic)
    }

    fn topic_id(&mut self, id: [u8; 16]) -> bool {
        let request = &mut *self.request;
        request.topic.clear();
        id != [0; 16]
            && request.peers.ids.name(&id, &mut request.topic)
            && request.decide(request.rule.action).is_none()
            && !request.is_too_much()
    }

    fn number(&mut self, mark: Mark, number: i64) -> bool {
        match mark {
            Mark::Acks => self.request.found.acks = Some(number),
            Mark::Replica => return number == -1,
            Mark::Session => self.session = number,
            _ => {
                let judged = self.fetches.judge(self.session, number, self.request.peers.ids);
                self.judged = Some((self.session, number, judged));
                return matches!(judged, Fetch::Full | Fetch::Incremental);
            }
        }
        true
    }

    fn records(&mut self) {}
}

impl Names for Response<'_> {
    fn client(&mut self, _: Option<&[u8]>, _: &mut Vec<u8>) {}

    fn topic(&mut self, name: &[u8]) -> Option<&[u8]> {
        self.topic.clear();
        let plain = !name.is_empty() && self.world.outward(Kind::Topic, name, &mut self.topic);
        plain.then_some(&self.topic)
    }

    fn topic_id(&mut self, id: [u8; 16]) -> bool {
        self.topic.clear();
        id != [0; 16] && self.peers.ids.name(&id, &mut self.topic) && self.world.access(&self.topic) != Access::Foreign
    }

    fn number(&mut self, mark: Mark, number: i64) -> bool {
        if mark == Mark::Session {
            self.session = Some(number);
        }
        true
    }

    fn records(&mut self) {
        self.records = true;
    }
}
