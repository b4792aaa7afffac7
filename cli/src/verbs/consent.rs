//! `partywall consent`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use partywall_tenancy::TenantId;

use crate::command::say;
use crate::directory::is_name;
use crate::exit::{Exit, Outcome};
use crate::records;

/// Give or withdraw a consent of a tenant
///
/// Changes `consents` in the tenant's file and keeps the rest of it, comments included. The directory keeps it, and
/// `explain --settings` shows it; policies do not read it yet.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall consent give acme analytics --tenancy envoy-config/tenancy
  partywall consent withdraw acme analytics --tenancy envoy-config/tenancy"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Add it to the tenant's file
    #[command(after_help = "Example:\n  partywall consent give acme analytics --tenancy tenancy")]
    Give(Which),
    /// Take it out of the tenant's file
    #[command(after_help = "Example:\n  partywall consent withdraw acme analytics --tenancy tenancy")]
    Withdraw(Which),
}

#[derive(clap::Args)]
struct Which {
    /// The tenant's id
    #[arg(value_parser = parse_tenant)]
    tenant: TenantId,
    /// The consent, as `analytics`
    #[arg(value_parser = parse_consent)]
    consent: String,
    /// The tenancy directory
    #[arg(long)]
    tenancy: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (which, given) = match &args.what {
        What::Give(which) => (which, true),
        What::Withdraw(which) => (which, false),
    };
    let Which { tenant, consent, tenancy } = which;
    say(change(tenancy, tenant, consent, given)?);
    Ok(Exit::Fine)
}

fn change(tenancy: &Path, tenant: &TenantId, consent: &str, given: bool) -> Result<String, crate::exit::Failure> {
    let record = records::record(tenancy, tenant)?;
    let mut consents = record.consents.clone();
    consents.retain(|one| one != consent);
    if given {
        consents.push(consent.to_owned());
        consents.sort();
    }
    if consents == record.consents {
        let so = if given { "had given" } else { "has not given" };
        return Ok(format!("{tenant} {so} `{consent}` before; nothing was changed"));
    }
    records::set_list(tenancy, &record, "consents", &consents)?;
    let so = if given { "gives" } else { "no longer gives" };
    Ok(format!("{tenant} {so} `{consent}`"))
}

fn parse_tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|why| format!("a tenant id {why}"))
}

fn parse_consent(text: &str) -> Result<String, String> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("a consent is 1 to 63 of `a-z 0-9 - _ .`".to_owned()) }
}
