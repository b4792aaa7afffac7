//! Envoy's admin interface, asked for what the module counts.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What the module counts is a part of this at most, however many tenants have a label.
const MAX_SIZE: usize = 8 << 20;

/// Where an Envoy's admin listens.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    /// As it was written.
    pub(crate) url: String,
    authority: String,
}

/// The module's state in one Envoy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The revision of the bundle in force, 0 for none.
    pub(crate) revision: u64,
    /// The sequence of the overlay in force, 0 for none: the milliseconds at which it was issued.
    pub(crate) overlay: u64,
    /// How many bundles, overlays, grants and candidates were refused.
    pub(crate) refused: u64,
    /// Revision and step of the candidate that is tried out, 0 for none.
    pub(crate) candidate: (u64, u64),
}

/// Why there is no state to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody answers, or not in time.
    Unreachable(String),
    /// Somebody answers who is no Envoy admin.
    Strange(String),
    /// An Envoy without the module, or one that never had a bundle.
    NoModule,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "unreachable: {why}"),
            Self::Strange(why) => write!(f, "no Envoy admin: {why}"),
            Self::NoModule => f.write_str("no partywall gauges: the module is not there, or never had a bundle"),
        }
    }
}

impl Admin {
    /// Reads `http://host:port`, with or without the scheme and a `/` at the end.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|e| format!("`{text}` is no URL: {e}; write `http://127.0.0.1:9901`"))?;
        if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
            return Err(format!(
                "`{text}`: Envoy's admin speaks plain HTTP; write `http://…`, and tunnel it where that must be secret"
            ));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(format!("`{text}` has a path; write host and port alone, as `http://127.0.0.1:9901`"));
        }
        match uri.authority() {
            Some(authority) if authority.port_u16().is_some() => {
                Ok(Self { url: text.to_owned(), authority: authority.to_string() })
            }
            _ => Err(format!("`{text}` has no port; write `http://127.0.0.1:9901`")),
        }
    }

    /// Asks; an Envoy that does not answer within `patience` is unreachable.
    pub(crate) async fn state(&self, patience: Duration) -> Result<State, Silence> {
        match tokio::time::timeout(patience, self.ask()).await {
            Ok(answer) => answer,
            Err(_) => Err(Silence::Unreachable(format!("no answer within {} s", patience.as_secs_f64()))),
        }
    }

    async fn ask(&self) -> Result<State, Silence> {
        let unreachable = |e: &dyn fmt::Display| Silence::Unreachable(e.to_string());
        let strange = |e: &dyn fmt::Display| Silence::Strange(e.to_string());
        let stream = TcpStream::connect(&self.authority).await.map_err(|e| unreachable(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreachable(&e))?;
        let connection = tokio::spawn(connection);
        let request = Request::get("/stats?filter=partywall&format=json").header("host", &self.authority);
        let request = request.body(Body::empty()).map_err(|e| strange(&e))?;
        let answer = sender.send_request(request).await.map_err(|e| strange(&e))?;
        if answer.status() != StatusCode::OK {
            return Err(Silence::Strange(format!("status {}", answer.status())));
        }
        let body = to_bytes(Body::new(answer.into_body()), MAX_SIZE).await.map_err(|e| strange(&e))?;
        connection.abort();
        let stats: Value = serde_json::from_slice(&body).map_err(|e| strange(&e))?;
        read(&stats)
    }
}

/// Names carry prefixes of Envoy's and labels of ours before the metric's own.
fn read(stats: &Value) -> Result<State, Silence> {
    let list = stats.get("stats").and_then(Value::as_array).ok_or_else(|| Silence::Strange("no `stats`".into()))?;
    let (mut state, mut there) = (State::default(), false);
    for stat in list {
        let (Some(name), Some(value)) = (stat["name"].as_str(), stat["value"].as_u64()) else { continue };
        if name.ends_with("partywall_bundle_revision") {
            (state.revision, there) = (value, true);
        } else if name.ends_with("partywall_bundle_overlay_sequence") {
            state.overlay = value;
        } else if name.ends_with("partywall_candidate_revision") {
            state.candidate.0 = value;
        } else if name.ends_with("partywall_candidate_step") {
            state.candidate.1 = value;
        } else if name.ends_with("partywall_bundle_refused_total") {
            state.refused += value;
        }
    }
    if there { Ok(state) } else { Err(Silence::NoModule) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_has_host_and_port_and_nothing_else() {
        for good in ["http://127.0.0.1:9901", "127.0.0.1:9901", "http://envoy:9901/", "[::1]:9901"] {
            assert!(Admin::parse(good).is_ok(), "{good}");
        }
        for bad in ["https://127.0.0.1:9901", "127.0.0.1", "http://127.0.0.1:9901/stats", "envoy", "", "http://a b:1"] {
            assert!(Admin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn gauges_are_found_behind_prefixes_and_labels() {
        let stats = json!({ "stats": [
            { "name": "wasmcustom.partywall_bundle_revision", "value": 7 },
            { "name": "wasmcustom.partywall_bundle_overlay_sequence", "value": 1_795_000_000_000_u64 },
            { "name": "wasmcustom.kind=.=bundle;.;reason=.=older;.;partywall_bundle_refused_total", "value": 2 },
            { "name": "wasmcustom.kind=.=overlay;.;reason=.=older;.;partywall_bundle_refused_total", "value": 3 },
            { "name": "wasmcustom.partywall_candidate_revision", "value": 8 },
            { "name": "wasmcustom.partywall_candidate_step", "value": 2 },
            { "histograms": {} },
        ] });
        assert_eq!(read(&stats), Ok(State { revision: 7, overlay: 1_795_000_000_000, refused: 5, candidate: (8, 2) }));
        assert_eq!(read(&json!({ "stats": [] })), Err(Silence::NoModule));
        assert!(matches!(read(&json!([])), Err(Silence::Strange(_))));
    }
}
