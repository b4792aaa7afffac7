//! A candidate: a bundle that is tried out beside the one in force, and for whom it decides already.
//!
//! ```text
//! body of the statement    rollout, then a bundle's body as it stands in a bundle
//! rollout                  format, step, percent, count x tenant id             postcard
//! ```
//!
//! INVARIANT: it is signed as a kind of its own, so a candidate is never a bundle and a bundle never a candidate.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::statement::{self, Kind};
use crate::{BundleBody, MeshId, Refusal, TenantId};

/// For whom a candidate decides; for all others it is only compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Format of this part: [`Rollout::FORMAT`].
    pub format: u16,
    /// Grows with every change of the rest, from 1.
    pub step: u64,
    /// How many of a hundred tenants, by their hash: 0 to 100.
    pub percent: u8,
    /// These as well, sorted.
    pub tenants: Vec<TenantId>,
}

const DOMAIN: &[u8] = b"partywall rollout\0";

impl Rollout {
    /// The format this build writes and reads.
    pub const FORMAT: u16 = 1;
    /// The most tenants that may be named.
    pub const MAX_TENANTS: usize = 1000;

    /// Signs `body` as a candidate with this rollout, by every key of `signers` (key id, key).
    /// `None` when it cannot be written or there is no usable signer.
    pub fn sign(&self, body: &BundleBody, signers: &[(&str, &SigningKey)]) -> Option<Vec<u8>> {
        let mut bytes = postcard::to_allocvec(self).ok()?;
        bytes.extend(postcard::to_allocvec(body).ok()?);
        statement::sign(Kind::Candidate, &bytes, signers)
    }

    /// Reads the rollout at the beginning of a candidate's body, and gives what follows it. Proves nothing.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Refusal> {
        const UNREADABLE: Refusal = Refusal::Garbage("unreadable rollout");
        let (format, rest) = postcard::take_from_bytes::<u16>(bytes).map_err(|_| UNREADABLE)?;
        if format != Self::FORMAT {
            return Err(Refusal::Format(format));
        }
        let (step, rest) = postcard::take_from_bytes::<u64>(rest).map_err(|_| UNREADABLE)?;
        let (percent, rest) = postcard::take_from_bytes::<u8>(rest).map_err(|_| UNREADABLE)?;
        // One by one, so that a count alone takes no memory.
        let (count, mut rest) = postcard::take_from_bytes::<u32>(rest).map_err(|_| UNREADABLE)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if step == 0 || percent > 100 || count > Self::MAX_TENANTS {
            return Err(Refusal::Inconsistent(format!(
                "a rollout to {percent} of a hundred and {count} named tenants, step {step}"
            )));
        }
        let mut tenants = Vec::with_capacity(count);
        for _ in 0..count {
            let (tenant, after) = postcard::take_from_bytes::<TenantId>(rest).map_err(|_| UNREADABLE)?;
            tenants.push(tenant);
            rest = after;
        }
        if !tenants.is_sorted_by(|a, b| a < b) {
            return Err(Refusal::Inconsistent("tenants of the rollout are not sorted, or one is there twice".into()));
        }
        Ok((Self { format, step, percent, tenants }, rest))
    }

    /// Whether the candidate decides for `tenant`.
    pub fn includes(&self, mesh: &MeshId, tenant: &TenantId) -> bool {
        self.percent >= 100
            || self.tenants.binary_search(tenant).is_ok()
            || (self.percent > 0 && Self::place(mesh, tenant) < self.percent)
    }

    /// The place of `tenant` among a hundred, from 0: SHA-256 of mesh and tenant, its first eight bytes modulo 100.
    ///
    /// INVARIANT: nothing else goes in, so it is the same in every sidecar, after every restart and at every step;
    /// raising the percentage only adds tenants. The mesh goes in so that not the same tenants are first everywhere.
    pub fn place(mesh: &MeshId, tenant: &TenantId) -> u8 {
        let digest = Sha256::new().chain_update(DOMAIN).chain_update(mesh.as_str()).chain_update([0]);
        let digest = digest.chain_update(tenant.as_str()).finalize();
        let first = digest.first_chunk::<8>().copied().map_or(0, u64::from_be_bytes);
        u8::try_from(first % 100).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: &str) -> TenantId {
        TenantId::parse(id).unwrap()
    }

    fn mesh() -> MeshId {
        MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap()
    }

    fn rollout(percent: u8, tenants: &[&str]) -> Rollout {
        let tenants = tenants.iter().map(|id| tenant(id)).collect();
        Rollout { format: Rollout::FORMAT, step: 1, percent, tenants }
    }

    #[test]
    fn a_place_is_the_same_for_ever_and_another_in_another_mesh() {
        let places = ["acme", "globex", "initech"].map(|id| Rollout::place(&mesh(), &tenant(id)));
        // Changing these moves tenants of live rollouts. Python's hashlib gives the same.
        assert_eq!(places, [70, 26, 27]);
        let other = MeshId::parse("00000000-0000-4000-8000-000000000000").unwrap();
        let moved = (0..100).map(|n| tenant(&format!("customer-{n}")));
        assert!(moved.filter(|id| Rollout::place(&mesh(), id) != Rollout::place(&other, id)).count() > 80);
    }

    #[test]
    fn more_percent_only_adds_tenants_and_about_as_many() {
        let all: Vec<TenantId> = (0..10_000).map(|n| tenant(&format!("customer-{n}"))).collect();
        let mut before = 0;
        for percent in 0..=100 {
            let chosen = |percent| {
                let rollout = rollout(percent, &[]);
                all.iter().map(|id| rollout.includes(&mesh(), id)).collect::<Vec<_>>()
            };
            let now = chosen(percent);
            if percent > 0 {
                let lost = chosen(percent - 1).iter().zip(&now).filter(|(then, now)| **then && !**now).count();
                assert_eq!(lost, 0, "{percent}");
            }
            let count = now.iter().filter(|chosen| **chosen).count();
            assert!(count >= before && count.abs_diff(usize::from(percent) * 100) < 200, "{percent}: {count}");
            before = count;
        }
        assert_eq!(before, 10_000);
    }

    #[test]
    fn who_is_named_is_in_at_any_percentage() {
        let named = rollout(0, &["acme", "globex"]);
        assert!(named.includes(&mesh(), &tenant("acme")) && named.includes(&mesh(), &tenant("globex")));
        assert!(!named.includes(&mesh(), &tenant("initech")));
        assert!(!rollout(0, &[]).includes(&mesh(), &tenant("acme")));
        let by_place = |percent| rollout(percent, &[]).includes(&mesh(), &tenant("acme"));
        assert_eq!([by_place(70), by_place(71)], [false, true], "its place is 70, and the first is 0");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let read = |rollout: &Rollout| {
            let mut bytes = postcard::to_allocvec(rollout).unwrap();
            bytes.extend(b"rest");
            Rollout::read(&bytes).map(|(read, rest)| {
                assert_eq!(rest, b"rest");
                read
            })
        };
        let good = rollout(10, &["acme", "globex"]);
        assert_eq!(read(&good).as_ref(), Ok(&good));
        let code = |rollout: Rollout| read(&rollout).unwrap_err().code();
        assert_eq!(code(Rollout { format: 2, ..good.clone() }), "format");
        assert_eq!(code(Rollout { step: 0, ..good.clone() }), "inconsistent");
        assert_eq!(code(Rollout { percent: 101, ..good.clone() }), "inconsistent");
        assert_eq!(code(rollout(1, &["globex", "acme"])), "inconsistent");
        assert_eq!(code(rollout(1, &["acme", "acme"])), "inconsistent");
        let many: Vec<TenantId> = (0..1001).map(|n| tenant(&format!("t-{n:04}"))).collect();
        assert_eq!(code(Rollout { tenants: many.clone(), ..good.clone() }), "inconsistent");
        assert!(read(&Rollout { tenants: many[..1000].to_vec(), ..good.clone() }).is_ok());
        let bytes = postcard::to_allocvec(&good).unwrap();
        for n in 0..bytes.len() {
            assert!(Rollout::read(&bytes[..n]).is_err(), "{n}");
        }
        assert!(Rollout::read(&[1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err(), "a count takes no memory");
    }
}
