//! An app of a test's own in the place of a demo app: it keeps what reached it and answers what the test says.

use std::io::Read;
use std::net::{self, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads can be started"));

/// What reached it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The headers, repeated ones repeated.
    pub headers: HeaderMap,
}

impl Seen {
    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).into_iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }
}

/// What it answers: a status, and headers.
#[derive(Clone, Debug)]
pub struct Says(pub u16, pub Vec<(&'static str, String)>);

impl IntoResponse for Says {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = self
            .1
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?)));
        response.headers_mut().extend(headers);
        response
    }
}

/// The app.
pub struct StandIn {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl StandIn {
    /// Listens at `port` of loopback (0: a free one) until this process ends. `answer` is told of the request, and of
    /// how many came to the same path before.
    pub fn start(port: u16, answer: impl Fn(&Seen, usize) -> Says + Clone + Send + Sync + 'static) -> Result<Self> {
        let listener = RUNTIME.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port))).context("cannot listen")?;
        let address = listener.local_addr()?;
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let kept = seen.clone();
        let app = Router::new().fallback(move |request: Request| async move {
            let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
            let one = Seen { method: request.method().to_string(), path, headers: request.headers().clone() };
            let before = keep(&kept, &one);
            // It may call others, and take its time.
            let said = tokio::task::spawn_blocking(move || answer(&one, before)).await;
            said.unwrap_or(Says(500, Vec::new()))
        });
        RUNTIME.spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, seen })
    }

    /// The requests with this value of a header, oldest first.
    pub fn by_header(&self, name: &str, value: &str) -> Vec<Seen> {
        let has = |seen: &&Seen| seen.all(name) == [value];
        self.seen.lock().map(|all| all.iter().filter(has).cloned().collect()).unwrap_or_default()
    }

    /// The requests whose path holds the word `mark`, oldest first.
    pub fn seen(&self, mark: &str) -> Vec<Seen> {
        let holds = |seen: &&Seen| seen.path.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == mark);
        self.seen.lock().map(|all| all.iter().filter(holds).cloned().collect()).unwrap_or_default()
    }
}

/// Keeps a request and tells how many came to its path before.
fn keep(kept: &Mutex<Vec<Seen>>, one: &Seen) -> usize {
    let Ok(mut kept) = kept.lock() else { return 0 };
    let before = kept.iter().filter(|seen| seen.path == one.path).count();
    kept.push(one.clone());
    before
}

/// An app of the test's own: hands each connection to `answer`, in a thread of its own, for as long as this process
/// lives.
pub fn connections(port: u16, answer: fn(TcpStream) -> Result<()>) -> Result<()> {
    let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(())
}

/// The head of the next request, as text; `None` where none comes any more.
pub fn head(stream: &mut TcpStream) -> Result<Option<String>> {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    while !got.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            return Ok(None);
        }
        got.extend_from_slice(&chunk[..n]);
    }
    Ok(Some(String::from_utf8_lossy(&got).into_owned()))
}
