//! `cargo xtask mutants`: one line of the lowering or the evaluator is made wrong, and the tests must notice.

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use list::{ALL, Mutation};

use crate::step::{cargo, command, output, root, step};

const HELP: &str = "Usage: cargo xtask mutants [TEXT]

Makes one line after the other wrong, as xtask/src/mutants/list.rs says, in a copy of the tree below target/mutants, and
runs the tests that hold program and Cedar equal. A change that no test notices is printed, and ends the task with 1.

  TEXT  only changes whose file or text holds it

  cargo xtask mutants
  cargo xtask mutants datetime";

/// The tests, the one that notices most first; the first that fails has noticed.
const TESTS: &[&[&str]] = &[
    &["--package", "partywall-cli", "--test", "expressions"],
    &["--package", "partywall-cli", "--test", "index"],
    &["--package", "partywall-cli", "--test", "cedar"],
    &["--package", "partywall-authorization"],
    &["--package", "partywall-cli", "--test", "lower_differential"],
    &["--package", "partywall-cli", "--test", "lower_cases", "--test", "hostile_program"],
    &["--package", "partywall-cli", "--lib"],
];
/// Comparisons for each change: enough for all of the list, and few enough for a coffee.
const COMPARISONS: &str = "10000";

/// Runs them all.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let wanted = match arguments {
        [] => "",
        [help] if help == "--help" || help == "-h" => {
            println!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        [text] => text,
        _ => {
            eprintln!("error: one text at most\n\n{HELP}");
            return Ok(ExitCode::from(2));
        }
    };
    let chosen: Vec<&Mutation> =
        ALL.iter().filter(|one| one.file.contains(wanted) || one.from.contains(wanted)).collect();
    ensure!(!chosen.is_empty(), "no change has `{wanted}` in its file or text");
    let place = root().join("target/mutants");
    let tree = place.join("tree");
    step("copy the tree", || copy(&tree))?;
    step("the tests pass as it is", || match failing(&tree, &place)? {
        None => Ok(()),
        Some(failing) => bail!("{failing} fails before anything was changed"),
    })?;
    let (mut survived, began) = (Vec::new(), Instant::now());
    for (at, one) in chosen.iter().enumerate() {
        let noticed = tried(one, &tree, &place)?;
        let told = noticed.as_deref().unwrap_or("SURVIVED");
        println!("   {:>3} of {}  {told:<34} {}: {}", at + 1, chosen.len(), short(one.file), short_text(one));
        if noticed.is_none() {
            survived.push(*one);
        }
    }
    let caught = chosen.len() - survived.len();
    println!(
        "{} changes, {caught} caught, {} survived, in {} s",
        chosen.len(),
        survived.len(),
        began.elapsed().as_secs()
    );
    for one in &survived {
        println!("survived: {}\n  - {}\n  + {}", one.file, one.from, one.to);
    }
    Ok(if survived.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn short(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn short_text(one: &Mutation) -> String {
    one.to.chars().take(60).map(|c| if c == '\n' { ' ' } else { c }).collect()
}

/// Every file that git knows of, where it is newer than its copy: what did not change is not built again.
fn copy(tree: &Path) -> Result<()> {
    let mut list = command("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    list.current_dir(root());
    for name in output(list)?.lines() {
        let (from, to) = (root().join(name), tree.join(name));
        let Ok(text) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|there| there == text) {
            continue;
        }
        fs::create_dir_all(to.parent().context("a file has no folder")?)?;
        fs::write(&to, text)?;
    }
    Ok(())
}

/// Makes the change, runs the tests, and takes it back. Gives the name of the test that noticed.
fn tried(one: &Mutation, tree: &Path, place: &Path) -> Result<Option<String>> {
    let file = tree.join(one.file);
    let good = fs::read_to_string(&file)?;
    fs::write(&file, changed(one, &good)?)?;
    let noticed = failing(tree, place);
    fs::write(&file, good)?;
    noticed
}

fn changed(one: &Mutation, text: &str) -> Result<String> {
    ensure!(text.matches(one.from).count() == 1, "{} has not once `{}`: mend the list", one.file, one.from);
    Ok(text.replace(one.from, one.to))
}

/// The first test that fails.
fn failing(tree: &Path, place: &Path) -> Result<Option<String>> {
    for arguments in TESTS {
        let name = arguments.last().copied().unwrap_or_default().trim_start_matches("--");
        if !passes(tree, place, arguments)? {
            let told = fs::read_to_string(log(place))?;
            // A change that no compiler takes is none that a test has noticed: the list is at fault.
            ensure!(!told.contains("could not compile"), "it cannot be compiled: {}", log(place).display());
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

fn log(place: &Path) -> PathBuf {
    place.join("last.log")
}

fn passes(tree: &Path, place: &Path, arguments: &[&str]) -> Result<bool> {
    let log = fs::File::create(log(place))?;
    let mut test: Command = cargo(&["test", "--quiet"]);
    // Nobody debugs what is built here, and linking is most of the wait.
    test.args(arguments).current_dir(tree).env("CARGO_PROFILE_DEV_DEBUG", "0");
    test.env("CARGO_TARGET_DIR", place.join("build")).env("PARTYWALL_COMPARISONS", COMPARISONS);
    Ok(test.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log)).status()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_can_be_made() {
        assert!(ALL.len() >= 40);
        for one in ALL {
            let text = fs::read_to_string(root().join(one.file)).unwrap();
            assert_ne!(changed(one, &text).unwrap(), text);
        }
    }
}
