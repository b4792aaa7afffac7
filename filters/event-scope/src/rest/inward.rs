//! What a client sends: names become the broker's, and what it may not do is refused.

use super::table::{Mark, Route};
use super::{Decision, Options, Peers, Refused, pattern};
use crate::kafka::session::{Access, Action, Bound, Kind, Mapped};
use partywall_json::{Edit, Fault, Field, Rest, Shape, Verdict, write};

/// Goes through the body of a request.
pub(super) struct Inward<'e> {
    pub(super) peers: &'e Peers<'e>,
    pub(super) route: &'static Route,
    /// The broker's name of the topic in the path,
    pub(super) path: Option<&'e [u8]>,
    /// and of those in the objects around, the innermost last; `None` where one names none that is the tenant's.
    pub(super) led: Vec<Option<Vec<u8>>>,
    /// The configuration whose value may follow.
    pub(super) config: Option<Vec<u8>>,
    /// Whether the record that is read names its partition.
    pub(super) partitioned: bool,
    pub(super) decisions: &'e mut Vec<Decision>,
    /// How many topics were named.
    pub(super) topics: &'e mut usize,
    pub(super) options: &'e Options,
}

/// Decides whether an action may be done to a topic of the broker.
pub(super) fn decide(
    peers: &Peers<'_>,
    action: Action,
    topic: &[u8],
    decisions: &mut Vec<Decision>,
) -> Result<(), Refused> {
    let mut reason = None;
    let mut allow = action.is_within(peers.world.access(topic));
    if allow {
        let ruling = peers.decide.decide(peers.world, action, topic);
        (allow, reason) = (ruling.allow, ruling.reason);
    }
    decisions.push(Decision { action, topic: topic.into(), allow, reason: reason.clone() });
    if allow { Ok(()) } else { Err(Refused::Denied(reason)) }
}

impl Inward<'_> {
    /// The broker's name of the topic that the value read belongs to.
    fn topic(&self) -> Option<&[u8]> {
        match self.led.last() {
            Some(led) => led.as_deref(),
            None => self.path,
        }
    }

    fn named(&mut self, name: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        *self.topics += 1;
        if *self.topics > self.options.topics {
            return Err(Refused::TooMany);
        }
        let mut broker = Vec::new();
        if self.peers.world.inward(Kind::Topic, name, &mut broker) != Mapped::Yes {
            return Err(Refused::Name(Kind::Topic));
        }
        // INVARIANT: no name goes on that nothing was decided about.
        decide(self.peers, self.route.action.ok_or(Refused::Unmapped)?, &broker, self.decisions)?;
        if self.route.action == Some(Action::Create) {
            // INVARIANT: where a tenant's topics are counted, none is made by who does not know how many there are: a server of
            // REST lists them in pages, and nobody asks it here.
            if !self.peers.world.is_counted() {
                return Err(Refused::Bounds);
            }
            self.bound(&broker, Bound::New)?;
        }
        write(&broker, out);
        Ok(())
    }

    fn bound(&self, topic: &[u8], bound: Bound<'_>) -> Result<(), Refused> {
        if self.peers.world.allows(topic, bound) { Ok(()) } else { Err(Refused::Bounds) }
    }

    fn new_topic_has(&self, bound: Bound<'_>) -> Result<(), Refused> {
        let topic = self.topic().ok_or(Refused::Name(Kind::Topic))?;
        self.bound(topic, bound)
    }

    fn partition(&mut self, value: Rest<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let Rest::Other(written) = value else { return Err(Fault::Kind.into()) };
        let number = super::path::number(written).ok_or(Refused::Partition)?;
        let topic = self.topic().ok_or(Refused::Partition)?;
        let number = self.peers.world.partition_inward(topic, number).ok_or(Refused::Partition)?;
        out.extend(number.to_string().as_bytes());
        self.partitioned = true;
        Ok(())
    }

    fn edit(&mut self, mark: Mark, value: Rest<'_>, out: &mut Vec<u8>) -> Result<bool, Refused> {
        match (mark, value) {
            (Mark::Topic, Rest::Text(name)) => self.named(name, out)?,
            (Mark::Partition, _) => self.partition(value, out)?,
            (Mark::Pattern, Rest::Text(pattern)) => {
                let prefix = self.peers.world.topic_prefix().ok_or(Refused::Pattern)?;
                let bound = pattern::bind(prefix, pattern).ok_or(Refused::Pattern)?;
                write(bound.as_bytes(), out);
            }
            (Mark::NewPartitions | Mark::NewReplicas, Rest::Other(written)) => {
                let number = str::from_utf8(written).ok().and_then(|text| text.parse().ok()).ok_or(Fault::Kind)?;
                let bound = if mark == Mark::NewPartitions { Bound::Partitions } else { Bound::Replication };
                self.new_topic_has(bound(number))?;
                return Ok(false);
            }
            // Decided when the object was led.
            (Mark::ConfigName, Rest::Text(_)) | (Mark::Format, Rest::Text(b"binary" | b"json" | b"text")) => {
                return Ok(false);
            }
            (Mark::ConfigValue, Rest::Text(value) | Rest::Other(value)) => {
                let name = self.config.take().ok_or(Fault::Kind)?;
                self.new_topic_has(Bound::Config(&name, Some(value)))?;
                return Ok(false);
            }
            (Mark::Format, _) => return Err(Refused::Unclear("records are read as `binary`, `json` or `text`")),
            _ => return Err(Fault::Kind.into()),
        }
        Ok(true)
    }
}

impl Edit<Mark> for Inward<'_> {
    type Error = Refused;

    const LEAVES_OUT: bool = false;

    fn leads(mark: &Mark) -> bool {
        matches!(mark, Mark::Topic | Mark::ConfigName)
    }

    fn lead(&mut self, mark: &Mark, value: Option<Rest<'_>>) {
        let text = match value {
            Some(Rest::Text(text)) => Some(text),
            _ => None,
        };
        if *mark == Mark::ConfigName {
            self.config = text.map(<[u8]>::to_vec);
            // What it is set on stays what it was.
            let topic = self.topic().map(<[u8]>::to_vec);
            self.led.push(topic);
            return;
        }
        let mut broker = Vec::new();
        let mapped = text.is_some_and(|name| self.peers.world.inward(Kind::Topic, name, &mut broker) == Mapped::Yes);
        self.led.push(mapped.then_some(broker));
    }

    fn leave(&mut self) {
        self.led.pop();
    }

    fn marked(&mut self, mark: &Mark, value: Rest<'_>, out: &mut Vec<u8>) -> Verdict<Refused> {
        match self.edit(*mark, value, out) {
            Ok(true) => Verdict::Written,
            Ok(false) => Verdict::Keep,
            Err(refused) => Verdict::Refuse(refused),
        }
    }

    fn nothing() -> Refused {
        Refused::Unclear("a request of which nothing is left")
    }

    fn ended(&mut self, fields: &'static [Field<Mark>]) -> Result<(), Refused> {
        let has =
            |wanted: Mark| fields.iter().any(|field| matches!(&field.shape, Shape::Marked(mark) if *mark == wanted));
        // A value that is null, or none, puts the broker's own back.
        if has(Mark::ConfigName)
            && let Some(name) = self.config.take()
        {
            self.new_topic_has(Bound::Config(&name, None))?;
        }
        if has(Mark::Partition) && !std::mem::take(&mut self.partitioned) {
            // INVARIANT: where others have partitions of a topic, nothing goes to one that the server chooses.
            if self.topic().is_some_and(|topic| self.peers.world.access(topic) == Access::Part) {
                return Err(Refused::Partition);
            }
        }
        Ok(())
    }
}
