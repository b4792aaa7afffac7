//! `partywall keys`.

mod api_key;
mod master;
mod pair;
mod redaction;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use ed25519_dalek::SigningKey;
use serde::Serialize;

use crate::command::{say, say_json};
use crate::directory::is_label;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::keys::line;

/// Make the keys of a mesh
#[derive(clap::Args)]
#[command(after_help = "Examples:
  partywall keys new keys --signer edge-1=edge --sidecar invoices --sidecar orders
  partywall keys pair bundle-2 --dir keys-of-alice
  partywall keys api-key --tenant acme --principal nightly-export --role viewer --expires 90d --env keys/edge.env
  partywall keys master m1 keys/redaction.keys
  partywall keys redaction --tenancy tenancy --master keys/redaction.keys")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    New(New),
    Pair(pair::Args),
    ApiKey(api_key::Args),
    Master(master::Args),
    Redaction(redaction::Args),
}

/// Make a keys folder: keys for bundles and overlays, and an environment file per workload
///
/// Writes bundle-1 and overlay-1 (.key and .pub), one .pub per signer, and for each workload a file
/// NAME.env with the variables its Envoy needs, and audit.keys, by which `partywall audit verify` knows
/// the chains of them all. Everything secret has mode 0600. Nothing is ever overwritten. The .key files
/// belong on the machines that compile and serve, audit.keys where logs are verified, each .env file with
/// its workload alone.
///
/// A workload that --signer names and --sidecar does not is an edge: its file also holds
/// PARTYWALL_API_KEYS, which `partywall keys api-key` hashes API keys with.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall keys new keys --signer edge-1=edge --sidecar invoices --sidecar orders
  set -a; . keys/orders.env; envoy -c sidecar.yaml"
)]
struct New {
    /// The folder to make
    dir: PathBuf,
    /// A workload that signs root contexts, as KEY_ID=WORKLOAD; may be given more than once
    #[arg(long, value_name = "KEY_ID=WORKLOAD", value_parser = parse_signer)]
    signer: Vec<SignerOf>,
    /// A workload behind the edge; may be given more than once
    #[arg(long, value_name = "WORKLOAD", value_parser = parse_workload)]
    sidecar: Vec<String>,
    /// Print JSON: the files written
    #[arg(long)]
    json: bool,
}

#[derive(Clone)]
struct SignerOf {
    id: String,
    workload: String,
}

const BUNDLE: &str = "bundle-1";
const OVERLAY: &str = "overlay-1";
const AUDIT: &str = "audit.keys";

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::New(new) => make(new),
        What::Pair(args) => pair::run(args),
        What::ApiKey(args) => api_key::run(args),
        What::Master(args) => master::run(args),
        What::Redaction(args) => redaction::run(args),
    }
}

#[derive(Serialize)]
struct Written {
    written: Vec<PathBuf>,
}

fn make(args: &New) -> Outcome {
    let planned = plan(args)?;
    if let Some(there) = planned.iter().map(|f| args.dir.join(&f.name)).find(|path| path.exists()) {
        return Err(Failure::file(&there, "is there already, and keys are never overwritten; name another folder"));
    }
    make_folder(&args.dir)?;
    let mut written = Vec::new();
    for file in &planned {
        let path = args.dir.join(&file.name);
        if let Err(error) = files::create(&path, file.text.as_bytes(), file.mode) {
            // Half a set of keys would be taken for a whole one.
            written.iter().for_each(|path: &PathBuf| drop(fs::remove_file(path)));
            return Err(Failure::file(&path, error));
        }
        written.push(path);
    }
    if args.json {
        return say_json(&Written { written });
    }
    written.iter().for_each(|path| say(path.display()));
    Ok(Exit::Fine)
}

struct Planned {
    name: String,
    text: String,
    mode: u32,
}

fn plan(args: &New) -> Result<Vec<Planned>, Failure> {
    let mut files = Vec::new();
    let bundle = new_key()?;
    let fingerprint = line("1", &random()?);
    let api_keys = line("1", &random()?);
    for (id, key) in [(BUNDLE, &bundle), (OVERLAY, &new_key()?)] {
        files.push(file(format!("{id}.key"), line(id, key.as_bytes()), files::PRIVATE));
        files.push(file(format!("{id}.pub"), line(id, key.verifying_key().as_bytes()), files::PUBLIC));
    }
    let mut signing: Vec<(&str, Vec<String>)> = Vec::new();
    for SignerOf { id, workload } in &args.signer {
        if [BUNDLE, OVERLAY].contains(&id.as_str()) || files.iter().any(|f| f.name == format!("{id}.pub")) {
            return Err(Failure::usage(format!("key id `{id}` is there twice; a key signs one kind of thing")));
        }
        let key = new_key()?;
        files.push(file(format!("{id}.pub"), line(id, key.verifying_key().as_bytes()), files::PUBLIC));
        let secret = line(id, key.as_bytes());
        match signing.iter_mut().find(|(name, _)| name == workload) {
            Some((_, secrets)) => secrets.push(secret),
            None => signing.push((workload, vec![secret])),
        }
    }
    for sidecar in &args.sidecar {
        if !signing.iter().any(|(name, _)| name == sidecar) {
            signing.push((sidecar, Vec::new()));
        }
    }
    let mut audit = String::new();
    for (workload, secrets) in signing {
        // Each its own: who has one workload's cannot write lines for another.
        let chain = line(&format!("{workload}-1"), &random()?);
        audit.push_str(&format!("{chain}\n"));
        let mut text = format!(
            "PARTYWALL_BUNDLE_KEYS={}\nPARTYWALL_FINGERPRINT={fingerprint}\nPARTYWALL_SHARED_STATE={}\n\
             PARTYWALL_AUDIT_CHAIN={chain}\n",
            line(BUNDLE, bundle.verifying_key().as_bytes()),
            line("1", &random()?),
        );
        // Whoever holds this key can tell whether a guessed API key is one; sidecars have no use for it.
        if !args.sidecar.iter().any(|sidecar| sidecar == workload) {
            text.push_str(&format!("{}={api_keys}\n", api_key::VARIABLE));
        }
        if !secrets.is_empty() {
            text.push_str(&format!("PARTYWALL_CONTEXT_SIGNING={}\n", secrets.join(",")));
        }
        files.push(Planned { name: format!("{workload}.env"), text, mode: files::PRIVATE });
    }
    if !audit.is_empty() {
        files.push(Planned { name: AUDIT.into(), text: audit, mode: files::PRIVATE });
    }
    Ok(files)
}

fn file(name: String, line: String, mode: u32) -> Planned {
    Planned { name, text: line + "\n", mode }
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| Failure::file(path, e))
}

fn new_key() -> Result<SigningKey, Failure> {
    Ok(SigningKey::from_bytes(&random()?))
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| Failure::invalid(format!("no randomness: {e}")))?;
    Ok(bytes)
}

fn parse_signer(text: &str) -> Result<SignerOf, String> {
    let (id, workload) = text.split_once('=').ok_or("write KEY_ID=WORKLOAD, as `edge-1=edge`")?;
    Ok(SignerOf { id: parse_workload(id)?, workload: parse_workload(workload)? })
}

fn parse_workload(text: &str) -> Result<String, String> {
    if is_label(text) { Ok(text.to_owned()) } else { Err(format!("`{text}` is not 1 to 63 of `a-z 0-9 -`")) }
}
