//! `partywall tenant`.

use std::path::PathBuf;

use clap::Subcommand;
use partywall_tenancy::{BundleBody, TenantId, TenantStatus};

use crate::arguments;
use crate::command::say;
use crate::compile::check;
use crate::diagnostic::Severity;
use crate::directory::is_label;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay::{self, Served, Withdrawn};
use crate::records;

/// Suspend, quarantine or resume a tenant at once; add, move or offboard one
///
/// The first three change DIR/overlay.yaml; `partywall serve DIR` signs it within 100 ms, and every sidecar denies
/// the tenant within 1.5 s. An overlay only takes away: a tenant that its own file suspends is
/// resumed there. The others change the tenancy directory, and count after the next compile.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall tenant suspend globex --dir served
  partywall tenant quarantine globex --dir served
  partywall tenant resume globex --dir served
  partywall tenant add hooli --tier gold --tenancy tenancy
  partywall tenant move acme --to eu-2 --tenancy tenancy
  partywall tenant offboard hooli --tenancy tenancy"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Deny its requests (`tenant_suspended`)
    #[command(after_help = "Example:\n  partywall tenant suspend globex --dir served")]
    Suspend(Which),
    /// Deny its requests, on suspicion of harm (`tenant_quarantined`)
    #[command(after_help = "Example:\n  partywall tenant quarantine globex --dir served")]
    Quarantine(Which),
    /// Lift what `suspend` and `quarantine` did
    #[command(after_help = "Example:\n  partywall tenant resume globex --dir served")]
    Resume(Which),
    /// Write its file; it inherits what the profile of its tier says
    #[command(after_help = "Examples:
  partywall tenant add hooli --tier gold --tenancy tenancy
  partywall tenant add hooli --tier bronze --residency us --tenancy tenancy")]
    Add(Add),
    /// Let another cell serve it
    ///
    /// In two steps, and a compile after each: with --to nobody serves it (`tenant_moving`, 503), so that its data can be
    /// brought over; with --done the new cell does. `partywall compile` refuses the second step as long as a sidecar of
    /// the old cell may serve by a bundle from before.
    #[command(after_help = "Examples:
  partywall tenant move acme --to eu-2 --tenancy tenancy
  partywall tenant move acme --done --tenancy tenancy
  partywall tenant move acme --back --tenancy tenancy")]
    Move(Move),
    /// Remove its file, keep its id from being given again, and tell what else names it
    #[command(after_help = "Example:\n  partywall tenant offboard hooli --tenancy tenancy")]
    Offboard(Offboard),
}

#[derive(clap::Args)]
struct Add {
    /// The tenant's id
    #[arg(value_parser = arguments::tenant)]
    tenant: TenantId,
    /// Its tier, and the profile whose settings it inherits
    #[arg(long)]
    tier: String,
    /// Where its data lives; needed where no profile says it
    #[arg(long)]
    residency: Option<String>,
    /// The tenancy directory
    #[arg(long)]
    tenancy: PathBuf,
}

#[derive(clap::Args)]
struct Move {
    /// The tenant's id
    #[arg(value_parser = arguments::tenant)]
    tenant: TenantId,
    #[command(flatten)]
    step: Step,
    /// The tenancy directory
    #[arg(long)]
    tenancy: PathBuf,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Step {
    /// It begins to move to this cell
    #[arg(long, value_name = "CELL")]
    to: Option<String>,
    /// It has arrived
    #[arg(long)]
    done: bool,
    /// It stays where it was
    #[arg(long)]
    back: bool,
}

#[derive(clap::Args)]
struct Offboard {
    /// The tenant's id
    #[arg(value_parser = arguments::tenant)]
    tenant: TenantId,
    /// The tenancy directory
    #[arg(long)]
    tenancy: PathBuf,
}

#[derive(clap::Args)]
struct Which {
    /// The tenant's id
    #[arg(value_parser = arguments::tenant)]
    tenant: TenantId,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let said = match &args.what {
        What::Suspend(which) => change(which, "suspended", |withdrawn| &mut withdrawn.suspended),
        What::Quarantine(which) => change(which, "quarantined", |withdrawn| &mut withdrawn.quarantined),
        What::Resume(which) => resume(which),
        What::Add(add) => records::add(&add.tenancy, &add.tenant, &add.tier, add.residency.as_deref())
            .map(|path| format!("{} is written; it counts after the next `partywall compile`", path.display())),
        What::Move(args) => move_it(args),
        What::Offboard(which) => return offboard(which),
    }?;
    say(said);
    Ok(Exit::Fine)
}

fn move_it(args: &Move) -> Result<String, Failure> {
    let what = match (&args.step.to, args.step.back) {
        (Some(to), _) if !is_label(to) => {
            return Err(Failure::usage(format!("`{to}` is not 1 to 63 of `a-z 0-9 -`\nhelp: write `--to eu-2`")));
        }
        (Some(to), _) => records::Move::To(to),
        (None, true) => records::Move::Back,
        (None, false) => records::Move::Done,
    };
    let line = records::set_cell(&args.tenancy, &args.tenant, what)?;
    Ok(format!("{}: `{line}` counts after the next `partywall compile`", args.tenant))
}

/// What names a tenant that is gone is a mistake from now on, so the check finds it.
fn offboard(which: &Offboard) -> Outcome {
    records::offboard(&which.tenancy, &which.tenant)?;
    say(format_args!("{} is gone after the next `partywall compile`, and its id is never given again", which.tenant));
    let name = format!("`{}`", which.tenant);
    let checked = check(&which.tenancy, None);
    let naming = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error && d.message.contains(&name));
    let naming: Vec<_> = naming.collect();
    naming.iter().for_each(|diagnostic| say(format_args!("\n{diagnostic}")));
    Ok(if naming.is_empty() { Exit::Fine } else { Exit::Findings })
}

fn change(
    which: &Which,
    how: &str,
    list: impl FnOnce(&mut Withdrawn) -> &mut Vec<TenantId>,
) -> Result<String, Failure> {
    overlay::edit(&which.dir, |withdrawn, served| {
        known(&which.tenant, served)?;
        let list = list(withdrawn);
        if list.contains(&which.tenant) {
            return Ok(format!("{} was {how} already", which.tenant));
        }
        list.push(which.tenant.clone());
        Ok(format!("{} is {how}", which.tenant))
    })
}

fn resume(which: &Which) -> Result<String, Failure> {
    overlay::edit(&which.dir, |withdrawn, served| {
        let before = withdrawn.suspended.len() + withdrawn.quarantined.len();
        withdrawn.suspended.retain(|t| *t != which.tenant);
        withdrawn.quarantined.retain(|t| *t != which.tenant);
        if withdrawn.suspended.len() + withdrawn.quarantined.len() == before {
            known(&which.tenant, served)?;
        }
        let own = served.bundle.as_ref().and_then(|bundle| status(bundle, &which.tenant));
        Ok(match own {
            Some(TenantStatus::Suspended | TenantStatus::Quarantined) => format!(
                "{0} is free of the overlay, but still denied by the bundle: write `status: active` in its file of tenants/ and compile",
                which.tenant
            ),
            _ if withdrawn.suspended.len() + withdrawn.quarantined.len() == before => {
                format!("{} was neither suspended nor quarantined", which.tenant)
            }
            _ => format!("{} is active again", which.tenant),
        })
    })
}

/// A mistyped id would be a suspension that never happens.
pub(super) fn known(tenant: &TenantId, served: &Served) -> Result<(), Failure> {
    let Some(bundle) = &served.bundle else {
        return Err(Failure::invalid(
            "there is no readable bundle in this folder, so nobody is served from it\nhelp: name the folder that `partywall serve` serves"
                .to_owned(),
        ));
    };
    if status(bundle, tenant).is_some() {
        return Ok(());
    }
    let meant = nearest(tenant.as_str(), bundle.tenants.ids());
    let help = meant.map_or_else(String::new, |meant| format!("\nhelp: did you mean `{meant}`?"));
    Err(Failure::invalid(format!("the bundle, revision {}, has no tenant `{tenant}`{help}", bundle.revision)))
}

fn status(bundle: &BundleBody, tenant: &TenantId) -> Option<TenantStatus> {
    bundle.tenants.get(tenant).map(|t| t.status)
}
