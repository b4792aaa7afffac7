//! The demo: starts the mesh, plays the story, prints what came of it.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::artefacts;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Token, accountant, viewer};
use partywall_integration::kafka::story::Stage;
use partywall_integration::mesh::{Mesh, Options, SIDECAR, STAGES};
use partywall_integration::play::Player;
use partywall_integration::report::{self, Paint};
use partywall_integration::story::story;
use partywall_integration::telemetry;

const USAGE: &str = "usage: demo [--keep] [--stages]

  --keep    leave everything running until ctrl-c, and print curl lines to paste
  --stages  run tenant_context and authorization as two filters instead of sidecar";

fn main() -> ExitCode {
    let (mut keep, mut stages) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--keep" => keep = true,
            "--stages" => stages = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("demo: unknown option `{other}`\n\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    match demo(keep, stages) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs it and gives the number of steps that went otherwise than expected.
fn demo(keep: bool, stages: bool) -> Result<usize> {
    let paint = Paint::for_stdout();
    let began = Instant::now();
    let progress = |step: &str| println!("  {step}");
    println!("{}", paint.bold("Starting the mesh"));
    let mesh = Mesh::start(&Options {
        name: "demo",
        filters: if stages { STAGES } else { SIDECAR },
        bundles: true,
        progress,
    })?;
    println!(
        "  running after {:.1} s; logs in {}\n",
        began.elapsed().as_secs_f64(),
        mesh.site.directory.join("logs").display()
    );

    println!("{}", report::heading(paint));
    let mut player = Player::new(&mesh);
    let mut played = Vec::new();
    for (number, step) in story().into_iter().enumerate() {
        let outcome = player.play(&step)?;
        println!("{}", report::step(paint, number + 1, &step, &outcome));
        played.push((step, outcome));
    }
    let different = played.iter().filter(|(_, outcome)| !outcome.differences.is_empty()).count();

    if let Some((step, outcome)) = played.first() {
        println!("\n{}", report::journey(paint, step, outcome));
    }
    let (events, wrong) = events(paint)?;
    let (telemetry, missed) = telemetry(paint)?;
    let (total, different) = (played.len() + events + telemetry, different + wrong + missed);
    if different == 0 {
        println!("{}", paint.green(&format!("{total} of {total} as expected")));
    } else {
        println!("{}", paint.red(&format!("{different} of {total} NOT as expected")));
    }
    if keep {
        print_curl_lines(&mesh)?;
        wait_for_ctrl_c()?;
        println!("\nstopping");
    }
    Ok(different)
}

/// Plays what there is to see of events: how many steps there were, and how many went otherwise than expected.
fn events(paint: Paint) -> Result<(usize, usize)> {
    // `cargo xtask demo` said why.
    if std::env::var_os("KAFKA_JARS").is_none() {
        return Ok((0, 0));
    }
    println!("\n{}", paint.bold("Starting a broker of Kafka and the proxy before it"));
    let stage = Stage::start("demo-kafka")?;
    let played = stage.play(|step| {
        let line = format!("{:<8} {:<46} {}", step.tenant, step.name, step.told);
        match step.is_right() {
            true => println!("  {} {line}", paint.green("✓")),
            false => println!("  {} {line}, not {}", paint.red("✗"), step.wanted),
        }
    })?;
    println!();
    Ok((played.len(), played.iter().filter(|step| !step.is_right()).count()))
}

/// Likewise of telemetry.
fn telemetry(paint: Paint) -> Result<(usize, usize)> {
    println!("{}", paint.bold("Starting a collector of telemetry and the proxy before it"));
    let stage = telemetry::story::Stage::start("demo-telemetry")?;
    let played = stage.play(|step| {
        let line = format!("{:<8} {:<46} {}", step.who, step.name, step.told);
        match step.is_right() {
            true => println!("  {} {line}", paint.green("✓")),
            false => println!("  {} {line}, not {}", paint.red("✗"), step.wanted),
        }
    })?;
    println!();
    Ok((played.len(), played.iter().filter(|step| !step.is_right()).count()))
}

fn print_curl_lines(mesh: &Mesh) -> Result<()> {
    let edge = mesh.address(Hop::Edge);
    let line = |about: &str, method: &str, tenant: &str, path: &str, token: &Token| -> Result<()> {
        let bearer = mesh.bearer(token)?;
        println!(
            "\n# {about}\ncurl -i -X {method} -H 'host: {tenant}.shop.example' -H 'authorization: {bearer}' http://{edge}{path}"
        );
        Ok(())
    };
    println!("\nEverything is running; tokens are good for ten minutes. Paste:");
    line("acme's accountant reads an invoice", "GET", "acme", "/invoices/17", &accountant(Acme, "acme"))?;
    line("globex' viewer may not delete one", "DELETE", "globex", "/invoices/17", &viewer(Shared, "globex"))?;
    line("acme's token at globex' host", "GET", "globex", "/invoices/17", &accountant(Acme, "acme"))?;
    line("a foreign list", "GET", "acme", "/tenants/globex/invoices", &accountant(Acme, "acme"))?;
    println!("\n# suspend globex, live; `resume` lets it back in");
    let command = artefacts::command()?;
    println!("{} tenant suspend globex --dir {}", command.display(), mesh.site.bundles().display());
    println!("\n# what the edge decided, and what it counted");
    println!("tail -f {}", mesh.site.directory.join("logs/edge.out").display());
    println!("curl -s http://127.0.0.1:{}/stats/prometheus | grep partywall_", mesh.site.ports.edge_admin);
    println!("\nctrl-c stops it.");
    Ok(())
}

fn wait_for_ctrl_c() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(tokio::signal::ctrl_c())?)
}
