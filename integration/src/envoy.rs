//! One Envoy.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::access_log::AccessLog;
use crate::artefacts;
use crate::bootstrap::Bootstrap;
use crate::ports::local;
use crate::process::Process;
use crate::raw::Request;
use crate::wait;

/// The module is compiled to machine code first, which takes seconds on a busy machine.
const STARTUP: Duration = Duration::from_secs(90);

/// A running Envoy.
pub struct Envoy {
    process: Process,
    admin: Option<u16>,
    log: AccessLog,
}

/// How to start one.
pub struct Start<'a> {
    /// Its name: of its bootstrap, its logs and its messages.
    pub name: &'a str,
    /// Its bootstrap.
    pub bootstrap: Bootstrap,
    /// The port of its admin listener, if it has one.
    pub admin: Option<u16>,
    /// Its environment: all of it.
    pub environment: Vec<(String, String)>,
    /// The directory of the mesh.
    pub directory: &'a Path,
}

impl Envoy {
    /// Starts it with two workers; [`Envoy::wait_until_ready`] says when it serves.
    pub fn start(how: Start<'_>) -> Result<Self> {
        Self::start_with(how, 2)
    }

    /// Starts it with so many workers.
    pub fn start_with(how: Start<'_>, workers: u8) -> Result<Self> {
        let logs = how.directory.join("logs");
        let config = how.directory.join(format!("{}.yaml", how.name));
        how.bootstrap.write(&config)?;
        let mut command = Command::new(artefacts::envoy()?);
        command.arg("--config-path").arg(config).args(["--concurrency", &workers.to_string(), "--disable-hot-restart"]);
        // The default of ten seconds is long for one who waits for the line.
        command.args(["--file-flush-interval-msec", "20"]);
        // A listener that is replaced would be kept for ten minutes.
        command.args(["--drain-time-s", "1"]);
        // What the module says, and warnings of the rest: Envoy's start alone writes a hundred lines.
        command.args(["--log-level", "warning", "--component-log-level", "wasm:info"]);
        command.env_clear().envs(how.environment);
        let process = Process::start(how.name, &mut command, &logs)?;
        Ok(Self { process, admin: how.admin, log: AccessLog::new(&logs.join(format!("{}.out", how.name))) })
    }

    /// Waits until its listeners take requests.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let admin = self.admin.context("no admin listener to ask")?;
        let mut ended = None;
        let ready = wait::until(STARTUP, || {
            ended = self.process.check_alive().err();
            let ready = || Request::get("/ready").header("host", "admin").send(local(admin)).ok();
            (ended.is_some() || ready().is_some_and(|r| r.status == 200)).then_some(())
        });
        match (ended, ready) {
            (Some(error), _) => Err(error),
            (None, None) => bail!("Envoy is not ready after {} s:\n{}", STARTUP.as_secs(), self.errors()),
            (None, Some(())) => Ok(()),
        }
    }

    /// Waits for it to end by itself, as it does when a configuration is refused.
    pub fn wait_for_end(&mut self) -> Option<ExitStatus> {
        self.process.wait_for_end(STARTUP)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// An error if it has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        self.process.check_alive()
    }

    /// Stops it.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Its access log.
    pub fn log(&self) -> &AccessLog {
        &self.log
    }

    /// What it and the module wrote to Envoy's own log.
    pub fn errors(&self) -> String {
        self.process.errors()
    }

    /// From now on it prints what modules log at this level, and above.
    pub fn print_from(&self, level: &str) -> Result<()> {
        let admin = self.admin.context("no admin listener to ask")?;
        let request = Request::new("POST", format!("/logging?wasm={level}")).header("host", "admin");
        ensure!(request.header("content-length", "0").send(local(admin))?.status == 200, "it takes no level");
        Ok(())
    }

    /// The resident set of the process, in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.process.resident()
    }

    /// The time that the threads of the process have been on a CPU.
    pub fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }

    /// The sum of a metric over the series whose labels hold each of `labels`; 0 if there is none.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64> {
        let admin = self.admin.context("no admin listener to ask")?;
        let answer = Request::get("/stats/prometheus").header("host", "admin").send(local(admin))?;
        Ok(sum(&String::from_utf8_lossy(&answer.body), name, labels))
    }
}

/// Reads an environment file: `NAME=value`, one a line.
pub fn environment(path: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    Ok(lines.filter_map(|l| l.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect())
}

fn sum(exposition: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let series = exposition.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, held) = series.split_once('{').unwrap_or((series, ""));
        let fits = found == name && labels.iter().all(|(l, v)| held.contains(&format!("{l}=\"{v}\"")));
        fits.then(|| value.parse::<f64>().ok()).flatten()
    });
    series.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_their_labels() {
        let text = "# TYPE a counter\na{reason=\"x\"} 2\na{reason=\"y\"} 3\na_b{reason=\"x\"} 9\nc 4\n";
        assert_eq!(sum(text, "a", &[]), 5.0);
        assert_eq!(sum(text, "a", &[("reason", "x")]), 2.0);
        assert_eq!(sum(text, "c", &[]), 4.0);
        assert_eq!(sum(text, "d", &[]), 0.0);
    }
}
