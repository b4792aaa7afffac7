//! Tenancy directories with many issuers: as many tenants, one issuer for each, every one with a key of its own.
//!
//! Three issuers are in each of them, with the same keys and names: one that sorts before all others, one in the
//! middle, one after all. Their tokens are what is compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use jwt_simple::prelude::{Claims, Duration, ECDSAP256KeyPairLike, ES256KeyPair};
use serde_json::{Value, json};

use super::Bound;
use super::figures::{Figure, Figures};
use crate::host::sample::{Place, edge};
use crate::host::{Host, Outcome};
use crate::served::served;
use crate::site::{Site, compile};
use crate::{artefacts, variant};

/// How many issuers, the fewest first: with these the others are compared.
pub const SIZES: [usize; 3] = [50, 500, 5000];
/// How much more than with the fewest a request may cost, in instructions.
pub const ALLOWED: f64 = 1.10;

/// Whether `worst`, what more issuers cost by what the fewest cost, keeps within [`ALLOWED`].
pub fn bound(worst: f64) -> Bound {
    let what = format!(
        "More issuers cost at most {worst:.2} times the instructions of {} issuers; {ALLOWED:.2} are allowed",
        SIZES[0]
    );
    Bound { what, kept: worst <= ALLOWED }
}

const LAST: usize = 99_999;
const MIDDLE: usize = 50_000;

/// One of the three.
pub struct Probe {
    /// Where it stands among the others.
    pub place: &'static str,
    number: usize,
    key: ES256KeyPair,
}

impl Probe {
    /// All three, with new keys.
    pub fn make() -> Vec<Self> {
        let probe = |(place, number)| Self { place, number, key: ES256KeyPair::generate().with_key_id("es-1") };
        [("first", 0), ("middle", MIDDLE), ("last", LAST)].map(probe).into()
    }

    /// A token of a viewer of its tenant.
    pub fn token(&self, id: &str) -> Result<String> {
        let claims = json!({ "tenant": tenant(self.number), "roles": ["viewer"] });
        self.key.sign(
            Claims::with_custom_claims(claims, Duration::from_hours(2))
                .with_issuer(issuer(self.number))
                .with_subject("carol")
                .with_audience("shop")
                .with_jwt_id(id),
        )
    }

    /// The host that its tenant is called by.
    pub fn host(&self) -> String {
        format!("{}.shop.example", tenant(self.number))
    }
}

fn tenant(number: usize) -> String {
    format!("t-{number:05}")
}

fn issuer(number: usize) -> String {
    format!("https://id-{number:05}.example")
}

/// Writes a tenancy directory with so many issuers, their key sets into the keys folder of `site`, and compiles it
/// into `bundles-<size>` of the site.
pub fn prepare(site: &Site, size: usize, probes: &[Probe]) -> Result<()> {
    let folder = site.directory.join(format!("tenancy-{size}"));
    variant::copy(&crate::site::tenancy(), &folder)?;
    let mesh = fs::read_to_string(folder.join("mesh.yaml"))?;
    let (before, _) = mesh.split_once("\nissuers:\n").context("mesh.yaml has no `issuers:`")?;
    let mut mesh = format!("{before}\nissuers:\n");
    let others = (1..=size / 2).chain(MIDDLE + 1..).take(size - probes.len());
    for number in others {
        let key = ES256KeyPair::generate().with_key_id("es-1");
        add(site, &folder, &mut mesh, number, &key)?;
    }
    for probe in probes {
        add(site, &folder, &mut mesh, probe.number, &probe.key)?;
    }
    fs::write(folder.join("mesh.yaml"), mesh)?;
    compile(&folder, &site.keys(), &site.directory.join(format!("bundles-{size}")), Some(1))
}

fn add(site: &Site, folder: &Path, mesh: &mut String, number: usize, key: &ES256KeyPair) -> Result<()> {
    let (tenant, file) = (tenant(number), format!("many-{number:05}.jwks.json"));
    let mut jwk: Value = serde_json::from_str(&key.public_key().with_key_id("es-1").to_jwk())?;
    jwk["alg"] = json!("ES256");
    fs::write(site.keys().join(&file), json!({ "keys": [jwk] }).to_string())?;
    let entry = variant::entry(&issuer(number), &format!("jwks: {file}"));
    mesh.push_str(&entry.replace("tenants: all", &format!("tenants: [{tenant}]")));
    fs::write(folder.join(format!("tenants/{tenant}.yaml")), tenant_file(&tenant))?;
    Ok(())
}

/// The record of a tenant.
pub fn tenant_file(tenant: &str) -> String {
    format!("tenant: {tenant}\ntier: gold\nresidency: eu\nstatus: active\ncontacts: [ops@shop.example]\n")
}

/// Counts the instructions of a warm and a cold request for each probe and size, by the host's signature check and
/// without it. Gives the largest ratio to the fewest issuers.
pub fn count(site: &Site, probes: &[Probe], now: u64, into: &mut Figures, progress: fn(&str)) -> Result<f64> {
    let tokens = probes.iter().map(|probe| Ok((probe, [probe.token("count-1")?, probe.token("count-2")?])));
    let tokens: Vec<(&Probe, [String; 2])> = tokens.collect::<Result<_>>()?;
    let mut fewest: BTreeMap<String, f64> = BTreeMap::new();
    let mut worst: f64 = 0.0;
    for size in SIZES {
        progress(&format!("instructions with {size} issuers"));
        let bundles = site.directory.join(format!("bundles-{size}"));
        let served = served(&bundles, &site.keys(), &site.directory.join("logs"))?;
        for (word, module) in [("host", artefacts::module()?), ("pure", artefacts::pure_module()?)] {
            let mut host = edge(&Place { module: &module, keys: &site.keys(), served: &served, secrets: &[], now })?;
            for (probe, [first, second]) in &tokens {
                // The first of an issuer also defines the metrics of its tenant.
                ask(&mut host, probe, first)?;
                for (heat, outcome) in
                    [("cold", ask(&mut host, probe, second)?), ("warm", ask(&mut host, probe, second)?)]
                {
                    // What no signature is checked for is the same with both modules.
                    if (word, heat) == ("pure", "warm") {
                        continue;
                    }
                    let case = format!(
                        "{heat}/{}{}",
                        probe.place,
                        if heat == "cold" { format!("/{word}") } else { String::new() }
                    );
                    let value = outcome.instructions() as f64;
                    let base = *fewest.entry(case.clone()).or_insert(value);
                    worst = worst.max(value / base);
                    into.add(Figure {
                        name: format!("issuers/{size}/{case}"),
                        value,
                        unit: "instructions",
                        spread: None,
                        ratio_to: Some((format!("issuers/{}/{case}", SIZES[0]), value / base)),
                    });
                }
            }
        }
    }
    Ok(worst)
}

fn ask(host: &mut Host, probe: &Probe, token: &str) -> Result<Outcome> {
    let (authority, authorization) = (probe.host(), format!("Bearer {token}"));
    let outcome = host.request(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", &authority),
        (":path", "/orders/17"),
        ("x-request-id", "7b0e7b0c-3f0e-4d5f-8a0a-5d6f2f3c9a11"),
        ("authorization", &authorization),
    ])?;
    ensure!(outcome.passed(), "{}: {}", outcome.field("partywall.reason"), outcome.field("partywall.detail"));
    Ok(outcome)
}
