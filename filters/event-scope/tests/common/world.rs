//! All that a session asks, in memory: tenants by prefix.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use partywall_event_scope::kafka::session::{
    Access, Action, Address, Bound, Decide, Identity, Ids, Kind, Mapped, Peers, Proof, Ruling, Standing, World,
};

/// A tenant whose names begin with it and a dot; the topic `shared` it may read.
#[derive(Clone, Debug, Default)]
pub struct Prefix {
    pub tenant: String,
    pub prefix: String,
    /// At which port each broker is found, by its id: the first one's.
    pub port: Option<u16>,
    pub auto_create: bool,
    pub classic_only: bool,
    /// Its topics are counted, and nobody knows how many there are.
    pub uncounted: bool,
    /// Of its topic `ranged`, which partitions of the broker's `pool` it has: from the first, so many.
    pub range: Option<(i32, i32)>,
}

const SHARED: &[u8] = b"shared";
const RANGED: &[u8] = b"ranged";
const POOL: &[u8] = b"pool";

impl Prefix {
    pub fn of(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), prefix: format!("{tenant}."), ..Self::default() }
    }

    fn is_name(name: &[u8]) -> bool {
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        !name.is_empty() && name.iter().all(legal)
    }
}

impl World for Prefix {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn inward(&self, kind: Kind, name: &[u8], out: &mut Vec<u8>) -> Mapped {
        if kind == Kind::Topic {
            if name == SHARED || (name == RANGED && self.range.is_some()) {
                out.extend(if name == SHARED { SHARED } else { POOL });
                return Mapped::Yes;
            }
            if !Self::is_name(name) || name.len() + self.prefix.len() > 249 {
                return Mapped::Invalid;
            }
        }
        if name.starts_with(b"forbidden") || std::str::from_utf8(name).is_err() {
            return Mapped::Denied;
        }
        out.extend(self.prefix.as_bytes());
        out.extend(name);
        Mapped::Yes
    }

    fn outward(&self, kind: Kind, name: &[u8], out: &mut Vec<u8>) -> bool {
        let own = match name {
            SHARED if kind == Kind::Topic => Some(SHARED),
            POOL if kind == Kind::Topic && self.range.is_some() => Some(RANGED),
            _ => name.strip_prefix(self.prefix.as_bytes()),
        };
        out.extend(own.unwrap_or_default());
        own.is_some()
    }

    fn access(&self, topic: &[u8]) -> Access {
        match topic {
            SHARED => Access::Read,
            POOL if self.range.is_some() => Access::Part,
            _ if topic.starts_with(self.prefix.as_bytes()) => Access::Own,
            _ => Access::Foreign,
        }
    }

    fn client(&self, id: Option<&[u8]>, out: &mut Vec<u8>) {
        out.extend(self.prefix.as_bytes());
        out.extend(id.unwrap_or_default());
    }

    fn client_outward(&self, id: &[u8], out: &mut Vec<u8>) -> bool {
        let own = id.strip_prefix(self.prefix.as_bytes());
        out.extend(own.unwrap_or_default());
        own.is_some()
    }

    fn topic_prefix(&self) -> Option<&str> {
        self.range.is_none().then_some(&self.prefix)
    }

    fn has_ranges(&self) -> bool {
        self.range.is_some()
    }

    fn partition_inward(&self, topic: &[u8], partition: i32) -> Option<i32> {
        match self.range {
            Some((first, count)) if topic == POOL => (0..count).contains(&partition).then_some(first + partition),
            _ => Some(partition),
        }
    }

    fn partition_outward(&self, topic: &[u8], partition: i32) -> Option<i32> {
        match self.range {
            Some((first, count)) if topic == POOL => {
                partition.checked_sub(first).filter(|partition| (0..count).contains(partition))
            }
            _ => Some(partition),
        }
    }

    fn address(&self, broker: i32, host: &mut Vec<u8>) -> Address {
        let Some(port) = self.port else { return Address::Keep };
        if !(0..9).contains(&broker) {
            return Address::Hide;
        }
        host.extend(b"proxy");
        Address::At(port + u16::try_from(broker).unwrap())
    }

    fn allows(&self, topic: &[u8], bound: Bound<'_>) -> bool {
        match bound {
            Bound::New => !topic.ends_with(b"-one-too-many"),
            Bound::Partitions(count) => count <= 12,
            Bound::Replication(count) => count <= 3,
            Bound::Config(name, _) => name != b"min.insync.replicas",
            Bound::Others => !topic.ends_with(b"-kept"),
        }
    }

    fn auto_create(&self) -> bool {
        self.auto_create
    }

    fn classic_only(&self) -> bool {
        self.classic_only
    }

    fn is_counted(&self) -> bool {
        !self.uncounted
    }
}

/// Denies what is done to topics of some names.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Ends of broker's names, and what is denied of them; `None` for all.
    pub denied: Vec<(&'static str, Option<Action>)>,
    /// Whether topics are denied whose names end in an odd digit.
    pub odd: bool,
}

impl Decide for Policy {
    fn decide(&self, _: &dyn World, action: Action, topic: &[u8]) -> Ruling {
        let listed =
            self.denied.iter().any(|(end, of)| topic.ends_with(end.as_bytes()) && of.is_none_or(|of| of == action));
        let odd = self.odd && topic.last().is_some_and(|last| last % 2 == 1);
        let denied = listed || odd;
        Ruling { allow: !denied, reason: denied.then(|| Rc::from("the test says so")) }
    }
}

/// Users are called as their tenants, with a number behind; tokens say whose they are.
#[derive(Default)]
pub struct Directory {
    pub worlds: RefCell<BTreeMap<String, Rc<dyn World>>>,
    pub suspended: RefCell<Vec<String>>,
    pub classic_only: bool,
}

impl Directory {
    pub fn of<W: World + 'static>(worlds: impl IntoIterator<Item = W>) -> Self {
        let named = |world: W| (world.tenant().to_owned(), Rc::new(world) as Rc<dyn World>);
        let worlds = worlds.into_iter().map(named).collect();
        Self { worlds: RefCell::new(worlds), suspended: RefCell::default(), classic_only: false }
    }
}

impl Identity for Directory {
    fn classic_only(&self) -> bool {
        self.classic_only
    }

    fn tenant(&self, proof: Proof<'_>) -> Option<Rc<str>> {
        let shown = match proof {
            Proof::User(user) => user,
            Proof::Token(token) => token.strip_prefix(b"signed:")?,
        };
        let tenant = std::str::from_utf8(shown).ok()?.trim_end_matches(|c: char| c.is_ascii_digit());
        self.worlds.borrow().contains_key(tenant).then(|| tenant.into())
    }

    fn standing(&self, tenant: &str) -> Standing {
        if self.suspended.borrow().iter().any(|suspended| suspended == tenant) {
            return Standing::Suspended;
        }
        match self.worlds.borrow().get(tenant) {
            Some(world) => Standing::Active(Rc::clone(world)),
            None => Standing::Suspended,
        }
    }
}

/// Ids of topics.
#[derive(Default)]
pub struct Known {
    pub names: RefCell<BTreeMap<[u8; 16], Vec<u8>>>,
    /// Whether it learns nothing new of what it knows.
    pub fixed: bool,
}

impl Ids for Known {
    fn name(&self, id: &[u8; 16], out: &mut Vec<u8>) -> bool {
        let names = self.names.borrow();
        out.extend(names.get(id).into_iter().flatten());
        names.contains_key(id)
    }

    fn learn(&self, id: &[u8; 16], name: &[u8]) {
        if !self.fixed {
            self.names.borrow_mut().insert(*id, name.to_vec());
        }
    }
}

/// All of them.
pub struct All {
    pub directory: Directory,
    pub policy: Policy,
    pub ids: Known,
}

impl All {
    pub fn of<W: World + 'static>(worlds: impl IntoIterator<Item = W>) -> Self {
        Self { directory: Directory::of(worlds), policy: Policy::default(), ids: Known::default() }
    }

    pub fn peers(&self) -> Peers<'_> {
        Peers { identity: &self.directory, decide: &self.policy, ids: &self.ids }
    }
}
