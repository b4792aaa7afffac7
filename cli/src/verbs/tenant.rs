//! `partywall tenant`.

use std::path::PathBuf;

use clap::Subcommand;
use partywall_tenancy::{BundleBody, TenantId, TenantStatus};

use crate::arguments;
use crate::command::say;
use crate::compile::check;
use crate::diagnostic::Severity;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay::{self, Served, Withdrawn};
use crate::records;

/// Suspend, quarantine or resume a tenant at once; add or offboard one
///
/// The first three change DIR/overlay.yaml; `partywall serve DIR` signs it within 100 ms, and every sidecar denies
/// the tenant within 1.5 s. An overlay only takes away: a tenant that its own file suspends is
/// resumed there. The last two change the tenancy directory, and count after the next compile.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall tenant suspend globex --dir served
  partywall tenant quarantine globex --dir served
  partywall tenant resume globex --dir served
  partywall tenant add hooli --tier gold --tenancy tenancy
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
        What::Offboard(which) => return offboard(which),
    }?;
    say(said);
    Ok(Exit::Fine)
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
