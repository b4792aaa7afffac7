//! A request on its way to the broker: names are mapped, and what the tenant may not is found.

mod kinds;

use std::rc::Rc;

use super::code;
use super::peers::{Access, Action, Bound, Decision, Kind, Mapped, Peers, World};
use super::rules::{Rule, With};
use super::{ALTER_CONFIGS, METADATA};
use partywall_tenancy::order;

use crate::kafka::codec::{Editor, Mark, Marks, Place, Value, Verdict};

/// What an editor of requests is asked about.
const ASKED: Marks = Marks::of(&[
    Mark::Acks,
    Mark::Assignment,
    Mark::AutoCreate,
    Mark::ClientId,
    Mark::ConfigValue,
    Mark::Group,
    Mark::Key,
    Mark::PartitionCount,
    Mark::Replica,
    Mark::Replication,
    Mark::Resource,
    Mark::Session,
    Mark::Subscription,
    Mark::Topic,
    Mark::TopicId,
    Mark::TopicRegex,
    Mark::Topics,
    Mark::Transaction,
    Mark::TransactionRegex,
]);
/// As those, and partitions.
const ASKED_OF_PARTITIONS: Marks = ASKED.and(Mark::Partition);

/// How many ids are looked up at a time.
pub(super) const IDS: usize = 256;

/// Decides about each place of a request.
pub(super) struct Request<'a> {
    pub(super) rule: &'static Rule,
    pub(super) world: &'a dyn World,
    pub(super) peers: &'a Peers<'a>,
    /// How many topics one request may name.
    most: usize,
    /// What stands in the place of the fetch session's id.
    pub(super) session: Option<i64>,
    /// Whether members of its group tell each other of topics, where the request does not say.
    pub(super) consumer: bool,
    /// Whether it lists groups with topics in them, of which some may be denied.
    pub(super) groups: bool,
    pub(super) found: Found,
    /// The broker's name of the topic whose partitions follow; empty for none.
    pub(super) topic: Vec<u8>,
    /// Whether the element at hand named its topic by id already.
    by_id: bool,
    /// How many ids were looked up.
    looked_up: usize,
    /// Whether all topics so far may be made by asking for them.
    made_by_asking: bool,
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What is denied: elements of the outermost list, in order, each with its error.
    pub(super) denied: Vec<(u32, i16)>,
    /// The same of topics in a group that goes on without them: elements of two lists.
    pub(super) within: Vec<(u32, u32, i16)>,
    /// The error where all of it is denied.
    pub(super) whole: Option<i16>,
    /// How many elements the outermost list had.
    pub(super) elements: u32,
    /// What the broker's topic is not known of.
    pub(super) missing: Vec<[u8; 16]>,
    /// How many acknowledgements are waited for.
    pub(super) acks: Option<i64>,
    /// What kind of keys a coordinator is looked for.
    pub(super) key_type: i64,
    /// Whether all topics are meant.
    pub(super) all_topics: bool,
    pub(super) decisions: Vec<Decision>,
}

impl Found {
    /// Whether nothing is left to ask the broker for.
    pub(super) fn is_all_denied(&self) -> bool {
        !self.denied.is_empty() && self.denied.len() >= usize::try_from(self.elements).unwrap_or(usize::MAX)
    }

    /// The errors, each once.
    pub(super) fn codes(&self) -> Vec<i16> {
        each_once(self.denied.iter().map(|(_, code)| *code))
    }

    /// Those within groups.
    pub(super) fn codes_within(&self) -> Vec<i16> {
        each_once(self.within.iter().map(|(.., code)| *code))
    }
}

fn each_once(codes: impl Iterator<Item = i16>) -> Vec<i16> {
    let mut codes: Vec<i16> = codes.collect();
    order::sort(&mut codes);
    codes.dedup();
    codes
}

/// Whether the place names what is not answered, as topics that a fetch session is to forget.
pub(super) fn is_aside(place: &Place<'_>) -> bool {
    matches!(place.within, "ForgottenTopicsData" | "Cursor")
}

/// The element around the place, out of the outermost list.
pub(super) fn drop_outermost(place: &Place<'_>) -> Verdict {
    Verdict::Drop(u8::try_from(place.indexes.len()).unwrap_or(u8::MAX))
}

impl<'a> Request<'a> {
    pub(super) fn new(rule: &'static Rule, world: &'a dyn World, peers: &'a Peers<'a>, most: usize) -> Self {
        let (found, topic) = (Found::default(), Vec::new());
        let (session, consumer, groups, by_id, looked_up, made_by_asking) = (None, false, false, false, 0, true);
        Self { rule, world, peers, most, session, consumer, groups, found, topic, by_id, looked_up, made_by_asking }
    }

    /// Takes out what is around the place, or denies all.
    fn deny(&mut self, place: &Place<'_>, code: i16) -> Verdict {
        // A policy let it, and bounds do not: one decision of the topic is told.
        if let Some(last) = self.found.decisions.last_mut()
            && last.code == 0
            && !self.topic.is_empty()
            && *last.name == *self.topic
        {
            last.code = code;
        }
        match (self.rule.with, place.indexes) {
            (With::Parts, [_, ..]) if is_aside(place) => Verdict::Drop(1),
            // What is dropped costs no edit, so that nothing else bounds it.
            (With::Parts, _) if self.found.denied.len() + self.found.within.len() > self.most => Verdict::Refuse,
            (With::Parts, [outermost, topic, ..]) if self.groups => {
                let last = self.found.within.last();
                if last.is_none_or(|(group, last, _)| (group, last) != (outermost, topic)) {
                    self.found.within.push((*outermost, *topic, code));
                }
                Verdict::Drop(u8::try_from(place.indexes.len()).unwrap_or(u8::MAX).saturating_sub(1))
            }
            (With::Parts, [outermost, ..]) => {
                if self.found.denied.last().is_none_or(|(last, _)| last != outermost) {
                    self.found.denied.push((*outermost, code));
                }
                drop_outermost(place)
            }
            (With::Told, [_, ..]) => Verdict::Drop(1),
            _ => {
                self.found.whole.get_or_insert(code);
                Verdict::Keep
            }
        }
    }

    fn topic(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        self.topic.clear();
        let by_id = std::mem::take(&mut self.by_id);
        let Some(name) = place.bytes() else { return Verdict::Keep };
        // Clients that ask for metadata by id leave the name empty, and brokers do not look at it.
        if name.is_empty() && by_id && self.rule.api == METADATA {
            return Verdict::Keep;
        }
        let mapped = self.world.inward(Kind::Topic, name, new);
        let code = match mapped {
            Mapped::Yes => None,
            Mapped::Denied => Some(code::TOPIC_DENIED),
            Mapped::Invalid => Some(code::INVALID_TOPIC),
        };
        if code.is_none() {
            self.topic.extend_from_slice(new);
        }
        // What members of a group tell each other is decided when they fetch it, what is forgotten needs no decision.
        let quiet = self.rule.with == With::Told || is_aside(place);
        let code = match code {
            Some(_) => code,
            None if quiet => (self.world.access(new) == Access::Foreign).then_some(code::TOPIC_DENIED),
            None => self.decide(self.action(place)).or_else(|| self.beyond(self.action(place))),
        };
        match code {
            None => Verdict::Replace,
            Some(code) => {
                if mapped != Mapped::Yes && !quiet {
                    self.note(self.action(place), name, code, None);
                }
                if self.is_too_much() { Verdict::Refuse } else { self.deny(place, code) }
            }
        }
    }

    /// What is done to the topic at this place.
    fn action(&self, place: &Place<'_>) -> Action {
        // The broker makes them for the group.
        let makes = matches!(place.within, "StateChangelogTopics" | "RepartitionSourceTopics");
        if makes { Action::Create } else { self.rule.action }
    }

    /// Asks about the topic at hand; the error where it is denied.
    pub(super) fn decide(&mut self, action: Action) -> Option<i16> {
        let topic = std::mem::take(&mut self.topic);
        let (allow, reason) = if action.is_within(self.world.access(&topic)) {
            let ruling = self.peers.decide.decide(self.world, action, &topic);
            (ruling.allow, ruling.reason)
        } else {
            (false, None)
        };
        let code = if allow { 0 } else { code::TOPIC_DENIED };
        self.note(action, &topic, code, reason);
        if let Some(decision) = self.found.decisions.last_mut() {
            decision.asked = true;
        }
        self.topic = topic;
        (!allow).then_some(code)
    }

    /// The error where the topic at hand may not be made at all, or not be set anew as a whole.
    fn beyond(&mut self, action: Action) -> Option<i16> {
        let bound = match self.rule.api {
            _ if action == Action::Create => Bound::New,
            ALTER_CONFIGS => Bound::Others,
            // Whether the broker is to make what is not there, the request says behind the names.
            METADATA => {
                self.made_by_asking = self.made_by_asking && self.may_make();
                return None;
            }
            _ => return None,
        };
        (!self.world.allows(&self.topic, bound)).then_some(code::POLICY_VIOLATION)
    }

    /// Whether the topic at hand may be made by asking for it: as whatever makes it, but told to nobody.
    fn may_make(&self) -> bool {
        let action = Action::Create;
        self.world.auto_create()
            && action.is_within(self.world.access(&self.topic))
            && self.peers.decide.decide(self.world, action, &self.topic).allow
    }

    fn note(&mut self, action: Action, name: &[u8], code: i16, reason: Option<Rc<str>>) {
        let decision =
            Decision { api: self.rule.api, action, name: name.into(), asked: false, code, reason, trace: None };
        self.found.decisions.push(decision);
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.found.decisions.len() > self.most
    }

    /// A topic by its id: what is not known is looked up, what is another tenant's is answered as if it were not there.
    fn topic_id(&mut self, place: &Place<'_>) -> Verdict {
        self.topic.clear();
        let Some(id) = place.bytes().and_then(|id| <[u8; 16]>::try_from(id).ok()) else { return Verdict::Refuse };
        self.by_id = id != [0; 16];
        if !self.by_id {
            return Verdict::Keep;
        }
        // Each may be a call to the host, and takes 16 bytes of a frame.
        self.looked_up += 1;
        if self.looked_up > self.most {
            return Verdict::Refuse;
        }
        let mut name = std::mem::take(&mut self.topic);
        let known = self.peers.ids.name(&id, &mut name);
        self.topic = name;
        let foreign = known && self.world.access(&self.topic) == Access::Foreign;
        if self.rule.with == With::Whole || is_aside(place) {
            // What a member says that it has is compared with what it was given, and with nothing else.
            return if foreign { Verdict::Drop(1) } else { Verdict::Keep };
        }
        let code = match (known, foreign) {
            (true, false) => self.decide(self.rule.action),
            (known, _) => {
                if !known && self.found.missing.len() < IDS && !self.found.missing.contains(&id) {
                    self.found.missing.push(id);
                }
                self.note(self.rule.action, &id, code::UNKNOWN_TOPIC_ID, None);
                Some(code::UNKNOWN_TOPIC_ID)
            }
        };
        match code {
            _ if self.is_too_much() => Verdict::Refuse,
            None => Verdict::Keep,
            Some(code) => self.deny(place, code),
        }
    }

    fn name(&mut self, kind: Kind, code: i16, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        let Some(name) = place.bytes() else { return Verdict::Keep };
        match self.world.inward(kind, name, new) {
            Mapped::Yes => Verdict::Replace,
            Mapped::Denied | Mapped::Invalid => {
                self.note(self.rule.action, name, code, None);
                self.deny(place, code)
            }
        }
    }

    fn partition(&mut self, place: &Place<'_>) -> Verdict {
        // A task of a streams group is of no topic.
        let (false, Some(number)) = (self.topic.is_empty(), place.value.number()) else { return Verdict::Keep };
        let mapped = i32::try_from(number).ok().and_then(|n| self.world.partition_inward(&self.topic, n));
        match mapped {
            Some(mapped) if i64::from(mapped) == number => Verdict::Keep,
            Some(mapped) => Verdict::Number(mapped.into()),
            None => self.deny(place, code::UNKNOWN_TOPIC_OR_PARTITION),
        }
    }
}

impl Editor for Request<'_> {
    fn marks(&self) -> Marks {
        // Who places replicas by hand is denied by the partitions that are listed.
        if self.world.has_ranges() || self.rule.api == super::CREATE_TOPICS { ASKED_OF_PARTITIONS } else { ASKED }
    }

    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        if let ([outermost, ..], false) = (place.indexes, is_aside(place)) {
            self.found.elements = self.found.elements.max(outermost.saturating_add(1));
        }
        match place.mark {
            Mark::ClientId => {
                self.world.client(place.bytes(), new);
                Verdict::Replace
            }
            Mark::Topics => {
                self.found.all_topics |=
                    place.indexes.is_empty() && matches!(place.value, Value::Null | Value::List(0));
                Verdict::Keep
            }
            Mark::Topic if self.is_too_much() => Verdict::Refuse,
            Mark::Topic => self.topic(place, new),
            Mark::TopicId => self.topic_id(place),
            Mark::Partition => self.partition_or_assignment(place),
            Mark::Group => self.name(Kind::Group, code::GROUP_DENIED, place, new),
            Mark::Transaction => self.name(Kind::Transaction, code::TRANSACTION_DENIED, place, new),
            Mark::Acks => {
                self.found.acks = place.value.number();
                Verdict::Keep
            }
            _ => self.kind(place, new),
        }
    }
}
