//! From `partywall tenant suspend` to the first denial, at both sidecars, while clients ask.
//!
//! Every run takes a root context of the tenant as an eavesdropper would, gives the command, and asks both sidecars
//! with it until each has denied, on a new connection each time, so that either worker may answer. Meanwhile clients
//! ask at the edge for another tenant, and nothing may change for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Request as Incoming, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as Answer};
use tokio::runtime::Runtime;

use super::Bound;
use super::figures::{Figure, Figures, summary};
use crate::access_log::Hop;
use crate::certificates::Workload;
use crate::issuers::Provider::{Acme, Shared};
use crate::issuers::accountant;
use crate::mesh::{Mesh, Options};
use crate::play::LIVE;
use crate::ports::{free, local};
use crate::process::Process;
use crate::raw::Request;
use crate::{cli, wait};

/// Clients that ask for the other tenant, one request after the other each.
const CLIENTS: usize = 4;
/// The mesh for which the load of the overlay server is worked out.
const SIDECARS: f64 = 5000.0;
/// Each is one process, of which one worker asks.
const ENVOYS: f64 = 3.0;
const TENANT: &str = "globex";
const LIST: &str = "/tenants/globex/invoices";
/// How long a sidecar is asked until it must have denied, or must let in again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tally of the clients of the other tenant.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    answered: AtomicU64,
    failed: AtomicU64,
}

/// What one run measured, in milliseconds.
struct Run {
    invoices: f64,
    orders: f64,
    /// Until every worker of both denied: the last question that was let in.
    last_let_in: f64,
}

/// Measures so many suspensions. Gives the figures, and whether the worst is in time and nobody else
/// was denied.
pub fn run(runs: usize, progress: fn(&str)) -> Result<(Figures, Vec<Bound>)> {
    progress("a mesh: edge, two sidecars, two apps, the bundle server");
    let mut mesh = Mesh::start(&Options { bundles: false, ..Options::named("bench-suspension") })?;
    let server = BundleServer::start(&mesh)?;
    mesh.wait_for_policy()?;
    let load = Load::default();
    let began = Instant::now();
    let asked_before = server.overlays();
    let measured = thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| ask_on(&mesh, &load));
        }
        let measured = (1..=runs).map(|nth| {
            let run = suspend(&mesh).with_context(|| format!("run {nth}"))?;
            let (invoices, orders) = (run.invoices, run.orders);
            if nth % 5 == 0 || nth == runs {
                progress(&format!("run {nth} of {runs}: {invoices:.0} ms at invoices, {orders:.0} ms at orders"));
            }
            Ok(run)
        });
        let measured: Result<Vec<Run>> = measured.collect();
        load.stop.store(true, Ordering::Relaxed);
        measured
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let per_sidecar = (server.overlays() - asked_before) / seconds / ENVOYS;
    let answered = load.answered.load(Ordering::Relaxed);
    let failed = load.failed.load(Ordering::Relaxed);

    let mut figures = Figures::default();
    let mut add = |name: &str, of: &dyn Fn(&Run) -> f64| {
        let (value, spread) = summary(&measured.iter().map(of).collect::<Vec<_>>());
        figures.add(Figure { name: name.into(), value, unit: "ms", spread: Some(spread), ratio_to: None });
        spread.1
    };
    add("first denial/invoices", &|run| run.invoices);
    add("first denial/orders", &|run| run.orders);
    let worst = add("first denial/both", &|run| run.invoices.max(run.orders));
    add("last let in/both", &|run| run.last_let_in);
    for (name, value, unit) in [
        ("others/requests", answered as f64 / seconds, "a second"),
        ("others/failed", failed as f64, "requests"),
        ("overlay/one sidecar", per_sidecar, "a second"),
        ("overlay/5000 sidecars, computed", per_sidecar * SIDECARS, "a second"),
    ] {
        figures.add(Figure { name: name.into(), value, unit, spread: None, ratio_to: None });
    }
    ensure!(answered > 0, "no client was answered");
    let in_time = LIVE.as_secs_f64() * 1000.0;
    let bounds = vec![
        Bound {
            what: format!("Both sidecars deny {worst:.0} ms after the command at the latest; {in_time:.0} are allowed"),
            kept: worst < in_time,
        },
        Bound {
            what: format!("{failed} of {answered} requests of another tenant failed; none may"),
            kept: failed == 0,
        },
    ];
    Ok((figures, bounds))
}

/// One suspension, and everything as before after it.
fn suspend(mesh: &Mesh) -> Result<Run> {
    // The edge's workers hear of the last resumption by themselves, as the sidecars' do.
    let captured = wait::until(PATIENCE, || mesh.capture(TENANT, &accountant(Shared, TENANT)).ok());
    let root = captured.context("the edge never lets it in again")?.root;
    let sidecars =
        [(Hop::InvoicesInbound, Workload::Edge, LIST), (Hop::OrdersInbound, Workload::Invoices, "/orders/1")];
    let ask = |at: usize| {
        let (hop, workload, path) = sidecars[at];
        let request = Request::get(path).header("host", "any").header("x-partywall-context", root.as_str());
        mesh.send(hop, workload, &request)
    };
    let given = mesh.tenant("suspend", TENANT)?;
    let (first, last) = thread::scope(|scope| {
        let denied = |at: usize| Ok(ask(at)?.reason() == "tenant_suspended");
        let both = [0, 1].map(|at| scope.spawn(move || watch(given, || denied(at))));
        let [invoices, orders] = both.map(|one| one.join().map_err(|_| anyhow::anyhow!("the watch panicked"))?);
        let (invoices, orders) = (invoices?, orders?);
        Ok::<_, anyhow::Error>(([invoices.0, orders.0], invoices.1.max(orders.1)))
    })?;
    mesh.tenant("resume", TENANT)?;
    let resumed = Instant::now();
    // The root is good for a while yet, so that it tells when every worker lets in again.
    let mut in_a_row = 0;
    while in_a_row < 12 {
        ensure!(resumed.elapsed() < PATIENCE, "never let in again");
        in_a_row = if ask(0)?.status == 200 && ask(1)?.status == 200 { in_a_row + 1 } else { 0 };
    }
    Ok(Run { invoices: first[0], orders: first[1], last_let_in: last })
}

/// Asks until well after the promise. Gives the time of the first question that was denied, and of the last one
/// that was not, in milliseconds from the command.
fn watch(given: Instant, denied: impl Fn() -> Result<bool>) -> Result<(f64, f64)> {
    let (mut first, mut last) = (None, 0.0);
    loop {
        let asked = given.elapsed();
        let milliseconds = asked.as_secs_f64() * 1000.0;
        if denied()? {
            first.get_or_insert(milliseconds);
        } else {
            last = milliseconds;
        }
        match first {
            Some(first) if asked > LIVE + Duration::from_millis(300) => return Ok((first, last)),
            None if asked > PATIENCE => anyhow::bail!("not denied {} s after the command", PATIENCE.as_secs()),
            _ => {}
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// One client of the other tenant.
fn ask_on(mesh: &Mesh, load: &Load) {
    let token = accountant(Acme, "acme");
    while !load.stop.load(Ordering::Relaxed) {
        // A token lives for minutes; a new one every few hundred requests is what clients do.
        let Ok(request) = mesh.client("GET", "acme", "/tenants/acme/invoices", &token) else { return };
        for _ in 0..200 {
            if load.stop.load(Ordering::Relaxed) {
                return;
            }
            let good = mesh.ask(&request).is_ok_and(|answer| answer.status == 200);
            load.answered.fetch_add(1, Ordering::Relaxed);
            load.failed.fetch_add(u64::from(!good), Ordering::Relaxed);
        }
    }
}

/// `partywall serve` behind a relay that counts who asks for what.
struct BundleServer {
    overlays: Arc<AtomicU64>,
    _relay: Runtime,
    _serve: Process,
}

impl BundleServer {
    fn start(mesh: &Mesh) -> Result<Self> {
        let [behind] = free()?;
        let mut command = cli::serve(&mesh.site.bundles(), &mesh.site.keys(), behind)?;
        let serve = Process::start("bundles", &mut command, &mesh.site.directory.join("logs"))?;
        let there = || {
            let answer = Request::get("/tenancy.overlay").header("host", "bundles").send(local(behind));
            answer.is_ok_and(|answer| answer.status == 200).then_some(())
        };
        wait::until(PATIENCE, there).context("`partywall serve` serves nothing")?;
        let relay = Runtime::new()?;
        let overlays = Arc::new(AtomicU64::new(0));
        let router = Router::new().fallback(pass_on).with_state((behind, overlays.clone()));
        let listener = relay.block_on(tokio::net::TcpListener::bind(local(mesh.site.ports.bundles)))?;
        relay.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { overlays, _relay: relay, _serve: serve })
    }

    fn overlays(&self) -> f64 {
        self.overlays.load(Ordering::Relaxed) as f64
    }
}

async fn pass_on(State((behind, overlays)): State<(u16, Arc<AtomicU64>)>, request: Incoming) -> Answer {
    let path = request.uri().path().to_owned();
    overlays.fetch_add(u64::from(path.ends_with(".overlay")), Ordering::Relaxed);
    let mut asked = Request::get(&path).header("host", "bundles");
    if let Some(etag) = request.headers().get("if-none-match") {
        asked = asked.header("if-none-match", etag.as_bytes());
    }
    let answered = tokio::task::spawn_blocking(move || asked.send(local(behind))).await;
    let Ok(Ok(answered)) = answered else { return StatusCode::BAD_GATEWAY.into_response() };
    let etag = answered.header("etag").unwrap_or_default().to_owned();
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, [("etag", etag)], answered.body).into_response()
}
