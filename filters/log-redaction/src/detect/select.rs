//! Which detectors are on.

use serde::{Deserialize, Serialize};

use super::custom::{Custom, MOST};
use super::{DetectorError, catalog};

/// Which detectors are on. The default is all that are built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Names and groups that are on; none means all.
    pub only: Vec<String>,
    /// Names and groups that are off, whatever `only` says.
    pub without: Vec<String>,
    /// Detectors beside the built-in ones; always on.
    pub custom: Vec<Custom>,
}

impl Selection {
    /// The names of all detectors by their ids, and whether each is on.
    pub(super) fn resolve(&self) -> Result<(Vec<String>, Vec<bool>), DetectorError> {
        let mut names: Vec<String> = catalog().iter().map(|about| about.name.to_owned()).collect();
        for wanted in self.only.iter().chain(&self.without) {
            if !names.iter().any(|name| is_of(name, wanted)) {
                return Err(DetectorError::Unknown { name: wanted.clone() });
            }
        }
        let has = |list: &[String], name: &str| list.iter().any(|wanted| is_of(name, wanted));
        let mut on: Vec<bool> = names
            .iter()
            // INVARIANT: what could not be looked through is told whatever was chosen.
            .map(|name| {
                let chosen = (self.only.is_empty() || has(&self.only, name)) && !has(&self.without, name);
                chosen || name == UNSCANNED
            })
            .collect();
        if self.custom.len() > MOST {
            return Err(DetectorError::TooMany { most: MOST });
        }
        for custom in &self.custom {
            let wrong = |why| DetectorError::Name { name: custom.name.clone(), why };
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'/');
            if custom.name.is_empty() || custom.name.len() > 64 || !custom.name.bytes().all(plain) {
                return Err(wrong("a name is 1 to 64 of lower-case letters, digits, `_`, `-` and `/`"));
            }
            if names.contains(&custom.name) {
                return Err(wrong("another detector is called so"));
            }
            names.push(custom.name.clone());
            on.push(true);
        }
        Ok((names, on))
    }
}

/// What is told of a text that could not be looked through.
const UNSCANNED: &str = "unscanned";

/// Whether `wanted` is `name` or its group.
fn is_of(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}
