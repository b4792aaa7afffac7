//! `partywall consent`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use partywall_tenancy::{TenantId, WithdrawnConsent};

use crate::command::say;
use crate::directory::is_name;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::verbs::tenant::known;
use crate::{arguments, candidates, overlay, records};

/// Give a consent of a tenant, or withdraw it at once
///
/// Policies ask for it as `principal.tenant.consents.contains("analytics")`. With --tenancy it stands in `consents` of
/// the tenant's file, whose other lines and comments stay, and counts after the next compile. With --dir, `withdraw` also
/// writes DIR/overlay.yaml; `partywall serve DIR` signs it within 100 ms, and within 1.5 s no sidecar counts the consent.
/// That goes for a consent that only a candidate has, too. An overlay only takes away: what is given counts once a bundle
/// that has it is in force.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall consent withdraw acme analytics --tenancy tenancy --dir served    at once, and in the bundles to come
  partywall consent withdraw acme analytics --dir served                      at once; the file keeps it
  partywall consent give acme analytics --tenancy tenancy --dir served        after the next compile"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Add it to the tenant's file, and lift what `withdraw` did
    #[command(after_help = "Example:\n  partywall consent give acme analytics --tenancy tenancy --dir served")]
    Give(Give),
    /// Take it away: at once in the folder that is served, and out of the tenant's file
    #[command(after_help = "Example:\n  partywall consent withdraw acme analytics --tenancy tenancy --dir served")]
    Withdraw(Withdraw),
}

#[derive(clap::Args)]
struct Which {
    /// The tenant's id
    #[arg(value_parser = arguments::tenant)]
    tenant: TenantId,
    /// The consent, as `analytics`
    #[arg(value_parser = parse_consent)]
    consent: String,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Give {
    #[command(flatten)]
    which: Which,
    /// The tenancy directory
    #[arg(long)]
    tenancy: PathBuf,
}

#[derive(clap::Args)]
struct Withdraw {
    #[command(flatten)]
    which: Which,
    /// The tenancy directory
    #[arg(long, required_unless_present = "dir")]
    tenancy: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Give(Give { which, tenancy }) => {
            say(record(which, tenancy, true)?);
            // INVARIANT: the overlay gives nothing back before the record has it.
            match &which.dir {
                Some(dir) => say(lift(which, dir)?),
                None => say("where an overlay.yaml withdraws it, name its folder with --dir to lift that"),
            }
        }
        What::Withdraw(Withdraw { which, tenancy }) => {
            // What counts at once comes first, whatever is the matter with the record.
            if let Some(dir) = &which.dir {
                say(take(which, dir, tenancy.as_deref())?);
            }
            if let Some(tenancy) = tenancy {
                say(record(which, tenancy, false)?);
            }
        }
    }
    Ok(Exit::Fine)
}

/// Writes the tenant's file.
fn record(which: &Which, tenancy: &Path, given: bool) -> Result<String, Failure> {
    let Which { tenant, consent, .. } = which;
    let record = records::record(tenancy, tenant)?;
    let mut consents = record.consents.clone();
    consents.retain(|one| one != consent);
    if given {
        consents.push(consent.to_owned());
        consents.sort();
    }
    if consents == record.consents {
        let so = if given { "gives" } else { "does not give" };
        return Ok(format!("the record of {tenant} {so} `{consent}` already; nothing was changed in it"));
    }
    records::set_list(tenancy, &record, "consents", &consents)?;
    let so = if given { "gives" } else { "no longer gives" };
    Ok(format!("the record of {tenant} {so} `{consent}`; it counts after the next `partywall compile`"))
}

/// Withdraws it in the folder that is served.
fn take(which: &Which, dir: &Path, tenancy: Option<&Path>) -> Result<String, Failure> {
    let Which { tenant, consent, .. } = which;
    overlay::edit(dir, |withdrawn, served| {
        known(tenant, served)?;
        let one = WithdrawnConsent { tenant: tenant.clone(), consent: consent.clone() };
        if withdrawn.withdrawn_consents.contains(&one) {
            return Ok(format!("`{consent}` of {tenant} was withdrawn already"));
        }
        // A mistyped name would be a withdrawal that never happens.
        let bundle = served.bundle.as_ref().and_then(|bundle| bundle.tenants.get(tenant));
        let record = tenancy.and_then(|tenancy| records::record(tenancy, tenant).ok());
        let mut given: Vec<&str> = bundle.iter().flat_map(|tenant| tenant.consents.iter()).collect();
        // A candidate may decide for this tenant already.
        let tried = candidates::consents(dir, tenant);
        given.extend(tried.iter().map(String::as_str));
        given.extend(record.iter().flat_map(|record| record.consents.iter().map(String::as_str)));
        if !given.contains(&consent.as_str()) {
            let meant = nearest(consent, given.iter().copied());
            let help = meant.map_or_else(String::new, |meant| format!("\nhelp: did you mean `{meant}`?"));
            return Err(Failure::invalid(format!("{tenant} has not given `{consent}`; nothing was changed{help}")));
        }
        withdrawn.withdrawn_consents.push(one);
        Ok(format!("`{consent}` of {tenant} is withdrawn"))
    })
}

/// Lifts a withdrawal, once the record gives the consent again.
fn lift(which: &Which, dir: &Path) -> Result<String, Failure> {
    let Which { tenant, consent, .. } = which;
    overlay::edit(dir, |withdrawn, served| {
        known(tenant, served)?;
        let before = withdrawn.withdrawn_consents.len();
        withdrawn.withdrawn_consents.retain(|one| (&one.tenant, &one.consent) != (tenant, consent));
        if withdrawn.withdrawn_consents.len() == before {
            return Ok(format!("the overlay does not withdraw `{consent}` of {tenant}"));
        }
        let bundle = served.bundle.as_ref().and_then(|bundle| bundle.tenants.get(tenant));
        let so = if bundle.is_some_and(|tenant| tenant.consents.contains(consent)) {
            "the bundle in force has it, so it counts again at once"
        } else if candidates::consents(dir, tenant).contains(consent) {
            "the candidate has it, so it counts again at once where that decides"
        } else {
            "the bundle in force does not have it, so it counts after the next `partywall compile`"
        };
        Ok(format!("the overlay no longer withdraws `{consent}` of {tenant}; {so}"))
    })
}

fn parse_consent(text: &str) -> Result<String, String> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("a consent is 1 to 63 of `a-z 0-9 - _ .`".to_owned()) }
}
