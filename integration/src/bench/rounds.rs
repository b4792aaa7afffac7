//! The same requests to each proxy, in turn.
//!
//! What a case costs is the CPU time of the worker for its requests, by their number. A machine grows slower and
//! faster as others use it, so each figure is the difference to the bare Envoy in the same round, a moment before; and of
//! all rounds the median counts.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Effort;
use super::figures::{Figure, Figures, median, summary};
use super::proxies::{Filter, Proxy};
use crate::raw::{Connection, Request};

/// Requests under way at once. With one alone the worker would go to sleep after each, and what that costs would
/// hide what the filter does.
const AT_ONCE: usize = 8;

/// A proxy with connections to it.
pub struct Driven {
    /// The proxy.
    pub proxy: Proxy,
    connections: Vec<Connection>,
}

impl Driven {
    /// Waits until the proxy lets `probe` through. `connect` gives a connection to it.
    pub fn new(mut proxy: Proxy, probe: &Request, connect: impl Fn(&Proxy) -> Result<Connection>) -> Result<Self> {
        let mut connections = (0..AT_ONCE).map(|_| connect(&proxy)).collect::<Result<Vec<_>>>()?;
        connections.iter_mut().try_for_each(|connection| proxy.wait_for(probe, connection))?;
        Ok(Self { proxy, connections })
    }

    /// Sends each of these requests and gives the CPU time of one, in microseconds.
    pub fn drive(&mut self, requests: &[Vec<u8>]) -> Result<f64> {
        ensure!(!requests.is_empty(), "no requests");
        let before = self.used()?;
        for some in requests.chunks(AT_ONCE) {
            for (connection, request) in self.connections.iter_mut().zip(some) {
                connection.send(request)?;
            }
            for (connection, _) in self.connections.iter_mut().zip(some) {
                let answer = connection.receive()?;
                ensure!(
                    answer.status == 200,
                    "{:?} answered {} {}: nothing is measured of a denial",
                    self.proxy.filter,
                    answer.status,
                    answer.reason()
                );
            }
        }
        Ok((self.used()? - before) as f64 / 1000.0 / requests.len() as f64)
    }

    /// The kernel brings the figure up to date when the worker goes to sleep, a moment after its last answer.
    fn used(&self) -> Result<u64> {
        thread::sleep(Duration::from_millis(2));
        self.proxy.worker.used()
    }
}

/// What each round measured of one case.
pub struct Case {
    name: String,
    /// By proxy, in their order; microseconds a request, one per round.
    measured: Vec<Vec<f64>>,
}

impl Case {
    /// A case without a measurement yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), measured: Vec::new() }
    }

    /// Sends the requests of one round to each proxy.
    pub fn round(&mut self, proxies: &mut [Driven], requests: &[Vec<u8>]) -> Result<()> {
        self.measured.resize_with(proxies.len(), Vec::new);
        for (driven, measured) in proxies.iter_mut().zip(&mut self.measured) {
            measured.push(driven.drive(requests)?);
        }
        Ok(())
    }

    /// For each proxy with a filter: what the filter costs, and how often the bare proxy's cost goes into the whole.
    /// `word` names a proxy in the figure, or leaves it out.
    pub fn figures(
        &self,
        proxies: &[Driven],
        word: impl Fn(&Proxy) -> Option<&'static str>,
        into: &mut Figures,
    ) -> Result<()> {
        let bare = proxies.iter().position(|driven| driven.proxy.filter == Filter::Bare);
        let Some(bare) = bare.and_then(|at| self.measured.get(at)) else { anyhow::bail!("no bare proxy") };
        for (driven, measured) in proxies.iter().zip(&self.measured) {
            if driven.proxy.filter == Filter::Bare {
                continue;
            }
            let Some(word) = word(&driven.proxy) else { continue };
            let added: Vec<f64> = measured.iter().zip(bare).map(|(with, without)| with - without).collect();
            let ratios: Vec<f64> = measured.iter().zip(bare).map(|(with, without)| with / without).collect();
            let (value, spread) = summary(&added);
            into.add(Figure {
                name: if word.is_empty() { self.name.clone() } else { format!("{}/{word}", self.name) },
                value,
                unit: "us/request",
                spread: Some(spread),
                ratio_to: Some(("envoy without the filter".into(), median(&ratios))),
            });
        }
        Ok(())
    }

    /// For each proxy after the first, which is bare: what its filter costs, and how often what the first filter costs
    /// goes into that. They are named by the numbers of their issuers.
    pub fn compared(&self, heat: &str, sizes: &[usize], into: &mut Figures) -> Result<()> {
        let Some((bare, rest)) = self.measured.split_first() else { anyhow::bail!("nothing was measured") };
        let added = |with: &[f64]| -> Vec<f64> { with.iter().zip(bare).map(|(with, bare)| with - bare).collect() };
        let fewest = rest.first().map(|first| added(first)).unwrap_or_default();
        for (size, with) in sizes.iter().zip(rest) {
            let added = added(with);
            let ratios: Vec<f64> = added.iter().zip(&fewest).map(|(these, fewest)| these / fewest).collect();
            let (value, spread) = summary(&added);
            into.add(Figure {
                name: format!("issuers/{size}/{heat}/time"),
                value,
                unit: "us/request",
                spread: Some(spread),
                ratio_to: Some((format!("issuers/{}/{heat}/time", sizes[0]), median(&ratios))),
            });
        }
        Ok(())
    }

    /// What the proxy without a filter costs.
    pub fn bare(&self, proxies: &[Driven], into: &mut Figures) {
        let bare = proxies.iter().zip(&self.measured).find(|(driven, _)| driven.proxy.filter == Filter::Bare);
        if let Some((_, measured)) = bare {
            let (value, spread) = summary(measured);
            let name = format!("{}/bare", self.name);
            into.add(Figure { name, value, unit: "us/request", spread: Some(spread), ratio_to: None });
        }
    }
}

/// Enough requests before the first round for V8 to have compiled what it is going to compile.
pub fn warm_up(proxies: &mut [Driven], request: &[u8], effort: Effort) -> Result<()> {
    let requests = vec![request.to_vec(); effort.requests.max(1000)];
    for driven in proxies {
        driven.drive(&requests)?;
    }
    Ok(())
}
