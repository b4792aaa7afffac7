//! Every mistake in what somebody wrote, for those who make mistakes on purpose: tests and fuzzers.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Source};
use crate::overlay::Withdrawn;
use crate::{cases, compile};

/// What `partywall check` says of a tenancy directory, before it looks for what nobody reaches.
pub fn in_directory(directory: &Path, keys: Option<&Path>) -> Vec<Diagnostic> {
    compile::check(directory, keys).diagnostics
}

/// What `partywall test` says of a file of cases, before it plays them.
pub fn in_cases(source: &Source) -> Vec<Diagnostic> {
    cases::read(source).err().unwrap_or_default()
}

/// What `partywall serve` says of an `overlay.yaml`.
pub fn in_overlay(source: &Source) -> Vec<Diagnostic> {
    Withdrawn::read(source).err().unwrap_or_default()
}
