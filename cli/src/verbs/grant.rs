//! `partywall grant`.

use std::path::PathBuf;

use clap::Subcommand;
use partywall_tenancy::{GrantBody, GrantId, TenantId, UnixSeconds};
use serde::Serialize;

use crate::command::{note, say, say_json};
use crate::directory::parse_duration;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay::{self, now_millis};
use crate::{arguments, files, grants, show, slices};

/// Let one operator cross one tenant's wall, for a while
///
/// Two keys of `keys.grants` sign a grant: `new` signs with one, `partywall approve` with the
/// other, and publishes it. It stays within `grants` of mesh.yaml. It is the permit for its actions
/// in its tenant; policies that forbid are heard all the same. `partywall grant revoke` ends it at
/// once.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall grant new --dir served --keys keys-of-alice --operator acme/alice --tenant globex \\
    --action invoices:list --for 2h --reason \"ticket 4711\"
  partywall approve served --keys keys-of-bob
  partywall grant list --dir served
  partywall grant revoke 5f2c09b1d3e47a865f2c09b1d3e47a86 --dir served"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    New(New),
    List(List),
    Revoke(Revoke),
}

/// Make a grant, signed by one key
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  partywall grant new --dir served --keys keys-of-alice --operator acme/alice --tenant globex --action invoices:list --for 2h --reason \"ticket 4711\""
)]
struct New {
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
    /// The keys folder with one private key of `keys.grants`
    #[arg(long)]
    keys: PathBuf,
    /// Who may cross, as TENANT/SUBJECT: the tenant and the `sub` of its credential
    #[arg(long, value_name = "TENANT/SUBJECT", value_parser = parse_operator)]
    operator: (TenantId, String),
    /// Whose wall
    #[arg(long, value_parser = arguments::tenant)]
    tenant: TenantId,
    /// What it may do there, as `invoices:list`; may be given more than once
    #[arg(long, required = true)]
    action: Vec<String>,
    /// For how long, as `30m` or `2h`
    #[arg(long = "for", value_name = "DURATION")]
    lasts: String,
    /// When it begins, in Unix seconds; by default now
    #[arg(long)]
    from: Option<UnixSeconds>,
    /// Why, for those who approve and for audits
    #[arg(long)]
    reason: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show the grants that wait and those in force
#[derive(clap::Args)]
#[command(after_help = "Example:\n  partywall grant list --dir served --json | jq '.[] | select(.state == \"live\")'")]
struct List {
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// End a grant, at once
#[derive(clap::Args)]
#[command(after_help = "Example:\n  partywall grant revoke 5f2c09b1d3e47a865f2c09b1d3e47a86 --dir served")]
struct Revoke {
    /// Its id
    #[arg(value_parser = parse_id)]
    id: GrantId,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::New(new) => make(new),
        What::List(list) => show_all(list),
        What::Revoke(revoke) => end(revoke),
    }
}

#[derive(Serialize)]
struct Made {
    id: GrantId,
    pending: PathBuf,
    expires: UnixSeconds,
    signed_by: String,
}

fn make(args: &New) -> Outcome {
    let bundle = slices::together(&args.dir)
        .ok_or_else(|| Failure::file(&args.dir, "holds no readable bundle; name the folder that is served"))?;
    for tenant in [&args.operator.0, &args.tenant] {
        if bundle.tenants.get(tenant).is_none() {
            let meant = nearest(tenant.as_str(), bundle.tenants.ids());
            let help = meant.map_or_else(String::new, |meant| format!("\nhelp: did you mean `{meant}`?"));
            return Err(Failure::invalid(format!("there is no tenant `{tenant}`{help}")));
        }
    }
    let lasts = parse_duration(&args.lasts)
        .ok_or_else(|| Failure::usage(format!("--for `{}` is no duration; write `30m` or `2h`", args.lasts)))?;
    let from = args.from.unwrap_or(now_millis() / 1000);
    let mut actions = args.action.clone();
    actions.sort();
    actions.dedup();
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|e| Failure::invalid(format!("no randomness: {e}")))?;
    let body = GrantBody {
        format: GrantBody::FORMAT,
        mesh: bundle.mesh.clone(),
        id: GrantId::new(id),
        operator: args.operator.0.clone(),
        subject: args.operator.1.clone(),
        tenant: args.tenant.clone(),
        actions,
        reason: args.reason.clone(),
        not_before: from,
        expires: from.saturating_add(lasts.into()),
    };
    body.within(bundle.grants.as_ref()).map_err(|refusal| Failure::invalid(format!("this grant {refusal}")))?;
    let signers = grants::signers(&bundle, &args.keys)?;
    let Some(signer) = signers.first() else { return Err(Failure::file(&args.keys, "holds no key for grants")) };
    let bytes = body.sign(&[(&signer.id, &signer.key)]).ok_or_else(|| Failure::invalid("it cannot be signed"))?;
    let path = grants::pending_path(&args.dir, &body.id);
    files::create(&path, &bytes, files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    let made = Made { id: body.id, pending: path, expires: body.expires, signed_by: signer.id.clone() };
    if args.json {
        return say_json(&made);
    }
    say(made.pending.display());
    note(format_args!(
        "note: 1 more signature is needed: `partywall approve {} --keys <folder of another approver>`",
        args.dir.display()
    ));
    Ok(Exit::Fine)
}

#[derive(Serialize)]
struct Shown {
    state: &'static str,
    #[serde(flatten)]
    body: GrantBody,
}

fn show_all(args: &List) -> Outcome {
    let now = now_millis() / 1000;
    let revoked = overlay::withdrawn(&args.dir)?.revoked_grants;
    let waiting =
        grants::pending(&args.dir)?.into_iter().map(|(_, lying)| Shown { state: "pending", body: lying.body });
    let state = |body: &GrantBody| {
        if revoked.contains(&body.id) {
            "revoked"
        } else if body.expires <= now {
            "over"
        } else if body.not_before > now {
            "not yet"
        } else {
            "live"
        }
    };
    let there =
        grants::in_force(&args.dir)?.into_iter().map(|lying| Shown { state: state(&lying.body), body: lying.body });
    let all: Vec<Shown> = waiting.chain(there).collect();
    if args.json {
        return say_json(&all);
    }
    if all.is_empty() {
        say("no grants");
    }
    all.iter().for_each(|Shown { state, body }| {
        say(format_args!("{} {state}", body.id));
        show::grant(body);
    });
    Ok(Exit::Fine)
}

fn end(args: &Revoke) -> Outcome {
    let known = grants::in_force(&args.dir)?.iter().any(|lying| lying.body.id == args.id);
    if !known && !grants::pending_path(&args.dir, &args.id).exists() {
        return Err(Failure::invalid(format!(
            "there is no grant {}\nhelp: `partywall grant list` shows them",
            args.id
        )));
    }
    overlay::edit(&args.dir, |withdrawn, _| {
        if !withdrawn.revoked_grants.contains(&args.id) {
            withdrawn.revoked_grants.push(args.id);
        }
        Ok(())
    })?;
    say(format_args!("grant {} is revoked", args.id));
    Ok(Exit::Fine)
}

fn parse_operator(text: &str) -> Result<(TenantId, String), String> {
    let (tenant, subject) = text.split_once('/').ok_or("write TENANT/SUBJECT, as `acme/alice`")?;
    if subject.is_empty() {
        return Err("the subject is empty; write TENANT/SUBJECT, as `acme/alice`".into());
    }
    Ok((arguments::tenant(tenant)?, subject.into()))
}

fn parse_id(text: &str) -> Result<GrantId, String> {
    GrantId::parse(text).ok_or_else(|| "the id of a grant is 32 of `0-9 a-f`".into())
}
