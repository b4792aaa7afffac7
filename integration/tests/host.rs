//! The module in the counting host: what it answers there is what it answers in Envoy, and what it asks for is bounded.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::artefacts;
use partywall_integration::certificates::Workload;
use partywall_integration::host::sample::{self, Place, edge, edge_that_explains, orders};
use partywall_integration::host::{Host, Outcome};
use partywall_integration::issuers::{Fault, Provider, Token, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::served::{Served, served};
use partywall_integration::site::{FIRST_REVISION, Site, compile, tenancy};
use partywall_integration::variant::copy;
use serde_json::{Value, json};

struct Sample {
    site: Site,
    served: Served,
    now: u64,
}

static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let site = Site::prepare("host", |_| ()).unwrap();
    let served = served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Sample { site, served, now }
});

fn place<T>(module: PathBuf, start: impl FnOnce(&Place<'_>) -> T) -> T {
    let Sample { site, served, now } = &*SAMPLE;
    start(&Place { module: &module, keys: &site.keys(), served, secrets: &[], now: *now })
}

fn edge_with(module: PathBuf) -> Host {
    place(module, |place| edge(place).unwrap())
}

fn token(token: &Token) -> String {
    format!("Bearer {}", SAMPLE.site.issuers.token(token, &unique()).unwrap())
}

/// As a client sends it to the edge, and as the edge's early header mutation leaves it.
fn ask(host: &mut Host, authorization: Option<&str>) -> Outcome {
    let mut headers = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "acme.shop.example"),
        (":path", "/orders/17"),
        ("x-partywall-tenant", "globex"),
    ];
    headers.extend(authorization.map(|value| ("authorization", value)));
    host.request(&headers).unwrap()
}

fn value(outcome: &Outcome, name: &str) -> Vec<String> {
    let found = outcome.headers.iter().filter(|(known, _)| known == name);
    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

fn calls(outcome: &Outcome, callback: &str, name: &str) -> u32 {
    let cost = outcome.callbacks.iter().find(|(known, _)| *known == callback).map(|(_, cost)| cost);
    cost.unwrap().calls.get(name).copied().unwrap_or(0)
}

fn total(outcome: &Outcome, callback: &str) -> u32 {
    outcome.callbacks.iter().find(|(known, _)| *known == callback).unwrap().1.host_calls()
}

#[test]
fn a_valid_token_is_let_in_and_everything_else_is_answered() {
    let mut host = edge_with(artefacts::module().unwrap());
    let good = viewer(Provider::Shared, "acme");
    let let_in = ask(&mut host, Some(&token(&good)));
    assert!(let_in.passed());
    assert_eq!(value(&let_in, "x-partywall-tenant"), ["acme"]);
    assert_eq!(value(&let_in, "x-partywall-context").len(), 1);
    assert_eq!(let_in.field("partywall.decision"), "allow");

    for (authorization, reason) in [
        (None, "tenant_missing"),
        (Some(token(&good.with(Fault::BadSignature))), "credential_invalid"),
        (Some(token(&good.with(Fault::Expired))), "credential_expired"),
        (Some(token(&viewer(Provider::Shared, "globex"))), "tenant_conflict"),
    ] {
        let denied = ask(&mut host, authorization.as_deref());
        assert!(!denied.passed(), "{reason}");
        assert_eq!(denied.field("partywall.reason"), reason);
        assert_eq!(value(&denied, "x-partywall-tenant"), [""; 0], "{reason}");
    }
}

#[test]
fn a_root_that_the_edge_signed_is_let_in_from_whom_the_service_lists() {
    let mut host = edge_with(artefacts::module().unwrap());
    let root = value(&ask(&mut host, Some(&token(&viewer(Provider::Shared, "acme")))), "x-partywall-context").remove(0);
    for (caller, reason) in [(Workload::Edge, ""), (Workload::Reports, "caller_denied")] {
        let mut orders = place(artefacts::module().unwrap(), |place| orders(place, caller.spiffe_id()).unwrap());
        let headers = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "orders"),
            (":path", "/orders/17"),
            ("x-partywall-context", root.as_str()),
        ];
        let outcome = orders.request(&headers).unwrap();
        assert_eq!(outcome.field("partywall.reason"), reason);
        assert_eq!(value(&outcome, "x-partywall-tenant"), if reason.is_empty() { vec!["acme"] } else { vec![] });
    }
}

/// A budget: a call costs about a microsecond in Envoy, and one more should be a decision.
#[test]
fn a_request_asks_little_of_the_host() {
    let mut host = edge_with(artefacts::module().unwrap());
    ask(&mut host, Some(&token(&viewer(Provider::Shared, "acme"))));
    let token = token(&viewer(Provider::Shared, "acme"));
    let (cold, warm) = (ask(&mut host, Some(&token)), ask(&mut host, Some(&token)));
    for (callback, cost) in &warm.callbacks {
        println!("{callback}: {} instructions, host calls {:?}", cost.instructions, cost.calls);
    }
    assert!(cold.passed() && warm.passed());
    assert_eq!(calls(&cold, "request_headers", "call_foreign_function"), 1, "a new token is verified");
    assert_eq!(calls(&warm, "request_headers", "call_foreign_function"), 0, "a known one is not");
    assert_eq!(calls(&warm, "request_headers", "get_header_map"), 1);
    assert!(total(&warm, "request_headers") <= 25, "{}", total(&warm, "request_headers"));
    assert!(total(&warm, "response_headers") <= 3, "{}", total(&warm, "response_headers"));
    for callback in ["context_create", "done", "log", "delete"] {
        assert_eq!(total(&warm, callback), 0, "{callback}");
    }
}

/// What a route says is asked for in one call where it says nothing, and in seven where it says something; nobody asks
/// where the bundle does not listen.
#[test]
fn a_route_costs_what_it_says_and_only_where_the_bundle_listens() {
    let Sample { site, served: silent, now } = &*SAMPLE;
    let directory = site.directory.join("listening");
    copy(&tenancy(), &directory).unwrap();
    let orders = directory.join("services/orders.yaml");
    fs::write(&orders, fs::read_to_string(&orders).unwrap() + "routes: fill\n").unwrap();
    let folder = site.directory.join("bundles-listening");
    compile(&directory, &site.keys(), &folder, Some(FIRST_REVISION)).unwrap();
    let listening = served(&folder, &site.keys(), &site.directory.join("logs")).unwrap();
    let namespace = ["xds", "route_metadata", "filter_metadata", "partywall"];
    let cost = |served: &Served, words: &[(&str, &str)]| {
        let module = artefacts::module().unwrap();
        let place = Place { module: &module, keys: &site.keys(), served, secrets: &[], now: *now };
        let mut host = edge(&place).unwrap();
        if !words.is_empty() {
            host.world_mut().set_property(&namespace, "a map");
        }
        for (name, value) in words {
            host.world_mut().set_property(&[&namespace[..], &[*name]].concat(), *value);
        }
        let token = token(&viewer(Provider::Shared, "acme"));
        ask(&mut host, Some(&token));
        let asked = ask(&mut host, Some(&token));
        (calls(&asked, "request_headers", "get_property"), asked.field("partywall.reason"))
    };
    let (same, other) = ([("action", "orders:read"), ("resource", "Order")], [("action", "orders:list")]);
    let (before, _) = cost(silent, &[]);
    assert_eq!(cost(silent, &other), (before, String::new()), "nobody listens");
    assert_eq!(cost(&listening, &[]), (before + 1, String::new()));
    assert_eq!(cost(&listening, &same), (before + 7, String::new()));
    assert_eq!(cost(&listening, &other), (before + 7, "resource_unmapped".to_owned()));
    println!(
        "property reads: {before} where nobody listens, {} of a silent route, {} of one that speaks",
        before + 1,
        before + 7
    );
}

#[test]
fn what_decisions_were_made_on_is_written_for_those_that_are_wanted() {
    let (good, bad) = (viewer(Provider::Shared, "acme"), viewer(Provider::Shared, "globex"));
    for (explain, of_allowed, of_denied) in [("all", true, true), ("denials", false, true), ("off", false, false)] {
        let mut host = place(artefacts::module().unwrap(), |place| edge_that_explains(place, explain).unwrap());
        let (allowed, denied) = (ask(&mut host, Some(&token(&good))), ask(&mut host, Some(&token(&bad))));
        assert!(allowed.passed() && !denied.passed());
        for (outcome, written) in [(&allowed, of_allowed), (&denied, of_denied)] {
            let explained = outcome.field("partywall.explain");
            assert_eq!(explained.starts_with("{\"partywall\":1,"), written, "{explain}: {explained}");
        }
    }
    let refused = place(artefacts::module().unwrap(), |place| edge_that_explains(place, "some").err());
    let why = format!("{:#}", refused.unwrap());
    assert!(why.contains("expected one of `all`, `denials`, `off`"), "{why}");
}

fn linked(more: Value) -> Host {
    let mut more = more;
    more["secrets"]["audit_chain"] = "PARTYWALL_AUDIT_CHAIN".into();
    place(artefacts::module().unwrap(), |place| sample::edge_with(place, more).unwrap())
}

/// What numbering a decision costs, and that nobody pays for it who did not ask.
#[test]
fn a_link_costs_a_bounded_number_of_instructions() {
    let token = token(&viewer(Provider::Shared, "acme"));
    let warm = |mut host: Host| {
        (0..4).for_each(|_| drop(ask(&mut host, Some(&token))));
        let outcome = ask(&mut host, Some(&token));
        let instructions: u64 = outcome.callbacks.iter().map(|(_, cost)| cost.instructions).sum();
        let calls = total(&outcome, "request_headers");
        (instructions, calls, outcome.field("partywall.chain").to_owned())
    };
    let (plain, plain_calls, none) = warm(edge_with(artefacts::module().unwrap()));
    let (with, calls, link) = warm(linked(json!({})));
    println!("{plain} instructions without a link, {with} with one of {} bytes", link.len());
    assert!(none.is_empty() && link.starts_with("v=1 key=edge-1 boot="), "{link}");
    assert_eq!(calls, plain_calls + 2, "one look whether there is a link, and one to write it");
    assert!(with - plain <= 200_000, "{}", with - plain);
}

#[test]
fn a_share_of_what_was_let_in_is_written_down_and_each_denial() {
    let (good, bad) = (token(&viewer(Provider::Shared, "acme")), token(&viewer(Provider::Shared, "globex")));
    for (share, at_least, at_most) in [(json!(0), 0, 0), (json!("0.5"), 20, 80), (json!(1.0), 100, 100)] {
        let mut host = linked(json!({ "log": { "allows": share } }));
        let mut written = 0;
        for _ in 0..100 {
            let outcome = ask(&mut host, Some(&good));
            assert!(outcome.passed());
            let has_link = !outcome.field("partywall.chain").is_empty();
            assert_eq!(has_link, !outcome.field("partywall.explain").is_empty());
            let told = if share == 1.0 { "" } else { ["no", "yes"][usize::from(has_link)] };
            assert_eq!(outcome.field("partywall.log"), told);
            written += u32::from(has_link);
        }
        println!("{written} of 100 at {share}");
        assert!((at_least..=at_most).contains(&written), "{written} of 100 at {share}");
        let denied = ask(&mut host, Some(&bad));
        assert!(!denied.passed() && denied.field("partywall.chain").contains(&format!(" n={written} ")));
    }
    for wrong in [json!(-0.1), json!("1.1"), json!("half"), json!("NaN")] {
        let log = json!({ "log": { "allows": wrong } });
        let refused = place(artefacts::module().unwrap(), |place| sample::edge_with(place, log).err());
        assert!(format!("{:#}", refused.unwrap()).contains("`log.allows` must be from 0 to 1"));
    }
}

#[test]
fn the_module_without_host_signatures_asks_for_none() {
    let mut host = edge_with(artefacts::pure_module().unwrap());
    for provider in [Provider::Acme, Provider::Shared] {
        let outcome = ask(&mut host, Some(&token(&viewer(provider, "acme"))));
        assert!(outcome.passed(), "{provider:?}");
        assert_eq!(calls(&outcome, "request_headers", "call_foreign_function"), 0, "{provider:?}");
        let bad = ask(&mut host, Some(&token(&viewer(provider, "acme").with(Fault::BadSignature))));
        assert_eq!(bad.field("partywall.reason"), "credential_invalid", "{provider:?}");
    }
}

#[test]
fn a_host_without_signatures_changes_nothing_but_the_cost() {
    let mut host = edge_with(artefacts::module().unwrap());
    host.world_mut().check_signatures(false);
    let outcome = ask(&mut host, Some(&token(&viewer(Provider::Shared, "acme"))));
    assert!(outcome.passed());
    let bad = ask(&mut host, Some(&token(&viewer(Provider::Shared, "acme").with(Fault::BadSignature))));
    assert_eq!(bad.field("partywall.reason"), "credential_invalid");
}

#[test]
fn the_same_input_has_the_same_count() {
    let good = token(&viewer(Provider::Shared, "acme"));
    let count = || {
        let mut host = edge_with(artefacts::module().unwrap());
        let counts: Vec<u64> = (0..3).map(|_| ask(&mut host, Some(&good)).instructions()).collect();
        counts
    };
    assert_eq!(count(), count());
}
