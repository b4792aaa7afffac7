//! Bodies hold so much memory and no more: one for which there is no room is refused at once, and told so.

use std::time::Duration;

use partywall_integration::certificates::uri;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Connection, Request};
use partywall_integration::telemetry::proxy::Options;
use partywall_integration::telemetry::{Collector, Proxy};
use partywall_integration::wait;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(10);

fn export(run: &str, length: usize) -> Request {
    Request::new("POST", "/v1/logs")
        .header("host", "collector")
        .header("content-type", "application/x-protobuf")
        .header("content-length", length.to_string())
        .header("x-run", run)
}

#[test]
fn a_body_for_which_there_is_no_room_is_denied_and_told_so() {
    let collector = Collector::start().unwrap();
    // A body in zstd may have a window of 8 MiB, for which 17 are kept, and half of all is one tenant's.
    let options = Options {
        name: "redaction-memory",
        redaction: "replace: { default: mask }\n",
        memory: Some(64 << 20),
        access_log: true,
        ..Options::default()
    };
    let proxy = Proxy::start(&options, &collector).unwrap();
    let name = uri("spiffe://mesh.example/tenant/acme/sa/web").unwrap();
    let acme = proxy.site.certificates.issue(vec![name]).unwrap();
    // Of so many, two at least come to the same worker.
    let mut open: Vec<(String, Connection)> = (0..8)
        .map(|_| {
            let (run, mut connection) = (unique(), Connection::mutual_tls(proxy.guarded(), &acme).unwrap());
            connection.send(&export(&run, 1000).header("content-encoding", "zstd").bytes()).unwrap();
            (run, connection)
        })
        .collect();
    // Only what was answered has a line.
    let first = || open.iter().position(|(run, _)| !proxy.lines(run).is_empty());
    let (run, mut refused) = open.swap_remove(wait::until(PATIENCE, first).expect("one that is refused"));
    let answer = refused.receive().unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let line = proxy.lines(&run).remove(0);
    assert_eq!((&line["decision"], &line["reason"]), (&json!("deny"), &json!("refused_full")), "{line}");
    let full = || proxy.envoy.metric("partywall_log_redaction_requests_total", &[("outcome", "full")]);
    assert!(wait::until(PATIENCE, || full().ok().filter(|full| *full >= 1.0)).is_some());
    // What is over gives back what it held.
    drop(open);
    let good = || {
        let mut connection = Connection::mutual_tls(proxy.guarded(), &acme).ok()?;
        connection.send(&export(&unique(), 0).header("content-encoding", "zstd").bytes()).ok()?;
        Some(()).filter(|()| connection.receive().is_ok_and(|answer| answer.status != 503))
    };
    assert!(wait::until(PATIENCE, good).is_some());
}
