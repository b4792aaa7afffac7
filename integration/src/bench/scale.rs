//! 10, 1,000 and 100,000 tenants, and 5,000 policies: what a bundle of them weighs, what it costs to load, and that no
//! request waits for it.
//!
//! In the host that counts: the memory of the VM after load and at its peak while another bundle is loaded, the
//! instructions of a warm request and of the longest tick. In a real Envoy with one worker: the CPU time of the worker
//! for a bundle, and the longest answer while one comes into force, beside the longest without.

mod policies;

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::figures::{Figure, Figures, summary};
use super::proxies::{self, Filter, Proxy};
use super::{Bound, proxies::Place};
use crate::host::sample;
use crate::issuers::{Provider, viewer};
use crate::mesh::unique;
use crate::ports::free;
use crate::process::Process;
use crate::raw::{Connection, Request};
use crate::served::{Served, served};
use crate::site::{FIRST_REVISION, Site, compile, tenancy};
use crate::{artefacts, cli, variant, wait};

/// How many tenants, the fewest first: with these the others are compared.
const SIZES: [usize; 3] = [10, 1_000, 100_000];
/// Policies beside those of the sample.
const POLICIES: usize = 5_000;
/// Tenants of the sample, which are among them.
const SAMPLE: usize = 3;
/// What a VM may hold, and how often that at its peak.
const MEMORY: u64 = 16 * 1024 * 1024;
const PEAK: f64 = 2.0;
/// How much more than with the fewest tenants a request may cost, in instructions.
const REQUEST: f64 = 1.10;
/// How long the worker is watched with nothing to load, and how long a bundle may take into force.
const QUIET: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures all sizes, each with so many reloads under load.
pub fn run(reloads: usize, progress: fn(&str)) -> Result<(Figures, Vec<Bound>)> {
    ensure!(reloads >= 2, "half of the reloads are under load: at least two are needed");
    let site = Site::prepare("bench-scale", |_| ())?;
    let mut figures = Figures::default();
    let mut bounds = Vec::new();
    let app = proxies::app()?;
    let mut fewest = None;
    for size in SIZES {
        progress(&format!("{size} tenants: compiling {} bundles", reloads + 1));
        let bundles = Bundles::compile(&site, size, reloads + 1)?;
        progress(&format!("{size} tenants: the host that counts"));
        counted(&site, size, &bundles, &mut fewest, &mut figures, &mut bounds)?;
        timed(&site, &format!("{size} tenants"), &bundles, app, &mut figures, &mut bounds, progress)?;
    }
    progress(&format!("{POLICIES} policies: compiling a bundle"));
    let bundles = Bundles::with_policies(&site, POLICIES, reloads + 1)?;
    let bytes = fs::metadata(bundles.0[0].join("tenancy.edge.bundle"))?.len();
    figures.add(figure(format!("{POLICIES} policies/bundle, edge"), bytes as f64, "bytes"));
    timed(&site, &format!("{POLICIES} policies"), &bundles, app, &mut figures, &mut bounds, progress)?;
    Ok((figures, bounds))
}

/// One directory, compiled under growing revisions.
struct Bundles(Vec<PathBuf>);

impl Bundles {
    fn compile(site: &Site, size: usize, count: usize) -> Result<Self> {
        let directory = site.directory.join(format!("tenancy-{size}"));
        variant::copy(&tenancy(), &directory)?;
        let mut lines = String::new();
        for n in 0..size - SAMPLE {
            let (tier, residency) = (["gold", "silver", "bronze"][n % 3], ["eu", "us"][n % 2]);
            writeln!(
                lines,
                r#"{{"tenant":"customer-{n:06}","tier":"{tier}","status":"active","residency":"{residency}"}}"#
            )?;
        }
        fs::write(directory.join("tenants/many.ndjson"), lines)?;
        let folders = (0..count).map(|nth| {
            let folder = site.directory.join(format!("bundles-{size}-{nth}"));
            compile(&directory, &site.keys(), &folder, Some(FIRST_REVISION + 1 + nth as u64))?;
            Ok(folder)
        });
        Ok(Self(folders.collect::<Result<_>>()?))
    }

    fn revision(nth: usize) -> f64 {
        (FIRST_REVISION + 1 + nth as u64) as f64
    }

    /// Puts the nth one where `partywall serve` looks.
    fn publish(&self, nth: usize, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        for file in fs::read_dir(&self.0[nth])? {
            let file = file?.path();
            if file.extension().is_some_and(|e| e == "bundle") {
                let name = file.file_name().context("a file without a name")?;
                let beside = folder.join("being-copied");
                fs::copy(&file, &beside)?;
                fs::rename(beside, folder.join(name))?;
            }
        }
        Ok(())
    }

    fn served(&self, nth: usize, site: &Site) -> Result<Served> {
        served(&self.0[nth], &site.keys(), &site.directory.join("logs"))
    }
}

fn order(site: &Site) -> Result<Request> {
    let token = site.issuers.token(&viewer(Provider::Acme, "acme"), &unique())?;
    let request = Request::get("/orders/17").header("host", "acme.shop.example");
    Ok(request.header("authorization", format!("Bearer {token}")))
}

fn figure(name: String, value: f64, unit: &'static str) -> Figure {
    Figure { name, value, unit, spread: None, ratio_to: None }
}

fn counted(
    site: &Site,
    size: usize,
    bundles: &Bundles,
    fewest: &mut Option<f64>,
    into: &mut Figures,
    bounds: &mut Vec<Bound>,
) -> Result<()> {
    let (first, second) = (bundles.served(0, site)?, bundles.served(1, site)?);
    let token = site.issuers.token(&viewer(Provider::Acme, "acme"), &unique())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (module, keys) = (artefacts::module()?, site.keys());
    let bytes = first.get("/tenancy.edge.bundle").map_or(0, Vec::len);
    let mut host = sample::edge(&sample::Place { module: &module, keys: &keys, served: &first, secrets: &[], now })?;
    let loaded = host.memory();
    let authorization = format!("Bearer {token}");
    let ask = |host: &mut crate::host::Host| {
        let outcome = host.request(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "acme.shop.example"),
            (":path", "/orders/17"),
            ("authorization", &authorization),
        ])?;
        ensure!(outcome.passed(), "denied: {}", outcome.field("partywall.reason"));
        Ok(outcome.instructions() as f64)
    };
    ask(&mut host)?;
    let warm = ask(&mut host)?;
    host.world_mut().serve(second);
    let mut longest = 0;
    let wanted = Bundles::revision(1) as u64;
    for nth in 0.. {
        let revision = host.world().metrics().iter().find(|(name, _)| name == "partywall_bundle_revision");
        if revision.is_some_and(|(_, value)| *value == wanted) {
            break;
        }
        ensure!(nth < 10_000, "the second bundle does not come into force: {}", host.world().log().join("\n"));
        longest = longest.max(host.tick(1)?.instructions);
    }
    let peak = host.memory();
    let fewest = *fewest.get_or_insert(warm);
    into.add(figure(format!("{size} tenants/bundle, edge"), bytes as f64, "bytes"));
    into.add(figure(format!("{size} tenants/memory, loaded"), loaded as f64, "bytes"));
    let ratio = peak as f64 / loaded as f64;
    let to = |name: &str| Some((format!("{size} tenants/{name}"), ratio));
    into.add(Figure {
        ratio_to: to("memory, loaded"),
        ..figure(format!("{size} tenants/memory, peak"), peak as f64, "bytes")
    });
    into.add(figure(format!("{size} tenants/longest tick"), longest as f64, "instructions"));
    let more = warm / fewest;
    let to = Some((format!("{} tenants/request, warm", SIZES[0]), more));
    into.add(Figure { ratio_to: to, ..figure(format!("{size} tenants/request, warm"), warm, "instructions") });
    bounds.push(Bound {
        what: format!("{size} tenants: {loaded} bytes of memory, {MEMORY} are allowed; at reload {ratio:.2} times that, {PEAK} are allowed"),
        kept: loaded <= MEMORY && ratio <= PEAK,
    });
    bounds.push(Bound {
        what: format!(
            "{size} tenants: a request costs {more:.3} times the instructions of {} tenants, {REQUEST:.2} are allowed",
            SIZES[0]
        ),
        kept: more <= REQUEST,
    });
    Ok(())
}

/// What the client saw.
#[derive(Default)]
struct Seen {
    longest_ms: f64,
    answered: u64,
    failed: u64,
}

fn timed(
    site: &Site,
    many: &str,
    bundles: &Bundles,
    app: u16,
    into: &mut Figures,
    bounds: &mut Vec<Bound>,
    progress: fn(&str),
) -> Result<()> {
    progress(&format!("{many}: an edge Envoy"));
    let folder = site.directory.join(format!("served-{}", many.replace(' ', "-")));
    bundles.publish(0, &folder)?;
    let [port] = free()?;
    let logs = site.directory.join("logs");
    let _server = Process::start("bundles", &mut cli::serve(&folder, &site.keys(), port)?, &logs)?;
    let place = Place { site, bundles: port, app };
    let mut proxy = Proxy::edge(&place, &format!("edge-{}", many.replace(' ', "-")), Filter::Partywall)?;
    let request = order(site)?;
    let mut connection = Connection::plain(proxy.address)?;
    proxy.wait_for(&request, &mut connection)?;

    let (mut load_ms, mut quiet_longest, mut reload_longest) = (Vec::new(), Vec::new(), Vec::new());
    let (mut answered, mut failed) = (0, 0);
    for nth in 1..bundles.0.len() {
        progress(&format!("{many}: reload {nth} of {}", bundles.0.len() - 1));
        // By turns without and under load: what it costs, and what requests notice of it.
        let loading = || -> Result<Duration> {
            let began = Instant::now();
            bundles.publish(nth, &folder)?;
            let in_force = || (proxy.revision().ok()? == Bundles::revision(nth)).then_some(());
            wait::until(PATIENCE, in_force).with_context(|| format!("bundle {nth} is not in force"))?;
            thread::sleep(Duration::from_millis(300));
            Ok(began.elapsed())
        };
        if nth % 2 == 1 {
            let before = proxy.worker.used()?;
            thread::sleep(QUIET);
            let idle = (proxy.worker.used()? - before) as f64 / QUIET.as_secs_f64();
            let before = proxy.worker.used()?;
            let took = loading()?;
            let used = (proxy.worker.used()? - before) as f64 - idle * took.as_secs_f64();
            load_ms.push(used.max(0.0) / 1e6);
        } else {
            let quiet = under_load(&request, proxy.address, || {
                thread::sleep(QUIET);
                Ok(())
            })?;
            let busy = under_load(&request, proxy.address, || loading().map(|_| ()))?;
            quiet_longest.push(quiet.longest_ms);
            reload_longest.push(busy.longest_ms);
            answered += quiet.answered + busy.answered;
            failed += quiet.failed + busy.failed;
        }
    }
    for (name, values) in [
        ("load, CPU of a worker", load_ms),
        ("longest answer, quiet", quiet_longest),
        ("longest answer, reload", reload_longest),
    ] {
        let (value, spread) = summary(&values);
        into.add(Figure { spread: Some(spread), ..figure(format!("{many}/{name}"), value, "ms") });
    }
    into.add(figure(format!("{many}/requests under load"), answered as f64, "requests"));
    bounds.push(Bound {
        what: format!("{many}: {failed} of {answered} requests failed while bundles came into force; none may"),
        kept: failed == 0 && answered > 0,
    });
    Ok(())
}

/// Asks one request after the other while `meanwhile` runs.
fn under_load(request: &Request, to: SocketAddr, meanwhile: impl FnOnce() -> Result<()>) -> Result<Seen> {
    let stop = AtomicBool::new(false);
    let bytes = request.bytes();
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let (mut connection, mut seen) = (Connection::plain(to)?, Seen::default());
            while !stop.load(Ordering::Relaxed) {
                let asked = Instant::now();
                connection.send(&bytes)?;
                let answer = connection.receive()?;
                seen.longest_ms = seen.longest_ms.max(asked.elapsed().as_secs_f64() * 1000.0);
                seen.answered += 1;
                seen.failed += u64::from(answer.status != 200);
                // So that neither this nor the app takes the processor from the worker.
                thread::sleep(Duration::from_micros(500));
            }
            Ok(seen)
        });
        let done = meanwhile();
        stop.store(true, Ordering::Relaxed);
        let seen = client.join().map_err(|_| anyhow::anyhow!("the client panicked"))?;
        done.and(seen)
    })
}
