//! One tenant at ten times its limit, and what another tenant notices of it.
//!
//! The edge and one sidecar have the limits that `partywall render` makes of the tenancy directory. One tenant asks
//! steadily, a request every few milliseconds whatever became of the last one; beside it the noisy one is now within its
//! limit and now ten times above it, in turn, so that what the machine does besides falls on both alike.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Bound;
use super::figures::{Figure, Figures, quantile, summary};
use crate::access_log::Hop;
use crate::certificates::Workload;
use crate::issuers::{Provider, viewer};
use crate::mesh::unique;
use crate::raw::Request;
use crate::running::Running;
use crate::services::App;
use crate::variant::Variant;

/// Requests that the noisy tenant may make in a second.
const LIMIT: u32 = 20;
/// How often its limit it asks when it is noisy.
const TIMES: u32 = 10;
/// Requests in a second of the tenant that is measured.
const STEADY: u32 = 100;
/// How long one measurement takes. The first second of noise is spent on a full bucket, and counts.
const PHASE: Duration = Duration::from_secs(3);

/// What one measurement of the steady tenant and the noisy one gave.
#[derive(Default)]
struct Phase {
    milliseconds: Vec<f64>,
    failed: usize,
    noisy_let_in: usize,
    noisy_refused: usize,
}

/// Measures so many rounds. Gives the figures, and whether the other tenant noticed nothing.
pub fn run(rounds: usize, progress: fn(&str)) -> Result<(Figures, Vec<Bound>)> {
    progress("a mesh: edge, orders' sidecar, its app; globex may make 20 requests a second");
    let mut variant = Variant::prepare("bench-limits", &["edge", "orders"])?;
    variant.append("tenants/globex.yaml", &format!("limits: {{ requests_per_second: {LIMIT} }}\n"))?;
    variant.render()?;
    let running = variant.start(&[App::Orders])?;
    running.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound])?;
    let (mut quiet, mut noisy) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        quiet.push(measure(&running, LIMIT / 2)?);
        noisy.push(measure(&running, LIMIT * TIMES)?);
        if round % 5 == 0 || round == rounds {
            progress(&format!("round {round} of {rounds}"));
        }
    }

    let mut figures = Figures::default();
    let mut add = |name: &str, unit, of: &dyn Fn(&Phase) -> f64, to: Option<(&str, f64)>, phases: &[Phase]| {
        let (value, spread) = summary(&phases.iter().map(of).collect::<Vec<_>>());
        let ratio_to = to.map(|(to, base)| (to.to_owned(), value / base));
        figures.add(Figure { name: name.into(), value, unit, spread: Some(spread), ratio_to });
        (value, spread)
    };
    let success = |p: &Phase| 100.0 * (1.0 - p.failed as f64 / p.milliseconds.len().max(1) as f64);
    let refused = |p: &Phase| 100.0 * p.noisy_refused as f64 / (p.noisy_refused + p.noisy_let_in).max(1) as f64;
    let mut at = |share, name: &str| {
        let of = |p: &Phase| quantile(&p.milliseconds, share);
        let before = add(&format!("other tenant/{name}/globex within its limit"), "ms", &of, None, &quiet);
        let to = Some(("within its limit", before.0));
        (before, add(&format!("other tenant/{name}/globex at ten times it"), "ms", &of, to, &noisy))
    };
    at(0.5, "p50");
    let (before, after) = at(0.99, "p99");
    add("other tenant/answered/within", "% of requests", &success, None, &quiet);
    let (_, (least, _)) = add("other tenant/answered/at ten times", "% of requests", &success, None, &noisy);
    add("globex/refused/within", "% of requests", &refused, None, &quiet);
    let (turned_away, _) = add("globex/refused/at ten times", "% of requests", &refused, None, &noisy);
    let bounds = vec![
        Bound {
            what: format!("The other tenant is answered in {least:.1} % at the worst; all must be"),
            kept: least == 100.0,
        },
        Bound {
            what: format!(
                "Its p99 is {:.2} ms beside a noisy tenant, in the middle of all rounds; without, rounds give {:.2} to {:.2}",
                after.0, before.1.0, before.1.1
            ),
            kept: after.0 <= before.1.1,
        },
        Bound {
            what: format!("The noisy tenant is refused in {turned_away:.0} % of its requests; more than 60 are to be"),
            kept: turned_away > 60.0,
        },
    ];
    Ok((figures, bounds))
}

/// The steady tenant, while the noisy one asks so often a second.
fn measure(running: &Running, noise: u32) -> Result<Phase> {
    let (steady, loud) = (request(running, Provider::Acme, "acme")?, request(running, Provider::Shared, "globex")?);
    let stop = AtomicBool::new(false);
    let send = |request: &Request| running.send(Hop::Edge, Workload::Edge, request);
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            let (mut let_in, mut refused, mut nth) = (0, 0, 0);
            let began = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                pace(began, nth, noise);
                nth += 1;
                match send(&loud) {
                    Ok(answer) if answer.status == 429 => refused += 1,
                    _ => let_in += 1,
                }
            }
            (let_in, refused)
        });
        let mut phase = Phase::default();
        let began = Instant::now();
        let mut nth = 0;
        while began.elapsed() < PHASE {
            pace(began, nth, STEADY);
            nth += 1;
            let asked = Instant::now();
            let good = send(&steady).is_ok_and(|answer| answer.status == 200);
            phase.milliseconds.push(asked.elapsed().as_secs_f64() * 1000.0);
            phase.failed += usize::from(!good);
        }
        stop.store(true, Ordering::Relaxed);
        let (let_in, refused) = others.join().ok().context("the noisy tenant panicked")?;
        Ok(Phase { noisy_let_in: let_in, noisy_refused: refused, ..phase })
    })
}

/// Waits until it is time for the `nth` request of so many a second.
fn pace(began: Instant, nth: u32, a_second: u32) {
    let due = Duration::from_secs(1) * nth / a_second;
    thread::sleep(due.saturating_sub(began.elapsed()));
}

fn request(running: &Running, provider: Provider, tenant: &'static str) -> Result<Request> {
    let token = running.site.issuers.token(&viewer(provider, tenant), &unique())?;
    let host = format!("{tenant}.shop.example");
    Ok(Request::get("/orders/7").header("host", host).header("authorization", format!("Bearer {token}")))
}
