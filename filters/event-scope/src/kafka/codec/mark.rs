//! What a place of a message means. The build script includes this file: the table may use no other mark.

/// What stands in a marked place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// Bytes, or records.
    Bytes,
    /// A uuid.
    Uuid,
    /// A number or a bool.
    Number,
    /// A list of structs, as a whole.
    List,
}

/// Declares the marks once: variant, name in the table, shape, meaning.
macro_rules! marks {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal $shape:ident;)+) => {
        /// What a place of a message means to whoever keeps tenants apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Mark {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Mark {
            /// Each with its name in the table and the shape of what it stands at.
            pub(crate) const ALL: &'static [(&'static str, Mark, Shape)] =
                &[$(($name, Mark::$variant, Shape::$shape),)+];
        }
    };
}

/// Some of the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(u64);

impl Marks {
    /// Every mark.
    pub const ALL: Marks = Marks(u64::MAX);

    /// These.
    #[must_use]
    pub const fn of(marks: &[Mark]) -> Marks {
        let mut bits = 0;
        let mut rest = marks;
        while let Some((mark, after)) = rest.split_first() {
            bits |= mark.bit();
            rest = after;
        }
        Marks(bits)
    }

    /// None of them.
    pub(crate) const NONE: Marks = Marks(0);

    /// These and one more.
    #[must_use]
    pub const fn and(self, mark: Mark) -> Marks {
        Marks(self.0 | mark.bit())
    }

    /// Whether this one is among them.
    #[must_use]
    #[inline]
    pub const fn contains(self, mark: Mark) -> bool {
        self.0 & mark.bit() != 0
    }
}

// Each mark has a bit of its own.
const _: () = assert!(Mark::ALL.len() <= 64);

impl Mark {
    const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

marks! {
    /// The name or pattern of the hosts of an ACL.
    AclHost "acl-host" Text;
    /// How many acknowledgements a producer waits for; 0 means that it waits for no answer at all.
    Acks "acks" Number;
    /// An API key that the broker offers.
    Api "api" Number;
    /// What a member of a group is assigned, written by the leader's client: an embedded message
    /// ([`Verdict::Enter`](crate::kafka::codec::Verdict)), where the kind is `consumer`.
    Assignment "assignment" Bytes;
    /// A token of SASL, either way.
    Auth "auth" Bytes;
    /// Whether Metadata may create the topics that it asks for.
    AutoCreate "auto-create" Number;
    /// The host of a client that the broker saw.
    ClientHost "client-host" Text;
    /// A client id; that of the request's header as well.
    ClientId "client-id" Text;
    /// The id of the cluster.
    Cluster "cluster" Text;
    /// The name of a configuration that is set.
    ConfigName "config-name" Text;
    /// Its value; the kind is its name.
    ConfigValue "config-value" Text;
    /// The name of a quota's entity; the kind is its type, as `user` or `client-id`.
    Entity "entity" Text;
    /// An error code.
    Error "error" Number;
    /// The id of a consumer, share or streams group.
    Group "group" Text;
    /// A list of groups, before its elements.
    Groups "groups" List;
    /// The host of a broker; the kind is the broker's id.
    Host "host" Text;
    /// What FindCoordinator looks for; the kind says whether it is a group (0), a transactional id (1) or a share
    /// group's partition (2). Its answers have no kind.
    Key "key" Text;
    /// The kind of those keys.
    KeyType "key-type" Number;
    /// The highest version that the broker offers; the kind is the API key.
    MaxVersion "max-version" Number;
    /// The name of a SASL mechanism.
    Mechanism "mechanism" Text;
    /// An error in words, which may hold names.
    Message "message" Text;
    /// The lowest version that the broker offers; the kind is the API key.
    MinVersion "min-version" Number;
    /// A partition's number.
    Partition "partition" Number;
    /// How many partitions a topic is to have.
    PartitionCount "partition-count" Number;
    /// The port of a broker; the kind is the broker's id.
    Port "port" Number;
    /// A principal, as `User:alice`.
    Principal "principal" Text;
    /// Batches of records. They are passed through as they are.
    Records "records" Bytes;
    /// The broker that a fetch speaks for: -1 for a consumer.
    Replica "replica" Number;
    /// How often a topic is to be replicated.
    Replication "replication" Number;
    /// The name of a resource of ACLs or configurations; the kind is its type, the pattern how it is meant.
    Resource "resource" Text;
    /// The id of a fetch session.
    Session "session" Number;
    /// The epoch of a fetch session or share session.
    SessionEpoch "session-epoch" Number;
    /// What a member of a group subscribes to, written by its client: an embedded message
    /// ([`Verdict::Enter`](crate::kafka::codec::Verdict)), where the kind is `consumer`.
    Subscription "subscription" Bytes;
    /// A topic's name.
    Topic "topic" Text;
    /// A topic's id.
    TopicId "topic-id" Uuid;
    /// A pattern of topics that a group subscribes to, in RE2's grammar.
    TopicRegex "topic-regex" Text;
    /// A list of topics, before its elements: null or empty often means all.
    Topics "topics" List;
    /// A transactional id.
    Transaction "transaction" Text;
    /// A pattern of transactional ids.
    TransactionRegex "transaction-regex" Text;
    /// A user of SCRAM.
    User "user" Text;
    /// What an assignor tells itself; that of `sticky` holds topics' names.
    UserData "user-data" Bytes;
}
