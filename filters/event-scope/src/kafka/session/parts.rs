//! What is taken out of a request, as a request of its own, and small editors that read one place.

use super::peers::World;
use super::request::{drop_outermost, is_aside};
use crate::kafka::codec::{self, Editor, Mark, Marks, Place, Scratch, Verdict, WalkError};
use crate::kafka::records;

/// Keeps of a request what is denied with one code.
pub(super) struct Only<'a> {
    pub(super) denied: &'a [(u32, i16)],
    pub(super) code: i16,
}

impl Editor for Only<'_> {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Topic, Mark::TopicId, Mark::Group, Mark::Key, Mark::Resource, Mark::Transaction])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let [outermost, ..] = place.indexes else { return Verdict::Keep };
        if is_aside(place) {
            return Verdict::Drop(1);
        }
        let found = self.denied.binary_search_by_key(outermost, |(element, _)| *element);
        let kept = found.ok().and_then(|n| self.denied.get(n)).is_some_and(|(_, code)| *code == self.code);
        if kept { Verdict::Keep } else { drop_outermost(place) }
    }
}

/// Keeps of a request the topics of groups that are denied with one code.
pub(super) struct OnlyWithin<'a> {
    pub(super) denied: &'a [(u32, u32, i16)],
    pub(super) code: i16,
}

impl Editor for OnlyWithin<'_> {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Topic, Mark::TopicId, Mark::Group])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let kept = match place.indexes {
            [group] => {
                let from = self.denied.partition_point(|(other, ..)| other < group);
                let of_group = self.denied.iter().skip(from).take_while(|(other, ..)| other == group);
                of_group.into_iter().any(|(.., code)| *code == self.code)
            }
            [group, topic, ..] => {
                let found = self.denied.binary_search_by_key(&(*group, *topic), |(group, topic, _)| (*group, *topic));
                found.ok().and_then(|n| self.denied.get(n)).is_some_and(|(.., code)| *code == self.code)
            }
            [] => true,
        };
        if kept { Verdict::Keep } else { Verdict::Drop(1) }
    }
}

/// Answers to what is denied of a request, each with its length.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// To what its outermost list names.
    pub(super) apart: Vec<Vec<u8>>,
    /// To topics in groups that went on without them.
    pub(super) within: Vec<Vec<u8>>,
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.apart.is_empty() && self.within.is_empty()
    }

    /// How many bytes they have.
    pub(super) fn held(&self) -> usize {
        self.apart.iter().chain(&self.within).map(Vec::len).sum()
    }

    /// Puts what they list into a response, with its length.
    pub(super) fn merged(
        &self,
        api: i16,
        version: i16,
        response: Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<Vec<u8>, WalkError> {
        let mut all = response;
        for more in &self.within {
            let (here, more) = (all.get(4..).unwrap_or_default(), more.get(4..).unwrap_or_default());
            all = codec::merge_within(api, version, here, more, scratch)?.to_vec();
        }
        for more in &self.apart {
            let (here, more) = (all.get(4..).unwrap_or_default(), more.get(4..).unwrap_or_default());
            all = codec::merge(api, version, here, more, scratch)?.to_vec();
        }
        Ok(all)
    }
}

/// Names the tenant to the broker in what is otherwise kept.
pub(super) struct Caller<'a>(pub(super) Option<&'a dyn World>);

impl Editor for Caller<'_> {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::ClientId])
    }

    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        let Some(world) = self.0 else { return Verdict::Keep };
        world.client(place.bytes(), new);
        Verdict::Replace
    }
}

/// The session of a fetch, and its epoch. Nothing behind these is read: the whole is walked afterwards.
#[derive(Default)]
pub(super) struct FetchSession {
    session: i64,
    epoch: Option<i64>,
}

impl FetchSession {
    /// Reads both from a request.
    pub(super) fn of(frame: &[u8], scratch: &mut Scratch) -> Result<(i64, i64), WalkError> {
        let mut seen = Self::default();
        match (codec::request(frame, &mut seen, scratch).map(|_| ()), seen.epoch) {
            (_, Some(epoch)) => Ok((seen.session, epoch)),
            (outcome, None) => outcome.map(|()| (seen.session, 0)),
        }
    }
}

impl Editor for FetchSession {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Session, Mark::SessionEpoch])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let number = place.value.number().unwrap_or(0);
        if place.mark == Mark::Session {
            self.session = number;
            return Verdict::Keep;
        }
        self.epoch = Some(number);
        Verdict::Refuse
    }
}

/// What an exchange of SASL says.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) mechanism: Vec<u8>,
    pub(super) auth: Vec<u8>,
    pub(super) error: i64,
}

impl Editor for Seen {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Mechanism, Mark::Auth, Mark::Error, Mark::Message])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let bytes = place.bytes().unwrap_or_default();
        let number = place.value.number().unwrap_or(0);
        match place.mark {
            Mark::Mechanism => self.mechanism.extend_from_slice(bytes),
            Mark::Auth => self.auth.extend_from_slice(bytes),
            Mark::Error => self.error = number,
            Mark::Message if place.bytes().is_some() => return Verdict::Null,
            _ => {}
        }
        Verdict::Keep
    }
}

/// Says of groups that nothing is wrong with them but with topics in them: clients take a group's error for one of its
/// coordinator.
pub(super) struct Within;

impl Editor for Within {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Error])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if place.indexes.len() == 1 { Verdict::Number(0) } else { Verdict::Keep }
    }
}

/// Reads the first place with this mark.
pub(super) struct First {
    pub(super) mark: Mark,
    pub(super) value: Option<Box<[u8]>>,
}

impl Editor for First {
    fn marks(&self) -> Marks {
        Marks::of(&[self.mark])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if self.value.is_none() {
            self.value = place.bytes().map(Into::into);
        }
        Verdict::Keep
    }
}

/// Reads how many acknowledgements are waited for.
pub(super) struct Acks(pub(super) Option<i64>);

impl Editor for Acks {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Acks])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        self.0 = place.value.number();
        Verdict::Keep
    }
}

/// Of which traces records are that are to be written, by topic: what the first one says.
#[derive(Default)]
pub(super) struct Traces {
    pub(super) of_topics: Vec<Option<Box<[u8]>>>,
}

/// The longest `traceparent` that is kept, in bytes: version 00 has 55.
const TRACE: usize = 128;

impl Editor for Traces {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Topic, Mark::TopicId, Mark::Records])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if place.mark != Mark::Records {
            self.of_topics.push(None);
        } else if let (Some(trace @ None), Some(records)) = (self.of_topics.last_mut(), place.bytes()) {
            let found = records::header(records, b"traceparent").filter(|value| value.len() <= TRACE);
            *trace = found.map(Into::into);
        }
        Verdict::Keep
    }
}

/// Puts something into a SaslAuthenticate that no broker believes.
pub(super) struct Nobody;

impl Editor for Nobody {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Auth])
    }

    fn place(&mut self, _: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        new.push(0);
        Verdict::Replace
    }
}
