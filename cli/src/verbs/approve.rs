//! `partywall approve`.

mod pending;

use std::collections::BTreeMap;
use std::path::PathBuf;

use partywall_tenancy::statement::{self, Kind};
use partywall_tenancy::{BundleBody, GrantBody, TenantId, UnixSeconds};
use serde::Serialize;

use crate::candidates::Shown;
use crate::command::{note, say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::grants::Lying;
use crate::keys::Signer;
use crate::{compile, grants, overlay, revisions, show, slices};
use pending::{Pending, in_force, read, tried, verified, write};

/// Sign what waits for more signatures, and publish it when it has enough
///
/// Looks at `DIR/tenancy.<audience>.pending`, as `partywall compile` wrote them; verifies the
/// signatures that are there against the public keys in the keys folder; tells what would change
/// against the bundles in force; and adds a signature by each private key of that folder that may
/// sign. With the last one needed, the files are renamed to `tenancy.<audience>.bundle`. Candidates
/// (`DIR/tenancy.<audience>.candidate.pending`) go the same way. Grants that wait
/// (`DIR/<id>.grant.pending`) get their second signature and go into DIR/tenancy.grants. Exit
/// status: 0 done, 3 nothing to approve or nothing to sign with.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall approve served --keys keys-of-alice --dry-run
  partywall approve served --keys keys-of-alice"
)]
pub(crate) struct Args {
    /// The folder that `partywall compile` writes to
    dir: PathBuf,
    /// The approver's keys folder: a private key, and the public keys of the others
    #[arg(long)]
    keys: PathBuf,
    /// Tell what would change, and sign nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    bundle: Option<BundleReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<BundleReport>,
    grants: Vec<GrantReport>,
}

#[derive(Serialize)]
struct GrantReport {
    #[serde(flatten)]
    body: GrantBody,
    signed_by: Vec<String>,
    published: bool,
}

impl GrantReport {
    fn show(&self) {
        say(format_args!("grant {}", self.body.id));
        show::grant(&self.body);
        show::line("signed by", format_args!("{} ({} needed)", self.signed_by.join(", "), GrantBody::APPROVALS));
        if self.published {
            say("published");
        }
    }
}

#[derive(Serialize)]
struct BundleReport {
    revision: u64,
    in_force: Option<u64>,
    source: String,
    expires: UnixSeconds,
    tenants: Changes,
    services: Changes,
    policies: Changes,
    signed_by: Vec<String>,
    needed: u8,
    published: bool,
    /// For whom it decides, if it is a candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<Shown>,
}

/// How many were added, taken out, and are there with other contents.
#[derive(Default, Serialize)]
struct Changes {
    added: usize,
    removed: usize,
    changed: usize,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (pending, tried) = (read(&args.dir, Kind::Bundle)?, read(&args.dir, Kind::Candidate)?);
    let waiting = grants::pending(&args.dir)?;
    if pending.is_empty() && tried.is_empty() && waiting.is_empty() {
        return Err(Failure::file(&args.dir, NOTHING));
    }
    // Whoever has keys for the one kind need not have any for the other.
    let mut failures = Vec::new();
    let mut or_later = |outcome: Result<Option<BundleReport>, Failure>| {
        outcome.unwrap_or_else(|failure| {
            failures.push(failure);
            None
        })
    };
    let some = |pending: &[Pending]| if pending.is_empty() { Ok(None) } else { bundles(args, pending).map(Some) };
    let bundle = or_later(some(&pending));
    let candidate = or_later(some(&tried));
    let grants = approve_grants(args, waiting).unwrap_or_else(|failure| {
        failures.push(failure);
        Vec::new()
    });
    if bundle.is_none() && candidate.is_none() && grants.is_empty() && !failures.is_empty() {
        return Err(failures.remove(0));
    }
    failures.iter().for_each(|failure| note(format_args!("warning: {}", failure.message)));
    let report = Report { bundle, candidate, grants };
    if args.json {
        return say_json(&report);
    }
    report.bundle.iter().chain(&report.candidate).for_each(|bundle| bundle.show(args));
    report.grants.iter().for_each(|grant| grant.show());
    Ok(Exit::Fine)
}

fn bundles(args: &Args, pending: &[Pending]) -> Result<BundleReport, Failure> {
    let [first, ..] = pending else { return Err(Failure::file(&args.dir, NOTHING)) };
    let before: Vec<Option<BundleBody>> = pending.iter().map(|p| in_force(&args.dir, p.audience)).collect();
    let known = first.body.keys.bundle.iter().chain(before.iter().flatten().flat_map(|body| &body.keys.bundle));
    let mut known: Vec<&(String, [u8; 32])> = known.collect();
    known.sort();
    known.dedup();
    let mut signed_by = verified(pending, &args.keys)?;
    let in_force = before.iter().flatten().map(|body| body.revision).max();
    if in_force.is_some_and(|revision| revision >= first.body.revision) {
        return Err(Failure::file(&args.dir, "what waits is no newer than what is in force; compile it again"));
    }
    let step = first.rollout.as_ref().map(|rollout| (first.body.revision, rollout.step));
    if step.is_some() && tried(&args.dir) >= step {
        return Err(Failure::file(&args.dir, "what waits is no newer than the candidate; promote it again"));
    }
    if first.rollout.is_some() {
        revisions::not_withdrawn(&args.dir, first.body.revision)?;
    }
    if first.body.expires < overlay::now_millis() / 1000 {
        return Err(Failure::file(&args.dir, "what waits is past its expiry; compile it again"));
    }
    let needed = before.iter().flatten().map(|body| body.approvals).fold(first.body.approvals, u8::max);
    let mut out: Vec<Vec<u8>> = pending.iter().map(|p| p.bytes.clone()).collect();
    if !args.dry_run {
        let ids: Vec<String> = known.iter().map(|(id, _)| id.clone()).collect();
        let signers = compile::signers(&ids, &args.keys)?;
        let may = |s: &Signer| known.iter().any(|(id, key)| *id == s.id && key == s.key.verifying_key().as_bytes());
        let new: Vec<&Signer> = signers.iter().filter(|s| may(s) && !signed_by.contains(&s.id)).collect();
        if new.is_empty() && signed_by.len() < usize::from(needed) {
            return Err(Failure::invalid(format!(
                "`{}` holds only keys that have signed already\nhelp: another approver runs this, with a keys folder of their own",
                args.keys.display()
            )));
        }
        for signer in new {
            for bytes in &mut out {
                *bytes = statement::sign_also(bytes, &signer.id, &signer.key)
                    .ok_or_else(|| Failure::invalid("a statement carries 16 signatures at most"))?;
            }
            signed_by.push(signer.id.clone());
        }
    }
    if let Some(body) = before.iter().flatten().next() {
        compile::warn_of_new_keys(body, &signed_by, needed);
    }
    let published = !args.dry_run && signed_by.len() >= usize::from(needed);
    if !args.dry_run {
        write(&args.dir, pending, &out, published)?;
    }
    let old = slices::merged(&before.into_iter().flatten().collect::<Vec<_>>());
    let new = slices::merged(&pending.iter().map(|p| p.body.clone()).collect::<Vec<_>>());
    let new = &new.ok_or_else(|| Failure::file(&args.dir, NOTHING))?;
    let rollout = first.rollout.as_ref().map(Shown::from);
    Ok(BundleReport { rollout, ..report(old.as_ref(), new, signed_by, needed, published) })
}

const NOTHING: &str = "nothing waits for a signature here; `partywall compile` writes *.pending files where `approvals` asks for more keys than it has";

fn report(
    old: Option<&BundleBody>,
    new: &BundleBody,
    signed_by: Vec<String>,
    needed: u8,
    published: bool,
) -> BundleReport {
    let tenants = |body: &BundleBody| body.tenants.iter().map(|t| (t.id.clone(), t)).collect::<BTreeMap<TenantId, _>>();
    let services = |body: &BundleBody| {
        let cluster = |name: &str| body.events.iter().find(|cluster| cluster.name == name).cloned();
        body.services.iter().map(|s| (s.name.clone(), (s.clone(), cluster(&s.name)))).collect()
    };
    let policies = |body: &BundleBody| {
        let ids = show::policies(body).unwrap_or_default();
        ids.into_iter().map(|id| (id, ())).collect::<BTreeMap<String, ()>>()
    };
    BundleReport {
        revision: new.revision,
        in_force: old.map(|body| body.revision),
        source: show::hex(&new.source_digest),
        expires: new.expires,
        tenants: changes(&old.map(tenants).unwrap_or_default(), &tenants(new)),
        services: changes::<String, _>(&old.map(services).unwrap_or_default(), &services(new)),
        policies: changes(&old.map(policies).unwrap_or_default(), &policies(new)),
        signed_by,
        needed,
        published,
        rollout: None,
    }
}

impl BundleReport {
    fn show(&self, args: &Args) {
        say(format_args!("{}: revision {}, source sha256:{}", args.dir.display(), self.revision, self.source));
        match self.in_force {
            Some(revision) => show::line("in force", format_args!("revision {revision}")),
            None => show::line("in force", "nothing yet"),
        }
        if let Some(rollout) = &self.rollout {
            show::line("candidate", rollout.words());
        }
        show::line("expires", show::time(self.expires));
        for (what, Changes { added, removed, changed }) in
            [("tenants", &self.tenants), ("services", &self.services), ("policies", &self.policies)]
        {
            show::line(what, format_args!("{added} added, {removed} removed, {changed} changed"));
        }
        show::line("signed by", format_args!("{} ({} needed)", self.signed_by.join(", "), self.needed));
        if self.published {
            say("published");
        } else if !args.dry_run {
            let missing = usize::from(self.needed).saturating_sub(self.signed_by.len());
            note(format_args!("note: {missing} more signature{} needed", if missing == 1 { " is" } else { "s are" }));
        }
    }
}

/// Signs the grants that wait, and publishes those that two have signed.
fn approve_grants(args: &Args, waiting: Vec<(PathBuf, Lying)>) -> Result<Vec<GrantReport>, Failure> {
    let Some(bundle) = slices::together(&args.dir).filter(|_| !waiting.is_empty()) else { return Ok(Vec::new()) };
    let now = overlay::now_millis() / 1000;
    let mut reports = Vec::new();
    for (path, lying) in waiting {
        let body = lying.body.clone();
        let refused = |refusal| Failure::file(&path, format!("a sidecar would refuse this grant: it {refusal}"));
        body.within(bundle.grants.as_ref()).map_err(refused)?;
        if body.expires <= now {
            return Err(Failure::file(&path, "is past its expiry; remove it"));
        }
        let mut signed_by = grants::signed_by(&lying, &bundle, &args.keys)?;
        let mut published = false;
        if !args.dry_run {
            let signers = grants::signers(&bundle, &args.keys)?;
            let Some(signer) = signers.iter().find(|s| !signed_by.contains(&s.id)) else {
                return Err(Failure::file(&path, "only keys are here that have signed it already"));
            };
            let bytes = grants::sign_also(&lying, signer)?;
            signed_by.push(signer.id.clone());
            grants::publish(&args.dir, &bytes, now)?;
            std::fs::remove_file(&path).map_err(|e| Failure::file(&path, e))?;
            published = true;
        }
        reports.push(GrantReport { body, signed_by, published });
    }
    Ok(reports)
}

fn changes<K: Ord, V: PartialEq>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> Changes {
    Changes {
        added: new.keys().filter(|key| !old.contains_key(key)).count(),
        removed: old.keys().filter(|key| !new.contains_key(key)).count(),
        changed: new.iter().filter(|(key, value)| old.get(key).is_some_and(|before| before != *value)).count(),
    }
}
