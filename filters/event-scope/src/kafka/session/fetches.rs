//! What a connection has of fetch sessions, and which ids of topics nobody could tell it.

use super::peers::Ids;
use super::request::IDS;

/// How many fetch sessions one connection may have at a time. Clients have one.
const SESSIONS: usize = 16;
/// After how many requests an id is asked for again that no topic had.
const PATIENCE: u8 = 32;

/// INVARIANT: a session is known only where this connection got it, from requests whose topics were all decided, and
/// under the bundle that holds.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    sessions: Vec<i64>,
    unknown: Vec<[u8; 16]>,
    patience: u8,
}

/// What a fetch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetch {
    /// It says all that it wants, and goes on as it is.
    Full,
    /// It says all that it wants, and ends a session of another connection, which is left out.
    Fresh,
    /// It says what changed in a session of this connection.
    Incremental,
    /// It is of a session that this connection does not have.
    Lost,
}

impl Fetches {
    /// A fetch with this id and epoch of a session.
    pub(super) fn judge(&mut self, session: i64, epoch: i64, ids: &dyn Ids) -> Fetch {
        let known = session == 0 || self.sessions.contains(&session);
        match (epoch, known) {
            (..=0, known) => {
                self.settle(ids);
                // The broker ends it, and may give another one.
                self.lost(session);
                if known { Fetch::Full } else { Fetch::Fresh }
            }
            (_, false) => Fetch::Lost,
            // What was left out of the session may be in it by now: the client has to say it again.
            (_, true) if self.is_overtaken(ids) => Fetch::Lost,
            (_, true) => Fetch::Incremental,
        }
    }

    /// Forgets the ids that are known by now; whether there were any.
    fn settle(&mut self, ids: &dyn Ids) -> bool {
        let (before, mut name) = (self.unknown.len(), Vec::new());
        self.unknown.retain(|id| !ids.name(id, &mut name));
        self.unknown.len() < before
    }

    /// Whether an id that was not known is, or may be.
    fn is_overtaken(&mut self, ids: &dyn Ids) -> bool {
        if self.unknown.is_empty() {
            return false;
        }
        self.patience = self.patience.saturating_sub(1);
        let overtaken = self.settle(ids) || self.patience == 0;
        if self.patience == 0 {
            self.unknown.clear();
        }
        overtaken
    }

    /// A broker gave this session to this connection.
    pub(super) fn got(&mut self, session: i64) {
        if session == 0 || self.sessions.contains(&session) {
            return;
        }
        if self.sessions.len() >= SESSIONS {
            self.sessions.remove(0);
        }
        self.sessions.push(session);
    }

    /// A session is over. A broker may give its number to another connection.
    pub(super) fn lost(&mut self, session: i64) {
        self.sessions.retain(|known| *known != session);
    }

    /// Those of `missing` that are worth asking for: not those that were asked for just now. From here on they were.
    pub(super) fn ask(&mut self, missing: Vec<[u8; 16]>) -> Vec<[u8; 16]> {
        if missing.is_empty() {
            return missing;
        }
        if !self.unknown.is_empty() {
            self.patience = self.patience.saturating_sub(1);
        }
        if self.patience == 0 {
            self.unknown.clear();
        }
        let new: Vec<_> = missing.into_iter().filter(|id| !self.unknown.contains(id)).collect();
        if !new.is_empty() {
            if self.unknown.len() + new.len() > IDS {
                self.unknown.clear();
            }
            self.unknown.extend(&new);
            self.patience = PATIENCE;
        }
        new
    }

    /// Another bundle or overlay holds: what was decided is decided anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
