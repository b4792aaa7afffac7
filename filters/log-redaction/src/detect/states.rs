//! The states that the automaton was in, as they are walked.
//!
//! What a text costs is mostly waiting for memory: for the state that follows a state at a byte. The lazy automaton keeps four
//! bytes for that, and what a state is made of beside it; here there are two bytes, so that twice as many are at hand, and what
//! matches in a state is known without looking it up. What is not here yet is asked of the automaton.

use std::collections::BTreeMap;

use regex_automata::Anchored;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::start;

/// Added to a state in which something ends.
pub(super) const MATCH: u16 = 1 << 15;

/// States by number, from 1 on, as long as the automaton keeps them.
pub(super) struct States {
    cache: Cache,
    /// How often the automaton forgot all its states when these were read.
    cleared: usize,
    /// How often all were forgotten here.
    forgotten: usize,
    /// The state that follows each state at each byte as it is read, and at the end of the text; 0 where that is not known.
    next: Vec<u16>,
    /// There are 2 to that power places for each state.
    shift: u32,
    /// The place for the end of the text.
    eoi: usize,
    states: Vec<State>,
    known: BTreeMap<LazyStateID, u16>,
    /// What ends in states, by `State::patterns`.
    patterns: Vec<u16>,
    before: [u8; 2],
    /// How many there may be.
    most: usize,
    /// The states in which a text begins, and in which it is gone on with; 0 where they are not known.
    begin: u16,
    start: u16,
}

struct State {
    id: LazyStateID,
    /// Where in `States::patterns` what ends in it begins, and where it ends.
    patterns: (u32, u32),
}

impl States {
    /// None so far. Bytes are read as `0..=last`, a text begins as if `before` stood before it, and what follows states takes
    /// `room` bytes at most: some thousand states, of which a few hundred are in nearly every text.
    pub(super) fn new(dfa: &DFA, last: u8, before: [u8; 2], room: usize) -> Self {
        let row = (usize::from(last) + 2).next_power_of_two();
        let mut states = Self {
            cache: dfa.create_cache(),
            cleared: 0,
            forgotten: 0,
            next: Vec::new(),
            shift: row.trailing_zeros(),
            most: (room / (2 * row)).clamp(4, usize::from(MATCH) - 1),
            eoi: usize::from(last) + 1,
            states: Vec::new(),
            known: BTreeMap::new(),
            patterns: Vec::new(),
            before,
            begin: 0,
            start: 0,
        };
        states.forget();
        states
    }

    /// How much memory they take, in bytes.
    pub(super) fn memory(&self) -> usize {
        let each = size_of::<State>() + size_of::<(LazyStateID, u16)>();
        self.cache.memory_usage() + 2 * (self.next.len() + self.patterns.len()) + each * self.states.len()
    }

    /// What follows `state` at `byte`: 0 where [`step`](Self::step) must say it, and [`MATCH`] in it where something ends.
    #[inline(always)]
    pub(super) fn next(&self, state: u16, byte: u8) -> u16 {
        self.at(state, usize::from(byte)).and_then(|at| self.next.get(at)).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn at(&self, state: u16, column: usize) -> Option<usize> {
        Some(usize::from(state).checked_shl(self.shift)? | column)
    }

    /// What ends in `state`, without [`MATCH`] in it.
    pub(super) fn patterns(&self, state: u16) -> &[u16] {
        let (from, to) = self.states.get(usize::from(state)).map_or((0, 0), |state| state.patterns);
        self.patterns.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The state in which a text begins. Short texts would spend more on finding it than on what they hold.
    #[inline]
    pub(super) fn begin(&mut self, dfa: &DFA) -> Option<u16> {
        if self.begin != 0 {
            return Some(self.begin);
        }
        let mut state = self.start(dfa)?;
        for byte in self.before {
            state = self.step(dfa, state, byte)? & !MATCH;
        }
        self.begin = state;
        Some(state)
    }

    /// The state in which a text is gone on with.
    pub(super) fn start(&mut self, dfa: &DFA) -> Option<u16> {
        if self.start == 0 {
            let config = start::Config::new().anchored(Anchored::No);
            let id = dfa.start_state(&mut self.cache, &config).ok()?;
            self.start = self.number(dfa, id)? & !MATCH;
        }
        Some(self.start)
    }

    /// As `next`, where that does not know it yet. `None` where the automaton gives up.
    #[cold]
    pub(super) fn step(&mut self, dfa: &DFA, state: u16, byte: u8) -> Option<u16> {
        self.ask(dfa, state, usize::from(byte), |cache, id| dfa.next_state(cache, id, byte).ok())
    }

    /// What follows `state` where the text ends.
    #[inline]
    pub(super) fn end(&mut self, dfa: &DFA, state: u16) -> Option<u16> {
        let known = self.at(state, self.eoi).and_then(|at| self.next.get(at)).copied().unwrap_or_default();
        if known != 0 {
            return Some(known);
        }
        self.ask(dfa, state, self.eoi, |cache, id| dfa.next_eoi_state(cache, id).ok())
    }

    fn ask(
        &mut self,
        dfa: &DFA,
        state: u16,
        column: usize,
        next: impl FnOnce(&mut Cache, LazyStateID) -> Option<LazyStateID>,
    ) -> Option<u16> {
        let id = self.states.get(usize::from(state))?.id;
        let next = next(&mut self.cache, id)?;
        let before = self.forgotten;
        let number = self.number(dfa, next)?;
        // Where all were forgotten on the way, `state` is none any more.
        if self.forgotten == before
            && let Some(at) = self.at(state, column)
            && let Some(place) = self.next.get_mut(at)
        {
            *place = number;
        }
        Some(number)
    }

    /// The number of a state that the automaton has told, with [`MATCH`] in it where something ends.
    fn number(&mut self, dfa: &DFA, id: LazyStateID) -> Option<u16> {
        if self.cleared != self.cache.clear_count() {
            self.forget();
        }
        if let Some(known) = self.known.get(&id) {
            return Some(*known);
        }
        if self.states.len() > self.most {
            self.forget();
        }
        let from = self.patterns.len() as u32;
        let mut number = u16::try_from(self.states.len()).ok()?;
        if id.is_match() {
            number |= MATCH;
            let ends = 0..dfa.match_len(&self.cache, id);
            self.patterns.extend(ends.map(|nth| dfa.match_pattern(&self.cache, id, nth).as_usize() as u16));
        }
        self.states.push(State { id, patterns: (from, self.patterns.len() as u32) });
        self.room_for_one();
        self.known.insert(id, number);
        Some(number)
    }

    /// Forgets all, as the automaton does where its own memory is full.
    fn forget(&mut self) {
        self.cleared = self.cache.clear_count();
        self.forgotten = self.forgotten.wrapping_add(1);
        self.states.clear();
        self.next.clear();
        self.known.clear();
        self.patterns.clear();
        (self.begin, self.start) = (0, 0);
        // Number 0 is none.
        self.states.push(State { id: LazyStateID::default(), patterns: (0, 0) });
        self.room_for_one();
    }

    fn room_for_one(&mut self) {
        self.next.resize(self.next.len() + 1_usize.checked_shl(self.shift).unwrap_or_default(), 0);
    }

    #[cfg(test)]
    pub(super) fn times_forgotten(&self) -> usize {
        self.forgotten
    }
}
