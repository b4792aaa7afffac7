//! `partywall export`.

mod own;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use partywall_tenancy::TenantId;
use serde_json::{Value, json};

use crate::arguments;
use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::material::Material;
use crate::recorded::Log;
use crate::verbs::lineage::{self, Step};
use crate::{files, prints, records};
use own::Own;

/// Write what is known of one tenant, and nothing of any other: its record, decisions and lineage
///
/// Makes the folder OUT with
///   record.json       what its file says, and the settings that hold for it
///   decisions.ndjson  the decisions about its requests, and those by which a grant let others in
///   lineage.txt       the way of each request, as `partywall lineage` tells it, from its own lines
/// Of a line only what the filter and Envoy say of the request is written. Fingerprints and names of other tenants are
/// replaced by `t_other`, who used a grant by `s_other`. Decisions have no link any more: verify the logs, not this.
///
/// Exit status: 0 written.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall export globex --tenancy tenancy --fingerprint-key keys/edge.env --log edge.log --log orders.log --out globex
  partywall export globex --tenancy tenancy --fingerprint-key keys/edge.env --out globex --json"
)]
pub(crate) struct Args {
    /// The tenant
    #[arg(value_parser = arguments::tenant)]
    tenant: TenantId,
    /// The tenancy directory
    #[arg(long, value_name = "DIR")]
    tenancy: PathBuf,
    /// The fingerprint keys: a workload's .env file, or `id:key`; by default the variable PARTYWALL_FINGERPRINT
    #[arg(long, value_name = "FILE")]
    fingerprint_key: Option<PathBuf>,
    /// An access log; may be given more than once
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,
    /// The folder to make; must not be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// No file of a tenant is longer.
const MAX_SIZE: u64 = 64 << 20;

pub(crate) fn run(args: &Args) -> Outcome {
    let record = record(args)?;
    let keys = prints::keys(args.fingerprint_key.as_deref())?;
    let material = Material::read(&args.tenancy, None)?;
    let own = Own::new(&args.tenant, &keys, material.tenants.iter().map(|tenant| &tenant.id));
    fs::create_dir(&args.out).map_err(|e| Failure::file(&args.out, e))?;
    let text = format!("{record:#}\n");
    let path = args.out.join("record.json");
    files::create(&path, text.as_bytes(), files::PRIVATE).map_err(|e| Failure::file(&path, e))?;
    let (decisions, traces) = decisions(args, &own)?;
    if args.json {
        return say_json(&json!({ "out": args.out, "decisions": decisions, "traces": traces }));
    }
    say(format_args!("{}: the record of {}, {decisions} decisions, {traces} traces", args.out.display(), args.tenant));
    Ok(Exit::Fine)
}

/// What the directory says of it.
fn record(args: &Args) -> Result<Value, Failure> {
    let record = records::record(&args.tenancy, &args.tenant)?;
    let path = Path::new(record.place.path());
    let text = files::read_text(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?;
    let of_lines = || {
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["tenant"] == args.tenant.as_str())
    };
    let written = match path.extension().is_some_and(|end| end == "ndjson") {
        true => of_lines(),
        false => serde_saphyr::from_str(&text).ok(),
    };
    let written = written.ok_or_else(|| Failure::file(path, "does not read as it did a moment ago"))?;
    let settings: serde_json::Map<String, Value> =
        record.settings.iter().map(|(name, value, _)| ((*name).to_owned(), json!(value))).collect();
    Ok(json!({ "tenant": args.tenant.as_str(), "written": written, "settings": settings }))
}

/// Writes what concerns it of all logs; gives how many decisions and traces there are.
fn decisions(args: &Args, own: &Own) -> Result<(u64, usize), Failure> {
    let path = args.out.join("decisions.ndjson");
    let failed = |e| Failure::file(&path, e);
    files::create(&path, b"", files::PRIVATE).map_err(failed)?;
    let mut out = BufWriter::new(File::options().append(true).open(&path).map_err(failed)?);
    let mut count = 0;
    let mut traces: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for log in &args.log {
        let mut log = Log::open(log)?;
        while log.next_bytes()?.is_some() {
            let Some(decision) = own.decision(log.bytes()) else { continue };
            let line = decision.to_string();
            writeln!(out, "{line}").map_err(failed)?;
            count += 1;
            let trace = decision["traceparent"].as_str().and_then(|parent| parent.split('-').nth(1));
            if let Some((trace, step)) = trace.and_then(|trace| Some((trace, lineage::step(line.as_bytes(), trace)?))) {
                traces.entry(trace.to_owned()).or_default().push(step);
            }
        }
    }
    out.flush().map_err(failed)?;
    let mut ways: Vec<(String, Vec<Step>)> = traces.into_iter().collect();
    ways.iter_mut().for_each(|(_, steps)| steps.sort());
    ways.sort_by(|(_, a), (_, b)| a.first().cmp(&b.first()));
    let texts: Vec<String> = ways.iter().map(|(trace, steps)| lineage::text(trace, steps) + "\n").collect();
    let path = args.out.join("lineage.txt");
    files::create(&path, texts.concat().as_bytes(), files::PRIVATE).map_err(|e| Failure::file(&path, e))?;
    Ok((count, ways.len()))
}
