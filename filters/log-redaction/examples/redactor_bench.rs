//! How fast the redactor is, natively, end to end over NDJSON: against the carrier alone and against detection alone.
//!
//! `cargo run --release -p partywall-log-redaction --example redactor_bench`
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "a bench measures and tells"
)]

use std::rc::Rc;
use std::time::Instant;

use partywall_log_redaction::carriers::{Carrier, Change, Kind, Leaves, Limits, Place, Unit, Verdict};
use partywall_log_redaction::detect::{Detectors, Hint, Scratch, Selection};
use partywall_log_redaction::fields::{FieldAction, FieldRule, FieldSet, Unlisted};
use partywall_log_redaction::redactor::{Engine, Facts, Own, Redactor, Rules};
use partywall_log_redaction::replace::{Action, Keys, Replace, TenantKeys};
use partywall_log_redaction::tenants::{Listed, TenantRules};

struct KeepAll;

impl Leaves for KeepAll {
    fn begin(&mut self, _: Unit) {}
    fn leaf(&mut self, _: &Place<'_>, _: &[u8]) -> Change {
        Change::Keep
    }
    fn end(&mut self) -> Verdict {
        Verdict::Keep
    }
}

/// Records of a shop; of each hundred so many have a mail address and an IP address in them.
fn body(personal: usize) -> Vec<u8> {
    let mut out = String::new();
    for nth in 0_usize.. {
        if out.len() > 8 << 20 {
            break;
        }
        let who = if nth % 100 < personal {
            format!("customer{}@example.com from 203.0.113.{}", nth % 5000, nth % 250)
        } else {
            format!("customer {} from the shop", nth % 5000)
        };
        out.push_str(&format!(
            "{{\"time\":\"2026-11-29T10:11:{:02}Z\",\"level\":\"info\",\"service\":{{\"name\":\"checkout\",\"version\":\"1.14.2\"}},\
             \"message\":\"order {nth} paid by {who}, retrying upstream in {} ms\",\"took\":{},\"trace_id\":\"5b8efff798038103d269b633813fc60c\"}}\n",
            nth % 60, nth % 900, nth % 37,
        ));
    }
    out.into_bytes()
}

fn time(name: &str, bytes: usize, mut run: impl FnMut()) {
    run();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:50} {:7.0} MB/s", bytes as f64 / best / 1e6);
}

fn carry(leaves: &mut dyn Leaves, body: &[u8]) {
    let (mut carrier, mut out) = (Carrier::new(Kind::Ndjson, Limits::default()), Vec::with_capacity(body.len() * 2));
    for piece in body.chunks(64 << 10) {
        carrier.push(piece, false, leaves, &mut out).unwrap();
    }
    carrier.push(b"", true, leaves, &mut out).unwrap();
}

fn main() {
    let detectors = Rc::new(Detectors::new(&Selection::default()).unwrap());
    let mut directory = Listed::default();
    let mut keys = Keys::new(Some(&[7; 32]));
    let mut acme = None;
    for nth in 0..5000_u32 {
        let (id, print) = (format!("tenant-{nth}"), format!("t1_{nth:016x}"));
        let tenant = directory.add(&id, &[&print], &[&format!("{id}.shop.example")]);
        keys.add(tenant, TenantKeys::new("1", &[1; 32]).unwrap());
        acme = acme.or(Some(tenant));
    }
    let (directory, keys) = (Rc::new(directory), Rc::new(keys));
    let rule = |path: &str, action| FieldRule { path: path.to_owned(), slots: Vec::new(), action };
    let listed =
        ["time", "level", "service.*", "message", "took", "trace_id"].map(|path| rule(path, FieldAction::Scan));
    let allow = FieldSet { unlisted: Unlisted::Mask, rules: listed.to_vec(), ..FieldSet::default() };
    for personal in [0, 10, 100] {
        let body = body(personal);
        println!("{personal} of 100 records have something in them");
        time("carrier alone", body.len(), || carry(&mut KeepAll, &body));
        let (mut scratch, mut found) = (Scratch::new(&detectors), Vec::new());
        time("detection alone, a record at a time", body.len(), || {
            for line in body.split(|byte| *byte == b'\n') {
                detectors.find(&mut scratch, line, Hint::default(), &mut found);
            }
        });
        let plain = Rules { summary: false, ..Rules::default() };
        let tenants = Rules { tenants: Some(TenantRules::default()), ..plain.clone() };
        let replace = Replace { default: Action::Pseudonym, ..Replace::default() };
        let all = Rules { fields: vec![allow.clone()], replace, summary: true, ..tenants.clone() };
        for (name, rules) in
            [("redactor, masks", plain), ("and 5,000 tenants", tenants), ("and a schema, pseudonyms, summary", all)]
        {
            let engine = Rc::new(Engine::new(&rules, detectors.clone(), directory.clone(), keys.clone()).unwrap());
            let facts = Facts::new("ndjson", Own::Tenant(acme.unwrap()));
            let mut redactor = Redactor::new(engine, &facts);
            time(name, body.len(), || {
                redactor.next(&facts);
                carry(&mut redactor, &body);
            });
        }
    }
}
