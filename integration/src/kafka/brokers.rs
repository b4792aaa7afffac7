//! Brokers in KRaft mode, each a controller too.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::client::{Client, Ran};
use crate::artefacts;
use crate::ports::{free, local};
use crate::process::Process;
use crate::wait;

/// How long a broker may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most brokers of one cluster.
const MOST: usize = 3;
/// The most listeners of one broker besides its own two.
const LISTENERS: usize = 4;
/// The id of every cluster of tests.
const CLUSTER: &str = "cGFydHl3YWxsLXRlc3RzAA";

/// What is started.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// Names the folder under `target/kafka`, which is made anew.
    pub name: &'a str,
    /// How many brokers, 1 to 3; 0 is 1.
    pub brokers: usize,
    /// Where clients come in besides the plain listener that there always is.
    pub listeners: &'a [Listener<'a>],
    /// More lines of `server.properties`.
    pub properties: &'a [(&'a str, &'a str)],
    /// Users for SCRAM, as `--add-scram` takes them: `SCRAM-SHA-256=[name=alice,password=secret]`.
    pub scram: &'a [&'a str],
    /// System properties of the Java machine: `name=value`.
    pub system: &'a [&'a str],
}

/// One more listener.
#[derive(Debug)]
pub struct Listener<'a> {
    /// Its name, in upper case.
    pub name: &'a str,
    /// `PLAINTEXT`, `SASL_PLAINTEXT`, `SSL` or `SASL_SSL`.
    pub protocol: &'a str,
}

/// Running brokers. They stop when this is dropped.
pub struct Brokers {
    directory: PathBuf,
    running: Vec<Option<Process>>,
    /// Of each broker: the plain listener, the controller's, and those that were asked for.
    ports: Vec<Vec<u16>>,
    system: Vec<String>,
}

impl Brokers {
    /// Formats and starts them, and waits until every listener is open.
    pub fn start(options: &Options<'_>) -> Result<Self> {
        let count = options.brokers.max(1);
        if count > MOST || options.listeners.len() > LISTENERS {
            bail!("at most {MOST} brokers of {LISTENERS} listeners");
        }
        let directory = artefacts::target().join("kafka").join(options.name);
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(directory.join("logs"))?;
        let mut ports = Vec::with_capacity(count);
        for _ in 0..count {
            ports.push(free::<{ 2 + LISTENERS }>()?.to_vec());
        }
        let system = options.system.iter().map(|property| format!("-D{property}")).collect();
        let mut brokers = Self { directory, running: Vec::new(), ports, system };
        for id in 0..count {
            fs::write(brokers.file(id), brokers.properties(id, options)?)?;
            brokers.format(id, options)?;
            brokers.running.push(None);
        }
        for id in 0..count {
            brokers.begin(id)?;
        }
        for id in 0..count {
            brokers.wait_for(id, 1 + options.listeners.len())?;
        }
        Ok(brokers)
    }

    /// What is none of Kafka's and listens at `port`, in the place of one broker.
    pub fn standing_in(port: u16) -> Self {
        Self { directory: PathBuf::new(), running: Vec::new(), ports: vec![vec![port]], system: Vec::new() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ports.len()
    }

    /// Where clients of the plain listener begin: all brokers, as `host:port,host:port`.
    pub fn bootstrap(&self) -> String {
        let all: Vec<String> = (0..self.ports.len()).map(|id| local(self.port(id, 0)).to_string()).collect();
        all.join(",")
    }

    /// The port of broker `id` (from 0; Kafka counts from 1): of the plain listener for 0, else of the one asked for.
    pub fn port(&self, id: usize, listener: usize) -> u16 {
        let at = if listener == 0 { 0 } else { listener + 1 };
        self.ports[id][at]
    }

    /// One of Kafka's command-line tools, as `TopicCommand`, on the plain listener.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Result<Ran> {
        let bootstrap = self.bootstrap();
        let mut all = vec!["--bootstrap-server", &*bootstrap];
        all.extend(arguments);
        Client::tool(name)?.run(&all, "")
    }

    /// Ends a broker, as a machine that is taken away in peace.
    pub fn stop(&mut self, id: usize) {
        self.running[id] = None;
    }

    /// Starts one again that was stopped, with what it had.
    pub fn restart(&mut self, id: usize) -> Result<()> {
        self.begin(id)?;
        self.wait_for(id, 1)
    }

    fn begin(&mut self, id: usize) -> Result<()> {
        let mut command = Command::new("java");
        // Little memory, and no compiler that spends the time of a short life on speed.
        command.args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]).args(&self.system);
        command.arg("-cp").arg(super::client::class_path()?).arg("kafka.Kafka").arg(self.file(id));
        let logs = self.directory.join("logs");
        self.running[id] = Some(Process::start(&format!("broker-{id}"), &mut command, &logs)?);
        Ok(())
    }

    fn wait_for(&mut self, id: usize, listeners: usize) -> Result<()> {
        let ports: Vec<u16> = (0..listeners).map(|listener| self.port(id, listener)).collect();
        let broker = self.running[id].as_mut().context("the broker was not started")?;
        let mut ended = None;
        let open = wait::until(PATIENCE, || {
            ended = broker.check_alive().err();
            let open = |port: &u16| TcpStream::connect(local(*port)).is_ok();
            (ended.is_some() || ports.iter().all(open)).then_some(())
        });
        match ended {
            Some(error) => Err(error),
            None => open.with_context(|| format!("broker {id} does not open its listeners: {}", broker.errors())),
        }
    }

    fn file(&self, id: usize) -> PathBuf {
        self.directory.join(format!("broker-{id}.properties"))
    }

    fn format(&self, id: usize, options: &Options<'_>) -> Result<()> {
        let file = self.file(id);
        let file = file.to_string_lossy();
        let mut arguments = vec!["format", "-t", CLUSTER, "-c", &*file];
        for user in options.scram {
            arguments.extend(["--add-scram", user]);
        }
        Client::class("kafka.tools.StorageTool")?.run(&arguments, "")?.succeeds()?;
        Ok(())
    }

    fn properties(&self, id: usize, options: &Options<'_>) -> Result<String> {
        let port = |at: usize| self.ports[id][at];
        let mut listeners = format!("PLAIN://127.0.0.1:{}", port(0));
        let mut protocols = "CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT".to_owned();
        for (at, Listener { name, protocol }) in options.listeners.iter().enumerate() {
            write!(listeners, ",{name}://127.0.0.1:{}", port(2 + at))?;
            write!(protocols, ",{name}:{protocol}")?;
        }
        let voters: Vec<String> =
            self.ports.iter().enumerate().map(|(id, ports)| format!("{}@127.0.0.1:{}", id + 1, ports[1])).collect();
        let copies = self.ports.len().min(3).to_string();
        let mut text = String::new();
        let fixed = [
            ("process.roles", "broker,controller".to_owned()),
            ("node.id", (id + 1).to_string()),
            ("controller.quorum.voters", voters.join(",")),
            ("listeners", format!("{listeners},CONTROLLER://127.0.0.1:{}", port(1))),
            ("advertised.listeners", listeners.clone()),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("inter.broker.listener.name", "PLAIN".to_owned()),
            ("listener.security.protocol.map", protocols),
            ("log.dirs", self.directory.join(format!("data-{id}")).display().to_string()),
            ("offsets.topic.replication.factor", copies.clone()),
            ("offsets.topic.num.partitions", "4".to_owned()),
            ("transaction.state.log.replication.factor", copies.clone()),
            ("transaction.state.log.min.isr", "1".to_owned()),
            ("transaction.state.log.num.partitions", "4".to_owned()),
            ("share.coordinator.state.topic.replication.factor", copies),
            ("share.coordinator.state.topic.min.isr", "1".to_owned()),
            ("share.coordinator.state.topic.num.partitions", "4".to_owned()),
            // Tests do not wait for members that may come.
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("auto.create.topics.enable", "false".to_owned()),
        ];
        for (key, value) in fixed {
            writeln!(text, "{key}={value}")?;
        }
        for (key, value) in options.properties {
            writeln!(text, "{key}={value}")?;
        }
        Ok(text)
    }
}

/// One of the programs that belong to Kafka's tests and benches.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka").join(name)
}
