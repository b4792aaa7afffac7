//! The `partywall` command, run as anybody would run it.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::artefacts;

/// Runs `partywall` with these arguments and gives its output; anything but exit status 0 is an error.
pub fn run(arguments: &[&str]) -> Result<String> {
    let command = artefacts::command()?;
    let output = Command::new(&command).args(arguments).current_dir(artefacts::root()).output();
    let Output { status, stdout, stderr } = output.with_context(|| format!("cannot run {}", command.display()))?;
    let text = String::from_utf8_lossy(&stdout).into_owned();
    if !status.success() {
        bail!("partywall {}: {status}\n{text}{}", arguments.join(" "), String::from_utf8_lossy(&stderr));
    }
    Ok(text)
}

/// Runs `partywall` with these arguments, and gives its exit status and the JSON that it prints.
pub fn json(arguments: &[&str]) -> Result<(i32, Value)> {
    let command = artefacts::command()?;
    let output = Command::new(&command).args(arguments).current_dir(artefacts::root()).output();
    let Output { status, stdout, stderr } = output.with_context(|| format!("cannot run {}", command.display()))?;
    let printed = serde_json::from_slice(&stdout);
    let printed = printed.with_context(|| format!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr)))?;
    Ok((status.code().context("it was killed")?, printed))
}

/// `partywall serve`, ready to be started.
pub fn serve(bundles: &Path, keys: &Path, port: u16) -> Result<Command> {
    let mut command = Command::new(artefacts::command()?);
    command.arg("serve").arg(bundles);
    command.arg("--overlay-key").arg(keys.join("overlay-1.key"));
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    Ok(command)
}

/// A path as an argument.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not text", path.display()))
}
