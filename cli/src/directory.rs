//! Reads a tenancy directory into checked values, and tells every mistake with its place.
//!
//! ```text
//! files ──sources──► Source ──yaml──► Node ──mesh, tenant, service──► entries ──cross checks──► Directory
//! ```
//!
//! Each step goes on after a mistake as far as it can, so that one run shows all of them.

mod act_for;
mod api_keys;
mod attributes;
pub(crate) mod cells;
mod cross;
mod data;
pub(crate) mod events;
mod fields;
mod grants;
mod headers;
mod issuer;
mod jwks;
mod key_roles;
mod limits;
pub(crate) mod links;
mod mesh;
mod modes;
pub(crate) mod named;
mod networks;
mod operation;
mod place;
mod platform;
mod profile;
mod public_key;
mod published;
pub(crate) mod redaction;
mod response;
mod retired;
mod scope;
mod service;
mod service_events;
mod settings;
mod share;
mod signing;
mod since;
mod sources;
mod template;
mod tenant;
mod tenant_sources;
mod values;
mod without_context;
mod yaml;

use std::path::Path;

use partywall_log_redaction::Slice;
use partywall_tenancy::{
    ApiKey, CellPlace, ContextSigner, EventCluster, GrantCeilings, Issuer, MeshId, Modes, Network, RoleKeys, Service,
    Share, Sources, SpiffeId, Tenant, TenantId,
};

use crate::diagnostic::{Diagnostic, Place, Severity, Source};
use crate::directory::api_keys::{ApiKeyEntry, ApiKeys};
use crate::directory::fields::Report;
use crate::directory::grants::GrantsEntry;
use crate::directory::mesh::MeshEntry;
use crate::directory::published::Published;
use crate::directory::service::ServiceEntry;
use crate::directory::share::ShareEntry;
use crate::directory::tenant::Inherits;
use crate::lower::Vocabulary;

pub(crate) use api_keys::is_id as is_api_key_id;
pub(crate) use data::{CLASSIFICATIONS, MOST_CLASSIFICATIONS};
#[cfg(test)]
pub(crate) use fields::asked;
pub(crate) use fields::{Fields, Report as Mistakes, choice, flag, list, once_read, text, texts};
pub(crate) use limits::Limits;
pub(crate) use operation::{METHODS, path_problem, shape};
pub(crate) use response::{ELEMENT_CAP, ERRORS, FOREIGN, FORMATS, size};
pub(crate) use service::RECOVER;
pub(crate) use service_events::VERSIONS;
pub(crate) use settings::{LIMITS, MAX_LIMIT, Origin, Record};
pub(crate) use settings::{is_name, name};
pub(crate) use since::OUTLIVED;
pub(crate) use sources::{API_KEYS, CASES, DATASETS, EVENTS, REDACTION_KEYS, RETIRED};
pub(crate) use tenant::STATUSES;
pub(crate) use tenant_sources::{EDGE_KINDS, INBOUND_KINDS};
pub(crate) use values::{is_label, parse_duration, spiffe_id, tenant_id, word};
pub(crate) use yaml::{At, Located, Node, Value, parse};

/// A checked tenancy directory: everything a bundle says, but for the program and the signature.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'r> {
    /// What holds for the whole mesh.
    pub mesh: &'r Mesh,
    /// The API keys, sorted by id.
    pub api_keys: &'r [ApiKey],
    /// The tenants, sorted by id.
    pub tenants: &'r [Tenant],
    /// The services, sorted by name.
    pub services: &'r [Service],
    /// What is in shadow.
    pub modes: &'r Modes,
    /// What tenants let others read, sorted by name.
    pub shares: &'r [Share],
    /// Clusters of Kafka, sorted by name; the service of each is among the services.
    pub events: &'r [EventCluster],
    /// What the collector's proxy does with telemetry, where the directory says so.
    pub redaction: Option<&'r Slice>,
    /// The policies, sorted by file name.
    pub policies: &'r [Source],
    /// SHA-256 of the files it was read from.
    pub digest: [u8; 32],
}

impl Directory<'_> {
    /// Whether the service of this name stands for a cluster of Kafka: no request of HTTP comes to it.
    pub(crate) fn is_cluster(&self, service: &str) -> bool {
        self.events.binary_search_by(|cluster| cluster.name.as_str().cmp(service)).is_ok()
    }
}

/// What holds for the whole mesh.
#[derive(Debug)]
pub struct Mesh {
    /// Its id.
    pub id: MeshId,
    /// Its SPIFFE trust domain.
    pub trust_domain: String,
    /// Seconds without a new overlay after which requests are denied.
    pub stale_after: u32,
    /// Where tenants are learned from.
    pub sources: Sources,
    /// Identity headers of former systems, and those of selecting sources.
    pub legacy_headers: Vec<String>,
    /// How many keys must sign a bundle.
    pub approvals: u8,
    /// Ids of the keys that sign bundles.
    pub bundle_keys: Vec<String>,
    /// Ids of those that signed bundles once.
    pub retired_keys: Vec<String>,
    /// Keys that may sign statements, by role; empty where no keys folder was given.
    pub keys: RoleKeys,
    /// What may be granted, if anything.
    pub grants: Option<GrantCeilings>,
    /// Who may sign root contexts; empty where no keys folder was given.
    pub signers: Vec<ContextSigner>,
    /// Workloads that forward the requests of others, sorted.
    pub gateways: Vec<SpiffeId>,
    /// The cells that tenants are in, sorted by name.
    pub cells: Vec<CellPlace>,
    /// Ranges of addresses that clients call from, sorted by name.
    pub networks: Vec<Network>,
    /// Who may issue JWTs; without the keys that lie in files where no keys folder was given.
    pub issuers: Vec<Issuer>,
}

/// What came of reading a directory.
#[derive(Debug)]
pub struct Reading {
    /// Mistakes and warnings, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
    mesh: Option<Mesh>,
    api_keys: Vec<ApiKey>,
    tenants: Vec<Tenant>,
    record: Option<Record>,
    limits: Limits,
    places: Vec<(TenantId, Place)>,
    retired: Vec<TenantId>,
    operations: Vec<(String, String, Place)>,
    grantable: Vec<(String, Place)>,
    shareable: Vec<(String, String, Place)>,
    services: Vec<Service>,
    modes: Modes,
    shares: Vec<Share>,
    events: Vec<EventCluster>,
    redaction: Option<Slice>,
    policies: Vec<Source>,
    digest: [u8; 32],
    policies_apart: bool,
}

impl Reading {
    /// The directory, unless there are mistakes.
    pub fn directory(&self) -> Option<Directory<'_>> {
        let broken = self.diagnostics.iter().any(|d| d.severity == Severity::Error);
        let mesh = self.mesh.as_ref().filter(|_| !broken)?;
        let Self { api_keys, tenants, services, modes, shares, events, redaction, policies, digest, .. } = self;
        let redaction = redaction.as_ref();
        Some(Directory {
            mesh,
            api_keys,
            tenants,
            services,
            modes,
            shares,
            events,
            redaction,
            policies,
            digest: *digest,
        })
    }

    /// What holds for the tenant that was asked about, and where it comes from, if its file is good.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// How much tenants may use, by those whose files are good.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where a tenant stands, by its id.
    pub(crate) fn tenant_place(&self, id: &TenantId) -> Option<&Place> {
        let at = self.places.binary_search_by(|(known, _)| known.cmp(id)).ok()?;
        self.places.get(at).map(|(_, place)| place)
    }

    /// The former tenants.
    pub(crate) fn retired(&self) -> &[TenantId] {
        &self.retired
    }

    /// Where an operation of a service stands, by its name and `METHOD /path`.
    pub(crate) fn operation_place(&self, service: &str, http: &str) -> Option<&Place> {
        self.operations.iter().find(|(name, line, _)| name == service && line == http).map(|(.., place)| place)
    }

    /// Where `grants` of mesh.yaml names an action.
    pub(crate) fn grantable_place(&self, action: &str) -> Option<&Place> {
        self.grantable.iter().find(|(name, _)| name == action).map(|(_, place)| place)
    }

    /// Where a share, by its name, names an action.
    pub(crate) fn shareable_place(&self, share: &str, action: &str) -> Option<&Place> {
        self.shareable.iter().find(|(of, name, _)| of == share && name == action).map(|(.., place)| place)
    }

    /// The tenants whose files are good, sorted by id, whatever else is wrong.
    pub(crate) fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// The networks; `None` where mesh.yaml has mistakes, so that one that is not there may be meant.
    fn networks(&self) -> Option<&[Network]> {
        self.mesh.as_ref().map(|mesh| mesh.networks.as_slice())
    }

    /// The policies and what they speak about, unless that has mistakes: a mistake in `mesh.yaml`
    /// is no reason to keep quiet about one in a policy.
    pub fn policies(&self) -> Option<(Vocabulary<'_>, &[Source])> {
        let vocabulary = Vocabulary {
            tenants: &self.tenants,
            services: &self.services,
            networks: self.networks(),
            clusters: &self.events,
        };
        self.policies_apart.then_some((vocabulary, &self.policies))
    }
}

/// Reads `directory`. With a `keys` folder the public keys it names are read, too.
pub fn read(directory: &Path, keys: Option<&Path>) -> Reading {
    read_about(directory, keys, None)
}

/// The same, and where everything of this tenant comes from.
pub(crate) fn read_about(directory: &Path, keys: Option<&Path>, wanted: Option<&TenantId>) -> Reading {
    let mut report = Report::default();
    let sources = sources::read(directory, &mut report);

    let mesh = sources.mesh.as_ref().and_then(|source| document(source, &mut report));
    let mesh = mesh.map(|node| mesh::read(node, &mut report)).unwrap_or_default();
    let domain = mesh.trust_domain.as_deref();
    let profile = |source| document(source, &mut report).and_then(|node| profile::read(node, &mut report));
    let profiles: Vec<_> = sources.profiles.iter().filter_map(profile).collect();
    let inherits = Inherits { profiles: &profiles, wanted };
    let tenant = |source| match tenant::is_ndjson(source) {
        true => tenant::read_lines(source, inherits, &mut report),
        false => vec![tenant::read(source, document(source, &mut report), inherits, &mut report)],
    };
    let tenants: Vec<_> = sources.tenants.iter().flat_map(tenant).collect();
    let retired = sources.retired.as_ref().and_then(|source| document(source, &mut report));
    let retired = retired.map_or(vec![], |node| retired::read(node, &mut report));
    retired::check(&retired, &tenants, &mut report);
    let datasets =
        sources.datasets.as_ref().map(|source| source.as_ref().and_then(|source| document(source, &mut report)));
    let data = datasets.map_or_else(data::Data::none, |node| data::read(node, &mut report));
    let service =
        |source| document(source, &mut report).and_then(|node| service::read(node, domain, &data, &mut report));
    let mut services: Vec<_> = sources.services.iter().filter_map(service).collect();
    let events = sources.events.as_ref().and_then(|source| document(source, &mut report));
    let mut events = events.map(|node| events::read(node, domain, &data, &mut report)).unwrap_or_default();
    // A cluster is there, though what it says of itself has a mistake.
    let names = events.services.iter().filter_map(|service| service.name.as_ref());
    let clusters: Vec<String> = names.map(|name| name.value.clone()).collect();
    services.append(&mut events.services);
    let redaction = sources.redaction.as_ref().and_then(|source| document(source, &mut report));
    let redaction = redaction.and_then(|node| redaction::read(node, &data, &mut report));
    let api_keys = sources.api_keys.as_ref().and_then(|source| document(source, &mut report));
    let api_keys = api_keys.and_then(|node| api_keys::read(node, &mut report));
    let share = |source| document(source, &mut report).and_then(|node| share::read(source, node, &mut report));
    let shares: Vec<_> = sources.shares.iter().filter_map(share).collect();
    let known = cross::check(&mesh, api_keys.as_ref(), &tenants, &profiles, &services, &shares, &mut report);
    cross::useless(&mesh, api_keys.as_ref(), events.reads_tokens(), &mut report);
    events::check(&events, &mesh, &tenants, (&known, &retired), &mut report);
    services.iter().for_each(|service| service_events::check(service, &clusters, &mut report));
    let keys_of_tenants = sources.redaction_keys.as_ref();
    let sealed = keys_of_tenants.map_or(vec![], |source| redaction::keys::read(source, &known, &mut report));
    if let (Some(source), None) = (keys_of_tenants, &sources.redaction) {
        let message = "holds keys, and nothing says what they are for: there is no `redaction.yaml`";
        report.push(Diagnostic::warning_of_file(source.path(), message));
    }
    let redaction = redaction.and_then(|entry| {
        let slice = Slice { keys: sealed, ..redaction::check(&entry, &known, &services, &mut report)? };
        redaction::keys::check(&entry, &slice, &known, &mut report);
        Some(slice)
    });
    signing::check(&mesh, &services, &mut report);
    modes::tell(&mesh, &services, &tenants, &mut report);
    let published = published::read(&mesh, keys, &mut report);

    let diagnostics = report.into_sorted();
    let spoken_of =
        ["tenants", "profiles", "services", "policies", DATASETS, EVENTS].map(|folder| directory.join(folder));
    let policies_apart = !diagnostics.iter().any(|d| {
        d.severity == Severity::Error && spoken_of.iter().any(|folder| Path::new(&d.path).starts_with(folder))
    });
    let (mut record, mut places, mut all) = (None, Vec::new(), Vec::new());
    let limits = Limits::of(&tenants, &profiles);
    let modes = modes::all(&mesh, &services, &tenants);
    let shareable = shares.iter().flat_map(ShareEntry::places).collect();
    let mut shares: Vec<Share> = shares.iter().map(|share| share.to_share(&tenants)).collect();
    shares.sort_by(|a, b| a.name.cmp(&b.name));
    let mut events: Vec<EventCluster> = events.clusters.iter().map(|cluster| cluster.to_cluster(&tenants)).collect();
    events.sort_by(|a, b| a.name.cmp(&b.name));
    for file in tenants {
        record = record.or(file.record);
        places.extend(file.id.map(|id| (id.value, id.at.place())));
        all.extend(file.tenant);
    }
    places.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut tenants: Vec<Tenant> = all;
    tenants.sort_by(|a, b| a.id.cmp(&b.id));
    let operations = services.iter().flat_map(|service| {
        let name = service.name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
        service
            .operations
            .iter()
            .map(move |Located { value, at }| (name.clone(), format!("{} {}", value.method, value.path), at.place()))
    });
    let operations = operations.collect();
    let grantable = mesh.grants.iter().flat_map(|grants| &grants.actions);
    let grantable = grantable.map(|action| (action.value.clone(), action.at.place())).collect();
    let mut services: Vec<Service> = services.iter().filter_map(ServiceEntry::to_service).collect();
    services.sort_by(|a, b| a.name.cmp(&b.name));
    Reading {
        diagnostics,
        api_keys: sorted(api_keys.as_ref()),
        mesh: finish(mesh, published),
        tenants,
        record,
        limits,
        places,
        retired: retired.into_iter().map(|former| former.tenant.value).collect(),
        operations,
        grantable,
        shareable,
        services,
        modes,
        shares,
        events,
        redaction,
        policies: sources.policies,
        digest: sources.digest,
        policies_apart,
    }
}

/// The API keys in a file like `api-keys.yaml`, sorted by id, or what is wrong with it.
pub(crate) fn api_keys(source: &Source) -> Result<Vec<ApiKey>, Vec<Diagnostic>> {
    let mut report = Report::default();
    let file = document(source, &mut report).and_then(|node| api_keys::read(node, &mut report));
    let mistakes = report.into_sorted();
    if mistakes.is_empty() { Ok(sorted(file.as_ref())) } else { Err(mistakes) }
}

fn sorted(file: Option<&ApiKeys<'_>>) -> Vec<ApiKey> {
    let mut keys: Vec<ApiKey> = file.iter().flat_map(|file| &file.entries).map(ApiKeyEntry::to_api_key).collect();
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    keys
}

fn finish(mesh: MeshEntry<'_>, published: Published) -> Option<Mesh> {
    let sources = mesh.sources?;
    let mut legacy_headers = mesh.legacy_headers;
    let mut gateways: Vec<_> = mesh.gateways.into_iter().map(|id| id.value).collect();
    gateways.sort();
    for header in sources.selecting_headers() {
        if !legacy_headers.contains(header) {
            legacy_headers.push(header.clone());
        }
    }
    Some(Mesh {
        id: mesh.id?,
        trust_domain: mesh.trust_domain?,
        stale_after: mesh.stale_after?,
        sources: sources.to_sources(),
        legacy_headers,
        approvals: mesh.approvals?,
        grants: mesh.grants.as_ref().map(GrantsEntry::to_ceilings),
        bundle_keys: mesh.keys.bundle.into_iter().map(|id| id.value).collect(),
        retired_keys: mesh.keys.retired.into_iter().map(|id| id.value).collect(),
        keys: published.keys,
        signers: published.signers,
        gateways,
        cells: cells::places(&mesh.cells),
        networks: mesh.networks,
        issuers: published.issuers,
    })
}

fn document<'s>(source: &'s Source, report: &mut Report) -> Option<Node<'s>> {
    match yaml::parse(source) {
        Ok(node) => Some(node),
        Err(diagnostic) => report.add(diagnostic),
    }
}
