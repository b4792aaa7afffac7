//! A response on its way to the client: names are mapped, and what is another tenant's is left out.

use super::peers::{Access, Action, Address, Ids, Kind, Peers, World};
use super::pending::Forward;
use super::{CREATE_TOPICS, DESCRIBE_TOPIC_PARTITIONS, FETCH, METADATA, SHARE_FETCH, regex};
use crate::kafka::codec::{Editor, Mark, Marks, Place, Value, Verdict};

/// What an editor of responses is asked about.
const ASKED: Marks = Marks::of(&[
    Mark::AclHost,
    Mark::Assignment,
    Mark::ClientHost,
    Mark::ClientId,
    Mark::Entity,
    Mark::Group,
    Mark::Host,
    Mark::Key,
    Mark::Message,
    Mark::Port,
    Mark::Principal,
    Mark::Records,
    Mark::Resource,
    Mark::Session,
    Mark::Subscription,
    Mark::Topic,
    Mark::TopicId,
    Mark::TopicRegex,
    Mark::Transaction,
    Mark::User,
]);
/// As those, and partitions.
const ASKED_OF_PARTITIONS: Marks = ASKED.and(Mark::Partition);

/// Decides about each place of a response.
pub(super) struct Response<'a> {
    request: &'a Forward,
    pub(super) world: &'a dyn World,
    pub(super) peers: &'a Peers<'a>,
    /// The broker's name of the topic at hand; empty for none.
    pub(super) topic: Vec<u8>,
    /// The fetch session that the broker speaks of.
    pub(super) session: Option<i64>,
    /// Whether there are records in it.
    pub(super) records: bool,
}

impl<'a> Response<'a> {
    pub(super) fn new(request: &'a Forward, peers: &'a Peers<'a>) -> Self {
        Self { request, world: &*request.world, peers, topic: Vec::new(), session: None, records: false }
    }

    fn topic(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        self.topic.clear();
        let Some(name) = place.bytes() else { return Verdict::Keep };
        // An answer that names nothing, as a list of what went wrong.
        if name.is_empty() {
            return Verdict::Keep;
        }
        if !self.world.outward(Kind::Topic, name, new) {
            return leave_out(place);
        }
        // What was asked for by name was decided then.
        let listed = self.request.all_topics && self.request.api == METADATA;
        if listed && !self.peers.decide.decide(self.world, Action::Describe, name).allow {
            return leave_out(place);
        }
        self.topic.extend_from_slice(name);
        Verdict::Replace
    }

    fn topic_id(&mut self, place: &Place<'_>) -> Verdict {
        let Some(id) = place.bytes().and_then(|id| <[u8; 16]>::try_from(id).ok()) else { return Verdict::Refuse };
        if id == [0; 16] {
            return Verdict::Keep;
        }
        let names = matches!(self.request.api, METADATA | CREATE_TOPICS | DESCRIBE_TOPIC_PARTITIONS);
        if names && !self.topic.is_empty() {
            self.peers.ids.learn(&id, &self.topic);
            return Verdict::Keep;
        }
        self.topic.clear();
        let known = self.peers.ids.name(&id, &mut self.topic);
        let access = known.then(|| self.world.access(&self.topic));
        // A share session goes on with what was asked for before, maybe under another bundle.
        let goes_on = self.request.api == SHARE_FETCH;
        match access {
            Some(Access::Foreign) => leave_out(place),
            None if goes_on => leave_out(place),
            Some(_) if goes_on && !self.peers.decide.decide(self.world, Action::Consume, &self.topic).allow => {
                leave_out(place)
            }
            Some(Access::Own | Access::Part | Access::Read) => Verdict::Keep,
            // It was known when it was asked for; without its name its partitions cannot be counted.
            None if self.world.has_ranges() => Verdict::Refuse,
            None => Verdict::Keep,
        }
    }

    fn name(&self, kind: Kind, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        match place.bytes() {
            None => Verdict::Keep,
            Some(name) if self.world.outward(kind, name, new) => Verdict::Replace,
            Some(_) => leave_out(place),
        }
    }

    fn resource(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        match place.kind.and_then(Value::number) {
            Some(2) => self.topic(place, new),
            Some(32) => self.name(Kind::Group, place, new),
            _ => leave_out(place),
        }
    }

    fn broker(&self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        let broker = place.kind.and_then(Value::number).and_then(|id| i32::try_from(id).ok()).unwrap_or(-1);
        // Nobody's, where something went wrong.
        if broker < 0 && place.bytes().unwrap_or_default().is_empty() {
            return Verdict::Keep;
        }
        match (self.world.address(broker, new), place.mark) {
            (Address::Keep, _) => Verdict::Keep,
            (Address::At(_), Mark::Host) => Verdict::Replace,
            (Address::At(port), _) => Verdict::Number(port.into()),
            (Address::Hide, mark) => match (place.indexes, mark) {
                ([_, ..], _) => Verdict::Drop(1),
                (_, Mark::Host) => {
                    new.clear();
                    Verdict::Replace
                }
                _ => Verdict::Number(0),
            },
        }
    }

    fn partition(&self, place: &Place<'_>) -> Verdict {
        let (false, Some(number)) = (self.topic.is_empty(), place.value.number()) else { return Verdict::Keep };
        let mapped = i32::try_from(number).ok().and_then(|n| self.world.partition_outward(&self.topic, n));
        match mapped {
            Some(mapped) if i64::from(mapped) == number => Verdict::Keep,
            Some(mapped) => Verdict::Number(mapped.into()),
            None => leave_out(place),
        }
    }
}

/// What is around the place is left out; where nothing is around it, nothing of the response goes on.
fn leave_out(place: &Place<'_>) -> Verdict {
    if place.indexes.is_empty() { Verdict::Refuse } else { Verdict::Drop(1) }
}

impl Editor for Response<'_> {
    fn marks(&self) -> Marks {
        if self.world.has_ranges() { ASKED_OF_PARTITIONS } else { ASKED }
    }

    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        match place.mark {
            Mark::Topic => self.topic(place, new),
            Mark::TopicId => self.topic_id(place),
            Mark::Partition => self.partition(place),
            Mark::Group => self.name(Kind::Group, place, new),
            Mark::Transaction => self.name(Kind::Transaction, place, new),
            Mark::Key => match self.request.key_type {
                0 => self.name(Kind::Group, place, new),
                1 => self.name(Kind::Transaction, place, new),
                _ => leave_out(place),
            },
            Mark::Resource => self.resource(place, new),
            Mark::Host | Mark::Port => self.broker(place, new),
            Mark::Records => {
                self.records |= place.bytes().is_some_and(|records| !records.is_empty());
                Verdict::Keep
            }
            Mark::Session if self.request.api == FETCH => {
                self.session = place.value.number();
                Verdict::Keep
            }
            Mark::Subscription | Mark::Assignment => {
                // Where the request did not tell, the response does.
                let told = place.kind.and_then(Value::bytes).filter(|_| self.request.api == super::DESCRIBE_GROUPS);
                let consumer = told.map_or(self.request.consumer, |kind| kind == b"consumer");
                if consumer { Verdict::Enter } else { Verdict::Keep }
            }
            // A broker's words may hold its names; the code says the same.
            Mark::Message if place.bytes().is_some() && place.field != "StatusDetail" => Verdict::Null,
            Mark::ClientId => {
                // Without a name where it is not one of the tenant's.
                if let Some(id) = place.bytes() {
                    self.world.client_outward(id, new);
                    return Verdict::Replace;
                }
                Verdict::Keep
            }
            // Whom the broker sees is a proxy.
            Mark::ClientHost | Mark::Message if place.bytes().is_some() => Verdict::Replace,
            Mark::TopicRegex => match (place.bytes(), self.world.topic_prefix()) {
                (None | Some(b""), _) => Verdict::Keep,
                (Some(pattern), prefix) => match prefix.and_then(|prefix| regex::unwrap(prefix, pattern)) {
                    Some(pattern) => {
                        new.extend_from_slice(pattern);
                        Verdict::Replace
                    }
                    None => Verdict::Null,
                },
            },
            // No API that tenants may use answers with these.
            Mark::AclHost | Mark::Principal | Mark::Entity | Mark::User if place.bytes().is_some() => leave_out(place),
            _ => Verdict::Keep,
        }
    }
}

/// Counts the topics of a response to Metadata that are a world's own.
pub(super) struct Census<'a> {
    pub(super) world: &'a dyn World,
    pub(super) own: u32,
}

impl Editor for Census<'_> {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Topic])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let own = place.bytes().is_some_and(|topic| self.world.access(topic) == Access::Own);
        self.own = self.own.saturating_add(own.into());
        Verdict::Keep
    }
}

/// Learns the topics of a response to Metadata that asked by ids.
pub(super) struct Learner<'a> {
    ids: &'a dyn Ids,
    topic: Vec<u8>,
}

impl<'a> Learner<'a> {
    pub(super) fn new(ids: &'a dyn Ids) -> Self {
        Self { ids, topic: Vec::new() }
    }
}

impl Editor for Learner<'_> {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Topic, Mark::TopicId])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let bytes = place.bytes().unwrap_or_default();
        if place.mark == Mark::Topic {
            self.topic.clear();
            self.topic.extend_from_slice(bytes);
        } else if let (Ok(id), false) = (bytes.try_into(), self.topic.is_empty()) {
            self.ids.learn(&id, &self.topic);
        }
        Verdict::Keep
    }
}
