//! Which detectors are on, as a command line says it.

use partywall_log_redaction::detect::{Custom, DetectorError, Detectors, Selection, catalog};

use crate::nearest::nearest;

/// Names near a mistyped one that are told.
const NEAR: usize = 5;

/// As it is written.
pub(crate) struct Choice<'a> {
    /// Names and groups that are on; none means all.
    pub(crate) only: &'a [String],
    /// Names and groups that are off.
    pub(crate) without: &'a [String],
    /// `NAME=REGEX`, on as well.
    pub(crate) patterns: &'a [String],
}

/// The detectors that are on.
///
/// # Errors
///
/// Which name or pattern cannot be, and what to write instead.
pub(crate) fn detectors(choice: &Choice<'_>) -> Result<Detectors, String> {
    let custom = choice.patterns.iter().map(|text| {
        let (name, pattern) = text.split_once('=').ok_or_else(|| {
            format!("`--pattern {text}` has no name, write it as NAME=REGEX, as in --pattern 'order=ORD-[0-9]{{8}}'")
        })?;
        Ok(Custom { name: name.to_owned(), pattern: pattern.to_owned(), words: vec![] })
    });
    let custom: Vec<Custom> = custom.collect::<Result<_, String>>()?;
    for (index, one) in custom.iter().enumerate() {
        if custom[..index].iter().any(|other| other.name == one.name) {
            return Err(format!("two patterns are called `{}`", one.name));
        }
    }
    let selection = Selection { only: choice.only.to_vec(), without: choice.without.to_vec(), custom };
    Detectors::new(&selection).map_err(|error| match error {
        DetectorError::Unknown { name } => unknown(&name),
        other => other.to_string(),
    })
}

/// Says that nothing is called so, and what is called nearly so.
pub(super) fn unknown(name: &str) -> String {
    format!("no detector or group is called `{name}`; {}", meant(name, &[]))
}

/// What may have been meant by a name that no detector and no group has; `own` are detectors beside the built-in ones.
pub(crate) fn meant(name: &str, own: &[&str]) -> String {
    let all = catalog();
    let mut known: Vec<&str> = Vec::new();
    for of in all.iter().map(|about| about.name).chain(own.iter().copied()) {
        let group = of.split('/').next().unwrap_or_default();
        for one in [group, of] {
            if !known.contains(&one) {
                known.push(one);
            }
        }
    }
    let lower = name.to_ascii_lowercase();
    let last = |known: &str| known.rsplit('/').next().unwrap_or_default().to_owned();
    let mut near: Vec<&str> = nearest(&lower, known.iter().copied()).into_iter().collect();
    let ends: Vec<String> = known.iter().map(|known| last(known)).collect();
    let close = nearest(&lower, ends.iter().map(String::as_str));
    let has = |known: &&&str| close.is_some_and(|close| last(known) == close) || known.contains(&*lower);
    if !lower.is_empty() {
        near.extend(known.iter().filter(has).copied());
    }
    let mut told: Vec<&str> = Vec::new();
    for one in near {
        if !told.contains(&one) && told.len() < NEAR {
            told.push(one);
        }
    }
    let quoted: Vec<String> = told.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "`partywall redact --list` lists them".to_owned(),
        near => format!("did you mean {}?", near.join(", ")),
    }
}
