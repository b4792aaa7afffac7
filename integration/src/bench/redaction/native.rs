//! The native bench, asked for one pass at a time, so that what it measures stands in the same rounds as what Envoy does.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

use super::super::cpu::Thread;
use crate::artefacts;

/// The variable that says where it is.
const VARIABLE: &str = "PARTYWALL_BENCH_NATIVE";

/// It runs until this is dropped.
pub(super) struct Native {
    child: Child,
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Native {
    /// Starts it.
    pub(super) fn start() -> Result<Self> {
        let mut command = Command::new(artefacts::from_variable(VARIABLE)?);
        command.arg("--asked").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the native bench")?;
        let asks = child.stdin.take().context("it has no input")?;
        let answers = BufReader::new(child.stdout.take().context("it has no output")?).lines();
        Ok(Self { child, asks, answers })
    }

    /// Lets it make one pass, and gives what it said.
    pub(super) fn pass(&mut self, what: &str) -> Result<String> {
        writeln!(self.asks, "{what}")?;
        Ok(self.answers.next().with_context(|| format!("the native bench ended instead of `{what}`"))??)
    }

    /// Its only thread; to be asked for after a first pass, since it has its name from then on.
    pub(super) fn thread(&self) -> Result<Thread> {
        Thread::named(self.child.id(), "redaction")
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // Either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes bodies of all carriers into a folder of their own, `target/bench/redaction/bodies`, and gives it.
pub(super) fn bodies() -> Result<std::path::PathBuf> {
    let folder = artefacts::target().join("bench/redaction/bodies");
    let written = Command::new(artefacts::from_variable(VARIABLE)?).arg("--write").arg(&folder).status()?;
    anyhow::ensure!(written.success(), "the native bench wrote no bodies: {written}");
    Ok(folder)
}
