//! Where bodies go: it takes them, answers 200, and keeps the last one.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Response};
use h2::RecvStream;
use h2::server::SendResponse;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::ports::{free, local};

/// What a stream and a connection may send before it is told to go on: more than a body.
const WINDOW: u32 = 16 << 20;

type Last = Arc<Mutex<Bytes>>;

/// It runs until this is dropped.
pub(super) struct Sink {
    /// Where it speaks HTTP/1.1.
    pub(super) http: u16,
    /// Where it speaks gRPC, in the clear.
    pub(super) grpc: u16,
    last: Last,
    _runtime: Runtime,
}

impl Sink {
    /// Starts it on free ports of loopback.
    pub(super) fn start() -> Result<Self> {
        let ([http, grpc], last) = (free()?, Last::default());
        let runtime = Runtime::new()?;
        let listen = |port| runtime.block_on(TcpListener::bind(local(port))).context("the sink cannot listen");
        let (plain, calls) = (listen(http)?, listen(grpc)?);
        let all = Router::new().fallback(take).layer(DefaultBodyLimit::disable()).with_state(last.clone());
        runtime.spawn(async move { axum::serve(plain, all).await });
        runtime.spawn(accept(calls, last.clone()));
        Ok(Self { http, grpc, last, _runtime: runtime })
    }

    /// The body that came last.
    pub(super) fn last(&self) -> Bytes {
        self.last.lock().map(|last| last.clone()).unwrap_or_default()
    }
}

fn keep(last: &Last, body: Bytes) {
    if let Ok(mut last) = last.lock() {
        *last = body;
    }
}

async fn take(State(last): State<Last>, body: Bytes) {
    keep(&last, body);
}

async fn accept(listener: TcpListener, last: Last) {
    while let Ok((socket, _)) = listener.accept().await {
        let last = last.clone();
        tokio::spawn(async move {
            let mut server = h2::server::Builder::new();
            server.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
            let mut connection = server.handshake::<_, Bytes>(socket).await?;
            while let Some(call) = connection.accept().await {
                let (request, respond) = call?;
                tokio::spawn(answer(request.into_body(), respond, last.clone()));
            }
            Ok::<_, h2::Error>(())
        });
    }
}

/// Takes a call of gRPC, and answers with an empty message.
async fn answer(mut stream: RecvStream, mut respond: SendResponse<Bytes>, last: Last) -> Result<(), h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    keep(&last, body.into());
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut sent = respond.send_response(response, false)?;
    sent.send_data(Bytes::from_static(&[0; 5]), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    sent.send_trailers(trailers)
}
