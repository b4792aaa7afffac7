//! `partywall check`.

mod against;
mod fleet;

use std::path::PathBuf;

use partywall_authorization::Program;
use serde::Serialize;

use crate::command::{say, say_json};
use crate::compile::{Checked, check};
use crate::diagnostic::{Diagnostic, Severity};
use crate::directory;
use crate::exit::{Exit, Failure, Outcome};
use crate::lower::across::{self, Useless, useless};
use crate::lower::{Vocabulary, parse, reach};

/// Tell every mistake of a tenancy directory, with its place and what to write instead
///
/// Also lists what is allowed, yet worth knowing: operations that change something whose owner nothing in the request
/// shows (what nobody shows, nobody can guard), policies that no request in this directory satisfies, permits that a
/// forbid always beats, tenants to whom nothing is permitted, actions that `grants` allows and no grant can give; and,
/// as notes, operations that anybody may call. None of these fails the check.
/// Exit status: 0 fine, 1 a breach of --against or --fleet, 3 a mistake in the directory.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall check envoy-config/tenancy
  partywall check envoy-config/tenancy --keys keys     also the key files and JWK sets it names
  partywall check tenancy --against ../main/tenancy    refuses a reused id, another owner or prefix, a dropped action
  partywall check tenancy --fleet 0.1.0                whether these versions read what this one writes
  partywall check envoy-config/tenancy --json | jq '.diagnostics[].path'"
)]
pub(crate) struct Args {
    /// The tenancy directory
    dir: PathBuf,
    /// The keys folder; without it, key files and JWK sets are not looked at
    #[arg(long)]
    keys: Option<PathBuf>,
    /// The directory as it is in force: a copy, or a worktree of git
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// A changed owner and a dropped action are meant
    #[arg(long, requires = "against")]
    allow_breaking: bool,
    /// Versions of Partywall that run, with commas between
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',')]
    fleet: Vec<String>,
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
    let mut diagnostics = checked.diagnostics.clone();
    diagnostics.extend(unreached(&checked));
    let broken = diagnostics.iter().any(|d| d.severity == Severity::Error);
    if let Some(old) = &args.against {
        diagnostics.extend(compared(args, old, &checked)?);
    }
    let fleet = fleet::check(&args.fleet).into_iter();
    diagnostics.extend(fleet.map(|message| {
        Diagnostic::of_file("--fleet", message).help("update these sidecars first, or compile with their version")
    }));
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let good = checked.good().map(|(directory, _)| directory);
    let (tenants, services) = good.map_or((0, 0), |d| (d.tenants.len(), d.services.len()));
    if args.json {
        say_json(&Report { errors, warnings, notes, tenants, services, diagnostics: &diagnostics })?;
    } else {
        diagnostics.iter().for_each(|d| say(format_args!("{d}\n")));
        let about = good.map_or_else(String::new, |_| format!("{tenants} tenants, {services} services, "));
        let unread = if args.keys.is_none() { "; without --keys no key file or JWK set was looked at" } else { "" };
        say(format_args!("{}: {about}{errors} errors, {warnings} warnings, {notes} notes{unread}", args.dir.display()));
    }
    Ok(match (broken, errors) {
        (true, _) => Exit::Invalid,
        (false, 0) => Exit::Fine,
        (false, _) => Exit::Findings,
    })
}

/// So many tenants are told by name: where nothing is permitted to more, one mistake is behind all of it.
const MOST_TENANTS: usize = 100;

/// Policies and tenants that no request reaches, and actions that no grant can give, or no share.
fn unreached(checked: &Checked) -> Vec<Diagnostic> {
    let Some((directory, program)) = checked.good() else { return Vec::new() };
    let Ok(program) = Program::read(program) else { return Vec::new() };
    let vocabulary = Vocabulary {
        tenants: directory.tenants,
        services: directory.services,
        networks: Some(&directory.mesh.networks),
        clusters: directory.events,
    };
    let (parsed, _) = parse(directory.policies);
    let mut found = reach::unreached(&vocabulary, &parsed, &program);
    // Cedar or the comparison with it may have said so at the same policy, and why.
    found.policies.retain(|new| {
        let from = new.line;
        let next = parsed.iter().filter(|p| p.source.path() == new.path).map(|p| p.source.position(p.offset).0);
        let to = next.filter(|line| *line > from).min().unwrap_or(usize::MAX);
        !checked.diagnostics.iter().any(|d| d.path == new.path && (from..to).contains(&d.line))
    });
    let help = "give its people a role that a policy names, or suspend it";
    let places = found.tenants.iter().filter_map(|id| Some((id, checked.reading().tenant_place(id)?)));
    let tenants = places.map(|(id, place)| place.warning(format!("no policy permits anything to `{id}`")).help(help));
    let tenants: Vec<_> = tenants.take(MOST_TENANTS).collect();
    let ceilings = directory.mesh.grants.as_ref();
    let useless = ceilings.map_or_else(Vec::new, |ceilings| useless(&vocabulary, &parsed, &program, ceilings));
    let places = useless.into_iter().filter_map(|(action, why)| {
        let place = checked.reading().grantable_place(&action)?;
        Some(place.warning(format!("no grant of `{action}` lets anybody across")).help(remedy(&action, why)))
    });
    let shared = directory.shares.iter().flat_map(|share| {
        let useless = across::of_share(&vocabulary, &parsed, &program, share);
        let forbidden = useless.into_iter().filter(|(_, why)| matches!(why, Useless::Forbidden(_)));
        forbidden.filter_map(|(action, why)| {
            let place = checked.reading().shareable_place(&share.name, &action)?;
            let message = format!("share `{}` lets nobody do `{action}`", share.name);
            Some(place.warning(message).help(remedy(&action, why)))
        })
    });
    let shared: Vec<_> = shared.collect();
    found.policies.into_iter().chain(tenants).chain(places).chain(shared).collect()
}

fn remedy(action: &str, why: Useless) -> String {
    match why {
        Useless::Unseen => format!(
            "no path of an operation with this action names the owner; write `owner: path.tenant` and `{{tenant}}` in the path of one, or leave `{action}` out"
        ),
        Useless::Forbidden(by) => {
            let by = by.into_iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
            format!("{by} forbids it: except it there, as `unless {{ … || action == Action::\"{action}\" }}`")
        }
    }
}

fn compared(args: &Args, old: &std::path::Path, checked: &Checked) -> Result<Vec<Diagnostic>, Failure> {
    let before = directory::read(old, None);
    if before.directory().is_none() {
        let errors = before.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned();
        return Err(Failure::diagnostics(&errors.collect::<Vec<_>>()));
    }
    Ok(against::check(&before, checked.reading(), &args.dir, args.allow_breaking))
}
