//! From Cedar policies to the decision program that sidecars evaluate.
//!
//! ```text
//! policies/*.cedar ─► parse ─► validate ─► translate ─► ProgramBody ─► cover ─► signed
//!                       │    strict, against   │                         │
//!                       │    the schema made   │ Cedar's own authorizer is asked about every
//!                       │    from services/    │ branch of this very program; a difference
//!                       ▼         ▼            ▼ stops the compile
//!                    Diagnostic: file, line, column, what to write instead
//! ```
//!
//! All of Cedar is lowered. What cannot be lowered exactly is an error, never an approximation: an expression that
//! nests deeper than the evaluator descends.

pub(crate) mod across;
pub mod any;
mod build;
pub mod cover;
mod expression;
mod linked;
mod nesting;
mod networks;
pub mod oracle;
mod parse;
mod policies;
mod position;
pub(crate) mod reach;
pub mod schema;
mod store;
mod translate;
mod validate;
mod vocabulary;
mod withdrawing;

use partywall_authorization::ProgramBody;
use partywall_tenancy::{EventCluster, Network, Service, Tenant};

use crate::diagnostic::{Diagnostic, Source};

pub(crate) use cover::SCOPES_OF_TENANTS;
pub use cover::{Case, Coverage};
pub use parse::{Parsed, parse};
pub(crate) use position::error_at;
pub use translate::{Translated, translate};
pub(crate) use vocabulary::named;

/// What policies may speak about.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// The tenants of the directory.
    pub tenants: &'a [Tenant],
    /// Its services.
    pub services: &'a [Service],
    /// Its networks; `None` where they are not known, so that any name may be one.
    pub networks: Option<&'a [Network]>,
    /// Its clusters of Kafka, whose clients have names, too.
    pub clusters: &'a [EventCluster],
}

/// A decision program that Cedar itself agrees with.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program.
    pub program: ProgramBody,
    /// How it was compared with Cedar.
    pub coverage: Coverage,
    /// What is allowed, yet probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Parses, validates and lowers the policies of a directory, and compares the outcome with Cedar.
///
/// Errors come sorted by file and place. An error of path `(internal)` means that program and Cedar
/// differ: a defect of this command, not of the policies.
pub fn lower(vocabulary: &Vocabulary<'_>, policies: &[Source]) -> Result<Lowered, Vec<Diagnostic>> {
    let Valid { parsed, translated, mut warnings } = valid(vocabulary, policies)?;
    let (coverage, impossible) = with_room(|| cover::cover(vocabulary.services, &parsed, &translated))?;
    warnings.extend(impossible);
    Ok(Lowered { program: translated.program, coverage, warnings: position::sorted(warnings) })
}

/// Policies that Cedar's validator takes.
pub(crate) struct Valid<'s> {
    /// As they are written.
    pub(crate) parsed: Vec<Parsed<'s>>,
    /// As they count.
    pub(crate) translated: Translated,
    warnings: Vec<Diagnostic>,
}

/// What [`lower`] does before it compares: parses, validates and translates.
pub(crate) fn valid<'s>(vocabulary: &Vocabulary<'_>, policies: &'s [Source]) -> Result<Valid<'s>, Vec<Diagnostic>> {
    let schema = schema::compile(vocabulary.services).map_err(|e| vec![e])?;
    let (parsed, found) = parse::parse(policies);
    let is_error = |found: &Diagnostic| found.severity == crate::diagnostic::Severity::Error;
    let (mut errors, mut warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(is_error);
    let translated = translate::translate(vocabulary.services, &parsed);
    errors.extend(vocabulary::check(vocabulary, &parsed));
    errors.extend(vocabulary.networks.into_iter().flat_map(|known| networks::check(known, &parsed)));
    for finding in validate::validate(&schema, &parsed) {
        if is_error(&finding) { errors.push(finding) } else { warnings.push(finding) }
    }
    warnings.extend(withdrawing::check(&parsed));
    match translated {
        Ok(translated) if errors.is_empty() => Ok(Valid { parsed, translated, warnings }),
        Ok(_) => Err(position::sorted(errors)),
        Err(found) => {
            errors.extend(found);
            Err(position::sorted(errors))
        }
    }
}

/// Runs `ask` where there is room on the stack: Cedar's interpreter descends into each `&&` of a chain, and calls it an
/// error of the policy when it has no room left.
pub(crate) fn with_room<T: Send>(ask: impl FnOnce() -> T + Send) -> T {
    const ROOM: usize = 256 << 20;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(ROOM).spawn_scoped(scope, ask);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => panic!("the system gives no thread: {error}"),
        }
    })
}
