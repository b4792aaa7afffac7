//! What a bundle server does wrong, by mistake or malice, as files: `cases/bundles/*.yaml`.
//!
//! ```yaml
//! about: what the file is about
//! cases:
//!   - name: what this one does
//!     of: bundle                # or overlay: the file that is answered so
//!     answer:                   # one of these
//!       zeros: { bytes: 1073741824, framing: length }   # or chunked, or close: the end of the connection ends it
//!       cut: { percent: 50, framing: length }           # the good file, and then the connection is closed
//!       slow: { each_ms: 500, part: body }              # the good file, a byte at a time; or headers
//!       silence: null                                   # the connection is open, and nothing comes
//!       text: "no statement"
//!       status: 500
//!       statement:                                      # a newer one, right but for what is said here
//!         by: bundle-1          # the key; `stranger` is one that nobody knows
//!         id: bundle-1          # what the key calls itself; its name where this line is left out
//!         number: 1             # counted from the one in force
//!         issued: 0             # seconds from now
//!         expires: 86400        # seconds after its issue; 120 for an overlay
//!         body: { program: { nest: 100000 } }           # see Body; as the good one where this line is left out
//!     memory: 64                # MiB by which Envoy may grow meanwhile; 64 where this line is left out
//!     attempts: 3               # so often it is asked for, and told once; else once, and an overlay, which takes less
//!                               # time, twice
//!     then: { refused: garbage, told: "no magic number" }   # or { unfetched: "no answer" }, or in_force
//! ```

use anyhow::Result;
use serde::Deserialize;

use crate::statement::{Statement, varint};

/// One thing that a server does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it does.
    pub name: String,
    /// The file that is answered so; everything else is answered well.
    pub of: What,
    /// The answer.
    pub answer: Answer,
    /// MiB by which Envoy may grow meanwhile.
    #[serde(default = "memory")]
    pub memory: u64,
    /// How often it must be asked for, to be told once.
    pub attempts: Option<u32>,
    /// What must come of it. The one in force stays, but for [`Then::InForce`].
    pub then: Then,
}

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The bundle of the edge.
    Bundle,
    /// The overlay.
    Overlay,
}

/// How a server says where its answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// By `content-length`.
    Length,
    /// By chunks.
    Chunked,
    /// By closing the connection.
    Close,
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Status line and headers.
    Headers,
    /// What follows.
    Body,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// So many zeros.
    Zeros {
        /// How many.
        bytes: u64,
        /// How they end.
        framing: Framing,
    },
    /// The good file, cut.
    Cut {
        /// How much of it comes.
        percent: usize,
        /// How it would have ended.
        framing: Framing,
    },
    /// The good file, a byte at a time.
    Slow {
        /// Milliseconds between two bytes.
        each_ms: u64,
        /// What is slow; all before it comes at once.
        part: Part,
    },
    /// Nothing.
    Silence,
    /// This, with status 200.
    Text(String),
    /// Nothing but a status.
    Status(u16),
    /// A statement made by hand.
    Statement(Made),
    /// These bytes: what a test made of one of the others.
    #[serde(skip)]
    Bytes(Vec<u8>),
}

/// A statement that is newer than the one in force, and right but for what is said here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The key that signs it.
    pub by: String,
    /// What that key calls itself.
    pub id: Option<String>,
    /// Its revision or sequence, counted from the one in force.
    #[serde(default = "next")]
    pub number: i64,
    /// When it was issued, in seconds from now.
    #[serde(default)]
    pub issued: i64,
    /// How many seconds it lives.
    pub expires: Option<u64>,
    /// What is wrong with its body.
    #[serde(default)]
    pub body: Body,
}

/// What is wrong with a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Nothing.
    #[default]
    Good,
    /// There is none.
    Empty,
    /// It ends after so much.
    Cut(usize),
    /// It says to be in this format.
    Format(u64),
    /// Behind its head it says that 2^64 - 1 things follow.
    Promises,
    /// Another decision program is in it.
    Program(Program),
}

/// A decision program that nobody compiled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// `!!!…principal`, so deep.
    Nest(u64),
    /// Each expression compares the one before with itself, so often: small to read, and 2^n steps to evaluate.
    Doubled(u64),
    /// An expression that is its own operand.
    Itself,
    /// It says that it has 2^32 - 1 texts.
    Promises,
    /// So many expressions.
    Nodes(u64),
    /// No program.
    Text(String),
}

/// What must come of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It comes into force: what shows that the bad ones are bad for one reason alone.
    InForce,
    /// It is refused.
    #[serde(untagged)]
    Refused {
        /// The label of the metric.
        refused: String,
        /// Words of the log line.
        #[serde(default)]
        told: String,
    },
    /// It does not arrive.
    #[serde(untagged)]
    Unfetched {
        /// Words of the log line.
        unfetched: String,
    },
}

impl What {
    /// Its word in metrics and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Overlay => "overlay",
        }
    }

    /// Where it is asked for.
    pub fn path(self) -> &'static str {
        match self {
            Self::Bundle => "/tenancy.edge.bundle",
            Self::Overlay => "/tenancy.overlay",
        }
    }

    /// How often an answer is asked for unless a case says it.
    pub fn attempts(self) -> u32 {
        match self {
            Self::Bundle => 1,
            Self::Overlay => 2,
        }
    }

    fn life(self) -> u64 {
        match self {
            Self::Bundle => 86_400,
            Self::Overlay => 120,
        }
    }
}

impl Made {
    /// The body, made from the good statement that is in force; `now` is in Unix seconds.
    pub fn body(&self, of: What, in_force: &[u8], now: u64) -> Result<Vec<u8>> {
        let mut it = Statement::read(in_force)?;
        it.number = it.number.saturating_add_signed(self.number);
        it.issued = now.saturating_add_signed(self.issued);
        it.expires = it.issued + self.expires.unwrap_or(of.life());
        Ok(match &self.body {
            Body::Good => it.body(),
            Body::Empty => Vec::new(),
            Body::Cut(percent) => cut(&it.body(), *percent).to_vec(),
            Body::Format(format) => Statement { format: *format, ..it }.body(),
            Body::Promises => Statement { rest: varint(u64::MAX), ..it }.body(),
            Body::Program(program) => it.with_program(&program.bytes())?.body(),
        })
    }
}

/// The first so many hundredths.
pub fn cut(bytes: &[u8], percent: usize) -> &[u8] {
    &bytes[..bytes.len() * percent.min(100) / 100]
}

impl Program {
    /// As it stands in a bundle: a format, lists of texts, entities, values, patterns and list items, all empty, then
    /// expressions, then policies and actions.
    fn bytes(&self) -> Vec<u8> {
        const NOT: [u8; 2] = [5, 0];
        const EQUAL: [u8; 2] = [6, 0];
        const PRINCIPAL: [u8; 2] = [1, 0];
        let with = |nodes: Vec<Vec<u8>>| {
            let count = varint(nodes.len() as u64);
            // One policy `a`, which permits where the last expression holds, and no action.
            let last = varint(nodes.len() as u64 - 1);
            let policy = [&[1, 1, b'a', 1, 0, 0, 0, 0, 1][..], &last].concat();
            [&[2, 0, 0, 0, 0, 0], &count[..], &nodes.concat(), &policy, &[0]].concat()
        };
        let chain = |count: u64, next: &dyn Fn(u64) -> Vec<u8>| {
            with(std::iter::once(PRINCIPAL.to_vec()).chain((0..count).map(next)).collect())
        };
        match self {
            Self::Nest(depth) => chain(*depth, &|before| [&NOT[..], &varint(before)].concat()),
            Self::Doubled(times) => chain(*times, &|before| [&EQUAL[..], &varint(before), &varint(before)].concat()),
            Self::Itself => with(vec![[&NOT[..], &[0]].concat()]),
            Self::Promises => [&[2][..], &varint(u64::from(u32::MAX))].concat(),
            Self::Nodes(count) => chain(*count, &|_| PRINCIPAL.to_vec()),
            Self::Text(text) => text.clone().into_bytes(),
        }
    }
}

fn memory() -> u64 {
    64
}

fn next() -> i64 {
    1
}
