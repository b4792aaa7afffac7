//! `partywall keys redaction`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use partywall_log_redaction::SealedKeys;
use partywall_tenancy::TenantId;
use serde::Serialize;

use crate::arguments;
use crate::command::{note, say, say_json};
use crate::diagnostic::Source;
use crate::directory::{self, REDACTION_KEYS};
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay::now_millis;
use crate::{files, sealed_keys};

/// Make the keys of tenants for pseudonyms and encrypted values, rotate them, destroy them
///
/// Each tenant that has none gets a random key for pseudonyms and one for encrypted values, sealed under the current
/// master key. They lie in redaction-keys.ndjson in the tenancy directory, safe to commit: without the master key, which
/// only the collector's proxy has, nobody opens them, and `partywall compile` needs it no more than anybody else.
///
/// --rotate gives a tenant a new epoch of pseudonyms and a new data key; what was encrypted before still opens.
/// --shred destroys a tenant's keys, and with them what is behind its pseudonyms and encrypted values.
/// --rewrap seals all keys under the master key that stands first; the former one must still be given beside it.
/// Each counts after the next `partywall compile`. Exit status: 0 done, 3 a file that is no good, nothing was changed.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall keys master m1 keys/redaction.keys
  partywall keys redaction --tenancy tenancy --master keys/redaction.keys
  partywall keys redaction --tenancy tenancy --master keys/redaction.keys --rotate acme
  partywall keys redaction --tenancy tenancy --shred acme
  partywall keys master m2 keys/redaction.keys && partywall keys redaction --master keys/redaction.keys --rewrap"
)]
pub(crate) struct Args {
    /// The tenancy directory
    #[arg(long, value_name = "DIR", default_value = "tenancy")]
    tenancy: PathBuf,
    /// The master keys, the current one first; by default the variable PARTYWALL_REDACTION_KEYS
    #[arg(long, value_name = "FILE")]
    master: Option<PathBuf>,
    /// Give this tenant a new epoch and a new data key; may be given more than once
    #[arg(long, value_name = "TENANT", value_parser = arguments::tenant, conflicts_with_all = ["shred", "rewrap"])]
    rotate: Vec<TenantId>,
    /// Give every tenant a new epoch and a new data key
    #[arg(long, conflicts_with_all = ["rotate", "shred", "rewrap"])]
    rotate_all: bool,
    /// Destroy the keys of this tenant; may be given more than once. Needs no master key
    #[arg(long, value_name = "TENANT", value_parser = arguments::tenant, conflicts_with_all = ["rewrap", "master"])]
    shred: Vec<TenantId>,
    /// Seal all keys under the master key that stands first
    #[arg(long)]
    rewrap: bool,
    /// Print JSON: what was made, rotated, shredded and sealed anew
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Done {
    path: PathBuf,
    made: Vec<TenantId>,
    rotated: Vec<TenantId>,
    shredded: Vec<TenantId>,
    rewrapped: usize,
    tenants: usize,
}

type All = BTreeMap<TenantId, SealedKeys>;

pub(crate) fn run(args: &Args) -> Outcome {
    let folder = File::open(&args.tenancy).map_err(|e| Failure::file(&args.tenancy, e))?;
    // Two at once would each make keys of their own, of which one set is lost.
    folder.lock().map_err(|e| Failure::file(&args.tenancy, e))?;
    let path = args.tenancy.join(REDACTION_KEYS);
    let mut all = read(&path)?;
    let mut done = Done { path: path.clone(), ..Done::default() };
    if args.shred.is_empty() {
        make(args, &mut all, &mut done)?;
    } else {
        shred(args, &mut all, &mut done)?;
    }
    done.tenants = all.len();
    let changed = done.made.len() + done.rotated.len() + done.shredded.len() + done.rewrapped > 0;
    if changed {
        let text: String = all.values().map(sealed_keys::line).collect();
        files::replace(&path, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    }
    if args.json {
        return say_json(&done);
    }
    tell(&done, changed);
    Ok(Exit::Fine)
}

fn make(args: &Args, all: &mut All, done: &mut Done) -> Result<(), Failure> {
    let masters = sealed_keys::masters(args.master.as_deref())?;
    let (current, now) = (masters.current(), now_millis() / 1000);
    if args.rewrap {
        for keys in all.values_mut() {
            if let Some(sealed) = sealed_keys::rewrap(keys, &masters)? {
                *keys = sealed;
                done.rewrapped += 1;
            }
        }
        return Ok(());
    }
    let reading = directory::read(&args.tenancy, None);
    let tenants: BTreeSet<&TenantId> = reading.tenants().iter().map(|tenant| &tenant.id).collect();
    for tenant in &args.rotate {
        if !all.contains_key(tenant) && !tenants.contains(tenant) {
            return Err(unknown(tenant, tenants.iter().copied(), "is no tenant"));
        }
    }
    let rotates = |tenant: &TenantId| args.rotate_all || args.rotate.contains(tenant);
    for (tenant, keys) in all.iter_mut().filter(|(tenant, _)| rotates(tenant)) {
        *keys = sealed_keys::rotate(keys, current, now)?;
        done.rotated.push(tenant.clone());
    }
    for tenant in tenants {
        // Whoever rotates one tenant's keys means no other tenant.
        if !all.contains_key(tenant) && (args.rotate.is_empty() || args.rotate.contains(tenant)) {
            all.insert(tenant.clone(), sealed_keys::mint(tenant, current, now)?);
            done.made.push(tenant.clone());
        }
    }
    Ok(())
}

fn shred(args: &Args, all: &mut All, done: &mut Done) -> Result<(), Failure> {
    for tenant in &args.shred {
        if all.remove(tenant).is_none() && !done.shredded.contains(tenant) {
            return Err(unknown(tenant, all.keys(), "has no keys"));
        }
        done.shredded.push(tenant.clone());
    }
    Ok(())
}

fn unknown<'t>(tenant: &TenantId, known: impl Iterator<Item = &'t TenantId>, what: &str) -> Failure {
    let meant = nearest(tenant.as_str(), known.map(TenantId::as_str));
    let help = meant.map_or_else(String::new, |meant| format!("\nhelp: did you mean `{meant}`?"));
    Failure::invalid(format!("`{tenant}` {what}; nothing was changed{help}"))
}

fn read(path: &Path) -> Result<All, Failure> {
    const MAX_SIZE: u64 = 64 << 20;
    let text = match files::read_text(path, MAX_SIZE) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(All::new()),
        Err(e) => return Err(Failure::file(path, e)),
    };
    let source = Source::new(path.to_string_lossy(), text.as_str());
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut all = All::new();
    for (nth, line) in lines {
        let told = |column, message: String, help: &str| {
            Failure::diagnostics(&[source.error(nth + 1, column, message).help(help)])
        };
        let keys = sealed_keys::parse(line).map_err(|wrong| told(wrong.column, wrong.message, wrong.help))?;
        if let Some(twice) = all.insert(keys.tenant.clone(), keys) {
            let message = format!("the tenant `{}` is there twice", twice.tenant);
            return Err(told(1, message, "keep one of the two lines"));
        }
    }
    Ok(all)
}

/// More tenants than these are counted.
const NAMES: usize = 8;

fn tell(done: &Done, changed: bool) {
    let names = |list: &[TenantId]| {
        let named: Vec<&str> = list.iter().take(NAMES).map(TenantId::as_str).collect();
        let more = list.len().saturating_sub(NAMES);
        if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
    };
    let path = done.path.display();
    for (what, list) in [("made for", &done.made), ("rotated for", &done.rotated), ("DESTROYED of", &done.shredded)] {
        if !list.is_empty() {
            say(format_args!("{path}: keys {what} {}", names(list)));
        }
    }
    if done.rewrapped > 0 {
        say(format_args!("{path}: keys of {} tenants are sealed under the new master key", done.rewrapped));
    }
    if !changed {
        return say(format_args!("{path}: nothing to do, {} tenants have keys", done.tenants));
    }
    if done.shredded.is_empty() {
        return say("they count after the next `partywall compile`; commit the file with the directory");
    }
    note(
        "whoever has the master key and a copy of these keys still opens what was encrypted, and tells who is behind a\n\
         pseudonym. Compile now, and destroy the copies too: in version control (its history keeps the file), in backups,\n\
         and in bundles: tenancy.redaction.bundle, its candidate, and the `history` of the folder that is served",
    );
}
