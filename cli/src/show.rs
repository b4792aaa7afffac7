//! Bundles and overlays in words and in JSON.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_authorization::Program;
use partywall_tenancy::{
    ActFor, BundleBody, GrantBody, Issuer, KeySource, Operation, OverlayBody, Owner, Recover, Scope, Service, Source,
    TenantScope, UnixSeconds, WithoutContext,
};
use serde_json::{Value, json};

use crate::command::say;
use crate::time::rfc3339;
use crate::{clusters, modes, redaction, shares};

/// One line of a list of names and values.
pub(crate) fn line(name: &str, value: impl std::fmt::Display) {
    say(format_args!("  {name:<16} {value}"));
}

/// A bundle in words.
pub(crate) fn bundle(body: &BundleBody) {
    line("audience", body.audience.name());
    line("mesh", &body.mesh);
    line("revision", body.revision);
    line("issued", time(body.issued));
    line("expires", time(body.expires));
    line("source", format_args!("sha256:{}", hex(&body.source_digest)));
    line("trust domain", &body.trust_domain);
    line("stale after", format_args!("{} s", body.stale_after));
    line("approvals", body.approvals);
    let keys = &body.keys;
    for (role, keys) in
        [("bundle", &keys.bundle), ("retired", &keys.retired), ("overlay", &keys.overlay), ("grant", &keys.grants)]
    {
        if !keys.is_empty() {
            line(&format!("{role} keys"), keys.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", "));
        }
    }
    if let Some(grants) = &body.grants {
        let (actions, tenants) = (grants.actions.join(", "), scope(&grants.tenants));
        line("grants", format_args!("up to {} s, {} at once, {tenants}, {actions}", grants.longest, grants.at_once));
    }
    line("legacy headers", body.legacy_headers.join(", "));
    for (role, sources) in [("edge source", &body.sources.edge), ("inbound source", &body.sources.inbound)] {
        sources.iter().for_each(|s| line(role, source(s)));
    }
    body.issuers.iter().for_each(issuer);
    for key in &body.api_keys {
        let (roles, scopes) = (or_none(key.roles.join(", ")), or_none(key.scopes.join(", ")));
        let who = format!("{} of {}, roles {roles}, scopes {scopes}", key.principal, key.tenant);
        line(
            "API key",
            format_args!("{}: {who}, hashed with {}, until {}", key.id, key.hashed_with, time(key.expires)),
        );
    }
    for signer in &body.signers {
        line("signer", format_args!("{} of {}, {}", signer.id, signer.workload, scope(&signer.tenants)));
    }
    body.gateways.iter().for_each(|gateway| line("gateway", gateway));
    for network in &body.networks {
        let ranges: Vec<String> = network.ranges.iter().map(ToString::to_string).collect();
        line("network", format_args!("{}: {}", network.name, ranges.join(", ")));
    }
    for tenant in body.tenants.iter() {
        let status = tenant.status.name();
        let mut more = String::new();
        for (name, set) in [("features", &tenant.features), ("consents", &tenant.consents)] {
            if !set.is_empty() {
                more.push_str(&format!(", {name} {}", set.iter().collect::<Vec<_>>().join(" ")));
            }
        }
        let (tier, residency) = (&tenant.tier, &tenant.residency);
        line("tenant", format_args!("{}, {status}, tier {tier}, residency {residency}{more}", tenant.id));
    }
    let cluster = |name: &str| body.events.iter().find(|cluster| cluster.name == name);
    body.services.iter().filter(|service| cluster(&service.name).is_none()).for_each(service);
    for cluster in &body.events {
        line("cluster", &cluster.name);
        let service = body.services.iter().find(|service| service.name == cluster.name);
        clusters::lines(cluster, service).iter().for_each(|words| line("", words));
    }
    body.shares.iter().for_each(|one| line("share", shares::words(one)));
    match redaction::of(body) {
        None => {}
        Some(Some(slice)) => {
            line("redaction", "");
            redaction::lines(&slice).iter().for_each(|words| line("", words));
        }
        Some(None) => line("redaction", "UNREADABLE: the collector's proxy would refuse this bundle"),
    }
    modes::in_shadow(&body.modes).iter().for_each(|what| line("IN SHADOW", what));
    match policies(body) {
        // Only who decides requests has a program.
        _ if body.program.is_empty() => {}
        Some(ids) => line("policies", ids.join(", ")),
        None => line("policies", "UNREADABLE: a sidecar would refuse this bundle"),
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Jwt => "proving: a JWT".to_owned(),
        Source::ApiKey { header } => format!("proving: an API key in {header}"),
        Source::UriSan { template } => format!("proving: certificate URI {template}"),
        Source::DnsSan { template } => format!("proving: certificate DNS name {template}"),
        Source::Host { template } => format!("selecting: host {template}"),
        Source::Path { template } => format!("selecting: path {template}"),
        Source::Header { name, peers } => format!("selecting: header {name} from {}", peers.join(", ")),
    }
}

fn issuer(issuer: &Issuer) {
    let audiences = issuer.audiences.join(", ");
    let keys = match &issuer.keys {
        KeySource::Inline(keys) => {
            let keys: Vec<String> = keys.iter().map(|k| format!("{} ({})", k.id, k.algorithm.name())).collect();
            format!("keys {}", keys.join(", "))
        }
        KeySource::Fetched { cluster, authority, path, max_age } => {
            format!("keys from {authority}{path} by cluster {cluster}, kept for {max_age} s")
        }
    };
    line("issuer", format_args!("{} for {audiences}, {}, {keys}", issuer.issuer, scope(&issuer.tenants)));
    let claims = [("tenant", &issuer.tenant_claim), ("roles", &issuer.roles_claim), ("client", &issuer.client_claim)];
    line("", claims.map(|(name, claim)| format!("{name} in {claim}")).join(", "));
    for binding in &issuer.bindings {
        let any = |list: &[String]| if list.is_empty() { "any".to_owned() } else { list.join(", ") };
        let audiences = if binding.audiences.is_empty() { audiences.clone() } else { binding.audiences.join(", ") };
        line("", format_args!("{} only for {audiences} by client {}", binding.tenant, any(&binding.clients)));
    }
}

fn service(service: &Service) {
    line("service", format_args!("{}, {}, clusters {}", service.name, service.spiffe_id, service.clusters.join(", ")));
    let by = match service.recover {
        Recover::Handle => "the handle",
        Recover::TraceParent => "the handle or the trace id",
    };
    line("", format_args!("contexts up to {} s old, found again by {by}", service.max_context_age));
    if let Some(own) = &service.own_tenant {
        line("", format_args!("works for {own} by itself"));
    }
    if let Some(ActFor { tenants, fetched }) = &service.act_for {
        let lately =
            fetched.map_or(String::new(), |within| format!(", within {within} s of fetching records of theirs"));
        line("", format_args!("may act for {}{lately}", scope(tenants)));
    }
    if service.routes.is_some() {
        line("", "ROUTES THAT LEAD TO IT say what requests ask for, where no operation does");
    }
    for caller in &service.callers {
        line("", format_args!("called by {}, {}", caller.spiffe_id, scope(&caller.tenants)));
    }
    if let Some(WithoutContext { peer, tenant, until }) = &service.without_context {
        line("", format_args!("takes {peer} WITHOUT A CONTEXT, for {tenant}, until {}", time(*until)));
    }
    if service.tenantless {
        line("", "serves no tenant: called without a context");
    }
    for principal in &service.platform {
        let actions = principal.actions.join(", ");
        line("", format_args!("called by {}, of the platform, for {actions}", principal.spiffe_id));
    }
    for operation in &service.operations {
        let owner = match &operation.owner {
            Owner::Shown { .. } => format!("owner in {}", operation.owner),
            Owner::Unseen => "owner not shown".to_owned(),
        };
        let anybody = if operation.anonymous { ", FOR ANYBODY" } else { "" };
        let guarded = match &operation.response {
            None => "",
            Some(response) if response.owners.is_empty() => ", age of responses asked",
            Some(_) => ", responses guarded",
        };
        let Operation { method, path, when, action, .. } = operation;
        let when: String = when.iter().map(|condition| format!(" {condition}")).collect();
        let held =
            if operation.hold > 0 { format!(", bodies of {} bytes held", operation.hold) } else { String::new() };
        let scope = match operation.attributes.scope {
            Scope::Tenant => "",
            Scope::GlobalRead => ", nobody's",
            Scope::Platform => ", the platform's",
        };
        line("", format_args!("{method} {path}{when} is {action}{scope}, {owner}{held}{anybody}{guarded}"));
    }
}

/// An overlay in words.
pub(crate) fn overlay(body: &OverlayBody) {
    line("mesh", &body.mesh);
    line("sequence", body.sequence);
    line("issued", time(body.issued));
    line("expires", time(body.expires));
    line("bundle", format_args!("revision {} or newer", body.bundle));
    let ids = |list: &[partywall_tenancy::TenantId]| list.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(", ");
    line("suspended", or_none(ids(&body.suspended)));
    line("quarantined", or_none(ids(&body.quarantined)));
    let tokens: Vec<String> = body.revoked_tokens.iter().map(|t| format!("{} of {}", t.id, t.issuer)).collect();
    line("revoked tokens", or_none(tokens.join(", ")));
    let subjects: Vec<String> =
        body.revoked_subjects.iter().map(|s| format!("{} of {}", s.subject, s.issuer)).collect();
    line("revoked subjects", or_none(subjects.join(", ")));
    let keys: Vec<String> = body.revoked_keys.iter().map(|k| format!("{} of {}", k.id, k.issuer)).collect();
    line("revoked keys", or_none(keys.join(", ")));
    line("revoked issuers", or_none(body.revoked_issuers.join(", ")));
    line("revoked signers", or_none(body.revoked_signers.join(", ")));
    line("revoked API keys", or_none(body.revoked_api_keys.join(", ")));
    let consents: Vec<String> =
        body.withdrawn_consents.iter().map(|one| format!("{} of {}", one.consent, one.tenant)).collect();
    line("withdrawn consents", or_none(consents.join(", ")));
    let candidates = format!("up to revision {}", body.withdrawn_candidates);
    line("withdrawn candidates", or_none(if body.withdrawn_candidates == 0 { String::new() } else { candidates }));
    line("revoked grants", or_none(body.revoked_grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
}

/// A grant in words.
pub(crate) fn grant(body: &GrantBody) {
    line("operator", format_args!("{}/{}", body.operator, body.subject));
    line("tenant", &body.tenant);
    line("actions", body.actions.join(", "));
    line("reason", body.reason.escape_debug());
    line("from", time(body.not_before));
    line("until", time(body.expires));
}

/// A bundle in JSON: as its body is, with bytes as text.
pub(crate) fn bundle_json(body: &BundleBody) -> Value {
    let mut value = json!(body);
    value["source_digest"] = json!(hex(&body.source_digest));
    value["program"] = json!({ "bytes": body.program.len(), "policies": policies(body) });
    value["redaction"] = redaction::of(body).map_or(Value::Null, |slice| {
        slice.map_or_else(|| json!({ "unreadable": true }), |slice| redaction::json(&slice))
    });
    let keys = &body.keys;
    for (role, keys) in
        [("bundle", &keys.bundle), ("retired", &keys.retired), ("overlay", &keys.overlay), ("grants", &keys.grants)]
    {
        value["keys"][role] = keys.iter().map(|(id, key)| json!({ "id": id, "key": base64url(key) })).collect();
    }
    for (signer, written) in body.signers.iter().zip(array(&mut value["signers"])) {
        written["key"] = json!(base64url(&signer.key));
    }
    for (key, written) in body.api_keys.iter().zip(array(&mut value["api_keys"])) {
        written["digest"] = json!(base64url(&key.digest));
    }
    for (issuer, written) in body.issuers.iter().zip(array(&mut value["issuers"])) {
        let KeySource::Inline(keys) = &issuer.keys else { continue };
        for (key, written) in keys.iter().zip(array(&mut written["keys"]["Inline"])) {
            written["algorithm"] = json!(key.algorithm.name());
            written["spki"] = json!(base64url(&key.spki));
        }
    }
    value
}

fn array(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_array_mut().into_iter().flatten()
}

/// The ids of the policies in its program, if it can be read.
pub(crate) fn policies(body: &BundleBody) -> Option<Vec<String>> {
    let program = Program::read(&body.program).ok()?;
    Some(program.body().policies.iter().map(|p| p.id.clone()).collect())
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn scope(scope: &TenantScope) -> String {
    match scope {
        TenantScope::All => "all tenants".to_owned(),
        TenantScope::Only(list) => {
            format!("tenants {}", list.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A time, in words and in seconds.
pub(crate) fn time(seconds: UnixSeconds) -> String {
    format!("{} ({seconds})", rfc3339(seconds))
}
