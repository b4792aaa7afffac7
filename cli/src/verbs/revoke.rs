//! `partywall revoke`.

use std::path::PathBuf;

use clap::Subcommand;
use partywall_tenancy::RevokedToken;

use crate::command::say;
use crate::exit::{Exit, Failure, Outcome};
use crate::nearest::nearest;
use crate::overlay;

/// Revoke a token, or a key that signs root contexts, at once
///
/// Changes DIR/overlay.yaml; `partywall serve DIR` signs it within 100 ms. To take a revocation
/// back, edit that file.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall revoke token --issuer https://id.acme.example --jti 8c1f --dir served
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
        if let Some(bundle) = &served.bundle {
            known("issuer", &args.issuer, bundle.issuers.iter().map(|i| i.issuer.as_str()), bundle.revision)?;
        }
        let said = format!("token `{}` of {} is revoked", token.id, token.issuer);
        if !withdrawn.revoked_tokens.contains(&token) {
            withdrawn.revoked_tokens.push(token);
        }
        Ok(said)
    })
}

fn revoke_signer(args: &Signer) -> Result<String, Failure> {
    overlay::edit(&args.dir, |withdrawn, served| {
        if let Some(bundle) = &served.bundle {
            known("signer", &args.id, bundle.signers.iter().map(|s| s.id.as_str()), bundle.revision)?;
        }
        if !withdrawn.revoked_signers.contains(&args.id) {
            withdrawn.revoked_signers.push(args.id.clone());
        }
        Ok(format!("signer `{}` is revoked", args.id))
    })
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
