//! `partywall rollback`.

mod gains;

use std::path::{Path, PathBuf};

use partywall_tenancy::{Audience, Bundle, BundleBody, UnixSeconds};
use serde::Serialize;

use crate::command::{note_missing, say, say_json};
use crate::compile::{self, publish, signers, trusted, warn_of_new_keys};
use crate::directory::parse_duration;
use crate::exit::{Exit, Failure, Outcome};
use crate::revisions::{Revisions, Unknown};
use crate::{history, moves, overlay, slices};

use gains::Gains;

/// Publish what an earlier revision said, under a new and higher one
///
/// Sidecars never go back to a lower revision, so the old contents are signed anew: those of
/// `DIR/history/REV`, which `partywall compile` and `approve` keep for the last 50 revisions. Their
/// signatures are checked before. Keys, approvals, the ceilings of grants and the cells of tenants stay
/// those in force: a key that was retired since does not come back, and nobody goes back to a cell.
/// What the overlay withdraws stays withdrawn. What is given again is told: tenants that may act,
/// consents and shares, what clusters of Kafka say, workloads of the platform, and those that may call
/// without a context.
/// Candidates and what waits for signatures are passed; those that cannot be verified with this
/// keys folder are told, and left out.
///
/// `partywall diff DIR DIR/history/REV` shows first what would change. The tenancy directory is not
/// touched: put it back too, or the next compile brings the later contents again.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall rollback 41 --dir served --keys keys --dry-run
  partywall rollback 41 --dir served --keys keys"
)]
pub(crate) struct Args {
    /// The revision to go back to
    revision: u64,
    /// The folder that is served
    #[arg(long)]
    dir: PathBuf,
    /// The keys folder: private keys that sign, public keys of those that signed
    #[arg(long)]
    keys: PathBuf,
    /// How long it lives
    #[arg(long, default_value = "30d")]
    expires: String,
    /// Tell what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    back_to: u64,
    in_force: u64,
    revision: u64,
    #[serde(flatten)]
    gains: Gains,
    signed_by: Vec<String>,
    /// Signatures that are missing before sidecars take it.
    missing: u8,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let in_force = slices::together(&args.dir).ok_or_else(|| {
        Failure::file(&args.dir, "holds no bundle; name the folder that `partywall compile` writes to")
    })?;
    if args.revision >= in_force.revision {
        return Err(Failure::usage(format!(
            "revision {} is not older than {}, which is in force",
            args.revision, in_force.revision
        )));
    }
    let ids: Vec<String> = in_force.keys.bundle.iter().map(|(id, _)| id.clone()).collect();
    let now = overlay::now_millis() / 1000;
    let lifetime = parse_duration(&args.expires)
        .ok_or_else(|| Failure::usage(format!("--expires `{}` is no time; write `12h` or `30d`", args.expires)))?;
    let expires = now.saturating_add(lifetime.into());
    // It is the way back in an emergency: what somebody else left there does not stand in it.
    let revision = Revisions::read(&args.dir, &args.keys, in_force.revision, Unknown::Skip)?.next()?;
    let bodies = Audience::ALL.map(|audience| old(args, &in_force, audience, (revision, now, expires)));
    let bodies = bodies.into_iter().collect::<Result<Vec<_>, _>>()?;

    let signers = signers(&ids, &args.keys)?;
    let signed_by: Vec<String> = signers.iter().map(|s| s.id.clone()).collect();
    warn_of_new_keys(&in_force, &signed_by, 1);
    let signed = u8::try_from(signers.len()).unwrap_or(u8::MAX);
    let missing = in_force.approvals.saturating_sub(signed);
    // Where overlay.yaml cannot be read, more is told.
    let withdrawn = overlay::withdrawn(&args.dir).map(|overlay| overlay.withdrawn_consents).unwrap_or_default();
    let old =
        slices::merged(&bodies).ok_or_else(|| Failure::file(&args.dir, "history: nothing for edge or workloads"))?;
    let gains = Gains::of(&in_force, &old, &withdrawn, now);
    if !args.dry_run {
        let slices =
            bodies.iter().map(|body| compile::signed(body, None, &signers)).collect::<Result<Vec<_>, Failure>>()?;
        publish(&args.dir, revision, &slices, missing)?;
    }
    let (back_to, in_force) = (args.revision, in_force.revision);
    let report = Report { back_to, in_force, revision, gains, signed_by, missing };
    if args.json {
        return say_json(&report);
    }
    report.show(&args.dir, args.dry_run);
    Ok(Exit::Fine)
}

/// The old contents with what must not go back.
fn old(
    args: &Args,
    in_force: &BundleBody,
    audience: Audience,
    (revision, issued, expires): (u64, UnixSeconds, UnixSeconds),
) -> Result<BundleBody, Failure> {
    let bytes = history::read(&args.dir, args.revision, audience)?;
    let refused = |why: String| {
        Failure::file(&args.dir, format!("history: revision {}, {}: {why}", args.revision, audience.name()))
    };
    // A key that was retired since did sign it in its time.
    let signed = in_force.keys.bundle.iter().chain(&in_force.keys.retired).map(|(id, _)| id);
    let bundle = Bundle::open(&bytes, &trusted(signed, &args.keys)?).map_err(|refusal| refused(refusal.to_string()))?;
    let body = bundle.body();
    if body.mesh != in_force.mesh || body.audience != audience || body.revision != args.revision {
        return Err(refused("is not what its name says".to_owned()));
    }
    Ok(BundleBody {
        revision,
        issued,
        expires,
        approvals: in_force.approvals,
        keys: in_force.keys.clone(),
        grants: in_force.grants.clone(),
        cells: in_force.cells.clone(),
        tenants: moves::stay(in_force, body)?,
        ..body.clone()
    })
}

impl Report {
    fn show(&self, dir: &Path, dry_run: bool) {
        let Self { back_to, in_force, revision, gains, signed_by, missing } = self;
        let would = if dry_run { "would be" } else { "is" };
        say(format_args!("revision {revision} {would} what revision {back_to} was; {in_force} was in force"));
        say(format_args!("signed by {}", signed_by.join(", ")));
        gains.tell();
        note_missing(*missing, dir);
    }
}
