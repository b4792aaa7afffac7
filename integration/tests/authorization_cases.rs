//! Plays every topic of `filters/authorization/cases/decide` through one real Envoy: a listener for each, with the bundle
//! of its directory. `cli/tests/authorization_cases.rs` plays the same files natively.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use partywall_integration::access_log::Line;
use partywall_integration::certificates::Identity;
use partywall_integration::cli;
use partywall_integration::decided::{Case, Topic, request, topics};
use partywall_integration::many_listeners::{Door, Doors, Files, bundle_file, bundle_path};
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::roots::{Root, secret};
use partywall_integration::served::served;
use partywall_integration::site::{Site, compile};
use partywall_integration::stand_in::{Says, StandIn};
use partywall_integration::wait;
use rcgen::SanType;
use serde_json::{Value, json};

const REVISION: u64 = 7;
/// What a client claims to be; nobody may ever be told it.
const CLAIMED: &str = "mallory";

/// The name of a case, what it is, the id of its request, and the status of a call of gRPC.
type Asked<'c> = (String, &'c Case, String, Option<String>);

struct Bench {
    site: Site,
    doors: Doors,
    app: StandIn,
    seed: Vec<u8>,
    /// A certificate of each caller.
    callers: HashMap<String, Identity>,
}

impl Bench {
    fn start(topics: &[Topic], doors: &[Door]) -> Result<Self> {
        let site = Site::prepare("authorization-cases", |_| ())?;
        let folder = site.directory.join("topics");
        for topic in topics {
            let directory = site.directory.join("tenancy").join(&topic.name);
            topic.lay(&directory)?;
            compile(&directory, &site.keys(), &folder.join(&topic.name), Some(REVISION))
                .with_context(|| topic.name.clone())?;
        }
        // One overlay is for all of them: it is of this mesh, and all bundles are of one revision.
        let first = folder.join(&topics.first().context("no topic")?.name);
        let overlay = served(&first, &site.keys(), &site.directory.join("logs"))?
            .remove("/tenancy.overlay")
            .context("no overlay")?;
        let mut files = Files::from([("/tenancy.overlay".to_owned(), overlay)]);
        for door in doors {
            files.insert(bundle_path(door), fs::read(bundle_file(&folder, door))?);
        }
        let app = StandIn::start(0, |_, _| Says(200, Vec::new()))?;
        let doors = Doors::start(&site, doors, app.address.port(), files)?;
        let signing = site.environment("edge")?;
        let signing = signing.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING").context("no signing key")?;
        let seed = secret(&signing.1)?;
        let names = topics.iter().flat_map(|topic| &topic.cases).filter_map(|case| case.given.caller.clone());
        let mut callers = HashMap::new();
        for name in names {
            let uri = SanType::URI(name.as_str().try_into()?);
            callers.insert(name, site.certificates.issue(vec![uri])?);
        }
        Ok(Self { site, doors, app, seed, callers })
    }

    /// Asks, and gives the id of the request; and whether a call of gRPC got its status for a denial.
    fn ask(&self, case: &Case, door: usize, route: &[Value]) -> Result<(String, Option<String>)> {
        let id = unique();
        let to = *self.doors.addresses.get(door).context("no such door")?;
        let (method, path, grpc) = request(&case.when.request)?;
        let given = &case.given;
        let mut asked = Request::new(method, path)
            .header("host", given.host.as_deref().unwrap_or("mesh.example"))
            .header("x-request-id", id.as_str())
            .header("x-case-service", case.when.service.as_str())
            .header("x-tenant-id", CLAIMED)
            .header("x-partywall-tenant", CLAIMED)
            .header("connection", "close");
        for (name, value) in &given.headers {
            asked = asked.header(name, value.as_str());
        }
        if let Some(said) = case.when.said() {
            let at = route.iter().position(|one| *one == said).context("no such route")?;
            asked = asked.header("x-case-route", at.to_string());
        }
        // Doors trust who comes before them, so that a case can come from anywhere.
        if let Some(from) = &case.when.from {
            asked = asked.header("x-forwarded-for", from.as_str());
        }
        if grpc {
            asked = asked.header("content-type", "application/grpc").header("content-length", "0");
        }
        let subject = given.subject.as_deref().unwrap_or("somebody");
        let answer = if let (Some(caller), None) = (&given.caller, &given.tenant) {
            asked.send_as(&self.callers[caller], to)
        } else if let Some(caller) = &given.caller {
            let root = Root::of(given.tenant.as_deref().unwrap_or_default(), 0);
            let root = root.claim("rol", given.roles.clone()).claim("scp", given.scopes.clone());
            let root = root.claim("sub", subject).signed(&self.seed)?;
            asked.header("x-partywall-context", root).send_as(&self.callers[caller], to)
        } else {
            let token = match (&given.token, &given.tenant) {
                (Some(token), _) => Some((token.issuer.as_str(), token.claims.clone(), age(token.age.as_deref())?)),
                (None, Some(tenant)) => {
                    let scope = given.scopes.join(" ");
                    let claims = json!({ "tenant": tenant, "roles": given.roles, "scope": scope, "sub": subject });
                    Some(("https://id.shared.example", claims, 0))
                }
                (None, None) => None,
            };
            if let Some((issuer, claims, age)) = token {
                let token = self.site.issuers.claiming(issuer, &claims, age, &id)?;
                asked = asked.header("authorization", format!("Bearer {token}"));
            }
            asked.send(to)
        };
        // The log has the status; an answer to HEAD may have no body where its head says one.
        Ok((id, answer.ok().and_then(|answer| answer.header("grpc-status").map(str::to_owned))))
    }

    /// What was written down of a topic says enough to decide it again, and comes to the same.
    fn replay(&self, topic: &Topic, asked: &[Asked<'_>], lines: &HashMap<String, Line>) -> Result<()> {
        let of_topic = asked.iter().filter(|(name, ..)| name.starts_with(&format!("{}: ", topic.name)));
        let written: Vec<&str> = of_topic.filter_map(|(.., id, _)| lines.get(id)).map(Line::text).collect();
        let log = self.site.directory.join("replayed.log");
        fs::write(&log, written.join("\n"))?;
        let (log, key) = (cli::text(&log)?, self.site.keys().join("edge.env"));
        let directory = self.site.directory.join("tenancy").join(&topic.name);
        let directory = cli::text(&directory)?;
        let arguments = ["replay", "--json", "--log", log, directory, directory, "--fingerprint-key", cli::text(&key)?];
        let found: Value = serde_json::from_str(&cli::run(&arguments)?)?;
        // Of those denied before authorization nothing is known that could be decided.
        let reached = written.iter().filter(|line| line.contains("\\\"path\\\"")).count();
        ensure!(reached > 0 && found["replayed"] == reached, "not all of {reached} are decided again: {found:#}");
        println!("{} records of {} decided again", found["replayed"], topic.name);
        Ok(())
    }

    fn compare(&self, case: &Case, line: &Line, grpc_status: Option<&str>) -> Result<()> {
        let field = |name: &str| line.field(name).trim_start_matches('-').to_owned();
        let then = &case.then;
        let told = [field("decision"), field("reason"), field("shadow")];
        let reason = then.reason.as_ref().or(then.shadow.as_ref()).cloned().unwrap_or_default();
        let shadow = if then.shadow.is_some() { "deny" } else { "" };
        ensure!(told == [then.decision.clone(), reason.clone(), shadow.to_owned()], "{told:?}, {}", field("detail"));
        if let Some(policy) = &then.policy {
            ensure!(field("policy") == *policy, "policy {}", field("policy"));
        }
        let allowed = then.decision == "allow";
        let grpc = case.when.request.starts_with("GRPC ");
        let status = match (allowed, grpc) {
            (true, _) | (false, true) => 200,
            (false, false) => status(&reason, case),
        };
        ensure!(field("status") == status.to_string(), "status {} and not {status}", field("status"));
        ensure!(allowed || !grpc || grpc_status == Some("7"), "grpc-status {grpc_status:?}");
        let seen = self.app.by_header("x-request-id", &field("request_id"));
        ensure!(seen.len() == usize::from(allowed), "{} requests reached the app", seen.len());
        for seen in seen {
            ensure!(!format!("{:?}", seen.headers).contains(CLAIMED), "the app is told what the client claimed");
            let told = seen.all("x-partywall-tenant");
            let tenant = case.given.tenant.as_deref();
            ensure!(tenant.is_none_or(|tenant| told == [tenant]), "the app is told {told:?}");
            let of_platform = then.policy.as_ref().is_some_and(|policy| policy.starts_with("platform:"));
            ensure!(!of_platform || told.is_empty(), "the app of a platform principal is told {told:?}");
        }
        Ok(())
    }
}

/// What a client of the edge is told, by what is documented of reasons; a sidecar tells the reason's own status.
fn status(reason: &str, case: &Case) -> u16 {
    let at_edge = case.given.caller.is_none();
    let proved = case.given.tenant.is_some() || case.given.token.is_some();
    match reason {
        "tenant_missing" | "credential_invalid" | "credential_expired" => 401,
        "tenant_unknown" | "tenant_conflict" | "tenant_suspended" | "tenant_quarantined" if proved => 403,
        "tenant_invalid" if proved => 400,
        "tenant_unknown" | "tenant_invalid" => 401,
        "ambiguous_request" => 400,
        "resource_foreign" if at_edge => 404,
        "feature_hidden" => 404,
        "tenant_moving" => 503,
        _ => 403,
    }
}

fn age(text: Option<&str>) -> Result<u64> {
    let Some(text) = text else { return Ok(0) };
    let hours = text.strip_suffix('h').context("an age is in hours here")?;
    Ok(hours.parse::<u64>()? * 3600)
}

/// What routes of the topic's cases say, each once.
fn said(topic: &Topic) -> Vec<Value> {
    let mut all = Vec::new();
    for said in topic.cases.iter().filter_map(|case| case.when.said()) {
        if !all.contains(&said) {
            all.push(said);
        }
    }
    all
}

/// A listener for each place in which a topic's cases are decided.
fn doors(topics: &[Topic]) -> Vec<Door> {
    let of = |topic: &Topic| {
        let places: BTreeSet<_> = topic.cases.iter().map(Case::place).collect();
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let door = |(sidecar_of, cell, region)| Door {
            directory: topic.name.clone(),
            services: topic.services.clone(),
            said: said(topic),
            sidecar_of: owned(sidecar_of),
            cell: owned(cell),
            region: owned(region),
        };
        places.into_iter().map(door).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of).collect()
}

fn play() -> Result<()> {
    let topics = topics()?;
    let doors = doors(&topics);
    let started = Instant::now();
    let bench = Bench::start(&topics, &doors)?;
    println!("{} listeners decide after {:.1} s", doors.len(), started.elapsed().as_secs_f64());
    let mut asked = Vec::new();
    for topic in &topics {
        for case in &topic.cases {
            let place = |door: &Door| {
                (door.sidecar_of.as_deref(), door.cell.as_deref(), door.region.as_deref()) == case.place()
            };
            let door = doors.iter().position(|door| door.directory == topic.name && place(door));
            let door = door.context("no door for a case")?;
            let (id, grpc) = bench.ask(case, door, &doors.get(door).context("no door")?.said)?;
            asked.push((format!("{}: {}", topic.name, case.name), case, id, grpc));
        }
    }
    let by_id = || -> HashMap<String, Line> {
        bench.doors.envoy.log().lines().into_iter().map(|line| (line.field("request_id"), line)).collect()
    };
    let all = wait::until(Duration::from_secs(10), || {
        let lines = by_id();
        asked.iter().all(|(.., id, _)| lines.contains_key(id)).then_some(lines)
    });
    let lines = all.unwrap_or_else(by_id);
    let mut wrong = Vec::new();
    for (name, case, id, grpc) in &asked {
        let line = lines.get(id).with_context(|| format!("{name}: no line in the access log"));
        if let Err(error) = line.and_then(|line| bench.compare(case, line, grpc.as_deref())) {
            wrong.push(format!("{name} ({} {:?}): {error:#}", case.when.request, case.then));
        }
    }
    for name in ["caller", "cells", "scopes"] {
        bench.replay(topics.iter().find(|topic| topic.name == name).context("no such topic")?, &asked, &lines)?;
    }
    let metric = |name: &str| bench.doors.envoy.metric(name, &[("role", "edge")]);
    let shadows = asked.iter().filter(|(_, case, ..)| case.then.shadow.is_some()).count();
    ensure!(metric("partywall_authorization_shadow_denials_total")? == shadows as f64, "shadows are counted");
    let refused = metric("partywall_authorization_route_modes_refused_total")?;
    let contradicted = metric("partywall_authorization_route_contradictions_total")?;
    println!(
        "{} cases of {} topics in {:.1} s; {shadows} in shadow, {refused} routes refused, {contradicted} contradictions",
        asked.len(),
        topics.len(),
        started.elapsed().as_secs_f64()
    );
    if !wrong.is_empty() {
        bail!("{} of {}:\n{}", wrong.len(), asked.len(), wrong.join("\n"));
    }
    ensure!(asked.len() >= 200 && refused == 2.0, "{} cases, {refused} routes", asked.len());
    ensure!(contradicted == 14.0, "{contradicted} routes that contradict the bundle");
    Ok(())
}

#[test]
fn every_case_is_decided_in_envoy_as_it_says() {
    play().unwrap();
}
