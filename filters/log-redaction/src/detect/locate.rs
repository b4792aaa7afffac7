//! One lazy automaton over the locators of all detectors: it says where to look, validators say what stands there.
//!
//! Every state that it was ever in is kept in a cache of fixed size and built again when that is full, so what it costs
//! is the text's length, whatever the text is.

use regex_automata::MatchKind;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax::{self, parse_with};
use regex_syntax::hir::Hir;

use super::alphabet;
use super::states::{MATCH, States};

/// What one cache of states may take, in bytes.
const CACHE: usize = 4 << 20;
/// What states take beside it, as they are walked.
const ROOM: usize = 1 << 20;
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
        Self::with(patterns, CACHE)
    }

    fn with(patterns: &[&str], cache: usize) -> Result<Self, String> {
        let parse = |pattern: &&str| parse_with(pattern, &syntax()).map_err(|error| error.to_string());
        let parsed: Vec<Hir> = patterns.iter().map(parse).collect::<Result<_, _>>()?;
        let read = alphabet::of(&parsed);
        let patterns: Vec<Hir> = parsed.iter().map(|pattern| alphabet::written_in(pattern, &read)).collect();
        let nfa = thompson::Compiler::new()
            .configure(thompson())
            .build_many_from_hir(&patterns)
            .map_err(|error| error.to_string())?;
        let config = DFA::config().match_kind(MatchKind::All).cache_capacity(cache).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).map_err(|error| error.to_string())?;
        Ok(Self { dfa, read })
    }

    fn read_as(&self, byte: u8) -> u8 {
        self.read.get(usize::from(byte)).copied().unwrap_or(byte)
    }

    pub(super) fn states(&self) -> States {
        self.states_in(ROOM)
    }

    fn states_in(&self, room: usize) -> States {
        // As if a line feed and a blank stood before a text: locators start with what may stand before.
        let before = [self.read_as(b'\n'), self.read_as(b' ')];
        States::new(&self.dfa, self.read.iter().copied().max().unwrap_or_default(), before, room)
    }

    /// Calls `hit` with each pattern that matches and where its match ends, in the order of ends. What `hit` returns is
    /// where to go on, where that is further on: nothing that lies between is looked at.
    ///
    /// False where the automaton gave up, which it never does as it is configured.
    pub(super) fn scan(&self, states: &mut States, text: &[u8], mut hit: impl FnMut(usize, usize) -> usize) -> bool {
        let dfa = &self.dfa;
        let mut from = 0_usize;
        'start: loop {
            let begin = if from == 0 { states.begin(dfa) } else { states.start(dfa) };
            let Some(mut state) = begin else { return false };
            let Some(rest) = text.get(from..) else { return true };
            let mut bytes = rest.iter().enumerate();
            loop {
                // Nearly all of a text is walked here: what follows is known, and nothing ends.
                let mut seen = None;
                for (offset, byte) in bytes.by_ref() {
                    let byte = self.read_as(*byte);
                    let next = states.next(state, byte);
                    if next == 0 || next >= MATCH {
                        seen = Some((offset, byte, next));
                        break;
                    }
                    state = next;
                }
                let Some((offset, byte, next)) = seen else { break };
                let next = if next == 0 { states.step(dfa, state, byte) } else { Some(next) };
                let Some(next) = next else { return false };
                state = next & !MATCH;
                if next >= MATCH {
                    let end = from + offset;
                    let on = states.patterns(state).iter().map(|pattern| hit(usize::from(*pattern), end)).max();
                    if on.is_some_and(|on| on > end) {
                        // The byte before what follows is looked at again: many locators start with what may stand before.
                        from = on.unwrap_or(end) - 1;
                        continue 'start;
                    }
                }
            }
            let Some(last) = states.end(dfa, state) else { return false };
            if last >= MATCH {
                for pattern in states.patterns(last & !MATCH) {
                    hit(usize::from(*pattern), text.len());
                }
            }
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::Anchored;
    use regex_automata::util::start;

    use super::*;
    use crate::detect::{Detectors, Selection};

    /// The same as the automaton itself says it, state by state.
    fn plain(locator: &Locator, text: &[u8]) -> Vec<(usize, usize)> {
        let (dfa, mut all) = (&locator.dfa, Vec::new());
        let mut cache = dfa.create_cache();
        let mut state = dfa.start_state(&mut cache, &start::Config::new().anchored(Anchored::No)).unwrap();
        for (at, byte) in b"\n ".iter().chain(text).enumerate() {
            state = dfa.next_state(&mut cache, state, locator.read_as(*byte)).unwrap();
            if state.is_match() && at >= 2 {
                all.extend(
                    (0..dfa.match_len(&cache, state)).map(|nth| (dfa.match_pattern(&cache, state, nth), at - 2)),
                );
            }
        }
        state = dfa.next_eoi_state(&mut cache, state).unwrap();
        if state.is_match() {
            all.extend(
                (0..dfa.match_len(&cache, state)).map(|nth| (dfa.match_pattern(&cache, state, nth), text.len())),
            );
        }
        all.into_iter().map(|(pattern, end)| (pattern.as_usize(), end)).collect()
    }

    #[test]
    fn what_is_walked_hits_where_the_automaton_does_however_little_is_remembered() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let small = Locator::with(&["@", "[0-9]{8}", "(?i:pass(?:word|wd)?[:=])", "::", "-----BEGIN "], 1).unwrap();
        let mut of = [
            (&detectors.locator, detectors.locator.states()),
            // A few states are remembered at a time, and the automaton forgets as well.
            (&detectors.locator, detectors.locator.states_in(1 << 10)),
            (&small, small.states()),
        ];
        let mut random = 7_u64;
        let mut below = |end: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % end
        };
        const PIECES: &[&str] = &[
            "@",
            "::",
            "1",
            "23",
            "4567",
            "12345678",
            " ",
            ".",
            "-",
            "password=",
            "passwd:",
            "-----BEGIN ",
            "AKIA",
            "ghp_",
            "eyJh",
            "Bearer ",
            "aws",
            "key",
            "a",
            "F",
            "\u{e9}",
            "\n",
            "%40",
            "+49 1",
            "0x",
            "de89",
        ];
        for round in 0..4_000 {
            let mut text = Vec::new();
            for _ in 0..below(20) {
                text.extend_from_slice(PIECES[below(PIECES.len() as u64) as usize].as_bytes());
                if below(8) == 0 {
                    text.push(below(256) as u8);
                }
            }
            for (nth, (locator, states)) in of.iter_mut().enumerate() {
                // The automaton alone builds its states anew for each text.
                if nth < 2 && round % 20 > 0 {
                    continue;
                }
                let mut all = Vec::new();
                assert!(locator.scan(states, &text, |pattern, end| {
                    all.push((pattern, end));
                    0
                }));
                assert_eq!(all, plain(locator, &text), "{}", String::from_utf8_lossy(&text));
            }
        }
        assert!(of[1].1.times_forgotten() > 10 && of[2].1.times_forgotten() > 10);
    }
}
