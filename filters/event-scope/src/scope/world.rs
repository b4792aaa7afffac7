//! What a session asks of a scope.

use partywall_tenancy::NewTopics;

use super::topics::{Rule, To};
use super::{Scope, bounds, brokers, names};
use crate::kafka::session::{Access, Address, Bound, Kind, Mapped, World};

/// A topic of the broker, as a tenant sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<'s, 'n> {
    /// What the tenant calls it.
    pub name: &'n [u8],
    /// The name of the rule that covers it, which stands in the path of its operations.
    pub rule: &'s str,
    /// How far the tenant may go with it.
    pub access: Access,
    /// Which partitions it sees, where not all: from the first, so many.
    pub range: Option<(i32, i32)>,
}

impl Scope {
    /// The topic of the broker's name `topic`, where the tenant sees it.
    ///
    /// INVARIANT: `place` makes `topic` of the name that stands here.
    pub fn seen<'s: 'n, 'n>(&'s self, topic: &'n [u8]) -> Option<Seen<'s, 'n>> {
        if topic.len() > names::LONGEST_TOPIC || names::is_internal(topic) {
            return None;
        }
        if let Some(name) = topic.strip_prefix(self.prefix.as_bytes())
            && names::is_topic(name)
            && let Some(rule) = self.tables.topics.covering(name)
            && self.is_own(rule, topic)
        {
            return Some(Seen { name, rule: &rule.name, access: Access::Own, range: None });
        }
        self.tables.topics.placed(topic).and_then(|rule| self.given(rule))
    }

    /// What a rule gives to this tenant of a topic that is not its own.
    fn given<'s>(&self, rule: &'s Rule) -> Option<Seen<'s, 's>> {
        let name = &rule.name;
        match &rule.to {
            To::Partitions { called, .. } => {
                let range = rule.range(&self.tenant)?;
                let range = Some((range.first, range.count));
                Some(Seen { name: called.as_bytes(), rule: name, access: Access::Part, range })
            }
            // Its owner has it by its own name alone.
            To::Shared { called, topic, .. } => {
                let reads = rule.is_read_by(&self.tenant) && !topic.starts_with(&*self.prefix);
                reads.then_some(Seen { name: called.as_bytes(), rule: name, access: Access::Read, range: None })
            }
            To::Own | To::Denied => None,
        }
    }

    /// Whether the rule that covers its name leaves this topic of the broker to the tenant, with whose prefix it begins.
    fn is_own(&self, rule: &Rule, topic: &[u8]) -> bool {
        let left = match &rule.to {
            To::Own => true,
            To::Shared { topic: shared, .. } => shared.as_bytes() == topic,
            To::Partitions { .. } | To::Denied => false,
        };
        // What others have partitions of is nobody's alone, whatever it begins with.
        left && !(self.holds_placed
            && self.tables.topics.placed(topic).is_some_and(|rule| matches!(rule.to, To::Partitions { .. })))
    }

    /// Appends the broker's name of the topic that the tenant calls `name`.
    fn place(&self, name: &[u8], out: &mut Vec<u8>) -> Mapped {
        if !names::is_topic(name) {
            return Mapped::Invalid;
        }
        let Some(rule) = self.tables.topics.covering(name) else { return Mapped::Denied };
        let start = out.len();
        match &rule.to {
            To::Partitions { topic, .. } | To::Shared { topic, .. } if self.given(rule).is_some() => {
                out.extend_from_slice(topic.as_bytes());
                return Mapped::Yes;
            }
            To::Own | To::Shared { .. } => {
                out.extend_from_slice(self.prefix.as_bytes());
                out.extend_from_slice(name);
            }
            To::Partitions { .. } | To::Denied => return Mapped::Denied,
        }
        let topic = out.get(start..).unwrap_or_default();
        let mapped = match self.is_own(rule, topic) {
            true if topic.len() <= names::LONGEST_TOPIC => return Mapped::Yes,
            true => Mapped::Invalid,
            false => Mapped::Denied,
        };
        out.truncate(start);
        mapped
    }

    /// The same for whatever is no topic: behind the prefix, all of it.
    fn text(&self, name: &[u8], out: &mut Vec<u8>) -> Mapped {
        if !names::is_text(name) || self.prefix.len() + name.len() > names::LONGEST {
            return Mapped::Invalid;
        }
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(name);
        Mapped::Yes
    }

    fn text_outward<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        let fits = name.len() <= names::LONGEST;
        name.strip_prefix(self.prefix.as_bytes()).filter(|name| fits && names::is_text(name))
    }

    fn new_topics(&self) -> &NewTopics {
        &self.tables.new_topics
    }
}

impl World for Scope {
    fn tenant(&self) -> &str {
        self.tenant.as_str()
    }

    fn inward(&self, kind: Kind, name: &[u8], out: &mut Vec<u8>) -> Mapped {
        match kind {
            Kind::Topic => self.place(name, out),
            Kind::Group | Kind::Transaction => self.text(name, out),
        }
    }

    fn outward(&self, kind: Kind, name: &[u8], out: &mut Vec<u8>) -> bool {
        let own = match kind {
            Kind::Topic => self.seen(name).map(|seen| seen.name),
            Kind::Group | Kind::Transaction => self.text_outward(name),
        };
        out.extend_from_slice(own.unwrap_or_default());
        own.is_some()
    }

    fn access(&self, topic: &[u8]) -> Access {
        self.seen(topic).map_or(Access::Foreign, |seen| seen.access)
    }

    fn rule(&self, topic: &[u8]) -> Option<&str> {
        self.seen(topic).map(|seen| seen.rule)
    }

    /// Of what cannot be said behind the prefix nothing is: a client that calls itself so goes on, as one without a name.
    fn client(&self, id: Option<&[u8]>, out: &mut Vec<u8>) {
        if self.text(id.unwrap_or_default(), out) != Mapped::Yes {
            out.extend_from_slice(self.prefix.as_bytes());
        }
    }

    fn client_outward(&self, id: &[u8], out: &mut Vec<u8>) -> bool {
        let own = self.text_outward(id);
        out.extend_from_slice(own.unwrap_or_default());
        own.is_some()
    }

    /// A pattern that is bound to the prefix reaches nothing of others. It may match what a rule denies or gives another
    /// name to: those topics are decided when they are fetched, as each that a pattern finds.
    fn topic_prefix(&self) -> Option<&str> {
        self.tables.topics.has_own().then_some(&*self.prefix)
    }

    fn has_ranges(&self) -> bool {
        self.ranged
    }

    fn partition_inward(&self, topic: &[u8], partition: i32) -> Option<i32> {
        match self.seen(topic)?.range {
            Some((first, count)) => first.checked_add(partition).filter(|_| (0..count).contains(&partition)),
            None => Some(partition),
        }
    }

    fn partition_outward(&self, topic: &[u8], partition: i32) -> Option<i32> {
        match self.seen(topic)?.range {
            Some((first, count)) => partition.checked_sub(first).filter(|own| (0..count).contains(own)),
            None => Some(partition),
        }
    }

    fn address(&self, broker: i32, host: &mut Vec<u8>) -> Address {
        brokers::address(&self.tables.brokers, broker, host)
    }

    fn allows(&self, _: &[u8], bound: Bound<'_>) -> bool {
        let new = self.new_topics();
        let counted = || new.count.is_none_or(|most| self.counts.take(&self.prefix, most));
        bounds::allows(new, bound) && (bound != Bound::New || counted())
    }

    fn made(&self) -> Option<u64> {
        self.new_topics().count.map(|_| self.counts.made(&self.prefix))
    }

    fn is_counted(&self) -> bool {
        self.new_topics().count.is_none() || self.counts.is_known(&self.prefix)
    }

    fn counted(&self, topics: u32, made: u64) {
        self.counts.told(&self.prefix, topics, made);
    }

    /// Not where topics are counted: nobody hears of those that a broker makes so.
    fn auto_create(&self) -> bool {
        let new = self.new_topics();
        new.allowed && new.automatic && new.count.is_none()
    }

    /// In the other protocols of groups the broker assigns partitions, by its own numbers.
    fn classic_only(&self) -> bool {
        self.ranged
    }
}
