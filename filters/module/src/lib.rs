//! The Envoy module: the only crate that knows proxy-wasm. It translates host calls into the
//! libraries' arguments and their answers into host calls, and holds no rule of its own.
//!
//! One module, several root ids; a plugin names the one it wants:
//!
//! | root id          | runs                                                           |
//! |------------------|----------------------------------------------------------------|
//! | `sidecar`        | context, authorization and log fields, in one stream context   |
//! | `tenant_context` | the context alone; denies where there is none                  |
//! | `authorization`  | the decision alone, on what `tenant_context` left in this VM   |
//! | `response_guard` | what comes back alone, in any VM, for filters of `guard: apart` |
//! | `event_scope`    | requests that are events, after `sidecar` or `authorization`     |
//! | `kafka_scope`    | connections of Kafka's clients, each in its tenant's world      |
//! | `log_redaction`  | telemetry on its way to a collector                            |
//! | `access_log`     | what Envoy's own access log may say of requests                |
//!
//! Cargo features part them into modules, of which each holds what it runs and no more: `requests` (the first five),
//! `kafka`, `redaction`. An Envoy takes a second to compile a megabyte.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]
// What one part alone needs is there for all of them, and left out by the linker where it is not reached.
#![cfg_attr(not(all(feature = "requests", feature = "kafka", feature = "redaction")), allow(dead_code, unused_imports))]

mod chain;
mod config;
mod crypto;
mod denial;
mod events;
mod fetch;
mod fetched;
mod host;
mod jwks;
mod kafka;
mod metrics;
mod plugin;
mod policy;
mod protobuf;
#[cfg(feature = "redaction")]
mod redaction;
mod region;
mod slots;
mod stream;
mod topics;
mod what;

use plugin::{Plugin, Stages};

/// The root ids. An unknown one is refused when it is configured.
fn stages_of(root_id: &str) -> Option<Stages> {
    match root_id {
        "sidecar" => Some(Stages { context: true, authorization: true }),
        "tenant_context" => Some(Stages { context: true, authorization: false }),
        "authorization" => Some(Stages { context: false, authorization: true }),
        // Neither of the two: it goes by what a filter before it decided.
        "event_scope" | "response_guard" => Some(Stages { context: false, authorization: false }),
        _ => None,
    }
}

#[allow(unsafe_code, missing_docs, reason = "the macro exports the C function that the ABI asks for")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
        proxy_wasm::set_root_context(|context_id| Box::new(super::Plugin::new(context_id)));
    }}
}
