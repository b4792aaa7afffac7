//! `partywall keys master`.

use std::path::PathBuf;

use partywall_tenancy::Secrets;

use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::keys::line;
use crate::sealed_keys::VARIABLE;
use crate::verbs::keys::{Written, random};

/// Make a master key, which seals the keys of tenants for redaction
///
/// Writes FILE with the line ID:key, mode 0600. Where FILE is there, the new key is put first: it seals from then on, and
/// the others still open. The collector's proxy gets what stands in it, with commas between, as the variable
/// PARTYWALL_REDACTION_KEYS; nobody else needs it but who runs `partywall keys redaction` and `partywall reveal`.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall keys master m1 keys/redaction.keys
  partywall keys master m2 keys/redaction.keys     m2 seals, m1 still opens; then --rewrap, and take the line of m1 out
  export PARTYWALL_REDACTION_KEYS=$(paste -sd, keys/redaction.keys)"
)]
pub(crate) struct Args {
    /// The key's id
    #[arg(value_parser = crate::verbs::keys::parse_workload)]
    id: String,
    /// The file to write, or to put it into
    file: PathBuf,
    /// Print JSON: the file written
    #[arg(long)]
    json: bool,
}

/// No file with keys is longer.
const MAX_SIZE: u64 = 64 << 10;

pub(crate) fn run(args: &Args) -> Outcome {
    let new = line(&args.id, &random()?) + "\n";
    match files::read_text(&args.file, MAX_SIZE) {
        Ok(before) => {
            let text = new + &before;
            let list = text.split_whitespace().collect::<Vec<_>>().join(",");
            Secrets::parse(&list).map_err(|why| {
                let message = format!("cannot be added to: with the new key it {why}");
                Failure::file(
                    &args.file,
                    format!("{message}\nhelp: give another id; the file has `id:key` lines alone"),
                )
            })?;
            files::replace(&args.file, text.as_bytes(), files::PRIVATE)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => files::create(&args.file, new.as_bytes(), files::PRIVATE),
        Err(e) => Err(e),
    }
    .map_err(|e| Failure::file(&args.file, e))?;
    if args.json {
        return say_json(&Written { written: vec![args.file.clone()] });
    }
    say(format_args!(
        "{}: {} seals from now on; the collector's proxy gets it as {VARIABLE}",
        args.file.display(),
        args.id
    ));
    Ok(Exit::Fine)
}
