//! `partywall diff`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command::{say, say_json};
use crate::difference::parts::{self, Field, Part};
use crate::difference::permissions::{self, Change, Difference, Permissions};
use crate::exit::{Exit, Outcome};
use crate::material::Material;

/// Tell which tenants, roles and resources gain or lose what, from OLD to NEW
///
/// Both programs are asked about every kind of tenant, role, action and resource that there is in either, and for
/// each user and resource that policies name. Besides, what was added, removed or changed of tenants, services,
/// operations, callers, issuers and keys. OLD and NEW are tenancy directories, bundle files or folders with bundle
/// files; signatures are not looked at.
///
/// Exit status: 0 no difference, 1 there is one.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall diff served/tenancy.workload.bundle tenancy --keys keys
  partywall diff old new --json | jq '.permissions.differences[] | {tenants, roles}'
  git worktree add /tmp/before HEAD~1 && partywall diff /tmp/before/tenancy tenancy"
)]
pub(crate) struct Args {
    /// What was
    old: PathBuf,
    /// What is to be
    new: PathBuf,
    /// The keys folder; without it, the keys of a directory are not compared
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// More tenants than these are not listed by name.
const NAMES: usize = 8;

pub(crate) fn run(args: &Args) -> Outcome {
    let (old, new) =
        (Material::read(&args.old, args.keys.as_deref())?, Material::read(&args.new, args.keys.as_deref())?);
    let with_keys = args.keys.is_some() || (old.compiled && new.compiled);
    let parts = parts::compare(&old, &new, with_keys);
    let permissions = permissions::compare(&old, &new);
    let slices: Vec<_> = parts::common(&old, &new).into_iter().map(|audience| audience.name()).collect();
    if args.json {
        say_json(&json!({
            "old": old.title(),
            "new": new.title(),
            "keys_compared": with_keys,
            "slices_compared": slices,
            "parts": parts,
            "permissions": permissions,
        }))?;
    } else {
        say(format_args!("OLD {}, NEW {}", old.title(), new.title()));
        show_parts(&parts);
        show_permissions(&permissions);
        if slices.len() < old.slices.len().max(new.slices.len()) {
            say(format_args!("compared are the slices that both have: {}", slices.join(", ")));
        }
        if !with_keys {
            say("keys were not compared; give --keys");
        }
    }
    let same = parts.is_empty() && permissions.differences.is_empty();
    Ok(if same { Exit::Fine } else { Exit::Findings })
}

fn show_parts(parts: &[Part]) {
    if parts.is_empty() {
        say("nothing was added, removed or changed");
    }
    for Part { kind, name, change, fields } in parts {
        say(format_args!("{change} {kind} {name}"));
        for Field { field, old, new } in fields {
            let name = if field.is_empty() { String::new() } else { format!("{field}: ") };
            say(format_args!("    {name}{} -> {}", short(old), short(new)));
        }
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn show_permissions(permissions: &Permissions) {
    if permissions.differences.is_empty() {
        say("nobody gains or loses anything");
    }
    for Difference { tenants, user, roles, changes } in &permissions.differences {
        let who = match user {
            Some(user) => format!("user {user}"),
            None if tenants.len() > NAMES => {
                format!("{} and {} more tenants", tenants[..NAMES].join(", "), tenants.len() - NAMES)
            }
            None => tenants.join(", "),
        };
        let words = |set: &Vec<String>| {
            if set.is_empty() { "without any role".to_owned() } else { format!("as {}", set.join(" with ")) }
        };
        let roles = match roles.as_slice() {
            [] => "whatever role".to_owned(),
            sets => sets.iter().map(words).collect::<Vec<_>>().join(" or "),
        };
        say(format_args!("{who}, {roles}:"));
        for change in changes {
            let Change { gains, service, action, resource, id, owner, network, scope, caller, old, new } = change;
            let verb = if *gains { "gains" } else { "loses" };
            let which = id.as_ref().map_or(String::new(), |id| format!("::\"{id}\""));
            let whose =
                if *owner == "other" { " of another tenant, by policies alone: the wall still denies it" } else { "" };
            let from = match network.as_deref() {
                None => String::new(),
                Some("") => " from no network".to_owned(),
                Some(network) => format!(" from {network}"),
            };
            let by = match scope.as_deref() {
                None => String::new(),
                Some("") => " without any scope".to_owned(),
                Some(scope) => format!(" with scope {scope}"),
            };
            let called = match caller.as_deref() {
                None => String::new(),
                Some("") => " called by nobody who is known".to_owned(),
                Some(caller) => format!(" called by {caller}"),
            };
            let under = [from, by, called].concat();
            say(format_args!("    {verb} {action} on {resource}{which} at {service}{under}{whose} ({old} -> {new})"));
        }
    }
    permissions.sampled.iter().for_each(|what| say(format_args!("sampled: {what}")));
    say(format_args!("{} questions asked of each", permissions.questions));
}
