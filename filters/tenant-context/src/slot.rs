//! Where a root context waits between an incoming request and the outgoing ones it causes.
//!
//! A fixed set of slots in the host's shared data, so memory is bounded and every worker finds
//! them. A record is MACed: shared data is not trusted.
//!
//! Slots lie in groups, and each tenant may use some groups, chosen by a hash of its id. A tenant
//! that floods fills its own groups; another one shares some of them perhaps, but never all.

use std::fmt;

use hmac::{Hmac, Mac};
use partywall_tenancy::{Secret, Secrets, TenantId, UnixSeconds, keyed};
use sha2::{Digest, Sha256};

use crate::trace::hex;

/// Slots in a group.
const GROUP: u16 = 64;
/// Groups: 65,536 slots, of some 700 bytes each when used, and never more than 4.3 KB.
const GROUPS: u16 = 1024;
/// Groups of one tenant: up to 1,024 requests of it are open in one sidecar at once. That all
/// groups of one tenant are among those of another has a chance of about one in 10^29.
const GROUPS_PER_TENANT: u16 = 16;
/// Seconds for which a context stays after its request ended, for work that goes on.
pub const LINGER: UnixSeconds = 5;
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
    /// Characters of its text.
    pub(crate) const TEXT: usize = 36;

    /// A handle for `slot`; `secret` must be random.
    pub fn new(slot: u16, secret: [u8; 16]) -> Self {
        Self { slot, secret }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex::<18>(text)?;
        let (slot, secret) = bytes.split_first_chunk::<2>()?;
        Some(Self { slot: u16::from_be_bytes(*slot), secret: secret.try_into().ok()? })
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
    /// Whether its request is over, so that it only lingers.
    pub over: bool,
    /// Until when it counts.
    pub live_until: UnixSeconds,
    /// The trace of the request it was made for.
    pub trace_id: [u8; 16],
    /// The service whose sidecar made it.
    pub service: String,
    /// The root context; empty for a request that brought none.
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
        let mut out = vec![VERSION, u8::from(record.over)];
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
        // The MAC makes the bytes ours; comparing 128 random bits by time leaks nothing useful,
        // since a handle is good for one open request of the same pod.
        self.read(bytes).filter(|record| record.handle == *handle)
    }

    /// The record that these bytes hold, unaltered, whoever asks.
    pub fn read(&self, bytes: &[u8]) -> Option<Record> {
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let genuine = self.0.iter().any(|key| key.clone().chain_update(body).verify_truncated_left(tag).is_ok());
        if !genuine {
            return None;
        }
        let (over, rest) = body.strip_prefix(&[VERSION])?.split_first()?;
        let (live_until, rest) = rest.split_first_chunk()?;
        let (slot, rest) = rest.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        let (trace_id, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_first()?;
        let (service, root) = rest.split_at_checked((*name).into())?;
        Some(Record {
            handle: Handle { slot: u16::from_be_bytes(*slot), secret: *secret },
            over: *over != 0,
            live_until: u64::from_be_bytes(*live_until),
            trace_id: *trace_id,
            service: str::from_utf8(service).ok()?.to_owned(),
            root: root.to_vec(),
        })
    }
}

fn derive(secret: &Secret) -> Hmac<Sha256> {
    let mut hash = Sha256::new();
    hash.update(b"partywall context slots\0");
    hash.update(secret.bytes());
    keyed(&hash.finalize())
}

/// The slots that a context of `tenant` may take, in the order to try them: one in each of its
/// groups. `random` spreads them.
pub fn candidates(tenant: &TenantId, random: u16) -> impl Iterator<Item = u16> {
    let hash = Sha256::digest(tenant.as_str().as_bytes());
    let groups: [u16; GROUPS_PER_TENANT as usize] = std::array::from_fn(|n| {
        let at = 2 * n;
        hash.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_be_bytes) % GROUPS
    });
    let first = usize::from(random % GROUPS_PER_TENANT);
    let within = random / GROUPS_PER_TENANT;
    groups
        .into_iter()
        .cycle()
        .skip(first)
        .zip(0..GROUPS_PER_TENANT)
        .map(move |(group, n)| group * GROUP + within.wrapping_add(n) % GROUP)
}

/// How many places there are for contexts found by trace id.
pub const TRACE_SLOTS: u16 = 8192;

/// The places where the context of a trace may lie, in the order to try them.
pub fn trace_candidates(trace_id: [u8; 16]) -> impl Iterator<Item = u16> {
    let hash = Sha256::digest(trace_id);
    let first = hash.first_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b));
    (0..4).map(move |n| first.wrapping_add(n) % TRACE_SLOTS)
}

/// Whether a slot may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occupancy {
    /// Nothing in it counts any more.
    Free,
    /// Its request is over and lingers until then: to be taken when nothing is free, the oldest first.
    Lingering(UnixSeconds),
    /// Its request is open. It is never taken.
    Live,
}

/// What a slot that holds `bytes` is at `now`.
pub fn occupancy(bytes: &[u8], now: UnixSeconds) -> Occupancy {
    let until = bytes.get(2..10).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
    match bytes.get(1) {
        _ if until < now => Occupancy::Free,
        Some(0) => Occupancy::Live,
        _ => Occupancy::Lingering(until),
    }
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
            over: false,
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
        for bad in ["", "00", &"0".repeat(35), &"0".repeat(37), &"g".repeat(36)] {
            assert_eq!(Handle::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn live_slots_are_never_taken_and_lingering_ones_last() {
        let sealed = keys(A).seal(&record()).unwrap();
        assert_eq!(occupancy(&sealed, 1000), Occupancy::Live);
        assert_eq!(occupancy(&sealed, 1001), Occupancy::Free);
        assert_eq!(occupancy(b"", 1), Occupancy::Free);
        let over = keys(A).seal(&Record { over: true, ..record() }).unwrap();
        assert_eq!(occupancy(&over, 1000), Occupancy::Lingering(1000));
        assert!(Occupancy::Free < Occupancy::Lingering(0) && Occupancy::Lingering(u64::MAX) < Occupancy::Live);
    }

    #[test]
    fn a_flood_of_one_tenant_leaves_room_for_every_other() {
        use std::collections::HashSet;
        let slots_of = |name: &str| -> HashSet<u16> {
            let tenant = TenantId::parse(name).unwrap();
            (0..GROUP * GROUPS_PER_TENANT).flat_map(|r| candidates(&tenant, r)).collect()
        };
        let flooded = slots_of("acme");
        assert!((960..=1024).contains(&flooded.len()), "{}", flooded.len());
        for n in 0..50 {
            let own = slots_of(&format!("tenant-{n}"));
            let left = own.difference(&flooded).count();
            assert!(left >= 768, "tenant-{n} keeps {left} of {}", own.len());
        }
    }
}
