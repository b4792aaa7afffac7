//! `partywall render`: what is committed is what is rendered, and limits come from records and profiles alone.

mod support;

use std::fs;
use std::path::PathBuf;

use support::{copy, folder, partywall, path, sample};

fn committed(name: &str) -> PathBuf {
    sample().join("../bootstraps").join(format!("{name}.yaml"))
}

/// A copy of the sample and its deployment.
fn copied(name: &str) -> PathBuf {
    let to = folder(name);
    copy(&sample(), &to.join("tenancy"));
    fs::copy(sample().join("../deployment.yaml"), to.join("deployment.yaml")).unwrap();
    to.join("tenancy")
}

fn sidecar(directory: &std::path::Path, service: &str) -> String {
    let ran = partywall(&["render", "envoy", path(directory), "--role", "sidecar", "--service", service]).succeeds();
    ran.stdout().to_owned()
}

#[test]
fn the_bootstraps_of_the_sample_are_what_is_rendered() {
    let sample = sample();
    for (name, arguments) in [
        ("edge", &["--role", "edge"][..]),
        ("invoices", &["--role", "sidecar", "--service", "invoices"]),
        ("orders", &["--role", "sidecar", "--service", "orders"]),
    ] {
        let ran = partywall(&[&["render", "envoy", path(&sample)], arguments].concat()).succeeds();
        let kept = fs::read_to_string(committed(name)).unwrap();
        assert!(
            kept.trim_end() == ran.stdout().trim_end(),
            "bootstraps/{name}.yaml is old: write it with `partywall render envoy envoy-config/tenancy {} --out …`",
            arguments.join(" ")
        );
        assert!(!kept.contains("${"), "a place of bootstraps/{name}.yaml was not filled");
        assert!(kept.lines().all(|line| !line.ends_with(' ')), "bootstraps/{name}.yaml");
    }
}

#[test]
fn a_filter_may_hold_where_an_operation_does() {
    const MAY: &str = "allow_on_headers_stop_iteration: true\n";
    const HOLDS: &str = "\n                            hold_responses: true\n";
    let directory = copied("render-hold");
    let before = sidecar(&directory, "invoices");
    assert!(!before.contains(MAY) && !before.contains(HOLDS));
    let file = directory.join("services/invoices.yaml");
    let operation = "  - { http: \"GET /mine\", action: \"invoices:read\", resource: Invoice, owner: none, response: { owner: /tenant, hold: 4 KiB } }\n";
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}\n{operation}", text.trim_end())).unwrap();
    let after = sidecar(&directory, "invoices");
    assert_eq!((after.matches(MAY).count(), after.matches(HOLDS).count()), (1, 1), "inbound, not outbound: {after}");
    assert!(!sidecar(&directory, "orders").contains("hold_responses"), "another service");
    let edge = partywall(&["render", "envoy", path(&directory), "--role", "edge"]).succeeds();
    assert!(edge.stdout().contains(MAY) && edge.stdout().contains(HOLDS), "clients are answered there");
    let istio = partywall(&["render", "istio", path(&directory)]);
    assert!(!istio.stdout().contains("hold_responses"), "a head that waits there would wait for ever");
}

#[test]
fn a_records_limit_replaces_that_of_its_tier() {
    let directory = copied("render-limits");
    let silver = "tenant: globex\ntier: silver\nresidency: us\nstatus: active\nlimits: ";
    let write = |limits: &str| fs::write(directory.join("tenants/globex.yaml"), format!("{silver}{limits}\n")).unwrap();
    write("{ requests_per_second: 7 }");
    fs::write(directory.join("profiles/silver.yaml"), "profile: silver\nlimits: { requests_per_second: 100 }\n")
        .unwrap();
    let tokens =
        |n: u64| format!("\n{:26}token_bucket: {{ max_tokens: {n}, tokens_per_fill: {n}, fill_interval: 1s }}", "");
    let text = sidecar(&directory, "orders");
    for (entries, bound) in [
        ("[{ key: tier, value: \"silver\" }, { key: tenant, value: \"globex\" }]", 7),
        ("[{ key: tier, value: \"silver\" }, { key: tenant }]", 100),
        ("[{ key: tier, value: \"gold\" }, { key: tenant }]", 5000),
    ] {
        let wanted = format!("entries: {entries}{}", tokens(bound));
        assert!(text.contains(&wanted), "no `{wanted}` in\n{text}");
    }
    // Its own limits replace those of the tier whole: it says nothing about requests, so it has no such limit.
    write("{ request_bytes: 10 }");
    let text = sidecar(&directory, "orders");
    assert!(text.contains("value: \"globex\" }]\n") && text.contains("max_tokens: 4294967295"), "{text}");
}

#[test]
fn a_tenant_with_concurrent_requests_has_a_cluster_of_its_own() {
    let directory = copied("render-concurrent");
    fs::write(directory.join("profiles/silver.yaml"), "profile: silver\nlimits: { concurrent_requests: 9 }\n").unwrap();
    fs::write(
        directory.join("tenants/initech.yaml"),
        "tenant: initech\ntier: silver\nresidency: eu\nstatus: active\nlimits: { concurrent_requests: 3 }\n",
    )
    .unwrap();
    let text = sidecar(&directory, "orders");
    for (tenant, bound) in [("globex", 9), ("initech", 3)] {
        let route =
            format!("string_match: {{ exact: \"{tenant}\" }} }}] }}\n{:26}route: {{ cluster: app.{tenant},", "");
        assert!(text.contains(&route), "no `{route}` in\n{text}");
        let (_, cluster) = text.split_once(&format!("- name: app.{tenant}\n")).unwrap();
        let cluster = cluster.split("- name:").next().unwrap();
        assert!(cluster.contains(&format!("max_requests: {bound} }}")), "{cluster}");
    }
    assert!(!text.contains("app.acme"), "{text}");
    // Routes that name a tenant stand before the one for all.
    let all = text.find("match: { prefix: / }").unwrap();
    assert!(text.match_indices("cluster: app.").all(|(at, _)| at < all));
    // The edge has no app.
    let edge = partywall(&["render", "envoy", path(&directory), "--role", "edge"]).succeeds();
    assert!(!edge.stdout().contains("cluster: app"), "{}", edge.stdout());

    let lines: String = (0..1_001)
        .map(|n| {
            format!("{{\"tenant\": \"t{n}\", \"tier\": \"silver\", \"residency\": \"eu\", \"status\": \"active\"}}\n")
        })
        .collect();
    fs::write(directory.join("tenants/many.ndjson"), lines).unwrap();
    let ran =
        partywall(&["render", "envoy", path(&directory), "--role", "sidecar", "--service", "orders"]).ends_with(3);
    assert!(ran.stderr().contains("has clusters for 1000 of them"), "{}", ran.stderr());
}

#[test]
fn without_limits_there_is_no_rate_limit() {
    let directory = copied("render-no-limits");
    fs::write(directory.join("profiles/gold.yaml"), "profile: gold\nfeatures: [export]\n").unwrap();
    let text = sidecar(&directory, "orders");
    assert!(!text.contains("ratelimit") && text.contains("root_id: sidecar"), "{text}");
}

#[test]
fn what_cannot_be_rendered_is_told() {
    let directory = copied("render-mistakes");
    let render = |arguments: &[&str]| partywall(&[&["render", "envoy", path(&directory)], arguments].concat());
    render(&["--role", "sidecar"]).ends_with(2);
    render(&["--role", "edge", "--service", "orders"]).ends_with(2);
    let ran = render(&["--role", "sidecar", "--service", "order"]).ends_with(3);
    assert!(ran.stderr().contains("no service is called `order`") && ran.stderr().contains("invoices, orders"));
    let deployment = directory.join("../deployment.yaml");
    let text = fs::read_to_string(&deployment).unwrap();
    for (from, to, wanted) in [
        ("port: 8400", "port: 0", "a port is a number from 1 to 65535"),
        ("    outbound: { address: 127.0.0.1, port: 15001 }\n", "", "`invoices` may call `orders`"),
        ("- service: invoices", "- service: payments", "does not say where `invoices` is"),
        ("address: invoices-sidecar", "address: \"x }\"", "neither a host name nor an IPv4 address"),
    ] {
        assert!(text.contains(from));
        fs::write(&deployment, text.replace(from, to)).unwrap();
        let ran = render(&["--role", "sidecar", "--service", "invoices"]).ends_with(3);
        assert!(ran.stderr().contains(wanted), "{}", ran.stderr());
    }
}

#[test]
fn two_services_at_one_route_are_an_error() {
    let directory = copied("render-routes");
    let orders = directory.join("services/orders.yaml");
    let text = fs::read_to_string(&orders).unwrap();
    fs::write(
        &orders,
        text.replace("GET /orders/{id}", "GET /invoices/{id}/orders")
            .replace("/tenants/{tenant}/orders\"", "/tenants/{tenant}/invoices\""),
    )
    .unwrap();
    let ran = partywall(&["render", "envoy", path(&directory), "--role", "edge"]).ends_with(3);
    assert!(ran.stderr().contains("are both reached at `/tenants/*/invoices`"), "{}", ran.stderr());
}
