//! Lines that were taken out of a log on purpose, told by who holds the root key.
//!
//! ```text
//! v=1 key=orders-1 boot=9f2c… pruned=0-41,43-97 next=98 at=1795507200123 open= end=1 mac=…
//! ```

use std::fmt::Write;

use super::key::Key;
use super::read::{LinkError, Members, number};
use super::{CHAIN_VERSION, Fields, Ranges};

/// The most ranges of one statement.
const MAX_PRUNED: usize = 4096;

/// What such a statement says; nothing of it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned<'a> {
    pub(super) text: &'a str,
    /// The id of the root key.
    pub key: &'a str,
    /// The VM.
    pub boot: &'a str,
    /// The numbers whose lines were taken out.
    pub pruned: Ranges,
    /// The number that came next by what the log told before,
    pub next: u64,
    /// when that was, in milliseconds since the Unix epoch,
    pub at: u64,
    /// the numbers whose requests were open then,
    pub open: Ranges,
    /// and whether the VM had ended.
    pub end: bool,
    pub(super) mac: &'a str,
}

impl<'a> Pruned<'a> {
    /// Reads it. Members stand in one order, each once.
    pub fn parse(text: &'a str) -> Result<Self, LinkError> {
        let mut members = Members::read(text)?;
        Self::of(&mut members).filter(|_| members.done()).ok_or(LinkError::Malformed)
    }

    fn of(members: &mut Members<'a>) -> Option<Self> {
        let pruned = Ranges::parse(members.member("pruned")?, MAX_PRUNED)?;
        let (next, at) = (number(members.member("next")?)?, number(members.member("at")?)?);
        let open = Ranges::parse(members.member("open")?, MAX_PRUNED)?;
        let end = members.member("end").is_some();
        let Members { text, key, boot, mac, .. } = *members;
        Some(Self { text, key, boot, pruned, next, at, open, end, mac })
    }
}

/// The key for statements of one boot.
pub(super) fn key(root: &[u8], boot: &str) -> Key {
    Key::derived(root, "partywall prune", boot)
}

/// What the log told last of a boot.
pub(super) struct Last<'l> {
    pub(super) next: u64,
    pub(super) at: u64,
    pub(super) open: &'l Ranges,
    pub(super) end: bool,
}

/// Statements about all of `pruned`: several where one would be a line too long.
pub(super) fn write(key: &Key, (key_id, boot): (&str, &str), pruned: &Ranges, last: &Last<'_>) -> Vec<String> {
    let ranges: Vec<(u64, u64)> = pruned.iter().collect();
    let list = |ranges: &[(u64, u64)]| {
        let mut text = String::new();
        for (first, last) in ranges {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = match first == last {
                true => write!(text, "{comma}{first}"),
                false => write!(text, "{comma}{first}-{last}"),
            };
        }
        text
    };
    let statement = |part: &[(u64, u64)]| {
        let (next, at, open) = (last.next, last.at, last.open);
        let end = if last.end { " end=1" } else { "" };
        let text = format!(
            "v={CHAIN_VERSION} key={key_id} boot={boot} pruned={} next={next} at={at} open={open}{end}",
            list(part)
        );
        let mac = key.mac(&text, &Fields::default());
        format!("{text} mac={mac}")
    };
    ranges.chunks(MAX_PRUNED).map(statement).collect()
}
