//! Requests that somebody could read in another way than somebody else, as files: `cases/attacks/*.yaml`.
//!
//! ```yaml
//! about: what the file is about
//! cases:
//!   - name: what this one does
//!     to: edge                  # or orders, invoices: the inbound listener of its sidecar
//!     over: [h1, h2]            # both where this line is left out
//!     sni: acme.shop.example    # the host that the connection is made for; null for none
//!     certificate: { uri: […], dns: […], by: mesh }  # by: clients, mesh, nobody; authority: true
//!     token: acme               # or a list: the tenants of a good token
//!     root: acme                # a good root context of the edge
//!     method: GET
//!     target: "/orders/{mark}"  # as it is written; `{mark}` is told apart from every other request
//!     authority: acme.shop.example
//!     headers: [[name, value]]  # `{token}`, `{other}` and `{key}` are good credentials, of acme, globex and acme
//!     then: { let_in: acme }    # or { denied: reason } by the filter, or { refused: tls } or { refused: envoy }
//! ```

use anyhow::Result;
use rcgen::SanType;
use serde::Deserialize;
use serde_json::Value;

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it does.
    pub name: String,
    /// Whose door.
    #[serde(default)]
    pub to: Door,
    /// The protocols it is sent over.
    #[serde(default = "both")]
    pub over: Vec<Protocol>,
    /// The host that the connection is made for.
    #[serde(default = "host")]
    pub sni: Option<String>,
    /// The certificate that is shown.
    pub certificate: Option<Names>,
    /// The tenants of a good token.
    pub token: Option<Value>,
    /// The tenant of a good root context.
    pub root: Option<String>,
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The request target.
    #[serde(default = "target")]
    pub target: String,
    /// `Host`, or `:authority`.
    #[serde(default = "host")]
    pub authority: Option<String>,
    /// More headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// What must come of it.
    pub then: Then,
}

/// Whose door a request knocks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The edge, with TLS, and every name of the certificate told to the filter.
    #[default]
    Edge,
    /// The sidecar of `orders`, as it is shipped.
    Orders,
    /// The sidecar of `invoices`, with Envoy's SPIFFE validator.
    Invoices,
}

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
}

/// The names in a certificate, in this order.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// URIs.
    #[serde(default)]
    pub uri: Vec<String>,
    /// DNS names.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Who signed it.
    pub by: Authority,
    /// Whether it says to be an authority itself.
    #[serde(default)]
    pub authority: bool,
}

/// Who signs certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// The one that the edge trusts for clients.
    Clients,
    /// The one of the mesh.
    Mesh,
    /// One that nobody knows.
    Nobody,
}

/// What must come of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The app gets it, for this tenant.
    LetIn(String),
    /// The filter denies it, for this reason.
    Denied(String),
    /// It does not get as far as the filter.
    Refused(By),
}

/// Who refuses a request before the filter sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// There is no connection.
    Tls,
    /// Envoy answers 400 by itself, or closes the connection.
    Envoy,
}

impl Names {
    /// As the certificate holds them.
    pub fn names(&self) -> Result<Vec<SanType>> {
        let uris = self.uri.iter().map(|uri| Ok(SanType::URI(uri.as_str().try_into()?)));
        let dns = self.dns.iter().map(|dns| Ok(SanType::DnsName(dns.as_str().try_into()?)));
        uris.chain(dns).collect()
    }
}

fn both() -> Vec<Protocol> {
    vec![Protocol::H1, Protocol::H2]
}

#[allow(clippy::unnecessary_wraps, reason = "the default of a field that may be null")]
fn host() -> Option<String> {
    Some("acme.shop.example".into())
}

fn get() -> String {
    "GET".into()
}

fn target() -> String {
    "/orders/{mark}".into()
}
