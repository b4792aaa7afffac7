//! A collector that takes what collectors take, answers as they do, and keeps every byte.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::read::{self, Read, Signal};
use super::unfold::unfold;
use crate::grpc;
use crate::http2::{self, Reply, Seen, text};
use crate::ports::{free, local};

/// One request that reached it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The header `x-run`: which program sent it.
    pub run: String,
    /// The path with its query.
    pub path: String,
    /// The headers, but for `authorization`.
    pub headers: Vec<(String, String)>,
    /// The body, unfolded.
    pub body: Vec<u8>,
    /// What was in it.
    pub read: Read,
    /// Why it could not be read, if so: it was answered with 400.
    pub damage: Option<String>,
}

type Kept = Arc<Mutex<Vec<Arrival>>>;

/// A collector that runs until this is dropped.
pub struct Collector {
    /// Where it speaks HTTP/1.1.
    pub http: u16,
    /// Where it speaks gRPC, in the clear.
    pub grpc: u16,
    kept: Kept,
    _grpc: http2::App,
    _http: Runtime,
}

impl Collector {
    /// Starts it on free ports of loopback.
    pub fn start() -> Result<Self> {
        let ([http, grpc], kept) = (free()?, Kept::default());
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind(local(http))).context("the collector cannot listen")?;
        let all = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&kept));
        runtime.spawn(async move { axum::serve(listener, all).await });
        let keeps = Arc::clone(&kept);
        let app = http2::App::start(grpc, move |seen| called(seen, &keeps))?;
        Ok(Self { http, grpc, kept, _grpc: app, _http: runtime })
    }

    /// What reached it of a run, oldest first.
    pub fn of(&self, run: &str) -> Vec<Arrival> {
        let of = |all: Vec<Arrival>| all.into_iter().filter(|one| one.run == run).collect();
        self.kept.lock().map(|all| of(all.clone())).unwrap_or_default()
    }
}

fn keep(kept: &Kept, path: String, headers: &HeaderMap, taken: Result<(Vec<u8>, Read)>, body: &[u8]) {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let told = headers.iter().filter(|(name, _)| *name != "authorization");
    let run = http2::text(headers, "x-run");
    let headers = told.map(|(name, value)| (name.to_string(), text(value))).collect();
    let (body, read, damage) = match taken {
        Ok((body, read)) => (body, read, None),
        Err(error) => (body.to_vec(), Read::default(), Some(format!("{error:#}"))),
    };
    if let Ok(mut all) = kept.lock() {
        all.push(Arrival { run, path, headers, body, read, damage });
    }
}

/// A call of gRPC.
fn called(seen: &Seen, kept: &Kept) -> Reply {
    let taken = messages(seen);
    let well = taken.is_ok();
    keep(kept, seen.path.clone(), &seen.headers, taken, &seen.body);
    let mut reply = grpc::reply(&[b""]);
    if !well {
        reply.body.clear();
        reply.trailers.insert("grpc-status", axum::http::HeaderValue::from_static("3"));
    }
    reply
}

/// The one message of a call, by <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
fn messages(seen: &Seen) -> Result<(Vec<u8>, Read)> {
    let signal = Signal::of(&seen.path).with_context(|| format!("no method `{}`", seen.path))?;
    let (head, rest) = seen.body.split_first_chunk::<5>().context("no message")?;
    let [folded, length @ ..] = *head;
    let length = usize::try_from(u32::from_be_bytes(length))?;
    anyhow::ensure!(rest.len() == length, "a message of {length} bytes in {}", rest.len());
    let coding = text(&seen.headers, "grpc-encoding");
    let message = unfold(if folded == 0 { "" } else { &coding }, rest)?;
    let read = read::otlp(signal, &message)?;
    Ok((message, read))
}

async fn answer(State(kept): State<Kept>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (path, mut answer) = (uri.path().to_owned(), well(uri.path()));
    if method == Method::GET || method == Method::HEAD {
        return answer;
    }
    let coding = text(&headers, "content-encoding");
    let taken = unfold(&coding, &body).and_then(|body| take(&path, &headers, body));
    if let Ok((.., Some(items))) = &taken {
        answer = product(&json!({ "took": 1, "errors": false, "items": items }));
    }
    if taken.is_err() {
        answer = StatusCode::BAD_REQUEST.into_response();
    }
    let whole = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    keep(&kept, whole, &headers, taken.map(|(body, read, _)| (body, read)), &body);
    answer
}

/// What is in a body, and of a bulk request what became of each action.
fn take(path: &str, headers: &HeaderMap, body: Vec<u8>) -> Result<(Vec<u8>, Read, Option<Vec<Value>>)> {
    let is_json = text(headers, "content-type").contains("json");
    if let Some(signal) = Signal::of(path) {
        let read = if is_json { read::otlp_json(signal, &body)? } else { read::otlp(signal, &body)? };
        return Ok((body, read, None));
    }
    if path.ends_with("/_bulk") {
        let (items, read) = read::bulk(&body)?;
        return Ok((body, read, Some(items)));
    }
    let read = match path {
        "/loki/api/v1/push" if !is_json => {
            let (body, read) = read::loki(&body)?;
            return Ok((body, read, None));
        }
        "/api/v2/spans" => read::zipkin(&body)?,
        "/services/collector/raw" => read::lines(&body)?,
        _ => read::json(&body)?.1,
    };
    Ok((body, read, None))
}

/// What each server says when all went well.
fn well(path: &str) -> Response {
    match path {
        "/" => product(&json!({
            "name": "node-1", "cluster_name": "tests", "cluster_uuid": "pK2tYbVZRl6h0rYb0000AA",
            "version": { "number": "9.5.1", "build_flavor": "default", "build_type": "docker", "lucene_version": "10.3.0" },
            "tagline": "You Know, for Search",
        })),
        "/v1/logs" | "/v1/traces" | "/v1/metrics" => ([(CONTENT_TYPE, "application/x-protobuf")], "").into_response(),
        "/loki/api/v1/push" => StatusCode::NO_CONTENT.into_response(),
        "/api/v2/spans" => StatusCode::ACCEPTED.into_response(),
        path if path.starts_with("/services/collector") => {
            ([(CONTENT_TYPE, "application/json")], json!({ "text": "Success", "code": 0 }).to_string()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// An answer of Elasticsearch: its clients ask for this header.
fn product(body: &Value) -> Response {
    let headers = [("content-type", "application/json"), ("x-elastic-product", "Elasticsearch")];
    (headers, body.to_string()).into_response()
}
