//! Envoy's configuration, from a tenancy directory and what `deployment.yaml` says of the places.
//!
//! ```text
//! Directory + Deployment ──envoy──► a bootstrap for one Envoy, with routes and limits
//! ```

pub(crate) mod envoy;
mod limits;
mod routes;
mod template;

pub(crate) use envoy::{Role, bootstrap};
