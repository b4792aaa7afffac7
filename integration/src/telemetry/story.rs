//! What the demo shows of telemetry: what a collector gets to see of what two tenants and a stranger send.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::collector::Collector;
use super::proxy::{Options, Proxy};
use crate::certificates::{Identity, uri};
use crate::mesh::unique;
use crate::raw::{Request, mutual_tls};

const REDACTION: &str = "replace: { default: mask, card: partial }\ntenants: { foreign: drop }\n";

/// One of the things that are shown.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who sends.
    pub who: &'static str,
    /// What.
    pub name: &'static str,
    /// What the collector saw, or what was answered.
    pub told: String,
    /// What was to be.
    pub wanted: &'static str,
}

impl Step {
    /// Whether it is as it was to be; of a mark the fingerprint does not count.
    pub fn is_right(&self) -> bool {
        self.told == self.wanted
    }
}

/// An Envoy before a collector.
pub struct Stage {
    proxy: Proxy,
    collector: Collector,
}

/// What a workload writes: a line of its log.
struct Line<'l> {
    tenant: &'l str,
    text: &'l str,
    trace: &'l str,
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

impl Stage {
    /// Starts both.
    pub fn start(name: &str) -> Result<Self> {
        let collector = Collector::start()?;
        let options = Options { name, redaction: REDACTION, ..Options::default() };
        Ok(Self { proxy: Proxy::start(&options, &collector)?, collector })
    }

    /// Plays all of it, and tells of each step as it is done.
    pub fn play(&self, mut tell: impl FnMut(&Step)) -> Result<Vec<Step>> {
        let issue = |id: &str| self.proxy.site.certificates.issue(vec![uri(id)?]);
        let acme = issue("spiffe://mesh.example/tenant/acme/sa/web")?;
        let stranger = issue("spiffe://mesh.example/ns/shop/sa/nobody")?;
        let line = |tenant, text| Line { tenant, text, trace: TRACE };
        let mut steps = Vec::new();
        let mut step = |who, name, wanted, told: String| {
            let step = Step { who, name, told, wanted };
            tell(&step);
            steps.push(step);
        };
        let seen = |who: &Identity, line: &Line<'_>| self.seen(who, "/v1/logs", &logs(line));
        step(
            "acme",
            "logs an e-mail address",
            "order of [REDACTED:email], trace kept",
            seen(&acme, &line("acme", "order of ann@example.com"))?,
        );
        step(
            "acme",
            "logs a card number, of which the end may stay",
            "paid by ****1111, trace kept",
            seen(&acme, &line("acme", "paid by 4111 1111 1111 1111"))?,
        );
        step(
            "acme",
            "logs a key of AWS",
            "key=[REDACTED:key/aws_access_key], trace kept",
            seen(&acme, &line("acme", "key=AKIAIOSFODNN7EXAMPLE"))?,
        );
        step("acme", "sends a record of globex", "nothing", seen(&acme, &line("globex", "an order"))?);
        step("acme", "names a host of globex", "nothing", seen(&acme, &line("acme", "GET globex.shop.example"))?);
        step("acme", "sends half a body", "refused, 400", self.seen(&acme, "/v1/logs", "{\"resourceLogs\":[")?);
        step("acme", "asks for logs", "denied, 403", self.seen(&acme, "/loki/api/v1/query", "{}")?);
        step("nobody", "sends a record of acme", "denied, 401", seen(&stranger, &line("acme", "an order"))?);
        Ok(steps)
    }

    /// What the collector sees of a body.
    fn seen(&self, who: &Identity, path: &str, body: &str) -> Result<String> {
        let run = unique();
        let request = Request::new("POST", path)
            .header("host", "collector")
            .header("content-type", "application/json")
            .header("content-length", body.len().to_string())
            .header("x-run", run.as_str());
        let answer = mutual_tls(self.proxy.guarded(), who, &[&request.bytes()[..], body.as_bytes()].concat())?;
        match answer.status {
            200 => {}
            400 => return Ok("refused, 400".to_owned()),
            status => return Ok(format!("denied, {status}")),
        }
        let arrived = self.collector.of(&run);
        let seen: Value = serde_json::from_slice(&arrived.first().context("nothing arrived")?.body)?;
        let record = &seen["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        let Some(text) = record["body"]["stringValue"].as_str() else { return Ok("nothing".to_owned()) };
        let trace = if record["traceId"] == TRACE { "trace kept" } else { "trace LOST" };
        Ok(format!("{}, {trace}", plain(text)))
    }
}

/// Without the fingerprint that each mark ends with.
fn plain(text: &str) -> String {
    let Some((before, rest)) = text.split_once("[REDACTED:") else { return text.to_owned() };
    let Some((mark, after)) = rest.split_once(']') else { return text.to_owned() };
    let name = mark.rsplit_once(':').map_or(mark, |(name, _)| name);
    format!("{before}[REDACTED:{name}]{}", plain(after))
}

fn logs(line: &Line<'_>) -> String {
    let tenant = json!({ "key": "tenant.id", "value": { "stringValue": line.tenant } });
    let record = json!({
        "timeUnixNano": "1", "traceId": line.trace, "spanId": "00f067aa0ba902b7",
        "body": { "stringValue": line.text }, "attributes": [tenant],
    });
    json!({ "resourceLogs": [{ "resource": {}, "scopeLogs": [{ "scope": {}, "logRecords": [record] }] }] }).to_string()
}
