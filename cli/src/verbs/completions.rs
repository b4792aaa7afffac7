//! `partywall completions`.

use std::io::{self, Write};

use clap_complete::Shell;

use crate::exit::{Exit, Failure, Outcome};

/// Write what a shell needs to complete the command line
#[derive(clap::Args)]
#[command(after_help = "Examples:
  partywall completions bash > /etc/bash_completion.d/partywall
  partywall completions zsh > \"${fpath[1]}/_partywall\"
  partywall completions fish > ~/.config/fish/completions/partywall.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, command: &mut clap::Command) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "partywall", &mut script);
    match io::stdout().write_all(&script) {
        // A reader that went away is no error of ours.
        Ok(()) => Ok(Exit::Fine),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Fine),
        Err(error) => Err(Failure::invalid(error)),
    }
}
