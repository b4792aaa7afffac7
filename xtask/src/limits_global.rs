//! `cargo xtask limits-global`: limits over all Envoys together, by Envoy's own rate limit service and a real Redis. No
//! part of `cargo xtask test`: the service is long to build.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::pinned::REDIS;
use crate::step::{cargo, run as run_command};
use crate::{artefacts, debian, tools};

/// Builds what is needed and plays `integration/src/bin/limits-global.rs`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.first() {
        bail!("`{argument}`: this task takes no arguments");
    }
    let redis = debian::fetch(&REDIS)?;
    let (envoy, service) = (tools::envoy()?, tools::ratelimit()?);
    let built = artefacts::build()?;
    let mut test =
        cargo(&["run", "--locked", "--quiet", "--package", "partywall-integration", "--bin", "limits-global"]);
    test.env("ENVOY", envoy).env("PARTYWALL", built.cli).env("PARTYWALL_MODULE", built.module);
    test.env("REDIS_SERVER", redis).env("RATELIMIT", service);
    run_command(test)?;
    Ok(ExitCode::SUCCESS)
}
