//! The target that the modules are built for.

use std::path::Path;

use anyhow::{Context, Result};

use crate::step::{command, output, run, step};

/// Its name, as `rust-toolchain.toml` has it.
pub(crate) const WASM: &str = "wasm32-wasip1";

/// Adds it to the toolchain where it is not there yet. rustup does so by itself, unless `RUSTUP_AUTO_INSTALL=0`.
pub(crate) fn wasm() -> Result<()> {
    let libraries = output(command("rustc", &["--print", "target-libdir", "--target", WASM]))?;
    if Path::new(&libraries).is_dir() {
        return Ok(());
    }
    step("add the target wasm32-wasip1", || {
        run(command("rustup", &["target", "add", WASM]))
            .context("without rustup, install the standard library of Rust for wasm32-wasip1 by your system's means")
    })
}
