//! Where in a file Cedar's findings point to.

use cedar_policy_core::parser::Loc;

use crate::diagnostic::{Diagnostic, Source};

/// A mistake at `loc`, or at the place of the whole policy where Cedar gives none.
pub(crate) fn error_at(source: &Source, loc: Option<&Loc>, fallback: usize, message: impl Into<String>) -> Diagnostic {
    source.error_at(loc.map_or(fallback, Loc::start), message)
}

/// A finding of Cedar's parser or validator: offset, message and help in its own words.
pub(super) struct Finding {
    pub(super) offset: Option<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Finding {
    pub(super) fn of(error: &dyn miette::Diagnostic) -> Self {
        let label = error.labels().and_then(|mut labels| labels.next());
        let expected = label.as_ref().and_then(|l| l.label()).map(str::to_owned);
        Self {
            offset: label.map(|l| l.offset()),
            message: error.to_string(),
            help: error.help().map(|h| h.to_string()).or(expected),
        }
    }
}

/// Sorted by file and place; of several at one place only the first, which is the most telling one.
pub(super) fn sorted(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
    found.dedup_by(|b, a| a.line > 0 && (&a.path, a.line, a.column) == (&b.path, b.line, b.column));
    found
}
