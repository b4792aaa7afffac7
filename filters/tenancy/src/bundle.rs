//! The bundle: a compiled tenancy directory, signed.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::statement::{self, Kind};
use crate::{
    ApiKey, Attributes, CellPlace, Condition, EventCluster, Issuer, MeshId, Modes, Network, Owner, Refusal, Response,
    RouteWords, ServiceEvents, Share, Sources, SpiffeId, TenantId, Tenants, UnixSeconds,
};

/// What a bundle says. Written by `partywall compile`, read through [`crate::Bundle::open`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleBody {
    /// Format of this body: [`BundleBody::FORMAT`].
    pub format: u16,
    /// Who is to read it: it holds what they need and nothing else.
    pub audience: Audience,
    /// The mesh it is for.
    pub mesh: MeshId,
    /// Grows with every compile.
    pub revision: u64,
    /// When it was issued.
    pub issued: UnixSeconds,
    /// After this it proves nothing.
    pub expires: UnixSeconds,
    /// SHA-256 of the directory it was compiled from.
    pub source_digest: [u8; 32],
    /// The SPIFFE trust domain of the mesh.
    pub trust_domain: String,
    /// Seconds without a new overlay after which requests are denied.
    pub stale_after: u32,
    /// How many distinct keys must sign it, and its successor.
    pub approvals: u8,
    /// Keys that may sign other statements, by role.
    pub keys: RoleKeys,
    /// What a grant may give at most; `None` where nobody may cross a wall.
    pub grants: Option<GrantCeilings>,
    /// Identity headers of former systems, lower case: taken out of every request.
    pub legacy_headers: Vec<String>,
    /// Where tenants are learned from, per role.
    pub sources: Sources,
    /// API keys, sorted by id.
    pub api_keys: Vec<ApiKey>,
    /// Who may issue JWTs, and for which tenants.
    pub issuers: Vec<Issuer>,
    /// Who may sign root contexts, and for which tenants.
    pub signers: Vec<ContextSigner>,
    /// Workloads that forward the requests of others and tell whose in `x-forwarded-client-cert`, sorted.
    /// One of them is never itself who calls.
    pub gateways: Vec<SpiffeId>,
    /// The cells that tenants are in, sorted by name.
    pub cells: Vec<CellPlace>,
    /// Ranges of addresses that clients come from, sorted by name: for edges alone.
    pub networks: Vec<Network>,
    /// The tenants, sorted by id.
    pub tenants: Tenants,
    /// The services.
    pub services: Vec<Service>,
    /// What is in shadow.
    pub modes: Modes,
    /// What tenants let others read, sorted by name.
    pub shares: Vec<Share>,
    /// Clusters of Kafka and what tenants see of them, sorted by name: for the broker's proxy alone.
    pub events: Vec<EventCluster>,
    /// The decision program, in the form that `authorization` reads.
    #[serde(with = "program")]
    pub program: Vec<u8>,
    /// What the collector's proxy does with telemetry, in the form that `log-redaction` reads; empty where nothing is said.
    #[serde(with = "program")]
    pub redaction: Vec<u8>,
}

/// Public keys by role; each entry is a key id and 32 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// May sign the next bundle, beside those of a sidecar's own configuration.
    pub bundle: Vec<(String, [u8; 32])>,
    /// May not, though a sidecar's configuration names them.
    pub retired: Vec<(String, [u8; 32])>,
    /// May sign overlays.
    pub overlay: Vec<(String, [u8; 32])>,
    /// Two of them may sign grants.
    pub grants: Vec<(String, [u8; 32])>,
}

/// Who reads a bundle. Each compile writes one slice for each, under one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Filters of role edge.
    Edge,
    /// Sidecars: roles inbound, outbound and egress.
    Workload,
    /// The broker's proxy.
    Events,
    /// The collector's proxy.
    Redaction,
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Edge, Self::Workload, Self::Events, Self::Redaction];

    /// The word in file names, as `edge` in `tenancy.edge.bundle`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Workload => "workload",
            Self::Events => "events",
            Self::Redaction => "redaction",
        }
    }
}

/// What grants may give at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantCeilings {
    /// Seconds from the begin of a grant to its end.
    pub longest: u32,
    /// Actions that may be granted.
    pub actions: Vec<String>,
    /// Tenants whose wall may be crossed.
    pub tenants: TenantScope,
    /// How many grants may be live at once.
    pub at_once: u16,
}

/// A set of tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TenantScope {
    /// Every tenant of the bundle.
    All,
    /// These.
    Only(Vec<TenantId>),
}

impl TenantScope {
    /// Whether `tenant` is in the set.
    pub fn contains(&self, tenant: &TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => list.contains(tenant),
        }
    }
}

/// A workload that may sign root contexts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextSigner {
    /// `kid`.
    pub id: String,
    /// The workload that holds the key.
    pub workload: SpiffeId,
    /// Ed25519 public key.
    pub key: [u8; 32],
    /// Which tenants it may name.
    pub tenants: TenantScope,
}

/// A service of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name in the directory.
    pub name: String,
    /// Its own SPIFFE ID.
    pub spiffe_id: SpiffeId,
    /// Names of the Envoy clusters that lead to it.
    pub clusters: Vec<String>,
    /// Who may call it, and for which tenants.
    pub callers: Vec<Caller>,
    /// Seconds from its issue for which a root context is accepted from callers other than its signer.
    pub max_context_age: u32,
    /// How its outgoing calls find the context of the request that caused them.
    pub recover: Recover,
    /// The tenant it works for when no request caused a call; its sidecar needs a signing key then.
    pub own_tenant: Option<TenantId>,
    /// The tenants it may name in `x-partywall-act-for`; its sidecar needs a signing key then.
    pub act_for: Option<ActFor>,
    /// Platform principals that may call it, and for what; never also callers of any service.
    pub platform: Vec<PlatformPrincipal>,
    /// From whom it takes requests without a context while that workload moves in.
    pub without_context: Option<WithoutContext>,
    /// Whether it serves no tenant, as an identity provider or a collector: calls to it say nothing of tenants.
    pub tenantless: bool,
    /// What it does.
    pub operations: Vec<Operation>,
    /// What words of routes mean that lead to it; `None` where nobody listens to them.
    pub routes: Option<RouteWords>,
    /// What of its requests are events.
    pub events: Option<ServiceEvents>,
}

/// For whom a workload may act that no request made call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActFor {
    /// The tenants it may name.
    pub tenants: TenantScope,
    /// Where it may name those alone whose records it fetched: seconds from then on. Its own sidecar saw it.
    pub fetched: Option<u32>,
}

/// How the context of an outgoing call is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recover {
    /// By the handle in `tracestate`.
    Handle,
    /// By the handle, or by the trace id where an app carries `traceparent` alone.
    TraceParent,
}

impl Service {
    /// One with these operations, of which a directory says no more: nobody is listed as its caller, and it acts for nobody.
    pub fn new(name: &str, spiffe_id: SpiffeId, operations: Vec<Operation>) -> Self {
        Self {
            name: name.to_owned(),
            spiffe_id,
            clusters: Vec::new(),
            callers: Vec::new(),
            max_context_age: Self::CONTEXT_AGE,
            recover: Recover::Handle,
            own_tenant: None,
            act_for: None,
            platform: Vec::new(),
            without_context: None,
            tenantless: false,
            operations,
            routes: None,
            events: None,
        }
    }

    /// `max_context_age` where a directory says none, in seconds.
    pub const CONTEXT_AGE: u32 = 120;

    /// Whether `caller` may call it for `tenant`.
    pub fn lists(&self, caller: &SpiffeId, tenant: &TenantId) -> bool {
        self.callers.iter().any(|one| one.spiffe_id == *caller && one.tenants.contains(tenant))
    }

    /// The tenant that requests of `caller` without a context are taken to be for, at this time.
    pub fn without_context(&self, caller: &SpiffeId, now: UnixSeconds) -> Option<&TenantId> {
        let exception = self.without_context.as_ref()?;
        (exception.peer == *caller && now < exception.until).then_some(&exception.tenant)
    }

    /// Whether `caller` is a platform principal that may do `action`.
    pub fn lets(&self, caller: &SpiffeId, action: &str) -> bool {
        let of = |one: &PlatformPrincipal| one.spiffe_id == *caller && one.actions.iter().any(|may| may == action);
        self.platform.iter().any(of)
    }
}

/// A workload that may call a service without a context, for one tenant and for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutContext {
    /// Its SPIFFE ID; one of the service's callers.
    pub peer: SpiffeId,
    /// For whom its requests are taken to be.
    pub tenant: TenantId,
    /// From then on it may not.
    pub until: UnixSeconds,
}

/// A workload of the platform, which is of no tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformPrincipal {
    /// Its SPIFFE ID.
    pub spiffe_id: SpiffeId,
    /// Which actions of scope `platform` it may do.
    pub actions: Vec<String>,
}

/// A workload that may call a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Its SPIFFE ID.
    pub spiffe_id: SpiffeId,
    /// The tenants it may call for.
    pub tenants: TenantScope,
}

/// One operation of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// HTTP method, upper case, or `GRPC` for a call of gRPC, or `ROUTE` where a route says that it is asked for.
    pub method: String,
    /// Path template, as `/tenants/{tenant}/invoices/{id}`; of gRPC `/package.Service/Method`,
    /// and of `ROUTE` its action and resource, as `/orders:report/Report`.
    pub path: String,
    /// What else a request must have for this operation to cover it.
    pub when: Vec<Condition>,
    /// Name of the Cedar action, as `invoices:read`.
    pub action: String,
    /// Name of the Cedar resource type, as `Invoice`.
    pub resource: String,
    /// The template parameter that is the resource's id, if one is.
    pub id: Option<String>,
    /// Where the resource's owner can be seen.
    pub owner: Owner,
    /// The most bytes of a request's body, which is held until it is decided on; 0 where no owner stands in it.
    pub hold: u32,
    /// Whether it is open to callers without a credential (a login, say). They never get a root context.
    pub anonymous: bool,
    /// Where the owner stands in what it answers; `None` where responses pass as they are.
    pub response: Option<Response>,
    /// What it touches besides, and what that asks for.
    pub attributes: Attributes,
}

impl Operation {
    /// One of which a directory says no more: no condition, no id, no owner that is seen, and nothing looked at in answers.
    pub fn new(method: &str, path: &str, action: &str, resource: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            when: Vec::new(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            id: None,
            owner: Owner::Unseen,
            hold: 0,
            anonymous: false,
            response: None,
            attributes: Attributes::default(),
        }
    }
}

impl BundleBody {
    /// The region that a cell lies in; O(log n).
    pub fn region_of_cell(&self, cell: &str) -> Option<&str> {
        let at = self.cells.binary_search_by(|known| known.name.as_str().cmp(cell)).ok()?;
        self.cells.get(at).map(|known| known.region.as_str())
    }

    /// The format this build writes and reads.
    pub const FORMAT: u16 = 6;

    /// Signs the bundle with every key of `signers` (key id, key).
    /// `None` when it cannot be written or there is no usable signer.
    pub fn sign(&self, signers: &[(&str, &SigningKey)]) -> Option<Vec<u8>> {
        let body = postcard::to_allocvec(self).ok()?;
        statement::sign(Kind::Bundle, &body, signers)
    }

    /// Reads a body. What comes out proves nothing: its tenants were not looked at, and nobody's signature was.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let (format, _) = postcard::take_from_bytes::<u16>(bytes).map_err(|_| Refusal::Garbage("no format"))?;
        if format != Self::FORMAT {
            return Err(Refusal::Format(format));
        }
        postcard::from_bytes(bytes).map_err(|_| Refusal::Garbage("unreadable body"))
    }
}

mod program {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::tenants::Bytes;

    pub(super) fn serialize<S: Serializer>(bytes: &Vec<u8>, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(bytes).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Bytes::deserialize(deserializer).map(|bytes| bytes.0)
    }
}
