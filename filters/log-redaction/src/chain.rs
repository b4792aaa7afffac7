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
//!
//! Where no line tells it, a word in the application log does, and the last one says `end`:
//!
//! ```text
//! v=1 key=orders-1 boot=9f2c… next=43 at=1795507215123 open=12,17-19 mac=…
//! ```

mod event;
mod fields;
mod key;
mod open;
mod pending;
mod pruned;
mod read;
mod seen;
mod verify;
mod word;

use std::collections::VecDeque;

use partywall_tenancy::Secret;

pub use event::{EVENT, Event, OF_EVENT, of_event};
pub use fields::Fields;
use key::{Key, Ratchet, hex};
pub use open::{MAX_RANGES, Ranges};
use pending::Pending;
pub use pruned::Pruned;
pub use read::{Link, LinkError};
pub use seen::{End, Gap, Seen, Why};
pub use verify::{Finding, Known, Verifier};
pub use word::Word;

/// The version of the links that this build writes and reads.
pub const CHAIN_VERSION: u32 = 1;
/// Between two checkpoints in lines, in milliseconds.
const CHECKPOINT_MS: u64 = 1_000;
/// The most numbers that a link says to stand in the place of; of more, the last ones.
const MAX_REPLACED: usize = 32;
/// Without a checkpoint in a line for so long, the application log is to tell one, in milliseconds.
const QUIET_MS: u64 = 2_000;
/// The same where nothing changed and requests are open: a VM that says nothing for long has crashed.
const HEARTBEAT_MS: u64 = 60_000;
/// A word waits for so long: the lines that it knows of must have left Envoy's buffer, which is flushed each 10 s, in
/// milliseconds.
const SETTLE_MS: u64 = 15_000;
/// Checkpoints in lines that are not written yet, at most: of more, the last ones.
const MAX_CARRIED: usize = 64;

/// Gives the links of one VM.
#[derive(Debug)]
pub struct Chain {
    key_id: Box<str>,
    boot: String,
    ratchet: Ratchet,
    pending: Pending,
    /// When the last link with a checkpoint was given.
    checkpoint_at: u64,
    /// Links with a checkpoint whose lines are not written: number and time.
    carried: VecDeque<(u64, u64)>,
    /// Of when what the logs tell is, and whether anything changed since the last word.
    told_at: u64,
    changed: bool,
    /// A word that waits to be told, with its time.
    waiting: Option<(u64, String)>,
}

impl Chain {
    /// A chain that begins. `boot` must be random: two chains with the same would share their keys.
    pub fn new(root: &Secret, boot: [u8; 16]) -> Self {
        let boot = hex(&boot);
        let ratchet = Ratchet::first(root.bytes(), &boot);
        Self {
            key_id: root.id().into(),
            boot,
            ratchet,
            pending: Pending::default(),
            checkpoint_at: 0,
            carried: VecDeque::new(),
            told_at: 0,
            changed: false,
            waiting: None,
        }
    }

    /// By what a root key is known again without keeping it.
    pub fn mark(root: &Secret) -> String {
        Key::derived(root.bytes(), "partywall mark", root.id()).shown()
    }

    /// The number and the link of a decision made at `now` (milliseconds since the Unix epoch), about the request
    /// `trace` (32 hex digits, or empty). `replaces` is the link that this one takes the place of in the line, where
    /// the filter ran before for the same request.
    pub fn link(&mut self, now: u64, trace: &str, replaces: Option<&str>, fields: &Fields<'_>) -> (u64, String) {
        let number = self.ratchet.number();
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
        if number == 0 {
            self.told_at = now;
        }
        // What a link tells that is replaced is in no line.
        let carried = self.carried.len();
        self.carried.retain(|(carrier, _)| !replaced.contains(carrier));
        let is_lost = self.carried.len() < carried;
        if now.saturating_sub(self.checkpoint_at) >= CHECKPOINT_MS || number == 0 || is_lost {
            self.checkpoint_at = now;
            text.push_str(" open=");
            text.push_str(&self.pending.open().to_string());
            if self.carried.len() >= MAX_CARRIED {
                self.carried.pop_front();
            }
            self.carried.push_back((number, now));
        }
        self.pending.insert(number, &replaced);
        self.changed = true;
        let mac = self.ratchet.mac(&text, fields);
        // INVARIANT: a key is used for one line and gone: who reads this memory later cannot write earlier lines.
        self.ratchet.forward();
        text.push_str(" mac=");
        text.push_str(&mac);
        (number, text)
    }

    /// The line of this number was written, or never will be: its request is over.
    pub fn over(&mut self, number: u64) {
        self.pending.over(number);
        self.changed = true;
        if let Some((_, at)) = self.carried.iter().find(|(carrier, _)| *carrier == number).copied() {
            self.told_at = self.told_at.max(at);
            self.carried.retain(|(_, other)| *other > at);
        }
    }

    /// The filter that gave this number is gone at `now`, and its line not written yet: the request may come by once more,
    /// as a retry does, and then has another number, in the place of this one.
    pub fn leave(&mut self, number: u64, now: u64) {
        self.pending.leave(number, now);
    }

    /// What the application log is to tell at `now`, if anything: where no line tells what is open. To be asked often.
    pub fn tick(&mut self, now: u64) -> Option<String> {
        for number in self.pending.settled(now) {
            self.over(number);
        }
        if let Some((at, word)) = self.waiting.take() {
            if self.told_at >= at {
                // A line was written that tells more.
            } else if now.saturating_sub(at) >= SETTLE_MS {
                self.told_at = at;
                return Some(word);
            } else {
                self.waiting = Some((at, word));
                return None;
            }
        }
        let due = match (self.changed, self.pending.open().is_empty()) {
            (true, _) => QUIET_MS,
            (false, false) => HEARTBEAT_MS,
            (false, true) => return None,
        };
        if now.saturating_sub(self.told_at) >= due {
            self.changed = false;
            // INVARIANT: the MAC is made now, so that no key waits.
            self.waiting = Some((now, self.word(now, false)));
        }
        None
    }

    /// The last word: the VM ends. `None` where it decided nothing.
    pub fn end(&mut self, now: u64) -> Option<String> {
        for number in self.pending.settled(u64::MAX) {
            self.over(number);
        }
        (self.ratchet.number() > 0).then(|| self.word(now, true))
    }

    fn word(&self, now: u64, end: bool) -> String {
        let number = self.ratchet.number();
        let mut text = format!(
            "v={CHAIN_VERSION} key={} boot={} next={number} at={now} open={}",
            self.key_id,
            self.boot,
            self.pending.open()
        );
        if end {
            text.push_str(" end=1");
        }
        let mac = self.ratchet.mac(&text, &Fields::default());
        text.push_str(" mac=");
        text.push_str(&mac);
        text
    }
}

#[cfg(test)]
mod tests;
