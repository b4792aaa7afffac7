//! `cargo xtask fuzz`: makes up what peers send, until something breaks or the time is over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::step::{cargo, root, run as run_command, step};

const MINUTES: u64 = 10;
/// The longest input, in bytes.
const LONGEST: &str = "-max_len=4096";
/// How often a line of progress is printed.
const TELL_EACH: Duration = Duration::from_secs(30);

/// `cargo xtask fuzz [TARGET] [--minutes N]`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let folder = root().join("fuzz");
    let known = targets(&folder)?;
    let asked = match Asked::read(arguments, &known) {
        Ok(asked) => asked,
        Err(problem) => {
            if let Some(problem) = &problem {
                eprintln!("error: {problem}\n");
            }
            help(&known);
            return Ok(if problem.is_some() { ExitCode::from(2) } else { ExitCode::SUCCESS });
        }
    };
    if !is_there() {
        bail!("cargo-fuzz is not installed: `cargo install cargo-fuzz`; it needs a C++ compiler, and no nightly Rust");
    }
    step("build the fuzz targets", || {
        let mut build = cargo(&["fuzz", "build", "--sanitizer", "none"]);
        build.current_dir(&folder);
        run_command(build)
    })?;
    let mut ended = Vec::new();
    for target in &asked.targets {
        let what = format!("{target}, {} min", asked.minutes);
        ended.push(step(&what, || fuzz(&folder, target, Duration::from_secs(asked.minutes * 60)))?);
    }
    print(&ended);
    Ok(if ended.iter().all(|one| one.broke.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    targets: Vec<String>,
    minutes: u64,
}

impl Asked {
    /// All targets for ten minutes each unless told otherwise. `Err(None)` where help was asked for.
    fn read(arguments: &[String], known: &[String]) -> Result<Self, Option<String>> {
        let mut asked = Self { targets: Vec::new(), minutes: MINUTES };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--help" | "-h" => return Err(None),
                "--minutes" => {
                    let number = rest.next().and_then(|n| n.parse().ok()).filter(|n| (1..=1440).contains(n));
                    asked.minutes = number.ok_or("`--minutes` wants a whole number from 1 to 1440".to_owned())?;
                }
                name if known.iter().any(|target| target == name) => asked.targets.push(name.into()),
                name => return Err(Some(format!("there is no fuzz target `{name}`"))),
            }
        }
        if asked.targets.is_empty() {
            asked.targets = known.to_vec();
        }
        Ok(asked)
    }
}

fn help(known: &[String]) {
    println!("Usage: cargo xtask fuzz [TARGET…] [--minutes N]\n");
    println!("Targets: {}; all of them, for {MINUTES} minutes each, unless told otherwise.", known.join(", "));
    println!(
        "\nBegins with fuzz/corpus and what former runs found, which is kept in target/fuzz. An input that breaks"
    );
    println!("something ends its target's run, and the task with status 1. Mend it, put the input into fuzz/corpus,");
    println!("and the tests called `fuzz_replay`, of the crates whose target it is, replay it from then on.");
    println!("\n  cargo xtask fuzz san --minutes 2");
}

fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("fuzz_targets"))? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn is_there() -> bool {
    let mut version = cargo(&["fuzz", "--version"]);
    version.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// How the run of one target ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ended {
    target: String,
    executed: String,
    per_second: String,
    found: String,
    /// What broke it, and where its log is.
    broke: Option<String>,
}

fn fuzz(folder: &Path, target: &str, time: Duration) -> Result<Ended> {
    let kept = root().join("target/fuzz");
    let (corpus, log) = (kept.join("corpus").join(target), kept.join(format!("{target}.log")));
    fs::create_dir_all(&corpus)?;
    let seeds = folder.join("corpus").join(target);
    let mut command = cargo(&["fuzz", "run", "--sanitizer", "none", target]);
    // What is found goes into the first folder, so that the tree stays as it was.
    command.arg(&corpus).arg(&seeds).arg("--").arg(format!("-max_total_time={}", time.as_secs()));
    command.args([LONGEST, "-print_final_stats=1"]).current_dir(folder);
    let status = watch(command, &log)?;
    let told = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let broke = (!status).then(|| format!("{}; log: {}", what_broke(&told), log.display()));
    Ok(Ended { broke, ..Ended::read(target, &told) })
}

/// Runs it with its output in a file, and prints from time to time how far it is. Says whether it ended well.
fn watch(mut command: Command, log: &PathBuf) -> Result<bool> {
    let output = fs::File::create(log)?;
    command.stdout(Stdio::null()).stderr(output);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let mut told = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if told.elapsed() >= TELL_EACH {
            told = Instant::now();
            let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
            println!("   {}", text.lines().rev().find(|line| line.starts_with('#')).unwrap_or("starting"));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

impl Ended {
    /// Reads what libFuzzer printed at the end.
    fn read(target: &str, log: &str) -> Self {
        let stat = |name: &str| {
            let line = log.lines().rev().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            line.map_or_else(|| "?".into(), |rest| rest.trim_start_matches(':').trim().to_owned())
        };
        Self {
            target: target.into(),
            executed: stat("number_of_executed_units"),
            per_second: stat("average_exec_per_sec"),
            found: stat("new_units_added"),
            broke: None,
        }
    }
}

/// The input that broke it, or else the last line that says an error.
fn what_broke(log: &str) -> String {
    let written = log.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, file)| file.trim()));
    let error = || log.lines().rev().find(|line| line.contains("rror")).map(str::trim);
    written.or_else(error).unwrap_or("it ended with an error").to_owned()
}

fn print(ended: &[Ended]) {
    println!("\n{:<12}{:>12}{:>10}{:>12}  broken by", "target", "executed", "per s", "new inputs");
    for one in ended {
        let broke = one.broke.as_deref().unwrap_or("nothing");
        println!("{:<12}{:>12}{:>10}{:>12}  {broke}", one.target, one.executed, one.per_second, one.found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Asked, Option<String>> {
        let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Asked::read(&strings(arguments), &strings(&["path", "san"]))
    }

    #[test]
    fn all_targets_or_those_that_are_named() {
        assert_eq!(asked(&[]).unwrap(), Asked { targets: vec!["path".into(), "san".into()], minutes: 10 });
        assert_eq!(asked(&["san", "--minutes", "2"]).unwrap(), Asked { targets: vec!["san".into()], minutes: 2 });
        assert_eq!(asked(&["--help"]), Err(None));
        for wrong in [["sun"].as_slice(), &["--minutes"], &["--minutes", "0"], &["--minutes", "x"], &["--seconds"]] {
            assert!(matches!(asked(wrong), Err(Some(_))), "{wrong:?}");
        }
    }

    #[test]
    fn the_end_of_a_run_is_read_as_libfuzzer_prints_it() {
        let log = "#2\tINITED\nDone 12 runs in 1 second(s)\nstat::number_of_executed_units: 12\n\
                   stat::average_exec_per_sec:     6\nstat::new_units_added:          3\n";
        let ended = Ended::read("san", log);
        assert_eq!((&*ended.executed, &*ended.per_second, &*ended.found), ("12", "6", "3"));
        let crash = "artifact_prefix='a/'; Test unit written to a/crash-12\nBase64: AA==\nError: Fuzz target exited";
        assert_eq!(what_broke(crash), "a/crash-12");
        assert_eq!(what_broke("error: could not compile"), "error: could not compile");
        assert_eq!(Ended::read("san", crash).executed, "?");
    }
}
