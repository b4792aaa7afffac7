//! `partywall keys api-key`.

use std::fs::File;
use std::path::{Path, PathBuf};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::Mac;
use partywall_tenancy::{Secret, Secrets, TenantId, UnixSeconds, keyed};
use serde_json::json;

use super::random;
use crate::command::{note, say, say_json};
use crate::diagnostic::Source;
use crate::directory::{self, API_KEYS, is_api_key_id, parse_duration};
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay::{now_millis, quoted};
use crate::{arguments, files, time};

/// The environment variable with the secrets that API keys are hashed with.
pub(super) const VARIABLE: &str = "PARTYWALL_API_KEYS";
/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// Make an API key
///
/// Prints the key, once: it is kept nowhere. What is kept is a keyed hash of it, in the entry for
/// api-keys.yaml that is printed below it, or added to that file with --append. The key counts
/// after the next `partywall compile`.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall keys api-key --tenant acme --principal export --expires 90d --env keys/edge.env
  partywall keys api-key --tenant acme --principal export --role viewer --expires 90d \\
    --env keys/edge.env --append envoy-config/tenancy"
)]
pub(super) struct Args {
    /// The tenant it proves
    #[arg(long, value_parser = arguments::tenant)]
    tenant: TenantId,
    /// Who acts with it, as `nightly-export`
    #[arg(long)]
    principal: String,
    /// A role it has; may be given more than once
    #[arg(long)]
    role: Vec<String>,
    /// A scope it has; may be given more than once
    #[arg(long)]
    scope: Vec<String>,
    /// When it ends: a time from now as `12h` or `90d`, or `2027-01-31T00:00:00Z`
    #[arg(long)]
    expires: String,
    /// The environment file of the edge, with PARTYWALL_API_KEYS
    #[arg(long)]
    env: PathBuf,
    /// Its public part, 16 hex digits; random by default
    #[arg(long)]
    id: Option<String>,
    /// Add the entry to api-keys.yaml of this tenancy directory
    #[arg(long, value_name = "TENANCY")]
    append: Option<PathBuf>,
    /// Print JSON: the key and its entry
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    let expires = expires(&args.expires)?;
    let secrets = secrets(&args.env)?;
    let id = match &args.id {
        Some(id) if is_api_key_id(id) => id.clone(),
        Some(_) => return Err(Failure::usage("--id is not 16 of `0-9 a-f`")),
        None => random()?.iter().take(8).map(|b| format!("{b:02x}")).collect(),
    };
    let key = format!("pw1.{id}.{}", BASE64_URL_SAFE_NO_PAD.encode(random()?));
    let entry = entry(args, &id, &key, secrets.current(), expires);
    // What `check` would refuse is no use to anybody; it is told before a key is given out.
    read_back(&format!("api_keys:\n  - {entry}\n"))?;
    let appended = args.append.as_ref().map(|folder| append(folder, &args.tenant, &entry)).transpose()?;
    if args.json {
        return say_json(&json!({ "key": key, "id": id, "entry": entry, "appended_to": appended }));
    }
    say(&key);
    match appended {
        Some(path) => note(format_args!("added to {}; this key is not shown again", path.display())),
        None => {
            note(format_args!("this key is not shown again; its entry for {API_KEYS}, under `api_keys:`"));
            say(format_args!("  - {entry}"));
        }
    }
    Ok(Exit::Fine)
}

fn expires(text: &str) -> Result<UnixSeconds, Failure> {
    let now = now_millis() / 1000;
    let lifetime = parse_duration(text).map(|lifetime| now + UnixSeconds::from(lifetime));
    match lifetime.or_else(|| time::parse_rfc3339(text)) {
        Some(at) if at > now => Ok(at),
        Some(_) => Err(Failure::usage("--expires is not in the future")),
        None => Err(Failure::usage(format!("--expires `{text}` is no time; write `90d` or `2027-01-31T00:00:00Z`"))),
    }
}

/// The secrets in an environment file. Nothing of its other lines is looked at.
fn secrets(path: &Path) -> Result<Secrets, Failure> {
    let text = files::read_text(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?;
    let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(VARIABLE)?.strip_prefix('='));
    match (values.next(), values.next()) {
        (Some(value), None) => {
            Secrets::parse(value.trim()).map_err(|why| Failure::file(path, format!("{VARIABLE} {why}")))
        }
        (Some(_), Some(_)) => Err(Failure::file(path, format!("sets {VARIABLE} twice; keep one of the two"))),
        (None, _) => Err(Failure::file(
            path,
            format!(
                "does not set {VARIABLE}; name the environment file of the edge, as `partywall keys new` writes it"
            ),
        )),
    }
}

fn entry(args: &Args, id: &str, key: &str, secret: &Secret, expires: UnixSeconds) -> String {
    let list = |items: &[String]| items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ");
    format!(
        "{{ id: {}, digest: {}, hashed_with: {}, tenant: {}, principal: {}, roles: [{}], scopes: [{}], expires: {} }}",
        quoted(id),
        quoted(&BASE64_URL_SAFE_NO_PAD.encode(digest(secret, key))),
        quoted(secret.id()),
        quoted(args.tenant.as_str()),
        quoted(&args.principal),
        list(&args.role),
        list(&args.scope),
        time::rfc3339(expires),
    )
}

/// What is kept of a key. The word in front keeps it apart from anything else under the same secret.
fn digest(secret: &Secret, key: &str) -> [u8; 32] {
    keyed(secret.bytes()).chain_update(b"partywall api key\0").chain_update(key).finalize().into_bytes().into()
}

/// Adds `entry` to the file of `folder`, under a lock: two keys made at once must both be in it.
fn append(folder: &Path, tenant: &TenantId, entry: &str) -> Result<PathBuf, Failure> {
    known(folder, tenant)?;
    let file = File::open(folder).map_err(|e| Failure::file(folder, e))?;
    file.lock().map_err(|e| Failure::file(folder, e))?;
    let path = folder.join(API_KEYS);
    let before = match files::read_text(&path, MAX_SIZE) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(e) => return Err(Failure::file(&path, e)),
    };
    let count = directory::api_keys(&Source::new(path.to_string_lossy(), before.as_str()))
        .map_err(|d| Failure::diagnostics(&d))?
        .len();
    let mut start = before.replace("api_keys: []", "api_keys:");
    if !start.ends_with('\n') {
        start.push('\n');
    }
    // The file is somebody's, with comments: it is added to, not written anew. Which of the two
    // ways to indent a list it has is found by reading the outcome.
    let good = ["  - ", "- "].map(|dash| format!("{start}{dash}{entry}\n")).into_iter().find(|text| {
        directory::api_keys(&Source::new(API_KEYS, text.as_str())).is_ok_and(|keys| keys.len() == count + 1)
    });
    let text = good.ok_or_else(|| {
        Failure::file(&path, "cannot be added to: its list does not stand at the end, or this id is there already")
    })?;
    files::replace(&path, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    Ok(path)
}

const HEAD: &str = "\
# API keys: who may come with which, and until when. The keys themselves are not here: `digest` is a
# keyed hash, and the key for it is a secret of the edge. `partywall keys api-key` adds to this list.
api_keys: []
";

/// A mistyped tenant would be a key that proves nothing.
fn known(folder: &Path, tenant: &TenantId) -> Result<(), Failure> {
    let reading = directory::read(folder, None);
    let tenants = reading.tenants();
    if tenants.iter().any(|t| t.id == *tenant) {
        return Ok(());
    }
    let meant = nearest(tenant.as_str(), tenants.iter().map(|t| t.id.as_str()));
    let help = meant.map_or_else(String::new, |meant| format!("\nhelp: did you mean `{meant}`?"));
    Err(Failure::invalid(format!("`{}` has no tenant `{tenant}`{help}", folder.display())))
}

fn read_back(text: &str) -> Result<(), Failure> {
    directory::api_keys(&Source::new("(the entry)", text)).map(drop).map_err(|d| Failure::diagnostics(&d))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's `hmac`: a sidecar must come to the same digest.
    #[test]
    fn the_digest_is_hmac_sha256_over_a_word_and_the_whole_key() {
        let secrets = Secrets::parse("1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
        let key = "pw1.5f2c09b1d3e47a86.ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(digest(secrets.current(), key)),
            "DAnmb-2VzG0bxsLZn7jDDpvx2EMEc5QPtUjidfbFJkk"
        );
    }
}
