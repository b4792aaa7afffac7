//! Envoy's configuration, from a tenancy directory and what `deployment.yaml` says of the places; and Kafka's, from
//! `events.yaml`.
//!
//! ```text
//! Directory + Deployment ──envoy──► a bootstrap for one Envoy, with routes and limits ──istio──► resources of a mesh
//! ```

pub(crate) mod brokers;
mod cells;
pub(crate) mod collector;
pub(crate) mod envoy;
pub(crate) mod istio;
pub(crate) mod kafka_proxy;
mod limits;
mod routes;
mod template;
mod yaml;

pub(crate) use envoy::{Role, bootstrap};
pub(crate) use limits::global;

use crate::directory::Limits;

/// What Envoy's rate limit service reads: the limits over all Envoys together, as YAML.
pub(crate) fn limits_service(limits: &Limits) -> String {
    global::service(limits)
}
