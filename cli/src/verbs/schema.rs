//! `partywall schema`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::nearest::nearest;
use crate::schema::{KINDS, Kind};

/// Write the JSON Schemas by which editors complete and check the YAML files and the plugin configuration
///
/// Without a name, lists them. A file names its own in its first line, where editors look for it:
///   # yaml-language-server: $schema=../.schemas/tenant.schema.json
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall schema
  partywall schema tenant
  partywall schema --out tenancy/.schemas        all of them, as NAME.schema.json
  partywall schema --json | jq '.[].files'"
)]
pub(crate) struct Args {
    /// A name from the list that is printed without one
    name: Option<String>,
    /// The folder to write to, made if it is not there; by default it is printed
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the list as JSON; a schema is JSON anyway
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    files: &'static str,
    schema: String,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let one = args.name.as_deref().map(named).transpose()?;
    match (&args.out, one) {
        (Some(out), one) => {
            write(out, one.as_ref().map_or(KINDS, std::slice::from_ref))?;
            Ok(Exit::Fine)
        }
        (None, Some(kind)) => {
            say(kind.text().trim_end());
            Ok(Exit::Fine)
        }
        (None, None) if args.json => {
            let listed = KINDS.iter().map(|k| Listed { name: k.name, files: k.files, schema: k.file() });
            say_json(&listed.collect::<Vec<_>>())
        }
        (None, None) => {
            KINDS.iter().for_each(|kind| say(format_args!("{:<10} {}", kind.name, kind.files)));
            Ok(Exit::Fine)
        }
    }
}

fn named(name: &str) -> Result<Kind, Failure> {
    Kind::named(name).ok_or_else(|| {
        let meant = nearest(name, KINDS.iter().map(|kind| kind.name));
        let help = meant.map_or_else(|| "`partywall schema` lists them".to_owned(), |m| format!("did you mean `{m}`?"));
        Failure::usage(format!("there is no schema `{name}`\nhelp: {help}"))
    })
}

/// Writes the schemas of `kinds` into `folder`, each replaced in one step.
pub(crate) fn write(folder: &Path, kinds: &[Kind]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, e))?;
    for kind in kinds {
        let path = folder.join(kind.file());
        files::replace(&path, kind.text().as_bytes(), files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    }
    Ok(())
}
