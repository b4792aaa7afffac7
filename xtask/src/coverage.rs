//! `cargo xtask coverage`: which branches the cases take.
//!
//! Branches are the counters that rustc's own instrumentation puts into the crate under test, and into no
//! other. Each case is run in a process of its own, whose counters are read from the file it leaves behind.

mod instrument;
mod profile;
mod report;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::step::{root, step};
use report::{Measured, Report};

pub(crate) use instrument::{as_wrapper, is_wrapper};

/// The crate whose branches count, where its cases are, and the program that runs one of them.
struct Subject {
    name: &'static str,
    package: &'static str,
    krate: &'static str,
    example: &'static str,
    cases: &'static str,
}

const SUBJECTS: &[Subject] = &[Subject {
    name: "context",
    package: "partywall-tenant-context",
    krate: "partywall_tenant_context",
    example: "case",
    cases: "filters/tenant-context/cases",
}];

/// `cargo xtask coverage NAME`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let [name] = arguments else {
        println!("Usage: cargo xtask coverage NAME\n");
        for subject in SUBJECTS {
            println!("  {:<9}which branches of {} each case of {} takes", subject.name, subject.package, subject.cases);
        }
        println!("\nTwo cases of a folder that take the same branches are a failure. A table is printed, and");
        println!("target/coverage/NAME.json written: folders, cases with the number of their branches, pairs.");
        return Ok(if arguments.is_empty() || arguments == ["--help"] { ExitCode::SUCCESS } else { ExitCode::from(2) });
    };
    let Some(subject) = SUBJECTS.iter().find(|subject| subject.name == name) else {
        let known: Vec<_> = SUBJECTS.iter().map(|subject| subject.name).collect();
        bail!("there is no coverage of `{name}`, but of: {}", known.join(", "));
    };
    let folder = root().join("target/coverage");
    let program = step(&format!("build {} with counters", subject.package), || {
        instrument::build(subject.package, subject.krate, subject.example, &folder.join("build"))
    })?;
    let cases = cases(&root().join(subject.cases))?;
    let measured =
        step(&format!("run {} cases", cases.len()), || measure(&program, &cases, &folder.join(subject.name)))?;
    let report = Report::of(measured);
    report.print(subject.package);
    let written = folder.join(format!("{}.json", subject.name));
    fs::write(&written, serde_json::to_string_pretty(&report.to_json())? + "\n")?;
    println!("\n{}", written.display());
    Ok(if report.same.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every case as `folder/name`.
fn cases(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let inner = entry?.path();
        if !inner.is_dir() {
            continue;
        }
        for file in fs::read_dir(&inner)? {
            let file = file?.path();
            let name = file.strip_prefix(folder)?.with_extension("");
            names.push(name.to_str().context("a case is not named in UTF-8")?.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Runs each case once, as many at a time as there are processors.
fn measure(program: &Path, cases: &[String], folder: &Path) -> Result<Vec<Measured>> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let (open, done) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        loop {
            let next = open.lock().expect("nobody panics with it").next();
            let Some(case) = next else { return Ok(()) };
            let one = Measured { case: case.clone(), ..branches_of(program, case, folder)? };
            let mut done = done.lock().expect("nobody panics with it");
            done.push(one);
            if done.len() % 100 == 0 {
                println!("   {} of {}", done.len(), cases.len());
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..thread::available_parallelism().map_or(1, Into::into)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker gives its errors back"))
    })?;
    let mut measured = done.into_inner().expect("all workers are done");
    measured.sort_by(|a, b| a.case.cmp(&b.case));
    Ok(measured)
}

fn branches_of(program: &Path, case: &str, folder: &Path) -> Result<Measured> {
    let file: PathBuf = folder.join(format!("{}.profraw", case.replace('/', ".")));
    let mut command = Command::new(program);
    let status = command.arg(case).env("LLVM_PROFILE_FILE", &file).stdout(Stdio::null()).status()?;
    if !status.success() {
        bail!(
            "the case {case} ended with {status}: `cargo test --package partywall-tenant-context --test cases` says why"
        );
    }
    let bytes = fs::read(&file).with_context(|| format!("the case {case} left no counters at {}", file.display()))?;
    let counters = profile::counters(&bytes).with_context(|| file.display().to_string())?;
    let branches: BTreeSet<usize> = counters.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, _)| at).collect();
    Ok(Measured { case: case.to_owned(), branches, of: counters.len() })
}
