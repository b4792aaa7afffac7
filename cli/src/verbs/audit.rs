//! `partywall audit`.

mod verify;

use clap::Subcommand;

use crate::exit::Outcome;

/// Verify the decision log
#[derive(clap::Args)]
#[command(after_help = "Examples:
  partywall audit verify edge.log edge.err --key keys/audit.keys
  zcat *.log.gz | partywall audit verify - --key keys/audit.keys --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Verify(verify::Args),
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Verify(args) => verify::run(args),
    }
}
