//! Detectors that an operator writes: a regular expression whose matches have an end.

use regex_automata::hybrid::regex::{Cache, Regex};
use regex_automata::{Input, MatchKind};
use regex_syntax::ast::{self, Ast, RepetitionKind, RepetitionRange};
use serde::{Deserialize, Serialize};

use super::locate;
use super::{Candidate, DetectorError, DetectorId, Look, Strength};

/// The longest pattern, in bytes.
const PATTERN: usize = 1024;
/// What one pattern may take when it is compiled, in bytes.
const PROGRAM: usize = 256 << 10;
/// The longest match, in bytes.
const LONGEST: usize = 256;
/// The shortest: what is shorter stands in every text.
const SHORTEST: usize = 3;
/// How many there may be.
pub(super) const MOST: usize = 64;
/// How deep groups may be nested.
const NEST: u32 = 16;

/// A detector beside the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custom {
    /// Its name: lower-case letters, digits, `_`, `-` and `/`, at most 64.
    pub name: String,
    /// What it finds, by the syntax of the crate `regex`, over bytes: `\w` and `\b` know ASCII alone, and what is repeated
    /// says how often at most. Of matches that overlap, the first counts.
    pub pattern: String,
    /// Words of which one has to stand within 48 bytes before or 20 after, or in the field's name; none asks for none.
    pub words: Vec<String>,
}

/// A compiled one.
pub(super) struct Compiled {
    pub(super) id: DetectorId,
    regex: Regex,
    words: Vec<Vec<u8>>,
}

impl Compiled {
    pub(super) fn new(custom: &Custom, id: DetectorId) -> Result<Self, DetectorError> {
        let bad = |place: Option<usize>, why: String| DetectorError::Pattern { name: custom.name.clone(), place, why };
        bounded(&custom.pattern).map_err(|(place, why)| bad(place, why))?;
        let hir = regex_automata::util::syntax::parse_with(&custom.pattern, &locate::syntax())
            .map_err(|error| bad(None, last_line(&error.to_string())))?;
        let (least, most) = (hir.properties().minimum_len().unwrap_or(0), hir.properties().maximum_len());
        if least < SHORTEST {
            return Err(bad(None, format!("it matches {least} bytes, write one that takes {SHORTEST} at least")));
        }
        if most.is_none_or(|most| most > LONGEST) {
            return Err(bad(None, format!("it matches more than {LONGEST} bytes, write smaller repeats")));
        }
        let regex = Regex::builder()
            .syntax(locate::syntax())
            .thompson(locate::thompson().nfa_size_limit(Some(PROGRAM)))
            .dfa(
                regex_automata::hybrid::dfa::Config::new()
                    .match_kind(MatchKind::LeftmostFirst)
                    .skip_cache_capacity_check(true),
            )
            .build(&custom.pattern)
            .map_err(|_| bad(None, format!("it takes more than {PROGRAM} bytes, write a smaller one")))?;
        let words = custom.words.iter().map(|word| word.to_ascii_lowercase().into_bytes()).collect();
        Ok(Self { id, regex, words })
    }

    pub(super) fn cache(&self) -> Cache {
        self.regex.create_cache()
    }

    /// The match that ends at or after `end`, starting no earlier than `from`.
    pub(super) fn find(&self, look: &Look<'_>, cache: &mut Cache, from: usize, end: usize) -> Option<Candidate> {
        let whole = look.text.all();
        let window = from.max(end.saturating_sub(LONGEST))..end.saturating_add(LONGEST).min(whole.len());
        look.text.spend(window.len());
        let input = Input::new(whole).span(window);
        let found = self.regex.try_search(cache, &input).ok()??;
        if !self.words.is_empty() {
            let before = super::words::before(&look.text, found.start());
            let after = super::words::after(&look.text, found.end());
            let there = |word: &Vec<u8>| [before, after, look.key].into_iter().any(|place| mentions(place, word));
            if !self.words.iter().any(there) {
                return None;
            }
        }
        look.found_as(self.id, found.start(), found.end(), Strength::Custom)
    }
}

fn mentions(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

fn last_line(error: &str) -> String {
    error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// Whether everything in `pattern` says how often it is repeated at most; where it does not, and why.
fn bounded(pattern: &str) -> Result<(), (Option<usize>, String)> {
    if pattern.len() > PATTERN {
        return Err((None, format!("it has {} bytes, at most {PATTERN} may be", pattern.len())));
    }
    let parsed = ast::parse::ParserBuilder::new().nest_limit(NEST).build().parse(pattern);
    let ast = parsed.map_err(|error| (Some(error.span().start.column), error.kind().to_string()))?;
    ast::visit(&ast, Bounds)
}

struct Bounds;

impl ast::Visitor for Bounds {
    type Output = ();
    type Err = (Option<usize>, String);

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        let Ast::Repetition(repetition) = ast else { return Ok(()) };
        let column = Some(repetition.op.span.start.column);
        let instead = match &repetition.op.kind {
            RepetitionKind::ZeroOrMore => "`*` has no end, write `{0,64}`",
            RepetitionKind::OneOrMore => "`+` has no end, write `{1,64}`",
            RepetitionKind::Range(RepetitionRange::AtLeast(_)) => {
                "it is repeated without end, write the most too, as in `{2,64}`"
            }
            RepetitionKind::Range(RepetitionRange::Exactly(most) | RepetitionRange::Bounded(_, most))
                if *most as usize > LONGEST =>
            {
                "it is repeated too often, at most 256 times may be"
            }
            _ => return Ok(()),
        };
        Err((column, instead.to_owned()))
    }
}
