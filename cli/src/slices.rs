//! A compiled directory in slices: each audience gets what it reads, and nothing else.

use std::path::{Path, PathBuf};

use partywall_tenancy::statement::{Kind, MAX_SIZE};
use partywall_tenancy::{
    Audience, BundleBody, ContextSigner, EventIdentity, Modes, Rollout, Service, ServiceEvents, Source, Sources,
};

use crate::exit::Failure;
use crate::files;
use crate::unverified::Unverified;

/// Where the slice for `audience` lies in `folder` once it is in force.
pub(crate) fn path(folder: &Path, audience: Audience) -> PathBuf {
    folder.join(format!("tenancy.{}.bundle", audience.name()))
}

/// Where it waits for more signatures.
pub(crate) fn pending_path(folder: &Path, audience: Audience) -> PathBuf {
    folder.join(format!("tenancy.{}.pending", audience.name()))
}

/// Where the candidate for `audience` lies while it is tried out.
pub(crate) fn candidate_path(folder: &Path, audience: Audience) -> PathBuf {
    folder.join(format!("tenancy.{}.candidate", audience.name()))
}

/// Where it waits for more signatures.
pub(crate) fn candidate_pending_path(folder: &Path, audience: Audience) -> PathBuf {
    folder.join(format!("tenancy.{}.candidate.pending", audience.name()))
}

/// A slice as it lies in a file, whoever signed it.
#[derive(Debug)]
pub(crate) struct SliceFile {
    /// The statement.
    pub(crate) bytes: Vec<u8>,
    /// The ids of the keys that claim to have signed it.
    pub(crate) signed_by: Vec<String>,
    /// Of a candidate.
    pub(crate) rollout: Option<Rollout>,
    /// What it says.
    pub(crate) body: BundleBody,
}

impl SliceFile {
    /// Reads a bundle or a candidate for `audience`; `None` where there is no file.
    pub(crate) fn read(path: &Path, kind: Kind, audience: Audience) -> Result<Option<Self>, Failure> {
        let bytes = match files::read(path, MAX_SIZE as u64) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::file(path, e)),
        };
        let found = Unverified::read(&bytes).and_then(|unverified| {
            let (rollout, body) = unverified.slice(kind).filter(|(_, body)| body.audience == audience)?;
            Some((unverified.signed_by, rollout, body))
        });
        let (signed_by, rollout, body) = found.ok_or_else(|| {
            let what = if kind == Kind::Candidate { "candidate" } else { "bundle" };
            Failure::file(path, format!("is no {what} for `{}`", audience.name()))
        })?;
        Ok(Some(Self { bytes, signed_by, rollout, body }))
    }
}

/// The slice of `whole` for `audience`.
pub(crate) fn slice(whole: &BundleBody, audience: Audience) -> BundleBody {
    let mut whole = BundleBody { audience, ..whole.clone() };
    if audience == Audience::Redaction {
        return if whole.redaction.is_empty() { bare(whole) } else { redaction(whole) };
    }
    // INVARIANT: keys of tenants, though they are sealed, are in the slice of the collector's proxy alone.
    whole.redaction = Vec::new();
    match audience {
        Audience::Edge => edge(with_clusters(whole, &[])),
        Audience::Workload => workload(with_clusters_of_rest(whole)),
        Audience::Events if !whole.events.is_empty() => events(whole),
        // Who is who they need to know.
        Audience::Events | Audience::Redaction => bare(whole),
    }
}

/// The sidecar of a REST server keeps names of its cluster apart, and asks policies about topics.
fn with_clusters_of_rest(whole: BundleBody) -> BundleBody {
    let of_rest = |service: &Service| match &service.events {
        Some(ServiceEvents::Rest { cluster, .. }) => Some(cluster.clone()),
        _ => None,
    };
    let clusters: Vec<String> = whole.services.iter().filter_map(of_rest).collect();
    with_clusters(whole, &clusters)
}

/// Others have nothing to do with clusters of Kafka but these, nor with the services that stand for them.
fn with_clusters(whole: BundleBody, kept: &[String]) -> BundleBody {
    let (services, modes, mut events) = (whole.services, whole.modes, whole.events);
    let other = |name: &str| events.iter().any(|one| one.name == name) && !kept.iter().any(|one| one == name);
    let services = services.into_iter().filter(|service| !other(&service.name)).collect();
    let of_services = modes.services.into_iter().filter(|(name, _)| !other(name)).collect();
    let modes = Modes { services: of_services, ..modes };
    events.retain(|cluster| kept.contains(&cluster.name));
    BundleBody { services, modes, events, ..whole }
}

/// The broker's proxy looks at names and asks policies about topics. No request comes to it, and no root context.
fn events(whole: BundleBody) -> BundleBody {
    let cluster = |name: &str| whole.events.iter().any(|cluster| cluster.name == name);
    let services = whole.services.iter().filter(|service| cluster(&service.name)).cloned().collect();
    let of_services = whole.modes.services.iter().filter(|(name, _)| cluster(name)).cloned().collect();
    let modes = Modes { services: of_services, routes: Vec::new(), ..whole.modes.clone() };
    let (clusters, program) = (whole.events.clone(), whole.program.clone());
    let mut ways = clusters.iter().flat_map(|cluster| &cluster.identity);
    let tokens = ways.any(|way| *way == EventIdentity::Token);
    let issuers = if tokens { whole.issuers.clone() } else { Vec::new() };
    BundleBody { services, modes, events: clusters, program, issuers, ..bare(whole) }
}

/// The collector's proxy knows whose a certificate is, of which service, and tenants by their hosts. Nothing is asked of it.
fn redaction(whole: BundleBody) -> BundleBody {
    let service = |service: &Service| Service {
        own_tenant: service.own_tenant.clone(),
        ..Service::new(&service.name, service.spiffe_id.clone(), Vec::new())
    };
    let services = whole.services.iter().map(service).collect();
    let of =
        |sources: &[Source], wanted: fn(&Source) -> bool| sources.iter().filter(|one| wanted(one)).cloned().collect();
    let sources = Sources {
        edge: of(&whole.sources.edge, |one| matches!(one, Source::Host { .. } | Source::UriSan { .. })),
        inbound: of(&whole.sources.inbound, |one| matches!(one, Source::UriSan { .. })),
    };
    let redaction = whole.redaction.clone();
    BundleBody { services, sources, redaction, ..bare(whole) }
}

/// Tenants, keys and gateways.
fn bare(whole: BundleBody) -> BundleBody {
    BundleBody {
        legacy_headers: Vec::new(),
        sources: Sources::default(),
        api_keys: Vec::new(),
        issuers: Vec::new(),
        signers: Vec::new(),
        networks: Vec::new(),
        services: Vec::new(),
        modes: Modes::default(),
        shares: Vec::new(),
        events: Vec::new(),
        program: Vec::new(),
        redaction: Vec::new(),
        ..whole
    }
}

/// An edge believes no root and no caller: it proves who comes, and signs.
fn edge(whole: BundleBody) -> BundleBody {
    let acts = |signer: &ContextSigner| {
        let own = whole.services.iter().find(|service| service.spiffe_id == signer.workload);
        own.is_some_and(|service| service.own_tenant.is_some() || service.act_for.is_some())
    };
    let signers = whole.signers.iter().filter(|signer| !acts(signer)).cloned().collect();
    let services = whole.services.iter().cloned();
    let services = services.map(|service| Service {
        callers: vec![],
        own_tenant: None,
        act_for: None,
        platform: vec![],
        without_context: None,
        ..service
    });
    let services = services.collect();
    let sources = Sources { inbound: Vec::new(), ..whole.sources };
    let (issuers, api_keys) = read_by(&sources.edge, whole.issuers, whole.api_keys);
    BundleBody { sources, issuers, api_keys, signers, services, gateways: Vec::new(), ..whole }
}

/// A sidecar believes roots; it has no use for what proves at the edge, but for the headers to be taken out.
fn workload(whole: BundleBody) -> BundleBody {
    let mut legacy_headers = whole.legacy_headers;
    for source in &whole.sources.edge {
        if let Source::ApiKey { header } = source
            && !legacy_headers.contains(header)
        {
            legacy_headers.push(header.clone());
        }
    }
    // An anonymous operation is selected again, from what the edge selected by.
    let selecting = |source: &Source| matches!(source, Source::Host { .. } | Source::Path { .. });
    let edge = whole.sources.edge.into_iter().filter(selecting).collect();
    let sources = Sources { edge, inbound: whole.sources.inbound };
    let (issuers, api_keys) = read_by(&sources.inbound, whole.issuers, whole.api_keys);
    // Addresses are the edge's to look at; further in, its root context names the networks.
    BundleBody { legacy_headers, sources, issuers, api_keys, networks: Vec::new(), ..whole }
}

fn read_by<I, K>(sources: &[Source], issuers: Vec<I>, api_keys: Vec<K>) -> (Vec<I>, Vec<K>) {
    let reads = |wanted: fn(&Source) -> bool| sources.iter().any(wanted);
    (
        if reads(|source| matches!(source, Source::Jwt)) { issuers } else { Vec::new() },
        if reads(|source| matches!(source, Source::ApiKey { .. })) { api_keys } else { Vec::new() },
    )
}

/// What the slices in `folder` say together; their signatures were not checked, so it serves to catch mistyped
/// names and to show. `None` while there is no slice for the edge or for workloads.
pub(crate) fn together(folder: &Path) -> Option<BundleBody> {
    let read = |audience| {
        let bytes = files::read(&path(folder, audience), MAX_SIZE as u64).ok()?;
        Unverified::read(&bytes).filter(|u| u.kind == Kind::Bundle)?.bundle()
    };
    merged(&Audience::ALL.into_iter().filter_map(read).collect::<Vec<_>>())
}

/// What the slices of one bundle say together: that for workloads, or else that for the edge, with what only others
/// are told. `None` where there is neither.
pub(crate) fn merged(slices: &[BundleBody]) -> Option<BundleBody> {
    let of = |audience| slices.iter().find(|slice| slice.audience == audience);
    let (edge, workload) = (of(Audience::Edge), of(Audience::Workload));
    let mut whole = workload.or(edge)?.clone();
    if let Some(events) = of(Audience::Events) {
        add(&mut whole.services, &events.services);
        whole.services.sort_by(|a, b| a.name.cmp(&b.name));
        add(&mut whole.modes.services, &events.modes.services);
        whole.modes.services.sort_by(|(a, _), (b, _)| a.cmp(b));
        add(&mut whole.issuers, &events.issuers);
        whole.events.clone_from(&events.events);
    }
    if let Some(redaction) = of(Audience::Redaction) {
        whole.redaction.clone_from(&redaction.redaction);
    }
    if let (Some(edge), Some(_)) = (edge, workload) {
        whole.sources.edge.clone_from(&edge.sources.edge);
        add(&mut whole.issuers, &edge.issuers);
        add(&mut whole.api_keys, &edge.api_keys);
        add(&mut whole.signers, &edge.signers);
        whole.networks.clone_from(&edge.networks);
    }
    Some(whole)
}

fn add<T: Clone + PartialEq>(list: &mut Vec<T>, more: &[T]) {
    more.iter().for_each(|one| {
        if !list.contains(one) {
            list.push(one.clone());
        }
    });
}

#[cfg(test)]
mod tests {
    use partywall_tenancy::{
        ActFor, ApiKey, BrokerAddresses, Caller, EventCluster, EventPrefix, Issuer, KeySource, MeshId, Mode, NameSet,
        Network, NewTopics, Range, RestVersion, RoleKeys, Share, SpiffeId, Tenant, TenantId, TenantScope, TenantStatus,
        Tenants,
    };

    use super::*;

    fn whole() -> BundleBody {
        let tenant = TenantId::parse("acme").unwrap();
        let workload = |name: &str| SpiffeId::parse(&format!("spiffe://mesh.example/{name}")).unwrap();
        let signer = |id: &str, name: &str| ContextSigner {
            id: id.into(),
            workload: workload(name),
            key: [0; 32],
            tenants: TenantScope::All,
        };
        BundleBody {
            format: BundleBody::FORMAT,
            audience: Audience::Edge,
            mesh: MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap(),
            revision: 1,
            issued: 0,
            expires: 1,
            source_digest: [7; 32],
            trust_domain: "mesh.example".into(),
            stale_after: 300,
            approvals: 1,
            keys: RoleKeys::default(),
            grants: None,
            legacy_headers: vec!["x-tenant-id".into()],
            sources: Sources {
                edge: vec![
                    Source::Jwt,
                    Source::ApiKey { header: "x-api-key".into() },
                    Source::Host { template: "{tenant}.shop.example".into() },
                ],
                inbound: vec![],
            },
            api_keys: vec![ApiKey {
                id: "1".into(),
                digest: [0; 32],
                hashed_with: "1".into(),
                tenant: tenant.clone(),
                principal: "p".into(),
                roles: vec![],
                scopes: vec![],
                expires: 1,
            }],
            issuers: vec![Issuer {
                issuer: "i".into(),
                audiences: vec![],
                tenant_claim: "/t".into(),
                roles_claim: "/r".into(),
                client_claim: "/c".into(),
                tenants: TenantScope::All,
                bindings: vec![],
                keys: KeySource::Inline(vec![]),
            }],
            signers: vec![signer("edge-1", "edge"), signer("jobs-1", "jobs")],
            gateways: vec![workload("gateway")],
            cells: vec![],
            networks: vec![Network { name: "office".into(), ranges: vec![Range::parse("10.0.0.0/8").unwrap()] }],
            tenants: Tenants::pack([Tenant {
                id: tenant.clone(),
                tier: "gold".into(),
                status: TenantStatus::Active,
                residency: "eu".into(),
                cell: None,
                features: NameSet::default(),
                consents: NameSet::default(),
            }])
            .unwrap(),
            services: vec![Service {
                clusters: vec!["jobs".into()],
                callers: vec![Caller { spiffe_id: workload("edge"), tenants: TenantScope::All }],
                act_for: Some(ActFor { tenants: TenantScope::All, fetched: None }),
                ..Service::new("jobs", workload("jobs"), vec![])
            }],
            modes: Modes { bundle: Some(Mode::Shadow), ..Modes::default() },
            shares: vec![Share {
                name: "s".into(),
                owners: vec![tenant.clone()],
                to: vec![tenant],
                actions: vec![],
                services: vec![],
                until: None,
            }],
            events: vec![],
            program: vec![1],
            redaction: vec![2],
        }
    }

    #[test]
    fn a_slice_holds_what_its_audience_reads_and_nothing_else() {
        let edge = slice(&whole(), Audience::Edge);
        assert_eq!((edge.issuers.len(), edge.api_keys.len(), edge.gateways.len()), (1, 1, 0));
        assert_eq!(edge.signers.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["edge-1"]);
        assert!(edge.services[0].callers.is_empty() && edge.services[0].act_for.is_none());

        let workload = slice(&whole(), Audience::Workload);
        assert_eq!((workload.issuers.len(), workload.api_keys.len(), workload.gateways.len()), (0, 0, 1));
        assert_eq!((workload.signers.len(), workload.services), (2, whole().services));
        assert_eq!(workload.sources.edge, [Source::Host { template: "{tenant}.shop.example".into() }]);
        assert_eq!(workload.legacy_headers, ["x-tenant-id", "x-api-key"], "taken out all the same");

        for audience in [Audience::Events, Audience::Redaction] {
            let other = slice(&whole(), audience);
            assert!(other.issuers.is_empty() && other.api_keys.is_empty() && other.signers.is_empty());
            assert!(other.program.is_empty() && !other.tenants.is_empty());
            assert!(other.shares.is_empty() && !edge.shares.is_empty() && !workload.shares.is_empty());
            assert!(other.networks.is_empty() && !edge.networks.is_empty() && workload.networks.is_empty());
            assert!(other.modes.is_empty() && !edge.modes.is_empty() && !workload.modes.is_empty());
        }
        for audience in Audience::ALL {
            let slice = slice(&whole(), audience);
            let told = if audience == Audience::Redaction { &[2][..] } else { &[] };
            assert_eq!(slice.redaction, told, "{audience:?}: sealed keys are the collector's proxy's alone");
            assert_eq!((slice.audience, slice.revision, slice.source_digest), (audience, 1, [7; 32]));
        }
    }

    #[test]
    fn the_collectors_proxy_knows_whose_a_certificate_and_a_host_are() {
        let mut whole = whole();
        let of_tenants = || Source::UriSan { template: "spiffe://mesh.example/tenant/{tenant}/sa/{workload}".into() };
        whole.sources.edge.push(of_tenants());
        whole.sources.inbound = vec![of_tenants(), Source::Path { template: "/t/{tenant}".into() }];
        whole.services[0].own_tenant = Some(TenantId::parse("acme").unwrap());
        let redaction = slice(&whole, Audience::Redaction);
        let host = || Source::Host { template: "{tenant}.shop.example".into() };
        assert_eq!(redaction.sources, Sources { edge: vec![host(), of_tenants()], inbound: vec![of_tenants()] });
        let [service] = redaction.services.as_slice() else { panic!("{:?}", redaction.services) };
        let own_tenant = whole.services[0].own_tenant.clone();
        let known = Service { own_tenant, ..Service::new("jobs", whole.services[0].spiffe_id.clone(), vec![]) };
        assert_eq!((service, redaction.gateways.len()), (&known, 1));
        // Where nothing is said of telemetry, nobody is told of it.
        whole.redaction = Vec::new();
        let nothing = slice(&whole, Audience::Redaction);
        assert!(nothing.services.is_empty() && nothing.sources == Sources::default());
    }

    #[test]
    fn what_a_sidecar_reads_itself_it_gets() {
        let mut whole = whole();
        whole.sources.inbound = vec![Source::Jwt, Source::ApiKey { header: "x-api-key".into() }];
        let workload = slice(&whole, Audience::Workload);
        assert_eq!((workload.issuers.len(), workload.api_keys.len()), (1, 1));
    }

    #[test]
    fn sidecars_know_the_clusters_behind_rest_servers_and_no_other() {
        let mut whole = whole();
        let cluster = |name: &str| EventCluster {
            name: name.into(),
            region: "eu".into(),
            identity: vec![],
            bound: None,
            prefix: EventPrefix { head: String::new(), tail: ".".into() },
            own_prefixes: vec![],
            cohorts: vec![],
            brokers: BrokerAddresses::AsTheyAre,
            topics: vec![],
            new_topics: NewTopics::default(),
        };
        whole.events = vec![cluster("a-events"), cluster("b-events")];
        let service = |name: &str, events| Service { name: name.into(), events, ..whole.services[0].clone() };
        let rest = ServiceEvents::Rest { version: RestVersion::V2, cluster: "b-events".into() };
        let more = [service("a-events", None), service("b-events", None), service("rest", Some(rest))];
        whole.services.extend(more);
        let known = |audience| {
            let slice = slice(&whole, audience);
            let events: Vec<_> = slice.events.into_iter().map(|cluster| cluster.name).collect();
            (events, slice.services.into_iter().map(|service| service.name).collect::<Vec<_>>())
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(known(Audience::Edge), (vec![], names(&["jobs", "rest"])));
        assert_eq!(known(Audience::Workload), (names(&["b-events"]), names(&["jobs", "b-events", "rest"])));
    }
}
