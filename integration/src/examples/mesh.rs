//! An example on this machine: an edge, the sidecar of `orders`, the app, and what is asked of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::access_log::{Hop, Line};
use crate::examples::Example;
use crate::examples::native::Native;
use crate::examples::patch;
use crate::examples::script::{Ask, Generated, Values};
use crate::examples::signers::Signers;
use crate::mesh::unique;
use crate::raw::{Request, Response};
use crate::running::Running;
use crate::services::{App, headers};
use crate::site::{compile, new_keys};
use crate::variant::{Clients, Variant, copy, over_tls};
use crate::{cli, wait};

const PATIENCE: Duration = Duration::from_secs(30);
/// As in `variant`.
const IN_A_ROW: usize = 12;

/// What runs.
pub struct Mesh {
    /// The example.
    pub example: Example,
    /// Edge, sidecar and app.
    pub running: Running,
    /// Envoy's own `jwt_authn` in front of the same app, where the example compares.
    pub native: Option<Native>,
    signers: Signers,
    clients: Clients,
}

/// What came of one request.
#[derive(Clone, Debug, Default)]
pub struct Came {
    /// The status told.
    pub status: u16,
    /// The word told to the client, if it was denied.
    pub told: String,
    /// Decision and reason in the access log of the edge.
    pub log: String,
    /// The detail of it there, or of Envoy's own answer.
    pub detail: String,
    /// What reached the app.
    pub app: Vec<Value>,
}

impl Came {
    /// The values of a header as the app got it.
    pub fn got(&self, header: &str) -> Vec<String> {
        self.app.iter().flat_map(|seen| headers(seen, header)).collect()
    }
}

/// A request with what came of it, here and at Envoy's own filter.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was asked.
    pub ask: Ask,
    /// What came of it.
    pub came: Came,
    /// What came of it at `jwt_authn`.
    pub native: Option<Came>,
    /// What is not as the example says; empty is good.
    pub differences: Vec<String>,
}

impl Mesh {
    /// Starts an example as it is written, so with the first of generated issuers alone.
    pub fn start(example: Example) -> Result<Self> {
        let mut variant = Variant::prepare(&format!("example-{}", example.name), &["edge", "orders"])?;
        let clients = Clients::make()?;
        let etc = variant.site.directory.join("etc");
        fs::write(etc.join("tls/clients.pem"), clients.pem())?;
        fs::create_dir_all(etc.join("jwks"))?;
        // The sample's issuers sign nothing here.
        let keys = variant.site.keys();
        fs::remove_dir_all(&keys)?;
        new_keys(&keys)?;
        let signers = Signers::make(&example.script.all_issuers(), &[&keys, &etc.join("jwks")])?;

        variant.tenancy_from(&example.directory.join("tenancy"))?;
        for workload in ["edge", "orders"] {
            if let Some(diff) = example.file(&format!("{workload}.diff"))? {
                variant.change(workload, |text| patch::apply(text, &diff))?;
            }
        }
        let running = variant.start(&[App::Orders])?;
        let native = Native::start(&example, &running.site, example.script.generated.as_ref().map(|g| g.count))?;
        let mesh = Self { example, running, native, signers, clients };
        let probe = Request::get("/ready-yet").header("host", "ready.invalid");
        mesh.running.wait_for("the edge", || mesh.send(&probe, None))?;
        mesh.running.wait_for_policy(&[Hop::OrdersInbound])?;
        Ok(mesh)
    }

    /// Compiles all generated issuers into the bundle that is served, and waits until the edge decides by it.
    pub fn grow(&self) -> Result<()> {
        let Some(generated) = &self.example.script.generated else { return Ok(()) };
        let tenancy = self.running.site.directory.join("tenancy-grown");
        if tenancy.exists() {
            fs::remove_dir_all(&tenancy)?;
        }
        copy(&self.example.directory.join("tenancy"), &tenancy)?;
        generate(&self.example, generated, &tenancy)?;
        let before = self.revision()?;
        compile(&tenancy, &self.running.site.keys(), &self.running.site.bundles(), None)?;
        all_workers("the edge took no new bundle", || self.revision().is_ok_and(|now| now != before))?;
        let [last] = &self.of_issuer(generated.count, 1)?[..] else { bail!("one request was asked for") };
        // The sidecar behind it fetches for itself.
        all_workers("the sidecar took no new bundle", || self.send(last, None).is_ok_and(|answer| answer.status == 200))
    }

    /// The revision of the bundle that a request without any credential is decided by.
    fn revision(&self) -> Result<String> {
        let answer = self.send(&Request::get("/ready-yet").header("host", "ready.invalid"), None)?;
        Ok(self.logged(&answer, 0)?.field("revision"))
    }

    /// Asks everything, in order.
    pub fn ask_all(&self) -> Result<Vec<Outcome>> {
        self.example.script.requests.iter().map(|ask| self.ask(ask)).collect()
    }

    fn ask(&self, ask: &Ask) -> Result<Outcome> {
        let came = self.came(ask).with_context(|| format!("`{}`", ask.name))?;
        let mut differences = Vec::new();
        compare(&mut differences, "status", &ask.then.status, &came.status);
        compare(&mut differences, "log", &ask.then.log, &came.log);
        compare_app(&mut differences, "", ask.then.status, &ask.then.app, &came);
        let native = match (&self.native, &ask.native) {
            (Some(native), Some(expected)) => {
                let came = self.came_of_native(native, ask)?;
                compare(&mut differences, "jwt_authn: status", &expected.status, &came.status);
                compare_app(&mut differences, "jwt_authn: ", expected.status, &expected.app, &came);
                Some(came)
            }
            (None, Some(_)) => bail!("`{}` asks jwt_authn, which the example does not configure", ask.name),
            _ => None,
        };
        Ok(Outcome { ask: ask.clone(), came, native, differences })
    }

    fn came(&self, ask: &Ask) -> Result<Came> {
        let mark = unique();
        let before = self.lines()?;
        let answer = self.send(&self.request(ask, &mark)?, ask.given.certificate.as_deref())?;
        let line = self.logged(&answer, before)?;
        let decided = format!("{} {}", line.field("decision"), line.field("reason"));
        let decided = decided.trim_matches([' ', '-']);
        let (log, detail) = match decided {
            "" => ("-".into(), format!("Envoy: {}", line.field("details"))),
            _ => (decided.into(), line.field("detail")),
        };
        let app = self.running.seen_of(App::Orders, &mark)?;
        Ok(Came { status: answer.status, told: answer.reason(), log, detail, app })
    }

    fn came_of_native(&self, native: &Native, ask: &Ask) -> Result<Came> {
        let mark = unique();
        let answer = self.request(ask, &mark)?.send(native.address())?;
        let app = self.running.seen_of(App::Orders, &mark)?;
        Ok(Came { status: answer.status, app, ..Came::default() })
    }

    /// The request as bytes; the query tells it from every other one.
    fn request(&self, ask: &Ask, mark: &str) -> Result<Request> {
        let mut request = Request::get(&format!("{}?{mark}", ask.when.get)).header("host", ask.when.host.as_str());
        if let Some(bearer) = self.bearer(ask)? {
            request = request.header("authorization", bearer);
        }
        for (name, values) in &ask.when.headers {
            for value in values.all() {
                request = request.header(name, value.as_str());
            }
        }
        Ok(request)
    }

    /// So many requests as the example allows for the `n`th generated issuer, each with a token of its own.
    pub fn of_issuer(&self, n: usize, count: usize) -> Result<Vec<Request>> {
        let issuers = self.example.script.all_issuers();
        let (issuer, _) = issuers.get(n - 1).context("so many issuers there are not")?;
        let allowed =
            |ask: &&Ask| ask.then.status == 200 && ask.given.token.as_ref().is_some_and(|t| t.issuer == *issuer);
        let ask = self.example.script.requests.iter().find(allowed);
        let ask = ask.with_context(|| format!("no request is allowed for {issuer}"))?;
        (0..count).map(|_| self.request(ask, &unique())).collect()
    }

    /// A fresh token for this request, as the value of `Authorization`.
    pub fn bearer(&self, ask: &Ask) -> Result<Option<String>> {
        let token = ask.given.token.as_ref();
        token.map(|token| Ok(format!("Bearer {}", self.signers.sign(token)?))).transpose()
    }

    fn send(&self, request: &Request, certificate: Option<&str>) -> Result<Response> {
        let edge = self.running.site.address(Hop::Edge);
        if !self.example.script.tls {
            ensure!(certificate.is_none(), "a certificate needs `tls: true`");
            return request.send(edge);
        }
        let client = certificate.map(|uri| self.clients.issue(uri)).transpose()?;
        over_tls(edge, None, client.as_ref(), request)
    }

    /// The line of an answer in the access log of the edge, which had `before` lines when it was asked.
    fn logged(&self, answer: &Response, before: usize) -> Result<Line> {
        if let Some(id) = answer.header("x-request-id") {
            return self.running.line(Hop::Edge, id);
        }
        // What is no request to Envoy gets no id.
        let log = self.running.envoy("edge")?.log();
        let line = wait::until(Duration::from_secs(3), || {
            log.lines().into_iter().skip(before).find(|line| line.field("request_id").is_empty())
        });
        line.context("the edge told no request id and logged no request without one")
    }

    fn lines(&self) -> Result<usize> {
        Ok(self.running.envoy("edge")?.log().lines().len())
    }

    /// Writes a client certificate with its key for curl, and gives their paths.
    pub fn certificate_files(&self, uri: &str) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) = self.clients.issue(uri)?.to_pem();
        let folder = self.running.site.directory.join("etc/tls");
        let name = uri.rsplit('/').next().unwrap_or("client");
        let paths = (folder.join(format!("client-{name}.pem")), folder.join(format!("client-{name}.key")));
        fs::write(&paths.0, certificate)?;
        fs::write(&paths.1, key)?;
        Ok(paths)
    }
}

/// Waits until `holds` so often in a row that it holds for every worker.
fn all_workers(otherwise: &'static str, holds: impl Fn() -> bool) -> Result<()> {
    let mut in_a_row = 0;
    let all = wait::until(PATIENCE, || {
        in_a_row = if holds() { in_a_row + 1 } else { 0 };
        (in_a_row >= IN_A_ROW).then_some(())
    });
    all.with_context(|| format!("{otherwise} within {} s", PATIENCE.as_secs()))
}

fn generate(example: &Example, generated: &Generated, tenancy: &Path) -> Result<()> {
    let script = example.directory.join(&generated.script);
    let status = Command::new("sh").arg(&script).arg(generated.count.to_string()).arg(cli::text(tenancy)?).status();
    let status = status.with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(status.success(), "{} ended with {status}", script.display());
    Ok(())
}

fn compare<T: PartialEq + std::fmt::Display>(found: &mut Vec<String>, what: &str, expected: &T, got: &T) {
    if expected != got {
        found.push(format!("{what}: expected {expected}, got {got}"));
    }
}

/// Whoever gets 200 reached the app once, everybody else not at all.
fn compare_app(found: &mut Vec<String>, whose: &str, status: u16, app: &BTreeMap<String, Values>, came: &Came) {
    compare(found, &format!("{whose}requests that reached the app"), &usize::from(status == 200), &came.app.len());
    for (name, values) in app {
        compare(
            found,
            &format!("{whose}{name} at the app"),
            &values.all().join(" and "),
            &came.got(name).join(" and "),
        );
    }
}
