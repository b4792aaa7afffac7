//! The benches: measures, prints a table, writes `target/bench/<name>.json`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use partywall_integration::bench::figures::Figures;
use partywall_integration::bench::{Effort, context, issuers, suspension};

const USAGE: &str = "usage: bench NAME [--rounds N] [--requests N]

  context     tokens per algorithm and way to check them, root contexts, many issuers, memory of remembered tokens
  suspension  from `partywall tenant suspend` to the first denial at both sidecars, under load

  --rounds N    how often each case is measured, in turn with the others; the median counts (default 30,
                suspensions 50)
  --requests N  requests of each case in each round (default 64; not for suspensions)

It prints a table and writes target/bench/NAME.json. It ends with 1 if a bound is not kept.

examples:
  bench context
  bench context --rounds 5 --requests 32     a quick look: the figures are rough
  bench context --rounds 100                 on a machine that others use, too";

fn main() -> ExitCode {
    match parse(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Some((name, effort))) => match run(name, effort) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("bench: {error:#}");
                ExitCode::FAILURE
            }
        },
        Err(why) => {
            eprintln!("bench: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Nothing where help is asked for.
fn parse(arguments: &[String]) -> Result<Option<(Bench, Effort)>, String> {
    let (mut rounds, mut requests) = (None, 64);
    let mut name = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || {
            let value = rest.next().and_then(|value| value.parse().ok()).filter(|n| *n > 0);
            value.ok_or_else(|| format!("`{argument}` needs a number from 1"))
        };
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--rounds" => rounds = Some(number()?),
            "--requests" => requests = number()?,
            "context" if name.is_none() => name = Some(Bench::Context),
            "suspension" if name.is_none() => name = Some(Bench::Suspension),
            other => return Err(format!("there is no bench and no option `{other}`")),
        }
    }
    let name = name.ok_or("which bench?")?;
    let usual = match name {
        Bench::Context => 30,
        Bench::Suspension => 50,
    };
    Ok(Some((name, Effort { rounds: rounds.unwrap_or(usual), requests })))
}

#[derive(Clone, Copy)]
enum Bench {
    Context,
    Suspension,
}

/// Whether every bound is kept.
fn run(bench: Bench, effort: Effort) -> Result<bool> {
    let began = Instant::now();
    let progress = |step: &str| println!("   {step}");
    let tell = |figures: &Figures, name: &str| -> Result<()> {
        println!("\n{}\n", figures.table());
        println!("{} in {:.0} s", figures.write(name)?.display(), began.elapsed().as_secs_f64());
        Ok(())
    };
    let kept = |kept: bool| if kept { "kept" } else { "NOT KEPT" };
    match bench {
        Bench::Context => {
            let (figures, worst): (Figures, f64) = context::run(effort, progress)?;
            tell(&figures, "context")?;
            let good = worst <= issuers::ALLOWED;
            println!(
                "More issuers cost at most {:.2} times the instructions of {} issuers; {:.2} are allowed: {}.",
                worst,
                issuers::SIZES[0],
                issuers::ALLOWED,
                kept(good)
            );
            Ok(good)
        }
        Bench::Suspension => {
            let (figures, good) = suspension::run(effort.rounds, progress)?;
            tell(&figures, "suspension")?;
            println!("First denial at both sidecars within 1500 ms, and nobody else denied: {}.", kept(good));
            Ok(good)
        }
    }
}
