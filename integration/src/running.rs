//! A mesh that runs, as a [`Variant`](crate::variant::Variant) starts it.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::access_log::{Hop, Line};
use crate::certificates::Workload;
use crate::envoy::Envoy;
use crate::issuers::{Provider, viewer};
use crate::mesh::unique;
use crate::ports::local;
use crate::process::Process;
use crate::raw::{Request, Response};
use crate::roots::Root;
use crate::services::App;
use crate::site::{Site, compile};
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(30);
/// As in `mesh`: so many answers in a row mean that every worker decides.
const IN_A_ROW: usize = 12;
/// A bundle is asked for every three seconds.
const BUNDLE: Duration = Duration::from_secs(12);
const REVISION: &str = "partywall_bundle_revision";

/// A mesh that runs. It stops when it is dropped, or when this process ends in any other way.
pub struct Running {
    /// Its directory.
    pub site: Site,
    pub(crate) envoys: Vec<(&'static str, Envoy)>,
    pub(crate) _bundles: Process,
    pub(crate) _apps: Runtime,
}

impl Running {
    /// The Envoy of a workload.
    pub fn envoy(&self, workload: &str) -> Result<&Envoy> {
        let found = self.envoys.iter().find(|(of, _)| *of == workload);
        Ok(&found.with_context(|| format!("{workload} is not part of this mesh"))?.1)
    }

    /// Stops all Envoys, in order: what they log is told to its end then.
    pub fn stop(&mut self) {
        self.envoys.iter_mut().for_each(|(_, envoy)| envoy.stop());
    }

    /// Sends a request to a hop: to sidecars' inbound listeners over mutual TLS as `workload`.
    pub fn send(&self, hop: Hop, workload: Workload, request: &Request) -> Result<Response> {
        self.site.send(hop, workload, request)
    }

    /// Asks the sidecar of `invoices` for acme, as the edge would: by `path`, before which another method than GET may
    /// stand, with these headers beside the root context.
    pub fn ask_invoices(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let (method, path) = path.split_once(' ').unwrap_or(("GET", path));
        let root = Root::of("acme", 0).signed(&self.site.signing_seed()?)?;
        let request = Request::new(method, path).header("host", "invoices").header("x-partywall-context", root);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
        self.send(Hop::InvoicesInbound, Workload::Edge, &request)
    }

    /// Waits until `ask` is answered by every worker with anything but 503.
    pub fn wait_for(&self, what: &str, ask: impl Fn() -> Result<Response>) -> Result<()> {
        let mut in_a_row = 0;
        let ready = wait::until(PATIENCE, || {
            in_a_row = if ask().is_ok_and(|answer| answer.status != 503) { in_a_row + 1 } else { 0 };
            (in_a_row >= IN_A_ROW).then_some(())
        });
        let logs =
            || self.envoys.iter().map(|(name, envoy)| format!("{name}:\n{}", envoy.errors())).collect::<String>();
        ready.with_context(|| format!("{what} has no bundle after {} s\n{}", PATIENCE.as_secs(), logs()))
    }

    /// The same for these hops, with a request that says nothing.
    pub fn wait_for_policy(&self, hops: &[Hop]) -> Result<()> {
        let probe = Request::get("/ready-yet").header("host", "orders");
        hops.iter().try_for_each(|hop| self.wait_for(&hop.to_string(), || self.send(*hop, Workload::Edge, &probe)))
    }

    /// The line of the request with this id at `hop`, once it is written.
    pub fn line(&self, hop: Hop, id: &str) -> Result<Line> {
        let all = || self.envoys.iter().flat_map(|(_, envoy)| envoy.log().lines());
        let found = wait::until(Duration::from_secs(3), || {
            all().find(|line| line.hop == hop && line.field("request_id") == id)
        });
        found.with_context(|| format!("{hop} logged no request {id}"))
    }

    /// The lines that these workloads' Envoys log for the request with this id, once each wrote one.
    pub fn lines(&self, workloads: &[&str], id: &str) -> Result<Vec<Line>> {
        let envoys: Vec<&Envoy> = workloads.iter().map(|workload| self.envoy(workload)).collect::<Result<_>>()?;
        let found = wait::until(Duration::from_secs(5), || {
            let all = envoys.iter().flat_map(|envoy| envoy.log().lines());
            let lines: Vec<Line> = all.filter(|line| line.field("request_id") == id).collect();
            (lines.len() == workloads.len()).then_some(lines)
        });
        found.with_context(|| format!("not one line of request {id} by each of {workloads:?}"))
    }

    /// Compiles the tenancy directory as it is now, and waits until every worker of every Envoy decides by it.
    pub fn publish(&self, revision: u64) -> Result<()> {
        let site = &self.site;
        compile(&site.directory.join("tenancy"), &site.keys(), &site.bundles(), Some(revision))?;
        let newer = |envoy: &Envoy| envoy.metric(REVISION, &[]).is_ok_and(|found| found >= revision as f64);
        let all = || self.envoys.iter().all(|(_, envoy)| newer(envoy)).then_some(());
        wait::until(BUNDLE, all).with_context(|| format!("revision {revision} does not come into force"))?;
        // The metric is of the first worker that has it; the others follow within 200 ms.
        thread::sleep(Duration::from_secs(1));
        Ok(())
    }

    /// The status of an answer of the edge, and the exact reason in its log: empty where it let the request on.
    pub fn outcome(&self, answer: &Response) -> (u16, String) {
        let id = answer.header("x-request-id").expect("the edge tells the request's id");
        let reason = self.line(Hop::Edge, id).expect("the edge logs each request").field("reason");
        (answer.status, reason.trim_start_matches('-').into())
    }

    /// A request at the edge, as a viewer of `tenant`.
    pub fn client(&self, tenant: &'static str, path: &str) -> Result<Response> {
        self.client_with(tenant, path, &[])
    }

    /// The same with more headers.
    pub fn client_with(&self, tenant: &'static str, path: &str, more: &[(&str, &str)]) -> Result<Response> {
        let provider = if tenant == "acme" { Provider::Acme } else { Provider::Shared };
        let token = self.site.issuers.token(&viewer(provider, tenant), &unique())?;
        let host = format!("{tenant}.shop.example");
        let request = Request::get(path).header("host", host).header("authorization", format!("Bearer {token}"));
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
        self.send(Hop::Edge, Workload::Edge, &request)
    }

    /// A call of the app `invoices` for an order, through its sidecar: the status, and the exact reason of a denial.
    pub fn call(&self, id: &str, more: &[(&str, &str)]) -> Result<(u16, String)> {
        let request_id = unique();
        let request =
            Request::get(&format!("/orders/{id}")).header("host", "orders").header("x-request-id", request_id.as_str());
        let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
        let answer = self.send(Hop::InvoicesOutbound, Workload::Invoices, &request)?;
        let reason = self.line(Hop::InvoicesOutbound, &request_id)?.field("reason");
        Ok((answer.status, reason.trim_start_matches('-').into()))
    }

    /// What reached an app of the requests whose path holds the word `mark`.
    pub fn seen_of(&self, app: App, mark: &str) -> Result<Vec<Value>> {
        let port = match app {
            App::Invoices => self.site.ports.invoices_control,
            App::Orders => self.site.ports.orders_control,
        };
        let answer = Request::get("/__seen").header("host", "control").send(local(port))?;
        let all = answer.json().as_array().cloned().unwrap_or_default();
        // `r1x2` is no part of `r1x20`.
        let holds = |path: &str| path.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == mark);
        Ok(all.into_iter().filter(|seen| seen["path"].as_str().is_some_and(holds)).collect())
    }
}
