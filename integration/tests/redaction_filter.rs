//! The filter before a collector: who may send, what goes no further, where records of others go, and what is told of it.

use std::sync::LazyLock;
use std::time::Duration;

use partywall_integration::certificates::{Identity, Workload, uri};
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::telemetry::proxy::{Options, Quarantine};
use partywall_integration::telemetry::{Collector, Proxy};
use partywall_integration::wait;
use serde_json::{Value, json};

const REDACTION: &str = r#"
replace: { default: mask, phone: drop_record }
tenants: { foreign: quarantine, unattributed: drop, tag: partywall.tenant }
passing: [{ method: GET, path: / }]
"#;

struct Stage {
    proxy: Proxy,
    collector: Collector,
    quarantine: Collector,
    acme: Identity,
    shared: Identity,
    stranger: Identity,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let (collector, quarantine) = (Collector::start().unwrap(), Collector::start().unwrap());
    let options = Options {
        name: "redaction-filter",
        redaction: REDACTION,
        quarantine: Some(Quarantine::Http(quarantine.http)),
        access_log: true,
        ..Options::default()
    };
    let proxy = Proxy::start(&options, &collector).unwrap();
    let issue = |id: &str| proxy.site.certificates.issue(vec![uri(id).unwrap()]).unwrap();
    let acme = issue("spiffe://mesh.example/tenant/acme/sa/web");
    let stranger = issue("spiffe://mesh.example/ns/shop/sa/nobody");
    let shared = issue(Workload::Invoices.spiffe_id());
    Stage { proxy, collector, quarantine, acme, shared, stranger }
});

impl Stage {
    fn ask(&self, who: &Identity, request: Request, body: &str) -> Response {
        let length = body.len().to_string();
        let request = request.header("host", "collector").header("content-length", length);
        let bytes = [request.bytes().as_slice(), body.as_bytes()].concat();
        partywall_integration::raw::mutual_tls(self.proxy.guarded(), who, &bytes).unwrap()
    }

    /// The line of the log of a run.
    fn line(&self, run: &str) -> Value {
        let line = wait::until(Duration::from_secs(10), || self.proxy.lines(run).into_iter().next());
        line.expect("a line of the log")
    }

    fn counted(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.proxy.envoy.metric(name, labels).unwrap_or(0.0)
    }
}

fn logs(records: &[Value]) -> String {
    json!({ "resourceLogs": [{ "resource": {}, "scopeLogs": [{ "scope": {}, "logRecords": records }] }] }).to_string()
}

fn record(tenant: &str, text: &str) -> Value {
    let attribute = json!({ "key": "tenant.id", "value": { "stringValue": tenant } });
    json!({ "timeUnixNano": "1", "body": { "stringValue": text }, "attributes": [attribute] })
}

fn post(path: &str, run: &str) -> Request {
    Request::new("POST", path).header("content-type", "application/json").header("x-run", run)
}

#[test]
fn nobody_sends_whom_the_directory_does_not_know() {
    let run = unique();
    let answer = STAGE.ask(&STAGE.stranger, post("/v1/logs", &run), &logs(&[record("acme", "hello")]));
    assert_eq!(answer.status, 401, "{}", String::from_utf8_lossy(&answer.body));
    let line = STAGE.line(&run);
    assert_eq!((&line["decision"], &line["reason"]), (&json!("deny"), &json!("caller_unknown")), "{line}");
    assert!(STAGE.collector.of(&run).is_empty());
}

#[test]
fn what_is_no_telemetry_goes_no_further() {
    let run = unique();
    for (method, path, status) in
        [("GET", "/", 200), ("GET", "/_search", 403), ("POST", "/v1/logs/x", 403), ("DELETE", "/_bulk", 403)]
    {
        let request = Request::new(method, path).header("x-run", run.as_str());
        assert_eq!(STAGE.ask(&STAGE.acme, request, "").status, status, "{method} {path}");
    }
    let lines = wait::until(Duration::from_secs(10), || Some(STAGE.proxy.lines(&run)).filter(|lines| lines.len() == 4));
    for line in lines.unwrap() {
        let went = line["details"] == "via_upstream";
        assert_eq!(went, line["path"] == "/", "{line}");
        // What passes was decided about as well.
        let decided = if went { (json!("allow"), Value::Null) } else { (json!("deny"), json!("resource_unmapped")) };
        assert_eq!((&line["decision"], &line["reason"]), (&decided.0, &decided.1), "{line}");
    }
}

#[test]
fn records_of_others_are_kept_back_for_the_quarantine() {
    let run = unique();
    let before =
        STAGE.counted("partywall_log_redaction_found_total", &[("detector", "email"), ("carrier", "otlp_logs")]);
    let body = logs(&[
        record("acme", "mine, of ann@example.com"),
        record("globex", "theirs, of bob@example.com"),
        record("acme", "seen at globex.shop.example"),
        record("acme", "call +49 30 901820, please"),
    ]);
    let answer = STAGE.ask(&STAGE.acme, post("/v1/logs", &run), &body);
    assert_eq!(answer.status, 200);
    let arrived = STAGE.collector.of(&run);
    let text = String::from_utf8_lossy(&arrived[0].body).into_owned();
    assert_eq!(arrived.len(), 1);
    assert!(text.contains("mine, of [REDACTED:email:") && text.contains("partywall.tenant"), "{text}");
    for gone in ["ann@example.com", "theirs", "globex", "seen at", "901820"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    // It is another request, which has nothing of the first one's head but its path and type.
    let kept = wait::until(Duration::from_secs(10), || {
        let all = STAGE.quarantine.of("");
        all.into_iter().find(|one| String::from_utf8_lossy(&one.body).contains("theirs"))
    });
    let kept = kept.expect("the quarantine");
    let text = String::from_utf8_lossy(&kept.body).into_owned();
    assert_eq!(kept.path, "/v1/logs");
    assert!(kept.damage.is_none() && text.contains("globex") && text.contains("seen at"), "{text}");
    for gone in ["mine", "bob@example.com", "ann@example.com", "901820"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let line = STAGE.line(&run);
    let told: Value = serde_json::from_str(line["redaction"].as_str().unwrap()).unwrap();
    assert_eq!((&told["carrier"], &told["records"], &told["dropped"]), (&json!("otlp_logs"), &json!(4), &json!(3)));
    let counted = || {
        STAGE.counted("partywall_log_redaction_found_total", &[("detector", "email"), ("carrier", "otlp_logs")])
            > before
            && STAGE.counted("partywall_log_redaction_quarantined_total", &[("outcome", "sent")]) >= 2.0
    };
    assert!(wait::until(Duration::from_secs(15), || counted().then_some(())).is_some(), "it is counted");
}

#[test]
fn a_workload_that_tenants_share_says_whose_each_record_is() {
    let run = unique();
    let nobody = json!({ "timeUnixNano": "1", "body": { "stringValue": "nobody's" } });
    let body = logs(&[record("acme", "one"), record("globex", "two"), nobody]);
    assert_eq!(STAGE.ask(&STAGE.shared, post("/v1/logs", &run), &body).status, 200);
    let arrived = STAGE.collector.of(&run);
    let told: Value = serde_json::from_slice(&arrived[0].body).unwrap();
    let records = told["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    let texts: Vec<&Value> = records.iter().map(|record| &record["body"]["stringValue"]).collect();
    assert_eq!(texts, ["one", "two"], "{told}");
    // Each has its own tenant's fingerprint.
    let print = |record: &Value| {
        let all = record["attributes"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["key"] == "partywall.tenant").expect("a tag")["value"]["stringValue"].clone()
    };
    assert!(print(&records[0]).is_string() && print(&records[0]) != print(&records[1]), "{told}");

    // A header that names another tenant makes all of it that tenant's.
    let run = unique();
    let request = post("/v1/logs", &run).header("x-scope-orgid", "globex");
    assert_eq!(STAGE.ask(&STAGE.acme, request, &logs(&[record("acme", "one")])).status, 200);
    let arrived = STAGE.collector.of(&run);
    assert!(arrived.iter().all(|one| !String::from_utf8_lossy(&one.body).contains("one")), "{arrived:?}");
}

/// Nothing of such a body goes on, so its client is answered at once; what was kept back is on its way all the same.
#[test]
fn a_body_of_others_alone_reaches_the_quarantine() {
    for nth in 0..5 {
        let (run, mark) = (unique(), unique());
        let body = json!({ "event": { "tenant": "globex", "text": format!("foreign {mark}") } }).to_string();
        let answer = STAGE.ask(&STAGE.acme, post("/services/collector/event?token=abc", &run), &body);
        assert_eq!((answer.status, &answer.json()["text"]), (200, &json!("Success")), "{nth}");
        let kept = wait::until(Duration::from_secs(10), || {
            let all = STAGE.quarantine.of("");
            all.into_iter().find(|one| String::from_utf8_lossy(&one.body).contains(&mark))
        });
        assert_eq!(kept.expect("the quarantine").path, "/services/collector/event", "without its query");
        assert!(STAGE.collector.of(&run).iter().all(|one| one.body.is_empty()));
    }
}

#[test]
fn the_query_is_looked_through_and_trailers_are_taken_out() {
    let run = unique();
    let path = "/services/collector/raw?source=ann%40example.com&host=h1";
    assert_eq!(STAGE.ask(&STAGE.acme, post(path, &run), "hello\n").status, 200);
    let arrived = STAGE.collector.of(&run);
    let path = arrived[0].path.as_str();
    assert!(
        path.starts_with("/services/collector/raw?source=%5BREDACTED:email") && path.ends_with("&host=h1"),
        "{path}"
    );

    let run = unique();
    let request = post("/services/collector/raw?source=globex.shop.example", &run);
    assert_eq!(STAGE.ask(&STAGE.acme, request, "hello\n").status, 403);
    assert!(STAGE.collector.of(&run).is_empty());

    let run = unique();
    let body = "6\r\nhello\n\r\n0\r\nx-note: ann@example.com\r\n\r\n";
    let request = Request::new("POST", "/services/collector/raw")
        .header("host", "collector")
        .header("x-run", run.as_str())
        .header("transfer-encoding", "chunked")
        .header("trailer", "x-note");
    let bytes = [request.bytes().as_slice(), body.as_bytes()].concat();
    let answer = partywall_integration::raw::mutual_tls(STAGE.proxy.guarded(), &STAGE.acme, &bytes).unwrap();
    assert_eq!(answer.status, 200);
    let arrived = STAGE.collector.of(&run);
    assert_eq!(arrived[0].body, b"hello\n");
    assert!(!format!("{arrived:?}").contains("ann@example.com"), "{arrived:?}");
}

#[test]
fn the_access_log_says_nothing_personal() {
    let run = unique();
    let path = "/?mail=ann@example.com&tenant=globex&page=2";
    let request = Request::get(path)
        .header("x-run", run.as_str())
        .header("user-agent", "curl/8 (ann@example.com)")
        .header("referer", "https://globex.shop.example/x")
        .header("cookie", "session=secret");
    assert_eq!(STAGE.ask(&STAGE.acme, request, "").status, 200);
    let line = STAGE.line(&run);
    let (path, headers) = (line["logged_path"].as_str().unwrap(), line["logged_headers"].as_str().unwrap());
    assert!(path.starts_with("/?mail=[REDACTED:email") && path.ends_with("&page=2"), "{path}");
    let headers: Value = serde_json::from_str(headers).unwrap();
    assert!(headers["user-agent"].as_str().unwrap().starts_with("curl/8 ([REDACTED:email"), "{headers}");
    assert_eq!(headers.as_object().unwrap().len(), 2, "{headers}");
    for told in [path, &headers.to_string()] {
        assert!(!told.contains("ann@example.com") && !told.contains("globex"), "{told}");
    }
    // What is denied has a line as well.
    let run = unique();
    let request = Request::get("/users/ann@example.com").header("x-run", run.as_str());
    assert_eq!(STAGE.ask(&STAGE.acme, request, "").status, 403);
    let line = STAGE.line(&run);
    let path = line["logged_path"].as_str().unwrap_or_default();
    assert!(path.starts_with("/users/[REDACTED:email"), "{line}");
}
