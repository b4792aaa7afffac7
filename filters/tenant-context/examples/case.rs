//! Runs one case and says how it ended: `cargo run -p partywall-tenant-context --example case -- certificate/uri`.
//!
//! `cargo xtask coverage context` runs each of them so, to see which branches it takes.
#![allow(missing_docs, dead_code, reason = "the parts are those of the test")]
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a case is a file, and its end is printed")]

#[path = "../tests/cases/case.rs"]
mod case;
#[path = "../tests/cases/jws.rs"]
mod jws;
#[path = "../tests/cases/keys.rs"]
mod keys;
#[path = "../tests/cases/mesh.rs"]
mod mesh;
#[path = "../tests/cases/waiting.rs"]
mod waiting;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use case::Case;

/// The clock of all cases.
const NOW: u64 = 1_800_000_000;

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("error: name a case of filters/tenant-context/cases, as `certificate/uri`");
        return ExitCode::from(2);
    };
    match run(&name) {
        Ok(differences) if differences.is_empty() => ExitCode::SUCCESS,
        Ok(differences) => {
            eprintln!("{}", differences.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {name}: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the case itself, without what it lists as `also`; gives what is not as it says.
fn run(name: &str) -> Result<Vec<String>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let read = |name: &str| fs::read_to_string(folder.join(format!("{name}.yaml"))).map_err(|e| e.to_string());
    let case = Case::read(&read(name)?)?.into_iter().next().ok_or("it is empty")?;
    let outcome = case.run(&read("mesh")?)?;
    println!("{}", outcome.signature().join(": "));
    Ok(case.differences(&outcome))
}
