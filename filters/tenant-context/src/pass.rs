//! From the filters that decide to a response guard in another VM: what was let in, for whom.
//!
//! It travels in filter state, which any filter of the same Envoy may write; so it is MACed, for this request alone.

use hmac::{Hmac, Mac};
use partywall_tenancy::{Secret, Secrets, TenantId, UnixSeconds, keyed};
use sha2::{Digest, Sha256};

/// Seconds from one filter of a chain to the next: what stands between them may ask somebody.
const LASTS: UnixSeconds = 30;
const MAC: usize = 16;
const VERSION: u8 = 1;

/// A request that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Which request: what the host tells of its stream, the same in both VMs.
    pub stream: Vec<u8>,
    /// The service that is called.
    pub service: String,
    /// Whose everything in the response must be.
    pub tenant: TenantId,
    /// By which method the operation is looked for, and by which path.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// Which operation it was decided as: both filters must find the same one.
    pub operation: String,
}

/// Keys for the MACs of passes, derived from the `shared_state` secret.
pub struct PassKeys(Vec<Hmac<Sha256>>);

impl PassKeys {
    /// The first secret seals; all open.
    pub fn new(secrets: &Secrets) -> Self {
        Self(secrets.all().map(derive).collect())
    }

    /// The bytes for filter state. `None` where a part is longer than 64 KiB.
    pub fn seal(&self, pass: &Pass, now: UnixSeconds) -> Option<Vec<u8>> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&now.saturating_add(LASTS).to_be_bytes());
        let texts = [&pass.service, pass.tenant.as_str(), &pass.method, &pass.path, &pass.operation].map(str::as_bytes);
        for part in std::iter::once(&pass.stream[..]).chain(texts) {
            out.extend_from_slice(&u16::try_from(part.len()).ok()?.to_be_bytes());
            out.extend_from_slice(part);
        }
        let tag = self.0.first()?.clone().chain_update(&out).finalize().into_bytes();
        out.extend_from_slice(tag.get(..MAC)?);
        Some(out)
    }

    /// The pass of the request that is `stream`, if these bytes hold it, unaltered and not too old.
    pub fn open(&self, bytes: &[u8], stream: &[u8], now: UnixSeconds) -> Option<Pass> {
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let genuine = self.0.iter().any(|key| key.clone().chain_update(body).verify_truncated_left(tag).is_ok());
        if !genuine {
            return None;
        }
        let (until, mut rest) = body.strip_prefix(&[VERSION])?.split_first_chunk()?;
        if u64::from_be_bytes(*until) < now {
            return None;
        }
        let mut part = || {
            let (length, after) = rest.split_first_chunk()?;
            let (part, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
            rest = after;
            Some(part)
        };
        let stream = part().filter(|of| *of == stream)?.to_vec();
        let mut text = || str::from_utf8(part()?).ok().map(str::to_owned);
        let (service, tenant, method, path, operation) = (text()?, text()?, text()?, text()?, text()?);
        Some(Pass { stream, service, tenant: TenantId::parse(&tenant).ok()?, method, path, operation })
    }
}

fn derive(secret: &Secret) -> Hmac<Sha256> {
    let mut hash = Sha256::new();
    hash.update(b"partywall passes\0");
    hash.update(secret.bytes());
    keyed(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> PassKeys {
        PassKeys::new(&Secrets::parse(text).unwrap())
    }

    const OLD: &str = "s-1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    const NEW: &str = "s-2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

    fn pass() -> Pass {
        let (service, method, path) = ("invoices".into(), "GET".into(), "/invoices/1?x".into());
        let operation = "GET /invoices/{id}".into();
        Pass {
            stream: b"stream 7".to_vec(),
            service,
            tenant: TenantId::parse("acme").unwrap(),
            method,
            path,
            operation,
        }
    }

    #[test]
    fn a_pass_opens_for_its_request_alone_and_not_for_long() {
        let keys = keys(OLD);
        let sealed = keys.seal(&pass(), 1000).unwrap();
        assert_eq!(keys.open(&sealed, b"stream 7", 1000), Some(pass()));
        assert_eq!(keys.open(&sealed, b"stream 7", 1000 + LASTS), Some(pass()));
        assert_eq!(keys.open(&sealed, b"stream 7", 1001 + LASTS), None);
        assert_eq!(keys.open(&sealed, b"stream 8", 1000), None);
        assert_eq!(keys.open(&sealed, b"stream 7 ", 1000), None);
    }

    #[test]
    fn every_byte_counts_and_keys_may_be_replaced() {
        let sealed = keys(OLD).seal(&pass(), 1000).unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(keys(OLD).open(&altered, b"stream 7", 1000), None, "byte {at}");
            assert_eq!(keys(OLD).open(&sealed[..at], b"stream 7", 1000), None, "cut at {at}");
        }
        assert_eq!(keys(NEW).open(&sealed, b"stream 7", 1000), None);
        assert!(keys(&format!("{NEW},{OLD}")).open(&sealed, b"stream 7", 1000).is_some());
        let long = Pass { path: "/".repeat(1 << 16), ..pass() };
        assert_eq!(keys(OLD).seal(&long, 1000), None);
    }
}
