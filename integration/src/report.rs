//! What the demo prints: the table of the story, and one request's whole way.

use std::io::IsTerminal;

use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder};
use serde_json::Value;

use crate::access_log::{Hop, Line};
use crate::play::Outcome;
use crate::services::headers;
use crate::story::{Asker, Step};

const LOGGED: &[&str] = &[
    "decision",
    "reason",
    "tenant",
    "policy",
    "revision",
    "peer",
    "upstream",
    "path",
    "status",
    "details",
    "traceparent",
];
const SHOWN: &[&str] = &["host", "traceparent", "tracestate"];

/// Colours, if somebody looks.
#[derive(Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// No colours, for text that is compared.
    pub const PLAIN: Self = Self(false);

    /// On a terminal alone, and not against the reader's wish (<https://no-color.org>).
    pub fn for_stdout() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    /// Good news.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Bad news.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }
}

/// The head of the table.
pub fn heading(paint: Paint) -> String {
    paint.bold(&row("", "tenant", "request", "status", "decision", "reason", "decided at", "as expected"))
}

/// A row of the table.
pub fn step(paint: Paint, number: usize, step: &Step, outcome: &Outcome) -> String {
    let deciding = outcome.deciding();
    let field = |name| deciding.map(|line| line.field(name)).filter(|text| !text.is_empty()).unwrap_or("-".into());
    let place = deciding.map_or("-".into(), |line| line.hop.to_string());
    let good = outcome.differences.is_empty();
    let mut expected = if good { paint.green("yes") } else { paint.red("NO") };
    if let (Some(_), Some(after)) = (step.command, outcome.after) {
        expected = format!("{expected}, {} ms after the command", after.as_millis());
    }
    let number = number.to_string();
    let status = outcome.answer.status.to_string();
    let mut out =
        row(&number, step.tenant, step.name, &status, &field("decision"), &field("reason"), &place, &expected);
    for difference in &outcome.differences {
        out.push_str(&format!("\n      {}", paint.red(difference)));
    }
    out
}

#[allow(clippy::too_many_arguments, reason = "one per column")]
fn row(
    number: &str,
    tenant: &str,
    request: &str,
    status: &str,
    decision: &str,
    reason: &str,
    place: &str,
    expected: &str,
) -> String {
    format!("{number:>3}  {tenant:8} {request:48} {status:6} {decision:8} {reason:19} {place:17} {expected}")
}

/// What each hop of one request saw and logged.
pub fn journey(paint: Paint, step: &Step, outcome: &Outcome) -> String {
    let mut out = format!("{}\n", paint.bold(&format!("The whole way of: {} {}", step.tenant, step.name)));
    let what = if step.asker == Asker::Client { "client sends" } else { "peer sends" };
    let token = if step.token.is_some() { ", authorization: Bearer ..." } else { "" };
    out.push_str(&format!("\n  {what:19} {} {} to host {}{token}\n", step.method, outcome.path, step.host));
    for hop in Hop::ALL {
        if let Some(line) = outcome.line(hop) {
            out.push_str(&format!("\n  {hop:17}   log line\n{}", log_line(line)));
        }
        let (app, reached) = match hop {
            Hop::InvoicesInbound => ("app invoices", &outcome.invoices),
            Hop::OrdersInbound => ("app orders", &outcome.orders),
            Hop::Edge | Hop::InvoicesOutbound => continue,
        };
        for seen in reached {
            out.push_str(&format!(
                "\n  {app:17}   got {} {}\n{}",
                text(&seen["method"]),
                text(&seen["path"]),
                app_headers(seen)
            ));
        }
        if hop == Hop::InvoicesInbound && outcome.line(Hop::InvoicesOutbound).is_some() {
            out.push_str("                      then calls orders, with its trace headers and nothing else\n");
        }
    }
    out
}

fn log_line(line: &Line) -> String {
    let fields = LOGGED.iter().map(|name| (*name, line.field(name))).filter(|(_, value)| !value.is_empty());
    fields.map(|(name, value)| format!("      {name:22} {value}\n")).collect()
}

fn app_headers(seen: &Value) -> String {
    let mut out = String::new();
    let all = seen["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = all.iter().filter_map(|pair| pair[0].as_str()).filter(|name| name.starts_with("x-partywall-"));
    for name in SHOWN.iter().copied().chain(ours) {
        for value in headers(seen, name) {
            let shown = claims(&value).filter(|_| name == "x-partywall-context").unwrap_or(value);
            out.push_str(&format!("      {name:22} {shown}\n"));
        }
    }
    out
}

/// The claims of a root context, as text.
fn claims(root: &str) -> Option<String> {
    let payload = root.split('.').nth(1)?;
    let bytes = Base64UrlSafeNoPadding::decode_to_vec(payload, None).ok()?;
    Some(format!("(JWS) {}", String::from_utf8(bytes).ok()?))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
