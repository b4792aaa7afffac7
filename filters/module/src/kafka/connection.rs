//! One connection: bytes out of the host's buffers through a session, and what comes of them back.
//!
//! INVARIANT: nothing stays in a buffer that a session did not write. Where that cannot be done, the connection is over
//! and all that comes is thrown away.

use std::rc::Rc;

use partywall_event_scope::kafka::codec::Rest;
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
/// Of more than so many bytes the first ones are looked at alone at first, in case nothing but records follows.
const LARGE: usize = 32 << 10;
/// How many those are: names and numbers take some hundred.
const BEGIN: usize = 2 << 10;
/// After how many that were read as a whole that is tried again, where it was of no use: what comes next is likely to be the same.
const PATIENCE: u8 = 16;
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
    /// What came from the client and from the broker, as far as it says how what comes is best read.
    habits: [Habit; 2],
}

/// How large frames came last.
#[derive(Clone, Copy, Default)]
struct Habit {
    /// How often none is tried by its first bytes: that was of no use.
    patience: u8,
    /// How large the last one was that went on by them and was changed; 0 where nothing of it was.
    changed: usize,
}

/// A part of what came at once, and what comes of it.
struct Piece {
    /// Where it stands.
    at: usize,
    bytes: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
    step: Step,
    /// Whether it goes on as it is.
    is_unchanged: bool,
}

impl Piece {
    fn end(&self) -> usize {
        self.at.saturating_add(self.taken)
    }
}

fn read(way: Way, at: usize, size: usize) -> Result<Vec<u8>, End> {
    let failed = || End { word: "host", reason: "", detail: "the host did not give what it has".into() };
    host::stream_data(way, at, size).ok_or_else(failed)
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
            habits: [Habit::default(); 2],
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
        if !self.over
            && let Err(end) = self.look(way).and_then(|()| self.next(way, size))
        {
            self.end(&end);
        }
        if self.over {
            host::replace_stream_data(way, size, &[]);
            if !ends {
                host::close_connection();
            }
        }
        Action::Continue
    }

    /// What comes next is looked at. Of much the first bytes are read alone, and where nothing but records comes behind them,
    /// or frames of which nothing changes, the host is not asked for the rest.
    fn next(&mut self, way: Way, size: usize) -> Result<(), End> {
        let mut changed: Vec<Piece> = Vec::new();
        let (mut at, mut is_short) = (0, size > LARGE && self.may_begin(way, size));
        loop {
            at += self.pass(way, size.saturating_sub(at), is_short && changed.is_empty());
            let left = size.saturating_sub(at);
            if left == 0 {
                break;
            }
            let mut piece = self.piece(way, at, if is_short { left.min(BEGIN) } else { left }, left)?;
            at = piece.end();
            let (rest, left) = (self.rest(way), size.saturating_sub(at));
            let habit = self.habit(way);
            if rest.unseen() >= LARGE {
                habit.changed = if piece.is_unchanged { 0 } else { rest.size() };
                // To change what is behind it all before is put back.
                is_short = is_short && (piece.is_unchanged || rest.size() >= left);
            } else if std::mem::take(&mut is_short) && left > LARGE {
                habit.patience = PATIENCE;
            }
            if piece.is_unchanged {
                self.keep_room(&mut piece.step);
            } else if left == 0 && changed.is_empty() {
                return self.put(way, size, std::slice::from_mut(&mut piece));
            } else {
                changed.push(piece);
            }
        }
        self.put(way, size, &mut changed)
    }

    /// Goes by records whose beginning was understood, whatever they are. What is behind them is read apart then, so that is
    /// done where `any` may be gone by, and where that is the end of their frame. By how many of `size` bytes.
    fn pass(&mut self, way: Way, size: usize, any: bool) -> usize {
        let rest = self.rest(way);
        if size > rest.size() && !any {
            return 0;
        }
        let unseen = rest.unseen().min(size);
        match way {
            Way::In => self.session.pass_from_client(unseen),
            Way::Out => self.session.pass_from_broker(unseen),
        }
        unseen
    }

    /// What is yet to come of a frame that went on before it was there.
    fn rest(&mut self, way: Way) -> Rest {
        match way {
            Way::In => self.session.rest_from_client(),
            Way::Out => self.session.rest_from_broker(),
        }
    }

    /// Whether frames may go on by their first bytes: nothing of one is held, and that was of use last. Where they change, that
    /// is where no more than one begins.
    fn may_begin(&mut self, way: Way, size: usize) -> bool {
        let [client, broker] = self.session.holds_nothing();
        let habit = self.habit(way);
        habit.patience = habit.patience.saturating_sub(1);
        let is_worth = habit.patience == 0 && (habit.changed == 0 || size / 2 < habit.changed);
        is_worth && if way == Way::In { client } else { broker }
    }

    fn habit(&mut self, way: Way) -> &mut Habit {
        let [client, broker] = &mut self.habits;
        if way == Way::In { client } else { broker }
    }

    /// The next `size` bytes, and what comes of them.
    fn piece(&mut self, way: Way, at: usize, size: usize, left: usize) -> Result<Piece, End> {
        let bytes = read(way, at, size)?;
        let mut step = Step::over(&bytes);
        step.behind = left.saturating_sub(size);
        self.step(way, &bytes, &mut step)?;
        let taken = size.saturating_sub(step.left);
        let is_unchanged = bytes.get(..taken).is_some_and(|bytes| step.is_unchanged(bytes));
        Ok(Piece { at, bytes, taken, step, is_unchanged })
    }

    fn step(&mut self, way: Way, bytes: &[u8], step: &mut Step) -> Result<(), End> {
        step.decisions = std::mem::take(&mut self.decided);
        step.out = self.client.setup.room.take();
        // Names grow by a prefix, and long runs are not copied.
        step.out.reserve(bytes.len().min(SHORT).saturating_add(ROOM));
        let outcome = self.walk(way, bytes, step);
        step.decisions.clear();
        if step.decisions.capacity() <= DECIDED {
            self.decided = std::mem::take(&mut step.decisions);
        }
        outcome
    }

    /// Puts what became of pieces in their places, and what lies between two of them again. Where something stays behind them,
    /// from behind: the host puts bytes in the place of the first ones that it has, or before or behind all.
    fn put(&self, way: Way, size: usize, pieces: &mut [Piece]) -> Result<(), End> {
        let Some(last) = pieces.last() else { return Ok(()) };
        let mut end = last.end();
        let taken: usize = pieces.iter().map(|piece| piece.taken).sum();
        let all = if taken < end { read(way, 0, last.at)? } else { Vec::new() };
        let (mut runs, mut from) = (Vec::new(), 0);
        for piece in pieces.iter() {
            runs.extend(all.get(from..piece.at).filter(|run| !run.is_empty()));
            piece.step.each_run(&piece.bytes, |run| runs.push(run));
            from = piece.end();
        }
        // The end of what was read stays where it is.
        let stays = last.bytes.get(..last.taken).map(<[u8]>::as_ptr_range);
        if let Some(run) = runs.pop_if(|run| stays.as_ref().is_some_and(|stays| run.as_ptr_range().end == stays.end)) {
            end = end.saturating_sub(run.len());
        }
        let stays = end < size;
        if stays {
            runs.reverse();
        }
        let mut runs = runs.into_iter();
        host::replace_stream_data(way, end, runs.next().unwrap_or_default());
        for run in runs {
            match stays {
                true => host::replace_stream_data(way, 0, run),
                false => host::append_stream_data(way, run),
            }
        }
        pieces.iter_mut().for_each(|piece| self.keep_room(&mut piece.step));
        Ok(())
    }

    fn keep_room(&self, step: &mut Step) {
        step.out.clear();
        if step.out.capacity() <= KEPT {
            self.client.setup.room.set(std::mem::take(&mut step.out));
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
