//! `partywall init`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::say;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::schema::KINDS;
use crate::verbs::schema;

/// Make a small tenancy directory that works, with comments, cases and JSON Schemas for editors
///
/// The mesh gets an id of its own. Everything in it is an example to be edited: two services, three tenants, three
/// files of policies. Refuses a folder that holds anything.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall init tenancy
  partywall check tenancy && partywall test tenancy"
)]
pub(crate) struct Args {
    /// The folder to make
    dir: PathBuf,
}

/// The sample directory of the project is what everybody starts with, so that there is one.
macro_rules! sample {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../envoy-config/tenancy/", $file)))),*]
    };
}

const FILES: &[(&str, &str)] = sample![
    "mesh.yaml",
    "datasets.yaml",
    "redaction.yaml",
    "cases/accountants.yaml",
    "cases/readers.yaml",
    "policies/accountants.cedar",
    "policies/readers.cedar",
    "policies/wall.cedar",
    "profiles/gold.yaml",
    "services/invoices.yaml",
    "services/orders.yaml",
    "tenants/acme.yaml",
    "tenants/globex.yaml",
    "tenants/initech.yaml",
];

/// The id of the sample's mesh.
const SAMPLE: &str = "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11";
/// Where editors find the schemas. A hidden folder is no part of a tenancy directory.
const SCHEMAS: &str = ".schemas";

pub(crate) fn run(args: &Args) -> Outcome {
    let dir = &args.dir;
    refuse_a_full(dir)?;
    let mesh = uuid()?;
    for (name, text) in FILES {
        let path = dir.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| Failure::file(folder, e))?;
        }
        let text = text
            .replace(SAMPLE, &mesh)
            .replace("../../../docs/schemas/", &format!("../{SCHEMAS}/"))
            .replace("../../docs/schemas/", &format!("{SCHEMAS}/"));
        files::create(&path, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    }
    schema::write(&dir.join(SCHEMAS), KINDS)?;
    let dir = dir.display();
    say(format_args!(
        "{dir}: mesh {mesh}, {} files, and schemas in {dir}/{SCHEMAS}\n\nNext:\n  partywall check {dir}\n  partywall test {dir}\n  partywall keys new keys --signer edge-1=edge --sidecar invoices --sidecar orders\n  put the JWK sets that mesh.yaml names into keys/\n  partywall compile {dir} --keys keys --out served\n  partywall serve served --overlay-key keys/overlay-1.key",
        FILES.len()
    ));
    Ok(Exit::Fine)
}

fn refuse_a_full(dir: &Path) -> Result<(), Failure> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                let help = "name a folder that is empty, or not there yet";
                Err(Failure::invalid(format!("`{}` holds something already\nhelp: {help}", dir.display())))
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file(dir, error)),
    }
}

/// A random UUID (RFC 9562, section 5.4).
fn uuid() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| Failure::invalid(format!("the system gives no randomness: {e}")))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
