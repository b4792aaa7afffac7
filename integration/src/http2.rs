//! HTTP/2 frame by frame: a client, in the clear or over TLS with a certificate of its choice, and an app.
//!
//! Both send and tell what a library would hide: trailers, headers that end the stream, names in any number.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response};
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use crate::ports::local;
use crate::raw::{self, Chain};

/// How the bootstrap of a sidecar begins the cluster of its app.
pub const APP: &str = "    - name: app\n      type: STATIC\n";
/// The same for an app that speaks HTTP/2.
pub const APP_WITH_HTTP2: &str = r#"    - name: app
      type: STATIC
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
"#;

const PATIENCE: Duration = Duration::from_secs(20);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads can be started"));

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// Whether the stream ended with the headers, as gRPC's trailers-only answers do.
    pub headers_only: bool,
    /// The body.
    pub body: Vec<u8>,
    /// What came after it.
    pub trailers: HeaderMap,
}

impl Answer {
    /// A header as text; empty where there is none.
    pub fn header(&self, name: &str) -> String {
        text(&self.headers, name)
    }
}

/// A header as text; empty where there is none.
pub fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// Where TLS is spoken: the SNI, and the client's certificate.
pub struct Tls<'a> {
    /// The host that the connection is made for.
    pub sni: Option<&'a str>,
    /// Who connects.
    pub client: Option<Chain>,
}

/// Sends `request`, the parts of a body and trailers if any, and reads the answer.
pub fn send(
    to: SocketAddr,
    tls: Option<Tls<'_>>,
    request: Request<()>,
    body: &[&[u8]],
    trailers: Option<HeaderMap>,
) -> Result<Answer> {
    let asked = async {
        let mut client = connect(to, tls).await?;
        let (response, mut stream) = client.send_request(request, body.is_empty() && trailers.is_none())?;
        // A server that has answered may take no more: a denial needs no body. What it said is what counts.
        let _ = upload(&mut stream, body, trailers);
        let (head, stream) = response.await?.into_parts();
        let headers_only = stream.is_end_stream();
        let (body, trailers) = rest(stream).await?;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, headers_only, body, trailers })
    };
    in_time(asked)
}

fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    let timed = async { tokio::time::timeout(PATIENCE, asked).await };
    RUNTIME.block_on(timed).map_err(|_| anyhow!("no answer in {} s", PATIENCE.as_secs()))?
}

/// An answer that has begun and is not over.
pub struct OpenAnswer {
    /// The status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    stream: RecvStream,
    // Dropping it would end the request.
    _client: SendRequest<Bytes>,
}

/// Sends `request` without a body and reads the beginning of the answer: its headers.
pub fn open(to: SocketAddr, request: Request<()>) -> Result<OpenAnswer> {
    let asked = async {
        let mut client = connect(to, None).await?;
        let (response, _) = client.send_request(request, true)?;
        let (head, stream) = response.await?.into_parts();
        Ok(OpenAnswer { status: head.status.as_u16(), headers: head.headers, stream, _client: client })
    };
    in_time(asked)
}

impl OpenAnswer {
    /// Reads on for `limit` at most. `Some` where the stream is over by then: whether it ended as it should, with
    /// trailers, or was reset.
    pub fn ended(&mut self, limit: Duration) -> Option<Result<HeaderMap, h2::Error>> {
        let reading = async {
            while let Some(data) = self.stream.data().await {
                let data = data?;
                self.stream.flow_control().release_capacity(data.len())?;
            }
            Ok(self.stream.trailers().await?.unwrap_or_default())
        };
        RUNTIME.block_on(async { tokio::time::timeout(limit, reading).await }).ok()
    }
}

fn upload(stream: &mut SendStream<Bytes>, body: &[&[u8]], trailers: Option<HeaderMap>) -> Result<(), h2::Error> {
    for (nth, part) in body.iter().enumerate() {
        stream.send_data(Bytes::copy_from_slice(part), nth + 1 == body.len() && trailers.is_none())?;
    }
    trailers.map_or(Ok(()), |trailers| stream.send_trailers(trailers))
}

async fn connect(to: SocketAddr, tls: Option<Tls<'_>>) -> Result<SendRequest<Bytes>> {
    let socket = TcpStream::connect(to).await.with_context(|| format!("cannot connect to {to}"))?;
    let Some(tls) = tls else { return client(socket).await };
    let mut config = raw::tls_config(tls.sni, tls.client)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    client(TlsConnector::from(Arc::new(config)).connect(raw::server_name(tls.sni)?, socket).await?).await
}

async fn client(socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<SendRequest<Bytes>> {
    let (client, connection) = h2::client::handshake(socket).await?;
    tokio::spawn(connection);
    Ok(client.ready().await?)
}

/// What follows the headers: the body, and the trailers.
async fn rest(mut stream: RecvStream) -> Result<(Vec<u8>, HeaderMap), h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    Ok((body, stream.trailers().await?.unwrap_or_default()))
}

/// What reached an app.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The path, with its query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// What came after it.
    pub trailers: HeaderMap,
}

/// What an app answers: its headers, the parts of a body, and trailers.
#[derive(Default)]
pub struct Reply {
    /// The headers.
    pub headers: HeaderMap,
    /// A DATA frame each.
    pub body: Vec<Vec<u8>>,
    /// What comes after it.
    pub trailers: HeaderMap,
    /// Whether nothing comes after the body until the caller goes.
    pub stays_open: bool,
}

/// An app that speaks HTTP/2 in the clear, and keeps what reached it.
pub struct App {
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Answering = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

impl App {
    /// Listens at `port` of loopback until this process ends; `answer` may call others, and wait for them.
    pub fn start(port: u16, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Result<Self> {
        let listener = RUNTIME.block_on(TcpListener::bind(local(port))).context("an app cannot listen")?;
        let seen = Arc::default();
        RUNTIME.spawn(accept(listener, Arc::clone(&seen), Arc::new(answer)));
        Ok(Self { seen })
    }

    /// The requests whose path or body holds `mark`, oldest first.
    pub fn seen(&self, mark: &str) -> Vec<Seen> {
        let holds = |seen: &&Seen| seen.path.contains(mark) || String::from_utf8_lossy(&seen.body).contains(mark);
        self.seen.lock().map(|all| all.iter().filter(holds).cloned().collect()).unwrap_or_default()
    }
}

async fn accept(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>, answering: Answering) {
    while let Ok((socket, _)) = listener.accept().await {
        let (seen, answering) = (seen.clone(), answering.clone());
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(socket).await?;
            while let Some(request) = connection.accept().await {
                let (request, respond) = request?;
                tokio::spawn(answer(request, respond, seen.clone(), answering.clone()));
            }
            Ok::<_, h2::Error>(())
        });
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    all: Arc<Mutex<Vec<Seen>>>,
    answering: Answering,
) -> Result<()> {
    let (head, body) = request.into_parts();
    let (body, trailers) = rest(body).await?;
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let seen = Seen { path, headers: head.headers, body, trailers };
    if let Ok(mut all) = all.lock() {
        all.push(seen.clone());
    }
    let reply = tokio::task::spawn_blocking(move || answering(&seen)).await?;
    let mut response = Response::new(());
    *response.headers_mut() = reply.headers;
    let mut stream = respond.send_response(response, false)?;
    for part in reply.body {
        stream.send_data(part.into(), false)?;
    }
    if reply.stays_open {
        std::future::poll_fn(|task| stream.poll_reset(task)).await?;
        return Ok(());
    }
    stream.send_trailers(reply.trailers)?;
    Ok(())
}
