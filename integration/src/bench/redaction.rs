//! What log redaction costs: detection alone, in Envoy's V8 and natively, and whole bodies of each carrier through an Envoy
//! with one worker, by a filter that touches none, by one that takes each piece out and puts it back, and by ours, in turn.

mod bodies;
mod client;
mod detection;
mod envoy;
mod native;
mod sink;

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Bound;
use super::cpu::Thread;
use super::figures::{Figure, Figures, median, summary};
use crate::ports::local;
use crate::raw::Connection;
use crate::wait;
use bodies::{Body, Coding};
use client::{Client, Prepared};
use detection::Detection;
use envoy::{Filter, Started};
use sink::Sink;

/// How often a body is sent to each filter in a round, and before the rounds: V8 compiles what is used much.
const BODIES: usize = 4;
const WARM_UP: usize = 24;
/// What was promised, in MB/s of one worker.
const LEAST_DETECTION: f64 = 400.0;
const LEAST_BODIES: f64 = 150.0;
/// What Envoy may grow by while bodies go through it, in MB.
const MOST_GROWTH: f64 = 64.0;
/// How long it may take until there is a bundle, and all is made of it.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a value is that was masked, as it begins.
const MASKED: &[u8] = b"[REDACTED:";

/// A body, and the CPU that the worker took for it by [`Filter::ALL`], in microseconds, of all rounds.
struct Case {
    body: Body,
    prepared: Prepared,
    cpu: [Vec<f64>; 3],
}

/// Measures so many rounds.
pub fn run(rounds: usize, progress: fn(&str)) -> Result<(Figures, Vec<Bound>)> {
    progress("bodies, a bundle of 5,000 tenants, an Envoy with a listener for each filter");
    let sink = Sink::start()?;
    let mut cases: Vec<Case> = bodies::all(&native::bodies()?)?.into_iter().map(Case::new).collect();
    let mut started = envoy::start(&sink)?;
    let worker = Thread::named(started.envoy.id(), "wrk:worker_0")?;
    serves(&started, &cases)?;
    let connect = |port: &u16| Client::connect(local(*port));
    let mut clients = started.filters.iter().map(connect).collect::<Result<Vec<_>>>()?;
    progress("what each filter makes of each body, and warming up");
    for case in &cases {
        for (filter, client) in Filter::ALL.into_iter().zip(&mut clients) {
            case.check(filter, client, &sink).with_context(|| format!("{}, {}", case.body.name, filter.word()))?;
        }
    }
    progress("detection in Envoy and natively: both find the same");
    let mut detection = Detection::start(Connection::plain(local(started.detection))?, &worker)?;
    let before = started.envoy.resident()?;
    for round in 0..rounds {
        progress(&format!("round {} of {rounds}", round + 1));
        detection.round()?;
        for case in &mut cases {
            case.round(&mut clients, &worker)?;
        }
    }
    let growth = (started.envoy.resident()? as f64 - before as f64) / 1e6;
    started.envoy.check_alive()?;

    let mut figures = Figures::default();
    let speed = detection.tell(&mut figures);
    let what = format!("detection of lines in Envoy: {speed:.0} MB/s, at least {LEAST_DETECTION}");
    let mut bounds = vec![Bound { what, kept: speed >= LEAST_DETECTION }];
    for case in &cases {
        bounds.extend(case.tell(&mut figures));
    }
    figures.add(Figure { name: "growth".into(), value: growth, unit: "MB", spread: None, ratio_to: None });
    let what = format!("Envoy grew by {growth:.0} MB while bodies went through, at most {MOST_GROWTH}");
    bounds.push(Bound { what, kept: growth <= MOST_GROWTH });
    Ok((figures, bounds))
}

/// Waits until the worker has a bundle, and until ours has made all of it.
fn serves(started: &Started, cases: &[Case]) -> Result<()> {
    let (first, [.., ours]) = (cases.first().context("no bodies")?, started.filters);
    let mut last = String::new();
    let serves = wait::until(PATIENCE, || {
        // A denial that comes in the middle of a body ends the connection.
        let sent = Client::connect(local(ours)).and_then(|mut client| client.send(&first.prepared));
        sent.inspect_err(|error| last = format!("{error:#}")).ok()
    });
    serves.with_context(|| format!("ours takes no bodies: {last}: {}", started.envoy.errors()))
}

/// The median of what one is to the other in the same round.
fn ratio(of: &[f64], to: &[f64]) -> f64 {
    median(&of.iter().zip(to).map(|(of, to)| of / to).collect::<Vec<_>>())
}

impl Case {
    fn new(body: Body) -> Self {
        Self { prepared: Prepared::new(&body), body, cpu: Default::default() }
    }

    /// What arrives is what was sent, or from ours what something is masked in; then goes on until V8 has compiled it.
    fn check(&self, filter: Filter, client: &mut Client, sink: &Sink) -> Result<()> {
        client.send(&self.prepared)?;
        let arrived = sink.last();
        if filter == Filter::Ours {
            let (sent, arrived) = (self.body.unfolded(&self.body.bytes)?, self.body.unfolded(&arrived)?);
            ensure!(sent.len() == self.body.plain, "{} bytes are sent, not {}", sent.len(), self.body.plain);
            let masked = arrived.windows(MASKED.len()).filter(|part| *part == MASKED).count();
            ensure!(masked > 9, "{masked} values are masked");
            ensure!(arrived.len() * 10 > sent.len() * 9, "of {} bytes {} are left", sent.len(), arrived.len());
        } else {
            ensure!(arrived == self.body.bytes, "{} bytes arrived of {}", arrived.len(), self.body.bytes.len());
        }
        (0..WARM_UP).try_for_each(|_| client.send(&self.prepared))
    }

    /// By each filter once.
    fn round(&mut self, clients: &mut [Client], worker: &Thread) -> Result<()> {
        // The kernel brings the figure up to date when a thread goes to sleep, a moment after its last answer.
        let used = || {
            thread::sleep(Duration::from_millis(2));
            worker.used()
        };
        for (client, cpu) in clients.iter_mut().zip(&mut self.cpu) {
            let before = used()?;
            (0..BODIES).try_for_each(|_| client.send(&self.prepared))?;
            cpu.push((used()? - before) as f64 / 1e3 / BODIES as f64);
        }
        Ok(())
    }

    /// The figures of it, and what is to hold of them.
    fn tell(&self, figures: &mut Figures) -> Option<Bound> {
        let name = &self.body.name;
        let [no_op, pass_through, ours] = &self.cpu;
        for (filter, cpu, to) in [
            (Filter::NoOp, no_op, None),
            (Filter::PassThrough, pass_through, Some((Filter::NoOp, no_op))),
            (Filter::Ours, ours, Some((Filter::PassThrough, pass_through))),
        ] {
            let (value, spread) = summary(cpu);
            let ratio_to = to.map(|(to, of)| (to.word().to_owned(), ratio(cpu, of)));
            let name = format!("cpu/{name}/{}", filter.word());
            figures.add(Figure { name, value, unit: "us/body", spread: Some(spread), ratio_to });
        }
        // Bytes by microseconds are megabytes by seconds.
        let bytes = self.body.plain as f64;
        let all: Vec<f64> = ours.iter().map(|cpu| bytes / cpu).collect();
        let added: Vec<f64> = ours.iter().zip(pass_through).map(|(ours, without)| bytes / (ours - without)).collect();
        for (what, values) in [("rate", &all), ("added", &added)] {
            let (value, spread) = summary(values);
            let name = format!("{what}/{name}");
            figures.add(Figure { name, value, unit: "MB/s", spread: Some(spread), ratio_to: None });
        }
        let rate = median(&all);
        let what = format!("{name}: {rate:.0} MB/s end to end, at least {LEAST_BODIES}");
        (self.body.coding == Coding::Plain).then_some(Bound { what, kept: rate >= LEAST_BODIES })
    }
}
