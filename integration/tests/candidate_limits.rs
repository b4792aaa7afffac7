//! What no candidate can lift, however many tenants it decides for: in the host that counts.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::host::sample::{Place, edge};
use partywall_integration::host::{Host, Outcome};
use partywall_integration::issuers::{Provider, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::served::served;
use partywall_integration::site::{Site, compile, tenancy};
use partywall_integration::variant::copy;
use partywall_integration::{artefacts, cli};
use serde_json::Value;

const HELLO: &str =
    "\n  - { http: \"GET /hello\", action: \"orders:hello\", resource: Order, owner: none, anonymous: true }\n";
const PERMIT: &str = "\n@id(\"hello\")\npermit (principal, action == Action::\"orders:hello\", resource);\n";

fn edit(file: &std::path::Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

fn append(file: &std::path::Path, text: &str) {
    fs::write(file, fs::read_to_string(file).unwrap() + text).unwrap();
}

fn ask(host: &mut Host, tenant: &str, path: &str, token: Option<&str>) -> Outcome {
    let authority = format!("{tenant}.shop.example");
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![(":method", "GET"), (":scheme", "http"), (":authority", &*authority), (":path", path)];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    host.request(&headers).unwrap()
}

/// The revision that is tried out, 0 for none.
fn tried(host: &Host) -> u64 {
    let found = host.world().metrics().iter().find(|(name, _)| name == "partywall_candidate_revision");
    found.map_or(0, |(_, value)| *value)
}

fn told(outcome: &Outcome) -> (bool, String, Option<Value>) {
    let candidate = outcome.field("partywall.candidate");
    (outcome.passed(), outcome.field("partywall.reason"), serde_json::from_str(&candidate).ok())
}

#[test]
fn a_candidate_lets_nobody_in_whom_either_bundle_keeps_out() {
    let site = Site::prepare("candidate-limits", |_| ()).unwrap();
    let directory = site.directory.join("tenancy");
    copy(&tenancy(), &directory).unwrap();
    let file = |name: &str| directory.join(name);
    append(&file("services/orders.yaml"), HELLO);
    append(&file("policies/readers.cedar"), PERMIT);
    edit(&file("tenants/globex.yaml"), "status: active", "status: suspended");
    compile(&directory, &site.keys(), &site.bundles(), Some(10)).unwrap();
    // The candidate has it the other way round, and asks everybody for a credential.
    edit(&file("tenants/globex.yaml"), "status: suspended", "status: active");
    edit(&file("tenants/initech.yaml"), "status: active", "status: quarantined");
    edit(&file("services/orders.yaml"), "anonymous: true }\n", "anonymous: false }\n");
    fs::remove_file(file("policies/wall.cedar")).unwrap();
    let (keys, out) = (site.keys(), site.bundles());
    let [tenants, keys, out] = [&directory, &keys, &out].map(|path| cli::text(path).unwrap());
    let candidate = |how: &[&str]| {
        let arguments = ["compile", tenants, "--keys", keys, "--out", out, "--candidate"];
        cli::run(&[&arguments[..], how].concat()).unwrap();
        served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap()
    };
    let shadow = candidate(&["--tenant", "acme"]);
    let all = candidate(&["--percent", "100"]);
    let token = |tenant: &'static str| site.issuers.token(&viewer(Provider::Shared, tenant), &unique()).unwrap();
    let (acme, globex, initech) = (token("acme"), token("globex"), token("initech"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let module = artefacts::module().unwrap();
    let start = |served, revision: u64| {
        let mut host = edge(&Place { module: &module, keys: &site.keys(), served, secrets: &[], now }).unwrap();
        for _ in 0..400 {
            if tried(&host) == revision {
                return host;
            }
            host.tick(50).unwrap();
        }
        panic!("not tried out: {}", host.world().log().join("\n"));
    };

    // In shadow for all but acme: their answers are the bundle's, the differences are told.
    let mut host = start(&shadow, 11);
    let (passed, reason, difference) = told(&ask(&mut host, "globex", "/orders/1", Some(&globex)));
    // Denied where its context is established: no candidate is asked.
    assert_eq!((passed, reason.as_str(), difference), (false, "tenant_suspended", None));
    let (passed, _, difference) = told(&ask(&mut host, "initech", "/orders/1", Some(&initech)));
    let difference = difference.expect("a difference");
    assert_eq!((passed, &difference["reason"]), (true, &"tenant_quarantined".into()), "{difference}");
    let (passed, _, difference) = told(&ask(&mut host, "initech", "/hello", None));
    assert_eq!((passed, &difference.expect("a difference")["decision"]), (true, &"deny".into()));
    let (passed, reason, difference) = told(&ask(&mut host, "acme", "/hello", None));
    assert_eq!((passed, reason.as_str()), (false, "tenant_missing"), "{difference:?}");
    assert_eq!(told(&ask(&mut host, "acme", "/hello", Some(&acme))), (true, String::new(), None));

    // Deciding for everybody, it lets nobody in whom the bundle in force keeps out, nor whom it keeps out itself.
    let mut host = start(&all, 12);
    let (passed, reason, _) = told(&ask(&mut host, "globex", "/orders/1", Some(&globex)));
    assert_eq!((passed, reason.as_str()), (false, "tenant_suspended"));
    let (passed, reason, _) = told(&ask(&mut host, "initech", "/orders/1", Some(&initech)));
    assert_eq!((passed, reason.as_str()), (false, "tenant_quarantined"));
    let (passed, reason, _) = told(&ask(&mut host, "initech", "/hello", None));
    assert_eq!((passed, reason.as_str()), (false, "tenant_missing"));
    // Isolation is built in: a candidate without a wall has one all the same.
    let (passed, reason, _) = told(&ask(&mut host, "acme", "/tenants/globex/orders", Some(&acme)));
    assert_eq!((passed, reason.as_str()), (false, "resource_foreign"));

    // What the server has no more is asked for once more, a second later, with the bundle in between. It was fetched
    // just now, and is asked for within three seconds.
    let mut gone = all.clone();
    gone.remove("/tenancy.edge.candidate");
    host = start(&shadow, 11);
    host.world_mut().serve(all);
    for _ in 0..100 {
        if tried(&host) != 12 {
            host.tick(50).unwrap();
        }
    }
    host.world_mut().serve(gone);
    let after = |host: &mut Host, milliseconds: u64| {
        for _ in 0..milliseconds / 50 {
            host.tick(50).unwrap();
        }
        tried(host)
    };
    assert_eq!(after(&mut host, 3_250), 12, "one answer is not enough");
    assert_eq!(after(&mut host, 1_250), 0, "two are");
    let log = host.world().log();
    assert_eq!(log.iter().filter(|line| line.contains("the candidate was withdrawn")).count(), 1, "{log:?}");
}
