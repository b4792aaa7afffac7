//! Which topic of a broker has which id, kept where others could write, too: each entry is sealed.

use hmac::{Hmac, Mac};
use partywall_tenancy::{Secret, Secrets, keyed};
use sha2::Sha256;

/// How many entries there are at most, for all clusters of a process: some 20 MB of the longest names.
const SLOTS: u32 = 1 << 16;
const MAC: usize = 16;
const ID: usize = 16;
/// The longest name of a topic, in bytes.
const LONGEST: usize = 249;

/// Seals and opens entries of one cluster.
///
/// An id has one slot, which nobody without the key can choose: who makes many topics pushes out entries at random, and
/// what is pushed out is asked for once more.
pub struct TopicIds {
    /// Under each secret, what a MAC begins with.
    keys: Vec<Hmac<Sha256>>,
}

impl TopicIds {
    /// Of the cluster of this name, under the keys of the purpose `shared_state`. The first one seals; all open.
    #[must_use]
    pub fn new(secrets: &Secrets, cluster: &str) -> Self {
        let key = |secret: &Secret| {
            let derived = keyed(secret.bytes()).chain_update(b"partywall topic ids").finalize().into_bytes();
            let length = u32::try_from(cluster.len()).unwrap_or(u32::MAX).to_be_bytes();
            keyed(&derived).chain_update(length).chain_update(cluster)
        };
        Self { keys: secrets.all().map(key).collect() }
    }

    /// Where the entry of this id lies.
    #[must_use]
    pub fn slot(&self, id: &[u8; ID]) -> u32 {
        let Some(key) = self.keys.first() else { return 0 };
        let digest = key.clone().chain_update(b"slot").chain_update(id).finalize().into_bytes();
        digest.iter().take(4).fold(0_u32, |slot, byte| slot << 8 | u32::from(*byte)) % SLOTS
    }

    /// The entry that says which topic the id is of; `None` for what is no topic's name.
    #[must_use]
    pub fn seal(&self, id: &[u8; ID], topic: &[u8]) -> Option<Vec<u8>> {
        if topic.is_empty() || topic.len() > LONGEST {
            return None;
        }
        let tag = Self::tag(self.keys.first()?, id, topic).finalize().into_bytes();
        Some([tag.get(..MAC)?, id, topic].concat())
    }

    /// The topic that an entry says the id is of; `None` where it is another id's, another cluster's or nobody's.
    #[must_use]
    pub fn open<'e>(&self, id: &[u8; ID], entry: &'e [u8]) -> Option<&'e [u8]> {
        let (tag, rest) = entry.split_at_checked(MAC)?;
        let topic = rest.strip_prefix(id)?;
        let genuine = |key: &Hmac<Sha256>| Self::tag(key, id, topic).verify_truncated_left(tag).is_ok();
        self.keys.iter().any(genuine).then_some(topic)
    }

    fn tag(key: &Hmac<Sha256>, id: &[u8; ID], topic: &[u8]) -> Hmac<Sha256> {
        key.clone().chain_update(b"name").chain_update(id).chain_update(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const B: &str = "b:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn ids(secrets: &str, cluster: &str) -> TopicIds {
        TopicIds::new(&Secrets::parse(secrets).unwrap(), cluster)
    }

    #[test]
    fn an_entry_says_what_was_sealed_and_nothing_else() {
        let (one, id) = (ids(A, "shop-events"), [7; 16]);
        let entry = one.seal(&id, b"acme.orders").unwrap();
        assert_eq!(one.open(&id, &entry), Some(b"acme.orders".as_slice()));
        assert_eq!(one.open(&[8; 16], &entry), None, "another id");
        assert_eq!(ids(A, "shop-orders").open(&id, &entry), None, "another cluster");
        assert_eq!(ids(B, "shop-events").open(&id, &entry), None, "another key");
        assert!(ids(&format!("{B},{A}"), "shop-events").open(&id, &entry).is_some(), "a former key");
        for at in 0..entry.len() {
            let mut altered = entry.clone();
            altered[at] ^= 1;
            assert_eq!(one.open(&id, &altered), None, "byte {at}");
            assert_eq!(one.open(&id, &entry[..at]), None, "cut at {at}");
        }
        assert_eq!((one.seal(&id, b""), one.seal(&id, &[b'a'; 250])), (None, None));
    }

    #[test]
    fn slots_are_spread_and_depend_on_the_key() {
        let (a, b) = (ids(A, "shop-events"), ids(B, "shop-events"));
        let slots = |of: &TopicIds| -> Vec<u32> { (0..=255).map(|n| of.slot(&[n; 16])).collect() };
        let mut spread = slots(&a);
        assert_ne!(spread, slots(&b));
        spread.sort_unstable();
        spread.dedup();
        assert!(spread.len() > 250 && spread.iter().all(|slot| *slot < SLOTS), "{}", spread.len());
    }
}
