//! Keys of numbers: each made from the one before, which cannot be made from it.
//!
//! Numbers come in blocks, whose keys are a chain of their own, so that a number far ahead costs no hash for each one
//! before it:
//!
//! ```text
//! block 0 ──────────────────────► block 1 ──────────────────────► block 2 …
//!    └► 0 ─► 1 ─► … ─► 4095           └► 4096 ─► …
//! ```

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use partywall_tenancy::keyed;
use sha2::{Digest, Sha256};

use super::Fields;

/// How many numbers are one block.
const BLOCK: u64 = 4096;
/// Keys of numbers that were passed over, at most.
const MAX_PASSED: usize = 8192;

/// A key. Never printed.
#[derive(Clone)]
pub(super) struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The key of a boot for one purpose.
    pub(super) fn derived(root: &[u8], purpose: &str, boot: &str) -> Self {
        let mut mac = keyed(root);
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(boot.as_bytes());
        Self(mac.finalize().into_bytes().into())
    }

    /// For keys that nothing is made with.
    pub(super) fn shown(&self) -> String {
        hex(&self.0)
    }

    fn hashed(&self, purpose: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(purpose);
        hash.update(self.0);
        Self(hash.finalize().into())
    }

    /// The MAC of a text with these fields, 32 hex digits.
    pub(super) fn mac(&self, text: &str, fields: &Fields<'_>) -> String {
        let mut mac: Hmac<Sha256> = keyed(&self.0);
        mac.update(&(text.len() as u64).to_be_bytes());
        mac.update(text.as_bytes());
        fields.feed(&mut mac);
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        hex(digest.get(..16).unwrap_or_default())
    }

    /// Whether this is the MAC, compared in constant time, though whoever verifies holds the keys anyhow.
    pub(super) fn made(&self, text: &str, fields: &Fields<'_>, mac: &str) -> bool {
        let tag = |text: &str| {
            let mut mac = keyed(&self.0);
            mac.update(text.as_bytes());
            mac.finalize()
        };
        tag(&self.mac(text, fields)) == tag(mac)
    }

    fn of_block(root: &[u8], boot: &str) -> Self {
        Self::derived(root, "partywall chain", boot)
    }

    /// From a block's key, that of its first number.
    fn first_line(&self) -> Self {
        self.hashed(b"partywall line\0")
    }

    fn next_block(&self) -> Self {
        self.hashed(b"partywall block\0")
    }

    fn next_line(&self) -> Self {
        self.hashed(b"partywall ratchet\0")
    }
}

/// Makes links: only goes forward.
#[derive(Debug)]
pub(super) struct Ratchet {
    number: u64,
    line: Key,
    /// The key of the block that follows: this one's could make all of its numbers again.
    following: Key,
}

impl Ratchet {
    pub(super) fn first(root: &[u8], boot: &str) -> Self {
        let block = Key::of_block(root, boot);
        Self { number: 0, line: block.first_line(), following: block.next_block() }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn mac(&self, text: &str, fields: &Fields<'_>) -> String {
        self.line.mac(text, fields)
    }

    /// To the next number.
    pub(super) fn forward(&mut self) {
        self.number += 1;
        if self.number.is_multiple_of(BLOCK) {
            self.line = self.following.first_line();
            self.following = self.following.next_block();
        } else {
            self.line = self.line.next_line();
        }
    }
}

/// Makes the key of any number, for who has the root key.
#[derive(Debug)]
pub(super) struct Keys {
    /// By the number of the block.
    blocks: BTreeMap<u64, Key>,
    /// The last number that was asked for.
    at: (u64, Key),
    /// Keys of numbers that were passed over: lines come in the order in which requests end.
    passed: BTreeMap<u64, Key>,
}

impl Keys {
    pub(super) fn new(root: &[u8], boot: &str) -> Self {
        let block = Key::of_block(root, boot);
        let at = (0, block.first_line());
        Self { blocks: [(0, block)].into(), at, passed: BTreeMap::new() }
    }

    pub(super) fn of(&mut self, number: u64) -> Key {
        if let Some(key) = self.passed.remove(&number) {
            return key;
        }
        let ahead = number >= self.at.0 && number / BLOCK == self.at.0 / BLOCK;
        let (mut at, mut key) =
            if ahead { self.at.clone() } else { (number - number % BLOCK, self.block(number / BLOCK).first_line()) };
        while at < number {
            if ahead && at != self.at.0 {
                self.passed.insert(at, key.clone());
            }
            key = key.next_line();
            at += 1;
        }
        while self.passed.len() > MAX_PASSED {
            self.passed.pop_first();
        }
        self.at = (number, key.clone());
        key
    }

    fn block(&mut self, block: u64) -> Key {
        let before = self.blocks.range(..=block).next_back().map(|(at, key)| (*at, key.clone()));
        // The first one is always there.
        let (mut at, mut key) = before.unwrap_or_else(|| (block, self.at.1.clone()));
        while at < block {
            key = key.next_block();
            at += 1;
        }
        self.blocks.insert(block, key.clone());
        key
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from_digit(nibble.into(), 16).unwrap_or_default()).collect()
}
