//! `partywall compile`.

use std::path::{Path, PathBuf};

use partywall_tenancy::statement::{MAX_SIZE, TrustedKey};
use partywall_tenancy::{Bundle, UnixSeconds};
use serde::Serialize;

use crate::command::{note, say, say_json};
use crate::compile::{Issue, bundle, check, signers, trusted};
use crate::directory::{Directory, parse_duration};
use crate::exit::{Exit, Failure, Outcome};
use crate::{files, overlay};

/// Compile and sign a tenancy directory into a bundle
///
/// Everything is checked as `partywall check` does; nothing is written unless all is well. The
/// bundle replaces OUT/tenancy.bundle in one step. The same directory, keys, revision, issue and
/// expiry give the same bytes.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall compile envoy-config/tenancy --keys keys --out served
  partywall compile envoy-config/tenancy --keys keys --out served --expires 7d
  partywall compile envoy-config/tenancy --keys keys --out served --revision 12 --issued 1767225600 --expires 1769817600"
)]
pub(crate) struct Args {
    /// The tenancy directory
    dir: PathBuf,
    /// The keys folder: private keys that sign, public keys and JWK sets that the directory names
    #[arg(long)]
    keys: PathBuf,
    /// The folder to write tenancy.bundle to
    #[arg(long)]
    out: PathBuf,
    /// Its revision; by default one more than that of the bundle it replaces, or 1
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
    bundle: PathBuf,
    bytes: usize,
    mesh: String,
    revision: u64,
    issued: UnixSeconds,
    expires: UnixSeconds,
    tenants: usize,
    services: usize,
    policies: usize,
    signed_by: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let checked = check(&args.dir, Some(&args.keys));
    let Some((directory, program)) = checked.good() else {
        return Err(Failure::diagnostics(&checked.diagnostics));
    };
    // None of them is a mistake here.
    checked.diagnostics.iter().for_each(|d| note(format_args!("{d}\n")));

    let signers = signers(&directory.mesh.bundle_keys, &args.keys)?;
    let path = args.out.join("tenancy.bundle");
    let before =
        Before::read(&path, directory, &trusted(&directory.mesh.bundle_keys, &args.keys)?, args.revision.is_some())?;
    let issue = issue(args, &before)?;
    let bytes = bundle(directory, program, issue, &signers)?;
    before.allows(issue.revision, &bytes, &path)?;
    std::fs::create_dir_all(&args.out).map_err(|e| Failure::file(&args.out, e))?;
    files::replace(&path, &bytes, files::PUBLIC).map_err(|e| Failure::file(&path, e))?;

    let report = Report {
        bytes: bytes.len(),
        mesh: directory.mesh.id.to_string(),
        revision: issue.revision,
        issued: issue.issued,
        expires: issue.expires,
        tenants: directory.tenants.len(),
        services: directory.services.len(),
        policies: directory.policies.len(),
        signed_by: signers.into_iter().map(|s| s.id).collect(),
        bundle: path,
    };
    if args.json {
        return say_json(&report);
    }
    say(format_args!(
        "{}: revision {}, {} tenants, {} services, {} bytes, signed by {}",
        report.bundle.display(),
        report.revision,
        report.tenants,
        report.services,
        report.bytes,
        report.signed_by.join(", "),
    ));
    Ok(Exit::Fine)
}

fn issue(args: &Args, before: &Before) -> Result<Issue, Failure> {
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
    let revision = args.revision.unwrap_or(before.revision.saturating_add(1));
    Ok(Issue { revision, issued, expires })
}

/// The bundle that is about to be replaced.
struct Before {
    revision: u64,
    bytes: Vec<u8>,
}

impl Before {
    fn read(path: &Path, directory: Directory<'_>, keys: &[TrustedKey], revision_given: bool) -> Result<Self, Failure> {
        let bytes = match files::read(path, MAX_SIZE as u64) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self { revision: 0, bytes: Vec::new() }),
            Err(e) => return Err(Failure::file(path, e)),
        };
        let opened = Bundle::open(&bytes, keys);
        match opened {
            Ok(bundle) if bundle.body().mesh != directory.mesh.id => Err(Failure::file(
                path,
                format!("is a bundle of another mesh, `{}`; give another --out", bundle.body().mesh),
            )),
            Ok(bundle) => Ok(Self { revision: bundle.body().revision, bytes }),
            Err(_) if revision_given => Ok(Self { revision: 0, bytes }),
            Err(refusal) => Err(Failure::file(
                path,
                format!("{refusal}, so its revision cannot be trusted; give --revision, higher than any before"),
            )),
        }
    }

    /// A revision means one content, for ever, and sidecars never go back.
    fn allows(&self, revision: u64, bytes: &[u8], path: &Path) -> Result<(), Failure> {
        let again = revision == self.revision && bytes == self.bytes;
        if revision > self.revision || again {
            return Ok(());
        }
        Err(Failure::file(
            path,
            format!(
                "has revision {} already; sidecars would refuse {revision}, give a higher --revision",
                self.revision
            ),
        ))
    }
}
