//! Access logs: one JSON line per request and hop.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A place where a request is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The edge.
    Edge,
    /// The sidecar of `invoices`, towards the app.
    InvoicesInbound,
    /// The sidecar of `invoices`, away from the app.
    InvoicesOutbound,
    /// The sidecar of `orders`, towards the app.
    OrdersInbound,
}

impl Hop {
    /// All, in the order in which a request meets them.
    pub const ALL: [Self; 4] = [Self::Edge, Self::InvoicesInbound, Self::InvoicesOutbound, Self::OrdersInbound];

    /// `hop` and `role` of its access log.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Edge => ("edge", "edge"),
            Self::InvoicesInbound => ("invoices", "inbound"),
            Self::InvoicesOutbound => ("invoices", "outbound"),
            Self::OrdersInbound => ("orders", "inbound"),
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fields() {
            ("edge", _) => f.pad("edge"),
            (hop, role) => f.pad(&format!("{hop} {role}")),
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who wrote it.
    pub hop: Hop,
    fields: Value,
    text: String,
}

impl Line {
    /// A field as text; empty where it is null or absent.
    pub fn field(&self, name: &str) -> String {
        match &self.fields[name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The trace id of the request: the second part of its `traceparent`.
    pub fn trace_id(&self) -> Option<String> {
        self.field("traceparent").split('-').nth(1).map(str::to_owned)
    }

    /// The line as it stands in the log.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The access log of one Envoy.
#[derive(Clone, Debug)]
pub struct AccessLog(PathBuf);

impl AccessLog {
    /// The log in this file.
    pub fn new(path: &Path) -> Self {
        Self(path.into())
    }

    /// Every line so far. A line being written just now is left for the next time.
    pub fn lines(&self) -> Vec<Line> {
        let text = fs::read(&self.0).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        text.lines().filter_map(read).collect()
    }
}

fn read(text: &str) -> Option<Line> {
    let fields: Value = serde_json::from_str(text).ok()?;
    let wrote = (fields["hop"].as_str()?, fields["role"].as_str()?);
    let hop = Hop::ALL.into_iter().find(|hop| hop.fields() == wrote)?;
    Some(Line { hop, fields, text: text.into() })
}
