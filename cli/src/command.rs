//! The command line: which verbs there are.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::exit::{Exit, Outcome};
use crate::verbs::{
    approve, check, compile, completions, consent, decide, explain, grant, init, inspect, keys, prove, revoke, schema,
    serve, tenant, test,
};

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
  partywall keys new keys --signer edge-1=edge --sidecar orders
  partywall check tenancy --keys keys
  partywall compile tenancy --keys keys --out served
  partywall serve served --overlay-key keys/overlay-1.key
  partywall tenant suspend globex --dir served";

#[derive(Subcommand)]
enum Verb {
    Check(check::Args),
    Compile(compile::Args),
    Approve(approve::Args),
    Grant(grant::Args),
    Keys(keys::Args),
    Serve(serve::Args),
    Tenant(tenant::Args),
    Revoke(revoke::Args),
    Inspect(inspect::Args),
    Decide(decide::Args),
    Prove(prove::Args),
    Explain(explain::Args),
    Init(init::Args),
    Consent(consent::Args),
    Completions(completions::Args),
    Schema(schema::Args),
    Test(test::Args),
}

/// The verbs, as the command line knows them, in their order.
pub fn verbs() -> Vec<String> {
    Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    // `parse` ends the process with status 2 for a command line that makes no sense, as it should.
    let outcome: Outcome = match Cli::parse().verb {
        Verb::Check(args) => check::run(&args),
        Verb::Compile(args) => compile::run(&args),
        Verb::Approve(args) => approve::run(&args),
        Verb::Grant(args) => grant::run(&args),
        Verb::Keys(args) => keys::run(&args),
        Verb::Serve(args) => serve::run(&args),
        Verb::Tenant(args) => tenant::run(&args),
        Verb::Revoke(args) => revoke::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Decide(args) => decide::run(&args),
        Verb::Prove(args) => prove::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Init(args) => init::run(&args),
        Verb::Consent(args) => consent::run(&args),
        Verb::Completions(args) => completions::run(&args, &mut Cli::command()),
        Verb::Schema(args) => schema::run(&args),
        Verb::Test(args) => test::run(&args),
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

/// Prints a value as JSON.
pub(crate) fn say_json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(crate::exit::Failure::invalid)?;
    say(text);
    Ok(Exit::Fine)
}
