//! `partywall render`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::command::say;
use crate::compile::check;
use crate::deployment;
use crate::diagnostic::Severity;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::render::envoy::Given;
use crate::render::{Role, bootstrap};

/// Write Envoy's configuration from the tenancy directory
///
/// What the directory says (mesh, callers, operations, limits) is written once and rendered; where things are comes
/// from a small file beside it, deployment.yaml.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall render envoy envoy-config/tenancy --role edge
  partywall render envoy envoy-config/tenancy --role sidecar --service orders --out orders.yaml"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Envoy(Envoy),
}

/// A whole bootstrap for one Envoy
///
/// With the filter, access log, local replies in the form of our denials, the limits of tenants as Envoy's local rate
/// limit, and a listener for each direction. Routes of the edge come from the operations, clusters of a sidecar from
/// `callers` of the services it may call.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall render envoy envoy-config/tenancy --role edge
  partywall render envoy envoy-config/tenancy --role sidecar --service invoices --out invoices.yaml
  partywall render envoy tenancy --deployment staging.yaml --role edge"
)]
struct Envoy {
    /// The tenancy directory
    dir: PathBuf,
    /// Which Envoy
    #[arg(long, value_enum)]
    role: RoleName,
    /// The service of a sidecar
    #[arg(long, required_if_eq("role", "sidecar"))]
    service: Option<String>,
    /// Where things are; by default deployment.yaml beside the directory
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// The file to write; by default it is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    /// Where clients come in
    Edge,
    /// Beside a service, in both directions
    Sidecar,
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Envoy(args) => envoy(args),
    }
}

fn envoy(args: &Envoy) -> Outcome {
    let role = match (args.role, args.service.as_deref()) {
        (RoleName::Edge, None) => Role::Edge,
        (RoleName::Edge, Some(_)) => {
            return Err(Failure::usage(
                "an edge has no service\nhelp: leave `--service` out, or write `--role sidecar`",
            ));
        }
        (RoleName::Sidecar, service) => Role::Sidecar(service.unwrap_or_default()),
    };
    let checked = check(&args.dir, None);
    let Some((directory, _)) = checked.good() else {
        let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned();
        return Err(Failure::diagnostics(&errors.collect::<Vec<_>>()));
    };
    let beside = || args.dir.join("../deployment.yaml");
    let path = args.deployment.clone().unwrap_or_else(beside);
    let deployment = deployment::read(&path, &directory.mesh.trust_domain)?;
    let given = Given { directory, limits: checked.reading().limits(), deployment: &deployment };
    let text = bootstrap(given, role)?;
    match &args.out {
        Some(out) => files::replace(out, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(out, e))?,
        None => say(text.trim_end()),
    }
    Ok(Exit::Fine)
}
