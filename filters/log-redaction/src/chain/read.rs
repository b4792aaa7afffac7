//! A link, read from a line.

use std::fmt;

use super::{CHAIN_VERSION, MAX_RANGES, MAX_REPLACED, Ranges};

/// What a link says; nothing of it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// All that its MAC covers of it.
    pub(super) text: &'a str,
    /// The id of the root key.
    pub key: &'a str,
    /// The VM.
    pub boot: &'a str,
    /// The number of the decision.
    pub number: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub at: u64,
    /// The trace id of the request; empty where it had none.
    pub trace: &'a str,
    /// The numbers that it stands in the place of.
    pub was: Vec<u64>,
    /// The numbers below its own whose requests were still open, where it is a checkpoint.
    pub open: Option<Ranges>,
    pub(super) mac: &'a str,
}

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// It is of another version.
    Version,
    /// It does not read as links do.
    Malformed,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "is of a version that this build does not read",
            Self::Malformed => "does not read as `v=1 key=… boot=… n=… at=… mac=…`",
        })
    }
}

impl<'a> Link<'a> {
    /// Reads the field `chain`. Members stand in one order, each once.
    pub fn parse(text: &'a str) -> Result<Self, LinkError> {
        let mut members = Members::read(text)?;
        Self::of(&mut members).filter(|_| members.done()).ok_or(LinkError::Malformed)
    }

    fn of(members: &mut Members<'a>) -> Option<Self> {
        let (number, at) = (number(members.member("n")?)?, number(members.member("at")?)?);
        let trace = members.member("trace").unwrap_or_default();
        let was = match members.member("was") {
            Some(list) => list.split(',').map(self::number).collect::<Option<Vec<_>>>()?,
            None => Vec::new(),
        };
        let open = match members.member("open") {
            Some(open) => Some(Ranges::parse(open, MAX_RANGES)?),
            None => None,
        };
        let Members { text, key, boot, mac, .. } = *members;
        (was.len() <= MAX_REPLACED).then_some(Self { text, key, boot, number, at, trace, was, open, mac })
    }
}

/// The members of a link, a word or a statement; what is common to them was read.
pub(super) struct Members<'a> {
    pub(super) text: &'a str,
    pub(super) key: &'a str,
    pub(super) boot: &'a str,
    pub(super) mac: &'a str,
    rest: std::iter::Peekable<std::str::Split<'a, char>>,
}

impl<'a> Members<'a> {
    pub(super) fn read(whole: &'a str) -> Result<Self, LinkError> {
        let rest = whole.strip_prefix("v=").ok_or(LinkError::Malformed)?;
        let (version, _) = rest.split_once(' ').ok_or(LinkError::Malformed)?;
        if version != CHAIN_VERSION.to_string() {
            return Err(LinkError::Version);
        }
        Self::common(whole).ok_or(LinkError::Malformed)
    }

    fn common(whole: &'a str) -> Option<Self> {
        let (text, mac) = whole.rsplit_once(" mac=")?;
        let mut rest = text.split(' ').peekable();
        rest.next();
        let mut members = Self { text, key: "", boot: "", mac, rest };
        members.key = members.member("key")?;
        members.boot = members.member("boot")?;
        (is_hex(members.boot, 32) && is_hex(mac, 32)).then_some(members)
    }

    /// The next member, if it has this name.
    pub(super) fn member(&mut self, name: &str) -> Option<&'a str> {
        let value = self.rest.peek()?.strip_prefix(name)?.strip_prefix('=')?;
        self.rest.next();
        Some(value)
    }

    pub(super) fn done(&mut self) -> bool {
        self.rest.next().is_none()
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A number in decimal digits, and no other spelling.
pub(super) fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
