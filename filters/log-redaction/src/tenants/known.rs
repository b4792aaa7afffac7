//! Who there is, as a bundle says.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;

use partywall_tenancy::{Bundle, FingerprintKeys, Fingerprints, Secrets, Source, TenantId};

use super::directory::hyphens;
use super::{Directory, HostEnds, Tenant};

/// The tenants of a bundle, each by its place in the order of ids.
pub struct Known {
    bundle: Arc<Bundle>,
    /// Those of each epoch, sorted by print: the prefix that they have in common, and 16 hex digits as a number.
    epochs: Vec<Epoch>,
    current: Fingerprints,
    hosts: Vec<Around>,
    host_ends: HostEnds,
    /// How many labels hosts have, at least and at most.
    labels: Option<(usize, usize)>,
    /// How many hyphens ids have at most.
    hyphens: usize,
}

/// What stands before a tenant's id in its host, and behind it.
type Around = (Box<[u8]>, Box<[u8]>);

struct Epoch {
    /// `t<epoch>_`, in lower case.
    prefix: String,
    prints: Vec<(u64, u32)>,
}

/// A directory that is being made: a fingerprint is a hash, and there may be 100,000 tenants, for whose hashes no request
/// is to wait.
pub struct Making {
    bundle: Arc<Bundle>,
    keys: Vec<FingerprintKeys>,
    current: Fingerprints,
    epochs: Vec<Epoch>,
    /// The epoch, and the tenant in it, that come next.
    next: (usize, usize),
    hyphens: usize,
}

impl Making {
    /// Begins. The first of `fingerprints` is the key of the current epoch.
    pub fn new(bundle: Arc<Bundle>, fingerprints: &Secrets) -> Self {
        let keys = fingerprints.all().map(FingerprintKeys::with).collect();
        let current = Fingerprints::new(FingerprintKeys::new(fingerprints));
        Self { bundle, keys, current, epochs: Vec::new(), next: (0, 0), hyphens: 0 }
    }

    /// Makes up to `count` fingerprints more. Says whether there is more to do.
    pub fn step(&mut self, count: usize) -> bool {
        let tenants = &self.bundle.body().tenants;
        for _ in 0..count {
            let (epoch, at) = self.next;
            let Some(keys) = self.keys.get(epoch) else { return false };
            let Some(id) = tenants.id(at).filter(|_| at < tenants.len()) else {
                if let Some(done) = self.epochs.get_mut(epoch) {
                    done.prints.sort_unstable();
                }
                self.next = (epoch + 1, 0);
                continue;
            };
            self.hyphens = self.hyphens.max(hyphens(id));
            let print = keys.of_owner(id);
            let split = print.rfind('_').map_or(0, |at| at + 1);
            let (prefix, digits) = print.split_at_checked(split).unwrap_or_default();
            if self.epochs.len() <= epoch {
                self.epochs
                    .push(Epoch { prefix: prefix.to_ascii_lowercase(), prints: Vec::with_capacity(tenants.len()) });
            }
            if let (Some(into), Ok(number), Ok(tenant)) =
                (self.epochs.get_mut(epoch), u64::from_str_radix(digits, 16), u32::try_from(at))
            {
                into.prints.push((number, tenant));
            }
            self.next = (epoch, at + 1);
        }
        true
    }

    /// The bundle that it is made of.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The directory, once there is no more to do: before, it does not know each fingerprint.
    pub fn finish(self) -> Known {
        let host = |source: &Source| match source {
            Source::Host { template } => {
                let (before, after) = template.split_once("{tenant}")?;
                let lower = |text: &str| text.to_ascii_lowercase().into_bytes().into_boxed_slice();
                Some((lower(before), lower(after)))
            }
            _ => None,
        };
        let hosts: Vec<Around> = self.bundle.body().sources.edge.iter().filter_map(host).collect();
        let mut host_ends = HostEnds::default();
        hosts.iter().for_each(|(_, after)| host_ends.add(after));
        let labels = hosts.iter().map(|(before, after)| {
            // An id has no dot in it, so a host has as many labels as its template.
            [before, after].iter().flat_map(|part| part.iter()).filter(|byte| **byte == b'.').count() + 1
        });
        let labels = labels.clone().min().zip(labels.max());
        let (hyphens, current) = (self.hyphens, self.current);
        Known { bundle: self.bundle, epochs: self.epochs, current, hosts, host_ends, labels, hyphens }
    }
}

impl Known {
    /// The bundle that it was made of.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The id of a tenant.
    pub fn id(&self, tenant: Tenant) -> Option<&str> {
        self.bundle.body().tenants.id(usize::try_from(tenant.0).ok()?)
    }

    fn position(&self, id: &[u8]) -> Option<Tenant> {
        let at = self.bundle.body().tenants.position(str::from_utf8(id).ok()?)?;
        u32::try_from(at).ok().map(Tenant)
    }
}

impl Directory for Known {
    fn by_id(&self, id: &[u8]) -> Option<Tenant> {
        self.position(id)
    }

    fn by_fingerprint(&self, print: &[u8]) -> Option<Tenant> {
        self.epochs.iter().find_map(|epoch| {
            let digits = print.strip_prefix(epoch.prefix.as_bytes())?;
            let plain = digits.len() == 16 && digits.iter().all(u8::is_ascii_hexdigit);
            let number = u64::from_str_radix(str::from_utf8(digits).ok().filter(|_| plain)?, 16).ok()?;
            let at = epoch.prints.binary_search_by_key(&number, |(number, _)| *number).ok()?;
            epoch.prints.get(at).map(|(_, tenant)| Tenant(*tenant))
        })
    }

    fn by_host(&self, host: &[u8]) -> Option<Tenant> {
        let label = |(before, after): &Around| {
            let label = host.strip_prefix(&**before)?.strip_suffix(&**after)?;
            self.position(label)
        };
        self.hosts.iter().find_map(label)
    }

    fn may_be_host(&self, host: &[u8]) -> bool {
        self.hosts.iter().any(|(_, after)| {
            let end = host.len().checked_sub(after.len()).and_then(|at| host.get(at..));
            end.is_some_and(|end| end.eq_ignore_ascii_case(after))
        })
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
        self.id(tenant).map(|id| self.current.of_owner(id))
    }
}

/// The tenant called so; for whom a body is known to be.
pub fn tenant_of(directory: &dyn Directory, id: &TenantId) -> Option<Tenant> {
    directory.by_id(id.as_str().as_bytes())
}
