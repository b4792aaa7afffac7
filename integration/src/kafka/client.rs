//! Programs that speak to Kafka, each with the library it is written for.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::brokers::program;
use crate::artefacts;

/// How long one may run: a client that waits for ever is an answer, too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client, ready to be run.
pub struct Client {
    name: String,
    command: Command,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    name: String,
    /// The exit status; `None` where it had to be stopped.
    pub status: Option<i32>,
    /// What it printed.
    pub told: String,
    /// What it complained of.
    pub errors: String,
}

impl Client {
    /// One of Kafka's command-line tools, as `TopicCommand`.
    pub fn tool(name: &str) -> Result<Self> {
        Self::class(&format!("org.apache.kafka.tools.{name}"))
    }

    /// A class of Kafka's.
    pub fn class(name: &str) -> Result<Self> {
        let mut client = Self::java(name)?;
        client.command.arg(name);
        Ok(client)
    }

    /// A program of ours in Java, `integration/kafka/NAME.java`, with Kafka's own client.
    pub fn java_program(name: &str) -> Result<Self> {
        let mut client = Self::java(name)?;
        client.command.arg(program(&format!("{name}.java")));
        Ok(client)
    }

    /// The same with a system property, where it runs in Java.
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.command.env("JDK_JAVA_OPTIONS", format!("-D{name}={value}"));
        self
    }

    /// A program of ours in Python, `integration/kafka/NAME.py`, with librdkafka (`confluent_kafka`) or `aiokafka`.
    pub fn python_program(name: &str) -> Result<Self> {
        let mut command = Command::new("python3");
        command.arg(program(&format!("{name}.py"))).env("PYTHONPATH", artefacts::kafka_clients()?);
        Ok(Self { name: format!("{name}.py"), command })
    }

    /// `integration/kafka/cloud_events.py`, with the SDK of CloudEvents.
    pub fn events_program() -> Result<Self> {
        let mut command = Command::new("python3");
        command.arg(program("cloud_events.py")).env("PYTHONPATH", artefacts::cloud_events()?);
        Ok(Self { name: "cloud_events.py".into(), command })
    }

    /// A program of ours in Python, `integration/telemetry/NAME.py`, with exporters of telemetry.
    pub fn exporter(name: &str) -> Result<Self> {
        let mut command = Command::new("python3");
        let program = artefacts::root().join("integration/telemetry").join(format!("{name}.py"));
        // What Python keeps of `marks.py` does not belong there.
        command.arg("-B").arg(program).env("PYTHONPATH", artefacts::exporters()?);
        // Where these say something, `requests` asks neither the program's authority nor the host itself.
        for variable in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        {
            command.env_remove(variable);
        }
        Ok(Self { name: format!("{name}.py"), command })
    }

    /// kcat.
    pub fn kcat() -> Result<Self> {
        Ok(Self { name: "kcat".into(), command: Command::new(artefacts::kcat()?) })
    }

    fn java(name: &str) -> Result<Self> {
        let mut command = Command::new("java");
        command.args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]).arg(class_path()?);
        Ok(Self { name: name.rsplit('.').next().unwrap_or(name).to_owned(), command })
    }

    /// Runs it to its end with `input`.
    pub fn run(mut self, arguments: &[&str], input: &str) -> Result<Ran> {
        self.command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        // Dropped at once, so that it sees the end.
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes()).ok();
        let id = child.id();
        let end = Instant::now() + PATIENCE;
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(child.wait_with_output()));
        let output = match ended.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(output) => output?,
            Err(_) => {
                Command::new("kill").args(["-9", &id.to_string()]).status()?;
                ended.recv()??
            }
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (told, errors) = (text(output.stdout), text(output.stderr));
        Ok(Ran { name: self.name, status: output.status.code(), told, errors })
    }
}

impl Ran {
    /// What it printed, where it ended well; else an error with all that it said.
    pub fn succeeds(self) -> Result<String> {
        if self.status != Some(0) {
            bail!("{} ended with {:?}:\n{}\n{}", self.name, self.status, self.told, self.errors);
        }
        Ok(self.told)
    }
}

/// All of Kafka's jars.
pub(super) fn class_path() -> Result<String> {
    let jars = artefacts::kafka()?;
    Ok(Path::new(&jars).join("*").display().to_string())
}
