//! What the application log tells where no line does.

use super::read::{LinkError, Members, number};
use super::{MAX_RANGES, Ranges};

/// What a word says; nothing of it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    pub(super) text: &'a str,
    /// The id of the root key.
    pub key: &'a str,
    /// The VM.
    pub boot: &'a str,
    /// The number that comes next.
    pub next: u64,
    /// Of when it is, in milliseconds since the Unix epoch. It is told a while later.
    pub at: u64,
    /// The numbers whose requests were still open.
    pub open: Ranges,
    /// Whether the VM ended with it.
    pub end: bool,
    pub(super) mac: &'a str,
}

impl<'a> Word<'a> {
    /// Reads it. Members stand in one order, each once.
    pub fn parse(text: &'a str) -> Result<Self, LinkError> {
        let mut members = Members::read(text)?;
        Self::of(&mut members).filter(|_| members.done()).ok_or(LinkError::Malformed)
    }

    fn of(members: &mut Members<'a>) -> Option<Self> {
        let (next, at) = (number(members.member("next")?)?, number(members.member("at")?)?);
        let open = Ranges::parse(members.member("open")?, MAX_RANGES)?;
        let end = match members.member("end") {
            None => false,
            Some("1") => true,
            Some(_) => return None,
        };
        let Members { text, key, boot, mac, .. } = *members;
        Some(Self { text, key, boot, next, at, open, end, mac })
    }
}
