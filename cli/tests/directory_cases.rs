//! Plays every file of `cli/cases/directory`: files laid over the sample directory, and what
//! `partywall check` says about the outcome. Adding a case is adding a file.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use support::{cases, copy, folder, keys, partywall, path, sample};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    given: Given,
    then: Then,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// Laid over the sample directory.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Taken out of it.
    #[serde(default)]
    without: Vec<String>,
    /// Laid over the keys folder.
    #[serde(default)]
    keys: BTreeMap<String, String>,
    /// Taken out of it.
    #[serde(default)]
    keys_without: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Then {
    exit: i32,
    /// All errors, and no others.
    #[serde(default)]
    errors: Vec<Expected>,
    /// Some of the warnings.
    #[serde(default)]
    warnings: Vec<Expected>,
    /// All notes, and no others.
    #[serde(default)]
    notes: Vec<Expected>,
    /// Never printed.
    #[serde(default)]
    never: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// `file:line:column`, or the file alone.
    at: String,
    /// A part of the message.
    message: String,
    /// A part of the help.
    #[serde(default)]
    help: String,
}

#[test]
fn every_broken_directory_is_told_with_its_place() {
    let root = folder("directory-cases");
    let keys = keys(&root);
    let cases = cases("directory");
    assert!(cases.len() >= 200, "only {} cases were found", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| play(case, &root, &keys).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases differ\n\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

fn play(file: &Path, root: &Path, keys: &Path) -> Result<(), String> {
    let name = format!("{}/{}", stem(file.parent().unwrap()), stem(file));
    let case: Case = serde_saphyr::from_str(&fs::read_to_string(file).unwrap())
        .map_err(|e| format!("{name} cannot be read: {e}"))?;
    let here = root.join(name.replace('/', "-"));
    let (tenancy, its_keys) = (here.join("tenancy"), here.join("keys"));
    lay(&sample(), &tenancy, &case.given.files, &case.given.without);
    lay(keys, &its_keys, &case.given.keys, &case.given.keys_without);

    let ran = partywall(&["check", path(&tenancy), "--keys", path(&its_keys), "--json"]);
    let shown = partywall(&["check", path(&tenancy), "--keys", path(&its_keys)]).stdout().to_owned();
    let mut wrong = Vec::new();
    if ran.status() != case.then.exit {
        wrong.push(format!("exit status {}, not {}", ran.status(), case.then.exit));
    }
    let found: Vec<Found> = serde_json::from_value(ran.json()["diagnostics"].clone()).unwrap();
    let errors: Vec<&Found> = found.iter().filter(|f| f.severity == "error").collect();
    if errors.len() != case.then.errors.len() {
        wrong.push(format!("{} errors, not {}", errors.len(), case.then.errors.len()));
    }
    let notes = found.iter().filter(|f| f.severity == "note").count();
    if notes != case.then.notes.len() {
        wrong.push(format!("{notes} notes, not {}", case.then.notes.len()));
    }
    let Then { errors: expected, warnings, notes, .. } = &case.then;
    let expected = expected.iter().map(|e| (e, "error"));
    let allowed = warnings.iter().map(|w| (w, "warning")).chain(notes.iter().map(|n| (n, "note")));
    for (expected, severity) in expected.chain(allowed) {
        if !found.iter().any(|f| f.severity == severity && f.is(expected, &here)) {
            wrong.push(format!("no {severity} at {}: {} … {}", expected.at, expected.message, expected.help));
        }
    }
    wrong.extend(case.then.never.iter().filter(|word| shown.contains(*word)).map(|word| format!("prints `{word}`")));
    wrong.extend(
        errors
            .iter()
            .filter(|f| f.help.as_ref().is_none_or(|h| h.is_empty()))
            .map(|f| format!("no help: {}", f.message)),
    );
    // What is printed for people carries the same words, but for control characters.
    let printable = |text: &str| text.replace(|c: char| c.is_control(), "\u{fffd}");
    wrong.extend(
        found
            .iter()
            .filter(|f| !shown.contains(&printable(&f.message)))
            .map(|f| format!("does not print `{}`", f.message)),
    );
    if wrong.is_empty() { Ok(()) } else { Err(format!("{name}: {}\n{shown}", wrong.join("; "))) }
}

fn lay(from: &Path, to: &Path, files: &BTreeMap<String, String>, without: &[String]) {
    copy(from, to);
    for name in without {
        let path = to.join(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    for (name, text) in files {
        fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
        fs::write(to.join(name), text).unwrap();
    }
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

#[derive(Deserialize)]
struct Found {
    severity: String,
    path: String,
    line: usize,
    column: usize,
    message: String,
    help: Option<String>,
}

impl Found {
    fn is(&self, expected: &Expected, here: &Path) -> bool {
        let path = Path::new(&self.path);
        let path = path.strip_prefix(here.join("tenancy")).or(path.strip_prefix(here)).unwrap_or(path).display();
        let at = if self.line == 0 { path.to_string() } else { format!("{path}:{}:{}", self.line, self.column) };
        let help = self.help.as_deref().unwrap_or_default();
        at == expected.at && self.message.contains(&expected.message) && help.contains(&expected.help)
    }
}
