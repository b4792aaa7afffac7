//! How a verb ends.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use crate::diagnostic::Diagnostic;

/// The exit status of the command; scripts rely on these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Fine = 0,
    /// Something was found, or denied.
    Findings = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// What was read (or a file to write) is no good.
    Invalid = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit status.
    pub(crate) exit: Exit,
    /// What to print, empty where everything was said.
    pub(crate) message: String,
}

impl Failure {
    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The input is no good.
    pub(crate) fn invalid(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Invalid, message: message.to_string() }
    }

    /// A file could not be read or written.
    pub(crate) fn file(path: &Path, error: impl fmt::Display) -> Self {
        Self::invalid(format!("`{}`: {error}", path.display()))
    }

    /// The input is no good in several places.
    pub(crate) fn diagnostics(list: &[Diagnostic]) -> Self {
        let shown: Vec<String> = list.iter().map(Diagnostic::to_string).collect();
        Self { exit: Exit::Invalid, message: shown.join("\n\n") }
    }
}

/// What a verb gives back.
pub(crate) type Outcome = Result<Exit, Failure>;
