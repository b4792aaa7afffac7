//! `partywall check`.

use std::path::PathBuf;

use serde::Serialize;

use crate::command::{say, say_json};
use crate::compile::check;
use crate::diagnostic::{Diagnostic, Severity};
use crate::exit::{Exit, Outcome};

/// Tell every mistake of a tenancy directory, with its place and what to write instead
///
/// Also lists the operations that change something whose owner nothing in the request shows: what
/// nobody shows, nobody can guard. And, as notes, those that anybody may call. Neither fails the check.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall check envoy-config/tenancy
  partywall check envoy-config/tenancy --keys keys     also the key files and JWK sets it names
  partywall check envoy-config/tenancy --json | jq '.diagnostics[].path'"
)]
pub(crate) struct Args {
    /// The tenancy directory
    dir: PathBuf,
    /// The keys folder; without it, key files and JWK sets are not looked at
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'d> {
    errors: usize,
    warnings: usize,
    notes: usize,
    tenants: usize,
    services: usize,
    diagnostics: &'d [Diagnostic],
}

pub(crate) fn run(args: &Args) -> Outcome {
    let checked = check(&args.dir, args.keys.as_deref());
    let diagnostics = &checked.diagnostics;
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let good = checked.good().map(|(directory, _)| directory);
    let (tenants, services) = good.map_or((0, 0), |d| (d.tenants.len(), d.services.len()));
    if args.json {
        say_json(&Report { errors, warnings, notes, tenants, services, diagnostics })?;
    } else {
        diagnostics.iter().for_each(|d| say(format_args!("{d}\n")));
        let about = good.map_or_else(String::new, |_| format!("{tenants} tenants, {services} services, "));
        let unread = if args.keys.is_none() { "; without --keys no key file or JWK set was looked at" } else { "" };
        say(format_args!("{}: {about}{errors} errors, {warnings} warnings, {notes} notes{unread}", args.dir.display()));
    }
    Ok(if errors > 0 { Exit::Invalid } else { Exit::Fine })
}
