//! `partywall tenant`.

use std::path::PathBuf;

use clap::Subcommand;
use partywall_tenancy::{BundleBody, TenantId, TenantStatus};

use crate::command::say;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay::{self, Served, Withdrawn};

/// Suspend, quarantine or resume a tenant, at once
///
/// Changes DIR/overlay.yaml; `partywall serve DIR` signs it within 100 ms, and every sidecar denies
/// the tenant within 1.5 s. An overlay only takes away: a tenant that its own file suspends is
/// resumed there.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall tenant suspend globex --dir served
  partywall tenant quarantine globex --dir served
  partywall tenant resume globex --dir served"
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
}

#[derive(clap::Args)]
struct Which {
    /// The tenant's id
    #[arg(value_parser = parse_tenant)]
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
    }?;
    say(said);
    Ok(Exit::Fine)
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
fn known(tenant: &TenantId, served: &Served) -> Result<(), Failure> {
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

fn parse_tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|why| format!("a tenant id {why}"))
}
