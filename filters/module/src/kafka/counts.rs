//! How many topics tenants have, kept for all workers of a proxy.

use partywall_event_scope::TopicIds;
use partywall_event_scope::scope::Kept;
use partywall_tenancy::Secrets;

use crate::host;

/// How often others may have written meanwhile before it is written all the same.
const TRIES: usize = 16;
/// In the place of a topic's id. Keys are those of a name that no cluster has.
const NONE: [u8; 16] = [0; 16];
const NUMBERS: usize = 3 * size_of::<u64>();

/// Counts of one cluster in shared data, sealed as ids of topics are.
pub(super) struct Together {
    sealed: TopicIds,
    cluster: String,
}

impl Together {
    pub(super) fn new(shared_state: &Secrets, cluster: &str) -> Self {
        Self { sealed: TopicIds::new(shared_state, &format!("counts of {cluster}")), cluster: cluster.to_owned() }
    }

    fn open(&self, prefix: &str, entry: &[u8]) -> Option<[u64; 3]> {
        let (numbers, of) = self.sealed.open(&NONE, entry)?.split_first_chunk::<NUMBERS>()?;
        let mut all = numbers
            .chunks_exact(size_of::<u64>())
            .filter_map(|number| Some(u64::from_be_bytes(number.try_into().ok()?)));
        (of == prefix.as_bytes()).then_some([all.next()?, all.next()?, all.next()?])
    }

    fn seal(&self, prefix: &str, numbers: [u64; 3]) -> Option<Vec<u8>> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).chain(prefix.bytes()).collect();
        self.sealed.seal(&NONE, &bytes)
    }
}

impl Kept for Together {
    fn update(&self, prefix: &str, change: &mut dyn FnMut(Option<[u64; 3]>) -> Option<[u64; 3]>) {
        let key = format!("partywall.topics.{}.{}.{prefix}", self.cluster.len(), self.cluster);
        for left in (0..TRIES).rev() {
            let (entry, cas) = host::shared(&key);
            let known = entry.and_then(|entry| self.open(prefix, &entry));
            // The longest prefixes leave no room for it: each worker counts for itself then.
            let Some(entry) = change(known).and_then(|numbers| self.seal(prefix, numbers)) else { return };
            if host::set_shared(&key, &entry, cas.filter(|_| left > 0)) {
                return;
            }
        }
    }
}
