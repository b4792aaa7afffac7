//! Who there is.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::rc::Rc;

use super::Tenant;

/// Tenants by their names. Every question is answered by a look at one place, however many tenants there are.
pub trait Directory {
    /// The tenant of this id, in lower case.
    fn by_id(&self, id: &[u8]) -> Option<Tenant>;

    /// The tenant of this fingerprint, in lower case, of the current epoch or a former one.
    fn by_fingerprint(&self, print: &[u8]) -> Option<Tenant>;

    /// The tenant of this full host, in lower case, without a dot at its end.
    fn by_host(&self, host: &[u8]) -> Option<Tenant>;

    /// Whether [`by_host`](Self::by_host) may find this one, in any case: asked first, of everything with a dot in it.
    fn may_be_host(&self, host: &[u8]) -> bool {
        let _ = host;
        true
    }

    /// How hosts may end: asked before [`may_be_host`](Self::may_be_host), of each name behind a dot.
    fn host_ends(&self) -> HostEnds {
        HostEnds::ANY
    }

    /// How many labels hosts have, at least and at most.
    fn labels(&self) -> RangeInclusive<usize>;

    /// How many hyphens an id has at most: asked before ids are looked for in names that have hyphens themselves.
    fn hyphens(&self) -> usize {
        usize::MAX
    }

    /// The fingerprint of a tenant, of the current epoch.
    fn fingerprint(&self, tenant: Tenant) -> Option<Rc<str>>;
}

/// The last two bytes of hosts, in any case, a bit for each by its hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostEnds([u64; 4]);

impl HostEnds {
    /// However they end.
    pub const ANY: Self = Self([u64::MAX; 4]);

    /// Adds a host, or how some end, in whatever case.
    pub fn add(&mut self, end: &[u8]) {
        match end {
            [.., before, last] => {
                let (word, bit) = Self::place([*last, *before]);
                if let Some(word) = self.0.get_mut(word) {
                    *word |= 1 << bit;
                }
            }
            // Before so little there stands something else.
            _ => *self = Self::ANY,
        }
    }

    /// Whether one may end with these, the last byte first.
    #[inline]
    pub(crate) fn has(&self, last: [u8; 2]) -> bool {
        let (word, bit) = Self::place(last);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    fn place([last, before]: [u8; 2]) -> (usize, u32) {
        // Letters of either case are alike, and so is some of the rest.
        let hash = usize::from(last | 0x20).wrapping_mul(29) ^ usize::from(before | 0x20);
        (hash / 64 % 4, hash as u32 % 64)
    }
}

/// A directory that is a table.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    ids: HashMap<Box<[u8]>, Tenant>,
    prints: HashMap<Box<[u8]>, Tenant>,
    hosts: HashMap<Box<[u8]>, Tenant>,
    current: Vec<Rc<str>>,
    labels: Option<(usize, usize)>,
    hyphens: usize,
    ends: Ends,
    host_ends: HostEnds,
}

/// How many hyphens an id has.
pub(super) fn hyphens(id: &str) -> usize {
    id.bytes().filter(|byte| *byte == b'-').count()
}

/// How hosts end, and how long they are, a bit for each by its hash: the hosts of a mesh end alike, and all else that has dots in
/// it ends otherwise. Whoever knows how they end makes a search ask for his texts, which costs him a look at one place.
#[derive(Clone, Debug)]
struct Ends([u64; 64]);

impl Default for Ends {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Ends {
    fn place(host: &[u8]) -> (usize, u32) {
        let mut end = [0; 8];
        let last = host.len().saturating_sub(end.len());
        for (place, byte) in end.iter_mut().zip(host.get(last..).unwrap_or_default()) {
            *place = byte.to_ascii_lowercase();
        }
        let hash = (u64::from_le_bytes(end) ^ host.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
        (hash as usize / 64, hash as u32 % 64)
    }

    fn add(&mut self, host: &[u8]) {
        let (word, bit) = Self::place(host);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    fn has(&self, host: &[u8]) -> bool {
        let (word, bit) = Self::place(host);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }
}

impl Listed {
    /// Adds a tenant: its id, its fingerprints (the current one first), its hosts.
    pub fn add(&mut self, id: &str, prints: &[&str], hosts: &[&str]) -> Tenant {
        let tenant = Tenant(u32::try_from(self.current.len()).unwrap_or(u32::MAX));
        let lower = |name: &str| -> Box<[u8]> { name.to_ascii_lowercase().into_bytes().into() };
        self.ids.insert(lower(id), tenant);
        self.hyphens = self.hyphens.max(hyphens(id));
        self.prints.extend(prints.iter().map(|print| (lower(print), tenant)));
        for host in hosts {
            let labels = host.split('.').count();
            let (least, most) = self.labels.unwrap_or((labels, labels));
            self.labels = Some((least.min(labels), most.max(labels)));
            self.ends.add(host.as_bytes());
            self.host_ends.add(host.as_bytes());
            self.hosts.insert(lower(host), tenant);
        }
        self.current.push(prints.first().copied().unwrap_or_default().into());
        tenant
    }
}

impl Directory for Listed {
    fn by_id(&self, id: &[u8]) -> Option<Tenant> {
        self.ids.get(id).copied()
    }

    fn by_fingerprint(&self, print: &[u8]) -> Option<Tenant> {
        self.prints.get(print).copied()
    }

    fn by_host(&self, host: &[u8]) -> Option<Tenant> {
        self.hosts.get(host).copied()
    }

    fn may_be_host(&self, host: &[u8]) -> bool {
        self.ends.has(host)
    }

    fn host_ends(&self) -> HostEnds {
        self.host_ends
    }

    #[expect(clippy::reversed_empty_ranges, reason = "no hosts, no labels")]
    fn labels(&self) -> RangeInclusive<usize> {
        self.labels.map_or(1..=0, |(least, most)| least..=most)
    }

    fn hyphens(&self) -> usize {
        self.hyphens
    }

    fn fingerprint(&self, tenant: Tenant) -> Option<Rc<str>> {
        let print = self.current.get(usize::try_from(tenant.0).ok()?)?;
        Some(print.clone()).filter(|print| !print.is_empty())
    }
}
