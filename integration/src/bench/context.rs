//! What the tenant context costs.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use super::algorithms::{self, Algorithm};
use super::figures::{Figure, Figures};
use super::issuers::{self, Probe, SIZES};
use super::proxies::{Filter, Place, Proxy, app};
use super::rounds::{Case, Driven, warm_up};
use super::{Effort, roots};
use crate::certificates::Workload;
use crate::host::{Host, sample};
use crate::ports::free;
use crate::process::Process;
use crate::raw::{Connection, Request};
use crate::served::served;
use crate::site::{Site, compile};
use crate::variant::Variant;
use crate::{artefacts, cli};

/// Tenants besides those of the sample.
const TENANTS: usize = 50;
/// Tokens that a sidecar remembers (`Memo::CAPACITY`).
const REMEMBERED: usize = 4096;

/// Measures everything. Gives the figures, and the ratio of instructions that [`issuers::ALLOWED`] bounds.
pub fn run(effort: Effort, progress: fn(&str)) -> Result<(Figures, f64)> {
    progress("a tenancy directory with an issuer of every algorithm");
    let variant = Variant::prepare("bench-context", &[])?;
    let (algorithms, key_set) = algorithms::all()?;
    fs::write(variant.site.keys().join("bench.jwks.json"), key_set.to_string())?;
    variant.append("mesh.yaml", &algorithms::entry())?;
    for n in 0..TENANTS {
        fs::write(variant.tenancy(&format!("tenants/{}.yaml", tenant(n))), issuers::tenant_file(&tenant(n)))?;
    }
    let site = &variant.site;
    compile(&variant.tenancy(""), &site.keys(), &site.bundles(), Some(6))?;
    let app = app()?;
    let mut figures = Figures::default();
    jwt(site, app, &algorithms, effort, &mut figures, progress)?;
    root(site, app, effort, &mut figures, progress)?;
    let worst = many_issuers(site, app, effort, &mut figures, progress)?;
    memory(site, &algorithms, &mut figures, progress)?;
    Ok((figures, worst))
}

fn tenant(n: usize) -> String {
    format!("tenant-{n:02}")
}

fn serve(site: &Site, bundles: &Path, name: &str) -> Result<(Process, u16)> {
    let [port] = free()?;
    let process = Process::start(name, &mut cli::serve(bundles, &site.keys(), port)?, &site.directory.join("logs"))?;
    Ok((process, port))
}

fn order(host: &str, token: &str) -> Request {
    Request::get("/orders/17").header("host", host).header("authorization", format!("Bearer {token}"))
}

fn plain(proxy: Proxy, probe: &Request) -> Result<Driven> {
    Driven::new(proxy, probe, |proxy| Connection::plain(proxy.address))
}

/// Tokens of every algorithm, known and unknown, with both ways to check a signature.
fn jwt(
    site: &Site,
    app: u16,
    algorithms: &[Algorithm],
    effort: Effort,
    into: &mut Figures,
    progress: fn(&str),
) -> Result<()> {
    let (_bundles, bundles) = serve(site, &site.bundles(), "bundles")?;
    let place = Place { site, bundles, app };
    let host = "acme.shop.example";
    let known = algorithms.iter().map(|a| Ok(order(host, &a.tokens("acme", 1)?.remove(0))));
    let known: Vec<Request> = known.collect::<Result<_>>()?;
    let mut proxies = Vec::new();
    for filter in [Filter::Bare, Filter::NoOp, Filter::Partywall, Filter::Pure] {
        progress(&format!("an edge Envoy: {}", filter.word()));
        let proxy = Proxy::edge(&place, &format!("edge-{}", filter.word()), filter)?;
        proxies.push(plain(proxy, &known[0])?);
    }
    let mut cases = Vec::new();
    for (algorithm, known) in algorithms.iter().zip(&known) {
        progress(&format!("signing tokens: {}", algorithm.name));
        let tokens = algorithm.tokens("acme", (1 + effort.rounds) * effort.requests)?;
        let unknown: Vec<Vec<u8>> = tokens.iter().map(|token| order(host, token).bytes()).collect();
        let warm = Case::new(format!("jwt/warm/{}", algorithm.name));
        let cold = Case::new(format!("jwt/cold/{}", algorithm.name));
        cases.push((algorithm, vec![known.bytes(); effort.requests], unknown, warm, cold));
    }
    progress("warming up");
    warm_up(&mut proxies, &known[0].bytes(), effort)?;
    for (_, _, unknown, ..) in &cases {
        for driven in &mut proxies {
            driven.drive(&unknown[effort.rounds * effort.requests..])?;
        }
    }
    for round in 0..effort.rounds {
        progress(&format!("tokens, round {} of {}", round + 1, effort.rounds));
        for (_, known, unknown, warm, cold) in &mut cases {
            warm.round(&mut proxies, known)?;
            let from = round * effort.requests;
            cold.round(&mut proxies, &unknown[from..from + effort.requests])?;
        }
    }
    for (n, (algorithm, _, _, warm, cold)) in cases.iter().enumerate() {
        if n == 0 {
            warm.bare(&proxies, into);
        }
        warm.figures(
            &proxies,
            |proxy| match proxy.filter {
                Filter::NoOp if n == 0 => Some("no-op"),
                Filter::Partywall => Some(""),
                _ => None,
            },
            into,
        )?;
        cold.figures(
            &proxies,
            |proxy| match proxy.filter {
                // What the host cannot check is checked by the module in both.
                Filter::Partywall => algorithm.native.then_some("host"),
                Filter::Pure => Some("pure"),
                _ => None,
            },
            into,
        )?;
    }
    Ok(())
}

/// Root contexts at a sidecar, known and unknown, from the edge over mutual TLS. Spread over many tenants, as the
/// places for contexts are: one tenant alone would fill its share of them within a second.
fn root(site: &Site, app: u16, effort: Effort, into: &mut Figures, progress: fn(&str)) -> Result<()> {
    let (_bundles, bundles) = serve(site, &site.bundles(), "bundles")?;
    let place = Place { site, bundles, app };
    let mut edge = roots::Edge::from_environment(&site.environment("edge")?)?;
    let request = |root: &str| Request::get("/orders/17").header("host", "orders").header("x-partywall-context", root);
    let mut some = |number: usize| -> Result<Vec<Vec<u8>>> {
        (0..number).map(|n| Ok(request(&edge.sign(&tenant(n % TENANTS))?).bytes())).collect()
    };
    let mut proxies = Vec::new();
    for filter in [Filter::Bare, Filter::Partywall] {
        progress(&format!("an Envoy for the sidecar of orders: {}", filter.word()));
        let proxy = Proxy::orders(&place, &format!("orders-{}", filter.word()), filter)?;
        let probe = request(&roots::Edge::from_environment(&site.environment("edge")?)?.sign("acme")?);
        proxies.push(Driven::new(proxy, &probe, |proxy| {
            Connection::mutual_tls(proxy.address, site.certificates.of(Workload::Edge))
        })?);
    }
    progress("warming up");
    let requests = some(effort.requests.max(1000))?;
    for driven in &mut proxies {
        driven.drive(&requests)?;
    }
    let (mut warm, mut cold) = (Case::new("root/warm"), Case::new("root/cold"));
    for round in 0..effort.rounds {
        progress(&format!("root contexts, round {} of {}", round + 1, effort.rounds));
        // A root lives for a minute, so each round has its own.
        cold.round(&mut proxies, &some(effort.requests)?)?;
        let known = some(TENANTS)?;
        for driven in &mut proxies {
            driven.drive(&known)?;
        }
        let known: Vec<Vec<u8>> = known.iter().cycle().take(effort.requests).cloned().collect();
        warm.round(&mut proxies, &known)?;
    }
    warm.bare(&proxies, into);
    for case in [warm, cold] {
        case.figures(&proxies, |_| Some(""), into)?;
    }
    Ok(())
}

fn many_issuers(site: &Site, app: u16, effort: Effort, into: &mut Figures, progress: fn(&str)) -> Result<f64> {
    let probes = Probe::make();
    for size in SIZES {
        progress(&format!("a tenancy directory with {size} issuers"));
        issuers::prepare(site, size, &probes)?;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let worst = issuers::count(site, &probes, now, into, progress)?;

    let mut sized = Vec::new();
    for size in SIZES {
        let (server, bundles) =
            serve(site, &site.directory.join(format!("bundles-{size}")), &format!("bundles-{size}"))?;
        sized.push((size, server, Place { site, bundles, app }));
    }
    let requests = |per: usize, id: &str| -> Result<Vec<Vec<u8>>> {
        let token = |n: usize| {
            let probe = &probes[n % probes.len()];
            Ok(order(&probe.host(), &probe.token(&format!("{id}-{n}"))?).bytes())
        };
        (0..per).map(token).collect()
    };
    let first = order(&probes[0].host(), &probes[0].token("first")?);
    let mut proxies = Vec::new();
    progress("an edge Envoy for each, and a bare one");
    let bare = Proxy::edge(&sized[0].2, "edge-issuers-bare", Filter::Bare)?;
    proxies.push(plain(bare, &first)?);
    for (size, _, place) in &sized {
        let proxy = Proxy::edge(place, &format!("edge-{size}"), Filter::Partywall)?;
        proxies.push(plain(proxy, &first)?);
    }
    warm_up(&mut proxies, &first.bytes(), effort)?;
    let (mut warm, mut cold) = (Case::new("warm"), Case::new("cold"));
    let known: Vec<Vec<u8>> = requests(probes.len(), "known")?.into_iter().cycle().take(effort.requests).collect();
    for round in 0..effort.rounds {
        progress(&format!("issuers, round {} of {}", round + 1, effort.rounds));
        warm.round(&mut proxies, &known)?;
        cold.round(&mut proxies, &requests(effort.requests, &format!("round-{round}"))?)?;
    }
    for (heat, case) in [("warm", warm), ("cold", cold)] {
        case.compared(heat, &SIZES, into)?;
    }
    Ok(worst)
}

/// The memory of the VM before and after it remembers as many tokens as it can.
fn memory(site: &Site, algorithms: &[Algorithm], into: &mut Figures, progress: fn(&str)) -> Result<()> {
    progress("filling the memory for tokens");
    let Some(es256) = algorithms.iter().find(|a| a.name == "ES256") else { anyhow::bail!("no ES256") };
    let served = served(&site.bundles(), &site.keys(), &site.directory.join("logs"))?;
    let secrets = [("PARTYWALL_ISSUER_KEYS".to_owned(), algorithms::ISSUER_KEYS.to_owned())];
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (module, keys) = (artefacts::module()?, site.keys());
    let place = sample::Place { module: &module, keys: &keys, served: &served, secrets: &secrets, now };
    let mut host = sample::edge(&place)?;
    let mut tokens = Vec::new();
    for n in 0..TENANTS {
        let share = REMEMBERED / TENANTS + usize::from(n < REMEMBERED % TENANTS);
        tokens.extend(
            es256
                .tokens(&tenant(n), 2 * share)?
                .into_iter()
                .enumerate()
                .map(|(at, token)| (at < share, tenant(n), token)),
        );
    }
    let empty = host.memory();
    let mut show = |first: bool| -> Result<(u32, u64)> {
        let mut verified = 0;
        for (_, tenant, token) in tokens.iter().filter(|(of_the_first, ..)| *of_the_first == first) {
            verified += signatures_checked(&mut host, tenant, token)?;
        }
        Ok((verified, host.memory()))
    };
    let (verified, full) = show(true)?;
    let (again, _) = show(true)?;
    ensure!(
        verified as usize == REMEMBERED && again == 0,
        "{verified} tokens verified, then {again}: not all remembered"
    );
    let (_, twice) = show(false)?;
    let mut add = |name: &str, value: f64| {
        let ratio_to = (name != "memory/token").then(|| ("memory/no tokens".to_owned(), value / empty as f64));
        into.add(Figure { name: name.into(), value, unit: "bytes", spread: None, ratio_to });
    };
    add("memory/no tokens", empty as f64);
    add("memory/4096 tokens", full as f64);
    add("memory/8192 tokens, half forgotten", twice as f64);
    add("memory/token", (full - empty) as f64 / REMEMBERED as f64);
    Ok(())
}

fn signatures_checked(host: &mut Host, tenant: &str, token: &str) -> Result<u32> {
    let (authority, authorization) = (format!("{tenant}.shop.example"), format!("Bearer {token}"));
    let outcome = host.request(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", &authority),
        (":path", "/orders/17"),
        ("authorization", &authorization),
    ])?;
    ensure!(outcome.passed(), "{}", outcome.field("partywall.reason"));
    Ok(outcome.callbacks.iter().filter_map(|(_, cost)| cost.calls.get("call_foreign_function")).sum())
}
