//! The guard as a filter of its own, in a VM of its own: it judges what the sidecar let in, knows that from filter state
//! alone, and lets nothing in of which no filter left word.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};
use partywall_integration::access_log::Hop;
use partywall_integration::audit;
use partywall_integration::certificates::Workload;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::variant::Variant;
use partywall_integration::{cli, stand_in};
use serde_json::json;

const BEGIN: &str = "                  # partywall: begin\n";
const END: &str = "                  # partywall: end\n";
const OPERATIONS: &str = r#"
  - http: GET /mine/{id}
    action: "invoices:read"
    resource: Invoice
    owner: none
    response: { owner: "/*" }
  - http: GET /dropped/{id}
    action: "invoices:read"
    resource: Invoice
    owner: none
    response: { owner: "/*", foreign: drop }
  - { http: "GET /metrics", scope: platform, action: "metrics:scrape", resource: Metrics, owner: none }

platform:
  - { spiffe_id: spiffe://mesh.example/ns/shop/sa/reports, actions: ["metrics:scrape"] }
"#;

struct Shop {
    mesh: Running,
}

impl Shop {
    /// A sidecar of `invoices` with this in its configuration, and a guard behind it.
    fn open(name: &str, sidecar: &str) -> Self {
        Self::open_with(name, sidecar, None)
    }

    /// The same with a third one between the two, which says this and is of role egress.
    fn open_with(name: &str, sidecar: &str, between: Option<&str>) -> Self {
        let mut variant = Variant::prepare(name, &["invoices"]).unwrap();
        variant.append("services/invoices.yaml", OPERATIONS).unwrap();
        variant.change("invoices", |text| apart(text, sidecar, between)).unwrap();
        stand_in::connections(variant.site.ports.invoices_app, answer).unwrap();
        let mesh = variant.start(&[]).unwrap();
        mesh.wait_for_policy(&[Hop::InvoicesInbound]).unwrap();
        Self { mesh }
    }

    fn ask(&self, path: &str, says: &str) -> Result<(Response, String)> {
        let id = unique();
        Ok((self.ask_as(&id, path, says)?, id))
    }

    /// The same under this id, by which the request is found where no answer comes.
    fn ask_as(&self, id: &str, path: &str, says: &str) -> Result<Response> {
        self.mesh.ask_invoices(path, &[("x-say", says), ("x-request-id", id)])
    }

    fn metric(&self, name: &str, label: (&str, &str)) -> f64 {
        self.mesh.envoy("invoices").unwrap().metric(name, &[label]).unwrap()
    }
}

/// The bootstrap with a second filter behind the first one of ours: the same, but for the root id and the VM.
fn apart(text: &str, sidecar: &str, between: Option<&str>) -> Result<String> {
    let (before, rest) = text.split_once(BEGIN).context("a filter of ours")?;
    let (ours, after) = rest.split_once(END).context("its end")?;
    let role = "role: inbound\n";
    let told = |what: &str| ours.replace(role, &format!("{role}                            {what}\n"));
    let mut guard = told("guard: apart").replace("partywall.sidecar", "partywall.guard");
    for (from, to) in [("root_id: sidecar", "root_id: response_guard"), ("vm_id: partywall", "vm_id: partywall-data")] {
        guard = guard.replace(from, to);
    }
    let mut third = between.map(told).unwrap_or_default();
    for (from, to) in [
        ("role: inbound", "role: egress"),
        ("vm_id: partywall", "vm_id: partywall-third"),
        ("partywall.sidecar", "partywall.third"),
        ("audit_chain: PARTYWALL_AUDIT_CHAIN, ", ""),
    ] {
        third = third.replace(from, to);
    }
    for anchor in ["&vm", "&bundle ", "&trusted_keys ", "&secrets "] {
        (guard, third) = (guard.replace(anchor, ""), third.replace(anchor, ""));
    }
    Ok([before, BEGIN, &told(sidecar), &third, &guard, END, after].concat())
}

/// The app: answers with what the header `x-say` holds.
fn answer(mut stream: TcpStream) -> Result<()> {
    let mut said = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(say) = line.strip_prefix("x-say: ") {
            said = say.to_owned();
        }
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    Ok(write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{said}", said.len())?)
}

fn shown(answer: &Response) -> (u16, String) {
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn a_guard_in_a_vm_of_its_own_judges_what_the_sidecar_let_in() {
    let mut shop = Shop::open("guard-apart", "guard: apart");
    // Its bundle comes when it comes.
    shop.mesh.wait_for("the guard", || Ok(shop.ask("/mine/0", r#"["acme"]"#)?.0)).unwrap();
    for n in 0..12 {
        let (own, _) = shop.ask(&format!("/mine/{n}"), r#"["acme","acme"]"#).unwrap();
        assert_eq!(shown(&own), (200, r#"["acme","acme"]"#.into()));
        let (dropped, _) = shop.ask(&format!("/dropped/{n}?x"), r#"["globex","acme"]"#).unwrap();
        assert_eq!(shown(&dropped), (200, r#"["acme"]"#.into()));
    }
    let id = unique();
    let foreign = shop.ask_as(&id, "/mine/1", r#"["acme","globex"]"#);
    let whole = foreign.as_ref().is_ok_and(|answer| answer.status == 200);
    assert!(!whole, "{:?}", foreign.as_ref().map(shown));
    let told = shop.mesh.line(Hop::InvoicesInbound, &id).unwrap();
    assert_eq!(["decision", "reason"].map(|name| told.field(name)), ["deny", "response_foreign"]);
    let dropped = shop.metric("partywall_guard_elements_total", ("outcome", "dropped"));
    assert_eq!(dropped, 12.0, "the sidecar judges none of it, and the guard all");
    // An operation without a guard passes; what the sidecar denies is denied by it.
    let (unguarded, _) = shop.ask("/invoices/7", "anything").unwrap();
    assert_eq!(shown(&unguarded), (200, "anything".into()));
    let (unmapped, id) = shop.ask("/nowhere", "anything").unwrap();
    assert_eq!(unmapped.status, 403);
    assert_eq!(shop.mesh.line(Hop::InvoicesInbound, &id).unwrap().field("reason"), "resource_unmapped");

    // What is no tenant's cannot be judged. That is a verdict, too.
    let scrape = Request::get("/metrics").header("host", "invoices").header("x-request-id", "scrape-1");
    assert_eq!(shop.mesh.send(Hop::InvoicesInbound, Workload::Reports, &scrape).unwrap().status, 503);
    let unjudged = shop.mesh.line(Hop::InvoicesInbound, "scrape-1").unwrap();
    assert_eq!(["decision", "reason"].map(|name| unjudged.field(name)), ["deny", "policy_unavailable"]);
    assert!(unjudged.field("policy").starts_with("platform:"), "{}", unjudged.text());

    // Who refused it, and why, is told as if the guard stood in the sidecar; what was decided about the request stays.
    let site = &shop.mesh.site;
    let [log, _] = audit::logs(site, "invoices");
    let (bundles, key, trace) = (site.bundles(), site.keys().join("invoices.env"), told.trace_id().unwrap());
    let [log, bundles, key] = [&log, &bundles, &key].map(|path| cli::text(path).unwrap());
    let (status, steps) = cli::json(&["lineage", "--json", "--trace", &trace, log]).unwrap();
    let step = ["hop", "role", "decision", "reason"].map(|name| steps[0][name].as_str().unwrap_or_default());
    assert_eq!((status, step), (1, ["invoices", "inbound", "deny", "response_foreign"]), "{steps:#}");
    let asked = ["replay", "--json", "--log", log, bundles, bundles, "--fingerprint-key", key];
    let (status, again) = cli::json(&asked).unwrap();
    assert_eq!((status, &again["flips"], &again["not_reproduced"]), (0, &json!([]), &json!([])), "{again:#}");

    // One line, one link: of the VM that let it in.
    shop.mesh.stop();
    println!("{} decisions", audit::is_whole(&shop.mesh.site, &["invoices"]).unwrap());
    for line in [&told, &unjudged] {
        let fields = ["decision", "reason", "detail", "explain"];
        audit::changes_are_found(&shop.mesh.site, "invoices", line, &fields).unwrap();
    }
}

#[test]
fn without_word_of_a_request_nothing_is_let_in() {
    let shop = Shop::open("guard-unheard", "guard: here");
    for path in ["/mine/1", "/invoices/7"] {
        let (answer, id) = shop.ask(path, r#"["acme"]"#).unwrap();
        assert_eq!(answer.status, 503, "{path}");
        let line = shop.mesh.line(Hop::InvoicesInbound, &id).unwrap();
        let told = (line.field("decision"), line.field("reason"));
        assert_eq!(told, ("deny".to_owned(), "policy_unavailable".to_owned()));
        assert!(line.field("detail").contains("guard: apart"), "{}", line.field("detail"));
    }
    assert!(shop.metric("partywall_guard_denials_total", ("reason", "unjudged")) >= 2.0);
}

/// Only what the first filter wrote is linked again: what another one put into the line meanwhile reads as altered.
#[test]
fn what_another_filter_wrote_into_the_line_gets_no_link() {
    let mut shop = Shop::open_with("guard-between", "guard: apart", Some("direction: any"));
    shop.mesh.wait_for("the guard", || Ok(shop.ask("/mine/0", r#"["acme"]"#)?.0)).unwrap();
    let id = unique();
    let _ = shop.ask_as(&id, "/mine/1", r#"["globex"]"#);
    let line = shop.mesh.line(Hop::InvoicesInbound, &id).unwrap();
    let told = ["tenant", "decision", "reason"].map(|name| line.field(name));
    assert_eq!(told, ["", "deny", "response_foreign"], "{}", line.text());
    shop.mesh.stop();
    let logs = audit::logs(&shop.mesh.site, "invoices");
    let logs: Vec<_> = logs.iter().map(|path| path.as_path()).collect();
    let (status, found) = audit::verify(&shop.mesh.site.keys(), &logs, &["--ended"]).unwrap();
    let text = fs::read_to_string(logs[0]).unwrap();
    let at = text.lines().position(|one| one == line.text()).unwrap() + 1;
    let mut findings = found["findings"].as_array().unwrap().iter();
    assert!(status == 1 && findings.any(|one| one["line"] == at && one["what"] == "altered"), "{at}: {found:#}");
}
