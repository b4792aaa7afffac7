//! The whole mesh on this machine: edge, two sidecars, two apps, a bundle server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::access_log::{Hop, Line};
use crate::bootstrap::Bootstrap;
use crate::certificates::Workload;
use crate::envoy::Envoy;
use crate::issuers::Token;
use crate::ports::local;
use crate::process::Process;
use crate::raw::{Request, Response};
use crate::services::{App, Place, headers, serve};
use crate::site::{MESH, Site};
use crate::{cli, wait};

const PATIENCE: Duration = Duration::from_secs(30);
/// Each Envoy runs two workers, each with VMs of its own, and the kernel picks one per connection:
/// this many answers in a row mean that all of them have the bundle.
const IN_A_ROW: usize = 12;

/// Everything in one filter.
pub const SIDECAR: &[&str] = &["sidecar"];
/// The same, as two filters.
pub const STAGES: &[&str] = &["tenant_context", "authorization"];

/// What kind of mesh to start.
pub struct Options<'a> {
    /// Its folder under `target/mesh/`.
    pub name: &'a str,
    /// The root ids that run in each Envoy, one filter each: [`SIDECAR`] or [`STAGES`].
    pub filters: &'a [&'a str],
    /// Start the bundle server at once; without it every answer is 503.
    pub bundles: bool,
    /// Is told of each step.
    pub progress: fn(&str),
}

impl Options<'_> {
    /// The mesh of the demo, started quietly.
    pub fn named(name: &str) -> Options<'_> {
        Options { name, filters: SIDECAR, bundles: true, progress: |_| () }
    }
}

/// What one request left in the apps.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The root context, as `orders` got it.
    pub root: String,
    /// `traceparent`, as `invoices` got it.
    pub traceparent: String,
    /// `tracestate` with the handle, as `invoices` got it.
    pub tracestate: String,
}

/// A running mesh. It stops when it is dropped, or when this process ends in any other way.
pub struct Mesh {
    /// Its directory.
    pub site: Site,
    /// The edge.
    pub edge: Envoy,
    /// The sidecar of `invoices`.
    pub invoices: Envoy,
    /// The sidecar of `orders`.
    pub orders: Envoy,
    bundles: Option<Process>,
    _apps: Runtime,
}

impl Mesh {
    /// Starts it and waits until every worker of every Envoy decides.
    pub fn start(options: &Options<'_>) -> Result<Self> {
        let site = Site::prepare(options.name, options.progress)?;
        let p = site.ports;
        let apps = Runtime::new()?;
        for place in [
            Place {
                app: App::Invoices,
                listen: local(p.invoices_app),
                control: Some(local(p.invoices_control)),
                outbound: Some(local(p.invoices_outbound)),
            },
            Place {
                app: App::Orders,
                listen: local(p.orders_app),
                control: Some(local(p.orders_control)),
                outbound: None,
            },
        ] {
            apps.spawn(async move {
                if let Err(error) = serve(place).await {
                    eprintln!("{error:#}");
                }
            });
        }
        (options.progress)("three Envoys: edge, invoices' sidecar, orders' sidecar");
        let envoy = |workload: &'static str| {
            let mut how = site.start(workload)?;
            how.bootstrap = how.bootstrap.with_filters(options.filters)?;
            Envoy::start(how)
        };
        let (edge, invoices, orders) = (envoy("edge")?, envoy("invoices")?, envoy("orders")?);
        let mut mesh = Self { site, edge, invoices, orders, bundles: None, _apps: apps };
        if options.bundles {
            mesh.start_bundles()?;
        }
        for envoy in [&mut mesh.edge, &mut mesh.invoices, &mut mesh.orders] {
            envoy.wait_until_ready()?;
        }
        if options.bundles {
            (options.progress)("waiting for the first bundle in every worker");
            mesh.wait_for_policy()?;
        }
        Ok(mesh)
    }

    /// Starts `partywall serve`.
    pub fn start_bundles(&mut self) -> Result<()> {
        let mut command = cli::serve(&self.site.bundles(), &self.site.keys(), self.site.ports.bundles)?;
        let mut process = Process::start("bundles", &mut command, &self.site.directory.join("logs"))?;
        let mut ended = None;
        let served = wait::until(PATIENCE, || {
            ended = process.check_alive().err();
            let there = |path| self.bundle_server(path).is_ok_and(|r| r.status == 200);
            let paths = ["/tenancy.edge.bundle", "/tenancy.workload.bundle", "/tenancy.overlay"];
            (ended.is_some() || paths.into_iter().all(there)).then_some(())
        });
        if let Some(error) = ended {
            return Err(error);
        }
        served.context("`partywall serve` serves nothing")?;
        self.bundles = Some(process);
        Ok(())
    }

    /// Starts the Envoy of `edge`, `invoices` or `orders` anew, with a bootstrap that is not as shipped.
    pub fn restart(
        &mut self,
        workload: &'static str,
        change: impl FnOnce(Bootstrap) -> Result<Bootstrap>,
    ) -> Result<()> {
        let mut how = self.site.start(workload)?;
        how.bootstrap = change(how.bootstrap)?;
        let envoy = match workload {
            "edge" => &mut self.edge,
            "invoices" => &mut self.invoices,
            _ => &mut self.orders,
        };
        envoy.stop();
        *envoy = Envoy::start(how)?;
        envoy.wait_until_ready()?;
        self.wait_for_policy()
    }

    /// Waits until every worker of every Envoy has a bundle and an overlay.
    pub fn wait_for_policy(&mut self) -> Result<()> {
        for hop in Hop::ALL {
            let mut in_a_row = 0;
            let ready = wait::until(PATIENCE, || {
                let probe = Request::get("/ready-yet").header("host", "orders");
                match self.send(hop, Workload::Edge, &probe) {
                    Ok(answer) if answer.status != 503 => in_a_row += 1,
                    _ => in_a_row = 0,
                }
                (in_a_row >= IN_A_ROW).then_some(())
            });
            if ready.is_none() {
                self.check_alive()?;
                bail!("{hop} has no bundle after {} s; logs in {}", PATIENCE.as_secs(), self.site.directory.display());
            }
        }
        Ok(())
    }

    /// Sends a request to a hop: to sidecars' inbound listeners over mutual TLS as `workload`.
    pub fn send(&self, hop: Hop, workload: Workload, request: &Request) -> Result<Response> {
        self.site.send(hop, workload, request)
    }

    /// Sends a request to the edge, as a client.
    pub fn ask(&self, request: &Request) -> Result<Response> {
        self.send(Hop::Edge, Workload::Edge, request)
    }

    /// Where a hop listens.
    pub fn address(&self, hop: Hop) -> SocketAddr {
        self.site.address(hop)
    }

    /// A GET to the bundle server.
    pub fn bundle_server(&self, path: &str) -> Result<Response> {
        Request::get(path).header("host", "bundles").send(local(self.site.ports.bundles))
    }

    /// An `Authorization` header's value with a fresh token.
    pub fn bearer(&self, token: &Token) -> Result<String> {
        let id = format!("{}-{}", token.subject, unique());
        Ok(format!("Bearer {}", self.site.issuers.token(token, &id)?))
    }

    /// A client's request: to the host of `tenant`, with a fresh token.
    pub fn client(&self, method: &str, tenant: &str, path: &str, token: &Token) -> Result<Request> {
        let host = format!("{tenant}.shop.example");
        Ok(Request::new(method, path).header("host", host).header("authorization", self.bearer(token)?))
    }

    /// Lets a request go all the way and gives what an eavesdropper in the app `orders` would keep of it.
    pub fn capture(&self, tenant: &str, token: &Token) -> Result<Captured> {
        let mark = unique();
        let answer = self.ask(&self.client("GET", tenant, &format!("/invoices/{mark}"), token)?)?;
        ensure!(answer.status == 200, "status {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        let only = |app, name: &str| -> Result<String> {
            let seen = self.seen_of(app, &mark)?;
            let [one] = &seen[..] else { bail!("{} requests reached the app", seen.len()) };
            headers(one, name).pop().with_context(|| format!("the app got no {name}"))
        };
        Ok(Captured {
            root: only(App::Orders, "x-partywall-context")?,
            traceparent: only(App::Invoices, "traceparent")?,
            tracestate: only(App::Invoices, "tracestate")?,
        })
    }

    /// A root context signed with a key of an attacker's own.
    pub fn forged_root(&self, tenant: &str) -> Result<String> {
        self.site.issuers.forged_root(MESH, tenant)
    }

    /// `partywall tenant <verb> <tenant>`; gives the time at which the command was given.
    pub fn tenant(&self, verb: &str, tenant: &str) -> Result<Instant> {
        let given = Instant::now();
        cli::run(&["tenant", verb, tenant, "--dir", cli::text(&self.site.bundles())?])?;
        Ok(given)
    }

    /// What reached an app, oldest first.
    pub fn seen(&self, app: App) -> Result<Vec<Value>> {
        let port = match app {
            App::Invoices => self.site.ports.invoices_control,
            App::Orders => self.site.ports.orders_control,
        };
        let answer = Request::get("/__seen").header("host", "control").send(local(port))?;
        Ok(answer.json().as_array().cloned().unwrap_or_default())
    }

    /// What reached an app of the requests whose path holds `mark`.
    pub fn seen_of(&self, app: App, mark: &str) -> Result<Vec<Value>> {
        let holds = |seen: &Value| seen["path"].as_str().is_some_and(|path| path.contains(mark));
        Ok(self.seen(app)?.into_iter().filter(holds).collect())
    }

    /// The access logs of all hops, one after the other.
    pub fn lines(&self) -> Vec<Line> {
        [&self.edge, &self.invoices, &self.orders].iter().flat_map(|envoy| envoy.log().lines()).collect()
    }

    /// The access log line for which `wanted` holds, once it is written.
    pub fn line(&self, wanted: impl Fn(&Line) -> bool) -> Result<Line> {
        let found = wait::until(Duration::from_secs(3), || self.lines().into_iter().find(&wanted));
        found.context("no such line in the access logs")
    }

    /// An error if any process has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        for envoy in [&mut self.edge, &mut self.invoices, &mut self.orders] {
            envoy.check_alive()?;
        }
        self.bundles.as_mut().map_or(Ok(()), Process::check_alive)
    }
}

/// A word that no other request of this process carries.
pub fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("r{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
