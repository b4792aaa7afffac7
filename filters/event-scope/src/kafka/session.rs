//! One connection between a client and a broker, which keeps its tenant in a world of its own: bytes in, bytes out.
//!
//! ```text
//!  client ──► from_client ──► frame ─► rule of its API ─► names mapped, parts denied ──► out: to the broker
//!                                            │ denied whole: ApiVersions stands in for it     │
//!                                            ▼                                                ▼
//!                                     queue of what is outstanding, in order ◄────────────────┘
//!                                            │
//!  client ◄── out ◄── names mapped, others' left out, answers to what was denied ◄── from_broker ◄── broker
//! ```
//!
//! Nothing can be written to a client out of its own direction, so that a denied request is sent on as one that changes
//! nothing, and its response replaced by the answer; the order of responses stays what clients rely on.
//!
//! INVARIANT: no byte goes on that was not understood, in either direction, and none of a request that was not decided.

mod asked;
mod begun;
mod code;
mod fetches;
mod login;
mod parts;
mod peers;
mod pending;
mod plain;
mod regex;
mod request;
mod response;
mod rules;
mod sasl;
mod stand_in;
mod step;
mod told;
mod versions;

use std::error::Error;
use std::fmt;
use std::rc::Rc;

pub use peers::{
    Access, Action, Address, Bound, Decide, Decision, Identity, Ids, Kind, Mapped, Peers, Proof, Ruling, Standing,
    World,
};

pub use step::{Kept, Step};

use crate::kafka::codec::{self, FrameError, Frames, Rest, Scratch, WalkError};
use fetches::Fetches;
use pending::{Queue, What};
use plain::Programs;
use sasl::Exchange;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const OFFSET_FETCH: i16 = 9;
const JOIN_GROUP: i16 = 11;
const SYNC_GROUP: i16 = 14;
const DESCRIBE_GROUPS: i16 = 15;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const ALTER_CONFIGS: i16 = 33;
const SASL_AUTHENTICATE: i16 = 36;
const DESCRIBE_TOPIC_PARTITIONS: i16 = 75;
const SHARE_FETCH: i16 = 78;
const DESCRIBE_SHARE_OFFSETS: i16 = 90;
/// From which version on OffsetFetch lists groups.
const OFFSET_FETCH_GROUPS: i16 = 8;

/// How large things may get.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The largest request, in bytes.
    pub largest_request: usize,
    /// The largest response, in bytes: what a client lets a broker fetch at a time, and more for what stands around it.
    pub largest_response: usize,
    /// What the edits of one frame may take, in bytes.
    pub largest_edits: usize,
    /// The largest answer to what is denied, in bytes, and all of those that wait.
    pub largest_answers: usize,
    /// How many requests may be outstanding.
    pub outstanding: usize,
    /// How many topics one request may name.
    pub topics: usize,
    /// From which size on a frame goes on before it is there as a whole, where it ends with records, in bytes.
    pub large: usize,
    /// Whether records that may be written are looked at for their trace, too: those of which there is something else to
    /// tell always are.
    pub traces: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            largest_request: 100 << 20,
            largest_response: 100 << 20,
            largest_edits: 16 << 20,
            largest_answers: 4 << 20,
            outstanding: 1000,
            topics: 10_000,
            large: 16 << 10,
            traces: false,
        }
    }
}

/// Whether the connection is to be closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Close {
    /// It goes on.
    #[default]
    No,
    /// When the client sends more: what it is told has to reach it first. The session says [`Close::Now`] then.
    Later,
    /// At once. What is in `out` may go on or not.
    Now,
}

impl Close {
    fn max_later(self) -> Self {
        if self == Close::Now { self } else { Close::Later }
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// A frame of a size that is not taken.
    Frame(FrameError),
    /// A frame that was not understood.
    Walk(WalkError),
    /// More requests are outstanding than may be, or their answers are too large.
    TooMany,
    /// A response to no request, or to another one than comes next.
    OutOfOrder,
    /// A message of SASL where none may be, or bytes behind one that is not answered yet.
    Sasl,
    /// What the client showed by SASL makes it no tenant that may go on, or another than the one that it was.
    Disbelieved,
    /// Nobody knows who the client is.
    Nobody,
    /// The tenant is suspended, or another than the one that the connection was.
    Suspended,
    /// The connection had ended before.
    Ended,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Frame(error) => error.fmt(f),
            Trouble::Walk(error) => error.fmt(f),
            Trouble::TooMany => f.write_str("more requests are outstanding than may be"),
            Trouble::OutOfOrder => f.write_str("a response answers no request that comes next"),
            Trouble::Sasl => f.write_str("a message of SASL stands where none may be, or something behind one"),
            Trouble::Disbelieved => {
                f.write_str("what the client showed by SASL makes it no tenant that it may be here")
            }
            Trouble::Nobody => f.write_str("the client did not show who it is"),
            Trouble::Suspended => f.write_str("the tenant is suspended, or another than it was"),
            Trouble::Ended => f.write_str("the connection had ended before"),
        }
    }
}

impl Error for Trouble {}

impl From<WalkError> for Trouble {
    fn from(error: WalkError) -> Self {
        Trouble::Walk(error)
    }
}

impl From<FrameError> for Trouble {
    fn from(error: FrameError) -> Self {
        Trouble::Frame(error)
    }
}

/// A way through a connection.
#[derive(Clone, Copy)]
enum Way {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// A connection.
pub struct Session {
    client: Frames,
    broker: Frames,
    core: Core,
}

/// All but the bytes that make no frame yet.
struct Core {
    options: Options,
    scratch: Scratch,
    /// How plain frames go.
    programs: Programs,
    /// Room for what the next request is decided.
    decided: Vec<Decision>,
    /// Room for a topic's name.
    name: Vec<u8>,
    queue: Queue,
    /// Who it is: proved, or bound to the listener.
    tenant: Option<Rc<str>>,
    /// What that means under the bundle that holds.
    world: Option<Rc<dyn World>>,
    exchange: Exchange,
    fetches: Fetches,
    /// Groups that were joined here, and whether their members tell each other of topics: the latest, and few.
    joined: Vec<(Box<[u8]>, bool)>,
    /// How often bundles have changed.
    generation: u64,
    /// Whether the client was told why it is over.
    last_words: Option<Trouble>,
    /// How often the broker believed what was shown.
    believed: u64,
    ended: bool,
}

impl Session {
    /// One of nobody yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            client: Frames::new(options.largest_request),
            broker: Frames::new(options.largest_response),
            core: Core {
                scratch: Scratch::new(options.largest_edits),
                programs: Programs::default(),
                decided: Vec::new(),
                name: Vec::new(),
                queue: Queue::new(options.outstanding, options.largest_answers),
                tenant: None,
                world: None,
                exchange: Exchange::Idle,
                fetches: Fetches::default(),
                joined: Vec::new(),
                generation: 0,
                last_words: None,
                believed: 0,
                ended: false,
                options,
            },
        }
    }

    /// The certificate of the client, or the listener, says whose the connection is. What SASL proves later has to be
    /// the same.
    pub fn identify(&mut self, tenant: Rc<str>) {
        match &self.core.tenant {
            Some(known) if **known != *tenant => self.core.ended = true,
            Some(_) => {}
            None => self.core.tenant = Some(tenant),
        }
    }

    /// Whose it is, as far as that is proved.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.core.tenant.as_deref()
    }

    /// How often the broker believed what the client showed of itself. It was asked about one proof at a time, so that
    /// this is the one that [`Identity::tenant`] was asked about last.
    #[must_use]
    pub fn believed(&self) -> u64 {
        self.core.believed
    }

    /// Another bundle or overlay holds: the next request is decided by it. Responses to what was asked before are
    /// mapped as it was.
    pub fn stale(&mut self) {
        self.core.world = None;
        self.core.generation = self.core.generation.wrapping_add(1);
        self.core.fetches.forget();
    }

    /// Bytes from the client; what goes to the broker is appended to `step.out`.
    pub fn from_client(&mut self, bytes: &[u8], peers: &Peers<'_>, step: &mut Step) {
        let Self { client, core, .. } = self;
        if let Some(trouble) = core.last_words {
            // More of the client, and the answer is on its way.
            if core.queue.len() == 0 {
                return core.end(step, trouble);
            }
            step.close = step.close.max_later();
            return;
        }
        // Who shows who it is needs little; so does Kafka's own `sasl.server.max.receive.size`.
        let largest = core.options.largest_request;
        let largest = if core.tenant.is_some() { largest } else { largest.min(NOBODYS) };
        client.bound(largest);
        core.run(step, bytes, (client, largest), Way::In, peers);
        // What stands behind a message of SASL was written before its writer could know who it is.
        if core.exchange == Exchange::Waiting && client.is_partial() && !core.ended {
            core.end(step, Trouble::Sasl);
        }
    }

    /// Bytes from the broker; what goes to the client is appended to `step.out`.
    pub fn from_broker(&mut self, bytes: &[u8], peers: &Peers<'_>, step: &mut Step) {
        let Self { broker, core, .. } = self;
        let largest = core.options.largest_response;
        core.run(step, bytes, (broker, largest), Way::Out, peers);
    }

    /// What is yet to come from the client of a request that went on before it was there.
    #[must_use]
    pub fn rest_from_client(&mut self) -> Rest {
        if self.core.ended { Rest::default() } else { *self.client.rest() }
    }

    /// The same of a response from the broker.
    #[must_use]
    pub fn rest_from_broker(&mut self) -> Rest {
        if self.core.ended { Rest::default() } else { *self.broker.rest() }
    }

    /// So many bytes of that have come from the client of which nobody looks at any.
    pub fn pass_from_client(&mut self, size: usize) {
        self.client.rest().pass(size);
    }

    /// The same of bytes from the broker.
    pub fn pass_from_broker(&mut self, size: usize) {
        self.broker.rest().pass(size);
    }

    /// Whether nothing is held of a frame that is not whole yet, from the client or the broker.
    #[must_use]
    pub fn holds_nothing(&self) -> [bool; 2] {
        [&self.client, &self.broker].map(|frames| frames.held() == 0)
    }

    /// How many bytes of memory it holds, for whoever bounds that over all connections.
    #[must_use]
    pub fn held(&self) -> usize {
        let joined: usize = self.core.joined.iter().map(|(name, _)| name.len()).sum();
        self.client.room()
            + self.broker.room()
            + self.core.scratch.held()
            + self.core.queue.held()
            + self.core.name.capacity()
            + joined
    }

    /// How many requests are outstanding, or on their way.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.core.queue.len() + usize::from(self.client.is_open())
    }
}

impl Core {
    /// Takes each whole frame. Those that came in one piece are not copied before. A large one that is not there as a whole
    /// is opened, which may let it go on as far as it is.
    fn run(
        &mut self,
        step: &mut Step,
        bytes: &[u8],
        (frames, largest): (&mut Frames, usize),
        way: Way,
        peers: &Peers<'_>,
    ) {
        if self.ended {
            return self.end(step, Trouble::Ended);
        }
        let mut rest = bytes;
        let outcome = loop {
            if frames.is_open() {
                let size = match frames.rest().take(rest) {
                    Ok(size) => size,
                    Err(problem) => break Err(WalkError { problem, at: 0 }.into()),
                };
                let (piece, behind) = rest.split_at(size);
                step.put(piece);
                rest = behind;
            }
            if frames.held() == 0 {
                // Nearly always: what came were whole frames.
                if rest.is_empty() {
                    break Ok(());
                }
                if let Some((frame, behind)) = whole(rest, largest.min(IN_PLACE)) {
                    rest = behind;
                    frames.passed(frame.len());
                    match self.take(way, frame, peers, step) {
                        Ok(()) => continue,
                        Err(trouble) => break Err(trouble),
                    }
                }
                if let Some(begun) = self.large(codec::begun(rest, largest))
                    && frames.may_look()
                    && let Some(open) = self.open(way, begun, peers, step)
                {
                    frames.opened(open);
                    break Ok(());
                }
                if step.behind > 0 {
                    step.left = rest.len();
                    break Ok(());
                }
            }
            let is_new = frames.held() == 0;
            // No more than the frame at hand needs: those behind it may be whole where they are.
            let (piece, behind) = rest.split_at(frames.missing(rest));
            rest = behind;
            frames.push(piece);
            match frames.next() {
                Ok(None) if rest.is_empty() => {
                    if !is_new
                        && frames.may_look()
                        && let Some(begun) = self.large(frames.begun())
                        && let Some(open) = self.open(way, begun, peers, step)
                    {
                        frames.opened(open);
                    }
                    break Ok(());
                }
                Ok(None) => {}
                Ok(Some(frame)) => {
                    if let Err(trouble) = self.take(way, frame, peers, step) {
                        break Err(trouble);
                    }
                }
                Err(error) => break Err(error.into()),
            }
        };
        if let Err(trouble) = outcome {
            self.end(step, trouble);
        }
    }

    fn take(&mut self, way: Way, frame: &[u8], peers: &Peers<'_>, step: &mut Step) -> Result<(), Trouble> {
        match way {
            Way::In => self.request(frame, peers, step),
            Way::Out => self.response(frame, peers, step),
        }
    }

    fn open(&mut self, way: Way, begun: (&[u8], usize), peers: &Peers<'_>, step: &mut Step) -> Option<Rest> {
        match way {
            Way::In => self.request_begun(begun, peers, step),
            Way::Out => self.response_begun(begun, peers, step),
        }
    }

    /// A frame that is there in part, if it is one to go on so.
    fn large<'f>(&self, begun: Option<(&'f [u8], usize)>) -> Option<(&'f [u8], usize)> {
        begun.filter(|(_, size)| *size >= self.options.large)
    }

    fn end(&mut self, step: &mut Step, trouble: Trouble) {
        self.ended = true;
        step.close = Close::Now;
        step.trouble.get_or_insert(trouble);
    }

    /// Remembers what a request is answered with.
    fn expect(&mut self, correlation: i32, what: What) -> Result<(), Trouble> {
        if self.queue.push(correlation, what) { Ok(()) } else { Err(Trouble::TooMany) }
    }
}

/// The largest request of somebody who did not show yet who it is, in bytes.
const NOBODYS: usize = 512 << 10;
/// The largest frame that is taken out of where it was read: what is larger is checked where frames are.
const IN_PLACE: usize = 1 << 20;

/// The frame that begins here, without its length, if all of it is there, and what is behind it.
fn whole(bytes: &[u8], largest: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let size = usize::try_from(i32::from_be_bytes(*length)).ok().filter(|size| (1..=largest).contains(size))?;
    rest.split_at_checked(size)
}
