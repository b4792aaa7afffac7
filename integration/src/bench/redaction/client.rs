//! Who sends bodies: over one connection of HTTP/1.1 and one of HTTP/2, the next after the answer to the last.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use axum::http;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::bodies::{Body, Protocol};
use crate::http2::text;
use crate::raw::{Connection, Request};

/// What the proxy may send before it is told to go on: more than an answer.
const WINDOW: u32 = 1 << 20;

/// Connections to one listener.
pub(super) struct Client {
    http: Connection,
    calls: SendRequest<Bytes>,
    runtime: Runtime,
}

impl Client {
    /// Makes both.
    pub(super) fn connect(to: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let calls = runtime.block_on(async {
            let socket = TcpStream::connect(to).await?;
            socket.set_nodelay(true)?;
            let mut client = h2::client::Builder::new();
            client.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
            let (calls, connection) = client.handshake(socket).await?;
            tokio::spawn(connection);
            anyhow::Ok(calls)
        })?;
        Ok(Self { http: Connection::plain(to)?, calls, runtime })
    }

    /// Sends one, which must be answered with 200, of gRPC with 0.
    pub(super) fn send(&mut self, body: &Prepared) -> Result<()> {
        match body {
            Prepared::Http(bytes) => {
                self.http.send(bytes)?;
                let answer = self.http.receive()?;
                let said = String::from_utf8_lossy(&answer.body);
                ensure!(answer.status == 200, "answered with {}: {said}", answer.status);
            }
            Prepared::Grpc(head, body) => {
                let calls = self.calls.clone();
                let (status, trailers) = self.runtime.block_on(async {
                    let (response, mut stream) = calls.ready().await?.send_request(request(head)?, false)?;
                    stream.send_data(body.clone(), true)?;
                    let (head, mut stream) = response.await?.into_parts();
                    while let Some(data) = stream.data().await {
                        stream.flow_control().release_capacity(data?.len())?;
                    }
                    // Where nothing but headers came, the status stands in them.
                    let trailers = stream.trailers().await?.unwrap_or(head.headers);
                    anyhow::Ok((head.status.as_u16(), trailers))
                })?;
                let (code, why) = (text(&trailers, "grpc-status"), text(&trailers, "grpc-message"));
                ensure!(status == 200 && code == "0", "answered with {status}, of gRPC {code}: {why}");
            }
        }
        Ok(())
    }
}

type Head = (&'static str, Vec<(&'static str, &'static str)>);

/// A body, made ready so that sending it is all that is left.
pub(super) enum Prepared {
    /// As HTTP/1.1.
    Http(Vec<u8>),
    /// What stands in the head, and the body.
    Grpc(Head, Bytes),
}

impl Prepared {
    /// Of this one.
    pub(super) fn new(body: &Body) -> Self {
        match body.protocol {
            Protocol::Http => {
                let length = body.bytes.len().to_string();
                let request = Request::new("POST", body.path).header("host", "bench").header("content-length", length);
                let add = |request: Request, (name, value): &(&'static str, &'static str)| request.header(name, *value);
                Self::Http([body.headers.iter().fold(request, add).bytes(), body.bytes.clone()].concat())
            }
            Protocol::Grpc => Self::Grpc((body.path, body.headers.clone()), body.bytes.clone().into()),
        }
    }
}

fn request((path, headers): &Head) -> Result<http::Request<()>> {
    let request = http::Request::post(format!("http://bench{path}")).header("te", "trailers");
    let add =
        |request: http::request::Builder, (name, value): &(&'static str, &'static str)| request.header(*name, *value);
    headers.iter().fold(request, add).body(()).context("a head")
}
