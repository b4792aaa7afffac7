//! Turns the tables in `src/kafka/table` into static arrays. A mistake in them is an error of the build that names file
//! and line.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a build script is a program")]

mod check;
mod read;
mod write;

#[allow(dead_code, unreachable_pub, reason = "the crate uses the rest")]
#[path = "../src/kafka/codec/mark.rs"]
mod mark;

use std::path::{Path, PathBuf};
use std::process::exit;
use std::{env, fs};

fn main() {
    let folder = Path::new("src/kafka/table");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=build");
    match generate(folder) {
        Ok(code) => {
            let out = env::var("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("layout.rs");
            if let Err(error) = fs::write(&out, code) {
                fail(&format!("cannot write {}: {error}", out.display()));
            }
        }
        Err(problem) => fail(&problem),
    }
}

fn generate(folder: &Path) -> Result<String, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let mut table = read::Table::default();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = format!("filters/event-scope/{}", file.display());
        read::read(&name, &text, &mut table)?;
    }
    Ok(write::write(&check::check(&table)?))
}

fn fail(problem: &str) -> ! {
    println!("cargo::error={problem}");
    exit(1);
}
