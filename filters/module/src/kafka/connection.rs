//! One connection: bytes out of the host's buffers through a session, and what comes of them back.
//!
//! INVARIANT: nothing stays in a buffer that a session did not write. Where that cannot be done, the connection is over
//! and all that comes is thrown away.

use std::rc::Rc;

use partywall_event_scope::kafka::session::{Close, Decision, Peers, Session, Step, Trouble};
use partywall_tenancy::Reason;
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::Action;

use super::client::Client;
use super::told::Lines;
use super::{Setup, shared};
use crate::host::{self, Way};

/// What a connection takes besides what its session holds, in bytes: idle ones count, too.
const BASE: usize = 4096;
/// For how many decisions room is kept; it counts as `BASE`.
const DECIDED: usize = 32;
/// How much longer than what came what goes on may be at first, in bytes.
const ROOM: usize = 128;
/// For how many bytes there is room at once; of more, most are in long runs.
const SHORT: usize = 16 << 10;
/// How much of that room is kept for what comes next, in bytes: one for all connections of a plugin.
const KEPT: usize = 64 << 10;

/// The proxy-wasm context of a connection.
pub(crate) struct Connection {
    session: Session,
    client: Client,
    /// Nothing of it goes on any more.
    over: bool,
    /// How often the broker had believed the client.
    believed: u64,
    /// How much memory is counted, and whose.
    held: (Rc<str>, usize),
    denied: u64,
    /// Whether it was told whose it is.
    is_told: bool,
    /// Whether it was told why it ends.
    is_end_told: bool,
    lines: Lines,
    /// Room for what is decided next.
    decided: Vec<Decision>,
}

/// Why a connection ends: a word for the metric, the reason and what more there is to say.
struct End {
    word: &'static str,
    reason: &'static str,
    detail: String,
}

impl Connection {
    pub(crate) fn new(setup: Rc<Setup>) -> Self {
        let session = Session::new(setup.options());
        Self {
            session,
            client: Client::new(setup),
            over: false,
            believed: 0,
            held: (Rc::default(), 0),
            denied: 0,
            is_told: false,
            is_end_told: false,
            lines: Lines::default(),
            decided: Vec::new(),
        }
    }

    /// Data of one way. `ends`: the peer sends no more.
    ///
    /// INVARIANT: the connection is not closed where the stream ends: the host would take this context away first and
    /// call it then. What is left is thrown away, and the end goes on by itself.
    fn data(&mut self, way: Way, size: usize, ends: bool) -> Action {
        if size == 0 {
            return Action::Continue;
        }
        if !self.over {
            match self.look(way) {
                // The host is not even asked for it.
                Ok(()) if self.passes(way, size) => return Action::Continue,
                Ok(()) => self.next(way, size),
                Err(end) => self.end(&end),
            }
        }
        if self.over {
            host::replace_stream_data(way, size, &[]);
            if !ends {
                host::close_connection();
            }
        }
        Action::Continue
    }

    /// Whether so many bytes go on whatever they are: records whose beginning was understood.
    fn passes(&mut self, way: Way, size: usize) -> bool {
        match way {
            Way::In => self.session.passes_from_client(size),
            Way::Out => self.session.passes_from_broker(size),
        }
    }

    /// What comes next, which is looked at.
    fn next(&mut self, way: Way, size: usize) {
        let Some(bytes) = host::stream_data(way, size) else {
            let detail = "the host did not give what it has".into();
            return self.end(&End { word: "host", reason: "", detail });
        };
        let mut step = Step::over(&bytes);
        step.decisions = std::mem::take(&mut self.decided);
        step.out = self.client.setup.room.take();
        // Names grow by a prefix, and long runs are not copied.
        step.out.reserve(size.min(SHORT).saturating_add(ROOM));
        match self.walk(way, &bytes, &mut step) {
            // Some of what clients and brokers say goes on as it is, and is not copied back.
            Ok(()) if step.is_unchanged(&bytes) => {}
            Ok(()) => {
                let mut length = 0;
                step.each_run(&bytes, |run| {
                    match length {
                        0 => host::replace_stream_data(way, size, run),
                        _ => host::append_stream_data(way, length, run),
                    }
                    length = length.saturating_add(run.len());
                });
                if length == 0 {
                    host::replace_stream_data(way, size, &[]);
                }
            }
            Err(end) => self.end(&end),
        }
        step.out.clear();
        if step.out.capacity() <= KEPT {
            self.client.setup.room.set(step.out);
        }
        step.decisions.clear();
        if step.decisions.capacity() <= DECIDED {
            self.decided = step.decisions;
        }
    }

    fn walk(&mut self, way: Way, bytes: &[u8], step: &mut Step) -> Result<(), End> {
        let peers = Peers { identity: &self.client, decide: &self.client, ids: &self.client.setup.ids };
        match way {
            Way::In => self.session.from_client(bytes, &peers, step),
            Way::Out => self.session.from_broker(bytes, &peers, step),
        }
        let Client { setup, acting, under, .. } = &self.client;
        setup.told.decided(&self.client, &step.decisions, &self.lines, &mut self.denied);
        if let (true, Some(teller), Some(acting), Some(under)) = (step.fetched, &setup.teller, acting, under) {
            teller.tell(&acting.context.tenant, under.now);
        }
        if self.session.believed() != self.believed {
            self.believed = self.session.believed();
            self.client.believe();
            self.settle()?;
        }
        match step.close {
            Close::Now => return Err(self.trouble(step.trouble)),
            // The client is told by an error, and may end the connection by itself then.
            Close::Later if step.trouble.is_some() => {
                let end = self.trouble(step.trouble);
                self.tell(&end);
            }
            Close::Later | Close::No => {}
        }
        if self.hold() {
            return Ok(());
        }
        Err(End { word: "memory", reason: "", detail: "its tenant, or all connections, hold too much memory".into() })
    }

    /// Looks at what holds now, and whether the client may go on under it.
    fn look(&mut self, way: Way) -> Result<(), End> {
        let begins = self.client.under.is_none();
        let changed = self.client.look().map_err(End::of)?;
        if begins {
            self.client.read_certificate();
        }
        if changed {
            self.session.stale();
            self.settle()?;
        }
        if way == Way::In && self.client.is_expired() {
            return Err(End::of(Reason::CredentialExpired));
        }
        Ok(())
    }

    /// Finds out for whom the client acts, after it showed more or something else holds.
    ///
    /// Who may not go on is told so with its next request, where nothing is outstanding. Else the connection ends at
    /// once: what the broker answers now may be of after it was suspended.
    fn settle(&mut self) -> Result<(), End> {
        let settled = self.client.settle();
        if let (None, Some(named)) = (self.session.tenant(), &self.client.named) {
            // Also where it may not act: it is told so then, by an error that clients understand.
            self.session.identify(named.as_str().into());
        }
        if let Err(reason) = settled {
            return self.turn_away(reason);
        }
        let Some(acting) = &self.client.acting else {
            return if self.session.tenant().is_none() { Ok(()) } else { self.turn_away(Reason::TenantMissing) };
        };
        if self.session.tenant() != Some(acting.context.tenant.as_str()) {
            // A workload that the new bundle gives to another tenant, say: one connection is one tenant.
            self.client.acting = None;
            return self.turn_away(Reason::TenantConflict);
        }
        self.client.setup.told.acts(&self.client, !std::mem::replace(&mut self.is_told, true));
        Ok(())
    }

    fn turn_away(&mut self, reason: Reason) -> Result<(), End> {
        self.client.reason.set(Some(reason));
        if self.session.tenant().is_some() && self.session.outstanding() == 0 { Ok(()) } else { Err(End::of(reason)) }
    }

    fn trouble(&self, trouble: Option<Trouble>) -> End {
        let trouble = trouble.unwrap_or(Trouble::Ended);
        let word = match trouble {
            Trouble::Frame(_) => "frame",
            Trouble::Walk(_) => "malformed",
            Trouble::TooMany => "too_many",
            Trouble::OutOfOrder => "out_of_order",
            Trouble::Sasl | Trouble::Disbelieved => "sasl",
            Trouble::Nobody => "nobody",
            Trouble::Suspended => "turned_away",
            _ => "ended",
        };
        let reason = match (trouble, self.client.reason.get()) {
            (Trouble::Nobody, None) => Reason::TenantMissing.code(),
            (Trouble::Nobody | Trouble::Disbelieved | Trouble::Suspended, Some(reason)) => reason.code(),
            _ => "",
        };
        End { word, reason, detail: trouble.to_string() }
    }

    fn end(&mut self, end: &End) {
        self.over = true;
        self.tell(end);
        // What it stashed is of no use any more.
        self.session = Session::new(self.client.setup.options());
        self.hold();
    }

    /// Says once why it ends.
    fn tell(&mut self, end: &End) {
        if !std::mem::replace(&mut self.is_end_told, true) {
            self.client.setup.told.ended(&self.client, end.word, end.reason, &end.detail, &self.lines);
        }
    }

    /// Counts the memory that it holds now. Whether it may.
    fn hold(&mut self) -> bool {
        let now = if self.over {
            BASE
        } else {
            BASE.saturating_add(self.session.held()).saturating_add(self.client.verdicts.held())
        };
        let (whose, before) = &mut self.held;
        let tenant = self.session.tenant().unwrap_or_default();
        if **whose != *tenant && !self.over {
            let _ = shared::hold(whose, *before, 0);
            (*whose, *before) = (tenant.into(), 0);
        }
        if now == *before {
            return true;
        }
        let may = shared::hold(whose, *before, now);
        *before = now;
        may
    }
}

impl End {
    fn of(reason: Reason) -> Self {
        Self { word: "turned_away", reason: reason.code(), detail: String::new() }
    }
}

impl Context for Connection {}

impl StreamContext for Connection {
    fn on_downstream_data(&mut self, size: usize, ends: bool) -> Action {
        self.data(Way::In, size, ends)
    }

    fn on_upstream_data(&mut self, size: usize, ends: bool) -> Action {
        self.data(Way::Out, size, ends)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (whose, held) = &self.held;
        let _ = shared::hold(whose, *held, 0);
    }
}
