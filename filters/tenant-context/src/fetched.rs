//! From the filter that saw a workload fetch records of a tenant to the one that lets it act for that tenant.
//!
//! It travels in a queue of the host and lies in shared data, where others could write, too; so it is MACed.

use hmac::{Hmac, Mac};
use partywall_tenancy::{Secret, Secrets, TenantId, UnixSeconds, keyed};
use sha2::{Digest, Sha256};

const MAC: usize = 16;
const VERSION: u8 = 1;

/// Keys for what is told of fetches, derived from the `shared_state` secret: filters of one workload have the same.
pub struct FetchedKeys(Vec<Hmac<Sha256>>);

impl FetchedKeys {
    /// The first secret seals; all open.
    pub fn new(secrets: &Secrets) -> Self {
        Self(secrets.all().map(derive).collect())
    }

    /// That records of `tenant` were fetched at this time.
    pub fn seal(&self, tenant: &TenantId, at: UnixSeconds) -> Option<Vec<u8>> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&at.to_be_bytes());
        out.extend_from_slice(tenant.as_str().as_bytes());
        let tag = self.0.first()?.clone().chain_update(&out).finalize().into_bytes();
        out.extend_from_slice(tag.get(..MAC)?);
        Some(out)
    }

    /// Whose records were fetched, and when, if these bytes say so unaltered.
    pub fn open(&self, bytes: &[u8]) -> Option<(TenantId, UnixSeconds)> {
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let genuine = self.0.iter().any(|key| key.clone().chain_update(body).verify_truncated_left(tag).is_ok());
        let (at, tenant) = body.strip_prefix(&[VERSION])?.split_first_chunk()?;
        let tenant = TenantId::parse(str::from_utf8(tenant).ok()?).ok()?;
        genuine.then(|| (tenant, u64::from_be_bytes(*at)))
    }
}

fn derive(secret: &Secret) -> Hmac<Sha256> {
    let mut hash = Sha256::new();
    hash.update(b"partywall fetched\0");
    hash.update(secret.bytes());
    keyed(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> FetchedKeys {
        FetchedKeys::new(&Secrets::parse(text).unwrap())
    }

    const OLD: &str = "s-1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    const NEW: &str = "s-2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

    #[test]
    fn it_says_what_was_sealed_while_the_key_is_known_and_nothing_that_was_altered() {
        let acme = TenantId::parse("acme").unwrap();
        let sealed = keys(OLD).seal(&acme, 1_000).unwrap();
        assert_eq!(keys(OLD).open(&sealed), Some((acme.clone(), 1_000)));
        assert_eq!(keys(&format!("{NEW},{OLD}")).open(&sealed), Some((acme, 1_000)));
        assert_eq!(keys(NEW).open(&sealed), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(keys(OLD).open(&altered), None, "{at}");
            assert_eq!(keys(OLD).open(&sealed[..at]), None, "{at}");
        }
    }
}
