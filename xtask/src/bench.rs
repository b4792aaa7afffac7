//! `cargo xtask bench`: what things cost.

use std::process::ExitCode;

use anyhow::Result;

use crate::step::{cargo, root, run as run_command, step};
use crate::{artefacts, kafka, tools};

const BENCHES: &[(&str, &str)] = &[
    (
        "context",
        "tokens per algorithm, root contexts, 50 to 5,000 issuers, memory of remembered tokens (some 3 minutes)",
    ),
    ("policy", "decisions with 20 to 5,000 policies, by the program and by Cedar's interpreter (some 2 minutes)"),
    (
        "scale",
        "10 to 100,000 tenants, 5,000 policies: bundle, memory, load, requests while a bundle comes into force (some 6 minutes)",
    ),
    ("guard", "bodies of 1 KB, 64 KB and 5 MB, guarded and not: latency, MB/s, memory (some 2 minutes)"),
    (
        "kafka",
        "Produce and Fetch from 200 B to 1 MB by tcp_proxy, a module that does nothing, ours and Kroxylicious (some 5 minutes)",
    ),
    (
        "redaction",
        "log redaction: detection in Envoy and natively, bodies of each carrier with and without gzip (some 3 minutes)",
    ),
    ("limits", "one tenant at ten times its limit, and what another tenant notices of it (some 2 minutes)"),
    ("suspension", "from `partywall tenant suspend` to the first denial at both sidecars, under load (some 3 minutes)"),
];

const HELP: &str = "Each prints a table and writes target/bench/NAME.json; docs/performance.md says how it measures.

  --rounds N    how often each case is measured, in turn with the others; the median counts
  --requests N  requests of each case in each round; policy measures 30 ms instead

Examples:
  cargo xtask bench context
  cargo xtask bench context --rounds 5 --requests 32    a quick look: the figures are rough
  cargo xtask bench policy";

/// Without a name, lists the benches.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if arguments.is_empty() || arguments.iter().any(|a| matches!(a.as_str(), "--help" | "-h")) {
        println!("Usage: cargo xtask bench NAME [OPTIONS]\n");
        for (name, what) in BENCHES {
            println!("  {name:<12}{what}");
        }
        println!("\n{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.iter().any(|argument| BENCHES.iter().any(|(name, _)| name == argument)) {
        let names: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        eprintln!("error: which bench? There is `{}`; `cargo xtask bench --help` says more", names.join("`, `"));
        return Ok(ExitCode::from(2));
    }
    let asked = |name: &str| arguments.iter().any(|argument| argument == name);
    let (policy, redaction) = (asked("policy"), asked("redaction"));
    // The others sign tens of thousands of tokens or interpret the module; these only wait.
    let (profile, folder): (&[&str], _) =
        if policy || redaction { (&[], "debug") } else { (&["--release"], "release") };
    let mut bench = crate::step::command(root().join("target").join(folder).join("bench"), &[]);
    bench.args(arguments).env("ENVOY", tools::envoy()?);
    if asked("kafka") {
        for (variable, jars) in [("KAFKA_JARS", kafka::jars()), ("KROXYLICIOUS_JARS", kafka::kroxylicious())] {
            match jars {
                Ok(jars) => {
                    bench.env(variable, jars);
                }
                Err(error) => println!("   left out: {error:#}"),
            }
        }
    }
    if policy {
        let built = artefacts::build_policy_bench()?;
        bench.env("PARTYWALL_BENCH_PROGRAM", built.program).env("PARTYWALL_BENCH_INTERPRETER", built.interpreter);
        bench.env("PARTYWALL_BENCH_MATERIAL", built.material);
    } else {
        if !redaction {
            bench.env("PARTYWALL_MODULE_PURE", artefacts::build_pure()?);
        }
        let built = artefacts::build()?;
        bench.env("PARTYWALL", built.cli).env("PARTYWALL_MODULE", built.module);
        bench.env("PARTYWALL_MODULE_REDACTION", built.redaction);
    }
    if redaction {
        let built = artefacts::build_redaction_bench()?;
        bench.env("PARTYWALL_BENCH_DETECTION", built.detection).env("PARTYWALL_BENCH_NATIVE", built.native);
    }
    // Beside the command line it is built already.
    if !redaction {
        step("build the bench", || {
            let mut build = cargo(&["build", "--package", "partywall-integration", "--bin", "bench"]);
            build.args(profile);
            run_command(build)
        })?;
    }
    let code = bench.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
