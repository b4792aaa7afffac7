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
//! What cannot be lowered exactly is an error, never an approximation. The subset: scopes with `==`
//! and `in`, conditions with `when`, `==`, `in`, `&&`, `||`, attribute access and literals.

mod condition;
pub mod cover;
mod nesting;
pub mod oracle;
mod parse;
mod position;
pub mod schema;
mod translate;
mod unsupported;
mod validate;
mod vocabulary;

use partywall_authorization::ProgramBody;
use partywall_tenancy::{Service, Tenant};

use crate::diagnostic::{Diagnostic, Source};

pub use cover::Coverage;
pub use parse::{Parsed, parse};
pub use translate::{Translated, translate};

/// What policies may speak about.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// The tenants of the directory.
    pub tenants: &'a [Tenant],
    /// Its services.
    pub services: &'a [Service],
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
    let schema = schema::compile(vocabulary.services).map_err(|e| vec![e])?;
    let (parsed, mut errors) = parse::parse(policies);
    let (translated, unsupported) = translate::translate_with_errors(vocabulary.services, &parsed);
    errors.extend(unsupported);
    errors.extend(vocabulary::check(vocabulary, &parsed));
    let mut warnings = Vec::new();
    for finding in validate::validate(&schema, &parsed) {
        let is_error = finding.severity == crate::diagnostic::Severity::Error;
        if is_error { errors.push(finding) } else { warnings.push(finding) }
    }
    if !errors.is_empty() {
        return Err(position::sorted(errors));
    }
    let (coverage, impossible) = cover::cover(vocabulary.services, &parsed, &translated)?;
    warnings.extend(impossible);
    Ok(Lowered { program: translated.program, coverage, warnings: position::sorted(warnings) })
}
