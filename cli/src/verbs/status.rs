//! `partywall status`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;

use crate::admin::{Admin, Silence, State};
use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::time::rfc3339;

/// Tell which bundle, overlay and candidate each sidecar has, and which is behind
///
/// Asks the admin interfaces of Envoys, many at a time. Behind is who has an older bundle than --want, or than the newest
/// that any of them has; or, four seconds after it was asked first, an overlay older than the newest that was in force
/// anywhere then.
///
/// Exit status: 0 all have the same, 1 one is behind, does not answer or has no bundle.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall status http://10.0.0.7:9901 http://10.0.0.8:9901
  partywall status 127.0.0.1:9901 --want 12 --json
  kubectl port-forward pod/orders 9901:9901 & partywall status localhost:9901"
)]
pub(crate) struct Args {
    /// Addresses of admin interfaces, as http://127.0.0.1:9901
    #[arg(required = true, value_name = "ADMIN_URL", value_parser = Admin::parse)]
    admins: Vec<Admin>,
    /// The revision that all should have; by default the newest that one of them has
    #[arg(long, value_name = "REV")]
    want: Option<u64>,
    /// How many seconds an Envoy may take to answer
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// So many are asked at a time.
const AT_ONCE: usize = 64;
/// Overlays are fetched each second and bundles each three: within this everybody has what one had.
const SETTLE: Duration = Duration::from_secs(4);

/// A candidate beside the bundle in force.
#[derive(Debug, Serialize)]
struct Candidate {
    revision: u64,
    step: u64,
}

/// One sidecar.
#[derive(Debug, Serialize)]
struct Report {
    url: String,
    revision: Option<u64>,
    overlay: Option<u64>,
    refused: Option<u64>,
    /// The candidate that is tried out there.
    candidate: Option<Candidate>,
    /// `current`, `behind` or `unknown`.
    state: &'static str,
    /// What is wrong.
    detail: Option<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::invalid(format!("no runtime: {e}")))?;
    let reports = runtime.block_on(ask(args));
    if args.json {
        say_json(&reports)?;
    } else {
        reports.iter().for_each(show);
    }
    let behind = reports.iter().filter(|report| report.state != "current").count();
    if !args.json && reports.len() > 1 {
        say(format_args!("{} of {} are current", reports.len() - behind, reports.len()));
    }
    Ok(if behind == 0 { Exit::Fine } else { Exit::Findings })
}

async fn ask(args: &Args) -> Vec<Report> {
    let patience = Duration::from_secs(args.timeout);
    let mut states = states(&args.admins, patience).await;
    let known = || states.iter().flatten();
    let revision = args.want.unwrap_or(known().map(|state| state.revision).max().unwrap_or(0));
    let overlay = known().map(|state| state.overlay).max().unwrap_or(0);
    let late: Vec<usize> = states
        .iter()
        .enumerate()
        .filter(|(_, state)| state.as_ref().is_ok_and(|s| behind(s, revision, overlay).is_some()))
        .map(|(at, _)| at)
        .collect();
    if !late.is_empty() {
        tokio::time::sleep(SETTLE).await;
        let admins: Vec<Admin> = late.iter().filter_map(|at| args.admins.get(*at).cloned()).collect();
        for (at, again) in late.into_iter().zip(self::states(&admins, patience).await) {
            if let Some(state) = states.get_mut(at) {
                *state = again;
            }
        }
    }
    args.admins.iter().zip(states).map(|(admin, state)| report(admin, state, revision, overlay)).collect()
}

async fn states(admins: &[Admin], patience: Duration) -> Vec<Result<State, Silence>> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let asked = admins.iter().cloned().map(|admin| {
        let room = room.clone();
        tokio::spawn(async move {
            let _place = room.acquire().await;
            admin.state(patience).await
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut states = Vec::with_capacity(asked.len());
    for one in asked {
        states.push(one.await.unwrap_or_else(|e| Err(Silence::Unreachable(e.to_string()))));
    }
    states
}

/// What is older than it should be.
fn behind(state: &State, revision: u64, overlay: u64) -> Option<String> {
    if state.revision < revision {
        return Some(format!("bundle revision {}, and {revision} is out", state.revision));
    }
    (state.overlay < overlay).then(|| match state.overlay {
        0 => "no overlay".to_owned(),
        own => format!("an overlay {:.1} s older than the newest", overlay.saturating_sub(own) as f64 / 1000.0),
    })
}

fn report(admin: &Admin, state: Result<State, Silence>, revision: u64, overlay: u64) -> Report {
    let url = admin.url.clone();
    match state {
        Ok(state) => {
            let detail = behind(&state, revision, overlay);
            let word = if detail.is_some() { "behind" } else { "current" };
            let State { revision, overlay, refused, candidate: (tried, step) } = state;
            let candidate = (tried > 0).then_some(Candidate { revision: tried, step });
            let (revision, overlay, refused) = (Some(revision), Some(overlay), Some(refused));
            Report { url, revision, overlay, refused, candidate, state: word, detail }
        }
        Err(why) => {
            let detail = Some(why.to_string());
            Report { url, revision: None, overlay: None, refused: None, candidate: None, state: "unknown", detail }
        }
    }
}

fn show(report: &Report) {
    let Report { url, revision, overlay, refused, candidate, state, detail } = report;
    let has = match (revision, overlay) {
        (Some(revision), Some(overlay)) => {
            format!(", revision {revision}, overlay of {} ({overlay})", rfc3339(overlay / 1000))
        }
        _ => String::new(),
    };
    let refused = refused.filter(|n| *n > 0).map_or(String::new(), |n| format!(", {n} refused"));
    let tried = candidate
        .as_ref()
        .map_or(String::new(), |Candidate { revision, step }| format!(", candidate {revision} at step {step}"));
    let detail = detail.as_ref().map_or(String::new(), |detail| format!(": {detail}"));
    say(format_args!("{url}  {state}{has}{tried}{refused}{detail}"));
}
