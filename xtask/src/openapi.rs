//! `cargo xtask openapi`: the API of the Docker Engine, imported from its description and enforced in a real Envoy.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::step::{cargo, run as run_command};
use crate::{artefacts, tools};

/// Fetches the description, builds what is needed and plays every operation; prints the figures.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.first() {
        bail!("`{argument}`: this task takes no arguments");
    }
    let (envoy, document) = (tools::envoy()?, tools::docker_api()?);
    let built = artefacts::build()?;
    let mut test = cargo(&[
        "test",
        "--locked",
        "--quiet",
        "--package",
        "partywall-integration",
        "--test",
        "openapi",
        "--",
        "--nocapture",
    ]);
    test.env("ENVOY", envoy).env("PARTYWALL", built.cli).env("PARTYWALL_MODULE", built.module);
    test.env("DOCKER_API", document);
    run_command(test)?;
    Ok(ExitCode::SUCCESS)
}
