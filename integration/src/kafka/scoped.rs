//! A cluster of Kafka behind an Envoy that keeps tenants apart: brokers, the proxy, a bundle server, and certificates.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rcgen::SanType;

use super::{Brokers, Client, Ran};
use crate::bootstrap::Bootstrap;
use crate::certificates::{Identity, uri};
use crate::envoy::{Envoy, Start};
use crate::ports::{free, local};
use crate::process::Process;
use crate::raw::Request;
use crate::site::{Site, compile, tenancy};
use crate::variant::{copy, turn};
use crate::{cli, wait};

/// How long the first bundle may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The environment of the proxy: that of a workload of the sample.
const ENVIRONMENT: &str = "orders";
/// What tenants may do where a test says nothing else.
const POLICY: &str = "@id(\"own-topics\")\npermit (principal, action in [Action::\"events:produce\", \
                      Action::\"events:consume\", Action::\"events:describe\", Action::\"events:create\", \
                      Action::\"events:delete\", Action::\"events:alter\"], resource);\n";

/// What is started.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Names the folder under `target/mesh`, which is made anew.
    pub name: &'a str,
    /// `identity` of the cluster, in one line.
    pub identity: &'a str,
    /// Lines of the cluster in `events.yaml` beside `cluster`, `spiffe_id`, `region`, `identity` and `brokers`, each with
    /// its indentation of four spaces; `topics` is one of them.
    pub cluster: &'a str,
    /// A policy for events; empty for one that permits tenants all.
    pub policy: &'a str,
    /// Whether clients come in without TLS.
    pub plain: bool,
    /// Which of the brokers' listeners the proxy uses: 0 for the plain one.
    pub listener: usize,
    /// Lines of the plugin configuration, with no indentation.
    pub plugin: &'a str,
    /// How many workers Envoy has.
    pub workers: u8,
    /// Tenants beside those of the sample directory.
    pub tenants: &'a [&'a str],
    /// More entries of `issuers` in `mesh.yaml`.
    pub issuers: &'a str,
    /// How brokers are called by SNI, as `b{id}.kafka.example`; empty where each has a port of its own.
    pub sni: &'a str,
}

impl Default for Options<'_> {
    /// Two workers; tenants by the URI of their certificate; each has a prefix of its own.
    fn default() -> Self {
        Self {
            name: "",
            identity: "[{ uri: \"spiffe://mesh.example/tenant/{tenant}/sa/{workload}\" }]",
            cluster: "    new_topics: { partitions: 12, replication: [1, 3], configs: all }\n    topics: [{ topic: \"*\" }]\n",
            policy: "",
            plain: false,
            listener: 0,
            plugin: "",
            workers: 2,
            tenants: &[],
            issuers: "",
            sni: "",
        }
    }
}

/// What runs. It stops when this is dropped.
pub struct Scoped {
    /// The proxy.
    pub envoy: Envoy,
    /// Keys, certificates and the compiled directory.
    pub site: Site,
    /// Where clients come in that know no broker yet.
    pub port: u16,
    /// The bootstrap with the ports of this machine, the port of its admin listener, and how many workers there are.
    started: (String, Vec<u16>, u16, u8),
    _bundles: Process,
}

impl Scoped {
    /// Starts the proxy before these brokers, and waits until every worker decides.
    pub fn start(options: &Options<'_>, brokers: &Brokers) -> Result<Self> {
        let _turn = turn();
        let site = Site::prepare(options.name, |_| ())?;
        let directory = site.directory.join("tenancy");
        copy(&tenancy(), &directory)?;
        let listens: Vec<u16> = (0..brokers.count()).map(|_| Ok(free::<1>()?[0])).collect::<Result<_>>()?;
        let [port, admin] = free()?;
        for tenant in options.tenants {
            let text = format!("tenant: {tenant}\ntier: gold\nresidency: eu\nstatus: active\n");
            fs::write(directory.join(format!("tenants/{tenant}.yaml")), text)?;
        }
        let mesh = directory.join("mesh.yaml");
        // They are the last of it.
        fs::write(&mesh, fs::read_to_string(&mesh)? + options.issuers)?;
        fs::write(directory.join("events.yaml"), events(options, port, &listens))?;
        let policy = if options.policy.is_empty() { POLICY } else { options.policy };
        fs::write(directory.join("policies/events.cedar"), policy)?;
        compile(&directory, &site.keys(), &site.bundles(), None)?;

        let mut names =
            vec![SanType::IpAddress(IpAddr::from([127, 0, 0, 1])), SanType::DnsName("localhost".try_into()?)];
        if !options.sni.is_empty() {
            for id in 1..=brokers.count() {
                names.push(SanType::DnsName(options.sni.replace("{id}", &id.to_string()).try_into()?));
            }
        }
        let tls = site.directory.join("etc/tls");
        site.certificates.issue(names)?.write(&tls, "kafka")?;
        let deployment = site.directory.join("deployment.yaml");
        fs::write(&deployment, deployed(options, &site, brokers, (port, admin), &listens))?;
        let mut text = cli::run(&[
            "render",
            "envoy",
            cli::text(&directory)?,
            "--deployment",
            cli::text(&deployment)?,
            "--role",
            "kafka",
            "--cluster",
            "shop-events",
        ])?;
        let configured = text.lines().find(|line| line.trim() == "cluster: shop-events").map(str::to_owned);
        let configured = configured.context("no filter is configured")?;
        let indent = &configured[..configured.len() - configured.trim_start().len()];
        for line in options.plugin.lines() {
            text = text.replace(&format!("{configured}\n"), &format!("{configured}\n{indent}{line}\n"));
        }
        let ports = [port, admin, site.ports.bundles].into_iter().chain(listens);
        let ports = ports.chain((0..brokers.count()).map(|id| brokers.port(id, options.listener)));
        let bundles = serve(&site)?;
        let started = (text, ports.collect(), admin, options.workers);
        let envoy = begin(&site, &started)?;
        let mut scoped = Self { envoy, site, port, started, _bundles: bundles };
        scoped.wait_for_policy()?;
        Ok(scoped)
    }

    /// Starts the proxy anew: it knows nothing of what it was told before.
    pub fn restart(&mut self) -> Result<()> {
        self.envoy.stop();
        self.envoy = begin(&self.site, &self.started)?;
        self.wait_for_policy()
    }

    /// Where clients begin.
    pub fn bootstrap(&self) -> String {
        local(self.port).to_string()
    }

    /// The certificate of a client of `tenant`, and where its files are.
    pub fn client(&self, tenant: &str) -> Result<Identity> {
        let names = vec![uri(&format!("spiffe://mesh.example/tenant/{tenant}/sa/web"))?];
        let identity = self.site.certificates.issue(names)?;
        identity.write(&self.tls(), tenant)?;
        Ok(identity)
    }

    /// The folder of certificates: `ca.pem`, and `<tenant>.pem`, `<tenant>.key` and `<tenant>.both` of clients.
    pub fn tls(&self) -> PathBuf {
        self.site.directory.join("etc/tls")
    }

    /// Settings by which librdkafka shows the certificate of `tenant`, as kcat takes them.
    pub fn rdkafka(&self, tenant: &str) -> Result<Vec<String>> {
        self.client(tenant)?;
        let file = |name: String| self.tls().join(name).display().to_string();
        Ok(vec![
            "security.protocol=ssl".into(),
            format!("ssl.ca.location={}", file("ca.pem".into())),
            format!("ssl.certificate.location={}", file(format!("{tenant}.pem"))),
            format!("ssl.key.location={}", file(format!("{tenant}.key"))),
        ])
    }

    /// The same for Kafka's own tools: a file for `--command-config`.
    pub fn java(&self, tenant: &str) -> Result<PathBuf> {
        self.client(tenant)?;
        let file = |name: String| self.tls().join(name).display().to_string();
        let mut text = String::from("security.protocol=SSL\nssl.keystore.type=PEM\nssl.truststore.type=PEM\n");
        writeln!(text, "ssl.keystore.location={}", file(format!("{tenant}.both")))?;
        writeln!(text, "ssl.truststore.location={}", file("ca.pem".into()))?;
        let path = self.tls().join(format!("{tenant}.properties"));
        fs::write(&path, text)?;
        Ok(path)
    }

    /// kcat as a client of `tenant`.
    pub fn kcat(&self, tenant: &str, arguments: &[&str], input: &str) -> Result<Ran> {
        let (settings, at) = (self.rdkafka(tenant)?, self.bootstrap());
        let mut all = vec!["-b", &*at];
        settings.iter().for_each(|setting| all.extend(["-X", setting]));
        all.extend(arguments);
        Client::kcat()?.run(&all, input)
    }

    /// One of Kafka's tools as a client of `tenant`.
    pub fn tool(&self, tenant: &str, name: &str, arguments: &[&str], input: &str) -> Result<Ran> {
        let (at, config) = (self.bootstrap(), self.java(tenant)?);
        let all = [&["--bootstrap-server", &*at, "--command-config", cli::text(&config)?], arguments].concat();
        Client::tool(name)?.run(&all, input)
    }

    /// `partywall tenant <verb> <tenant>`; gives the time at which the command was given.
    pub fn tenant(&self, verb: &str, tenant: &str) -> Result<Instant> {
        let given = Instant::now();
        cli::run(&["tenant", verb, tenant, "--dir", cli::text(&self.site.bundles())?])?;
        Ok(given)
    }

    /// What the filter told of connections and decisions, one JSON object each.
    pub fn told(&self) -> Vec<serde_json::Value> {
        let errors = self.envoy.errors();
        let lines = errors.lines().filter_map(|line| line.split_once("partywall: event ")).map(|(_, json)| json);
        lines.filter_map(|json| serde_json::from_str(json.trim_end()).ok()).collect()
    }

    /// Each worker gets a bundle at its own time, and the main thread before them has a VM, too.
    fn wait_for_policy(&mut self) -> Result<()> {
        self.envoy.wait_until_ready()?;
        let workers = self.started.3;
        let in_force = |envoy: &Envoy| {
            let told = envoy.errors();
            told.lines().filter(|line| line.contains("is in force")).count()
        };
        let ready = wait::until(PATIENCE, || {
            let all = in_force(&self.envoy) > usize::from(workers);
            // And an overlay, without which nobody is served: a tenth of a second later.
            all.then(|| std::thread::sleep(Duration::from_millis(1500)))
        });
        self.envoy.check_alive()?;
        ready.with_context(|| format!("not every worker has a bundle:\n{}", self.envoy.errors()))
    }
}

fn begin(site: &Site, (text, ports, admin, workers): &(String, Vec<u16>, u16, u8)) -> Result<Envoy> {
    let how = Start {
        name: "kafka",
        bootstrap: Bootstrap::rendered(text.clone(), ports.clone()),
        admin: Some(*admin),
        environment: site.environment(ENVIRONMENT)?,
        directory: &site.directory,
    };
    Envoy::start_with(how, *workers)
}

fn serve(site: &Site) -> Result<Process> {
    let mut command = cli::serve(&site.bundles(), &site.keys(), site.ports.bundles)?;
    let mut process = Process::start("bundles", &mut command, &site.directory.join("logs"))?;
    let served = wait::until(PATIENCE, || {
        let there = |path: &&str| {
            let answer = Request::get(path).header("host", "bundles").send(local(site.ports.bundles));
            answer.is_ok_and(|answer| answer.status == 200)
        };
        ["/tenancy.events.bundle", "/tenancy.overlay"].iter().all(there).then_some(())
    });
    process.check_alive()?;
    if served.is_none() {
        bail!("`partywall serve` serves nothing: {}", process.errors());
    }
    Ok(process)
}

fn events(options: &Options<'_>, port: u16, listens: &[u16]) -> String {
    let addresses: Vec<String> =
        listens.iter().enumerate().map(|(id, port)| format!("{}: \"127.0.0.1:{port}\"", id + 1)).collect();
    let brokers = if options.sni.is_empty() {
        format!("listed: {{ {} }}", addresses.join(", "))
    } else {
        format!("sni: \"{}:{port}\"", options.sni)
    };
    format!(
        "clusters:\n  - cluster: shop-events\n    spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy\n    region: \
         eu\n    identity: {}\n    brokers: {{ {brokers} }}\n{}",
        options.identity, options.cluster
    )
}

fn deployed(
    options: &Options<'_>,
    site: &Site,
    brokers: &Brokers,
    (port, admin): (u16, u16),
    listens: &[u16],
) -> String {
    let here = |port: u16| format!("address: 127.0.0.1, port: {port}");
    let mut text = format!(
        "admin: {{ {} }}\nbundles: {{ {} }}\nfiles: {}\nedge: {{ spiffe_id: spiffe://mesh.example/ns/edge/sa/gateway, listen: \
         {{ {} }} }}\nservices: []\nevents:\n  - cluster: shop-events\n    listen: {{ {} }}\n    plain: {}\n    brokers:\n",
        here(admin),
        here(site.ports.bundles),
        site.directory.join("etc").display(),
        here(port),
        here(port),
        options.plain,
    );
    for (id, listen) in listens.iter().enumerate() {
        let at = here(brokers.port(id, options.listener));
        let listen = if options.sni.is_empty() { format!(", listen: {{ {} }}", here(*listen)) } else { String::new() };
        let _ = writeln!(text, "      - {{ id: {}, {at}{listen} }}", id + 1);
    }
    text
}

impl Identity {
    /// Writes `<name>.pem`, `<name>.key`, and both as `<name>.both`.
    pub fn write(&self, directory: &Path, name: &str) -> Result<()> {
        let (certificate, key) = self.pem();
        fs::write(directory.join(format!("{name}.pem")), &certificate)?;
        fs::write(directory.join(format!("{name}.key")), &key)?;
        Ok(fs::write(directory.join(format!("{name}.both")), key + &certificate)?)
    }
}
