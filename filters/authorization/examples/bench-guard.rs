//! What walking a response costs, without a host: `cargo run --release -p partywall-authorization --example bench-guard`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it measures and tells")]

use std::time::Instant;

use partywall_authorization::guard::{Guard, Rules};
use partywall_tenancy::{Errors, Foreign, Response, ResponseFormat, ResponseOwner, TenantId};

/// Of the size that Envoy hands on.
const CHUNK: usize = 16 * 1024;

fn main() {
    let tenant = TenantId::parse("acme").expect("a good id");
    let response = Response {
        owners: vec![ResponseOwner::Pointer("/items/*/tenant_id".into())],
        format: ResponseFormat::Json,
        foreign: Foreign::Deny,
        element_cap: 1 << 20,
        hold: 0,
        errors: Errors::Strip,
        since: None,
    };
    let rules = Rules::compile(&response).expect("good rules").expect("a pointer");
    println!("{:>10} {:>10} {:>8} {:>12} {:>10}", "body", "bytes", "rounds", "us a body", "MB/s");
    for (name, item) in [
        ("records", r#"{"id":"inv-20391","tenant_id":"acme","total":1250.75,"currency":"EUR","paid":true,"lines":[{"sku":"A-1","n":3},{"sku":"B-7","n":1}],"note":null}"#.to_owned()),
        ("texts", format!(r#"{{"tenant_id":"acme","text":"{}"}}"#, "The quick brown fox jumps over the lazy dog. ".repeat(20))),
        ("pretty", "{\n      \"id\": \"inv-20391\",\n      \"total\": 1250.75,\n      \"lines\": [\n        {\n          \"sku\": \"A-1\",\n          \"n\": 3\n        }\n      ],\n      \"tenant_id\": \"acme\"\n    }".to_owned()),
        ("numbers", format!(r#"{{"tenant_id":"acme","series":[{}]}}"#, vec!["1234.5678"; 100].join(","))),
        ("cjk", format!(r#"{{"tenant_id":"acme","text":"{}"}}"#, "請求書は支払われました。".repeat(30))),
    ] {
        for size in [1 << 10, 64 << 10, 5 << 20] {
            let items = (size / (item.len() + 1)).max(1);
            let body = format!(r#"{{"items":[{}],"next":null}}"#, vec![item.as_str(); items].join(",")).into_bytes();
            let rounds = (200_000_000 / body.len()).clamp(3, 50_000);
            let mut out = Vec::with_capacity(body.len());
            let start = Instant::now();
            for _ in 0..rounds {
                let mut guard = Guard::new(&rules, tenant.clone(), 0);
                for chunk in body.chunks(CHUNK) {
                    out.clear();
                    guard.read(chunk, &mut out).expect("clean");
                }
                guard.finish(&mut out).expect("whole");
            }
            let took = start.elapsed().as_secs_f64() / rounds as f64;
            let speed = body.len() as f64 / took / 1e6;
            println!("{name:>10} {:>10} {rounds:>8} {:>12.1} {speed:>10.0}", body.len(), took * 1e6);
        }
    }
}
