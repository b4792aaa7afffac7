//! `partywall audit grants`.

use std::path::PathBuf;

use serde::Serialize;

use crate::command::{say, say_json};
use crate::exit::{Exit, Outcome};
use crate::material::Material;
use crate::prints::{self, Prints};
use crate::recorded::{Log, Record};
use crate::time::rfc3339;

/// List each use of a grant: who crossed into which tenant, what was done there, and when
///
/// Reads the `explain` field of access logs. Names are fingerprints; those of tenants become names again with --tenancy
/// and the fingerprint key.
///
/// Exit status: 0, however many there are.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall audit grants edge.log orders.log
  partywall audit grants *.log --tenancy tenancy --fingerprint-key keys/edge.env --json"
)]
pub(crate) struct Args {
    /// The access logs; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    logs: Vec<PathBuf>,
    /// A tenancy directory, bundle file or folder with bundle files that knows the tenants
    #[arg(long, value_name = "DIR")]
    tenancy: Option<PathBuf>,
    /// The fingerprint keys: a workload's .env file, or `id:key`; by default the variable PARTYWALL_FINGERPRINT
    #[arg(long, value_name = "FILE", requires = "tenancy")]
    fingerprint_key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Use {
    time: String,
    grant: String,
    /// Whose operator it was.
    tenant: String,
    principal: String,
    /// The tenant that was crossed into.
    owner: String,
    service: String,
    method: String,
    path: String,
    action: String,
    resource: String,
    id: String,
    file: String,
    line: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let prints = match &args.tenancy {
        Some(tenancy) => {
            let keys = prints::keys(args.fingerprint_key.as_deref())?;
            Prints::of(&keys, &[&Material::read(tenancy, None)?])
        }
        None => Prints::default(),
    };
    let tenant = |print: String| prints.tenant(&print).map_or(print, |tenant| tenant.as_str().to_owned());
    let mut uses = Vec::new();
    for path in &args.logs {
        let mut log = Log::open(path)?;
        while let Some((line, read)) = log.next()? {
            let Some((record, grant)) = read.ok().and_then(used) else { continue };
            let Record { principal, service, method, path: template, action, resource, id, .. } = record;
            uses.push(Use {
                time: rfc3339(record.time),
                grant,
                tenant: tenant(record.tenant),
                principal,
                owner: tenant(record.owner),
                service,
                method,
                path: template,
                action,
                resource,
                id,
                file: path.display().to_string(),
                line,
            });
        }
    }
    uses.sort_by(|a, b| a.time.cmp(&b.time));
    if args.json {
        return say_json(&uses);
    }
    for one in &uses {
        say(format_args!(
            "{}  {}: {} of {} into {}: {} ({} {} at {})",
            one.time, one.grant, one.principal, one.tenant, one.owner, one.action, one.method, one.path, one.service
        ));
    }
    say(format_args!("{} uses of grants", uses.len()));
    Ok(Exit::Fine)
}

/// The grant by which a request crossed.
fn used(record: Record) -> Option<(Record, String)> {
    let grant = record.policy.strip_prefix("grant:")?.to_owned();
    record.allowed().then_some((record, grant))
}
