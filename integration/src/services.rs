//! The two demo apps. They know nothing of tenants: they answer with what reached them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Request as Incoming, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::raw::Request;

/// How many requests are kept to be looked at.
const KEPT: usize = 2000;
/// All that an app must carry along; tracing libraries do it by themselves.
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// Which app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// Calls `orders` for each `GET /invoices/{id}`.
    Invoices,
    /// Calls nobody.
    Orders,
}

impl App {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoices => "invoices",
            Self::Orders => "orders",
        }
    }
}

/// Where an app listens and calls.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which app.
    pub app: App,
    /// For requests, from its sidecar.
    pub listen: SocketAddr,
    /// For `GET /__seen`: what reached the app. No sidecar leads here.
    pub control: Option<SocketAddr>,
    /// Its sidecar's outbound listener.
    pub outbound: Option<SocketAddr>,
}

/// One request as it reached the app: path, and headers in order, repeated ones repeated.
type Seen = Arc<Mutex<VecDeque<Value>>>;

#[derive(Clone)]
struct Served {
    app: App,
    outbound: Option<SocketAddr>,
    seen: Seen,
}

/// Serves an app until the future is dropped.
pub async fn serve(place: Place) -> Result<()> {
    let busy = |at: SocketAddr| move || format!("{}: cannot listen on {at}", place.app.name());
    let listener = TcpListener::bind(place.listen).await.with_context(busy(place.listen))?;
    let seen = Seen::default();
    if let Some(at) = place.control {
        let control = TcpListener::bind(at).await.with_context(busy(at))?;
        let look = Router::new().route("/__seen", get(show)).with_state(seen.clone());
        tokio::spawn(async move { axum::serve(control, look).await });
    }
    let served = Served { app: place.app, outbound: place.outbound, seen };
    axum::serve(listener, Router::new().fallback(answer).with_state(served)).await?;
    Ok(())
}

/// The values of a header that reached an app.
pub fn headers(seen: &Value, name: &str) -> Vec<String> {
    let all = seen["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_name = all.iter().filter(|pair| pair[0] == name);
    of_name.filter_map(|pair| pair[1].as_str().map(str::to_owned)).collect()
}

async fn show(State(seen): State<Seen>) -> Response {
    let all: Vec<Value> = seen.lock().map(|seen| seen.iter().cloned().collect()).unwrap_or_default();
    json_response(StatusCode::OK, &json!(all))
}

async fn answer(State(served): State<Served>, request: Incoming) -> Response {
    let seen = describe(served.app, &request);
    if let Ok(mut all) = served.seen.lock() {
        all.push_back(seen.clone());
        if all.len() > KEPT {
            all.pop_front();
        }
    }
    match (order_of(&request), served.outbound) {
        (Some(call), Some(outbound)) => match call_orders(call, outbound).await {
            Ok((200, orders)) => json_response(StatusCode::OK, &with_orders(seen, orders)),
            Ok((_, orders)) => json_response(StatusCode::BAD_GATEWAY, &with_orders(seen, orders)),
            Err(error) => json_response(StatusCode::BAD_GATEWAY, &with_orders(seen, json!(error.to_string()))),
        },
        _ => json_response(StatusCode::OK, &seen),
    }
}

fn describe(app: App, request: &Incoming) -> Value {
    let headers: Vec<[String; 2]> = request
        .headers()
        .iter()
        .map(|(name, value)| [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()])
        .collect();
    json!({
        "app": app.name(),
        "method": request.method().as_str(),
        "path": request.uri().to_string(),
        "headers": headers,
    })
}

/// The call to `orders` that an invoice needs.
fn order_of(request: &Incoming) -> Option<Request> {
    let id = request.uri().path().strip_prefix("/invoices/").filter(|_| request.method() == "GET")?;
    let mut call = Request::get(&format!("/orders/{id}")).header("host", "orders");
    for name in TRACE_HEADERS {
        for value in request.headers().get_all(name) {
            call = call.header(name, value.as_bytes());
        }
    }
    Some(call)
}

async fn call_orders(call: Request, outbound: SocketAddr) -> Result<(u16, Value)> {
    let answer = tokio::task::spawn_blocking(move || call.send(outbound)).await??;
    Ok((answer.status, answer.json()))
}

fn with_orders(mut seen: Value, orders: Value) -> Value {
    if let Some(fields) = seen.as_object_mut() {
        fields.insert("orders".into(), orders);
    }
    seen
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
