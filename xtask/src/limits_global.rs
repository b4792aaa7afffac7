//! `cargo xtask limits-global`: limits over all Envoys together, by Envoy's own rate limit service and a real Redis. No
//! part of
//! `cargo xtask test`: neither comes with a package index that every machine of a developer has.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::step::{cargo, run as run_command};
use crate::{artefacts, tools};

/// Builds what is needed and plays `integration/src/bin/limits-global.rs`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.first() {
        bail!("`{argument}`: this task takes no arguments; REDIS_SERVER names a redis-server that is not in PATH");
    }
    let redis = redis()?;
    let (envoy, service) = (tools::envoy()?, tools::ratelimit()?);
    let built = artefacts::build()?;
    let mut test =
        cargo(&["run", "--locked", "--quiet", "--package", "partywall-integration", "--bin", "limits-global"]);
    test.env("ENVOY", envoy).env("PARTYWALL", built.cli).env("PARTYWALL_MODULE", built.module);
    test.env("REDIS_SERVER", redis).env("RATELIMIT", service);
    run_command(test)?;
    Ok(ExitCode::SUCCESS)
}

fn redis() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("REDIS_SERVER") {
        return Ok(given.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|file| Path::exists(file));
    found.context(
        "no redis-server in PATH: install the package `redis-server` of your system, or name one in REDIS_SERVER",
    )
}
