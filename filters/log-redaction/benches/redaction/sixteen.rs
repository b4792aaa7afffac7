//! What detection is compared with: sixteen patterns as they are often written, in turn with the crate `regex`, and all in
//! one lazy automaton without looking at what stands at its hits, which is the most that can be had with one. Both give the
//! number of hits.

use regex::bytes::Regex;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

use super::texts::Text;

const SIXTEEN: &[&str] = &[
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"\b(?:\d[ -]?){13,16}\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
    r"(?i)\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\b",
    r"\+?\d{1,3}[ .-]?\(?\d{2,4}\)?[ .-]?\d{3,4}[ .-]?\d{3,4}",
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bghp_[A-Za-z0-9]{36}\b",
    r"\bsk_live_[A-Za-z0-9]{24,}\b",
    r"(?i)bearer\s+[A-Za-z0-9._~+/-]+=*",
    r#"(?i)(?:password|passwd|pwd|secret)["']?\s*[:=]\s*["']?[^\s"',;]+"#,
    r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b",
    r"[a-z]+://[^/\s:]+:[^@\s]+@",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
];

pub(crate) fn in_turn(texts: &[Text]) -> impl FnMut() -> usize + '_ {
    let patterns: Vec<Regex> = SIXTEEN.iter().map(|pattern| Regex::new(pattern).unwrap()).collect();
    move || {
        let hits = |text| patterns.iter().map(|pattern| pattern.find_iter(text).count()).sum::<usize>();
        texts.iter().map(|(_, text)| hits(text)).sum()
    }
}

/// As short as locators are: what they hit is not looked at.
const HEADS: &[&str] =
    &["@", r"[0-9]{8}", r"(?i)(?:password|passwd|pwd|secret)[:=]", "eyJ[a-zA-Z]", "AKIA[0-9A-Z]", "-----BEGIN"];

pub(crate) fn at_once(texts: &[Text]) -> impl FnMut() -> usize + '_ {
    let dfa = DFA::builder()
        .configure(DFA::config().match_kind(MatchKind::All).cache_capacity(4 << 20))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .build_many(HEADS)
        .unwrap();
    let mut cache = dfa.create_cache();
    move || {
        let mut hits = 0;
        for (_, text) in texts {
            let start = start::Config::new().anchored(Anchored::No);
            let mut state = dfa.start_state(&mut cache, &start).unwrap();
            for byte in text {
                state = dfa.next_state(&mut cache, state, *byte).unwrap();
                hits += usize::from(state.is_match());
            }
        }
        hits
    }
}
