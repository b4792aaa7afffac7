//! `partywall who`.

use std::path::PathBuf;

use serde::Serialize;

use crate::command::{say, say_json};
use crate::exit::{Exit, Outcome};
use crate::material::Material;
use crate::prints::{self, Prints};

/// Turn fingerprints of logs and metrics back into names
///
/// Fingerprints cannot be computed back: those of all tenants of DIR are made with the key and compared. Of principals
/// (`s…`) and resources (`r…`) only those that policies name can be found so.
///
/// Exit status: 0 all found, 1 one is of nobody here.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall who t1_0f3a5c7e9b1d2f40 tenancy --fingerprint-key keys/edge.env
  jq -r .tenant access.log | sort -u | xargs -I{} partywall who {} served --fingerprint-key keys/edge.env"
)]
pub(crate) struct Args {
    /// The fingerprints, and last the tenancy directory, bundle file or folder with bundle files
    #[arg(required = true, num_args = 2.., value_names = ["FINGERPRINT", "DIR"])]
    arguments: Vec<String>,
    /// The fingerprint keys: a workload's .env file, or `id:key`; by default the variable PARTYWALL_FINGERPRINT
    #[arg(long, value_name = "FILE")]
    fingerprint_key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Who<'a> {
    fingerprint: &'a str,
    tenant: Option<&'a str>,
    principal: Option<String>,
    resource: Option<String>,
}

impl Who<'_> {
    fn name(&self) -> Option<String> {
        let tenant = self.tenant.map(|tenant| format!("tenant {tenant}"));
        let principal = || self.principal.as_ref().map(|principal| format!("principal {principal}"));
        let resource = || self.resource.as_ref().map(|resource| format!("resource {resource}"));
        tenant.or_else(principal).or_else(resource)
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let Some((directory, fingerprints)) = args.arguments.split_last() else { return Ok(Exit::Usage) };
    let keys = prints::keys(args.fingerprint_key.as_deref())?;
    let material = Material::read(directory.as_ref(), None)?;
    let prints = Prints::of(&keys, &[&material]);
    let found: Vec<Who<'_>> = fingerprints
        .iter()
        .map(|fingerprint| Who {
            fingerprint,
            tenant: prints.tenant(fingerprint).map(|tenant| tenant.as_str()),
            principal: prints.principal(fingerprint).map(|(tenant, subject)| format!("{tenant}/{subject}")),
            resource: prints.resource_id(fingerprint).map(|(kind, id)| format!("{kind}::\"{id}\"")),
        })
        .collect();
    if args.json {
        say_json(&found)?;
    } else {
        for who in &found {
            let name = who.name().unwrap_or_else(|| "nobody here, or under another key".to_owned());
            say(format_args!("{}  {name}", who.fingerprint));
        }
    }
    Ok(if found.iter().all(|who| who.name().is_some()) { Exit::Fine } else { Exit::Findings })
}
