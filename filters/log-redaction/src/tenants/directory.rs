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

    /// How many labels hosts have, at least and at most.
    fn labels(&self) -> RangeInclusive<usize>;

    /// The fingerprint of a tenant, of the current epoch.
    fn fingerprint(&self, tenant: Tenant) -> Option<Rc<str>>;
}

/// A directory that is a table.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    ids: HashMap<Box<[u8]>, Tenant>,
    prints: HashMap<Box<[u8]>, Tenant>,
    hosts: HashMap<Box<[u8]>, Tenant>,
    current: Vec<Rc<str>>,
    labels: Option<(usize, usize)>,
}

impl Listed {
    /// Adds a tenant: its id, its fingerprints (the current one first), its hosts.
    pub fn add(&mut self, id: &str, prints: &[&str], hosts: &[&str]) -> Tenant {
        let tenant = Tenant(u32::try_from(self.current.len()).unwrap_or(u32::MAX));
        let lower = |name: &str| -> Box<[u8]> { name.to_ascii_lowercase().into_bytes().into() };
        self.ids.insert(lower(id), tenant);
        self.prints.extend(prints.iter().map(|print| (lower(print), tenant)));
        for host in hosts {
            let labels = host.split('.').count();
            let (least, most) = self.labels.unwrap_or((labels, labels));
            self.labels = Some((least.min(labels), most.max(labels)));
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

    #[expect(clippy::reversed_empty_ranges, reason = "no hosts, no labels")]
    fn labels(&self) -> RangeInclusive<usize> {
        self.labels.map_or(1..=0, |(least, most)| least..=most)
    }

    fn fingerprint(&self, tenant: Tenant) -> Option<Rc<str>> {
        let print = self.current.get(usize::try_from(tenant.0).ok()?)?;
        Some(print.clone()).filter(|print| !print.is_empty())
    }
}
