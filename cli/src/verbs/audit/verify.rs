//! `partywall audit verify`.

use std::path::PathBuf;

use crate::audit::{Audit, Judged, keys};
use crate::command::say_json;
use crate::exit::{Exit, Outcome};

/// Tell whether access logs are whole: no line removed, altered, repeated, swapped or cut off
///
/// Reads JSON lines whose field `chain` is what the filter wrote, and Envoy's own log (standard error), which tells what
/// was open when no line did, that an Envoy ended, and what kafka_scope decided. In any order, any number of Envoys, both logs in one file or not.
/// A line that is not there is told as
///   removed   a later checkpoint says that its request was over
///   open      no later one says so, and the VM may run
///   lost      the same, and the VM is gone: it crashed, or the end of its log was cut off
///   before    lower than all that are there: in an older log, or removed
///
/// Exit status: 0 whole, 1 something is wrong.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall audit verify orders.log orders.err --key keys/audit.keys
  partywall audit verify orders.log orders.err --key keys/orders.env --ended
  partywall audit verify kafka-proxy.err --key keys/kafka-proxy.env
  kubectl logs deploy/orders -c istio-proxy | partywall audit verify - --key keys/audit.keys --part --json"
)]
pub(crate) struct Args {
    /// The logs; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    logs: Vec<PathBuf>,
    /// The keys: audit.keys, or a workload's .env file; may be given more than once
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The Envoys that wrote these logs have ended: each VM must have said its last word
    #[arg(long)]
    ended: bool,
    /// These logs are a part: what lies before their first lines is no finding
    #[arg(long)]
    part: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut audit = Audit::new(keys(&args.key)?);
    for path in &args.logs {
        audit.read(path)?;
    }
    let judged = Judged { ended: args.ended, part: args.part };
    if args.json {
        say_json(&audit.json(judged))?;
    } else {
        audit.show(judged);
    }
    Ok(if audit.has_findings(judged) { Exit::Findings } else { Exit::Fine })
}
