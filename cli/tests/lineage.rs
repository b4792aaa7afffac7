//! `partywall lineage`: the lines of all hops, joined.

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Ran, folder, partywall, path};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OTHER: &str = "4bf92f3577b34da6a3ce929d0e0e4737";

fn line(trace: &str, at: u32, (hop, role, peer): (&str, &str, &str), more: Value) -> String {
    let mut line = json!({
        "time": format!("2026-11-24T12:00:00.{at:03}Z"), "hop": hop, "role": role, "peer": peer, "method": "GET",
        "path": "/invoices/7", "status": 200, "tenant": "t1_0f", "decision": "allow", "reason": "",
        "policy": "viewers-read", "traceparent": format!("00-{trace}-00f067aa0ba902b7-01"), "duration_ms": 3,
    });
    more.as_object().unwrap().iter().for_each(|(name, value)| line[name] = value.clone());
    line.to_string()
}

const EDGE: (&str, &str, &str) = ("edge", "edge", "-");
const INBOUND: (&str, &str, &str) = ("invoices", "inbound", "spiffe://mesh.example/ns/shop/sa/edge");
const OUTBOUND: (&str, &str, &str) = ("invoices", "outbound", "");

/// Runs on the lines of two files, the later hops in the first.
fn lineage(name: &str, last: Value, more: &[&str]) -> Ran {
    let folder = folder(name);
    let (a, b) = (folder.join("a.log"), folder.join("b.log"));
    let lines =
        [line(TRACE, 30, OUTBOUND, last), line(OTHER, 4, INBOUND, json!({})), line(TRACE, 20, INBOUND, json!({}))];
    fs::write(&a, lines.join("\n")).unwrap();
    // The trace id of another request's line stands in its path alone.
    let named = json!({ "path": format!("/{TRACE}") });
    fs::write(&b, [line(TRACE, 10, EDGE, json!({})), line(OTHER, 5, EDGE, named)].join("\n")).unwrap();
    partywall(&[&["lineage", "--trace", TRACE, path(&a), path(&b)], more].concat())
}

#[test]
fn the_hops_stand_in_the_order_of_the_request_and_no_other_request_among_them() {
    let found = lineage("lineage-json", json!({}), &["--json"]).succeeds().json();
    let hops: Vec<_> = found.as_array().unwrap().iter().map(|step| step["role"].as_str().unwrap()).collect();
    assert_eq!(hops, ["edge", "inbound", "outbound"], "{found:#}");
    lineage("lineage-text", json!({}), &[]).succeeds().says("3 lines").says("called by client, for t1_0f: allow");
    lineage(
        "lineage-denied",
        json!({ "decision": "deny", "reason": "policy_denied", "policy": "", "status": 403 }),
        &[],
    )
    .ends_with(1)
    .says("403")
    .says("called by invoices, for t1_0f: deny policy_denied");
}

#[test]
fn pictures_are_whole_and_nothing_breaks_out_of_them() {
    let hostile = || json!({ "path": "/<script>;\u{1b}[2J\"&#59;\nend", "hop": "end" });
    let mermaid = lineage("lineage-mermaid", hostile(), &["--mermaid"]).succeeds();
    let drawn = mermaid.stdout();
    assert!(drawn.starts_with("sequenceDiagram\n  participant p0 as client\n  participant p1 as edge\n"), "{drawn}");
    assert!(drawn.contains("\n  p1->>p2: inbound GET /invoices/7\n"), "{drawn}");
    assert!(drawn.lines().skip(1).all(|l| ["  p", "  Note over p"].iter().any(|b| l.starts_with(b))), "{drawn}");
    let svg = lineage("lineage-svg", hostile(), &["--svg"]).succeeds();
    let drawn = svg.stdout();
    assert!(drawn.starts_with("<svg ") && drawn.trim_end().ends_with("</svg>"), "{drawn}");
    assert_eq!(drawn.matches("<rect ").count(), 4, "{drawn}");
    for text in [mermaid.stdout(), drawn, lineage("lineage-hostile", hostile(), &[]).succeeds().stdout()] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!drawn.contains("<script") && drawn.contains("&lt;script&gt;"), "{drawn}");
    assert!(!mermaid.stdout().contains('<'), "{}", mermaid.stdout());
}

#[test]
fn what_is_no_trace_id_or_in_no_log_is_told() {
    let log = folder("lineage-none").join("log");
    fs::write(&log, "{}\nnot JSON\n").unwrap();
    partywall(&["lineage", "--trace", TRACE, path(&log)]).ends_with(1).says("no line of these logs has it");
    for wrong in ["4bf9", &TRACE.to_uppercase(), &format!("00-{TRACE}-1-01")] {
        partywall(&["lineage", "--trace", wrong, path(&log)]).ends_with(2).says("32 of `0-9 a-f`");
    }
}
