//! Runs one of `docs/examples/`: starts it, asks its requests, prints what came of them.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::examples::growth::Growth;
use partywall_integration::examples::mesh::Mesh;
use partywall_integration::examples::script::Ask;
use partywall_integration::examples::table::{table, verdict};
use partywall_integration::examples::{self, Example};
use partywall_integration::report::Paint;

const USAGE: &str = "usage: example NAME [--keep]

  --keep  leave everything running until ctrl-c, and print curl lines to paste";

/// Requests by which CPU time is measured.
const COUNTED: usize = 1500;

fn main() -> ExitCode {
    let (mut keep, mut name) = (false, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--keep" => keep = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other if !other.starts_with('-') && name.is_none() => name = Some(other.to_owned()),
            other => {
                eprintln!("example: unknown argument `{other}`\n\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let Some(name) = name else {
        eprintln!("example: which one?\n\n{USAGE}");
        return ExitCode::from(2);
    };
    match examples::find(&name).and_then(|example| run(example, keep)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("example: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs it; false if anything is not as it says.
fn run(example: Example, keep: bool) -> Result<bool> {
    let paint = Paint::for_stdout();
    println!("{}", paint.bold(&example.title));
    println!("  {}\n", example.directory.join("README.md").display());
    let began = Instant::now();
    let mesh = Mesh::start(example)?;
    println!("  an edge, a sidecar and an app run after {:.1} s", began.elapsed().as_secs_f64());
    println!("  logs in {}\n", mesh.running.site.directory.join("logs").display());
    let growth = mesh.example.script.generated.is_some().then(|| Growth::measure(&mesh, COUNTED)).transpose()?;

    let outcomes = mesh.ask_all()?;
    println!("{}", table(paint, &mesh.example.script, &outcomes));
    println!("{}", verdict(paint, &outcomes));
    if let Some(growth) = &growth {
        println!("\n{}", growth.table());
        let same = if growth.edge_is_the_same() { "the same" } else { "NOT the same" };
        println!("the edge runs on, and its configuration is {same}, field by field");
    }
    if keep {
        print_curl_lines(&mesh)?;
        wait_for_ctrl_c()?;
        println!("\nstopping");
    }
    Ok(outcomes.iter().all(|outcome| outcome.differences.is_empty()))
}

fn print_curl_lines(mesh: &Mesh) -> Result<()> {
    let edge = mesh.running.site.address(Hop::Edge);
    println!("\nEverything is running; tokens are good for ten minutes. Paste:");
    for ask in &mesh.example.script.requests {
        println!("\n# {}", ask.name);
        let mut line = "curl -i".to_owned();
        let scheme = if mesh.example.script.tls { "https" } else { "http" };
        if mesh.example.script.tls {
            line.push_str(" -k");
        }
        if let Some(uri) = &ask.given.certificate {
            let (certificate, key) = mesh.certificate_files(uri)?;
            line.push_str(&format!(" --cert {} --key {}", certificate.display(), key.display()));
        }
        println!("{line}{} {scheme}://{edge}{}", headers(mesh, ask)?, ask.when.get);
    }
    println!("\n# what the edge decided");
    println!("tail -f {}", mesh.running.site.directory.join("logs/edge.out").display());
    println!("\nctrl-c stops it.");
    Ok(())
}

fn headers(mesh: &Mesh, ask: &Ask) -> Result<String> {
    let mut out = format!(" -H 'host: {}'", ask.when.host);
    if let Some(bearer) = mesh.bearer(ask)? {
        out.push_str(&format!(" -H 'authorization: {bearer}'"));
    }
    for (name, values) in &ask.when.headers {
        for value in values.all() {
            out.push_str(&format!(" -H '{name}: {value}'"));
        }
    }
    Ok(out)
}

fn wait_for_ctrl_c() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(tokio::signal::ctrl_c())?)
}
