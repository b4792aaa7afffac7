//! `partywall lineage`.

mod picture;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::recorded::Log;

/// Show the way one request took: the decisions of all hops about one trace id
///
/// Reads access logs as the bootstraps of envoy-config write them: one JSON object a line, with `traceparent`, `time`,
/// `hop` and `role`. A trace id is what clients send: the same may stand for several requests, and lines are joined by
/// nothing else.
///
/// Exit status: 0 the request was let in at each hop, 1 a hop denied it, or no line has this trace id.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall lineage --trace 4bf92f3577b34da6a3ce929d0e0e4736 edge.log invoices.log orders.log
  partywall lineage --trace 4bf92f3577b34da6a3ce929d0e0e4736 *.log --svg > way.svg
  zcat *.log.gz | partywall lineage --trace 4bf92f3577b34da6a3ce929d0e0e4736 - --mermaid"
)]
pub(crate) struct Args {
    /// The access logs; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    logs: Vec<PathBuf>,
    /// The trace id: the second part of `traceparent`, 32 hex digits
    #[arg(long, value_name = "ID", value_parser = parse_trace)]
    trace: String,
    /// Print a Mermaid sequence diagram
    #[arg(long, conflicts_with_all = ["svg", "json"])]
    mermaid: bool,
    /// Print an SVG picture
    #[arg(long, conflicts_with = "json")]
    svg: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The most lines of one trace: more would be no picture.
const MOST: usize = 1_000;

/// What one hop says of the request, as printed in its line.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Step {
    time: String,
    hop: String,
    role: String,
    method: String,
    path: String,
    status: String,
    tenant: String,
    decision: String,
    reason: String,
    policy: String,
    /// The SPIFFE ID of who called; empty for a client of the edge.
    peer: String,
    duration_ms: String,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Vec::new();
    for path in &args.logs {
        let mut log = Log::open(path)?;
        while log.next()?.is_some() {
            steps.extend(step(log.bytes(), &args.trace));
            if steps.len() > MOST {
                let why = format!("trace {} has over {MOST} lines: that is not one request", args.trace);
                return Err(Failure::invalid(why));
            }
        }
    }
    // By the time at which each hop got the request; Envoy writes times so that they sort as text.
    steps.sort();
    if args.json {
        say_json(&steps)?;
    } else if args.mermaid {
        say(picture::mermaid(&steps));
    } else if args.svg {
        say(picture::svg(&args.trace, &steps));
    } else {
        say(text(&args.trace, &steps));
    }
    let let_in = !steps.is_empty() && steps.iter().all(|step| step.decision == "allow");
    Ok(if let_in { Exit::Fine } else { Exit::Findings })
}

fn parse_trace(text: &str) -> Result<String, String> {
    let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex { Ok(text.to_owned()) } else { Err("a trace id is 32 of `0-9 a-f`, as in `traceparent`".into()) }
}

/// The line's step, if it is about this trace.
pub(super) fn step(line: &[u8], trace: &str) -> Option<Step> {
    // Most lines are of other requests, and reading their JSON would take most of the time.
    line.windows(trace.len()).any(|part| part == trace.as_bytes()).then_some(())?;
    let value: Value = serde_json::from_slice(line).ok()?;
    let field = |name: &str| match &value[name] {
        Value::String(text) if text != "-" => plain(text),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let ours = field("traceparent").split('-').nth(1) == Some(trace);
    ours.then(|| Step {
        time: field("time"),
        hop: field("hop"),
        role: field("role"),
        method: field("method"),
        path: field("path"),
        status: field("status"),
        tenant: field("tenant"),
        decision: field("decision"),
        reason: field("reason"),
        policy: field("policy"),
        peer: field("peer"),
        duration_ms: field("duration_ms"),
    })
}

/// What a client sent must not move the cursor of whoever reads this.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl Step {
    /// The hop and its role, once where they are one word.
    fn place(&self) -> String {
        if self.hop == self.role { self.hop.clone() } else { format!("{} {}", self.hop, self.role) }
    }

    /// Who called, in one word: the last part of its SPIFFE ID.
    fn caller(&self) -> &str {
        match self.role.as_str() {
            "outbound" | "egress" => &self.hop,
            _ => self.peer.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("client"),
        }
    }

    fn request(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// What came of it.
    fn outcome(&self) -> String {
        if self.decision.is_empty() {
            return "no decision".into();
        }
        crate::recorded::outcome(self.decision == "allow", &self.reason, &self.policy)
    }
}

pub(super) fn text(trace: &str, steps: &[Step]) -> String {
    if steps.is_empty() {
        return format!("trace {trace}: no line of these logs has it");
    }
    let width = steps.iter().map(|step| step.place().chars().count()).max().unwrap_or_default();
    let mut out = format!("trace {trace}: {} lines", steps.len());
    for step in steps {
        let (place, status) = (step.place(), if step.status.is_empty() { "-" } else { &step.status });
        out.push_str(&format!("\n  {}  {place:width$}  {status:>3}  {}", step.time, step.request()));
        let tenant = if step.tenant.is_empty() { "nobody" } else { &step.tenant };
        out.push_str(&format!("\n      called by {}, for {tenant}: {}", step.caller(), step.outcome()));
        if !step.duration_ms.is_empty() {
            out.push_str(&format!(", {} ms", step.duration_ms));
        }
    }
    out
}
