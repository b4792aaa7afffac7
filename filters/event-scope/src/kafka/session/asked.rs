//! What a client asks.

use std::rc::Rc;

use super::fetches::Fetch;
use super::parts::{Answers, Caller, FetchSession, Only, OnlyWithin, Traces};
use super::peers::{Decision, Peers, Standing, World};
use super::pending::{Forward, What};
use super::plain::PlainRequest;
use super::request::{Found, Request};
use super::rules::{self, Rule, With};
use super::sasl::Exchange;
use super::{
    API_VERSIONS, CREATE_TOPICS, Core, DESCRIBE_SHARE_OFFSETS, DESCRIBE_TOPIC_PARTITIONS, FETCH, JOIN_GROUP, METADATA,
    OFFSET_FETCH, OFFSET_FETCH_GROUPS, PRODUCE, SASL_AUTHENTICATE, SASL_HANDSHAKE, SHARE_FETCH, SYNC_GROUP, Step,
    Trouble, code, parts, stand_in,
};
use crate::kafka::codec::{self, Editor, Mark, Problem, Reach, RequestHeader, WalkError, answer};

/// How many groups of a connection are remembered. Clients join one.
const GROUPS: usize = 16;
/// From which version on SyncGroup says what kind of members a group has.
const SYNC_GROUP_SAYS: i16 = 5;
/// For how many decisions room is kept.
const DECIDED: usize = 64;
/// The epoch of a fetch that wants no session.
const FINAL_EPOCH: i64 = -1;
/// From which version on a fetch has a session.
const FETCH_SESSIONS: i16 = 7;

impl Core {
    pub(super) fn request(&mut self, frame: &[u8], peers: &Peers<'_>, step: &mut Step) -> Result<(), Trouble> {
        // What comes behind the last words is not looked at.
        if self.last_words.is_some() {
            return Ok(());
        }
        if self.exchange == Exchange::Waiting {
            return Err(Trouble::Sasl);
        }
        let header = RequestHeader::read(frame)?;
        match header.api {
            API_VERSIONS => return self.api_versions(frame, header, peers, step),
            SASL_HANDSHAKE => return self.handshake(frame, header, peers, step),
            SASL_AUTHENTICATE => return self.authenticate(frame, header, peers, step),
            _ => {}
        }
        header.known().map_err(unknown)?;
        let Some(rule) = rules::of(header.api) else { return Err(unknown(Problem::UnknownApi)) };
        let Some(world) = self.world(peers) else { return self.refuse(frame, header, rule, step) };
        if !rule.offers(header.version, world.classic_only()) {
            return self.deny(frame, header, code::UNSUPPORTED_VERSION, Reach::Whole, step);
        }
        if rule.with == With::Denied {
            let (api, action, code) = (rule.api, rule.action, rule.code);
            step.decisions.push(Decision {
                api,
                action,
                name: Box::default(),
                asked: false,
                code,
                reason: None,
                trace: None,
            });
            return self.deny(frame, header, rule.code, Reach::Whole, step);
        }
        self.pass(frame, header, rule, world, peers, step)
    }

    /// The world that holds; `None` for nobody, and for who is suspended.
    pub(super) fn world(&mut self, peers: &Peers<'_>) -> Option<Rc<dyn World>> {
        if self.world.is_none()
            && let Some(tenant) = &self.tenant
            && let Standing::Active(world) = peers.identity.standing(tenant)
        {
            self.world = Some(world);
        }
        self.world.clone()
    }

    /// Tells somebody who may not go on so, and takes no more of it.
    fn refuse(&mut self, frame: &[u8], header: RequestHeader<'_>, rule: &Rule, step: &mut Step) -> Result<(), Trouble> {
        let trouble = if self.tenant.is_some() { Trouble::Suspended } else { Trouble::Nobody };
        // Within an exchange a broker answers nothing else.
        if self.exchange != Exchange::Idle || produces_unheard(frame, header) {
            return Err(trouble);
        }
        let reach = if header.api == METADATA { Reach::Each } else { Reach::Whole };
        self.deny(frame, header, rule.code, reach, step)?;
        self.say_last(trouble, step);
        Ok(())
    }

    pub(super) fn say_last(&mut self, trouble: Trouble, step: &mut Step) {
        self.last_words = Some(trouble);
        step.close = step.close.max_later();
        step.trouble.get_or_insert(trouble);
    }

    /// Sends what changes nothing instead, and answers this.
    pub(super) fn deny(
        &mut self,
        frame: &[u8],
        header: RequestHeader<'_>,
        code: i16,
        reach: Reach,
        step: &mut Step,
    ) -> Result<(), Trouble> {
        let mut told = Vec::new();
        answer(frame, code, reach, self.options.largest_answers, &mut told)?;
        self.replace(header.correlation, told, step)
    }

    fn replace(&mut self, correlation: i32, told: Vec<u8>, step: &mut Step) -> Result<(), Trouble> {
        self.expect(correlation, What::Replace(told))?;
        stand_in::api_versions(correlation, &mut step.out);
        Ok(())
    }

    fn api_versions(
        &mut self,
        frame: &[u8],
        header: RequestHeader<'_>,
        peers: &Peers<'_>,
        step: &mut Step,
    ) -> Result<(), Trouble> {
        let correlation = header.correlation;
        if header.known().is_err() {
            let last = codec::Api::of(API_VERSIONS).map_or(0, |api| *api.versions().end());
            let mut told = Vec::new();
            stand_in::unsupported_version(correlation, last, &mut told);
            return self.replace(correlation, told, step);
        }
        let world = self.world(peers);
        // Of nobody a broker hears what it would hear without a proxy.
        let sent = codec::request(frame, &mut Caller(world.as_deref()), &mut self.scratch)?.to_vec();
        self.expect(correlation, What::Versions { version: header.version })?;
        step.out.extend(sent);
        Ok(())
    }

    fn pass(
        &mut self,
        frame: &[u8],
        header: RequestHeader<'_>,
        rule: &'static Rule,
        world: Rc<dyn World>,
        peers: &Peers<'_>,
        step: &mut Step,
    ) -> Result<(), Trouble> {
        let mut editor = Request::new(rule, &*world, peers, self.options.topics);
        editor.found.decisions = std::mem::take(&mut self.decided);
        let start = step.mark();
        let mut judged = None;
        if self.pass_plain(frame, header, &mut editor, &mut judged, step).is_some() {
            let goes_on = match judged {
                Some((session, _, Fetch::Incremental)) => session,
                _ => 0,
            };
            let found = &mut editor.found;
            let asked = Asked { frame, header, world: &world, found, consumer: false, sessions: false, goes_on };
            return self.told(asked, start, step);
        }
        editor.groups = header.api == DESCRIBE_SHARE_OFFSETS
            || (header.api == OFFSET_FETCH && header.version >= OFFSET_FETCH_GROUPS);
        // Whether a miss is answered as a whole, so that what is left out of a session is said again.
        let mut sessions = header.api == SHARE_FETCH;
        let mut goes_on = 0;
        if header.api == FETCH && header.version >= FETCH_SESSIONS {
            let (session, epoch, judged) = match judged {
                Some(judged) => judged,
                None => {
                    let (session, epoch) = FetchSession::of(frame, &mut self.scratch)?;
                    (session, epoch, self.fetches.judge(session, epoch, peers.ids))
                }
            };
            match judged {
                Fetch::Lost => {
                    return self.deny(frame, header, code::FETCH_SESSION_NOT_FOUND, Reach::Whole, step);
                }
                Fetch::Fresh => editor.session = Some(0),
                Fetch::Full => {}
                Fetch::Incremental => goes_on = session,
            }
            sessions = epoch != FINAL_EPOCH;
        }
        let mut group = None;
        if matches!(header.api, JOIN_GROUP | SYNC_GROUP) {
            group = Some(self.group(frame)?);
        }
        if header.api == SYNC_GROUP {
            match self.joined.iter().find(|(name, _)| Some(name) == group.as_ref()) {
                Some((_, consumer)) => editor.consumer = *consumer,
                None if header.version >= SYNC_GROUP_SAYS => {}
                None => return self.deny(frame, header, code::REBALANCE_IN_PROGRESS, Reach::Whole, step),
            }
        }
        if header.api == CREATE_TOPICS
            && let Some(made) = world.made()
        {
            self.expect(header.correlation, What::Count { world: Rc::clone(&world), made })?;
            stand_in::all_topics(header.correlation, &mut step.out);
            if !world.is_counted() {
                return self.deny(frame, header, code::NOT_CONTROLLER, Reach::Each, step);
            }
        }
        let start = step.mark();
        step.splice(&codec::request(frame, &mut editor, &mut self.scratch)?);
        let (consumer, found) = (editor.consumer, &mut editor.found);
        if let (JOIN_GROUP, Some(group)) = (header.api, group) {
            self.join(group, consumer);
        }
        self.told(Asked { frame, header, world: &world, found, consumer, sessions, goes_on }, start, step)
    }

    /// What was decided is told, and what was mapped goes on or not.
    fn told(&mut self, asked: Asked<'_>, start: (usize, usize), step: &mut Step) -> Result<(), Trouble> {
        if asked.header.api == PRODUCE {
            self.trace(asked.frame, &mut asked.found.decisions);
        }
        self.note(asked.found, step);
        let outcome = self.settle(asked, start, step);
        if outcome.is_err() {
            step.back_to(start);
        }
        outcome
    }

    /// Whether a request goes on by a program, as nearly all do that producers and consumers send; `None` where it is to be
    /// walked, and nothing came of it but what was `judged` of its session.
    fn pass_plain(
        &mut self,
        frame: &[u8],
        header: RequestHeader<'_>,
        editor: &mut Request<'_>,
        judged: &mut Option<(i64, i64, Fetch)>,
        step: &mut Step,
    ) -> Option<()> {
        if editor.world.has_ranges() {
            return None;
        }
        let program = self.programs.of(header.api, header.version, true)?;
        let start = step.mark();
        editor.topic = std::mem::take(&mut self.name);
        let mut names = PlainRequest::new(editor, &mut self.fetches);
        let outcome = program.run(frame, &mut names, self.options.largest_edits, step);
        *judged = names.judged;
        self.name = std::mem::take(&mut editor.topic);
        if outcome.is_none() {
            step.back_to(start);
            editor.found.decisions.clear();
            editor.found.acks = None;
        }
        outcome
    }

    /// Finds out of which traces those records are of which there is something to tell.
    fn trace(&mut self, frame: &[u8], decisions: &mut [Decision]) {
        if !tells(self.options.traces, decisions) {
            return;
        }
        let mut traces = Traces::default();
        // The frame was walked before.
        let _ = codec::request(frame, &mut traces, &mut self.scratch);
        // Before the topics, the transactional id may have been denied.
        let others = decisions.len().saturating_sub(traces.of_topics.len());
        for (decision, trace) in decisions.iter_mut().skip(others).zip(traces.of_topics) {
            decision.trace = trace;
        }
    }

    /// Hands over what was decided, and keeps the room.
    pub(super) fn note(&mut self, found: &mut Found, step: &mut Step) {
        if step.decisions.is_empty() {
            std::mem::swap(&mut step.decisions, &mut found.decisions);
        } else {
            step.decisions.append(&mut found.decisions);
        }
        if found.decisions.capacity() <= DECIDED {
            self.decided = std::mem::take(&mut found.decisions);
        }
    }

    /// What was mapped is at the end of `step.out`, from `start` on: whether it goes on.
    fn settle(&mut self, asked: Asked<'_>, start: (usize, usize), step: &mut Step) -> Result<(), Trouble> {
        let Asked { frame, header, world, found, consumer, sessions, goes_on } = asked;
        let unheard = found.acks == Some(0);
        let missing = self.fetches.ask(std::mem::take(&mut found.missing));
        // Without topics, Metadata tells where the brokers are, and a fetch what its session has.
        let empty = found.is_all_denied() && header.api != METADATA && goes_on == 0;
        if unheard {
            // Nobody waits for an answer, so what is denied is gone.
            if found.whole.is_some() || empty {
                step.back_to(start);
            }
            return self.learn(header.correlation, &missing, step);
        }
        if let Some(code) = found.whole {
            step.back_to(start);
            return self.deny(frame, header, code, Reach::Whole, step);
        }
        if sessions && !missing.is_empty() {
            step.back_to(start);
            let mut told = Vec::new();
            answer(frame, code::UNKNOWN_TOPIC_ID, Reach::Whole, self.options.largest_answers, &mut told)?;
            return self.replace_by_question(header.correlation, told, &missing, step);
        }
        // A page of all topics may end at another tenant's, whose name would say where to go on. Clients page by name.
        if header.api == DESCRIBE_TOPIC_PARTITIONS && found.all_topics {
            step.back_to(start);
            return self.deny(frame, header, 0, Reach::Each, step);
        }
        let more = self.answers(frame, header, found)?;
        if empty {
            step.back_to(start);
            // Of what is denied all together nothing stands within something that goes on.
            let mut more = more;
            let first = if more.apart.is_empty() { Vec::new() } else { more.apart.remove(0) };
            let told = more.merged(header.api, header.version, first, &mut self.scratch)?;
            if missing.is_empty() {
                return self.replace(header.correlation, told, step);
            }
            return self.replace_by_question(header.correlation, told, &missing, step);
        }
        let forward = Forward {
            api: header.api,
            version: header.version,
            world: Rc::clone(world),
            more,
            key_type: found.key_type,
            consumer,
            all_topics: found.all_topics,
            session: goes_on,
            generation: self.generation,
        };
        self.expect(header.correlation, What::Forward(forward))?;
        self.learn(header.correlation, &missing, step)
    }

    /// Asks the broker for topics by their ids instead.
    fn replace_by_question(
        &mut self,
        correlation: i32,
        told: Vec<u8>,
        missing: &[[u8; 16]],
        step: &mut Step,
    ) -> Result<(), Trouble> {
        self.expect(correlation, What::Learn(Some(told)))?;
        stand_in::metadata(correlation, missing, &mut step.out);
        Ok(())
    }

    /// As well.
    fn learn(&mut self, correlation: i32, missing: &[[u8; 16]], step: &mut Step) -> Result<(), Trouble> {
        if missing.is_empty() {
            return Ok(());
        }
        self.expect(correlation, What::Learn(None))?;
        stand_in::metadata(correlation, missing, &mut step.out);
        Ok(())
    }

    /// Answers to what is denied.
    fn answers(&mut self, frame: &[u8], header: RequestHeader<'_>, found: &Found) -> Result<Answers, Trouble> {
        let mut answers = Answers::default();
        if found.denied.is_empty() && found.within.is_empty() {
            return Ok(answers);
        }
        for code in found.codes() {
            let mut only = Only { denied: &found.denied, code };
            answers.apart.push(self.answer_to(frame, &mut only, code)?);
        }
        for code in found.codes_within() {
            let mut only = OnlyWithin { denied: &found.within, code };
            let told = self.answer_to(frame, &mut only, code)?;
            answers.within.push(self.of_topics_alone(header, &told)?);
        }
        Ok(answers)
    }

    /// The answer to what `only` keeps of a request, with its length.
    fn answer_to(&mut self, frame: &[u8], only: &mut dyn Editor, code: i16) -> Result<Vec<u8>, Trouble> {
        let part = codec::request(frame, only, &mut self.scratch)?.to_vec();
        let mut told = Vec::new();
        answer(part.get(4..).unwrap_or_default(), code, Reach::Each, self.options.largest_answers, &mut told)?;
        Ok(told)
    }

    /// The same without an error of the groups themselves.
    fn of_topics_alone(&mut self, header: RequestHeader<'_>, told: &[u8]) -> Result<Vec<u8>, Trouble> {
        let told = told.get(4..).unwrap_or_default();
        Ok(codec::response(header.api, header.version, told, &mut parts::Within, &mut self.scratch)?.to_vec())
    }

    /// The group that a request names, as the client calls it.
    fn group(&mut self, frame: &[u8]) -> Result<Box<[u8]>, Trouble> {
        let mut name = parts::First { mark: Mark::Group, value: None };
        codec::request(frame, &mut name, &mut self.scratch)?;
        Ok(name.value.unwrap_or_default())
    }

    fn join(&mut self, group: Box<[u8]>, consumer: bool) {
        self.joined.retain(|(name, _)| *name != group);
        if self.joined.len() >= GROUPS {
            self.joined.remove(0);
        }
        self.joined.push((group, consumer));
    }
}

/// Whether there is something to tell of records but that they may be written, which would be told with `traces` alone.
pub(super) fn tells(traces: bool, decisions: &[Decision]) -> bool {
    traces || decisions.iter().any(|decision| decision.code != 0 || decision.reason.is_some())
}

/// A request that was walked.
struct Asked<'f> {
    frame: &'f [u8],
    header: RequestHeader<'f>,
    world: &'f Rc<dyn World>,
    found: &'f mut Found,
    consumer: bool,
    sessions: bool,
    goes_on: i64,
}

fn unknown(problem: Problem) -> Trouble {
    Trouble::Walk(WalkError { problem, at: 0 })
}

/// Whether it is a Produce that nobody waits for, or may be one.
fn produces_unheard(frame: &[u8], header: RequestHeader<'_>) -> bool {
    let mut acks = parts::Acks(None);
    header.api == super::PRODUCE
        && (codec::request(frame, &mut acks, &mut codec::Scratch::default()).is_err() || acks.0 == Some(0))
}
