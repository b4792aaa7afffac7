//! 5,000 policies: what the longest tick costs while a bundle with all of them comes into force.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::artefacts;
use partywall_integration::host::Host;
use partywall_integration::host::sample::{Place, edge};
use partywall_integration::issuers::{Provider, viewer};
use partywall_integration::many_policies;
use partywall_integration::mesh::unique;
use partywall_integration::roots::secret;
use partywall_integration::served::served;
use partywall_integration::site::{Site, compile, tenancy};
use partywall_integration::statement::{BUNDLE, Statement, sign};
use partywall_integration::variant::copy;

const MANY: usize = 5_000;
/// The most instructions of one tick, set by what was measured: `docs/performance.md` says how long that is.
const LONGEST: u64 = 20_000_000;
/// The same for the last tick, in which the tables are made and what was in force before is given up.
const LAST: u64 = 100_000_000;

fn revision(host: &Host) -> u64 {
    let found = host.world().metrics().iter().find(|(name, _)| name == "partywall_bundle_revision");
    found.map_or(0, |(_, value)| *value)
}

#[test]
fn five_thousand_policies_come_into_force_between_requests() {
    let site = Site::prepare("many-policies", |_| ()).unwrap();
    let directory = site.directory.join("tenancy");
    copy(&tenancy(), &directory).unwrap();
    many_policies::write(&directory, MANY).unwrap();
    compile(&directory, &site.keys(), &site.bundles(), Some(10)).unwrap();
    let first = served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap();
    let path = "/tenancy.edge.bundle";
    let seed = secret(fs::read_to_string(site.keys().join("bundle-1.key")).unwrap().trim()).unwrap();
    let next = Statement { number: 11, ..Statement::read(&first[path]).unwrap() };
    let mut second = first.clone();
    second.insert(path.into(), sign(BUNDLE, &next.body(), "bundle-1", &seed).unwrap());

    let token = site.issuers.token(&viewer(Provider::Acme, "acme"), &unique()).unwrap();
    let authorization = format!("Bearer {token}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let module = artefacts::module().unwrap();
    let mut host = edge(&Place { module: &module, keys: &site.keys(), served: &first, secrets: &[], now }).unwrap();
    let ask = |host: &mut Host| {
        let outcome = host
            .request(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "acme.shop.example"),
                (":path", "/orders/17"),
                ("authorization", &authorization),
            ])
            .unwrap();
        assert!(outcome.passed(), "{}", outcome.field("partywall.reason"));
    };
    ask(&mut host);
    host.world_mut().serve(second);
    let mut ticks = Vec::new();
    while revision(&host) != 11 {
        assert!(ticks.len() < 8_000, "not in force: {}", host.world().log().join("\n"));
        ticks.push(host.tick(1).unwrap().instructions);
        ask(&mut host);
    }
    let last = ticks.pop().unwrap_or_default();
    let longest = ticks.iter().max().copied().unwrap_or_default();
    let (busy, bytes) = (ticks.iter().filter(|n| **n > 100_000).count(), first[path].len());
    println!(
        "{MANY} policies, {bytes} bytes: {busy} ticks with work, {longest} instructions in the longest, {last} in the last"
    );
    assert!(longest <= LONGEST && last <= LAST, "{longest} instructions in one tick, {last} in the last");
}
