//! `cargo xtask example`: one of `docs/examples/`, in a real Envoy.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::step::{command, root};
use crate::{artefacts, setup, tools};

/// Lists the examples, or builds what they need and runs one.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (options, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.starts_with('-'));
    if let Some(option) = options.iter().find(|option| **option != "--keep") {
        bail!("`{option}` is no option of an example: there is `--keep`");
    }
    let examples = list()?;
    let name = match names[..] {
        [] => {
            print(&examples);
            return Ok(ExitCode::SUCCESS);
        }
        [name] => name,
        [_, second, ..] => bail!("`{second}`: one example at a time"),
    };
    if !examples.iter().any(|(known, _)| known == name) {
        eprintln!("error: there is no example `{name}`\n");
        print(&examples);
        return Ok(ExitCode::from(2));
    }
    if let Some(lack) = setup::lacking_for_demo() {
        bail!("{lack}");
    }
    let envoy = tools::envoy()?;
    let built = artefacts::build()?;
    let mut example = command(root().join("target/debug/example"), &[name]);
    example.args(options).env("ENVOY", envoy).env("PARTYWALL_MODULE", &built.module).env("PARTYWALL", &built.cli);
    Ok(if example.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Name of each, and the heading of its README.
fn list() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("docs/examples"))? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let readme = path.join("README.md");
        let text = fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
        let heading = text.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.push((name, heading));
    }
    found.sort();
    Ok(found)
}

fn print(examples: &[(String, String)]) {
    println!("Usage: cargo xtask example NAME [--keep]\n");
    for (name, heading) in examples {
        println!("  {name:<16}{heading}");
    }
}
