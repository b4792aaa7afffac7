//! `cargo xtask leaks`: a million records of eight tenants at one broker, and each byte that any of them gets searched for
//! what is another's.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::step::{cargo, run as run_command};
use crate::{artefacts, kafka, tools};

/// How many records are written where nothing is said.
const RECORDS: &str = "1000000";

/// Builds what is needed and runs the tests of leaks with so many records; prints the figures.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let records = match arguments {
        [] => RECORDS,
        [flag, count] if flag == "--records" && count.parse::<usize>().is_ok() => count,
        _ => bail!("this task takes `--records NUMBER`, or nothing for {RECORDS}"),
    };
    let (envoy, jars) = (tools::envoy()?, kafka::jars()?);
    let built = artefacts::build()?;
    // Optimised: it is the tenants that would be slow, not what they are kept apart by.
    let mut test = cargo(&[
        "test",
        "--locked",
        "--quiet",
        "--release",
        "--package",
        "partywall-integration",
        "--test",
        "kafka_leaks",
        "--",
        "--nocapture",
        "--test-threads=1",
    ]);
    test.env("ENVOY", envoy).env("PARTYWALL", built.cli).env("PARTYWALL_MODULE", built.module);
    test.env("KAFKA_JARS", jars).env("LEAK_RECORDS", records);
    run_command(test)?;
    Ok(ExitCode::SUCCESS)
}
