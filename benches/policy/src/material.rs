//! What is decided: written by `cli/examples/bench-policy.rs`, for both builds the same.
#![cfg_attr(feature = "interpreter", allow(dead_code, reason = "each build reads its half"))]
#![cfg_attr(not(feature = "interpreter"), allow(dead_code, reason = "each build reads its half"))]

use partywall_tenancy::{Service, Tenant};
use serde::Deserialize;

/// One set of policies, and requests.
#[derive(Deserialize)]
pub(crate) struct Material {
    /// The program, in base64.
    pub(crate) program: String,
    /// The same policies as Cedar reads them, each under its `@id`.
    pub(crate) policies: String,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) services: Vec<Service>,
    pub(crate) cases: Vec<Case>,
}

/// One request, in our terms and in Cedar's.
#[derive(Deserialize)]
pub(crate) struct Case {
    /// Position in [`Material::tenants`].
    pub(crate) tenant: usize,
    pub(crate) subject: String,
    pub(crate) roles: Vec<String>,
    /// Position in [`Material::services`].
    pub(crate) service: usize,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) action: String,
    pub(crate) resource_type: String,
    pub(crate) resource_id: String,
    /// Principal, action and resource as Cedar writes them.
    pub(crate) request: [String; 3],
    /// Cedar's JSON.
    pub(crate) context: serde_json::Value,
    pub(crate) entities: serde_json::Value,
}
