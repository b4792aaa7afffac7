//! `partywall compile`.

use std::path::{Path, PathBuf};

use partywall_tenancy::statement::{MAX_SIZE, TrustedKey};
use partywall_tenancy::{Audience, Bundle, BundleBody, Rollout, TenantId, UnixSeconds};
use serde::Serialize;

use crate::arguments;
use crate::candidates::{self, Shown};
use crate::command::{note, note_missing, say, say_json};
use crate::compile::{Issue, Slice, check, publish, signers, slices, trusted, warn_of_new_keys};
use crate::directory::{Directory, parse_duration};
use crate::exit::{Exit, Failure, Outcome};
use crate::revisions::{Revisions, Unknown};
use crate::verbs::promote;
use crate::{compile, files, moves, overlay, revisions, slices};

/// Compile and sign a tenancy directory into bundles, one for each audience
///
/// Everything is checked as `partywall check` does; nothing is written unless all is well. OUT gets
/// tenancy.edge.bundle, tenancy.workload.bundle, tenancy.events.bundle and tenancy.redaction.bundle,
/// each replaced in one step, and keeps them in OUT/history for `partywall rollback`. The same
/// directory, keys, revision, issue and expiry give the same bytes.
///
/// Where more keys must sign than the keys folder holds (`approvals` in mesh.yaml, or in the bundle
/// that is replaced), they are written as `tenancy.<audience>.pending` instead: `partywall approve`
/// adds the missing signatures.
///
/// A tenant does not go from one cell to another in one step, and arrives only when no sidecar of its old cell serves
/// it any more: twice `stale_after` and a minute after the bundle in which its move began, or at once with --moved.
///
/// With --candidate it writes `tenancy.<audience>.candidate` and leaves the bundles as they are:
/// sidecars try it out beside the bundle in force, tell what it would decide otherwise, and let it
/// decide for the tenants of --percent and --tenant. `partywall promote` goes on from there.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall compile envoy-config/tenancy --keys keys --out served
  partywall compile envoy-config/tenancy --keys keys --out served --expires 7d
  partywall compile envoy-config/tenancy --keys keys --out served --moved acme
  partywall compile envoy-config/tenancy --keys keys --out served --candidate
  partywall compile envoy-config/tenancy --keys keys --out served --candidate --percent 5 --tenant acme
  partywall compile envoy-config/tenancy --keys keys --out served --revision 12 --issued 1767225600 --expires 1769817600"
)]
pub(crate) struct Args {
    /// The tenancy directory
    dir: PathBuf,
    /// The keys folder: private keys that sign, public keys and JWK sets that the directory names
    #[arg(long)]
    keys: PathBuf,
    /// The folder to write the bundles to
    #[arg(long)]
    out: PathBuf,
    /// Write a candidate, tried out beside the bundle in force, instead of a bundle
    #[arg(long)]
    candidate: bool,
    /// How many of a hundred tenants the candidate decides for; by default 0
    #[arg(long, value_name = "N", requires = "candidate", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: Option<u8>,
    /// A tenant that the candidate decides for; can be given several times
    #[arg(long, value_name = "TENANT", requires = "candidate", value_parser = arguments::tenant)]
    tenant: Vec<TenantId>,
    /// A tenant of which no sidecar in its old cell serves by a bundle from before its move; can be given several times
    #[arg(long, value_name = "TENANT", value_parser = arguments::tenant)]
    moved: Vec<TenantId>,
    /// Its revision; by default one more than that of any bundle or candidate before it, be it waiting or withdrawn, or 1
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    revision: Option<u64>,
    /// When it is issued, in Unix seconds; by default now
    #[arg(long)]
    issued: Option<UnixSeconds>,
    /// When it ends: Unix seconds, or a time after its issue as `12h` or `30d`
    #[arg(long, default_value = "30d")]
    expires: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    bundles: Vec<Written>,
    mesh: String,
    revision: u64,
    issued: UnixSeconds,
    expires: UnixSeconds,
    tenants: usize,
    services: usize,
    policies: usize,
    signed_by: Vec<String>,
    /// Signatures that are missing before sidecars take them.
    missing: u8,
    /// For whom it decides, if it is a candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<Shown>,
}

#[derive(Serialize)]
struct Written {
    audience: &'static str,
    path: PathBuf,
    bytes: usize,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let checked = check(&args.dir, Some(&args.keys));
    let Some((directory, program)) = checked.good() else {
        return Err(Failure::diagnostics(&checked.diagnostics));
    };
    // None of them is a mistake here.
    checked.diagnostics.iter().for_each(|d| note(format_args!("{d}\n")));

    let mesh = directory.mesh;
    let signers = signers(&mesh.bundle_keys, &args.keys)?;
    let known = trusted(mesh.bundle_keys.iter().chain(&mesh.retired_keys), &args.keys)?;
    let before = Before::read(&args.out, directory, &known, args.revision.is_some())?;
    let unknown = if args.revision.is_some() { Unknown::Skip } else { Unknown::Refuse };
    let given = Revisions::read(&args.out, &args.keys, before.revision, unknown)?;
    let issue = issue(args, given)?;
    let rollout = args.candidate.then(|| rollout(args, directory)).transpose()?;
    if let Some(in_force) = &before.body {
        let whole = compile::body(directory, program, issue)?;
        moves::check(in_force, &whole, &args.out, overlay::now_millis() / 1000, &args.moved)?;
    }
    let slices = slices(directory, program, issue, rollout.as_ref(), &signers)?;
    if args.candidate {
        before.allows_candidate(issue.revision, given, &slices, &args.out)?;
    } else {
        before.allows(issue.revision, given, &slices, &args.out)?;
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Failure::file(&args.out, e))?;
    let signed = u8::try_from(signers.len()).unwrap_or(u8::MAX);
    let ids: Vec<String> = signers.iter().map(|s| s.id.clone()).collect();
    if let Some(body) = &before.body {
        warn_of_new_keys(body, &ids, 1);
    }
    let missing = mesh.approvals.max(before.approvals).saturating_sub(signed);
    let paths = if args.candidate {
        candidates::publish(&args.out, &slices, missing)?
    } else {
        publish(&args.out, issue.revision, &slices, missing)?
    };
    let written =
        |(slice, path): (&Slice, PathBuf)| Written { audience: slice.audience.name(), bytes: slice.bytes.len(), path };
    let bundles = slices.iter().zip(paths).map(written).collect();

    let report = Report {
        bundles,
        mesh: mesh.id.to_string(),
        revision: issue.revision,
        issued: issue.issued,
        expires: issue.expires,
        tenants: directory.tenants.len(),
        services: directory.services.len(),
        policies: directory.policies.len(),
        signed_by: ids,
        missing,
        candidate: rollout.as_ref().map(Shown::from),
    };
    if args.json {
        return say_json(&report);
    }
    for written in &report.bundles {
        say(format_args!("{}: {} bytes", written.path.display(), written.bytes));
    }
    say(format_args!(
        "revision {}, {} tenants, {} services, signed by {}",
        report.revision,
        report.tenants,
        report.services,
        report.signed_by.join(", "),
    ));
    if let Some(rollout) = &report.candidate {
        say(format_args!("a candidate beside revision {}: {}", before.revision, rollout.words()));
    }
    note_missing(missing, &args.out);
    Ok(Exit::Fine)
}

fn rollout(args: &Args, directory: Directory<'_>) -> Result<Rollout, Failure> {
    let mut tenants = args.tenant.clone();
    tenants.sort();
    tenants.dedup();
    let known = || directory.tenants.iter().map(|tenant| tenant.id.as_str());
    if let Some(stranger) = tenants.iter().find(|tenant| !known().any(|id| id == tenant.as_str())) {
        return Err(Failure::usage(promote::unknown(stranger, known())));
    }
    Ok(Rollout { format: Rollout::FORMAT, step: 1, percent: args.percent.unwrap_or(0), tenants })
}

fn issue(args: &Args, given: Revisions) -> Result<Issue, Failure> {
    let issued = args.issued.unwrap_or(overlay::now_millis() / 1000);
    let expires = match args.expires.parse::<UnixSeconds>() {
        Ok(seconds) => seconds,
        Err(_) => {
            parse_duration(&args.expires).map(|lifetime| issued.saturating_add(lifetime.into())).ok_or_else(|| {
                Failure::usage(format!(
                    "--expires `{}` is no time; write Unix seconds, or `12h` or `30d`",
                    args.expires
                ))
            })?
        }
    };
    if expires <= issued {
        return Err(Failure::usage("--expires is not after --issued; sidecars would refuse this bundle"));
    }
    let revision = args.revision.map_or_else(|| given.next(), Ok)?;
    Ok(Issue { revision, issued, expires })
}

/// The bundles that are about to be replaced.
#[derive(Default)]
struct Before {
    revision: u64,
    approvals: u8,
    body: Option<BundleBody>,
    files: Vec<(Audience, Vec<u8>)>,
}

impl Before {
    fn read(
        folder: &Path,
        directory: Directory<'_>,
        keys: &[TrustedKey],
        revision_given: bool,
    ) -> Result<Self, Failure> {
        let mut before = Self::default();
        for audience in Audience::ALL {
            let path = slices::path(folder, audience);
            let bytes = match files::read(&path, MAX_SIZE as u64) {
                Ok(bytes) => bytes,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(Failure::file(&path, e)),
            };
            match Bundle::open(&bytes, keys) {
                Ok(bundle) if bundle.body().mesh != directory.mesh.id => {
                    return Err(Failure::file(
                        &path,
                        format!("is a bundle of another mesh, `{}`; give another --out", bundle.body().mesh),
                    ));
                }
                Ok(bundle) => {
                    before.revision = before.revision.max(bundle.body().revision);
                    before.approvals = before.approvals.max(bundle.body().approvals);
                    before.body = Some(bundle.body().clone());
                }
                Err(_) if revision_given => {}
                Err(refusal) => {
                    return Err(Failure::file(
                        &path,
                        format!(
                            "{refusal}, so its revision cannot be trusted; give --revision, higher than any before"
                        ),
                    ));
                }
            }
            before.files.push((audience, bytes));
        }
        Ok(before)
    }

    /// A revision means one content, for ever, and sidecars never go back.
    fn allows(&self, revision: u64, given: Revisions, slices: &[Slice], folder: &Path) -> Result<(), Failure> {
        let is_there = |slice: &Slice| self.files.iter().find(|(audience, _)| *audience == slice.audience);
        let differs = slices.iter().find(|slice| is_there(slice).is_some_and(|(_, bytes)| *bytes != slice.bytes));
        match differs {
            Some(slice) if revision <= self.revision => Err(Failure::file(
                &slices::path(folder, slice.audience),
                format!(
                    "has revision {} already; sidecars would refuse {revision}, give a higher --revision",
                    self.revision
                ),
            )),
            _ if revision <= self.revision
                || revision > given.highest
                || revisions::lie_at(slices, folder, slices::pending_path) =>
            {
                Ok(())
            }
            _ => Err(Failure::file(
                folder,
                format!(
                    "revision {} is given out already, to a candidate or to what waits for signatures, and {revision} may mean something else; `partywall promote --all` puts a candidate into force, `approve` what waits; for this one give a higher --revision",
                    given.highest
                ),
            )),
        }
    }

    /// A candidate is newer than the bundle in force, and than any candidate before.
    fn allows_candidate(
        &self,
        revision: u64,
        given: Revisions,
        slices: &[Slice],
        folder: &Path,
    ) -> Result<(), Failure> {
        if self.body.is_none() {
            return Err(Failure::file(
                folder,
                "holds no bundle that a candidate could be tried out beside; compile one first, without --candidate",
            ));
        }
        revisions::refuse_withdrawn(folder, revision, given.withdrawn)?;
        let at = |path| revisions::lie_at(slices, folder, path);
        let lies_there = || at(slices::candidate_path) || at(slices::candidate_pending_path);
        let highest = given.highest;
        if revision <= self.revision || (revision <= highest && !lies_there()) {
            return Err(Failure::file(
                folder,
                format!(
                    "has revision {highest} already; sidecars would refuse a candidate of {revision}, give a higher --revision"
                ),
            ));
        }
        Ok(())
    }
}
