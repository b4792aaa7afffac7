//! The chain of decisions: each decision of a VM has a number and a MAC, so that a line of the access log that was
//! altered, removed or written twice is found (`docs/decisions/0015-the-decision-log-is-a-chain.md`).
//!
//! ```text
//! root key ─ HMAC with boot ─► key 0 ─ H ─► key 1 ─ H ─► key 2 …          each is forgotten once it was used
//!                                │            │            │
//!                              line 0       line 1       line 2          over the link and the decision's fields
//! ```
//!
//! A link, as it stands in the field `chain`; `open`, the checkpoint, is there now and then:
//!
//! ```text
//! v=1 key=orders-1 boot=9f2c… n=42 at=1795507200123 trace=4bf9… was=40 open=12,17-19 mac=…
//! ```

mod open;
mod read;
mod verify;

use hmac::{Hmac, Mac};
use partywall_tenancy::{Secret, keyed};
use sha2::{Digest, Sha256};

pub use open::{MAX_RANGES, Ranges};
pub use read::{Link, LinkError};
pub use verify::{Finding, Gap, Seen, Verifier, Why};

/// The version of the links that this build writes and reads.
pub const CHAIN_VERSION: u32 = 1;
/// Between two checkpoints in lines, in milliseconds.
const CHECKPOINT_MS: u64 = 1_000;
/// The most numbers that a link says to stand in the place of; of more, the last ones.
const MAX_REPLACED: usize = 32;

/// The fields of a line that a link vouches for, each as printed. What is not there, and `-`, is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields `wasm.partywall.*`, by their names")]
pub struct Fields<'a> {
    pub tenant: &'a str,
    pub decision: &'a str,
    pub reason: &'a str,
    pub policy: &'a str,
    pub revision: &'a str,
    pub path: &'a str,
    pub detail: &'a str,
    pub explain: &'a str,
    pub candidate: &'a str,
}

impl Fields<'_> {
    /// Each with its length before it, so that no two sets of fields read alike.
    fn feed(&self, mac: &mut Hmac<Sha256>) {
        let Self { tenant, decision, reason, policy, revision, path, detail, explain, candidate } = self;
        for field in [tenant, decision, reason, policy, revision, path, detail, explain, candidate] {
            let printed = if *field == "-" { "" } else { field };
            mac.update(&(printed.len() as u64).to_be_bytes());
            mac.update(printed.as_bytes());
        }
    }
}

/// Gives the links of one VM.
#[derive(Debug)]
pub struct Chain {
    key_id: Box<str>,
    boot: String,
    key: Key,
    next: u64,
    open: Ranges,
    checkpoint_at: u64,
}

impl Chain {
    /// A chain that begins. `boot` must be random: two chains with the same would share their keys.
    pub fn new(root: &Secret, boot: [u8; 16]) -> Self {
        let boot = hex(&boot);
        let key = Key::first(root.bytes(), &boot);
        Self { key_id: root.id().into(), boot, key, next: 0, open: Ranges::default(), checkpoint_at: 0 }
    }

    /// The number and the link of a decision made at `now` (milliseconds since the Unix epoch), about the request
    /// `trace` (32 hex digits, or empty). `replaces` is the link that this one takes the place of in the line, where
    /// the filter ran before for the same request.
    pub fn link(&mut self, now: u64, trace: &str, replaces: Option<&str>, fields: &Fields<'_>) -> (u64, String) {
        let number = self.next;
        self.next += 1;
        let mut text = format!("v={CHAIN_VERSION} key={} boot={} n={number} at={now}", self.key_id, self.boot);
        if !trace.is_empty() {
            text.push_str(" trace=");
            text.push_str(trace);
        }
        let mut replaced = replaces.and_then(|link| Link::parse(link).ok()).map_or(Vec::new(), |before| {
            let own = before.boot == self.boot;
            if own { before.was.iter().copied().chain([before.number]).collect() } else { Vec::new() }
        });
        replaced.drain(..replaced.len().saturating_sub(MAX_REPLACED));
        if !replaced.is_empty() {
            let list: Vec<String> = replaced.iter().map(u64::to_string).collect();
            text.push_str(" was=");
            text.push_str(&list.join(","));
        }
        if now.saturating_sub(self.checkpoint_at) >= CHECKPOINT_MS || number == 0 {
            self.checkpoint_at = now;
            text.push_str(" open=");
            text.push_str(&self.open.to_string());
        }
        self.open.insert_last(number);
        let mac = self.key.mac(&text, fields);
        // INVARIANT: a key is used for one line and gone: who reads this memory later cannot write earlier lines.
        self.key.ratchet();
        text.push_str(" mac=");
        text.push_str(&mac);
        (number, text)
    }

    /// The line of this number was written, or never will be: its request is over.
    pub fn over(&mut self, number: u64) {
        self.open.remove(number);
    }
}

/// The key of one number.
#[derive(Clone)]
struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    fn first(root: &[u8], boot: &str) -> Self {
        let mut mac = keyed(root);
        mac.update(b"partywall chain\0");
        mac.update(boot.as_bytes());
        Self(mac.finalize().into_bytes().into())
    }

    fn ratchet(&mut self) {
        let mut hash = Sha256::new();
        hash.update(b"partywall ratchet\0");
        hash.update(self.0);
        self.0 = hash.finalize().into();
    }

    /// The MAC of a link, 32 hex digits.
    fn mac(&self, text: &str, fields: &Fields<'_>) -> String {
        let mut mac = keyed(&self.0);
        mac.update(&(text.len() as u64).to_be_bytes());
        mac.update(text.as_bytes());
        fields.feed(&mut mac);
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        hex(digest.get(..16).unwrap_or_default())
    }
}

fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from_digit(nibble.into(), 16).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests;
