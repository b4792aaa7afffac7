//! The tasks of the project. `cargo xtask` lists them.

mod artefacts;
mod bench;
mod coverage;
mod debian;
mod demo;
mod differential;
mod example;
mod fuzz;
mod house;
mod kafka;
mod leaks;
mod limits_global;
mod mutants;
mod openapi;
mod pinned;
mod python;
mod setup;
mod step;
mod suite;
mod target;
mod test;
mod tools;

use std::process::ExitCode;

/// Name, what it does, and the function that does it with the arguments that follow the name.
type Task = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<ExitCode>);

const TASKS: &[Task] = &[
    ("setup", "check what the system has and fetch the pinned tools into target/tools", setup::run),
    ("demo", "one request through two real sidecars; --keep leaves it running, --stages splits the filter", demo::run),
    (
        "example",
        "what users ask for, answered by a real Envoy; lists the examples, or runs the one named",
        example::run,
    ),
    ("test", "format, lints, licences, unit tests, cases, compose file, and the module in a real Envoy", test::run),
    ("coverage", "which branches the cases take, and whether two take the same", coverage::run),
    ("differential", "1,000,000 comparisons of the decision program with Cedar's interpreter", differential::run),
    ("fuzz", "make up what peers send, ten minutes for each kind; needs cargo-fuzz", fuzz::run),
    ("mutants", "makes the evaluator and the lowering wrong, line by line; the tests must notice", mutants::run),
    ("limits-global", "limits over all Envoys together, by Envoy's rate limit service and a Redis", limits_global::run),
    ("leaks", "a million records of eight tenants at one broker, and no mark of another in what each gets", leaks::run),
    ("openapi", "a public API of 108 operations, imported from its description and enforced in Envoy", openapi::run),
    ("bench", "what things cost, by name; without one lists the benches", bench::run),
    ("build", "build partywall.wasm and the command line into target/", artefacts::run),
];

fn main() -> ExitCode {
    if coverage::is_wrapper() {
        return ended(coverage::as_wrapper());
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        list();
        return ExitCode::SUCCESS;
    };
    let Some((_, _, task)) = TASKS.iter().find(|(task, ..)| task == name) else {
        eprintln!("error: there is no task `{name}`\n");
        list();
        return ExitCode::from(2);
    };
    ended(task(rest))
}

fn ended(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    println!("Usage: cargo xtask TASK\n");
    for (name, what, _) in TASKS {
        println!("  {name:<14}{what}");
    }
}
