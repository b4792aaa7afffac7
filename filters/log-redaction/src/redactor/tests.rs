//! What is done quickly is done as slowly: nothing is remembered, and every record is looked at before it is asked about.
#![allow(clippy::disallowed_methods, reason = "cases are files")]

#[path = "../../tests/labelled/mod.rs"]
mod labelled;

use std::path::{Path, PathBuf};

use super::*;
use crate::carriers::{Carrier, Kind, Limits, Signal};
use crate::detect::{Detectors, Selection};
use crate::fields::{FieldAction, FieldRule, FieldSet, Unlisted};
use crate::replace::{Keys, Replace, TenantKeys};
use crate::tenants::{Listed, Templated, TenantRules};
use labelled::random::Random;

/// The redactor without any of it.
struct Slow(Redactor);

impl Leaves for Slow {
    fn looks(&self) -> bool {
        self.0.looks()
    }
    fn looks_in(&self, _: &[u8]) -> bool {
        self.0.looks()
    }
    fn look(&mut self, place: &Place<'_>, text: &[u8]) {
        self.0.look(place, text);
    }
    fn begin(&mut self, unit: Unit) {
        self.0.begin(unit);
    }
    fn leaf(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        (self.0.clean, self.0.decided) = (Clean::default(), Decided::default());
        self.0.leaf(place, text)
    }
    fn end(&mut self) -> Verdict {
        self.0.end()
    }
}

fn engines() -> Vec<(Rc<Engine>, Own)> {
    let mut directory = Listed::default();
    let mut keys = Keys::new(Some(&[7; 32]));
    for nth in 0..50_u8 {
        let (id, print) = (format!("tenant-{nth}"), format!("t1_{nth:016x}"));
        let tenant = directory.add(&id, &[&print], &[&format!("{id}.shop.example"), &format!("t{nth}.example.net")]);
        keys.add(tenant, TenantKeys::new("1", &[nth; 32]).unwrap());
    }
    let (directory, keys) = (Rc::new(directory), Rc::new(keys));
    let detectors = Rc::new(Detectors::new(&Selection::default()).unwrap());
    let tenants = |foreign| Some(TenantRules { foreign, ..TenantRules::default() });
    let scan = |path: &str| FieldRule { path: path.to_owned(), slots: Vec::new(), action: FieldAction::Scan };
    let listed = FieldSet {
        services: vec!["checkout".to_owned()],
        unlisted: Unlisted::Mask,
        rules: ["message", "**.host", "level"].map(scan).to_vec(),
        ..FieldSet::default()
    };
    // For all records, so that none is looked at first for them.
    let rule = |path: &str, action| FieldRule { path: path.to_owned(), slots: Vec::new(), action };
    let of_all = |unlisted| FieldSet {
        unlisted,
        rules: vec![
            rule("**.user", FieldAction::Keep),
            rule("**.a", FieldAction::Drop),
            rule("**.host", FieldAction::Pseudonym),
            rule("**.name", FieldAction::DropRecord),
            rule("b.**", FieldAction::Mask),
            rule("message", FieldAction::Scan),
            rule("body", FieldAction::Scan),
        ],
        ..FieldSet::default()
    };
    let fields = |unlisted| vec![of_all(unlisted), listed.clone()];
    let templated = |foreign| {
        let template = "logs-{tenant}".to_owned();
        let templates = vec![Templated { path: "**".to_owned(), slots: vec!["index".to_owned()], template }];
        Some(TenantRules { foreign, templates, ..TenantRules::default() })
    };
    let own = Own::Tenant(Tenant(1));
    let tagged = |foreign| Some(TenantRules { foreign, tag: Some("tag".to_owned()), ..TenantRules::default() });
    let by = |name: &str, action| Replace { by: [(name.to_owned(), action)].into(), ..Replace::default() };
    let all = [
        (Rules::default(), own),
        (Rules { tenants: tenants(Foreign::Drop), ..Rules::default() }, own),
        (Rules { tenants: tenants(Foreign::Mask), ..Rules::default() }, Own::Record),
        (Rules { tenants: tenants(Foreign::Quarantine), fields: vec![listed.clone()], ..Rules::default() }, own),
        (Rules { fields: vec![listed.clone()], ..Rules::default() }, own),
        (
            Rules { tenants: tagged(Foreign::Drop), replace: by("email", Action::Pseudonym), ..Rules::default() },
            Own::Record,
        ),
        (Rules { tenants: tagged(Foreign::Mask), replace: by("email", Action::DropField), ..Rules::default() }, own),
        (Rules { tenants: tagged(Foreign::Drop), replace: by("email", Action::DropRecord), ..Rules::default() }, own),
        (Rules { tenants: templated(Foreign::Drop), fields: fields(Unlisted::Scan), ..Rules::default() }, own),
        (Rules { tenants: templated(Foreign::Mask), fields: fields(Unlisted::Mask), ..Rules::default() }, Own::Record),
        (Rules { fields: fields(Unlisted::Drop), ..Rules::default() }, own),
    ];
    let engine = |rules| Engine::new(rules, detectors.clone(), directory.clone(), keys.clone()).unwrap();
    all.iter().map(|(rules, own)| (Rc::new(engine(rules)), *own)).collect()
}

fn carry(kind: Kind, leaves: &mut dyn Leaves, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let done = Carrier::new(kind, Limits::default()).push(body, true, leaves, &mut out);
    out.extend_from_slice(format!("{done:?}").as_bytes());
    out
}

/// Says how many bodies were changed.
fn compare(all: &mut [(Redactor, Slow)], facts: impl Fn(usize) -> Facts<'static>, kind: Kind, body: &[u8]) -> usize {
    let mut changed = 0;
    for (nth, (fast, slow)) in all.iter_mut().enumerate() {
        fast.next(&facts(nth));
        slow.0.next(&facts(nth));
        let (quickly, slowly) = (carry(kind, fast, body), carry(kind, slow, body));
        assert_eq!(
            String::from_utf8_lossy(&quickly),
            String::from_utf8_lossy(&slowly),
            "rules {nth}: {}",
            String::from_utf8_lossy(body)
        );
        assert_eq!(fast.take_counts(), slow.0.take_counts(), "rules {nth}: {}", String::from_utf8_lossy(body));
        changed += usize::from(!quickly.starts_with(body));
    }
    changed
}

fn record(random: &mut Random, line: &labelled::Line) -> String {
    const NAMES: &[&str] = &[
        "a",
        "host",
        "user",
        "tenant",
        "TENANT",
        "tenant.id",
        "tenant_id",
        "partywall.tenant",
        "te\\u006eant",
        "service.name",
        "name",
        "id",
        "partywall",
    ];
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let value = |random: &mut Random| match random.below(8) {
        0 => text(&format!("tenant-{}", random.below(3))),
        1 => text(&format!("see tenant-{}.shop.example", random.below(3))),
        2 => text(&format!("T1_{:016X}", random.below(3))),
        3 => text(random.pick(&["GET", "200", "checkout", "production", "t1.example.net", "tenant=tenant-2"])),
        4 => random.below(1_000_000_000_000).to_string(),
        5 => format!("{{\"tenant\":{{\"id\":{}}}}}", text(&format!("tenant-{}", random.below(3)))),
        6 => text(&format!("/api/orders/{}", random.below(500))),
        _ => "true".to_owned(),
    };
    let key = if line.key.is_empty() { "message" } else { &line.key };
    let (one, other) = (random.pick(NAMES), random.pick(NAMES));
    let (first, second) = (value(random), value(random));
    format!("{{{}:{},\"{one}\":{first},\"b\":[{{\"{other}\":{second}}}]}}\n", text(key), text(&line.text))
}

/// Several records of one resource, or one stream, any of which may name somebody.
fn resource(random: &mut Random, line: &labelled::Line) -> (String, String) {
    const NAMES: &[&str] = &["a", "tenant", "tenant.id", "partywall.tenant", "tag", "redaction.masked.count", "user"];
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let value = |random: &mut Random| match random.below(9) {
        0 | 1 => text(&format!("tenant-{}", random.below(3))),
        2 => text(&format!("see tenant-{}.shop.example", random.below(3))),
        3 => text(&format!("t1_{:016x}", random.below(3))),
        4 => text(&line.text),
        5 => text("nobody"),
        _ => text(random.pick(&["GET", "200", "checkout", "tenant=tenant-2", "ada@example.com"])),
    };
    let attributes = |random: &mut Random| {
        let one = |random: &mut Random| {
            let (key, value) = (random.pick(NAMES), value(random));
            format!("{{\"key\":\"{key}\",\"value\":{{\"stringValue\":{value}}}}}")
        };
        let all: Vec<String> = (0..random.below(4)).map(|_| one(random)).collect();
        all.join(",")
    };
    let of_resource = attributes(random);
    let records: Vec<String> = (0..3)
        .map(|_| format!("{{\"body\":{{\"stringValue\":{}}},\"attributes\":[{}]}}", value(random), attributes(random)))
        .collect();
    let resource = format!(
        "{{\"resourceLogs\":[{{\"resource\":{{\"attributes\":[{of_resource}]}},\"scopeLogs\":[{{\"scope\":{{\"attributes\":[{}]}},\
         \"logRecords\":[{}]}}],\"schemaUrl\":{}}}]}}",
        attributes(random),
        records.join(","),
        value(random),
    );
    let entries: Vec<String> =
        (0..3).map(|_| format!("[\"1\",{},{{\"{}\":{}}}]", value(random), random.pick(NAMES), value(random))).collect();
    let stream = format!(
        "{{\"streams\":[{{\"values\":[{}],\"stream\":{{\"{}\":{}}}}}]}}",
        entries.join(","),
        random.pick(NAMES),
        value(random),
    );
    (resource, stream)
}

#[test]
fn units_in_units_are_asked_about_at_once_as_after_a_look() {
    let engines = engines();
    let facts = |nth: usize| Facts { index: None, ..Facts::new("otlp", engines[nth].1) };
    let new = |nth: usize| Redactor::new(engines[nth].0.clone(), &facts(nth));
    let mut all: Vec<(Redactor, Slow)> = (0..engines.len()).map(|nth| (new(nth), Slow(new(nth)))).collect();
    let mut random = Random::new(0x5eed_000a);
    let (lines, mut changed) = (labelled::set(), 0);
    for line in lines.iter().step_by(6) {
        let (resource, stream) = resource(&mut random, line);
        changed += compare(&mut all, facts, Kind::OtlpJson(Signal::Logs), resource.as_bytes());
        changed += compare(&mut all, facts, Kind::LokiJson, stream.as_bytes());
    }
    assert!(changed > lines.len() / 6, "{changed} of {} lines", lines.len());
}

#[test]
fn a_name_in_what_is_left_out_is_seen() {
    let engines = engines();
    let facts = |nth: usize| Facts::new("ndjson", engines[nth].1);
    let new = |nth: usize| Redactor::new(engines[nth].0.clone(), &facts(nth));
    let mut all: Vec<(Redactor, Slow)> = (0..engines.len()).map(|nth| (new(nth), Slow(new(nth)))).collect();
    for value in ["\"tenant-2\"", "{\"tenant\":\"tenant-2\"}", "\"tenant-1\""] {
        let record = format!("{{\"ada@example.com\":{{\"tenant\":{value}}},\"a\":\"b\"}}\n{{\"a\":\"b\"}}\n");
        compare(&mut all, facts, Kind::Ndjson, record.as_bytes());
        // Of what cannot be read nothing is counted; rules of fields read such a record once in either way.
        let cut = record.replace("b\"}", "b\",}");
        compare(&mut all[..3], facts, Kind::Ndjson, cut.as_bytes());
    }
}

#[test]
fn what_is_done_quickly_is_done_as_slowly() {
    let engines = engines();
    let facts = |nth: usize| Facts::new("ndjson", engines[nth].1);
    let new = |nth: usize| Redactor::new(engines[nth].0.clone(), &facts(nth));
    let mut all: Vec<(Redactor, Slow)> = (0..engines.len()).map(|nth| (new(nth), Slow(new(nth)))).collect();
    let mut random = Random::new(0x5eed_0009);
    let mut lines = labelled::set();
    let ordinary = labelled::ordinary(1_680).into_iter();
    lines.extend(ordinary.map(|text| labelled::Line { text, key: String::new(), spans: Vec::new() }));
    let mut changed = 0;
    for line in &lines {
        let record = record(&mut random, line);
        changed += compare(&mut all, facts, Kind::Ndjson, record.as_bytes());
        if random.below(8) == 0 {
            let bulk = format!("{{\"index\":{{\"_index\":\"logs-tenant-{}\"}}}}\n{record}", random.below(3));
            changed += compare(&mut all, facts, Kind::Bulk, bulk.as_bytes());
        }
    }
    assert!(lines.len() * all.len() >= 20_000 && changed > 8_000, "{changed} of {} lines", lines.len());
}

#[test]
fn every_line_of_every_case_is_done_quickly_as_slowly() {
    fn files(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, into) } else { into.push(path) }
        }
    }
    let engines = engines();
    let facts = |nth: usize| Facts::new("lines", engines[nth].1);
    let new = |nth: usize| Redactor::new(engines[nth].0.clone(), &facts(nth));
    let mut all: Vec<(Redactor, Slow)> = (0..engines.len()).map(|nth| (new(nth), Slow(new(nth)))).collect();
    let mut of = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"), &mut of);
    let mut changed = 0;
    for file in of.iter().filter(|file| file.extension().is_some_and(|end| end == "yaml")) {
        for line in std::fs::read(file).unwrap().split_inclusive(|byte| *byte == b'\n') {
            changed += compare(&mut all, facts, Kind::Lines, line);
        }
    }
    assert!(changed > 1_000, "{changed} were changed");
}
