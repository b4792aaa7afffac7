//! Everything a mesh needs on disk, in one directory: keys, certificates, tokens, a compiled tenancy directory.
//!
//! ```text
//! target/mesh/<name>/
//!   etc/        what is /etc/partywall elsewhere: partywall.wasm, tls/
//!   keys/       partywall keys new; JWK sets of the issuers
//!   bundles/    partywall compile; what partywall serve serves
//!   logs/       <process>.out (of an Envoy: its access log) and <process>.err
//!   *.yaml      the bootstraps as started
//! ```

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::access_log::Hop;
use crate::bootstrap::Bootstrap;
use crate::certificates::{Certificates, Workload};
use crate::envoy::{self, Start};
use crate::issuers::Issuers;
use crate::ports;
use crate::raw::{Request, Response};
use crate::roots::secret;
use crate::{artefacts, cli};

/// The mesh of the sample tenancy directory.
pub const MESH: &str = "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11";

/// Who listens where, on loopback.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Ports {
    pub edge: u16,
    pub edge_admin: u16,
    pub invoices_inbound: u16,
    pub invoices_outbound: u16,
    pub invoices_admin: u16,
    pub invoices_app: u16,
    pub invoices_control: u16,
    pub orders_inbound: u16,
    pub orders_admin: u16,
    pub orders_app: u16,
    pub orders_control: u16,
    pub bundles: u16,
}

impl Ports {
    fn free() -> Result<Self> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = ports::free()?;
        Ok(Self {
            edge: a,
            edge_admin: b,
            invoices_inbound: c,
            invoices_outbound: d,
            invoices_admin: e,
            invoices_app: f,
            invoices_control: g,
            orders_inbound: h,
            orders_admin: i,
            orders_app: j,
            orders_control: k,
            bundles: l,
        })
    }
}

/// A prepared directory.
pub struct Site {
    /// Where it is.
    pub directory: PathBuf,
    /// Who listens where.
    pub ports: Ports,
    /// The certificates.
    pub certificates: Certificates,
    /// The issuers of tokens.
    pub issuers: Issuers,
}

impl Site {
    /// Prepares `target/mesh/<name>` anew; `progress` is told of each step.
    pub fn prepare(name: &str, mut progress: impl FnMut(&str)) -> Result<Self> {
        let directory = artefacts::target().join("mesh").join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("cannot clear {}", directory.display()))?;
        }
        for part in ["etc", "logs", "bundles"] {
            fs::create_dir_all(directory.join(part))?;
        }
        symlink(artefacts::module()?, directory.join("etc/partywall.wasm"))?;

        progress("certificates: one authority, four workloads");
        let certificates = Certificates::make()?;
        certificates.write(&directory.join("etc/tls"))?;

        progress("keys of the mesh: partywall keys new");
        let keys = directory.join("keys");
        new_keys(&keys)?;
        let issuers = Issuers::make()?;
        issuers.write_key_sets(&keys)?;

        progress("bundle: partywall compile envoy-config/tenancy");
        let site = Self { directory, ports: Ports::free()?, certificates, issuers };
        compile(&tenancy(), &keys, &site.bundles(), Some(FIRST_REVISION))?;
        Ok(site)
    }

    /// The folder with the keys.
    pub fn keys(&self) -> PathBuf {
        self.directory.join("keys")
    }

    /// The folder that is served.
    pub fn bundles(&self) -> PathBuf {
        self.directory.join("bundles")
    }

    /// The environment of a workload's Envoy.
    pub fn environment(&self, workload: &str) -> Result<Vec<(String, String)>> {
        envoy::environment(&self.keys().join(format!("{workload}.env")))
    }

    /// The seed of the key by which the edge signs root contexts.
    pub fn signing_seed(&self) -> Result<Vec<u8>> {
        let environment = self.environment("edge")?;
        let signing = environment.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING");
        secret(&signing.context("the edge has no key that signs root contexts")?.1)
    }

    /// Where a hop listens.
    pub fn address(&self, hop: Hop) -> SocketAddr {
        let p = &self.ports;
        ports::local(match hop {
            Hop::Edge => p.edge,
            Hop::InvoicesInbound => p.invoices_inbound,
            Hop::InvoicesOutbound => p.invoices_outbound,
            Hop::OrdersInbound => p.orders_inbound,
        })
    }

    /// Sends a request to a hop: to sidecars' inbound listeners over mutual TLS as `workload`.
    pub fn send(&self, hop: Hop, workload: Workload, request: &Request) -> Result<Response> {
        let to = self.address(hop);
        match hop {
            Hop::Edge | Hop::InvoicesOutbound => request.send(to),
            Hop::InvoicesInbound | Hop::OrdersInbound => request.send_as(self.certificates.of(workload), to),
        }
    }

    /// The bootstrap of `edge`, `invoices` or `orders`, made to run here.
    pub fn bootstrap(&self, workload: &str) -> Result<Bootstrap> {
        let p = &self.ports;
        let read = Bootstrap::read(&format!("bootstraps/{workload}.yaml"))?;
        let placed = match workload {
            "edge" => read
                .address("0.0.0.0", 8080, p.edge)?
                .address("127.0.0.1", 9901, p.edge_admin)?
                .address("invoices-sidecar", 15006, p.invoices_inbound)?
                .address("orders-sidecar", 15006, p.orders_inbound)?,
            "invoices" => read
                .address("0.0.0.0", 15006, p.invoices_inbound)?
                .address("127.0.0.1", 15001, p.invoices_outbound)?
                .address("127.0.0.1", 9901, p.invoices_admin)?
                .address("127.0.0.1", 8080, p.invoices_app)?
                .address("orders-sidecar", 15006, p.orders_inbound)?,
            _ => read
                .address("0.0.0.0", 15006, p.orders_inbound)?
                .address("127.0.0.1", 9901, p.orders_admin)?
                .address("127.0.0.1", 8080, p.orders_app)?,
        };
        Ok(placed.address("bundles", 8400, p.bundles)?.installed_in(&self.directory.join("etc")))
    }

    /// How to start the Envoy of `edge`, `invoices` or `orders`.
    pub fn start<'a>(&'a self, workload: &'a str) -> Result<Start<'a>> {
        let admin = match workload {
            "edge" => self.ports.edge_admin,
            "invoices" => self.ports.invoices_admin,
            _ => self.ports.orders_admin,
        };
        Ok(Start {
            name: workload,
            bootstrap: self.bootstrap(workload)?,
            admin: Some(admin),
            environment: self.environment(workload)?,
            directory: &self.directory,
        })
    }
}

/// The revision that a new site serves: high enough for an older one to exist.
pub const FIRST_REVISION: u64 = 5;

/// The sample tenancy directory.
pub fn tenancy() -> PathBuf {
    artefacts::root().join("envoy-config/tenancy")
}

/// `partywall keys new` for the workloads of the sample mesh.
pub fn new_keys(directory: &Path) -> Result<()> {
    let directory = cli::text(directory)?;
    cli::run(&["keys", "new", directory, "--signer", "edge-1=edge", "--sidecar", "invoices", "--sidecar", "orders"])?;
    Ok(())
}

/// `partywall compile`, signed with the keys found in `keys`.
pub fn compile(tenancy: &Path, keys: &Path, out: &Path, revision: Option<u64>) -> Result<()> {
    let revision = revision.map(|n| n.to_string());
    let mut arguments = vec!["compile", cli::text(tenancy)?, "--keys", cli::text(keys)?, "--out", cli::text(out)?];
    if let Some(revision) = &revision {
        arguments.extend(["--revision", revision]);
    }
    cli::run(&arguments)?;
    Ok(())
}
