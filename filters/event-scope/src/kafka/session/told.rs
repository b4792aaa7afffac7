//! What a broker tells.

use super::peers::Peers;
use super::pending::{Forward, Pending, What};
use super::response::{Census, Learner, Response};
use super::versions::{Highest, Offer};
use super::{API_VERSIONS, Core, FETCH, METADATA, SHARE_FETCH, Step, Trouble, code, stand_in};
use crate::kafka::codec;

impl Core {
    pub(super) fn response(&mut self, frame: &[u8], peers: &Peers<'_>, step: &mut Step) -> Result<(), Trouble> {
        let correlation = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        let Some(Pending { correlation: wanted, what }) = self.queue.pop() else { return Err(Trouble::OutOfOrder) };
        if correlation != Some(wanted) {
            return Err(Trouble::OutOfOrder);
        }
        match what {
            What::Forward(forward) => self.forward(&forward, frame, peers, step),
            What::Replace(told) => {
                step.out.extend(told);
                Ok(())
            }
            What::Learn(told) => {
                let mut learner = Learner::new(peers.ids);
                codec::response(METADATA, stand_in::METADATA, frame, &mut learner, &mut self.scratch)?;
                step.out.extend(told.unwrap_or_default());
                Ok(())
            }
            What::Count { world, made } => {
                let mut census = Census { world: &*world, own: 0 };
                codec::response(METADATA, stand_in::METADATA, frame, &mut census, &mut self.scratch)?;
                world.counted(census.own, made);
                Ok(())
            }
            What::Versions { version } => self.offer(wanted, version, frame, peers, step),
            What::Handshake { version, mechanism } => self.shaken(version, mechanism, frame, step),
            What::Authenticate { version, shown } => self.believed(version, shown, frame, step),
        }
    }

    fn forward(&mut self, forward: &Forward, frame: &[u8], peers: &Peers<'_>, step: &mut Step) -> Result<(), Trouble> {
        let Forward { api, version, more, world, .. } = forward;
        if more.is_empty() && !world.has_ranges() && self.forward_plain(forward, frame, peers, step).is_some() {
            return Ok(());
        }
        let mut editor = Response::new(forward, peers);
        let splice = codec::response(*api, *version, frame, &mut editor, &mut self.scratch)?;
        if more.is_empty() {
            step.splice(&splice);
        } else {
            let response = splice.to_vec();
            step.out.extend(more.merged(*api, *version, response, &mut self.scratch)?);
        }
        step.fetched |= editor.records && matches!(*api, FETCH | SHARE_FETCH);
        self.sessions(forward, editor.session);
        Ok(())
    }

    /// A response that goes on by a program; `None` where it is to be walked, and nothing came of it.
    fn forward_plain(&mut self, forward: &Forward, frame: &[u8], peers: &Peers<'_>, step: &mut Step) -> Option<()> {
        let program = self.programs.of(forward.api, forward.version, false)?;
        let start = step.mark();
        let mut editor = Response::new(forward, peers);
        editor.topic = std::mem::take(&mut self.name);
        let outcome = program.run(frame, &mut editor, self.options.largest_edits, step);
        self.name = editor.topic;
        if outcome.is_none() {
            step.back_to(start);
            return None;
        }
        step.fetched |= editor.records && forward.api == FETCH;
        self.sessions(forward, editor.session);
        Some(())
    }

    /// What a response says of its fetch session.
    pub(super) fn sessions(&mut self, forward: &Forward, told: Option<i64>) {
        // Whatever went wrong, an answer of another session says that this one is over.
        if forward.session != 0 && told != Some(forward.session) {
            self.fetches.lost(forward.session);
        }
        // What was decided under another bundle is no session of this one.
        if let (Some(session), true) = (told, forward.generation == self.generation) {
            self.fetches.got(session);
        }
    }

    fn offer(
        &mut self,
        correlation: i32,
        version: i16,
        frame: &[u8],
        peers: &Peers<'_>,
        step: &mut Step,
    ) -> Result<(), Trouble> {
        let error = frame.get(4..).and_then(<[u8]>::first_chunk).map(|bytes| i16::from_be_bytes(*bytes));
        if error == Some(code::UNSUPPORTED_VERSION) {
            // Brokers that are not Kafka have sent this in forms that nobody can read: it is said anew.
            let mut highest = Highest::default();
            let read = codec::response(API_VERSIONS, 0, frame, &mut highest, &mut self.scratch).is_ok();
            stand_in::unsupported_version(correlation, if read { highest.0 } else { 0 }, &mut step.out);
            return Ok(());
        }
        let classic_only = match &self.world {
            Some(world) => world.classic_only(),
            None => peers.identity.classic_only(),
        };
        let mut offer = Offer { classic_only };
        codec::response(API_VERSIONS, version, frame, &mut offer, &mut self.scratch)?.append_to(&mut step.out);
        Ok(())
    }
}
