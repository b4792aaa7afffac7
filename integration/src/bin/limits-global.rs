//! Limits over all Envoys together: two edges, Envoy's own rate limit service, a real Redis. `cargo xtask
//! limits-global` runs it.

use std::env;
use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use partywall_integration::access_log::Hop;
use partywall_integration::bootstrap::Bootstrap;
use partywall_integration::envoy::{Envoy, Start};
use partywall_integration::issuers::{Provider, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::ports::{free, local};
use partywall_integration::process::Process;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::variant::Variant;
use partywall_integration::{cli, wait};

/// In a second, of `globex`, over both edges; each edge for itself would let it have twice as much.
const LIMIT: usize = 10;

struct Service {
    _redis: Process,
    _limits: Process,
    port: u16,
}

/// Redis, and the service with what `partywall render limits` writes for this directory.
fn service(variant: &Variant) -> Result<Service> {
    let [redis, grpc, http, debug] = free()?;
    let (directory, logs) = (&variant.site.directory, variant.site.directory.join("logs"));
    let program = |name: &str| env::var(name).with_context(|| format!("{name}: run `cargo xtask limits-global`"));
    let mut command = Command::new(program("REDIS_SERVER")?);
    command.args(["--port", &redis.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let redis_process = Process::start("redis", &mut command, &logs)?;
    let config = directory.join("limits/config");
    fs::create_dir_all(&config)?;
    let (tenancy, out) = (variant.tenancy(""), config.join("partywall.yaml"));
    cli::run(&["render", "limits", cli::text(&tenancy)?, "--out", cli::text(&out)?])?;
    let listens = |port| wait::until(Duration::from_secs(20), || TcpStream::connect(local(port)).ok());
    listens(redis).context("Redis does not listen")?;
    let mut command = Command::new(program("RATELIMIT")?);
    command.env_clear().env("RUNTIME_ROOT", directory).env("RUNTIME_SUBDIRECTORY", "limits");
    command.env("RUNTIME_WATCH_ROOT", "false").env("USE_STATSD", "false").env("LOG_LEVEL", "warn");
    command.env("REDIS_SOCKET_TYPE", "tcp").env("REDIS_URL", format!("127.0.0.1:{redis}"));
    for (name, port) in [("GRPC", grpc), ("DEBUG", debug)] {
        command.env(format!("{name}_HOST"), "127.0.0.1").env(format!("{name}_PORT"), port.to_string());
    }
    command.env("HOST", "127.0.0.1").env("PORT", http.to_string());
    let limits = Process::start("ratelimit", &mut command, &logs)?;
    listens(grpc).context("the rate limit service does not listen")?;
    Ok(Service { _redis: redis_process, _limits: limits, port: grpc })
}

/// Sends a viewer's request to one of the edges.
fn ask(running: &Running, port: u16, tenant: &'static str, more: &[(&str, &str)]) -> Result<u16> {
    let provider = if tenant == "acme" { Provider::Acme } else { Provider::Shared };
    let token = running.site.issuers.token(&viewer(provider, tenant), &unique())?;
    let request = Request::get("/orders/7").header("host", format!("{tenant}.shop.example"));
    let request = request.header("authorization", format!("Bearer {token}"));
    Ok(more.iter().fold(request, |request, (name, value)| request.header(name, *value)).send(local(port))?.status)
}

/// Two edges share the limit of a tenant, or this panics.
fn main() {
    let mut variant = Variant::prepare("limits-global", &["edge", "orders"]).unwrap();
    variant.append("tenants/globex.yaml", &format!("limits: {{ mesh_requests_per_second: {LIMIT} }}\n")).unwrap();
    variant.append("profiles/bronze.yaml", "profile: bronze\nlimits: { mesh_requests_per_second: 15 }\n").unwrap();
    let service = service(&variant).unwrap();
    variant.render_with("limits: { address: ratelimit, port: 8081 }\n").unwrap();
    variant.stands_for("edge", "ratelimit", 8081, service.port);
    let edge = variant.text("edge").unwrap();
    let running = variant.start(&[App::Orders]).unwrap();
    let p = running.site.ports;
    let [second, admin] = free().unwrap();
    let path = running.site.directory.join("second-edge.rendered.yaml");
    fs::write(&path, edge).unwrap();
    let placed = [
        ("0.0.0.0", 8080, second),
        ("127.0.0.1", 9901, admin),
        ("bundles", 8400, p.bundles),
        ("invoices-sidecar", 15006, p.invoices_inbound),
        ("orders-sidecar", 15006, p.orders_inbound),
        ("ratelimit", 8081, service.port),
    ];
    let read = Bootstrap::read(cli::text(&path).unwrap()).unwrap();
    let placed = placed.into_iter().fold(read, |b, (name, from, to)| b.address(name, from, to).unwrap());
    let mut other = Envoy::start(Start {
        name: "second-edge",
        bootstrap: placed.installed_in(&running.site.directory.join("etc")),
        admin: Some(admin),
        environment: running.site.environment("edge").unwrap(),
        directory: &running.site.directory,
    })
    .unwrap();
    other.wait_until_ready().unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    let edges = [p.edge, second];
    let anonymous = || Request::get("/ready-yet").header("host", "orders").send(local(second));
    running.wait_for("the second edge", anonymous).unwrap();

    // Each second has a bucket; as many begin as the burst touches.
    let burst = |tenant: &'static str, more: &[(&str, &str)]| {
        let began = Instant::now();
        let statuses: Vec<u16> =
            (0..20 * LIMIT).map(|nth| ask(&running, edges[nth % 2], tenant, more).unwrap()).collect();
        assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{tenant}: {statuses:?}");
        let let_in = statuses.iter().filter(|status| **status == 200).count();
        (let_in, began.elapsed().as_secs_f64())
    };
    let (let_in, took) = burst("globex", &[]);
    let most = LIMIT * (took.floor() as usize + 2);
    println!("globex: {let_in} of {} let in within {took:.1} s; {most} may be", 20 * LIMIT);
    assert!(let_in <= most, "{let_in} were let in, {most} may be");
    assert!(let_in >= LIMIT, "what is within the limit passes");
    // By no other name, and nobody else.
    let (let_in, took) = burst("globex", &[("x-partywall-tenant", "acme"), ("x-partywall-tier", "gold")]);
    assert!(let_in <= LIMIT * (took.floor() as usize + 2), "{let_in} were let in");
    assert_eq!(burst("acme", &[]).0, 20 * LIMIT, "a tenant without such a limit is not counted");

    // A limit is no wall: without the service requests go on.
    drop(service);
    assert_eq!(burst("globex", &[]).0, 20 * LIMIT);
}
