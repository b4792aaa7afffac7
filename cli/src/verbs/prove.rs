//! `partywall prove`.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::{note, say, say_json};
use crate::directory::parse_duration;
use crate::exit::{Exit, Outcome};
use crate::prove::{Side, Solver, Task, prove, write};

/// Prove that the policies of a directory keep tenants apart
///
/// Of each action on each type of resource, and for every tenant, user, role and resource that there can be: no
/// resource of another tenant is permitted, and no suspended or quarantined tenant is permitted anything. First of the
/// policies alone, then with what sidecars hold by themselves. What is not so is shown with a request.
/// Exit status: 0 proved of the policies alone, 1 a counterexample or no answer in time, 3 invalid input.
/// See docs/proving.md for what is assumed.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall prove envoy-config/tenancy
  partywall prove tenancy --against ../released/tenancy               the same is permitted as there
  partywall prove tenancy --against ../released/tenancy --narrower    nothing more is
  partywall prove tenancy --counterexample found                      and write files for `partywall decide`"
)]
pub(crate) struct Args {
    /// The tenancy directory
    dir: PathBuf,
    /// Also compare with this directory: the same must be permitted
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// Less may be permitted than there
    #[arg(long, requires = "against")]
    narrower: bool,
    /// The cvc5 to use; by default what the environment variable CVC5 names, else `cvc5`
    #[arg(long, value_name = "PATH")]
    cvc5: Option<PathBuf>,
    /// How long the solver may think about one question, as `30s` or `5m`
    #[arg(long, default_value = "60s", value_parser = limit)]
    timeout: Duration,
    /// Write each counterexample into this folder, as files for `partywall decide`
    #[arg(long, value_name = "FOLDER")]
    counterexample: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn limit(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => Err("write it as `30s` or `5m`".into()),
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let new = Side::read(&args.dir)?;
    let old = args.against.as_deref().map(Side::read).transpose()?;
    let solver = Solver::find(args.cvc5.as_deref(), args.timeout)?;
    let task = Task { new: &new, old: old.as_ref(), solver: &solver };
    let report = prove(&task, &|done, all, kind| {
        note(format_args!("{done} of {all}: {} on {}", kind.action, kind.resource));
    })?;
    let commands = match &args.counterexample {
        Some(folder) => write(&task, &report, folder)?,
        None => Vec::new(),
    };
    if args.json {
        say_json(&report.json(&task, args.narrower))?;
    } else {
        say(report.shown(&task, args.narrower));
        commands.iter().for_each(say);
    }
    Ok(if report.proved(args.narrower) { Exit::Fine } else { Exit::Findings })
}
