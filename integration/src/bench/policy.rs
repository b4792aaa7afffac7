//! Decisions inside Envoy: by the decision program, and by Cedar's own authorizer in a build of its own.
//!
//! `benches/policy` is the module, `cli/examples/bench-policy.rs` writes what it decides. One Envoy with one worker
//! has a listener, and so a VM, for each set of policies and each build. A request asks for so many decisions; what
//! the worker used for it, less what an empty one takes, is what they cost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::cpu::Thread;
use super::figures::{Figure, Figures, median, summary};
use super::{Bound, Effort};
use crate::artefacts;
use crate::bootstrap::Bootstrap;
use crate::envoy::{Envoy, Start};
use crate::ports::{free, local};
use crate::raw::{Connection, Request};

/// The sets, each a file of the material.
const SETS: [&str; 5] = ["policies-20", "policies-100", "policies-500", "policies-5000", "all-apply"];
/// What is measured: its name, the build that is asked, in which way, and what it is compared with.
const MEASURED: [(&str, Build, &str, Option<&str>); 5] = [
    ("program", Build::Program, "prepared", None),
    ("program/facts", Build::Program, "facts", None),
    ("program/authorize", Build::Program, "authorize", None),
    ("cedar", Build::Interpreter, "prepared", Some("program")),
    ("cedar/facts", Build::Interpreter, "facts", Some("program/facts")),
];
/// So much of the worker's time is measured at once, in nanoseconds.
const AT_ONCE: f64 = 30e6;
/// Requests that a set has: each measurement is of all of them, equally often.
const CASES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Build {
    Program,
    Interpreter,
}

/// Measures all sets. A difference between the program's answers and Cedar's is an error.
pub fn run(effort: Effort, progress: fn(&str)) -> Result<(Figures, Vec<Bound>)> {
    let directory = artefacts::target().join("bench/policy");
    fs::create_dir_all(directory.join("logs"))?;
    progress("an Envoy with a VM for each set of policies and each build");
    let (mut envoy, ports) = start(&directory)?;
    envoy.wait_until_ready()?;
    let worker = Thread::named(envoy.id(), "wrk:worker_0")?;
    let mut asked = BTreeMap::new();
    for (place, port) in ports {
        asked.insert(place, Asked { connection: Connection::plain(local(port))?, worker: &worker });
    }
    for set in SETS {
        progress(&format!("{set}: program and Cedar answer the same requests"));
        compare(set, &mut asked)?;
    }
    let mut measured: BTreeMap<(&'static str, &'static str), (usize, Vec<f64>)> = BTreeMap::new();
    for set in SETS {
        progress(&format!("{set}: warming up"));
        for (name, build, way, _) in MEASURED {
            let asked = asked.get_mut(&(set, build)).context("no such VM")?;
            measured.insert((set, name), (asked.warm_up(way)?, Vec::new()));
        }
    }
    for round in 0..effort.rounds {
        progress(&format!("round {} of {}", round + 1, effort.rounds));
        for set in SETS {
            for (name, build, way, _) in MEASURED {
                let asked = asked.get_mut(&(set, build)).context("no such VM")?;
                let (count, list) = measured.get_mut(&(set, name)).context("no such measurement")?;
                list.push(asked.cost(way, *count)?);
            }
        }
    }
    let (mut figures, mut bounds) = (Figures::default(), Vec::new());
    for set in SETS {
        let of = |name: &'static str| measured.get(&(set, name)).map(|(_, list)| list.as_slice()).unwrap_or_default();
        for (name, _, _, compared) in MEASURED {
            let (value, spread) = summary(of(name));
            let ratio_to = compared.map(|other| (format!("{set}/{other}"), value / median(of(other))));
            let compared = ratio_to.clone();
            figures.add(Figure {
                name: format!("{set}/{name}"),
                value,
                unit: "ns/decision",
                spread: Some(spread),
                ratio_to,
            });
            if let Some((other, ratio)) = compared.filter(|_| set != "all-apply") {
                let what = format!("{other}: {ratio:.0} times as fast as Cedar's interpreter; 50 are wanted");
                bounds.push(Bound { what, kept: ratio >= 50.0 });
            }
        }
        if matches!(set, "policies-20" | "policies-500") {
            let ours = median(of("program/authorize"));
            let what = format!("{set}/program/authorize: {ours:.0} ns; under 500 are allowed");
            bounds.push(Bound { what, kept: ours < 500.0 });
        }
    }
    Ok((figures, bounds))
}

struct Asked<'a> {
    connection: Connection,
    worker: &'a Thread,
}

impl Asked<'_> {
    fn get(&mut self, path: &str) -> Result<Value> {
        self.connection.send(&Request::get(path).header("host", "bench").bytes())?;
        let answer = self.connection.receive()?;
        ensure!(answer.status == 200, "{path}: status {}", answer.status);
        Ok(answer.json())
    }

    /// What one of `count` decisions costs the worker, in nanoseconds.
    fn cost(&mut self, way: &str, count: usize) -> Result<f64> {
        let mut used = |count: usize| -> Result<f64> {
            let before = self.worker.used()?;
            self.get(&format!("/{way}/{count}"))?;
            Ok((self.worker.used()? - before) as f64)
        };
        let empty = used(0)?;
        Ok((used(count)? - empty) / count as f64)
    }

    /// Goes on until V8 has compiled what is hot, and gives how many decisions take as long as is measured at once.
    fn warm_up(&mut self, way: &str) -> Result<usize> {
        let mut rounds = 1;
        for _ in 0..8 {
            let cost = self.cost(way, rounds * CASES)?;
            rounds = ((AT_ONCE / cost / CASES as f64) as usize).clamp(1, 1 << 16);
        }
        Ok(rounds * CASES)
    }
}

fn compare(set: &'static str, asked: &mut BTreeMap<(&'static str, Build), Asked<'_>>) -> Result<()> {
    let mut answers = |build| -> Result<Value> { asked.get_mut(&(set, build)).context("no such VM")?.get("/answers") };
    let (ours, theirs) = (answers(Build::Program)?, answers(Build::Interpreter)?);
    let (Some(ours), Some(theirs)) = (ours.as_array(), theirs.as_array()) else {
        bail!("{set}: no answers: {ours}, {theirs}");
    };
    ensure!(ours.len() == CASES && theirs.len() == CASES, "{set}: {} and {} answers", ours.len(), theirs.len());
    if let Some(at) = (0..CASES).find(|at| ours[*at] != theirs[*at]) {
        bail!("{set}: request {at}: the program says {}, Cedar {}", ours[at], theirs[at]);
    }
    let allowed = ours.iter().filter(|answer| answer["allowed"] == true).count();
    ensure!(allowed > 0 && allowed < CASES, "{set}: {allowed} of {CASES} are allowed, which says little");
    Ok(())
}

type Ports = Vec<((&'static str, Build), u16)>;

fn start(directory: &Path) -> Result<(Envoy, Ports)> {
    let material = artefacts::from_variable("PARTYWALL_BENCH_MATERIAL")?;
    let (mut text, mut ports) = (String::from(HEAD), Vec::new());
    for set in SETS {
        let file = material.join(format!("{set}.json"));
        let configuration = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for (build, variable) in
            [(Build::Program, "PARTYWALL_BENCH_PROGRAM"), (Build::Interpreter, "PARTYWALL_BENCH_INTERPRETER")]
        {
            let [port] = free()?;
            ports.push(((set, build), port));
            write_listener(
                &mut text,
                &format!("{set}-{build:?}"),
                port,
                &artefacts::from_variable(variable)?,
                &configuration,
            )?;
        }
    }
    let [admin] = free()?;
    let changed = directory.join("envoy.changed.yaml");
    fs::write(&changed, text)?;
    let mut bootstrap = Bootstrap::read(crate::cli::text(&changed)?)?.address("127.0.0.1", 9901, admin)?;
    for (_, port) in &ports {
        bootstrap = bootstrap.address("127.0.0.1", *port, *port)?;
    }
    let start = Start { name: "policy", bootstrap, admin: Some(admin), environment: Vec::new(), directory };
    Ok((Envoy::start_with(start, 1)?, ports))
}

const HEAD: &str = "admin: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }
static_resources:
  listeners:
";

fn write_listener(text: &mut String, name: &str, port: u16, module: &PathBuf, configuration: &str) -> Result<()> {
    let (configuration, module) = (serde_json::to_string(configuration)?, serde_json::to_string(module)?);
    write!(
        text,
        "  - name: {name}
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          route_config: {{ virtual_hosts: [] }}
          http_filters:
          - name: envoy.filters.http.wasm
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: {name}
                vm_config: {{ vm_id: {name}, runtime: envoy.wasm.runtime.v8, code: {{ local: {{ filename: {module} }} }} }}
                configuration: {{ \"@type\": type.googleapis.com/google.protobuf.StringValue, value: {configuration} }}
          - name: envoy.filters.http.router
            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
"
    )?;
    Ok(())
}
