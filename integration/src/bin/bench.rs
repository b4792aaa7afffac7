//! The benches: measures, prints a table, writes `target/bench/<name>.json`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use partywall_integration::bench::{
    Effort, context, guard, issuers, kafka, limits, policy, redaction, scale, suspension,
};

const USAGE: &str = "usage: bench NAME [--rounds N] [--requests N]

  context     tokens per algorithm and way to check them, root contexts, many issuers, memory of remembered tokens
  policy      decisions with 20 to 5,000 policies, by the program and by Cedar's interpreter
  scale       10, 1,000 and 100,000 tenants: bundle, memory, load, and requests while a bundle comes into force
  limits      one tenant at ten times its limit, and what another tenant notices of it
  suspension  from `partywall tenant suspend` to the first denial at both sidecars, under load
  guard       bodies of 1 KB, 64 KB and 5 MB, guarded and not: latency, MB/s, memory
  kafka       Produce and Fetch through a proxy, ours and others: CPU, latency, memory
  redaction   detection alone, and bodies of 1 MB of each carrier, with and without gzip: MB/s of one worker

  --rounds N    how often each case is measured, in turn with the others; the median counts (default 30,
                suspensions 50, reloads of each size and limits 10)
  --requests N  requests of each case in each round (default 64); policy measures 30 ms instead,
                scale, suspension, guard, kafka, redaction and limits have numbers of their own

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
fn parse(arguments: &[String]) -> Result<Option<(&'static str, Effort)>, String> {
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
            "context" if name.is_none() => name = Some("context"),
            "policy" if name.is_none() => name = Some("policy"),
            "scale" if name.is_none() => name = Some("scale"),
            "guard" if name.is_none() => name = Some("guard"),
            "kafka" if name.is_none() => name = Some("kafka"),
            "limits" if name.is_none() => name = Some("limits"),
            "redaction" if name.is_none() => name = Some("redaction"),
            "suspension" if name.is_none() => name = Some("suspension"),
            other => return Err(format!("there is no bench and no option `{other}`")),
        }
    }
    let name = name.ok_or("which bench?")?;
    let rounds = rounds.unwrap_or(match name {
        "suspension" => 50,
        "scale" | "limits" => 10,
        _ => 30,
    });
    Ok(Some((name, Effort { rounds, requests })))
}

/// Whether every bound is kept.
fn run(name: &str, effort: Effort) -> Result<bool> {
    let began = Instant::now();
    let progress = |step: &str| println!("   {step}");
    let (figures, bounds) = match name {
        "policy" => policy::run(effort, progress)?,
        "scale" => scale::run(effort.rounds, progress)?,
        "guard" => guard::run(effort.rounds, progress)?,
        "kafka" => kafka::run(effort.rounds, progress)?,
        "limits" => limits::run(effort.rounds, progress)?,
        "redaction" => redaction::run(effort.rounds, progress)?,
        "suspension" => suspension::run(effort.rounds, progress)?,
        _ => {
            let (figures, worst) = context::run(effort, progress)?;
            (figures, vec![issuers::bound(worst)])
        }
    };
    println!("\n{}\n", figures.table());
    println!("{} in {:.0} s", figures.write(name)?.display(), began.elapsed().as_secs_f64());
    for bound in &bounds {
        println!("{}: {}.", bound.what, if bound.kept { "kept" } else { "NOT KEPT" });
    }
    Ok(bounds.iter().all(|bound| bound.kept))
}
