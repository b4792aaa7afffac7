//! Places that stand in a few APIs only.

use super::super::code;
use super::super::peers::{Bound, Kind};
use super::super::regex;
use super::Request;
use crate::kafka::codec::{Mark, Place, Value, Verdict};

/// Resource types of configurations.
const TOPIC: i64 = 2;
const GROUP: i64 = 32;
/// OffsetForLeaderEpoch, in which a consumer may say nothing of who it is.
const OFFSET_FOR_LEADER_EPOCH: i16 = 23;

impl Request<'_> {
    pub(super) fn kind(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        match place.mark {
            Mark::Key => self.key(place, new),
            Mark::Resource => self.resource(place, new),
            Mark::AutoCreate if !self.world.auto_create() || !self.made_by_asking => Verdict::Number(0),
            Mark::Replica => self.replica(place),
            Mark::Session => self.session.map_or(Verdict::Keep, Verdict::Number),
            Mark::Subscription | Mark::Assignment => {
                if let Some(kind) = place.kind.and_then(Value::bytes) {
                    self.consumer = kind == b"consumer";
                }
                if self.consumer { Verdict::Enter } else { Verdict::Keep }
            }
            Mark::TopicRegex => self.regex(place, new),
            Mark::TransactionRegex => self.deny(place, code::UNSUPPORTED_VERSION),
            Mark::PartitionCount => self.bound(place, Bound::Partitions),
            Mark::Replication => self.bound(place, Bound::Replication),
            Mark::ConfigValue => self.config(place),
            _ => Verdict::Keep,
        }
    }

    /// What a coordinator is looked for.
    fn key(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        // Version 0 knows groups only.
        self.found.key_type = place.kind.and_then(Value::number).unwrap_or(0);
        match self.found.key_type {
            0 => self.name(Kind::Group, code::GROUP_DENIED, place, new),
            1 => self.name(Kind::Transaction, code::TRANSACTION_DENIED, place, new),
            // Those of share groups' partitions brokers ask each other for.
            _ => self.deny(place, code::CLUSTER_DENIED),
        }
    }

    fn resource(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        self.topic.clear();
        match place.kind.and_then(Value::number) {
            Some(TOPIC) => self.topic(place, new),
            Some(GROUP) => self.name(Kind::Group, code::GROUP_DENIED, place, new),
            _ => self.deny(place, code::CLUSTER_DENIED),
        }
    }

    /// Who fetches for a broker gets what no policy was asked about.
    fn replica(&mut self, place: &Place<'_>) -> Verdict {
        match place.value.number() {
            Some(-1) => {}
            Some(-2) if self.rule.api == OFFSET_FOR_LEADER_EPOCH => {}
            _ => {
                self.note(self.rule.action, &[], code::CLUSTER_DENIED, None);
                self.found.whole = Some(code::CLUSTER_DENIED);
            }
        }
        Verdict::Keep
    }

    fn regex(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        let Some(pattern) = place.bytes() else { return Verdict::Keep };
        // What unsubscribes.
        if pattern.is_empty() {
            return Verdict::Keep;
        }
        match self.world.topic_prefix() {
            Some(prefix) if regex::wrap(prefix, pattern, new) => Verdict::Replace,
            _ => {
                self.note(self.rule.action, pattern, code::INVALID_REGEX, None);
                self.deny(place, code::INVALID_REGEX)
            }
        }
    }

    fn bound(&mut self, place: &Place<'_>, bound: fn(i64) -> Bound<'static>) -> Verdict {
        let Some(number) = place.value.number() else { return Verdict::Keep };
        if self.world.allows(&self.topic, bound(number)) {
            Verdict::Keep
        } else {
            self.deny(place, code::POLICY_VIOLATION)
        }
    }

    fn config(&mut self, place: &Place<'_>) -> Verdict {
        // Those of groups have no bounds.
        let (false, Some(name)) = (self.topic.is_empty(), place.kind.and_then(Value::bytes)) else {
            return Verdict::Keep;
        };
        if self.world.allows(&self.topic, Bound::Config(name, place.bytes())) {
            Verdict::Keep
        } else {
            self.deny(place, code::POLICY_VIOLATION)
        }
    }

    /// Who places replicas by hand would get around the bounds of how many.
    pub(super) fn partition_or_assignment(&mut self, place: &Place<'_>) -> Verdict {
        if place.within == "Assignments" {
            return self.deny(place, code::POLICY_VIOLATION);
        }
        self.partition(place)
    }
}
