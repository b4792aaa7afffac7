//! `partywall audit`.

mod grants;
mod prune;
mod verify;

use clap::Subcommand;

use crate::exit::Outcome;

/// Verify, prune and read the decision log
#[derive(clap::Args)]
#[command(after_help = "Examples:
  partywall audit verify edge.log edge.err --key keys/audit.keys
  partywall audit grants edge.log orders.log
  partywall audit prune orders.log --keep denials=1y,allows=7d --key keys/audit.keys --out kept.log
  zcat *.log.gz | partywall audit verify - --key keys/audit.keys --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Verify(verify::Args),
    Grants(grants::Args),
    Prune(prune::Args),
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Verify(args) => verify::run(args),
        What::Grants(args) => grants::run(args),
        What::Prune(args) => prune::run(args),
    }
}
