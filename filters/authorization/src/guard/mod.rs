//! WHAT comes back: the service that forgot `WHERE tenant_id = ?`.
//!
//! ```text
//! body, in chunks ──► unfold ──► records ──► walker ──► what may leave
//!                     gzip,      lines,      one JSON text: owners looked for on the way,
//!                     deflate    events,     each element kept back until its end
//!                                messages of gRPC
//! ```
//!
//! An *element* is what the last `*` of the pointer leads to, or the whole text where there is none; of NDJSON one line,
//! of server-sent events one event, of gRPC what the last `*` leads to, or the message. No byte of it leaves before its
//! owners are known: all that the pointer leads to, so of two equal keys each one. What is in doubt (an owner that is
//! missing, or is neither a string nor a number; no such member on the way to the elements; anything that is not JSON)
//! is refused, whatever is to be done about foreign elements. What is not refused and has no foreign element leaves as
//! it came, byte by byte. How old elements are is asked by one more reader, after those of owners and in the same way.

mod asked;
mod head;
mod hold;
mod location;
mod messages;
mod number;
mod records;
mod rules;
mod text;
mod unfold;
mod walker;

use std::fmt;
use std::sync::Arc;

use partywall_tenancy::{ResponseFormat, TenantId, UnixSeconds};

use crate::retention;
use asked::Asked;
pub use head::{Course, Guarded, Head, weakened};
pub use location::Place;
use messages::Messages;
use records::{Events, Lines};
use rules::{Pointer, Reading};
pub use rules::{RuleError, Rules};
pub use unfold::Coding;
use unfold::Unfold;
use walker::Walker;

/// The body of one response on its way.
#[derive(Debug)]
pub struct Guard {
    /// Where the app compressed it.
    unfold: Option<Unfold>,
    /// One for each place in it where owners stand: what the first lets pass the next one reads.
    readers: Vec<Reader>,
    /// INVARIANT: once refused, always refused; nothing leaves any more.
    refused: Option<Refused>,
    /// Whether any byte came. A body without one says nothing of anybody.
    begun: bool,
}

#[derive(Debug)]
struct Reader {
    body: Body,
    /// Whether it asks for the age of elements, not for their owner.
    asks_age: bool,
    /// What it lets pass, on its way to the next one.
    passed: Vec<u8>,
}

#[derive(Debug)]
enum Body {
    Json(Walker),
    Lines(Lines),
    Events(Events),
    Messages(Messages),
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
    /// Older than their dataset allows: left out or masked.
    pub outlived: u64,
}

/// Why a response is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// An element is another tenant's.
    Foreign,
    /// Where an owner should stand there is none, or something that is no name.
    NoOwner,
    /// An element is older than its dataset allows.
    Outlived,
    /// Where a time should stand there is none.
    NoTime,
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
    /// A guard for one response to a request of `tenant` that begins `now`, by which the age of elements is told.
    pub fn new(rules: &Rules, tenant: TenantId, now: UnixSeconds) -> Self {
        let reader = |body, asks_age| Reader { body, asks_age, passed: Vec::new() };
        let readers = match &rules.0 {
            Reading::Text(format, pointers, young) => {
                let owners = pointers
                    .iter()
                    .map(|pointer| reader(Body::text(*format, pointer.clone(), Asked::Owner(tenant.clone())), false));
                let young = young.iter().map(|young| {
                    let since = Asked::Since(retention::oldest(young.age, now));
                    reader(Body::text(*format, young.pointer.clone(), since), true)
                });
                owners.chain(young).collect()
            }
            Reading::Messages(messages) => {
                vec![reader(Body::Messages(Messages::new(messages.clone(), tenant)), false)]
            }
        };
        Self { unfold: None, readers, refused: None, begun: false }
    }

    /// The same, for a body that comes in this coding. What leaves is in none.
    pub fn unfolding(self, coding: Option<Coding>) -> Self {
        Self { unfold: coding.map(Unfold::new), ..self }
    }

    /// Reads the next bytes of the body, cut anywhere, and adds to `out` what may leave now. What was
    /// added before a refusal may leave as well; nothing is added after one.
    pub fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        self.unless_refused(|guard| {
            let (readers, begun) = (&mut guard.readers, &mut guard.begun);
            let mut read = |piece: &[u8]| {
                *begun |= !piece.is_empty();
                read_by(readers, piece, out)
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
            if guard.begun { finish_by(&mut guard.readers, out) } else { Ok(()) }
        })
    }

    /// What became of the elements so far, by each place where owners stand, and by their age.
    pub fn counts(&self) -> Counts {
        self.readers.iter().map(Reader::counts).fold(Counts::default(), |a, b| Counts {
            own: a.own + b.own,
            dropped: a.dropped + b.dropped,
            masked: a.masked + b.masked,
            reported: a.reported + b.reported,
            outlived: a.outlived + b.outlived,
        })
    }

    /// How many bytes are kept back: never more than `element_cap` for each place where owners or times stand. What unfolds a body
    /// has 43 KiB beside.
    pub fn kept_back(&self) -> usize {
        self.readers.iter().map(|reader| reader.body.kept_back()).sum()
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

/// Hands `piece` to the first reader, what that one lets pass to the next, and what the last one does to `out`.
fn read_by(readers: &mut [Reader], piece: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
    match readers {
        [] => Ok(()),
        [last] => last.body.read(piece, out),
        [first, rest @ ..] => {
            first.passed.clear();
            first.body.read(piece, &mut first.passed)?;
            read_by(rest, &first.passed, out)
        }
    }
}

/// The same at the end of the body.
fn finish_by(readers: &mut [Reader], out: &mut Vec<u8>) -> Result<(), Refused> {
    match readers {
        [] => Ok(()),
        [last] => last.body.finish(out),
        [first, rest @ ..] => {
            first.passed.clear();
            first.body.finish(&mut first.passed)?;
            read_by(rest, &first.passed, out)?;
            finish_by(rest, out)
        }
    }
}

impl Reader {
    fn counts(&self) -> Counts {
        let counts = self.body.counts();
        if self.asks_age {
            return Counts { outlived: counts.dropped + counts.masked, ..Counts::default() };
        }
        counts
    }
}

impl Body {
    fn text(format: ResponseFormat, pointer: Arc<Pointer>, asked: Asked) -> Self {
        match format {
            ResponseFormat::Ndjson => Self::Lines(Lines::new(pointer, asked)),
            ResponseFormat::Sse => Self::Events(Events::new(pointer, asked)),
            // Messages have no pointers; as JSON they would be refused.
            ResponseFormat::Json | ResponseFormat::Grpc => Self::Json(Walker::new(pointer, asked)),
        }
    }

    fn read(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::Json(walker) => walker.read(piece, out),
            Self::Lines(lines) => lines.read(piece, out),
            Self::Events(events) => events.read(piece, out),
            Self::Messages(messages) => messages.read(piece, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::Json(walker) => walker.finish(out),
            Self::Lines(lines) => lines.finish(out),
            Self::Events(events) => events.finish(out),
            Self::Messages(messages) => messages.finish(),
        }
    }

    fn counts(&self) -> Counts {
        match self {
            Self::Json(walker) => walker.counts,
            Self::Lines(lines) => lines.counts(),
            Self::Events(events) => events.counts(),
            Self::Messages(messages) => messages.counts,
        }
    }

    fn kept_back(&self) -> usize {
        match self {
            Self::Json(walker) => walker.kept_back(),
            Self::Lines(lines) => lines.kept_back(),
            Self::Events(events) => events.kept_back(),
            Self::Messages(messages) => messages.kept_back(),
        }
    }
}

impl Refused {
    /// The word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::NoOwner => "no_owner",
            Self::Outlived => "outlived",
            Self::NoTime => "no_time",
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
            Self::Outlived => "the response holds an element that is older than its dataset may be shown",
            Self::NoTime => "the response does not tell how old an element is where the operation says that it does",
            Self::TooLarge => "an element of the response is larger than its cap",
            Self::TooDeep => "the response nests too deeply",
            Self::Invalid(why) => return write!(f, "the response is not in its format: {why}"),
            Self::Cut => "the response ended too early",
        })
    }
}
