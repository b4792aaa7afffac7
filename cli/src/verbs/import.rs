//! `partywall import`.

use std::path::{Path, PathBuf};

use partywall_tenancy::SpiffeId;

use crate::command::{note, say};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::openapi::{self, About, Actions, Reading};

/// The largest document that is read, in bytes.
pub(crate) const LARGEST: u64 = 64 << 20;

/// Make a service's file from a description of its API
#[derive(clap::Args)]
#[command(after_help = "Examples:
  partywall import openapi petstore.yaml --service pets --spiffe-id spiffe://mesh.example/ns/shop/sa/pets
  partywall import openapi --help")]
pub(crate) struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(clap::Subcommand)]
enum From {
    Openapi(OpenApi),
}

/// Read an OpenAPI 3 or Swagger 2 document, in JSON or YAML
///
/// Every operation of it becomes one of the service, or is left out and told with the reason. What a document cannot
/// know is yours to say: who may call, which path parameter names the tenant, where the owner of the rest is seen.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall import openapi petstore.yaml --service pets --spiffe-id spiffe://mesh.example/ns/shop/sa/pets \\
    --caller spiffe://mesh.example/ns/edge/sa/gateway --owner orgId --out tenancy/services/pets.yaml
  partywall check tenancy

Exit status: 1 where something was left out."
)]
struct OpenApi {
    /// The document
    file: PathBuf,
    /// The service's name
    #[arg(long)]
    service: String,
    /// The service's SPIFFE ID
    #[arg(long)]
    spiffe_id: String,
    /// A workload that may call it, for all tenants; may be given several times
    #[arg(long = "caller", value_name = "SPIFFE_ID")]
    callers: Vec<String>,
    /// A path parameter that names the tenant; may be given several times
    #[arg(long = "owner", value_name = "PARAMETER", default_values_t = ["tenant", "tenant_id", "tenantId"].map(String::from))]
    owners: Vec<String>,
    /// What all paths begin with; where left out, what the document says
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// How operations are called in policies
    #[arg(long, value_enum, default_value_t = Actions::Verb)]
    actions: Actions,
    /// The file to write; standard output where left out. Refuses one that is there
    #[arg(long, short)]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let From::Openapi(args) = &args.from;
    for id in args.callers.iter().chain([&args.spiffe_id]) {
        SpiffeId::parse(id).map_err(|error| Failure::usage(format!("`{id}` is no SPIFFE ID: it {error}")))?;
    }
    if let Some(base) = args.base_path.as_ref().filter(|base| !base.is_empty() && !base.starts_with('/')) {
        return Err(Failure::usage(format!("`--base-path {base}` does not begin with `/`")));
    }
    let file = &args.file;
    let text = files::read_text(file, LARGEST).map_err(|e| Failure::file(file, e))?;
    let wrong = |why: String| Failure::file(file, why);
    let document = openapi::read(&text).map_err(wrong)?;
    let owners: Vec<String> = args.owners.iter().map(|name| openapi::word(name)).collect();
    let reading = Reading { base_path: args.base_path.as_deref(), owners: &owners, actions: args.actions };
    let outcome = openapi::operations(&document, &reading).map_err(wrong)?;
    let about = About { name: &args.service, spiffe_id: &args.spiffe_id, callers: &args.callers };
    let written = openapi::service(&about, &outcome);
    match &args.out {
        Some(out) => files::create(out, written.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(out, e))?,
        None => say(written.trim_end()),
    }
    tell(args.out.as_deref(), &outcome);
    Ok(if outcome.left_out.is_empty() { Exit::Fine } else { Exit::Findings })
}

fn tell(out: Option<&Path>, outcome: &openapi::Outcome) {
    let (operations, left_out) = (outcome.operations.len(), outcome.left_out.len());
    let (_, unseen) = outcome.writes();
    let place = out.map(|out| format!("{}: ", out.display())).unwrap_or_default();
    note(format_args!("{place}{operations} operations; {left_out} left out; {unseen} that write show no owner"));
    for (what, why) in &outcome.left_out {
        note(format_args!("left out: {what}: {why}"));
    }
}
