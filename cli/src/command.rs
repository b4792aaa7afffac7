//! The command line: which verbs there are.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::exit::{Exit, Outcome};
use crate::verbs;

/// One verified tenant or a denial, on every hop.
///
/// Checks, compiles, signs and serves a tenancy directory.
#[derive(Parser)]
#[command(name = "partywall", version, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const AFTER: &str = "\
Exit status: 0 fine, 1 findings or a denial, 2 usage, 3 invalid input.

The way from a directory to sidecars:
  partywall init tenancy
  partywall keys new keys --signer edge-1=edge --sidecar orders
  partywall check tenancy --keys keys
  partywall test tenancy
  partywall compile tenancy --keys keys --out served
  partywall serve served --overlay-key keys/overlay-1.key
  partywall tenant suspend globex --dir served";

#[derive(Subcommand)]
enum Verb {
    Init(verbs::init::Args),
    Import(verbs::import::Args),
    Check(verbs::check::Args),
    Test(verbs::test::Args),
    Explain(Box<verbs::explain::Args>),
    Export(verbs::export::Args),
    Compile(verbs::compile::Args),
    Approve(verbs::approve::Args),
    Audit(verbs::audit::Args),
    Promote(verbs::promote::Args),
    Rollback(verbs::rollback::Args),
    Grant(verbs::grant::Args),
    Keys(verbs::keys::Args),
    Lineage(verbs::lineage::Args),
    Serve(verbs::serve::Args),
    Tenant(verbs::tenant::Args),
    Revoke(verbs::revoke::Args),
    Inspect(verbs::inspect::Args),
    Decide(verbs::decide::Args),
    Diff(verbs::diff::Args),
    Replay(verbs::replay::Args),
    Review(verbs::review::Args),
    Status(verbs::status::Args),
    Who(verbs::who::Args),
    Prove(verbs::prove::Args),
    Consent(verbs::consent::Args),
    Redact(verbs::redact::Args),
    Reveal(verbs::reveal::Args),
    Render(verbs::render::Args),
    Completions(verbs::completions::Args),
    Schema(verbs::schema::Args),
}

/// The verbs, as the command line knows them, in their order.
pub fn verbs() -> Vec<String> {
    Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    // `parse` ends the process with status 2 for a command line that makes no sense, as it should.
    let outcome: Outcome = match Cli::parse().verb {
        Verb::Check(args) => verbs::check::run(&args),
        Verb::Compile(args) => verbs::compile::run(&args),
        Verb::Approve(args) => verbs::approve::run(&args),
        Verb::Audit(args) => verbs::audit::run(&args),
        Verb::Promote(args) => verbs::promote::run(&args),
        Verb::Rollback(args) => verbs::rollback::run(&args),
        Verb::Grant(args) => verbs::grant::run(&args),
        Verb::Keys(args) => verbs::keys::run(&args),
        Verb::Lineage(args) => verbs::lineage::run(&args),
        Verb::Serve(args) => verbs::serve::run(&args),
        Verb::Tenant(args) => verbs::tenant::run(&args),
        Verb::Revoke(args) => verbs::revoke::run(&args),
        Verb::Inspect(args) => verbs::inspect::run(&args),
        Verb::Decide(args) => verbs::decide::run(&args),
        Verb::Diff(args) => verbs::diff::run(&args),
        Verb::Replay(args) => verbs::replay::run(&args),
        Verb::Review(args) => verbs::review::run(&args),
        Verb::Status(args) => verbs::status::run(&args),
        Verb::Who(args) => verbs::who::run(&args),
        Verb::Prove(args) => verbs::prove::run(&args),
        Verb::Explain(args) => verbs::explain::run(&args),
        Verb::Export(args) => verbs::export::run(&args),
        Verb::Import(args) => verbs::import::run(&args),
        Verb::Redact(args) => verbs::redact::run(&args),
        Verb::Reveal(args) => verbs::reveal::run(&args),
        Verb::Render(args) => verbs::render::run(&args),
        Verb::Init(args) => verbs::init::run(&args),
        Verb::Consent(args) => verbs::consent::run(&args),
        Verb::Schema(args) => verbs::schema::run(&args),
        Verb::Test(args) => verbs::test::run(&args),
        Verb::Completions(args) => verbs::completions::run(&args, &mut Cli::command()),
    };
    let exit = outcome.unwrap_or_else(|failure| {
        if !failure.message.is_empty() {
            say_error(&failure.message);
        }
        failure.exit
    });
    exit.into()
}

fn say_error(message: &str) {
    // A diagnostic says itself what it is.
    let text = if message.contains(": error: ") { message.to_owned() } else { format!("error: {message}") };
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints to standard output; a reader that went away is no error of ours.
pub(crate) fn say(text: impl std::fmt::Display) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints to standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says what is missing before sidecars take what was signed in `folder`; nothing where nothing is.
pub(crate) fn note_missing(signatures: u8, folder: &Path) {
    if signatures > 0 {
        note(format_args!(
            "note: {signatures} more signature{} needed: `partywall approve {} --keys <folder of another approver>`",
            if signatures == 1 { " is" } else { "s are" },
            folder.display()
        ));
    }
}

/// Prints a value as JSON.
pub(crate) fn say_json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(crate::exit::Failure::invalid)?;
    say(text);
    Ok(Exit::Fine)
}
