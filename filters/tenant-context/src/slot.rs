//! Where a root context waits between an incoming request and the outgoing ones it causes.
//!
//! A fixed ring of slots in the host's shared data, so memory is bounded and every worker finds
//! them. A record is MACed: shared data is not trusted. Tenants are spread over groups of slots,
//! so that a flood of one tenant's requests fills its own group only.

use std::fmt;

use hmac::{Hmac, Mac};
use partywall_tenancy::{Secret, Secrets, TenantId, UnixSeconds, keyed};
use sha2::{Digest, Sha256};

use crate::trace::hex;

/// How many slots there are.
pub const SLOTS: u16 = 8192;
/// Seconds for which a context stays after its request ended, for work that goes on.
pub const LINGER: UnixSeconds = 5;
const GROUP: u16 = 64;
const PROBES: u16 = 8;
const MAC: usize = 16;
const VERSION: u8 = 1;

/// What stands in `tracestate` as `pw=`: a slot number and 128 random bits, 36 hex digits.
/// It counts only in the process that made it; seen elsewhere it is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    slot: u16,
    secret: [u8; 16],
}

impl Handle {
    /// A handle for `slot`; `secret` must be random.
    pub fn new(slot: u16, secret: [u8; 16]) -> Self {
        Self { slot, secret }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex::<18>(text)?;
        let (slot, secret) = bytes.split_first_chunk::<2>()?;
        let slot = u16::from_be_bytes(*slot);
        (slot < SLOTS).then_some(Self { slot, secret: secret.try_into().ok()? })
    }

    /// The slot it points at.
    pub fn slot(&self) -> u16 {
        self.slot
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.slot)?;
        self.secret.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// What is kept in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The handle that opens it.
    pub handle: Handle,
    /// Until when it counts.
    pub live_until: UnixSeconds,
    /// The trace of the request it was made for.
    pub trace_id: [u8; 16],
    /// The service whose sidecar made it.
    pub service: String,
    /// The root context.
    pub root: Vec<u8>,
}

/// Keys for the MACs of records, derived from the `shared_state` secret.
pub struct SlotKeys(Vec<Hmac<Sha256>>);

impl SlotKeys {
    /// The first secret seals; all open.
    pub fn new(secrets: &Secrets) -> Self {
        Self(secrets.all().map(derive).collect())
    }

    /// The bytes to keep. `None` when the service's name is longer than 255 bytes.
    pub fn seal(&self, record: &Record) -> Option<Vec<u8>> {
        let name = u8::try_from(record.service.len()).ok()?;
        let mut out = vec![VERSION];
        out.extend_from_slice(&record.live_until.to_be_bytes());
        out.extend_from_slice(&record.handle.slot.to_be_bytes());
        out.extend_from_slice(&record.handle.secret);
        out.extend_from_slice(&record.trace_id);
        out.push(name);
        out.extend_from_slice(record.service.as_bytes());
        out.extend_from_slice(&record.root);
        let tag = self.0.first()?.clone().chain_update(&out).finalize().into_bytes();
        out.extend_from_slice(tag.get(..MAC)?);
        Some(out)
    }

    /// The record that `handle` opens, if these bytes hold it, unaltered.
    pub fn open(&self, bytes: &[u8], handle: &Handle) -> Option<Record> {
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let genuine = self.0.iter().any(|key| key.clone().chain_update(body).verify_truncated_left(tag).is_ok());
        if !genuine {
            return None;
        }
        let rest = body.strip_prefix(&[VERSION])?;
        let (live_until, rest) = rest.split_first_chunk()?;
        let (slot, rest) = rest.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        let (trace_id, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_first()?;
        let (service, root) = rest.split_at_checked((*name).into())?;
        let stored = Handle { slot: u16::from_be_bytes(*slot), secret: *secret };
        // The MAC makes the bytes ours; comparing 128 random bits by time leaks nothing useful,
        // since a handle is good for one open request of the same pod.
        (stored == *handle).then(|| {
            Some(Record {
                handle: stored,
                live_until: u64::from_be_bytes(*live_until),
                trace_id: *trace_id,
                service: str::from_utf8(service).ok()?.to_owned(),
                root: root.to_vec(),
            })
        })?
    }
}

fn derive(secret: &Secret) -> Hmac<Sha256> {
    let mut hash = Sha256::new();
    hash.update(b"partywall context slots\0");
    hash.update(secret.bytes());
    keyed(&hash.finalize())
}

/// The slots that a context of `tenant` may take, in the order to try them. `random` spreads them.
pub fn candidates(tenant: &TenantId, random: u16) -> impl Iterator<Item = u16> {
    let hash = Sha256::digest(tenant.as_str().as_bytes());
    let group = hash.first_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b)) % (SLOTS / GROUP);
    (0..PROBES).map(move |n| group * GROUP + (random.wrapping_add(n)) % GROUP)
}

/// Whether a slot that holds `bytes` may be overwritten at `now`. Live slots never are.
pub fn is_free(bytes: &[u8], now: UnixSeconds) -> bool {
    bytes.get(1..9).and_then(|b| b.try_into().ok()).is_none_or(|b| u64::from_be_bytes(b) < now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> SlotKeys {
        SlotKeys::new(&Secrets::parse(text).unwrap())
    }

    const A: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const B: &str = "2:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn record() -> Record {
        Record {
            handle: Handle::new(77, [9; 16]),
            live_until: 1000,
            trace_id: [3; 16],
            service: "invoices".into(),
            root: b"a.b.c".to_vec(),
        }
    }

    #[test]
    fn a_sealed_record_opens_with_its_handle_only() {
        let sealed = keys(A).seal(&record()).unwrap();
        assert_eq!(keys(A).open(&sealed, &record().handle), Some(record()));
        assert_eq!(keys(A).open(&sealed, &Handle::new(77, [8; 16])), None);
        assert_eq!(keys(B).open(&sealed, &record().handle), None);
        assert_eq!(keys(&format!("{B},{A}")).open(&sealed, &record().handle), Some(record()));
    }

    #[test]
    fn an_altered_record_does_not_open() {
        let sealed = keys(A).seal(&record()).unwrap();
        for n in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[n] ^= 1;
            assert_eq!(keys(A).open(&altered, &record().handle), None);
            assert_eq!(keys(A).open(&sealed[..n], &record().handle), None);
        }
    }

    #[test]
    fn a_handle_reads_as_it_is_written() {
        let handle = record().handle;
        assert_eq!(Handle::parse(&handle.to_string()), Some(handle));
        for bad in ["", "00", "ffff00000000000000000000000000000000", &"0".repeat(37)] {
            assert_eq!(Handle::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_tenant_keeps_to_its_group_and_live_slots_stay() {
        let acme = TenantId::parse("acme").unwrap();
        let groups: Vec<u16> = (0..500).flat_map(|r| candidates(&acme, r)).map(|s| s / GROUP).collect();
        assert!(groups.iter().all(|g| *g == groups[0]));
        let sealed = keys(A).seal(&record()).unwrap();
        assert!(!is_free(&sealed, 1000) && is_free(&sealed, 1001) && is_free(b"", 0));
    }
}
