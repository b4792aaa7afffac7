//! One lazy automaton over the locators of all detectors: it says where to look, validators say what stands there.
//!
//! Every state that it was ever in is kept in a cache of fixed size and built again when that is full, so what it costs
//! is the text's length, whatever the text is.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind, PatternID, util::start};

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

/// Every byte as itself.
const PLAIN: [u8; 256] = table(false);
/// Letters in lower case: half as many classes of bytes, and half the memory for each state.
const FOLDED: [u8; 256] = table(true);

#[allow(clippy::indexing_slicing, reason = "checked when compiled")]
const fn table(fold: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if fold { (byte as u8).to_ascii_lowercase() } else { byte as u8 };
        byte += 1;
    }
    table
}

impl Locator {
    /// Of `patterns`; where they are `folded`, none of them tells upper case from lower.
    pub(super) fn new(patterns: &[&str], folded: bool) -> Result<Self, String> {
        let lower: Vec<String> = patterns.iter().map(|pattern| without_upper_case(pattern)).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let (patterns, read) = if folded { (&*lower, FOLDED) } else { (patterns, PLAIN) };
        DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(CACHE)
                    .skip_cache_capacity_check(true)
                    .unicode_word_boundary(false),
            )
            .syntax(syntax())
            .thompson(thompson())
            .build_many(patterns)
            .map(|dfa| Self { dfa, read })
            .map_err(|error| error.to_string())
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
            let behind = from.checked_sub(1).and_then(|before| text.get(before)).copied();
            let start = start::Config::new().look_behind(behind).anchored(Anchored::No);
            let Ok(mut state) = dfa.start_state(cache, &start) else { return false };
            let Some(rest) = text.get(from..) else { return true };
            let mut bytes = rest.iter().enumerate();
            loop {
                // Nearly all of a text is walked here: states that are known, and in which nothing matches.
                let mut seen = None;
                if !state.is_tagged() {
                    for (offset, byte) in bytes.by_ref() {
                        let byte = self.read.get(usize::from(*byte)).copied().unwrap_or(*byte);
                        let next = dfa.next_state_untagged(cache, state, byte);
                        if next.is_tagged() {
                            seen = Some((offset, byte));
                            break;
                        }
                        state = next;
                    }
                } else if let Some((offset, byte)) = bytes.next() {
                    seen = Some((offset, self.read.get(usize::from(*byte)).copied().unwrap_or(*byte)));
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

/// The pattern for a text in lower case. `(?i:…)` around all of it is taken off: what it added is never seen.
fn without_upper_case(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut escaped = false;
    for character in pattern.replace("A-Za-z", "a-z").replace("A-Fa-f", "a-f").replace("(?i:", "(?:").chars() {
        // `\\A` is no letter.
        out.push(if escaped { character } else { character.to_ascii_lowercase() });
        escaped = character == '\\' && !escaped;
    }
    out
}
