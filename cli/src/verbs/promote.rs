//! `partywall promote`.

use std::path::{Path, PathBuf};

use partywall_tenancy::{Rollout, TenantId};
use serde::Serialize;

use crate::candidates::{self, Candidate, Shown};
use crate::command::{note, note_missing, say, say_json};
use crate::compile::{self, warn_of_new_keys};
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::{arguments, moves, overlay, revisions};

/// Let a candidate decide for more tenants, for all of them, or for none
///
/// `partywall compile --candidate` writes a candidate, which sidecars try out beside the bundle in
/// force. Here it is signed anew with the next step, by as many keys as a bundle: where the keys
/// folder holds too few, it waits as `tenancy.<audience>.candidate.pending` for `partywall approve`,
/// and the step before stays.
///
/// --percent counts tenants by a hash of mesh and tenant id, so that a higher one only adds tenants;
/// --tenant adds to those that are named already. With --all its contents are signed as the bundle,
/// and are in force for everybody. With --withdraw it is taken away: overlay.yaml says so, and sidecars
/// go back to the bundle in force within a second and a half, even where somebody serves the file again;
/// what waits to become the bundle by --all goes with it.
/// `partywall status` tells who has which step.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    group = clap::ArgGroup::new("how").required(true).multiple(true),
    after_help = "Examples:
  partywall promote served --keys keys --tenant acme
  partywall promote served --keys keys --percent 10
  partywall promote served --keys keys --percent 50 --dry-run
  partywall promote served --keys keys --all
  partywall promote served --withdraw"
)]
pub(crate) struct Args {
    /// The folder that is served
    dir: PathBuf,
    /// The keys folder: private keys that sign, public keys of those that signed
    #[arg(long, required_unless_present = "withdraw")]
    keys: Option<PathBuf>,
    /// How many of a hundred tenants it decides for
    #[arg(long, value_name = "N", group = "how", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: Option<u8>,
    /// A tenant that it decides for too; can be given several times
    #[arg(long, value_name = "TENANT", group = "how", value_parser = arguments::tenant)]
    tenant: Vec<TenantId>,
    /// Put it into force for everybody, as the bundle
    #[arg(long, group = "how", conflicts_with_all = ["percent", "tenant", "withdraw"])]
    all: bool,
    /// Take it away
    #[arg(long, group = "how", conflicts_with_all = ["percent", "tenant"])]
    withdraw: bool,
    /// Tell what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    revision: u64,
    in_force: u64,
    /// For whom it decides now; `null` where it is the bundle.
    rollout: Option<Shown>,
    signed_by: Vec<String>,
    /// Signatures that are missing before sidecars take it.
    missing: u8,
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.keys {
        // `--keys` is needed for anything else.
        Some(keys) if !args.withdraw => promote(args, keys),
        _ => withdraw(args),
    }
}

fn withdraw(args: &Args) -> Outcome {
    let found = if args.dry_run { candidates::lying(&args.dir) } else { candidates::withdraw(&args.dir)? };
    let Some(found) = found else { return Err(none(&args.dir)) };
    for path in &found.unreadable {
        let so = match found.revisions.last() {
            Some(revision) => format!("the overlay withdraws candidates up to {revision}, and it may be a higher one"),
            None => "the overlay withdraws nothing; sidecars go back within some seconds, when they miss the file"
                .to_owned(),
        };
        note(format_args!(
            "note: `{}` is no candidate that can be read, so its revision is unknown: {so}",
            path.display()
        ));
    }
    if args.json {
        let (revision, bundle) = (found.revisions.last(), found.bundle);
        return say_json(&serde_json::json!({ "withdrawn": !args.dry_run, "revision": revision, "bundle": bundle }));
    }
    let would = if args.dry_run { "would be" } else { "is" };
    say(format_args!("the candidate {would} withdrawn; sidecars go back to the bundle in force"));
    if let Some(revision) = found.bundle {
        say(format_args!(
            "revision {revision}, which waits for signatures to be the bundle for everybody, {would} taken away too"
        ));
    }
    Ok(Exit::Fine)
}

fn promote(args: &Args, keys: &Path) -> Outcome {
    let found = candidates::read(&args.dir, keys)?;
    let [first, ..] = found.as_slice() else { return Err(none(&args.dir)) };
    if candidates::newer_waits(&args.dir, first) {
        return Err(Failure::file(
            &args.dir,
            "a newer candidate waits for signatures; `partywall approve` publishes it, or --withdraw takes both away",
        ));
    }
    let in_force = candidates::is_newer(first, &args.dir)?;
    revisions::not_withdrawn(&args.dir, first.body.revision)?;
    let waiting = revisions::waiting(&args.dir, first.body.audience);
    if let Some(newer) = waiting.filter(|waiting| args.all && *waiting > first.body.revision) {
        return Err(Failure::file(
            &args.dir,
            format!(
                "a bundle of revision {newer} waits for signatures, and {} would replace it; `partywall approve` publishes it, or take the tenancy.*.pending of bundles away",
                first.body.revision
            ),
        ));
    }
    if first.body.expires < overlay::now_millis() / 1000 {
        return Err(Failure::file(&args.dir, "the candidate is past its expiry; compile it again"));
    }
    let ids = in_force.keys.bundle.iter().chain(&first.body.keys.bundle).map(|(id, _)| id.clone());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids.dedup();
    let signers = compile::signers(&ids, keys)?;
    let signed_by: Vec<String> = signers.iter().map(|signer| signer.id.clone()).collect();
    warn_of_new_keys(&in_force, &signed_by, 1);
    let signed = u8::try_from(signers.len()).unwrap_or(u8::MAX);
    let missing = in_force.approvals.max(first.body.approvals).saturating_sub(signed);

    if args.all {
        moves::check(&in_force, &first.body, &args.dir, overlay::now_millis() / 1000, &[])?;
    }
    let rollout = if args.all { None } else { Some(next(args, first)?) };
    let sign = |candidate: &Candidate| compile::signed(&candidate.body, rollout.as_ref(), &signers);
    let slices = found.iter().map(sign).collect::<Result<Vec<_>, Failure>>()?;
    let revision = first.body.revision;
    match &rollout {
        _ if args.dry_run => {}
        Some(_) => drop(candidates::publish(&args.dir, &slices, missing)?),
        None => drop(compile::publish(&args.dir, revision, &slices, missing)?),
    }
    let rollout = rollout.as_ref().map(Shown::from);
    let report = Report { revision, in_force: in_force.revision, rollout, signed_by, missing };
    if args.json {
        return say_json(&report);
    }
    report.show(args);
    Ok(Exit::Fine)
}

fn next(args: &Args, candidate: &Candidate) -> Result<Rollout, Failure> {
    let before = &candidate.rollout;
    let mut tenants = before.tenants.clone();
    for tenant in &args.tenant {
        if candidate.body.tenants.get(tenant).is_none() {
            let known: Vec<String> = candidate.body.tenants.iter().map(|known| known.id.to_string()).collect();
            return Err(Failure::usage(unknown(tenant, known.iter().map(String::as_str))));
        }
        tenants.push(tenant.clone());
    }
    tenants.sort();
    tenants.dedup();
    let percent = args.percent.unwrap_or(before.percent);
    if percent == before.percent && tenants == before.tenants {
        return Err(Failure::usage(format!("nothing changes: {}", Shown::from(before).words())));
    }
    Ok(Rollout { format: Rollout::FORMAT, step: before.step.saturating_add(1), percent, tenants })
}

/// What to say of a tenant that a candidate does not know.
pub(crate) fn unknown<'a>(tenant: &TenantId, known: impl Iterator<Item = &'a str>) -> String {
    let near = nearest(tenant.as_str(), known).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    format!("the candidate knows no tenant `{tenant}`{near}")
}

fn none(folder: &Path) -> Failure {
    Failure::file(folder, "holds no candidate; `partywall compile --candidate` makes one")
}

impl Report {
    fn show(&self, args: &Args) {
        let Self { revision, in_force, rollout, signed_by, missing } = self;
        let would = if args.dry_run { " would be" } else { "" };
        match rollout {
            Some(rollout) => say(format_args!("candidate {revision} beside {in_force}{would}: {}", rollout.words())),
            None => say(format_args!("revision {revision}{would}: the bundle for everybody; {in_force} was in force")),
        }
        say(format_args!("signed by {}", signed_by.join(", ")));
        note_missing(*missing, &args.dir);
    }
}
