//! `cargo xtask differential`: the decision program against Cedar's interpreter, on made-up material.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::step::{cargo, step};

const COMPARISONS: u64 = 1_000_000;

const HELP: &str = "Usage: cargo xtask differential [--comparisons N] [--seed N]

Makes up policies, entities and requests over all of Cedar, and asks the decision program and cedar-policy: decision,
deciding policies and errors must be the same. Without a seed each run is another one; the seed is printed. It ends with
1 where they differ, and prints the least material that shows it, in the formats of `partywall decide`.

  --comparisons N  how many, in parts of 1,000 (default 1,000,000)
  --seed N         where to begin: part n has the seed N + n

  cargo xtask differential
  cargo xtask differential --comparisons 1000 --seed 42";

/// Runs it on all processors.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let (mut comparisons, mut seed) = (COMPARISONS, u64::try_from(clock)?);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let into = match argument.as_str() {
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            "--comparisons" => &mut comparisons,
            "--seed" => &mut seed,
            other => return Ok(usage(&format!("there is no option `{other}`"))),
        };
        match rest.next().and_then(|number| number.parse().ok()) {
            Some(number) => *into = number,
            None => return Ok(usage(&format!("`{argument}` wants a whole number"))),
        }
    }
    let test = |arguments: &[&str]| {
        let mut test = cargo(&["test", "--locked", "--release", "--package", "partywall-cli", "--test", "cedar"]);
        test.args(arguments);
        test
    };
    step("build program and interpreter, optimised", || crate::step::run(test(&["--no-run"])))?;
    let what = format!("{comparisons} comparisons, seed {seed}");
    let status = step(&what, || {
        let mut test = test(&["--quiet", "--", "--nocapture"]);
        test.env("PARTYWALL_COMPARISONS", comparisons.to_string()).env("PARTYWALL_SEED", seed.to_string());
        Ok(test.status()?)
    })?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("error: {problem}\n\n{HELP}");
    ExitCode::from(2)
}
