//! Which topic has which id: learned by any worker, kept for all of them.

use std::cell::RefCell;
use std::collections::HashMap;

use partywall_event_scope::TopicIds;
use partywall_event_scope::kafka::session;
use partywall_tenancy::Secrets;

use crate::host;

/// How many are remembered by one plugin in this VM, so that the host need not be asked: a few MB.
const REMEMBERED: usize = 16_384;

/// The ids of a cluster's topics. An id is a topic's for ever: a new topic of an old name has another one.
pub(super) struct Ids {
    sealed: TopicIds,
    remembered: RefCell<HashMap<[u8; 16], Box<[u8]>>>,
}

impl Ids {
    pub(super) fn new(shared_state: &Secrets, cluster: &str) -> Self {
        Self { sealed: TopicIds::new(shared_state, cluster), remembered: RefCell::default() }
    }

    fn remember(&self, id: [u8; 16], topic: &[u8]) {
        let mut remembered = self.remembered.borrow_mut();
        if remembered.len() >= REMEMBERED {
            // What is asked for again comes back from the host.
            remembered.clear();
        }
        remembered.insert(id, topic.into());
    }

    fn key(&self, id: &[u8; 16]) -> String {
        format!("partywall.topic.{}", self.sealed.slot(id))
    }
}

impl session::Ids for Ids {
    fn name(&self, id: &[u8; 16], out: &mut Vec<u8>) -> bool {
        if let Some(topic) = self.remembered.borrow().get(id) {
            out.extend_from_slice(topic);
            return true;
        }
        let (Some(entry), _) = host::shared(&self.key(id)) else { return false };
        let Some(topic) = self.sealed.open(id, &entry) else { return false };
        out.extend_from_slice(topic);
        self.remember(*id, topic);
        true
    }

    fn learn(&self, id: &[u8; 16], name: &[u8]) {
        if self.remembered.borrow().get(id).is_some_and(|known| **known == *name) {
            return;
        }
        if let Some(entry) = self.sealed.seal(id, name) {
            // Whoever comes later wins: a broker said so to both.
            host::set_shared(&self.key(id), &entry, None);
            self.remember(*id, name);
        }
    }
}
