//! What a session asks of others: the names of a world, decisions, topic ids and who somebody is.

use std::rc::Rc;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A topic.
    Topic,
    /// A consumer, share or streams group.
    Group,
    /// A transactional id.
    Transaction,
}

/// What became of a tenant's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// It was written, as the broker has it.
    Yes,
    /// The tenant may not call a thing so.
    Denied,
    /// Nothing may be called so: INVALID_TOPIC_EXCEPTION (17) where it is a topic.
    Invalid,
}

/// How far a tenant may go with a topic, before any policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// All of it.
    Own,
    /// Records of some of its partitions: others have the rest, so that nobody changes or removes it.
    Part,
    /// Reading, of one that is shared with it.
    Read,
    /// It is somebody else's.
    Foreign,
}

/// Where clients find a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Where the broker says.
    Keep,
    /// At the host that was written, and this port.
    At(u16),
    /// Nowhere: the broker is not named to this tenant.
    Hide,
}

/// What a topic that is made or changed is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound<'a> {
    /// To be there: one more, of that name.
    New,
    /// So many partitions; -1 for what the broker thinks best.
    Partitions(i64),
    /// So many replicas; -1 likewise.
    Replication(i64),
    /// A configuration of this name; `None` puts back the broker's own value.
    Config(&'a [u8], Option<&'a [u8]>),
    /// Of all configurations that are not named, the broker's own value, whoever set another one.
    Others,
}

/// The names that a tenant sees, and what stands behind them at the broker.
///
/// INVARIANT: what [`World::outward`] makes of a name, [`World::inward`] makes that name of again.
pub trait World {
    /// Whose it is.
    fn tenant(&self) -> &str;

    /// Appends the broker's name of what the tenant calls `name`. Bytes come as they were sent: this says whether they
    /// are a name at all, with what is put before them.
    fn inward(&self, kind: Kind, name: &[u8], out: &mut Vec<u8>) -> Mapped;

    /// Appends what the tenant calls the broker's `name`; `false`, and nothing, where it may not see it.
    fn outward(&self, kind: Kind, name: &[u8], out: &mut Vec<u8>) -> bool;

    /// How far it may go with a topic of the broker.
    fn access(&self, topic: &[u8]) -> Access;

    /// The name of the rule that covers a topic of the broker's, by which policies know it; `None` where the tenant does
    /// not see it, or worlds have no rules.
    fn rule(&self, topic: &[u8]) -> Option<&str> {
        let _ = topic;
        None
    }

    /// Appends the client id that the broker is told. Its quotas go by that, so each tenant's differ.
    fn client(&self, id: Option<&[u8]>, out: &mut Vec<u8>);

    /// Appends what the client calls itself; `false` where the broker's `id` is of another tenant.
    fn client_outward(&self, id: &[u8], out: &mut Vec<u8>) -> bool;

    /// What all of its own topics begin with, where they do: patterns of topics are bound to it, and denied without.
    fn topic_prefix(&self) -> Option<&str>;

    /// Whether partitions of any topic are counted anew.
    fn has_ranges(&self) -> bool {
        false
    }

    /// The broker's number of a partition of a broker's topic; `None` where the tenant has none of that number.
    fn partition_inward(&self, topic: &[u8], partition: i32) -> Option<i32> {
        let _ = topic;
        Some(partition)
    }

    /// The tenant's number of it; `None` where it is not the tenant's.
    fn partition_outward(&self, topic: &[u8], partition: i32) -> Option<i32> {
        let _ = topic;
        Some(partition)
    }

    /// Where its clients find this broker; the host is appended for [`Address::At`].
    fn address(&self, broker: i32, host: &mut Vec<u8>) -> Address {
        let _ = (broker, host);
        Address::Keep
    }

    /// Whether a topic of the broker's name may have that: POLICY_VIOLATION (44) where not.
    fn allows(&self, topic: &[u8], bound: Bound<'_>) -> bool {
        let _ = (topic, bound);
        true
    }

    /// Where topics are counted for [`Bound::New`], how many it allowed so far: a session asks the broker for all topics
    /// before it sends what makes some, and says by [`World::counted`] how many there were.
    fn made(&self) -> Option<u64> {
        None
    }

    /// Whether a broker said how many there are: before, nothing is made, and clients are told to ask once more.
    fn is_counted(&self) -> bool {
        true
    }

    /// So many of a broker's topics are its own, without those that were allowed since [`World::made`] said `made`.
    fn counted(&self, topics: u32, made: u64) {
        let _ = (topics, made);
    }

    /// Whether asking for a topic may create it.
    fn auto_create(&self) -> bool {
        false
    }

    /// Whether its groups speak the classic protocol alone. The others are denied then, and not offered.
    fn classic_only(&self) -> bool {
        false
    }
}

/// What is done to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Writing records.
    Produce,
    /// Reading records, and saying how far.
    Consume,
    /// Seeing that it is there, and how it is made.
    Describe,
    /// Making it.
    Create,
    /// Removing it, or records of it.
    Delete,
    /// Changing how it is made.
    Alter,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 6] =
        [Action::Produce, Action::Consume, Action::Describe, Action::Create, Action::Delete, Action::Alter];

    /// Its name in policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Produce => "events:produce",
            Action::Consume => "events:consume",
            Action::Describe => "events:describe",
            Action::Create => "events:create",
            Action::Delete => "events:delete",
            Action::Alter => "events:alter",
        }
    }

    /// Whether who has that access may do it, if a policy says nothing else.
    #[must_use]
    pub fn is_within(self, access: Access) -> bool {
        match access {
            Access::Own => true,
            Access::Part => matches!(self, Action::Consume | Action::Describe | Action::Produce),
            Access::Read => matches!(self, Action::Consume | Action::Describe),
            Access::Foreign => false,
        }
    }
}

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it may be done.
    pub allow: bool,
    /// Why, for the log.
    pub reason: Option<Rc<str>>,
}

/// Decides what a tenant may do to a topic of its world.
pub trait Decide {
    /// Whether `action` may be done to the broker's `topic`.
    fn decide(&self, world: &dyn World, action: Action, topic: &[u8]) -> Ruling;
}

/// A decision, for the log: one for each topic that a request names, and one for whatever else is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The API key.
    pub api: i16,
    /// What was to be done.
    pub action: Action,
    /// The broker's name of a topic, or an id; what the tenant says where it stands for none: a topic, a group, a
    /// transactional id. Empty where the API is denied as such.
    pub name: Box<[u8]>,
    /// Whether the name is the broker's of a topic about which a policy was to be asked.
    pub asked: bool,
    /// Kafka's error, 0 where it was allowed.
    pub code: i16,
    /// Why, where a policy said so.
    pub reason: Option<Rc<str>>,
    /// The header `traceparent` of the first record that was to be written there, as it stands, where it was looked for
    /// ([`Options::traces`](super::Options::traces)) and found.
    pub trace: Option<Box<[u8]>>,
}

/// Which topic has which id: the broker's, for all tenants. It may forget.
pub trait Ids {
    /// Appends the broker's name of the topic; `false`, and nothing, where it is not known.
    fn name(&self, id: &[u8; 16], out: &mut Vec<u8>) -> bool;

    /// A broker said so.
    fn learn(&self, id: &[u8; 16], name: &[u8]);
}

/// What a client showed of itself. Nothing is proved before the broker accepted it, but for a token, whose signature is
/// checked by who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// A user of PLAIN or SCRAM.
    User(&'a [u8]),
    /// The token of OAUTHBEARER.
    Token(&'a [u8]),
}

/// Whether a tenant may go on.
pub enum Standing {
    /// It may, in this world.
    Active(Rc<dyn World>),
    /// It may not: it is suspended, or gone.
    Suspended,
}

/// Says who somebody is.
pub trait Identity {
    /// The tenant of whoever shows that; `None` where it is nobody's.
    fn tenant(&self, proof: Proof<'_>) -> Option<Rc<str>>;

    /// How this tenant stands now.
    fn standing(&self, tenant: &str) -> Standing;

    /// Whether groups of the classic protocol alone are offered to somebody who did not show yet who it is, as clients
    /// ask for that first: where it is so for any tenant.
    fn classic_only(&self) -> bool {
        false
    }
}

/// All that are asked.
#[derive(Clone, Copy)]
pub struct Peers<'a> {
    /// Who somebody is.
    pub identity: &'a dyn Identity,
    /// What they may do.
    pub decide: &'a dyn Decide,
    /// Which topic an id is of.
    pub ids: &'a dyn Ids,
}
