//! Plays a step of the story against a mesh and says what came of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::access_log::{Hop, Line};
use crate::certificates::Workload;
use crate::mesh::{Mesh, unique};
use crate::raw::{Request, Response};
use crate::services::{App, headers};
use crate::story::{ALLOW, Asker, MARK, Root, Step};
use crate::wait;

/// The promise: from the command to the first denial, everywhere.
pub const LIVE: Duration = Duration::from_millis(1500);
/// From an answer to its line in the log.
const WRITTEN: Duration = Duration::from_secs(10);

/// What came of a step.
#[derive(Debug)]
pub struct Outcome {
    /// The path asked for.
    pub path: String,
    /// The answer.
    pub answer: Response,
    /// The access log lines of the request, in the order of the hops.
    pub lines: Vec<Line>,
    /// What reached `invoices`.
    pub invoices: Vec<Value>,
    /// What reached `orders`.
    pub orders: Vec<Value>,
    /// From the last command to this question.
    pub after: Option<Duration>,
    /// What is not as it should be; empty is good.
    pub differences: Vec<String>,
}

impl Outcome {
    /// The line of a hop.
    pub fn line(&self, hop: Hop) -> Option<&Line> {
        self.lines.iter().find(|line| line.hop == hop)
    }

    /// The line of the hop that denied it, or else of the last one that allowed it.
    pub fn deciding(&self) -> Option<&Line> {
        self.lines.iter().find(|line| line.field("decision") == "deny").or(self.lines.last())
    }

    /// The decision and reason of each hop.
    pub fn decisions(&self) -> Vec<(Hop, String, String)> {
        self.lines.iter().map(|line| (line.hop, line.field("decision"), line.field("reason"))).collect()
    }
}

/// Plays steps one after the other, and keeps what an attacker inside would keep.
pub struct Player<'a> {
    mesh: &'a Mesh,
    roots: HashMap<String, String>,
    commanded: Option<Instant>,
}

impl<'a> Player<'a> {
    /// A player that has captured nothing yet.
    pub fn new(mesh: &'a Mesh) -> Self {
        Self { mesh, roots: HashMap::new(), commanded: None }
    }

    /// Plays one step. Until [`LIVE`] after a command it asks again while the answer is not as expected.
    pub fn play(&mut self, step: &Step) -> Result<Outcome> {
        if let Some((verb, tenant)) = step.command {
            self.commanded = Some(self.mesh.tenant(verb, tenant)?);
        }
        loop {
            let asked = Instant::now();
            let outcome = self.once(step)?;
            let in_time = self.commanded.is_some_and(|given| asked < given + LIVE);
            if outcome.differences.is_empty() || !in_time {
                return Ok(outcome);
            }
        }
    }

    fn once(&mut self, step: &Step) -> Result<Outcome> {
        let mark = unique();
        let request = self.request(step, &mark)?;
        let (hop, workload) = match step.asker {
            Asker::Client => (Hop::Edge, Workload::Edge),
            Asker::Peer(workload, _) => (Hop::OrdersInbound, workload),
            Asker::App => (Hop::InvoicesOutbound, Workload::Invoices),
        };
        let asked = Instant::now();
        let answer = self.mesh.send(hop, workload, &request).with_context(|| format!("`{}`", step.name))?;
        let after = self.commanded.map(|given| asked - given);
        let id = answer.header("x-request-id").unwrap_or(&mark).to_owned();
        // Whatever went otherwise leaves other lines; only its first is waited for.
        let awaited = if answer.status == step.expected.status { step.expected.hops.len() } else { 1 };
        let lines = self.lines(&id, awaited);
        let seen = |app| self.mesh.seen_of(app, &mark);
        let (invoices, orders) = (seen(App::Invoices)?, seen(App::Orders)?);
        if let Some(root) = orders.last().and_then(|seen| header(seen, "x-partywall-context")) {
            self.roots.insert(step.tenant.into(), root);
        }
        let path = step.path.replace(MARK, &mark);
        let mut outcome = Outcome { path, answer, lines, invoices, orders, after, differences: Vec::new() };
        outcome.differences = differences(step, &outcome);
        Ok(outcome)
    }

    fn request(&self, step: &Step, mark: &str) -> Result<Request> {
        let mut request = Request::new(step.method, step.path.replace(MARK, mark)).header("host", step.host);
        if step.asker != Asker::Client {
            // The edge gives its own id and tells it; inside, the sender's counts.
            request = request.header("x-request-id", mark);
        }
        if let Some(token) = &step.token {
            request = request.header("authorization", self.mesh.bearer(token)?);
        }
        if let Asker::Peer(_, root) = step.asker {
            let root = match root {
                Root::Absent => None,
                Root::Forged(tenant) => Some(self.mesh.forged_root(tenant)?),
                Root::Captured(tenant) => {
                    Some(self.roots.get(tenant).with_context(|| format!("no root of {tenant} was captured"))?.clone())
                }
            };
            if let Some(root) = root {
                request = request.header("x-partywall-context", root);
            }
        }
        Ok(step.headers.iter().fold(request, |request, (name, value)| request.header(name, *value)))
    }

    /// The lines of one request: the one with its id, then those of its trace.
    fn lines(&self, id: &str, expected: usize) -> Vec<Line> {
        let mut found = Vec::new();
        wait::until(WRITTEN, || {
            let all = self.mesh.lines();
            let first = all.iter().find(|line| line.field("request_id") == id)?;
            let trace = first.trace_id();
            let same = |line: &&Line| line.field("request_id") == id || (trace.is_some() && line.trace_id() == trace);
            found = all.iter().filter(same).cloned().collect();
            (found.len() >= expected).then_some(())
        });
        found.sort_by_key(|line| Hop::ALL.iter().position(|hop| *hop == line.hop));
        found
    }
}

fn differences(step: &Step, outcome: &Outcome) -> Vec<String> {
    let expected = &step.expected;
    let mut found = Vec::new();
    if let (Some((verb, _)), Some(after)) = (step.command, outcome.after)
        && after > LIVE
    {
        found.push(format!("{verb}: in force after {} ms only", after.as_millis()));
    }
    let mut check = |what: &str, expected: String, got: String| {
        if expected != got {
            found.push(format!("{what}: expected {expected}, got {got}"));
        }
    };
    check("status", expected.status.to_string(), outcome.answer.status.to_string());
    if expected.told != ALLOW {
        check("reason told", expected.told.into(), outcome.answer.reason());
    }
    for hop in Hop::ALL {
        let decided = match expected.hops.iter().find(|(at, _)| *at == hop) {
            None => "nothing".into(),
            Some((_, ALLOW)) => "allow".into(),
            Some((_, reason)) => format!("deny {reason}"),
        };
        let logged = match outcome.line(hop) {
            None => "nothing".into(),
            Some(line) => {
                format!("{} {}", line.field("decision"), line.field("reason")).trim_end_matches(['-', ' ']).into()
            }
        };
        check(&hop.to_string(), decided, logged);
    }
    for (app, hop, seen) in
        [("invoices", Hop::InvoicesInbound, &outcome.invoices), ("orders", Hop::OrdersInbound, &outcome.orders)]
    {
        let let_through = expected.hops.contains(&(hop, ALLOW));
        check(&format!("requests that reached {app}"), usize::from(let_through).to_string(), seen.len().to_string());
        for request in seen.iter() {
            check(
                &format!("tenant told to {app}"),
                step.tenant.into(),
                headers(request, "x-partywall-tenant").join(" and "),
            );
            check(&format!("x-tenant-id told to {app}"), String::new(), headers(request, "x-tenant-id").join(" and "));
        }
    }
    found
}

fn header(seen: &Value, name: &str) -> Option<String> {
    headers(seen, name).into_iter().next()
}
