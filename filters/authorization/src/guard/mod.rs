//! WHAT comes back: the service that forgot `WHERE tenant_id = ?`.
//!
//! ```text
//! body, in chunks ──► unfold ──► records ──► walker ──► what may leave
//!                     gzip,      lines,      one JSON text: owners looked for on the way,
//!                     deflate    events      each element kept back until its end
//! ```
//!
//! An *element* is what the last `*` of the pointer leads to, or the whole text where there is none; of NDJSON one line,
//! of server-sent events one event. No byte of it leaves before its owners are known: all that the pointer leads to, so
//! of two equal keys each one. What is in doubt (an owner that is missing, or is neither a string nor a number; no such
//! member on the way to the elements; anything that is not JSON) is refused, whatever is to be done about foreign elements.
//! What is not refused and has no foreign element leaves as it came, byte by byte.

mod head;
mod hold;
mod number;
mod records;
mod rules;
mod text;
mod unfold;
mod walker;

use std::fmt;
use std::sync::Arc;

use partywall_tenancy::{ResponseFormat, TenantId};

pub use head::{Course, Guarded, Head, weakened};
use records::{Events, Lines};
pub use rules::{RuleError, Rules};
pub use unfold::Coding;
use unfold::Unfold;
use walker::Walker;

/// The body of one response on its way.
#[derive(Debug)]
pub struct Guard {
    /// Where the app compressed it.
    unfold: Option<Unfold>,
    body: Body,
    /// INVARIANT: once refused, always refused; nothing leaves any more.
    refused: Option<Refused>,
    /// Whether any byte came. A body without one says nothing of anybody.
    begun: bool,
}

#[derive(Debug)]
enum Body {
    Json(Walker),
    Lines(Lines),
    Events(Events),
}

/// What became of the elements so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of the tenant itself: passed.
    pub own: u64,
    /// Of another tenant: left out.
    pub dropped: u64,
    /// Of another tenant: `null` in their place.
    pub masked: u64,
    /// Of another tenant, and passed all the same.
    pub reported: u64,
}

/// Why a response is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// An element is another tenant's.
    Foreign,
    /// Where an owner should stand there is none, or something that is no name.
    NoOwner,
    /// An element is larger than `element_cap`.
    TooLarge,
    /// Arrays and objects nest too deeply.
    TooDeep,
    /// The body is not what it is declared to be.
    Invalid(&'static str),
    /// The body ended too early.
    Cut,
}

impl Guard {
    /// A guard for one response to a request of `tenant`.
    pub fn new(rules: Arc<Rules>, tenant: TenantId) -> Self {
        let body = match rules.format {
            ResponseFormat::Json => Body::Json(Walker::new(rules, tenant)),
            ResponseFormat::Ndjson => Body::Lines(Lines::new(rules, tenant)),
            ResponseFormat::Sse => Body::Events(Events::new(rules, tenant)),
        };
        Self { unfold: None, body, refused: None, begun: false }
    }

    /// The same, for a body that comes in this coding. What leaves is in none.
    pub fn unfolding(self, coding: Option<Coding>) -> Self {
        Self { unfold: coding.map(Unfold::new), ..self }
    }

    /// Reads the next bytes of the body, cut anywhere, and adds to `out` what may leave now. What was
    /// added before a refusal may leave as well; nothing is added after one.
    pub fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        self.unless_refused(|guard| {
            let (body, begun) = (&mut guard.body, &mut guard.begun);
            let mut read = |piece: &[u8]| {
                *begun |= !piece.is_empty();
                body.read(piece, out)
            };
            match &mut guard.unfold {
                Some(unfold) => unfold.read(chunk, read),
                None => read(chunk),
            }
        })
    }

    /// The body ended: adds the rest to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        self.unless_refused(|guard| {
            guard.unfold.as_ref().map_or(Ok(()), Unfold::finish)?;
            if guard.begun { guard.body.finish(out) } else { Ok(()) }
        })
    }

    /// What became of the elements so far.
    pub fn counts(&self) -> Counts {
        match &self.body {
            Body::Json(walker) => walker.counts,
            Body::Lines(lines) => lines.counts(),
            Body::Events(events) => events.counts(),
        }
    }

    /// How many bytes are kept back: never more than `element_cap`. What unfolds a body has 43 KiB beside.
    pub fn kept_back(&self) -> usize {
        match &self.body {
            Body::Json(walker) => walker.kept_back(),
            Body::Lines(lines) => lines.kept_back(),
            Body::Events(events) => events.kept_back(),
        }
    }

    fn unless_refused(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Refused>) -> Result<(), Refused> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let outcome = read(self);
        self.refused = outcome.err();
        outcome
    }
}

impl Body {
    fn read(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::Json(walker) => walker.read(piece, out),
            Self::Lines(lines) => lines.read(piece, out),
            Self::Events(events) => events.read(piece, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::Json(walker) => walker.finish(out),
            Self::Lines(lines) => lines.finish(out),
            Self::Events(events) => events.finish(out),
        }
    }
}

impl Refused {
    /// The word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::NoOwner => "no_owner",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::Invalid(_) => "invalid",
            Self::Cut => "cut",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "the response holds an element of another tenant",
            Self::NoOwner => "the response names no owner where the operation says that one stands",
            Self::TooLarge => "an element of the response is larger than its cap",
            Self::TooDeep => "the response nests too deeply",
            Self::Invalid(why) => return write!(f, "the response is not in its format: {why}"),
            Self::Cut => "the response ended too early",
        })
    }
}
