//! Each stage by itself.

use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::raw::Request;
use partywall_integration::services::{App, headers};

#[test]
fn authorization_without_a_context_denies_everything() {
    let filters = &["authorization"];
    let mesh = Mesh::start(&Options { filters, ..Options::named("authorization-alone") }).unwrap();
    let mark = unique();
    let request = mesh.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    let answer = mesh.ask(&request).unwrap();
    assert_eq!(answer.status, 401, "{}", answer.json());
    mesh.line(|line| line.field("decision") == "deny" && line.field("reason") == "tenant_missing").unwrap();
    assert!(mesh.seen_of(App::Invoices, &mark).unwrap().is_empty());
}

#[test]
fn authorization_before_the_context_denies_everything() {
    let filters = &["authorization", "tenant_context"];
    let mesh = Mesh::start(&Options { filters, ..Options::named("wrong-order") }).unwrap();
    let request = mesh.client("GET", "acme", "/invoices/1", &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&request).unwrap().status, 401);
    assert!(mesh.seen(App::Invoices).unwrap().is_empty());
}

#[test]
fn tenant_context_alone_establishes_carries_and_denies_but_asks_no_policy() {
    let filters = &["tenant_context"];
    let mesh = Mesh::start(&Options { filters, ..Options::named("context-alone") }).unwrap();
    let mark = unique();
    let path = format!("/invoices/{mark}");
    let request = mesh.client("GET", "acme", &path, &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&request.header("x-tenant-id", "globex")).unwrap().status, 200);
    for app in [App::Invoices, App::Orders] {
        let seen = mesh.seen_of(app, &mark).unwrap();
        assert_eq!(headers(&seen[0], "x-partywall-tenant"), ["acme"]);
        assert!(headers(&seen[0], "x-tenant-id").is_empty());
    }
    // A policy would say no.
    let delete = mesh.client("DELETE", "acme", &path, &viewer(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&delete).unwrap().status, 200);
    let anonymous = Request::get(&path).header("host", "acme.shop.example");
    assert_eq!(mesh.ask(&anonymous).unwrap().status, 401);
    let conflict = mesh.client("GET", "globex", &path, &accountant(Acme, "acme")).unwrap();
    assert_eq!(mesh.ask(&conflict).unwrap().status, 403);
}
