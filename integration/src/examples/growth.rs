//! What Envoy holds, and works, with few issuers and with many.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::access_log::Hop;
use crate::envoy::Envoy;
use crate::examples::mesh::Mesh;
use crate::examples::native::Native;
use crate::ports::local;
use crate::raw::Request;

/// What one Envoy holds at one time.
#[derive(Clone, Debug)]
pub struct Holds {
    /// All of `/config_dump`.
    pub configuration: Value,
    /// Its bytes.
    pub configured: u64,
    /// `allocated` of `/memory`, the stat `server.memory_allocated`: without V8's own memory.
    pub allocated: u64,
    /// The resident set of the process: with it.
    pub resident: u64,
    /// CPU time of a request with a token that it sees for the first time, in microseconds; 0 if not asked for.
    pub cpu: u64,
}

impl Holds {
    /// Asks an Envoy and the kernel; sends it `requests` first.
    fn of(envoy: &Envoy, admin: u16, to: SocketAddr, requests: &[Request]) -> Result<Self> {
        let get = |path: &str| Request::get(path).header("host", "admin").send(local(admin));
        let memory = get("/memory")?.json();
        let allocated = memory["allocated"].as_str().and_then(|text| text.parse().ok()).context("no `allocated`")?;
        let dump = get("/config_dump")?;
        let (configuration, configured) = (dump.json(), dump.body.len() as u64);
        let resident = envoy.resident()?;
        let cpu = if requests.is_empty() { 0 } else { cpu(envoy, to, requests)? };
        Ok(Self { configuration, configured, allocated, resident, cpu })
    }
}

/// Microseconds of CPU time per request.
fn cpu(envoy: &Envoy, to: SocketAddr, requests: &[Request]) -> Result<u64> {
    let (warming, counted) = requests.split_at(requests.len() / 5);
    let send = |requests: &[Request]| -> Result<()> {
        for request in requests {
            let status = request.send(to)?.status;
            ensure!(status == 200, "status {status}");
        }
        Ok(())
    };
    send(warming)?;
    let before = envoy.cpu()?;
    send(counted)?;
    Ok(((envoy.cpu()? - before).as_micros() / counted.len().max(1) as u128) as u64)
}

/// With the first of the generated issuers, and with all.
pub struct Growth {
    /// How many there were and are.
    pub issuers: (usize, usize),
    /// The edge: the very same process.
    pub edge: (Holds, Holds),
    /// Two processes with `jwt_authn`.
    pub native: (Holds, Holds),
}

impl Growth {
    /// Takes figures, has the mesh grow, and takes them again; with so many requests each.
    pub fn measure(mesh: &Mesh, requests: usize) -> Result<Self> {
        let generated = mesh.example.script.generated.as_ref().context("the example generates nothing")?;
        let (edge, admin) = (mesh.running.envoy("edge")?, mesh.running.site.ports.edge_admin);
        let address = mesh.running.site.address(Hop::Edge);
        let few = Holds::of(edge, admin, address, &mesh.of_issuer(1, requests)?)?;
        mesh.grow()?;
        let many = Holds::of(edge, admin, address, &mesh.of_issuer(generated.count, requests)?)?;
        let first = Native::start(&mesh.example, &mesh.running.site, Some(1))?.context("no jwt_authn")?;
        let all = mesh.native.as_ref().context("no jwt_authn")?;
        let native = |native: &Native, issuer: usize| {
            Holds::of(&native.envoy, native.admin, native.address(), &mesh.of_issuer(issuer, requests)?)
        };
        let native = (native(&first, 1)?, native(all, generated.count)?);
        Ok(Self { issuers: (1, generated.count), edge: (few, many), native })
    }

    /// Whether the edge is configured as before, field by field.
    pub fn edge_is_the_same(&self) -> bool {
        self.edge.0.configuration == self.edge.1.configuration
    }

    /// As a table. The figures are of this run and this machine.
    pub fn table(&self) -> String {
        let (few, many) = self.issuers;
        let mut out = format!("{:54}{:>12}{:>12}{:>12}\n", "issuers", few, many, "more");
        for (who, (before, after)) in [("edge", &self.edge), ("jwt_authn", &self.native)] {
            let mut row = |what: &str, unit: &str, a: u64, b: u64, per: f64| {
                let of = |value: f64| format!("{:.0} {unit}", value / per);
                let more = format!("{:+.0} {unit}", (b as f64 - a as f64) / per);
                let label = format!("{who}: {what}");
                out.push_str(&format!("{label:54}{:>12}{:>12}{more:>12}\n", of(a as f64), of(b as f64)));
            };
            row("configuration (/config_dump)", "KiB", before.configured, after.configured, 1024.0);
            row("server.memory_allocated", "KiB", before.allocated, after.allocated, 1024.0);
            row("resident set, V8 included", "KiB", before.resident, after.resident, 1024.0);
            if before.cpu > 0 {
                row("CPU of a request, token of the last issuer", "us", before.cpu, after.cpu, 1.0);
            }
        }
        out
    }
}
