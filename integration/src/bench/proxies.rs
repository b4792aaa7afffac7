//! Envoys that differ in the filter alone, each with one worker, and the app behind them.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};

use super::cpu::Thread;
use crate::artefacts;
use crate::bootstrap::Bootstrap;
use crate::envoy::{Envoy, Start};
use crate::ports::{free, local};
use crate::raw::{Connection, Request};
use crate::site::Site;
use crate::wait;

/// What runs where the shipped configuration has the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Nothing.
    Bare,
    /// A module that does nothing.
    NoOp,
    /// Partywall as shipped.
    Partywall,
    /// Partywall that asks the host for no signature.
    Pure,
}

impl Filter {
    /// Its word in names of figures.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::NoOp => "no-op",
            Self::Partywall => "host",
            Self::Pure => "pure",
        }
    }

    /// The file in `etc/`, put there.
    fn module(self, etc: &Path) -> Result<&'static str> {
        let (name, built) = match self {
            // `Site` put it there.
            Self::Bare | Self::Partywall => return Ok("partywall.wasm"),
            Self::Pure => ("partywall-pure.wasm", fs::read(artefacts::pure_module()?)?),
            Self::NoOp => ("no-op.wasm", wat::parse_str(include_str!("no-op.wat"))?),
        };
        fs::write(etc.join(name), built)?;
        Ok(name)
    }
}

/// One Envoy under load.
pub struct Proxy {
    /// What runs in it.
    pub filter: Filter,
    /// Where it listens.
    pub address: SocketAddr,
    /// The thread that serves requests.
    pub worker: Thread,
    envoy: Envoy,
}

/// Where a proxy gets what it needs.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The keys, certificates and modules.
    pub site: &'a Site,
    /// The port of `partywall serve`.
    pub bundles: u16,
    /// The port of the app.
    pub app: u16,
}

impl Proxy {
    /// The edge, with `orders` behind it as plain HTTP: what mutual TLS to the next hop costs is not measured.
    /// `name` is its own among all proxies of the site.
    pub fn edge(place: &Place<'_>, name: &str, filter: Filter) -> Result<Self> {
        let [listener, admin, nobody] = free()?;
        let text = fs::read_to_string(artefacts::root().join("envoy-config/bootstraps/edge.yaml"))?;
        let (before, rest) = text.split_once("    - name: orders\n").context("edge.yaml has no cluster `orders`")?;
        let (_, after) = rest.split_once("    # `partywall serve`.").context("edge.yaml has no `partywall serve`")?;
        let plain = "    - name: orders\n      type: STATIC\n      connect_timeout: 1s\n      load_assignment:\n        \
                     cluster_name: orders\n        endpoints:\n          - lb_endpoints:\n              - endpoint: \
                     { address: { socket_address: { address: orders-app, port_value: 80 } } }\n";
        let text = format!("{before}{plain}    # `partywall serve`.{after}")
            .replace("PARTYWALL_SHARED_STATE", "PARTYWALL_SHARED_STATE, PARTYWALL_ISSUER_KEYS")
            .replace(
                "shared_state: PARTYWALL_SHARED_STATE, PARTYWALL_ISSUER_KEYS",
                "shared_state: PARTYWALL_SHARED_STATE, issuer_keys: PARTYWALL_ISSUER_KEYS",
            );
        let bootstrap = read(place, name, &text)?
            .address("0.0.0.0", 8080, listener)?
            .address("127.0.0.1", 9901, admin)?
            .address("invoices-sidecar", 15006, nobody)?
            .address("orders-app", 80, place.app)?;
        let mut environment = place.site.environment("edge")?;
        environment.push(("PARTYWALL_ISSUER_KEYS".into(), super::algorithms::ISSUER_KEYS.into()));
        start(place, name, filter, bootstrap, listener, admin, environment)
    }

    /// The sidecar of `orders`, inbound.
    pub fn orders(place: &Place<'_>, name: &str, filter: Filter) -> Result<Self> {
        let [listener, admin] = free()?;
        let text = fs::read_to_string(artefacts::root().join("envoy-config/bootstraps/orders.yaml"))?;
        let bootstrap = read(place, name, &text)?
            .address("0.0.0.0", 15006, listener)?
            .address("127.0.0.1", 9901, admin)?
            .address("127.0.0.1", 8080, place.app)?;
        start(place, name, filter, bootstrap, listener, admin, place.site.environment("orders")?)
    }

    /// The Envoy itself.
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// The revision of the bundle in force.
    pub fn revision(&self) -> Result<f64> {
        self.envoy.metric("partywall_bundle_revision", &[])
    }

    /// Waits until it lets `request` through.
    pub fn wait_for(&mut self, request: &Request, connection: &mut Connection) -> Result<()> {
        let mut last = None;
        let bytes = request.bytes();
        let there = wait::until(std::time::Duration::from_secs(30), || {
            connection.send(&bytes).ok()?;
            let answer = connection.receive().ok()?;
            last = Some((answer.status, answer.reason()));
            (answer.status == 200).then_some(())
        });
        there.with_context(|| format!("{:?} answers {last:?}:\n{}", self.filter, self.envoy.errors()))
    }
}

fn read(place: &Place<'_>, name: &str, text: &str) -> Result<Bootstrap> {
    let changed = place.site.directory.join(format!("{name}.changed.yaml"));
    fs::write(&changed, text)?;
    Bootstrap::read(crate::cli::text(&changed)?)?.address("bundles", 8400, place.bundles)
}

fn start(
    place: &Place<'_>,
    name: &str,
    filter: Filter,
    bootstrap: Bootstrap,
    listener: u16,
    admin: u16,
    environment: Vec<(String, String)>,
) -> Result<Proxy> {
    let etc = place.site.directory.join("etc");
    let module = filter.module(&etc)?;
    let bootstrap = match filter {
        Filter::Bare => bootstrap.with_filters(&[])?,
        _ => bootstrap.replace("partywall.wasm } }", &format!("{module} }} }}"))?,
    };
    let start = Start {
        name,
        bootstrap: bootstrap.installed_in(&etc),
        admin: Some(admin),
        environment,
        directory: &place.site.directory,
    };
    let mut envoy = Envoy::start_with(start, 1)?;
    envoy.wait_until_ready()?;
    let worker = Thread::named(envoy.id(), "wrk:worker_0")?;
    Ok(Proxy { filter, address: local(listener), worker, envoy })
}

/// The app: answers each request at once and keeps the connection. Gives its port.
pub fn app() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer_all(stream));
        }
    });
    Ok(port)
}

/// Until the other side goes, which is no error.
fn answer_all(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut got, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let n = stream.read(&mut chunk)?;
        ensure!(n > 0, "closed");
        got.extend_from_slice(&chunk[..n]);
        // Requests of this bench have no body.
        if got.ends_with(b"\r\n\r\n") {
            got.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
}
