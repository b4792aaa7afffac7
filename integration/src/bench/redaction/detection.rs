//! Detection alone: by `benches/redaction` in Envoy's V8, and natively, each beside one automaton and sixteen regexes in turn.

use anyhow::{Context, Result, ensure};

use super::super::cpu::Thread;
use super::super::figures::{Figure, Figures, summary};
use super::native::Native;
use super::ratio;
use crate::raw::{Connection, Request};

/// So much of the worker's time is measured at once, in nanoseconds.
const AT_ONCE: f64 = 30e6;
/// What is gone over: in figures, in the module's paths, and in the native bench.
const PASSES: [(&str, &str, &str); 4] = [
    ("detection/lines", "lines", "detection, lines"),
    ("detection/attributes", "attributes", "detection, attributes"),
    ("one automaton", "automaton", "one lazy automaton of sixteen"),
    ("sixteen regexes in turn", "sixteen", "sixteen regexes in turn"),
];
/// The places in it of what others are compared with.
const LINES: usize = 0;
const SIXTEEN: usize = 3;

/// What is asked, and what came of it.
pub(super) struct Detection<'w> {
    connection: Connection,
    worker: &'w Thread,
    native: Native,
    thread: Thread,
    passes: Vec<Measured>,
}

/// One of [`PASSES`]: its bytes, how many make a measurement in Envoy, and MB/s of all rounds.
struct Measured {
    bytes: f64,
    count: usize,
    envoy: Vec<f64>,
    native: Vec<f64>,
}

impl<'w> Detection<'w> {
    /// Both find the same; then they go on until V8 has compiled what is hot.
    pub(super) fn start(connection: Connection, worker: &'w Thread) -> Result<Self> {
        let mut native = Native::start()?;
        let first = native.pass(PASSES[LINES].2)?;
        let mut detection = Self { connection, worker, thread: native.thread()?, native, passes: Vec::new() };
        ensure!(!first.ends_with(" 0"), "nothing is found in the lines: {first}");
        for (name, path, pass) in PASSES {
            let (there, here) = (detection.ask(path, 1)?, detection.native.pass(pass)?);
            ensure!(there == here, "{name}: bytes and findings are `{there}` in Envoy, and natively `{here}`");
            let bytes = there.split(' ').next().and_then(|bytes| bytes.parse().ok()).context("no number of bytes")?;
            let mut count = 1;
            for _ in 0..8 {
                let cost = detection.cost(path, count)?;
                count = ((AT_ONCE / cost) as usize).clamp(1, 1000);
            }
            detection.passes.push(Measured { bytes, count, envoy: Vec::new(), native: Vec::new() });
        }
        Ok(detection)
    }

    fn ask(&mut self, path: &str, count: usize) -> Result<String> {
        let path = format!("/{path}/{count}");
        self.connection.send(&Request::get(&path).header("host", "bench").bytes())?;
        let answer = self.connection.receive()?;
        ensure!(answer.status == 200, "{path}: status {}", answer.status);
        Ok(String::from_utf8(answer.body)?)
    }

    /// What one of `count` passes costs the worker, in nanoseconds, without what an empty request does.
    fn cost(&mut self, path: &str, count: usize) -> Result<f64> {
        let mut used = |count| -> Result<f64> {
            let before = self.worker.used()?;
            self.ask(path, count)?;
            Ok((self.worker.used()? - before) as f64)
        };
        let empty = used(0)?;
        Ok((used(count)? - empty) / count as f64)
    }

    /// Measures all of it once.
    pub(super) fn round(&mut self) -> Result<()> {
        for (nth, (_, path, pass)) in PASSES.into_iter().enumerate() {
            let cost = self.cost(path, self.passes[nth].count)?;
            let before = self.thread.used()?;
            self.native.pass(pass)?;
            let native = (self.thread.used()? - before) as f64;
            let measured = &mut self.passes[nth];
            measured.envoy.push(measured.bytes * 1e3 / cost);
            measured.native.push(measured.bytes * 1e3 / native);
        }
        Ok(())
    }

    /// Tells all of it, and gives MB/s of lines in Envoy.
    pub(super) fn tell(&self, figures: &mut Figures) -> f64 {
        let (lines, sixteen) = (&self.passes[LINES], &self.passes[SIXTEEN]);
        for (nth, ((name, ..), measured)) in PASSES.iter().zip(&self.passes).enumerate() {
            for (place, values, lines, sixteen) in [
                ("envoy", &measured.envoy, &lines.envoy, &sixteen.envoy),
                ("native", &measured.native, &lines.native, &sixteen.native),
            ] {
                let (value, spread) = summary(values);
                let to = |nth: usize, of: &[f64]| Some((format!("{}/{place}", PASSES[nth].0), ratio(values, of)));
                let ratio_to = match nth {
                    SIXTEEN => None,
                    LINES => to(SIXTEEN, sixteen),
                    _ => to(LINES, lines),
                };
                figures.add(Figure {
                    name: format!("{name}/{place}"),
                    value,
                    unit: "MB/s",
                    spread: Some(spread),
                    ratio_to,
                });
            }
        }
        summary(&lines.envoy).0
    }
}
