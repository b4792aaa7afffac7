//! `partywall audit prune`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use partywall_log_redaction::{Pruned, Ranges};
use serde_json::json;

use crate::audit::{Audit, Entry, Judged, PRUNED, keys, read};
use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::overlay::now_millis;
use crate::recorded::Log;

/// Take old decisions out of a log so that what is left still verifies
///
/// What is left has a statement, made with the key, of which numbers were taken out; so `partywall audit verify` finds no
/// gap there, and finds each line that goes afterwards. The log is verified first: what somebody changed is not pruned.
/// Uses of grants are kept as long as denials. Words of Envoy's own log and lines without a link stay.
///
/// Exit status: 0 written, 1 the log was changed, and nothing was written.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall audit prune orders.log --keep denials=1y,allows=7d --key keys/audit.keys --out orders.kept.log
  partywall audit verify orders.kept.log --key keys/audit.keys"
)]
pub(crate) struct Args {
    /// The log: a file with access log and, if need be, Envoy's own log
    log: PathBuf,
    /// How long each kind is kept, in years, days or hours
    #[arg(long, value_name = "denials=TIME,allows=TIME", value_parser = parse_keep)]
    keep: Keep,
    /// The keys: audit.keys, or a workload's .env file; may be given more than once
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The log that is written; must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The log is a part: what lies before its first lines is no reason to refuse
    #[arg(long)]
    part: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How long, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Keep {
    denials: u64,
    allows: u64,
}

/// What is taken out of the log of one VM.
#[derive(Default)]
struct Out {
    numbers: Ranges,
    lines: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.log.as_os_str() == "-" {
        return Err(Failure::usage("a log is read twice to be pruned\nhelp: name a file"));
    }
    let mut audit = Audit::new(keys(&args.key)?);
    audit.read(&args.log)?;
    let judged = Judged { ended: false, part: args.part };
    // What a crash took stays missing, and goes on being told.
    if audit.was_changed(judged) {
        audit.show(judged);
        return Err(Failure { exit: Exit::Findings, message: "nothing was pruned: the log was changed".into() });
    }
    let now = now_millis();
    let is_old = |denied: bool, at: u64| {
        let keep = if denied { args.keep.denials } else { args.keep.allows };
        now.saturating_sub(at) > keep
    };
    let beside = args.out.with_extension("part");
    let written = write(&args.log, &beside, is_old, &audit);
    let (kept, pruned) = match written.and_then(|counts| publish(&beside, &args.out).map(|()| counts)) {
        Ok(counts) => counts,
        Err(failure) => {
            let _ = fs::remove_file(&beside);
            return Err(failure);
        }
    };
    if args.json {
        return say_json(&json!({ "kept": kept, "pruned": pruned }));
    }
    say(format_args!("{}: {kept} lines; {pruned} decisions were taken out", args.out.display()));
    Ok(Exit::Fine)
}

/// Copies what stays, and says of the rest that it was taken out. Gives how many lines stay, and how many do not.
fn write(from: &Path, to: &Path, is_old: impl Fn(bool, u64) -> bool, audit: &Audit) -> Result<(u64, u64), Failure> {
    let failed = |e| Failure::file(to, e);
    let mut out = BufWriter::new(File::create(to).map_err(failed)?);
    let mut pruned: BTreeMap<String, Out> = BTreeMap::new();
    let mut kept = 0;
    let mut log = Log::open(from)?;
    while log.next_bytes()?.is_some() {
        match read(log.bytes()) {
            Entry::Linked(linked) => {
                let link = linked.link().map_err(Failure::invalid)?;
                let denied = linked.field("decision") != "allow" || linked.field("policy").starts_with("grant:");
                if is_old(denied, link.at) {
                    let out = pruned.entry(link.boot.to_owned()).or_default();
                    out.lines += 1;
                    link.was.iter().chain([&link.number]).for_each(|number| out.numbers.insert(*number, *number));
                    continue;
                }
            }
            // What was said before goes into what is said now.
            Entry::Pruned(text) => {
                let before = Pruned::parse(&text).map_err(Failure::invalid)?;
                let out = pruned.entry(before.boot.to_owned()).or_default();
                before.pruned.iter().for_each(|(first, last)| out.numbers.insert(first, last));
                continue;
            }
            Entry::Unlinked | Entry::Word(_) | Entry::Cut | Entry::Other => {}
        }
        kept += 1;
        out.write_all(log.bytes()).and_then(|()| out.write_all(b"\n")).map_err(failed)?;
    }
    for (boot, of) in &pruned {
        for statement in audit.verifier.prune(boot, &of.numbers) {
            writeln!(out, "{}", json!({ PRUNED: statement })).map_err(failed)?;
        }
    }
    out.into_inner().map_err(|e| failed(e.into_error()))?.sync_all().map_err(failed)?;
    Ok((kept, pruned.values().map(|out| out.lines).sum()))
}

/// Puts it in its place, where nothing may be yet.
fn publish(beside: &Path, to: &Path) -> Result<(), Failure> {
    fs::hard_link(beside, to).map_err(|e| Failure::file(to, e))?;
    fs::remove_file(beside).map_err(|e| Failure::file(beside, e))
}

fn parse_keep(text: &str) -> Result<Keep, String> {
    const WRONG: &str = "write both, as `denials=1y,allows=7d`; `y`, `d` and `h` are years, days and hours";
    let (mut denials, mut allows) = (None, None);
    for part in text.split(',') {
        let (kind, time) = part.split_once('=').ok_or(WRONG)?;
        let place = match kind {
            "denials" => &mut denials,
            "allows" => &mut allows,
            _ => return Err(WRONG.into()),
        };
        if place.replace(milliseconds(time).ok_or(WRONG)?).is_some() {
            return Err(WRONG.into());
        }
    }
    match (denials, allows) {
        (Some(denials), Some(allows)) => Ok(Keep { denials, allows }),
        _ => Err(WRONG.into()),
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let hours: u64 = match unit {
        "y" => 365 * 24,
        "d" => 24,
        "h" => 1,
        _ => return None,
    };
    number.parse::<u32>().ok().map(|number| u64::from(number) * hours * 3_600_000)
}
