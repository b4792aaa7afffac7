//! What all plugins of a VM share: the clusters of a policy, compiled, and the memory of connections.

use std::cell::RefCell;
use std::rc::Rc;

use partywall_event_scope::Memory;
use partywall_event_scope::scope::{Cluster, Counts};
use partywall_tenancy::{Bundle, EventCluster};
use proxy_wasm::types::LogLevel;

use crate::host;
use crate::policy::Policy;

thread_local! {
    static CLUSTERS: RefCell<Vec<Rc<Shared>>> = const { RefCell::new(Vec::new()) };
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::new(0));
}

/// One cluster of Kafka under one policy, for the listeners of all its brokers.
pub(crate) struct Shared {
    policy: Rc<RefCell<Policy>>,
    name: String,
    counts: Rc<Counts>,
    /// What the bundle of this revision makes of it.
    compiled: RefCell<Option<(u64, Option<Cluster>)>>,
    /// The same of the candidate.
    tried: RefCell<Option<(u64, Option<Cluster>)>>,
}

/// The cluster of this name under this policy; `counts` of topics, where it is new.
pub(crate) fn of(policy: &Rc<RefCell<Policy>>, name: &str, counts: impl FnOnce() -> Counts) -> Rc<Shared> {
    CLUSTERS.with_borrow_mut(|all| {
        if let Some(known) = all.iter().find(|one| Rc::ptr_eq(&one.policy, policy) && one.name == name) {
            return known.clone();
        }
        let (policy, name) = (policy.clone(), name.to_owned());
        let new = Rc::new(Shared {
            policy,
            name,
            counts: Rc::new(counts()),
            compiled: RefCell::default(),
            tried: RefCell::default(),
        });
        all.push(new.clone());
        new
    })
}

impl Shared {
    /// What the bundle says of the cluster.
    pub(super) fn said<'b>(&self, bundle: &'b Bundle) -> Option<&'b EventCluster> {
        bundle.body().events.iter().find(|cluster| cluster.name == self.name)
    }

    /// The same, ready for use; `None` where the bundle does not know the cluster, or contradicts itself about it.
    pub(crate) fn cluster(&self, bundle: &Bundle) -> Option<Cluster> {
        self.once(&self.compiled, bundle, |why| {
            host::log(LogLevel::Critical, &format!("partywall: connections to `{}` are closed: {why}", self.name));
        })
    }

    /// The same of a candidate, which would deny all where there is none.
    pub(super) fn tried(&self, candidate: &Bundle) -> Option<Cluster> {
        self.once(&self.tried, candidate, |why| {
            let so = "the candidate would close connections to";
            host::log(LogLevel::Warn, &format!("partywall: {so} `{}`: {why}", self.name));
        })
    }

    fn once(
        &self,
        compiled: &RefCell<Option<(u64, Option<Cluster>)>>,
        bundle: &Bundle,
        tell: impl Fn(&str),
    ) -> Option<Cluster> {
        let revision = bundle.body().revision;
        let mut compiled = compiled.borrow_mut();
        if let Some((of, cluster)) = &*compiled
            && *of == revision
        {
            return cluster.clone();
        }
        let none = || Err(format!("the bundle has no cluster `{}`", self.name));
        let made = self.said(bundle).map_or_else(none, |said| Cluster::new(said, self.counts.clone()));
        let cluster = made.map_err(|why| tell(&why)).ok();
        *compiled = Some((revision, cluster.clone()));
        cluster
    }
}

/// From now on all connections of this VM hold `most` bytes at most. Of several plugins the last one says so.
pub(super) fn bound(most: usize) {
    MEMORY.with_borrow_mut(|memory| memory.bound(most));
}

/// A connection of `tenant`, empty for nobody's, holds `now` bytes instead of `before`. Whether it may.
pub(super) fn hold(tenant: &Rc<str>, before: usize, now: usize) -> bool {
    MEMORY.with_borrow_mut(|memory| memory.change(tenant, before, now))
}
