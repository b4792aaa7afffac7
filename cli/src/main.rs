//! The `partywall` command; everything it does lies in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    partywall_cli::command::run()
}
