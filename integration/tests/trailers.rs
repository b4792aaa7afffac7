//! Identity headers in trailers, which HTTP/2 carries from end to end: they reach no app and no client.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use anyhow::Result;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use h2::RecvStream;
use h2::server::SendResponse;
use partywall_integration::access_log::Hop;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, SIDECAR, unique};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(20);
const APP: &str = "    - name: app\n      type: STATIC\n";
const APP_WITH_HTTP2: &str = r#"    - name: app
      type: STATIC
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
"#;

/// In trailers of requests and of responses.
const SPOOFED: &[&str] = &[
    "x-partywall-tenant",
    "x-partywall-principal",
    "x-partywall-context",
    "x-partywall-reason",
    "x-partywall-anything",
    "x-forwarded-client-cert",
    "x-forwarded-host",
    "x-original-url",
    "x-http-method-override",
];
/// In trailers of requests alone: what tenants were called by before, apps may still tell.
const LEGACY: &str = "x-tenant-id";
/// Shows that trailers pass at all.
const NOTE: &str = "x-note";

/// A mesh in which `orders` speaks HTTP/2, and in which the sidecar of `invoices` is captured: it lets
/// through whatever it is given, with the certificate of `invoices`.
struct Shop {
    mesh: Mesh,
    runtime: Runtime,
    seen: Arc<Mutex<Vec<Seen>>>,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| Shop::open().unwrap());

/// What reached the app.
#[derive(Clone)]
struct Seen {
    path: String,
    headers: HeaderMap,
    trailers: HeaderMap,
}

/// What reached the client.
struct Answer {
    status: u16,
    headers: HeaderMap,
    trailers: HeaderMap,
}

impl Shop {
    fn open() -> Result<Self> {
        let mut mesh = Mesh::start(&Options::named("trailers"))?;
        let runtime = Runtime::new()?;
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        runtime.spawn(app(listener, seen.clone()));
        let before = mesh.site.ports.orders_app;
        mesh.restart("orders", |bootstrap| {
            bootstrap.with_filters(SIDECAR)?.address("127.0.0.1", before, port)?.replace(APP, APP_WITH_HTTP2)
        })?;
        mesh.restart("invoices", |bootstrap| bootstrap.with_filters(&[]))?;
        Ok(Self { mesh, runtime, seen })
    }

    /// Sends a GET with spoofed trailers.
    fn ask(&self, to: SocketAddr, host: &str, path: &str, header: (&str, &str)) -> Answer {
        let request = Request::get(format!("http://{host}{path}")).header(header.0, header.1).body(()).unwrap();
        let mut trailers = spoofed();
        trailers.insert(LEGACY, HeaderValue::from_static("globex"));
        let asked = async { tokio::time::timeout(PATIENCE, ask(to, request, trailers)).await };
        self.runtime.block_on(asked).expect("an answer in time").unwrap()
    }

    fn seen(&self, mark: &str) -> Seen {
        let all = self.seen.lock().unwrap();
        let found: Vec<_> = all.iter().filter(|seen| seen.path.contains(mark)).collect();
        assert_eq!(found.len(), 1, "requests that reached the app");
        found[0].clone()
    }
}

fn spoofed() -> HeaderMap {
    let spoofed = SPOOFED.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("globex")));
    spoofed.chain([(HeaderName::from_static(NOTE), HeaderValue::from_static("kept"))]).collect()
}

/// Any number of connections, each request with trailers and so each response.
async fn app(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let seen = seen.clone();
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(socket).await?;
            while let Some(request) = connection.accept().await {
                let (request, respond) = request?;
                tokio::spawn(answer(request, respond, seen.clone()));
            }
            Ok::<_, h2::Error>(())
        });
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<(), h2::Error> {
    let (head, body) = request.into_parts();
    let trailers = trailers_of(body).await?;
    seen.lock().unwrap().push(Seen { path: head.uri.path().into(), headers: head.headers, trailers });
    let mut stream = respond.send_response(Response::new(()), false)?;
    stream.send_data(Bytes::from_static(b"an answer"), false)?;
    stream.send_trailers(spoofed())
}

async fn ask(to: SocketAddr, request: Request<()>, trailers: HeaderMap) -> Result<Answer> {
    let (client, connection) = h2::client::handshake(TcpStream::connect(to).await?).await?;
    tokio::spawn(connection);
    let (response, mut stream) = client.ready().await?.send_request(request, false)?;
    stream.send_data(Bytes::from_static(b"a question"), false)?;
    stream.send_trailers(trailers)?;
    let (head, body) = response.await?.into_parts();
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, trailers: trailers_of(body).await? })
}

/// What follows the body.
async fn trailers_of(mut body: RecvStream) -> Result<HeaderMap, h2::Error> {
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    Ok(body.trailers().await?.unwrap_or_default())
}

fn assert_clean(trailers: &HeaderMap) {
    let names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, [NOTE]);
}

#[test]
fn a_client_reaches_no_app_with_an_identity_in_its_trailers_and_gets_none() {
    let mark = unique();
    let bearer = SHOP.mesh.bearer(&accountant(Acme, "acme")).unwrap();
    let edge = SHOP.mesh.address(Hop::Edge);
    let path = format!("/orders/{mark}");
    let answer = SHOP.ask(edge, "acme.shop.example", &path, ("authorization", &bearer));
    assert_eq!(answer.status, 200, "{:?}", answer.headers);
    assert_clean(&answer.trailers);
    let seen = SHOP.seen(&mark);
    assert_eq!(seen.headers["x-partywall-tenant"], "acme");
    assert_clean(&seen.trailers);
}

#[test]
fn a_captured_sidecar_reaches_no_app_with_an_identity_in_its_trailers_and_gets_none() {
    let mark = unique();
    let bearer = SHOP.mesh.bearer(&accountant(Acme, "acme")).unwrap();
    let edge = SHOP.mesh.address(Hop::Edge);
    let before = format!("/orders/{mark}a");
    let answer = SHOP.ask(edge, "acme.shop.example", &before, ("authorization", &bearer));
    assert_eq!(answer.status, 200, "{:?}", answer.headers);
    let root = SHOP.seen(&before).headers["x-partywall-context"].to_str().unwrap().to_owned();

    let captured = SHOP.mesh.address(Hop::InvoicesOutbound);
    let path = format!("/orders/{mark}b");
    let answer = SHOP.ask(captured, "orders", &path, ("x-partywall-context", &root));
    assert_eq!(answer.status, 200, "{:?}", answer.headers);
    assert_clean(&answer.trailers);
    assert_clean(&SHOP.seen(&path).trailers);
}
