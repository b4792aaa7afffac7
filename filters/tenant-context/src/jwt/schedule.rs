//! When a key set is asked for.

use partywall_tenancy::UnixSeconds;

/// Seconds after which a good set is fetched again.
const REFRESH: UnixSeconds = 300;
/// Up to this much earlier, so that sidecars that started together do not ask together.
const JITTER: UnixSeconds = 60;
/// Seconds between two fetches that an unknown `kid` asks for.
const UNKNOWN_EACH: UnixSeconds = 30;
/// Seconds until an answer that did not come is given up.
const ANSWER_WITHIN: UnixSeconds = 10;
/// Seconds of the longest back-off.
const MAX_BACK_OFF: UnixSeconds = 300;

/// When one key set may be asked for next. A plain value, so that the workers of a process can share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Nobody asks before this.
    not_before: UnixSeconds,
    /// It is due for its refresh from here on.
    due: UnixSeconds,
    /// No unknown `kid` makes anybody ask before this.
    unknown_not_before: UnixSeconds,
    /// Failures since the last success.
    failures: u8,
}

impl Schedule {
    /// Its size in shared data.
    const BYTES: usize = 25;

    /// Whether to ask now; `unknown` says that a `kid` was looked for in vain.
    pub(super) fn is_due(&self, unknown: bool, now: UnixSeconds) -> bool {
        now >= self.not_before && (now >= self.due || (unknown && now >= self.unknown_not_before))
    }

    /// Since when it is due.
    pub(super) fn due_since(&self) -> UnixSeconds {
        self.due
    }

    /// As it is, but due for its refresh.
    pub(super) fn due_at_once(self) -> Self {
        Self { due: 0, ..self }
    }

    /// It is asked for now. Gives the time at which an answer is given up.
    pub(super) fn asked(&mut self, now: UnixSeconds) -> UnixSeconds {
        self.not_before = now.saturating_add(ANSWER_WITHIN);
        // Whatever made it be asked for, what comes back answers any unknown `kid`.
        self.unknown_not_before = now.saturating_add(UNKNOWN_EACH);
        self.not_before
    }

    /// A good set came, which counts for `max_age`: it is fetched again well before that is over.
    pub(super) fn succeeded(&mut self, now: UnixSeconds, max_age: UnixSeconds, jitter: u8) {
        self.not_before = now;
        let refresh = REFRESH.min(max_age / 2);
        let early = JITTER.min(refresh / 4) * u64::from(jitter) / 256;
        self.due = now.saturating_add(refresh).saturating_sub(early);
        self.failures = 0;
    }

    /// None came. Says whether this is the first failure after a success.
    pub(super) fn failed(&mut self, now: UnixSeconds, jitter: u8) -> bool {
        let back_off = 1_u64.checked_shl(self.failures.into()).unwrap_or(MAX_BACK_OFF).min(MAX_BACK_OFF);
        // Up to half as much again, never sooner.
        self.not_before = now.saturating_add(back_off + back_off * u64::from(jitter) / 512);
        self.due = self.not_before;
        let first = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        first
    }

    /// As it stands in shared data.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let times = [self.not_before, self.due, self.unknown_not_before];
        let parts = times.iter().flat_map(|t| t.to_be_bytes()).chain([self.failures]);
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    /// As read from shared data. It is not trusted: at worst it makes this process ask too often or,
    /// for the length of the longest back-off, not at all.
    pub fn from_bytes(bytes: &[u8], now: UnixSeconds) -> Option<Self> {
        let (not_before, rest) = bytes.split_first_chunk()?;
        let (due, rest) = rest.split_first_chunk()?;
        let (unknown_not_before, rest) = rest.split_first_chunk()?;
        let &[failures] = rest else { return None };
        let farthest = now.saturating_add(MAX_BACK_OFF + MAX_BACK_OFF / 2);
        let time = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        let bounded = |t: UnixSeconds| if t > farthest { now } else { t };
        Some(Self {
            not_before: bounded(time(not_before)),
            due: bounded(time(due)),
            unknown_not_before: bounded(time(unknown_not_before)),
            failures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_000_000;

    #[test]
    fn back_off_doubles_up_to_a_bound_and_a_success_ends_it() {
        let mut schedule = Schedule::default();
        let mut waits = Vec::new();
        for n in 0..300 {
            assert_eq!(schedule.failed(NOW, 0), n == 0);
            waits.push(schedule.not_before - NOW);
        }
        assert_eq!(waits[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(waits.last(), Some(&MAX_BACK_OFF));
        schedule.succeeded(NOW, 3600, 0);
        assert!(schedule.failed(NOW, 255), "the next outage is a new one");
        assert!(schedule.not_before <= NOW + 2);
    }

    #[test]
    fn a_set_that_counts_for_a_minute_is_fetched_twice_in_it() {
        let mut schedule = Schedule::default();
        schedule.succeeded(NOW, 60, 0);
        assert!(!schedule.is_due(false, NOW + 29) && schedule.is_due(false, NOW + 30));
    }

    #[test]
    fn a_refresh_is_early_by_jitter_and_never_late() {
        for jitter in [0, 1, 128, 255] {
            let mut schedule = Schedule::default();
            schedule.succeeded(NOW, 3600, jitter);
            assert!((NOW + REFRESH - JITTER..=NOW + REFRESH).contains(&schedule.due), "{jitter}");
            assert!(!schedule.is_due(false, NOW + REFRESH - JITTER - 1) && schedule.is_due(false, NOW + REFRESH));
        }
    }

    #[test]
    fn it_survives_shared_data_and_bounds_what_it_reads_there() {
        let mut schedule = Schedule::default();
        schedule.asked(NOW);
        schedule.failed(NOW, 7);
        assert_eq!(Schedule::from_bytes(&schedule.to_bytes(), NOW), Some(schedule));
        assert_eq!(Schedule::from_bytes(&schedule.to_bytes()[1..], NOW), None);
        let wild = Schedule::from_bytes(&[0xff; Schedule::BYTES], NOW).unwrap();
        assert!(wild.is_due(false, NOW));
    }
}
