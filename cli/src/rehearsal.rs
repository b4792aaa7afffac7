//! A directory as a sidecar has it in force, in memory: what `test` and `explain` say is what Envoy does.
//!
//! ```text
//! Directory, program ─► bundle, signed by a key made for it ─┐
//! Withdrawn ──────────► overlay, likewise ───────────────────┴─► PolicyState ─► View, Authorization
//!
//! what a client shows ─► tenant-context, as at the edge ─► who asks ─► authorization ─► the decision
//! ```

mod topics;

use std::borrow::Cow;
use std::net::IpAddr;

use ed25519_dalek::SigningKey;
use partywall_authorization::{
    Across, Authorization, Body, Call, Decision, Effect, PolicyBody, Query, RouteSays, Verdict, authorize_across,
    authorize_platform, authorize_shared, is_platform,
};
use partywall_tenancy::{
    Attributes, Audience, BundleBody, Crossing, Here, Leave, Mode, NameSet, Network, Origin, PolicyState, ProvedBy,
    Reason, Residency, RoleKeys, Ruling, Scope, SpiffeId, Tenant, TenantContext, TenantId, Trust, UnixSeconds, View,
    reads,
};

use crate::cases::Case;
use crate::compile::{Issue, body};
use crate::credentials::{Credentials, Shown};
use crate::directory::Directory;
use crate::exit::Failure;
use crate::keys::Signer;
use crate::overlay::{Issuer, Withdrawn, now_millis};
use crate::sent::SentBody;

pub(crate) use topics::OfTopic;

/// A bundle and an overlay in force.
pub(crate) struct Rehearsal {
    view: View,
    policy: Authorization,
    credentials: Credentials,
}

/// Who asks for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The tenant that was proved.
    pub(crate) tenant: String,
    /// The principal's name within it.
    pub(crate) subject: String,
    /// The principal's roles.
    pub(crate) roles: Vec<String>,
    /// Whose the resource is taken to be; `None` for the tenant, as a sidecar takes it.
    pub(crate) owner: Option<TenantId>,
    /// The service called.
    pub(crate) service: String,
    /// The method.
    pub(crate) method: String,
    /// The path, with or without a query.
    pub(crate) path: String,
    /// Headers, names in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub(crate) body: SentBody,
    /// What the metadata of its route say of the mode.
    pub(crate) route: Option<Mode>,
    /// What else they say.
    pub(crate) says: RouteSays,
    /// The region of the sidecar that decides; empty where nobody knows.
    pub(crate) region: String,
    /// The cell that it stands in; `None` for one that serves all of them.
    pub(crate) cell: Option<String>,
    /// When it is decided; `None` for now.
    pub(crate) time: Option<UnixSeconds>,
    /// The workload that brings the request; `None` where nobody knows, as at the edge.
    pub(crate) caller: Option<SpiffeId>,
    /// The networks that the client calls from.
    pub(crate) networks: NameSet,
    /// The scopes of the credential.
    pub(crate) scopes: Vec<String>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Why not; `None` where it may pass.
    pub(crate) reason: Option<Reason>,
    /// Why not, were it not in shadow.
    pub(crate) shadow: Option<Reason>,
    /// The policy that access logs print.
    pub(crate) policy: Option<String>,
    /// More about a denial, in plain words.
    pub(crate) detail: Cow<'static, str>,
}

impl Settled {
    /// Whether it may pass.
    pub(crate) fn allowed(&self) -> bool {
        self.reason.is_none()
    }

    /// Whether policies permit it, in whatever mode.
    pub(crate) fn permitted(&self) -> bool {
        self.reason.is_none() && self.shadow.is_none()
    }

    fn permitted_by(policy: String) -> Self {
        Self { reason: None, shadow: None, policy: Some(policy), detail: "".into() }
    }

    fn denied(reason: Reason, policy: Option<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: Some(reason), shadow: None, policy, detail: detail.into() }
    }
}

impl Rehearsal {
    /// Puts a good directory into force, with what the overlay takes away.
    pub(crate) fn new(directory: Directory<'_>, program: &[u8], withdrawn: &Withdrawn) -> Result<Self, Failure> {
        let refused = |refusal| Failure::invalid(format!("a sidecar would refuse this directory: it {refusal}"));
        let (bundle, overlay) = (signer("bundle")?, signer("overlay")?);
        let now = now_millis() / 1000;
        let issue = Issue { revision: 1, issued: now, expires: now + 86_400 };
        let overlay_key = (overlay.id.clone(), overlay.key.verifying_key().to_bytes());
        let credentials = Credentials::new(now)?;
        let mut body = BundleBody {
            approvals: 1,
            keys: RoleKeys { overlay: vec![overlay_key], ..RoleKeys::default() },
            ..body(directory, program, issue)?
        };
        credentials.replace(&mut body);
        let bytes = body.sign(&[(bundle.id.as_str(), &bundle.key)]).ok_or_else(unusable)?;
        let trust = Trust {
            mesh: body.mesh.clone(),
            audience: Audience::Workload,
            bundle_keys: vec![bundle.trusted().ok_or_else(unusable)?],
            floor: 0,
            approvals: 1,
        };
        let mut state = PolicyState::new(trust);
        state.offer_bundle(&bytes, now, |_| Ok(())).map_err(refused)?;
        let (_, bytes) = Issuer::new(overlay).issue((&body.mesh, 1), withdrawn, 0, now * 1000).ok_or_else(unusable)?;
        state.offer_overlay(&bytes, Origin::Fetched, now).map_err(refused)?;
        let view = state.view(now).map_err(|reason| Failure::invalid(format!("a sidecar would say {reason}")))?;
        let policy = Authorization::new(view.bundle()).map_err(refused)?;
        Ok(Self { view, policy, credentials })
    }

    /// Whether it may pass. A subject that the overlay revoked comes with no valid token, so it never gets here.
    pub(crate) fn decide(&self, ask: &Ask) -> Settled {
        let denied = |reason, detail: &'static str| Settled::denied(reason, None, detail);
        let Ok(id) = TenantId::parse(&ask.tenant) else {
            return denied(Reason::TenantInvalid, "this is no tenant id");
        };
        let tenant = match self.view.active_tenant(&id) {
            Ok(tenant) => tenant,
            Err(reason) => return denied(reason, "the proved tenant may not act"),
        };
        if ask.owner.is_some() {
            return self.by_policies_alone(ask);
        }
        let context = context(ask, &tenant);
        let query = query(ask, &context, &tenant);
        match self.sharer(ask, &id) {
            Ok(None) => {}
            Ok(Some(sharer)) => return self.of_sharer(&query, &sharer),
            Err(denied) => return denied,
        }
        let mut owner = None;
        let leave = |crossing: &Crossing<'_>| {
            let (leave, tenant) = self.view.leave(&context, crossing)?;
            owner = Some(tenant.clone());
            Some((leave, tenant))
        };
        let across = authorize_across(&self.policy, &query, leave);
        // Whose data it is about, as a sidecar looks for it.
        let whose = owner.as_ref().filter(|_| matches!(across, Across::Granted { .. })).unwrap_or(&tenant);
        let here = Here { cell: ask.cell.as_deref(), region: Some(&*ask.region).filter(|region| !region.is_empty()) };
        if let Err(reason) = here.serves(whose, self.body()) {
            return denied(reason, "the tenant is not served in this cell or region");
        }
        match across {
            Across::Granted { leave, .. } => Settled::permitted_by(leave.to_string()),
            Across::Decided(Decision::Allow { policy, .. }) | Across::Kept(Decision::Allow { policy, .. }) => {
                Settled::permitted_by(policy.to_owned())
            }
            Across::Kept(Decision::Deny { reason, policy, detail, .. }) => {
                Settled::denied(reason, policy.map(str::to_owned), detail)
            }
            Across::Decided(Decision::Deny { reason, policy, detail, .. }) => {
                let settled = Settled::denied(reason, policy.map(str::to_owned), detail);
                match self.body().modes.rule(reason, &ask.service, &id, || ask.route) {
                    Ruling::LetThrough => Settled { reason: None, shadow: Some(reason), ..settled },
                    Ruling::Denied | Ruling::RouteRefused => settled,
                }
            }
        }
    }

    /// Whether a topic may be read that another tenant shares. What is another tenant's is no matter of modes.
    fn of_sharer(&self, query: &Query<'_>, sharer: &Tenant) -> Settled {
        let here = Here { cell: None, region: Some(query.region).filter(|region| !region.is_empty()) };
        if let Err(reason) = here.serves(query.tenant, self.body()) {
            return Settled::denied(reason, None, "the tenant is not served in this cell or region");
        }
        match authorize_shared(&self.policy, query, sharer) {
            Decision::Allow { policy, .. } => Settled::permitted_by(policy.to_owned()),
            Decision::Deny { reason, policy, detail, .. } => Settled::denied(reason, policy.map(str::to_owned), detail),
        }
    }

    /// Whom the edge takes a client for that shows this, or why it takes it for nobody.
    pub(crate) fn establish(
        &self,
        shown: &Shown,
        service: &str,
        method: &str,
        path: &str,
        region: &str,
    ) -> Result<Ask, Settled> {
        let headers: Vec<_> =
            shown.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        let call = Call { headers: &headers, ..Call::plain(method, path) };
        let anonymous = self.policy.operation(service, &call).is_some_and(|found| found.operation().anonymous);
        let context = self.credentials.establish(&self.view, shown, (method, path), anonymous);
        let context = context.map_err(|rejection| Settled::denied(rejection.reason, None, rejection.detail))?;
        Ok(Ask {
            tenant: context.tenant.to_string(),
            subject: context.principal,
            roles: context.roles,
            owner: None,
            service: service.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            body: SentBody::default(),
            route: None,
            says: RouteSays::default(),
            region: region.to_owned(),
            cell: None,
            time: None,
            caller: context.caller,
            networks: context.networks,
            scopes: context.scopes,
        })
    }

    /// The networks that hold a client's address; none where it is not known.
    pub(crate) fn networks(&self, from: Option<IpAddr>) -> NameSet {
        from.map_or_else(NameSet::default, |from| Network::holding_address(&self.body().networks, from))
    }

    /// Whether policies ask for the networks of a request.
    pub(crate) fn reads_networks(&self) -> bool {
        self.policy.reads_networks()
    }

    /// Whether policies ask who calls.
    pub(crate) fn reads_caller(&self) -> bool {
        self.policy.reads_caller()
    }

    /// Whether policies ask for the scopes of a credential.
    pub(crate) fn reads_scopes(&self) -> bool {
        self.policy.reads_scopes()
    }

    /// Whether the service takes a request for this tenant from this workload, which an inbound filter asks before all
    /// else.
    pub(crate) fn called_by(&self, caller: &SpiffeId, service: &str, tenant: &str) -> Result<(), Settled> {
        let lists = |tenant| self.view.bundle().service(service).is_some_and(|found| found.lists(caller, tenant));
        match TenantId::parse(tenant) {
            Ok(tenant) if !lists(&tenant) => {
                Err(Settled::denied(Reason::CallerDenied, None, "the service does not list who calls for this tenant"))
            }
            _ => Ok(()),
        }
    }

    /// The tenant that a workload is taken for that brings no context, where the service takes it so.
    pub(crate) fn without_context(&self, caller: &SpiffeId, case: &Case<'_>) -> Option<String> {
        let now = case.time.unwrap_or_else(|| now_millis() / 1000);
        let service = self.view.bundle().service(&case.service.value)?;
        let call = Call::plain(&case.method, &case.path);
        let of_platform = is_platform(&self.policy, service, &call);
        service.without_context(caller, now).filter(|_| !of_platform).map(TenantId::to_string)
    }

    /// Whether a workload that calls for no tenant may, as an inbound filter says it.
    pub(crate) fn platform(&self, caller: &SpiffeId, case: &Case<'_>) -> Settled {
        let headers: Vec<_> =
            case.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        let name = &case.service.value;
        let call = Call { headers: &headers, ..Call::plain(&case.method, &case.path) };
        let Some(service) = self.view.bundle().service(name) else {
            return Settled::denied(Reason::ResourceUnmapped, None, "the bundle knows no such service");
        };
        if !is_platform(&self.policy, service, &call) {
            let listed = service.callers.iter().any(|one| one.spiffe_id == *caller);
            let reason = if listed { Reason::TenantMissing } else { Reason::CallerDenied };
            return Settled::denied(reason, None, "it is a tenant's, and no root context comes with it");
        }
        match authorize_platform(&self.policy, service, &call, caller, &case.region) {
            Ok(_) => Settled::permitted_by(format!("platform:{caller}")),
            Err((reason, detail)) => Settled::denied(reason, None, detail),
        }
    }

    /// What each policy that can apply says, whoever settles it; `None` where none is asked.
    pub(crate) fn verdicts(&self, ask: &Ask) -> Option<Vec<(&PolicyBody, Verdict)>> {
        let tenant = self.view.active_tenant(&TenantId::parse(&ask.tenant).ok()?).ok()?;
        let context = context(ask, &tenant);
        let query = query(ask, &context, &tenant);
        match &ask.owner {
            None => {
                let crossed = self.crosses(ask, &context);
                self.policy.verdicts(&query, crossed.as_ref().map(|(_, owner)| owner))
            }
            Some(owner) => self.policy.verdicts(&query, Some(&self.view.tenant(owner)?)),
        }
    }

    /// The share by which it crosses into another tenant, with that tenant; policies may forbid it all the same.
    fn crosses(&self, ask: &Ask, context: &TenantContext) -> Option<(Leave, Tenant)> {
        let found = self.policy.operation(&ask.service, &call(ask))?;
        let owner = found.owner().ok()?.filter(|owner| *owner != context.tenant.as_str())?;
        let operation = found.operation();
        let reads = reads(&operation.method) && reads(&ask.method);
        self.view.leave(context, &Crossing { owner, action: &operation.action, service: &ask.service, reads })
    }

    /// The share by which it crosses into another tenant, as logs name it.
    pub(crate) fn share(&self, ask: &Ask) -> Option<String> {
        let tenant = self.view.active_tenant(&TenantId::parse(&ask.tenant).ok()?).ok()?;
        self.crosses(ask, &context(ask, &tenant)).map(|(leave, _)| leave.to_string())
    }

    /// What the policies say where nothing is built in: of a resource that is another tenant's.
    fn by_policies_alone(&self, ask: &Ask) -> Settled {
        let Some(verdicts) = self.verdicts(ask) else {
            let detail = "no operation covers it, or there is no such tenant";
            return Settled::denied(Reason::ResourceUnmapped, None, detail);
        };
        let satisfied = |effect| {
            let mut all = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Satisfied);
            all.find(|(policy, _)| policy.effect == effect).map(|(policy, _)| policy.id.clone())
        };
        let denied = |policy, detail: &'static str| Settled::denied(Reason::PolicyDenied, policy, detail);
        match (satisfied(Effect::Forbid), satisfied(Effect::Permit)) {
            (Some(by), _) => denied(Some(by), "a policy forbids it"),
            (None, None) => denied(None, "no policy permits it"),
            (None, Some(by)) => Settled::permitted_by(by),
        }
    }

    /// Action, resource type and resource id of a request, as policies see them.
    pub(crate) fn operation(&self, ask: &Ask) -> Option<(String, String, String)> {
        let found = self.policy.operation(&ask.service, &call(ask))?;
        let operation = found.operation();
        Some((operation.action.clone(), operation.resource.clone(), found.id().unwrap_or_default().to_owned()))
    }

    /// What the operation says of its data, and the region where that is bound to one.
    pub(crate) fn attributes(&self, ask: &Ask) -> Vec<(&'static str, String)> {
        let Some(attributes) = self.policy.attributes(&ask.service, &call(ask)) else { return Vec::new() };
        let Attributes {
            scope,
            dataset,
            classification,
            purpose,
            residency,
            needs_consent,
            cleared,
            feature,
            retention,
        } = &*attributes;
        let mut told = Vec::new();
        let mut tell = |name, value: String| {
            if !value.is_empty() {
                told.push((name, value));
            }
        };
        if *scope != Scope::Tenant {
            tell("scope", scope.name().to_owned());
        }
        tell("dataset", dataset.clone());
        let among = |roles: &Vec<String>| format!("; cleared: {}", or_nobody(&roles.join(", ")));
        tell("class", classification.clone() + &cleared.as_ref().map_or_else(String::new, among));
        tell("purpose", purpose.clone() + if *needs_consent { "; needs consent" } else { "" });
        tell("feature", feature.as_ref().map_or_else(String::new, |feature| feature.name.clone()));
        let found = self.policy.operation(&ask.service, &call(ask));
        let since = found.as_ref().and_then(|found| found.operation().response.as_ref()?.since.as_ref());
        tell(
            "retention",
            retention.as_ref().map_or_else(String::new, |kept| {
                let by = since.map(|since| since.pointer.as_str()).or(kept.header.as_deref()).unwrap_or("nothing");
                format!("{} s by {by}", kept.age)
            }),
        );
        let region = if ask.region.is_empty() { "unknown" } else { &ask.region };
        match residency {
            Residency::Anywhere => {}
            Residency::Owners => tell("region", format!("{region}; must be the residency of the tenant")),
            Residency::Only(regions) => tell("region", format!("{region}; must be one of {}", regions.join(", "))),
        }
        told
    }

    /// A tenant as policies see it: its record, without the consents that the overlay withdraws.
    pub(crate) fn tenant(&self, id: &TenantId) -> Option<Tenant> {
        self.view.tenant(id)
    }

    /// The consents of its record that the overlay withdraws.
    pub(crate) fn withdrawn_consents(&self, id: &TenantId) -> Vec<&str> {
        self.view.withdrawn_consents(id)
    }

    /// What is in force.
    pub(crate) fn body(&self) -> &BundleBody {
        self.view.bundle().body()
    }

    /// All policies, in the order of files and lines.
    pub(crate) fn policies(&self) -> &[PolicyBody] {
        &self.policy.program().body().policies
    }
}

fn or_nobody(names: &str) -> &str {
    if names.is_empty() { "nobody" } else { names }
}

fn context(ask: &Ask, tenant: &partywall_tenancy::Tenant) -> TenantContext {
    TenantContext {
        tenant: tenant.id.clone(),
        tier: tenant.tier.to_string(),
        region: tenant.residency.to_string(),
        principal: ask.subject.clone(),
        roles: ask.roles.clone(),
        scopes: ask.scopes.clone(),
        networks: ask.networks.clone(),
        proved_by: ProvedBy::Jwt,
        token_id: String::new(),
        expires: 0,
        caller: ask.caller.clone(),
    }
}

fn query<'q>(ask: &'q Ask, context: &'q TenantContext, tenant: &'q partywall_tenancy::Tenant) -> Query<'q> {
    let time = ask.time.unwrap_or_else(|| now_millis() / 1000);
    Query { context, tenant, service: &ask.service, call: call(ask), region: &ask.region, time }
}

fn call(ask: &Ask) -> Call<'_> {
    // By policies alone, nothing of the request says whose it is.
    let body = if ask.owner.is_some() { Body::Elsewhere } else { ask.body.as_body() };
    Call { method: &ask.method, path: &ask.path, headers: &ask.headers, body, route: Some(&ask.says) }
}

/// A key that is gone when this process is.
fn signer(id: &str) -> Result<Signer, Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Failure::invalid(format!("the system gives no randomness: {e}")))?;
    Ok(Signer { id: id.to_owned(), key: SigningKey::from_bytes(&seed) })
}

fn unusable() -> Failure {
    Failure::invalid("a key made for this run is of no use; this is a defect of `partywall`")
}
