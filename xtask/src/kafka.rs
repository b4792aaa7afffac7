//! Apache Kafka and its clients, as tests start them: by pinned version and hash, into `target/tools`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::pinned::{CLOUD_EVENTS, KAFKA, KROXYLICIOUS};
use crate::python;
use crate::step::{command, run, step};
use crate::tools::{fresh, tools};

/// What Maven is to resolve: the broker, its tools, a logger.
const POM: &str = include_str!("kafka/pom.xml");
/// What must come of it, as `sha256sum` writes it.
const JARS: &str = include_str!("kafka/jars.sha256");
/// The clients for Python, each with the hashes of its wheels.
const CLIENTS: &str = include_str!("kafka/requirements.txt");
/// The SDK of CloudEvents, likewise.
const CLOUD_EVENTS_LIST: &str = include_str!("kafka/cloudevents.txt");

/// Another proxy for tenants of Kafka, which `bench kafka` measures beside ours.
const KROXYLICIOUS_POM: &str = include_str!("kafka/kroxylicious.xml");
/// As [`JARS`].
const KROXYLICIOUS_JARS: &str = include_str!("kafka/kroxylicious.sha256");

/// The folder of Kafka's jars.
pub(crate) fn jars() -> Result<PathBuf> {
    fetched("Apache Kafka", &format!("kafka-{KAFKA}"), POM, JARS)
}

/// The folder of Kroxylicious's jars.
pub(crate) fn kroxylicious() -> Result<PathBuf> {
    fetched("Kroxylicious", &format!("kroxylicious-{KROXYLICIOUS}"), KROXYLICIOUS_POM, KROXYLICIOUS_JARS)
}

/// The folder of jars, fetched by Maven when it is not there yet. A jar with another hash, one too many or one too few is
/// an error.
fn fetched(what: &str, name: &str, pom_text: &str, jars: &str) -> Result<PathBuf> {
    let folder = tools().join(name);
    if !folder.exists() {
        step(&format!("fetch {what} ({name})"), || {
            let work = fresh(&tools().join(format!("part.{name}")))?;
            let (pom, libs) = (work.join("pom.xml"), work.join("libs"));
            fs::write(&pom, pom_text)?;
            fs::write(work.join("jars.sha256"), jars)?;
            let mut maven = command("mvn", &["--quiet", "--batch-mode", "--file", &pom.to_string_lossy()]);
            maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime", "-Dmdep.useBaseVersion=false"]);
            maven.arg(format!("-DoutputDirectory={}", libs.display()));
            run(maven).with_context(|| format!("Maven cannot fetch {what}: `cargo xtask setup` says what it needs"))?;
            let mut check = command("sha256sum", &["--check", "--strict", "--quiet", "../jars.sha256"]);
            check.current_dir(&libs);
            run(check).context("what Maven fetched is not what is pinned")?;
            let (fetched, pinned) = (fs::read_dir(&libs)?.count(), jars.lines().count());
            anyhow::ensure!(fetched == pinned, "Maven fetched {fetched} files, and {pinned} are pinned");
            fs::rename(&libs, &folder).with_context(|| format!("cannot put {} in place", folder.display()))?;
            fs::remove_dir_all(work).context("cannot remove what Maven left")
        })?;
    }
    Ok(folder)
}

/// The folder of the clients for Python, to be named by `PYTHONPATH`.
pub(crate) fn clients() -> Result<PathBuf> {
    python::wheels(&format!("kafka-clients-{KAFKA}-{}", python::tag()?), "Kafka's clients", CLIENTS)
}

/// The folder of the SDK of CloudEvents for Python, likewise.
pub(crate) fn cloud_events() -> Result<PathBuf> {
    python::wheels(&format!("cloudevents-{CLOUD_EVENTS}"), "the SDK of CloudEvents", CLOUD_EVENTS_LIST)
}
