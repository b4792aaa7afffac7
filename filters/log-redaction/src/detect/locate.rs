//! One lazy automaton over the locators of all detectors: it says where to look, validators say what stands there.
//!
//! Every state that it was ever in is kept in a cache of fixed size and built again when that is full, so what it costs
//! is the text's length, whatever the text is.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax::{self, parse_with};
use regex_automata::{Anchored, MatchKind, PatternID, util::start};
use regex_syntax::hir::Hir;

use super::alphabet;

/// What one cache of states may take, in bytes.
const CACHE: usize = 4 << 20;
/// What the program of all locators may take, in bytes; custom detectors share it.
const PROGRAM: usize = 8 << 20;

/// How patterns are read: bytes, ASCII alone, `.` without line feeds.
pub(super) fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// How the program of patterns is built: no assertion about UTF-8.
pub(super) fn thompson() -> thompson::Config {
    thompson::Config::new().utf8(false).nfa_size_limit(Some(PROGRAM))
}

/// The automaton.
pub(super) struct Locator {
    dfa: DFA,
    /// What each byte is read as.
    read: [u8; 256],
}

impl Locator {
    /// Of `patterns`. Errors are of patterns that cannot be, or are too large together.
    pub(super) fn new(patterns: &[&str]) -> Result<Self, String> {
        let parse = |pattern: &&str| parse_with(pattern, &syntax()).map_err(|error| error.to_string());
        let parsed: Vec<Hir> = patterns.iter().map(parse).collect::<Result<_, _>>()?;
        let read = alphabet::of(&parsed);
        let patterns: Vec<Hir> = parsed.iter().map(|pattern| alphabet::written_in(pattern, &read)).collect();
        let nfa = thompson::Compiler::new()
            .configure(thompson())
            .build_many_from_hir(&patterns)
            .map_err(|error| error.to_string())?;
        let config = DFA::config().match_kind(MatchKind::All).cache_capacity(CACHE).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).map_err(|error| error.to_string())?;
        Ok(Self { dfa, read })
    }

    fn read_as(&self, byte: u8) -> u8 {
        self.read.get(usize::from(byte)).copied().unwrap_or(byte)
    }

    pub(super) fn cache(&self) -> Cache {
        self.dfa.create_cache()
    }

    /// Calls `hit` with each pattern that matches and where its match ends, in the order of ends. What `hit` returns is
    /// where to go on, where that is further on: nothing that lies between is looked at.
    ///
    /// False where the automaton gave up, which it never does as it is configured.
    pub(super) fn scan(&self, cache: &mut Cache, text: &[u8], mut hit: impl FnMut(usize, usize) -> usize) -> bool {
        let dfa = &self.dfa;
        let mut from = 0_usize;
        'start: loop {
            let start = start::Config::new().anchored(Anchored::No);
            let Ok(mut state) = dfa.start_state(cache, &start) else { return false };
            if from == 0 {
                // As if a line feed and a blank stood before the text: locators start with what may stand before.
                for byte in *b"\n " {
                    match dfa.next_state(cache, state, self.read_as(byte)) {
                        Ok(next) => state = next,
                        Err(_) => return false,
                    }
                }
            }
            let Some(rest) = text.get(from..) else { return true };
            let mut bytes = rest.iter().enumerate();
            loop {
                // Nearly all of a text is walked here: states that are known, and in which nothing matches.
                let mut seen = None;
                if !state.is_tagged() {
                    for (offset, byte) in bytes.by_ref() {
                        let byte = self.read_as(*byte);
                        let next = dfa.next_state_untagged(cache, state, byte);
                        if next.is_tagged() {
                            seen = Some((offset, byte));
                            break;
                        }
                        state = next;
                    }
                } else if let Some((offset, byte)) = bytes.next() {
                    seen = Some((offset, self.read_as(*byte)));
                }
                let Some((offset, byte)) = seen else { break };
                match dfa.next_state(cache, state, byte) {
                    Ok(next) => state = next,
                    Err(_) => return false,
                }
                if state.is_match() {
                    let end = from + offset;
                    let mut on = 0;
                    for index in 0..dfa.match_len(cache, state) {
                        let pattern: PatternID = dfa.match_pattern(cache, state, index);
                        on = on.max(hit(pattern.as_usize(), end));
                    }
                    if on > end {
                        // The byte before what follows is looked at again: many locators start with what may stand before.
                        from = on - 1;
                        continue 'start;
                    }
                }
            }
            let Ok(state) = dfa.next_eoi_state(cache, state) else { return false };
            if state.is_match() {
                for index in 0..dfa.match_len(cache, state) {
                    hit(dfa.match_pattern(cache, state, index).as_usize(), text.len());
                }
            }
            return true;
        }
    }
}
