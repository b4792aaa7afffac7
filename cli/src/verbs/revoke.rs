//! `partywall revoke`.

use std::path::PathBuf;

use clap::Subcommand;
use partywall_tenancy::{BundleBody, KeySource, RevokedKey, RevokedSubject, RevokedToken};

use crate::command::say;
use crate::directory::is_api_key_id;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay::{self, Served};

/// Revoke a token, a subject, an issuer, an API key or a signing key, at once
///
/// Changes DIR/overlay.yaml; `partywall serve DIR` signs it within 100 ms. To take a revocation
/// back, edit that file.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall revoke token --issuer https://id.acme.example --jti 8c1f --dir served
  partywall revoke subject --issuer https://id.acme.example --subject mallory --dir served
  partywall revoke key --issuer https://id.acme.example --kid acme-rs-1 --dir served
  partywall revoke issuer https://id.acme.example --dir served
  partywall revoke api-key 5f2c09b1d3e47a86 --dir served
  partywall revoke signer edge-1 --dir served"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A JWT no longer proves anything (`credential_revoked`)
    #[command(
        after_help = "Example:\n  partywall revoke token --issuer https://id.acme.example --jti 8c1f --dir served"
    )]
    Token(Token),
    /// No JWT of one subject proves anything (`credential_revoked`)
    #[command(
        after_help = "Example:\n  partywall revoke subject --issuer https://id.acme.example --subject mallory --dir served"
    )]
    Subject(Subject),
    /// No JWT signed with one key of an issuer proves anything (`credential_revoked`)
    #[command(
        after_help = "Example:\n  partywall revoke key --issuer https://id.acme.example --kid acme-rs-1 --dir served"
    )]
    Key(Key),
    /// No JWT of an issuer proves anything (`credential_revoked`)
    #[command(after_help = "Example:\n  partywall revoke issuer https://id.acme.example --dir served")]
    Issuer(Issuer),
    /// An API key no longer proves anything (`credential_revoked`)
    #[command(after_help = "Example:\n  partywall revoke api-key 5f2c09b1d3e47a86 --dir served")]
    ApiKey(ApiKey),
    /// A key no longer signs root contexts for anybody
    #[command(after_help = "Example:\n  partywall revoke signer edge-1 --dir served")]
    Signer(Signer),
}

#[derive(clap::Args)]
struct Token {
    /// Its `iss`
    #[arg(long)]
    issuer: String,
    /// Its `jti`
    #[arg(long)]
    jti: String,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

#[derive(clap::Args)]
struct Subject {
    /// The `iss` of its tokens
    #[arg(long)]
    issuer: String,
    /// Their `sub`
    #[arg(long)]
    subject: String,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

#[derive(clap::Args)]
struct Key {
    /// The issuer whose key it is
    #[arg(long)]
    issuer: String,
    /// Its `kid`
    #[arg(long)]
    kid: String,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

#[derive(clap::Args)]
struct Issuer {
    /// Its `iss`
    issuer: String,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

#[derive(clap::Args)]
struct ApiKey {
    /// Its id: the part between the two dots. The key itself has no place on a command line
    id: String,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

#[derive(clap::Args)]
struct Signer {
    /// The id of its key
    id: String,
    /// The folder that `partywall serve` serves
    #[arg(long)]
    dir: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let said = match &args.what {
        What::Token(token) => revoke_token(token),
        What::Subject(subject) => revoke_subject(subject),
        What::Key(key) => revoke_key(key),
        What::Issuer(issuer) => revoke_issuer(issuer),
        What::ApiKey(key) => revoke_api_key(key),
        What::Signer(signer) => revoke_signer(signer),
    }?;
    say(said);
    Ok(Exit::Fine)
}

fn revoke_token(args: &Token) -> Result<String, Failure> {
    if args.jti.is_empty() {
        return Err(Failure::usage(
            "--jti is empty; a token without a `jti` cannot be revoked, but its tenant can be suspended",
        ));
    }
    let token = RevokedToken { issuer: args.issuer.clone(), id: args.jti.clone() };
    overlay::edit(&args.dir, |withdrawn, served| {
        known_issuer(&args.issuer, served)?;
        let said = format!("token `{}` of {} is revoked", token.id, token.issuer);
        add(&mut withdrawn.revoked_tokens, token);
        Ok(said)
    })
}

fn revoke_subject(args: &Subject) -> Result<String, Failure> {
    if args.subject.is_empty() {
        return Err(Failure::usage(
            "--subject is empty; to revoke every token of an issuer, use `partywall revoke issuer`",
        ));
    }
    let subject = RevokedSubject { issuer: args.issuer.clone(), subject: args.subject.clone() };
    overlay::edit(&args.dir, |withdrawn, served| {
        known_issuer(&args.issuer, served)?;
        let said = format!("subject `{}` of {} is revoked", subject.subject, subject.issuer);
        add(&mut withdrawn.revoked_subjects, subject);
        Ok(said)
    })
}

fn revoke_key(args: &Key) -> Result<String, Failure> {
    if args.kid.is_empty() {
        return Err(Failure::usage("--kid is empty; to revoke every key of an issuer, use `partywall revoke issuer`"));
    }
    let key = RevokedKey { issuer: args.issuer.clone(), id: args.kid.clone() };
    overlay::edit(&args.dir, |withdrawn, served| {
        known_issuer(&args.issuer, served)?;
        if let Some((bundle, keys)) = served.bundle.as_ref().and_then(|b| Some((b, keys_of(b, &args.issuer)?))) {
            known("key", &args.kid, keys.iter().map(String::as_str), bundle.revision)?;
        }
        let said = format!("key `{}` of {} is revoked", key.id, key.issuer);
        add(&mut withdrawn.revoked_keys, key);
        Ok(said)
    })
}

/// The ids of an issuer's keys; `None` where sidecars fetch them, so that any id may be one.
fn keys_of(bundle: &BundleBody, issuer: &str) -> Option<Vec<String>> {
    match &bundle.issuers.iter().find(|i| i.issuer == issuer)?.keys {
        KeySource::Inline(keys) => Some(keys.iter().map(|key| key.id.clone()).collect()),
        KeySource::Fetched { .. } => None,
    }
}

fn revoke_issuer(args: &Issuer) -> Result<String, Failure> {
    overlay::edit(&args.dir, |withdrawn, served| {
        known_issuer(&args.issuer, served)?;
        add(&mut withdrawn.revoked_issuers, args.issuer.clone());
        Ok(format!("issuer {} is revoked", args.issuer))
    })
}

fn revoke_api_key(args: &ApiKey) -> Result<String, Failure> {
    if !is_api_key_id(&args.id) {
        // Not printed: it may be a whole key.
        return Err(Failure::usage("the id of an API key is 16 of `0-9 a-f`, the part between the two dots"));
    }
    overlay::edit(&args.dir, |withdrawn, served| {
        if let Some(bundle) = &served.bundle {
            known("API key", &args.id, bundle.api_keys.iter().map(|k| k.id.as_str()), bundle.revision)?;
        }
        add(&mut withdrawn.revoked_api_keys, args.id.clone());
        Ok(format!("API key `{}` is revoked", args.id))
    })
}

fn revoke_signer(args: &Signer) -> Result<String, Failure> {
    overlay::edit(&args.dir, |withdrawn, served| {
        if let Some(bundle) = &served.bundle {
            known("signer", &args.id, bundle.signers.iter().map(|s| s.id.as_str()), bundle.revision)?;
        }
        add(&mut withdrawn.revoked_signers, args.id.clone());
        Ok(format!("signer `{}` is revoked", args.id))
    })
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

fn known_issuer(issuer: &str, served: &Served) -> Result<(), Failure> {
    let Some(bundle) = &served.bundle else { return Ok(()) };
    known("issuer", issuer, bundle.issuers.iter().map(|i| i.issuer.as_str()), bundle.revision)
}

/// A mistyped name would be a revocation that never happens.
fn known<'k>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    revision: u64,
) -> Result<(), Failure> {
    if known.clone().any(|k| k == name) {
        return Ok(());
    }
    let help = nearest(name, known).map_or_else(String::new, |meant| format!("\nhelp: did you mean `{meant}`?"));
    Err(Failure::invalid(format!("the bundle, revision {revision}, has no {what} `{name}`{help}")))
}
