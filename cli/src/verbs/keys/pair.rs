//! `partywall keys pair`.

use std::path::PathBuf;

use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::keys::{line, private_path, public_path};
use crate::verbs::keys::{Written, make_folder, new_key};

/// Make one more key: of another approver, of grants, or the successor of one
///
/// Writes ID.key and ID.pub. Nothing is ever overwritten. The public half belongs into the keys
/// folder of whoever compiles, under `keys` in mesh.yaml; the private half stays with its owner.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall keys pair bundle-2 --dir keys-of-alice
  partywall keys pair grant-1 --dir keys-of-bob
  cp keys-of-alice/bundle-2.pub keys/"
)]
pub(crate) struct Args {
    /// The key's id
    #[arg(value_parser = crate::verbs::keys::parse_workload)]
    id: String,
    /// The folder to write it to
    #[arg(long)]
    dir: PathBuf,
    /// Print JSON: the files written
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (private, public) = (private_path(&args.dir, &args.id), public_path(&args.dir, &args.id));
    if let Some(there) = [&private, &public].into_iter().find(|path| path.exists()) {
        return Err(Failure::file(there, "is there already, and keys are never overwritten; give another id"));
    }
    make_folder(&args.dir)?;
    let key = new_key()?;
    let write = |path: &PathBuf, bytes: &[u8], mode| {
        let text = line(&args.id, bytes) + "\n";
        files::create(path, text.as_bytes(), mode).map_err(|e| Failure::file(path, e))
    };
    write(&private, key.as_bytes(), files::PRIVATE)?;
    write(&public, key.verifying_key().as_bytes(), files::PUBLIC).inspect_err(|_| {
        // Half a pair would be taken for a whole one.
        let _ = std::fs::remove_file(&private);
    })?;
    let written = vec![private, public];
    if args.json {
        return say_json(&Written { written });
    }
    written.iter().for_each(|path| say(path.display()));
    Ok(Exit::Fine)
}
