//! 100,000 tenants: what they weigh in a VM, and that no request waits for them.

use std::fmt::Write;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::host::Host;
use partywall_integration::host::sample::{Place, edge};
use partywall_integration::issuers::{Provider, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::served::served;
use partywall_integration::site::{Site, compile, tenancy};
use partywall_integration::variant::copy;
use partywall_integration::{artefacts, cli};

const MANY: usize = 100_000;
const MIB: u64 = 1024 * 1024;

fn gauge(host: &Host, wanted: &str) -> u64 {
    let found = host.world().metrics().iter().find(|(name, _)| name == wanted);
    found.map_or(0, |(_, value)| *value)
}

#[test]
fn a_hundred_thousand_tenants_fit_into_a_vm_and_are_loaded_between_requests() {
    let site = Site::prepare("scale", |_| ()).unwrap();
    let directory = site.directory.join("tenancy");
    copy(&tenancy(), &directory).unwrap();
    let mut lines = String::new();
    for n in 0..MANY {
        let (tier, residency) = (["gold", "silver", "bronze"][n % 3], ["eu", "us"][n % 2]);
        writeln!(
            lines,
            r#"{{"tenant": "customer-{n:06}", "tier": "{tier}", "status": "active", "residency": "{residency}"}}"#
        )
        .unwrap();
    }
    fs::write(directory.join("tenants/many.ndjson"), lines).unwrap();
    let serve = |revision| {
        compile(&directory, &site.keys(), &site.bundles(), Some(revision)).unwrap();
        served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap()
    };
    let small = served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap();
    let (first, second) = (serve(10), serve(11));
    let (tenants, keys, out) = (site.directory.join("tenancy"), site.keys(), site.bundles());
    let [tenants, keys, out] = [&tenants, &keys, &out].map(|path| cli::text(path).unwrap());
    let tried = |arguments: &[&str]| {
        cli::run(arguments).unwrap();
        served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap()
    };
    let candidate = tried(&["compile", tenants, "--keys", keys, "--out", out, "--candidate"]);
    let promoted = tried(&["promote", out, "--keys", keys, "--percent", "50"]);
    // The host's clock stands still between ticks, and nothing may come from its future.
    let token = |site: &Site| site.issuers.token(&viewer(Provider::Acme, "acme"), &unique()).unwrap();
    let tokens = [token(&site), token(&site), token(&site)];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let module = artefacts::module().unwrap();
    let start = |served| {
        let place = Place { module: &module, keys: &site.keys(), served, secrets: &[], now };
        edge(&place).unwrap()
    };
    let ask = |host: &mut Host, token: &str| {
        let outcome = host
            .request(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "acme.shop.example"),
                (":path", "/orders/17"),
                ("authorization", &format!("Bearer {token}")),
            ])
            .unwrap();
        assert!(outcome.passed(), "{}", outcome.field("partywall.reason"));
        outcome.instructions()
    };
    let few = ask(&mut start(&small), &tokens[0]);
    let mut host = start(&first);
    let loaded = host.memory();
    let many = ask(&mut host, &tokens[0]);
    let bytes = first["/tenancy.edge.bundle"].len();
    println!("{MANY} tenants: a bundle of {bytes} bytes, {} KiB of memory once it is loaded", loaded / 1024);
    println!("a request: {few} instructions with 3 tenants, {many} with {MANY}");
    assert!(loaded <= 16 * MIB, "{loaded} bytes");
    assert!(many * 10 <= few * 11, "{many} instructions, {few} with 3 tenants");

    // Another one comes into force, tick by tick, and requests go on in between.
    host.world_mut().serve(second);
    let mut longest = 0;
    let mut ticks = 0;
    while gauge(&host, "partywall_bundle_revision") != 11 {
        assert!(ticks < 2_000, "not in force: {}", host.world().log().join("\n"));
        longest = longest.max(host.tick(1).unwrap().instructions);
        ask(&mut host, &tokens[1]);
        ticks += 1;
    }
    println!("reload: {ticks} ticks, {longest} instructions in the longest, {} KiB at most", host.memory() / 1024);
    assert!(longest <= 10_000_000, "{longest} instructions in one tick");
    assert!(host.memory() <= 2 * loaded, "{} bytes, {loaded} before", host.memory());

    // A candidate beside it, and the next step of that: requests are decided by both.
    ask(&mut host, &tokens[2]);
    let alone = ask(&mut host, &tokens[2]);
    let mut steps = |files, step| {
        host.world_mut().serve(files);
        let mut longest = 0;
        let mut ticks = 0;
        while gauge(&host, "partywall_candidate_step") != step {
            assert!(ticks < 4_000, "not tried out: {}", host.world().log().join("\n"));
            longest = longest.max(host.tick(5).unwrap().instructions);
            ticks += 1;
        }
        // The first one defines a metric.
        ask(&mut host, &tokens[2]);
        (longest, host.memory(), ask(&mut host, &tokens[2]))
    };
    let (longest, beside, both) = steps(candidate, 1);
    println!("candidate: {longest} instructions in the longest tick, {} KiB with it", beside / 1024);
    println!("a request: {alone} instructions by the bundle alone, {both} beside a candidate");
    let (longest, most, both) = steps(promoted, 2);
    println!("its next step: {longest} instructions, {} KiB at most; a request: {both}", most / 1024);
    assert!(longest <= 10_000_000, "{longest} instructions in one tick");
    assert!(most <= 3 * loaded, "{most} bytes, {loaded} before");
}
