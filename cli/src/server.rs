//! The HTTP server of `partywall serve`: bundles, candidates, the overlay, and one loop that keeps the overlay fresh.

mod answer;
mod last;
mod publisher;
mod static_file;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use partywall_tenancy::Audience;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::command::{note, say};
use crate::exit::{Exit, Failure, Outcome};
use crate::keys::Signer;
use crate::overlay::now_millis;
use crate::{grants, slices};
use answer::{Content, answer};
use publisher::{Latest, Publisher};
use static_file::StaticFile;

/// How often overlay.yaml and the bundle are looked at.
const POLL: Duration = Duration::from_millis(100);
/// How long open connections may take to end.
const GRACE: Duration = Duration::from_secs(1);

/// Serves `folder` until SIGINT or SIGTERM.
pub(crate) fn run(folder: &Path, key: Signer, listen: SocketAddr) -> Outcome {
    let publisher = Publisher::start(folder, key, now_millis())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::invalid(format!("no runtime: {e}")))?;
    runtime.block_on(serve(folder, publisher, listen))?;
    // Whoever still holds a connection open does not hold up the end.
    runtime.shutdown_timeout(GRACE);
    Ok(Exit::Fine)
}

async fn serve(folder: &Path, mut publisher: Publisher, listen: SocketAddr) -> Result<(), Failure> {
    let cannot_listen = |e| Failure::invalid(format!("cannot listen on {listen}: {e}"));
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| Failure::invalid(format!("no signals: {e}")))?;

    let state = Shared {
        slices: Arc::new(Audience::ALL.map(|a| StaticFile::new(slices::path(folder, a)))),
        candidates: Arc::new(Audience::ALL.map(|a| StaticFile::new(slices::candidate_path(folder, a)))),
        grants: Arc::new(StaticFile::new(folder.join(grants::FILE))),
        overlay: publisher.latest(),
    };
    publisher.tick(Instant::now(), now_millis());
    say(format_args!("listening on http://{address}"));

    let stopped = Arc::new(AtomicBool::new(false));
    let stop = stopped.clone();
    let ticking = thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(POLL);
            publisher.tick(Instant::now(), now_millis());
        }
    });
    let slices = Audience::ALL.into_iter().enumerate().fold(Router::new(), |router, (nth, audience)| {
        let bundle =
            move |State(shared): State<Shared>, headers: HeaderMap| file(shared.slices, nth, "bundle", headers);
        let candidate =
            move |State(shared): State<Shared>, headers: HeaderMap| file(shared.candidates, nth, "candidate", headers);
        router
            .route(&format!("/tenancy.{}.bundle", audience.name()), get(bundle))
            .route(&format!("/tenancy.{}.candidate", audience.name()), get(candidate))
    });
    let app = slices
        .route("/tenancy.overlay", get(overlay))
        .route("/tenancy.grants", get(granted))
        .route("/healthz", get(health))
        .with_state(state);
    let ended = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let (told, tell) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        ended.await;
        let _ = told.send(());
    });
    tokio::select! {
        result = server => result.map_err(|e| Failure::invalid(format!("the server ended: {e}")))?,
        () = async { let _ = tell.await; tokio::time::sleep(GRACE).await } => {}
    }
    stopped.store(true, Ordering::Relaxed);
    if ticking.join().is_err() {
        note("error: the loop that issues overlays ended early");
    }
    Ok(())
}

#[derive(Clone)]
struct Shared {
    slices: Arc<[StaticFile; 4]>,
    candidates: Arc<[StaticFile; 4]>,
    grants: Arc<StaticFile>,
    overlay: Latest,
}

async fn file(files: Arc<[StaticFile; 4]>, nth: usize, kind: &str, headers: HeaderMap) -> Response {
    let read = tokio::task::spawn_blocking(move || files[nth].read()).await;
    match read {
        Ok(Ok(content)) => answer(content, &headers),
        Ok(Err(error)) => {
            note(format_args!("error: tenancy.{}.{kind}: {error}", Audience::ALL[nth].name()));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Without the file there are no grants, which is an answer.
async fn granted(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let file = shared.grants.clone();
    match tokio::task::spawn_blocking(move || file.read()).await {
        Ok(Ok(content)) => answer(Some(content.unwrap_or_else(|| Content::new(Vec::new()))), &headers),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn overlay(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    answer(shared.overlay.content(), &headers)
}

async fn health(State(shared): State<Shared>) -> Response {
    match shared.overlay.content() {
        Some(_) => "ok\n".into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no bundle yet\n").into_response(),
    }
}
