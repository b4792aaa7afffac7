//! Two cells of one service behind one edge, as `partywall render envoy` writes them. The first cell fetches its bundles
//! from a folder of its own, so that it can be left behind.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bootstrap::Bootstrap;
use crate::certificates::Workload;
use crate::envoy::{Envoy, Start, environment};
use crate::issuers::{Provider, viewer};
use crate::mesh::unique;
use crate::ports::local;
use crate::process::Process;
use crate::raw::{Request, Response};
use crate::roots::{Root, secret};
use crate::site::{Site, tenancy};
use crate::stand_in::{Says, StandIn};
use crate::{cli, variant, wait};

const PATIENCE: Duration = Duration::from_secs(30);
/// As in `mesh`: so many answers in a row mean that every worker decides.
const IN_A_ROW: usize = 16;

/// The names of the two cells.
pub const CELLS: [&str; 2] = ["eu-1", "eu-2"];

const DEPLOYMENT: &str = "
admin: { address: admin, port: 9901 }
bundles: { address: bundles, port: 8400 }
edge: { spiffe_id: spiffe://mesh.example/ns/edge/sa/gateway, listen: { address: edge, port: 8080 } }
services:
  - { service: invoices, address: invoices, port: 15006, app: { address: app, port: 8080 } }
  - service: orders
    cell: eu-1
    address: orders-eu-1
    port: 15006
    failover: [{ address: spare-eu-1, port: 15006 }]
    app: { address: app, port: 8080 }
  - { service: orders, cell: eu-2, address: orders-eu-2, port: 15006, app: { address: app, port: 8080 } }
";

/// About to be started.
pub struct Plan {
    /// Its directory.
    pub site: Site,
    /// Texts that are replaced in the bootstrap of an Envoy once it is rendered.
    pub changes: Vec<(&'static str, String, String)>,
    _turn: MutexGuard<'static, ()>,
}

impl Plan {
    /// The sample in which `acme` is in the first cell, `globex` in the second and `initech` in none.
    pub fn prepare(name: &str) -> Result<Self> {
        let turn = variant::turn();
        let site = Site::prepare(name, |_| ())?;
        let plan = Self { site, changes: Vec::new(), _turn: turn };
        variant::copy(&tenancy(), &plan.tenancy())?;
        fs::write(plan.site.directory.join("deployment.yaml"), DEPLOYMENT)?;
        plan.edit("mesh.yaml", "cells: [{", "cells: [{ cell: eu-2, region: eu }, {")?;
        plan.edit("profiles/gold.yaml", "# cell: eu-1", "cell: eu-1")?;
        plan.edit("services/orders.yaml", "clusters: [orders]", "clusters: [orders, orders.eu-1, orders.eu-2]")?;
        plan.edit("tenants/globex.yaml", "residency: us", "residency: eu\ncell: eu-2")?;
        Ok(plan)
    }

    fn tenancy(&self) -> PathBuf {
        self.site.directory.join("tenancy")
    }

    /// Puts `to` where `from` stands in a file of the tenancy directory.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        edit(&self.tenancy().join(file), from, to)
    }

    /// Starts all of it, and waits until every worker decides.
    pub fn start(self) -> Result<Cells> {
        let p = self.site.ports;
        // What each name of the deployment stands for here; the sidecar of `invoices` is not there.
        let ports = HashMap::from([
            ("edge", p.edge),
            ("invoices", p.orders_control),
            ("orders-eu-1", p.orders_inbound),
            ("spare-eu-1", p.invoices_outbound),
            ("orders-eu-2", p.invoices_inbound),
        ]);
        let apps = [p.orders_app, p.invoices_app].map(|port| StandIn::start(port, |_, _| Says(200, Vec::new())));
        let [one, two] = apps;
        let directory = self.site.directory.clone();
        compile(&self.site, &[])?;
        let behind = directory.join("bundles-eu-1");
        variant::copy(&self.site.bundles(), &behind)?;
        let serve = |name: &str, folder: &Path, port| {
            Process::start(name, &mut cli::serve(folder, &self.site.keys(), port)?, &directory.join("logs"))
        };
        let servers =
            [serve("bundles", &self.site.bundles(), p.bundles)?, serve("bundles-eu-1", &behind, p.invoices_control)?];
        let mut envoys = Vec::new();
        for (name, admin, bundles, app) in [
            ("edge", p.edge_admin, p.bundles, 0),
            ("orders-eu-1", p.orders_admin, p.invoices_control, p.orders_app),
            ("orders-eu-2", p.invoices_admin, p.bundles, p.invoices_app),
        ] {
            let mut arguments = vec!["render", "envoy", cli::text(&directory)?];
            let folder = self.tenancy();
            arguments[2] = cli::text(&folder)?;
            match name.strip_prefix("orders-") {
                Some(cell) => arguments.extend(["--role", "sidecar", "--service", "orders", "--cell", cell]),
                None => arguments.extend(["--role", "edge"]),
            }
            let mut text = cli::run(&arguments)?;
            for (_, from, to) in self.changes.iter().filter(|(of, ..)| *of == name) {
                anyhow::ensure!(text.contains(from.as_str()), "the bootstrap of {name} has no `{from}`");
                text = text.replace(from.as_str(), to);
            }
            let path = directory.join(format!("{name}.rendered.yaml"));
            fs::write(&path, text)?;
            let mut placed =
                Bootstrap::read(cli::text(&path)?)?.address("bundles", 8400, bundles)?.address("admin", 9901, admin)?;
            placed = match app {
                0 => ports
                    .iter()
                    .filter(|(name, _)| **name != "edge")
                    .try_fold(placed.address("edge", 8080, p.edge)?, |placed, (name, port)| {
                        placed.address(name, 15006, *port)
                    })?,
                app => placed.address("0.0.0.0", 15006, ports[name])?.address("app", 8080, app)?,
            };
            let workload = if app == 0 { "edge" } else { "orders" };
            envoys.push(Envoy::start(Start {
                name,
                bootstrap: placed.installed_in(&directory.join("etc")),
                admin: Some(admin),
                environment: environment(&self.site.keys().join(format!("{workload}.env")))?,
                directory: &directory,
            })?);
        }
        for envoy in &mut envoys {
            envoy.wait_until_ready()?;
        }
        let cells = Cells { site: self.site, apps: [one?, two?], envoys, _servers: servers };
        cells.settle("the edge has a bundle", || Ok(cells.client("acme", "/orders/7", &[])?.status != 503))?;
        for cell in CELLS {
            cells.settle(cell, || Ok(cells.direct(cell, "acme")?.status != 503))?;
        }
        Ok(cells)
    }
}

/// Running.
pub struct Cells {
    /// Its directory.
    pub site: Site,
    /// The app of each cell.
    pub apps: [StandIn; 2],
    envoys: Vec<Envoy>,
    _servers: [Process; 2],
}

impl Cells {
    /// A viewer of `tenant` at the edge.
    pub fn client(&self, tenant: &'static str, path: &str, more: &[(&str, &str)]) -> Result<Response> {
        let provider = if tenant == "acme" { Provider::Acme } else { Provider::Shared };
        let token = self.site.issuers.token(&viewer(provider, tenant), &unique())?;
        let host = format!("{tenant}.shop.example");
        let request = Request::get(path).header("host", host).header("authorization", format!("Bearer {token}"));
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
        request.send(local(self.site.ports.edge))
    }

    /// The sidecar of a cell, asked as the edge asks it, whatever the edge's routes say.
    pub fn direct(&self, cell: &str, tenant: &str) -> Result<Response> {
        let environment = self.site.environment("edge")?;
        let key = environment.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING").context("no signing key")?;
        let root = Root::of(tenant, 0).signed(&secret(&key.1)?)?;
        let request = Request::get("/orders/7").header("host", "orders").header("x-partywall-context", root);
        let port = if cell == CELLS[0] { self.site.ports.orders_inbound } else { self.site.ports.invoices_inbound };
        request.send_as(self.site.certificates.of(Workload::Edge), local(port))
    }

    /// The Envoy called `edge`, or one of `orders-<cell>`.
    pub fn envoy(&mut self, name: &str) -> &mut Envoy {
        let at = ["edge", "orders-eu-1", "orders-eu-2"].iter().position(|known| *known == name);
        &mut self.envoys[at.expect("one of them")]
    }

    /// Puts `to` where `from` stands in a file of the tenancy directory.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        edit(&self.site.directory.join("tenancy").join(file), from, to)
    }

    /// `partywall tenant move` with these arguments.
    pub fn move_tenant(&self, tenant: &str, arguments: &[&str]) -> Result<String> {
        let folder = self.site.directory.join("tenancy");
        cli::run(&[&["tenant", "move", tenant, "--tenancy", cli::text(&folder)?], arguments].concat())
    }

    /// Compiles for the edge and the second cell.
    pub fn compile(&self, more: &[&str]) -> Result<String> {
        compile(&self.site, more)
    }

    /// Gives the first cell the bundles that the others have.
    pub fn catch_up(&self) -> Result<()> {
        let to = self.site.directory.join("bundles-eu-1");
        for audience in ["edge", "workload"] {
            let name = format!("tenancy.{audience}.bundle");
            fs::copy(self.site.bundles().join(&name), to.join(&name))?;
        }
        Ok(())
    }

    /// Waits until `good` holds many times in a row, so that it holds in every worker.
    pub fn settle(&self, what: &str, good: impl Fn() -> Result<bool>) -> Result<()> {
        let mut in_a_row = 0;
        let settled = wait::until(PATIENCE, || {
            in_a_row = if good().unwrap_or(false) { in_a_row + 1 } else { 0 };
            (in_a_row >= IN_A_ROW).then_some(())
        });
        let errors = || self.envoys.iter().map(Envoy::errors).collect::<String>();
        settled.with_context(|| format!("after {} s this does not hold: {what}\n{}", PATIENCE.as_secs(), errors()))
    }
}

fn compile(site: &Site, more: &[&str]) -> Result<String> {
    let (folder, keys, out) = (site.directory.join("tenancy"), site.keys(), site.bundles());
    let arguments = ["compile", cli::text(&folder)?, "--keys", cli::text(&keys)?, "--out", cli::text(&out)?];
    cli::run(&[&arguments[..], more].concat())
}

fn edit(path: &Path, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    anyhow::ensure!(text.contains(from), "{} has no `{from}`", path.display());
    Ok(fs::write(path, text.replace(from, to))?)
}
