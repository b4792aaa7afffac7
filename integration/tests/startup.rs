//! Before there is anything to decide by, and when there never will be.

use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::bootstrap::Bootstrap;
use partywall_integration::certificates::Workload;
use partywall_integration::envoy::{Envoy, Start};
use partywall_integration::grpc;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options};
use partywall_integration::ports::local;
use partywall_integration::process::Process;
use partywall_integration::raw::Request;
use partywall_integration::services::{App, Place, headers, serve};
use partywall_integration::site::Site;
use partywall_integration::{cli, wait};

#[test]
fn without_a_bundle_every_hop_answers_503_and_nothing_passes_until_one_comes() {
    let mut mesh = Mesh::start(&Options { bundles: false, ..Options::named("no-bundle") }).unwrap();
    for hop in Hop::ALL {
        let request = mesh.client("GET", "acme", "/invoices/1", &accountant(Acme, "acme")).unwrap();
        let answer = mesh.send(hop, Workload::Edge, &request).unwrap();
        assert_eq!(answer.status, 503, "{hop}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{hop}");
        let to_a_sidecar = matches!(hop, Hop::InvoicesInbound | Hop::OrdersInbound);
        let told = if to_a_sidecar { "policy_unavailable" } else { "unavailable" };
        assert_eq!(answer.json()["reason"], "unavailable", "{hop}");
        assert_eq!(answer.reason(), told, "{hop}");
        mesh.line(|line| line.hop == hop && line.field("reason") == "policy_unavailable").unwrap();
    }
    for hop in [Hop::Edge, Hop::InvoicesOutbound] {
        let call = grpc::call(mesh.address(hop), "orders", "/shop.Orders/Get", &[], b"").unwrap();
        assert_eq!((call.status.as_str(), call.message.as_str()), ("14", "unavailable"), "{hop}: {call:?}");
        assert!(call.answer.headers_only, "{hop}: {call:?}");
    }
    for app in [App::Invoices, App::Orders] {
        assert!(mesh.seen(app).unwrap().is_empty());
    }
    mesh.start_bundles().unwrap();
    mesh.wait_for_policy().unwrap();
    let request = mesh.client("GET", "acme", "/invoices/1", &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&request).unwrap().status, 200);
}

#[test]
fn a_missing_secret_stops_envoy_and_the_message_names_the_variable() {
    let site = Site::prepare("missing-secret", |_| ()).unwrap();
    for (workload, variable) in [
        ("edge", "PARTYWALL_FINGERPRINT"),
        ("edge", "PARTYWALL_CONTEXT_SIGNING"),
        ("edge", "PARTYWALL_BUNDLE_KEYS"),
        ("orders", "PARTYWALL_SHARED_STATE"),
        ("orders", "PARTYWALL_FINGERPRINT"),
    ] {
        let mut how = site.start(workload).unwrap();
        how.environment.retain(|(name, _)| name != variable);
        let mut envoy = Envoy::start(how).unwrap();
        let status = envoy.wait_for_end().unwrap_or_else(|| panic!("{workload} runs without {variable}"));
        assert!(!status.success(), "{workload} without {variable}: {status}");
        assert!(envoy.errors().contains(variable), "{workload} without {variable}:\n{}", envoy.errors());
    }
}

#[test]
fn a_denial_by_an_inner_hop_reaches_the_client_as_coarse_as_one_by_the_edge() {
    let mut mesh = Mesh::start(&Options::named("inner-denial")).unwrap();
    // A sidecar that trusts another bundle key than the one in use has no policy and denies.
    let mut how = mesh.site.start("invoices").unwrap();
    for (name, value) in &mut how.environment {
        if name == "PARTYWALL_BUNDLE_KEYS" {
            *value = "bundle-1:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into();
        }
    }
    mesh.invoices.stop();
    mesh.invoices = Envoy::start(how).unwrap();
    mesh.invoices.wait_until_ready().unwrap();

    let request = mesh.client("GET", "acme", "/invoices/1", &accountant(Acme, "acme")).unwrap();
    let answer = mesh.ask(&request).unwrap();
    assert_eq!((answer.status, answer.json()["reason"].as_str()), (503, Some("unavailable")), "{answer:?}");
    let told: Vec<_> = answer.headers.iter().filter(|(name, _)| name.starts_with("x-partywall-")).collect();
    assert!(told.is_empty(), "{told:?}");
    mesh.line(|l| l.hop == Hop::Edge && l.field("decision") == "allow" && l.field("status") == "503").unwrap();
    mesh.line(|l| l.hop == Hop::InvoicesInbound && l.field("reason") == "policy_unavailable").unwrap();

    let inside = mesh.send(Hop::InvoicesInbound, Workload::Edge, &request).unwrap();
    assert_eq!(inside.header("x-partywall-reason"), Some("policy_unavailable"));
}

#[test]
fn a_secret_that_is_no_key_stops_envoy_and_is_not_printed() {
    let site = Site::prepare("bad-secret", |_| ()).unwrap();
    let mut how = site.start("edge").unwrap();
    for (name, value) in &mut how.environment {
        if name == "PARTYWALL_CONTEXT_SIGNING" {
            *value = "edge-1:c2VjcmV0LXNlY3JldA".into();
        }
    }
    let mut envoy = Envoy::start(how).unwrap();
    assert!(!envoy.wait_for_end().expect("it ends").success());
    assert!(envoy.errors().contains("PARTYWALL_CONTEXT_SIGNING"), "{}", envoy.errors());
    assert!(!envoy.errors().contains("c2VjcmV0LXNlY3JldA"), "{}", envoy.errors());
}

#[test]
fn a_busy_port_is_named() {
    let site = Site::prepare("busy-port", |_| ()).unwrap();
    let taken = std::net::TcpListener::bind(local(site.ports.edge)).unwrap();
    let mut envoy = Envoy::start(site.start("edge").unwrap()).unwrap();
    let error = envoy.wait_until_ready().expect_err("the port is taken").to_string();
    assert!(error.contains(&taken.local_addr().unwrap().to_string()), "{error}");
}

#[test]
fn no_secret_stands_in_the_configuration_that_envoy_tells() {
    let mesh = Mesh::start(&Options::named("config-dump")).unwrap();
    let told = Request::get("/config_dump").header("host", "admin").send(local(mesh.site.ports.edge_admin)).unwrap();
    let told = String::from_utf8_lossy(&told.body).into_owned();
    assert!(told.contains("PARTYWALL_CONTEXT_SIGNING"), "the variable's name is there");
    let public = "PARTYWALL_BUNDLE_KEYS";
    for (name, value) in mesh.site.environment("edge").unwrap().iter().filter(|(name, _)| name != public) {
        let key = value.split_once(':').unwrap().1;
        assert!(!told.contains(key), "{name}");
        assert!(!mesh.edge.errors().contains(key), "{name}");
    }
}

#[test]
fn the_smallest_example_decides() {
    let site = Site::prepare("minimal", |_| ()).unwrap();
    let (edge, app, bundles) = (site.ports.edge, site.ports.invoices_app, site.ports.bundles);
    let apps = tokio::runtime::Runtime::new().unwrap();
    let control = local(site.ports.invoices_control);
    apps.spawn(serve(Place { app: App::Invoices, listen: local(app), control: Some(control), outbound: None }));
    let mut server = cli::serve(&site.bundles(), &site.keys(), bundles).unwrap();
    let _server = Process::start("bundles", &mut server, &site.directory.join("logs")).unwrap();
    let bootstrap = Bootstrap::read("minimal.yaml")
        .and_then(|b| b.address("0.0.0.0", 8080, edge))
        .and_then(|b| b.address("invoices", 8080, app))
        .and_then(|b| b.address("bundles", 8400, bundles))
        .unwrap()
        .installed_in(&site.directory.join("etc"));
    let environment = site.environment("edge").unwrap();
    let mut envoy =
        Envoy::start(Start { name: "minimal", bootstrap, admin: None, environment, directory: &site.directory })
            .unwrap();

    let ask = |token: Option<String>| {
        let request = Request::get("/invoices/17").header("host", "acme.shop.example");
        let request = token.into_iter().fold(request, |r, t| r.header("authorization", format!("Bearer {t}")));
        request.header("x-tenant-id", "globex").send(local(edge))
    };
    let token = || site.issuers.token(&accountant(Acme, "acme"), "1").unwrap();
    // Each worker has the bundle a moment after the first one; so many in a row mean that all of them decide.
    let mut in_a_row = 0;
    let allowed = wait::until(Duration::from_secs(30), || {
        let answer = ask(Some(token())).ok().filter(|a| a.status == 200);
        in_a_row = if answer.is_some() { in_a_row + 1 } else { 0 };
        answer.filter(|_| in_a_row == 12)
    });
    envoy.check_alive().unwrap();
    let seen = allowed.expect("allowed in the end").json();
    assert!(headers(&seen, "x-tenant-id").is_empty(), "{seen}");
    assert_eq!(ask(None).unwrap().status, 401);
}
