//! Where a tenant may be learned from.

use serde::{Deserialize, Serialize};

/// A source of a tenant, as `mesh.yaml` lists them per role.
///
/// *Proving* sources say which tenants a caller may be, *selecting* ones which of these it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Proving: a JWT of a configured issuer, in `Authorization: Bearer`.
    Jwt,
    /// Proving: an API key of the bundle.
    ApiKey {
        /// The header it stands in, lower case.
        header: String,
    },
    /// Proving: a URI of the client's certificate, as `spiffe://mesh.example/tenant/{tenant}/sa/{workload}`.
    UriSan {
        /// The template; a parameter stands for one whole segment.
        template: String,
    },
    /// Proving: a DNS name of the client's certificate, as `{tenant}.clients.example`.
    DnsSan {
        /// The template; `{tenant}` stands for one label.
        template: String,
    },
    /// Selecting: the host, as `{tenant}.shop.example`.
    Host {
        /// The template; `{tenant}` stands for one label.
        template: String,
    },
    /// Selecting: the beginning of the path, as `/t/{tenant}`.
    Path {
        /// The template; a parameter stands for one whole segment, and what follows does not matter.
        template: String,
    },
    /// Selecting: a header, from peers that are trusted to set it. From anybody else it is taken out unread.
    Header {
        /// Its name, lower case.
        name: String,
        /// Patterns of SPIFFE IDs; `*` stands for one whole segment.
        peers: Vec<String>,
    },
}

/// The sources of each role that establishes a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// At the edge.
    pub edge: Vec<Source>,
    /// At an inbound filter, beside the root context.
    pub inbound: Vec<Source>,
}

/// An API key. The key itself is `pw1.<id>.<secret>`; only a keyed hash of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its public part, by which it is found.
    pub id: String,
    /// HMAC-SHA256 of the whole key.
    pub digest: [u8; 32],
    /// The id of the secret that the digest was made with (purpose `api_keys`).
    pub hashed_with: String,
    /// The tenant it proves.
    pub tenant: crate::TenantId,
    /// Who acts with it.
    pub principal: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires: crate::UnixSeconds,
}
