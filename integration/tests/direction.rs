//! A role has to fit the listener that it runs on; a gateway's listener may look outbound and says so.

use std::time::Duration;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::bootstrap::Bootstrap;
use partywall_integration::certificates::Workload;
use partywall_integration::envoy::Envoy;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::{Mesh, Options, SIDECAR, unique};
use partywall_integration::services::{App, headers};
use partywall_integration::site::Site;
use partywall_integration::wait;

const INBOUND: &str = "traffic_direction: INBOUND";
const OUTBOUND: &str = "traffic_direction: OUTBOUND";
/// In the plugin configuration; access logs tell the role as well, less deep.
const EDGE: &str = "                            role: edge\n";
const INBOUND_ROLE: &str = "                            role: inbound\n";

/// As Istio makes the listeners of its gateways.
fn gateway(bootstrap: Bootstrap) -> Result<Bootstrap> {
    bootstrap.replace(INBOUND, OUTBOUND)
}

#[test]
fn an_edge_on_a_listener_that_looks_outbound_decides_when_it_says_direction_any() {
    let mut mesh = Mesh::start(&Options::named("gateway")).unwrap();
    let any = |b: Bootstrap| {
        gateway(b.with_filters(SIDECAR)?)?.replace(EDGE, &format!("{EDGE}                            direction: any\n"))
    };
    mesh.restart("edge", any).unwrap();
    let mark = unique();
    let good = mesh.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&good.header("x-partywall-tenant", "globex")).unwrap().status, 200);
    for app in [App::Invoices, App::Orders] {
        assert_eq!(headers(&mesh.seen_of(app, &mark).unwrap()[0], "x-partywall-tenant"), ["acme"]);
    }
    let denied = mesh.client("DELETE", "acme", "/invoices/1", &viewer(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&denied).unwrap().status, 403);
}

/// Restarts an Envoy with a change, and waits until it has a bundle; nothing is asked of it.
fn restart(mesh: &mut Mesh, workload: &'static str, change: impl FnOnce(Bootstrap) -> Result<Bootstrap>) {
    let mut how = mesh.site.start(workload).unwrap();
    how.bootstrap = change(how.bootstrap).unwrap();
    let envoy = if workload == "edge" { &mut mesh.edge } else { &mut mesh.orders };
    envoy.stop();
    *envoy = Envoy::start(how).unwrap();
    envoy.wait_until_ready().unwrap();
    let in_force = || envoy.errors().contains("bundle revision 5 is in force").then_some(());
    wait::until(Duration::from_secs(20), in_force).expect("it has a bundle");
}

type Change = Box<dyn FnOnce(Bootstrap) -> Result<Bootstrap>>;

#[test]
fn through_a_role_that_does_not_fit_the_listener_nothing_passes_and_the_log_says_why() {
    let mut mesh = Mesh::start(&Options::named("misplaced")).unwrap();
    let root = mesh.capture("acme", &accountant(Acme, "acme")).unwrap().root;
    let role = |to: &'static str| -> Change { Box::new(move |b| b.replace(INBOUND_ROLE, to)) };
    let misplaced: [(&str, &str, Change); 4] = [
        ("orders", "inbound on a listener that looks outbound", Box::new(gateway)),
        ("orders", "outbound on an inbound one", role("                            role: outbound\n")),
        (
            "orders",
            "egress on an inbound one: it would let everybody in",
            role("                            role: egress\n"),
        ),
        ("edge", "edge on a listener that looks outbound", Box::new(gateway)),
    ];
    for (workload, what, change) in misplaced {
        restart(&mut mesh, workload, change);
        let (hop, envoy) =
            if workload == "edge" { (Hop::Edge, &mesh.edge) } else { (Hop::OrdersInbound, &mesh.orders) };
        // Every worker, from its first request on.
        for _ in 0..12 {
            let mark = unique();
            let request = mesh.client("GET", "acme", &format!("/orders/{mark}"), &accountant(Acme, "acme")).unwrap();
            let request = request.header("x-request-id", mark.as_str()).header("x-partywall-context", root.as_str());
            let answer = mesh.send(hop, Workload::Invoices, &request).unwrap();
            assert_eq!((answer.status, answer.json()["reason"].as_str()), (503, Some("unavailable")), "{what}");
            assert!(mesh.seen_of(App::Orders, &mark).unwrap().is_empty(), "{what}");
            let id = answer.header("x-request-id").unwrap_or(&mark).to_owned();
            let line = mesh.line(|line| line.hop == hop && line.field("request_id") == id).unwrap();
            assert_eq!(line.field("reason"), "policy_unavailable", "{what}");
            assert!(line.field("detail").contains("does not fit the listener's traffic_direction"), "{}", line.text());
        }
        let told = envoy.errors().lines().filter(|line| line.contains("on a gateway write `direction: any`")).count();
        assert!((1..=2).contains(&told), "{what}: once per worker, not {told} times\n{}", envoy.errors());
    }
}

#[test]
fn a_role_that_is_missing_or_none_is_a_refused_configuration() {
    let site = Site::prepare("no-role", |_| ()).unwrap();
    for (to, says) in [
        ("                            reveal: coarse\n", "missing field `role`"),
        ("                            role: sidecar\n", "unknown variant `sidecar`"),
    ] {
        let mut how = site.start("orders").unwrap();
        how.bootstrap = how.bootstrap.replace(INBOUND_ROLE, to).unwrap();
        let mut envoy = Envoy::start(how).unwrap();
        assert!(!envoy.wait_for_end().expect("it ends").success());
        let errors = envoy.errors();
        assert!(errors.contains("configuration refused") && errors.contains(says), "{errors}");
    }
}
