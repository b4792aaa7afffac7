//! What the access log and the metrics learn about a request.

use partywall_authorization::guard::Refused;
use partywall_log_redaction::{Decided, redact_path};
use partywall_tenancy::{Bundle, Reason, TenantId, UnixSeconds};
use partywall_tenant_context::{Request, Role};

use super::{Allowed, Denied};
use crate::config::Explain;
use crate::host;
use crate::plugin::Setup;

/// The filter state that says how a request was decided.
pub(super) const DECISION: &str = "partywall.decision";

/// The filter state that says what it was decided on.
const EXPLAIN: &str = "partywall.explain";

/// How many tenants have a metric label of their own; the rest share `other`.
const ADMITTED: usize = 100;

/// Writes the fields `wasm.partywall.*` of the access log, and counts.
/// `called` is the service that the route leads to, where that is not the plugin's own.
pub(super) fn write(
    setup: &Setup,
    request: &Request<'_>,
    outcome: &Result<Allowed, Denied>,
    called: Option<&str>,
    now: UnixSeconds,
) {
    let (decision, reason, policy, tenant, asked, beside) = match outcome {
        Ok(allowed) => ("allow", "", allowed.policy.as_str(), allowed.tenant.as_ref(), &allowed.asked, &allowed.beside),
        Err(denied) => {
            let (reason, policy) = (denied.reason.code(), denied.policy.as_str());
            ("deny", reason, policy, denied.tenant.as_ref(), &denied.asked, &denied.beside)
        }
    };
    let fingerprint = tenant.map(|t| setup.config.fingerprint.of(t)).unwrap_or_default();
    let policy_state = setup.policy.borrow();
    let bundle = policy_state.bundle();
    let revision = beside.as_ref().map_or(policy_state.revision(), |beside| beside.revision);
    // Without a bundle nobody can say which segment is a tenant's name.
    let path = match bundle {
        Some(bundle) => redact_path(request.path, |word| {
            let tenant = TenantId::parse(word).ok()?;
            bundle.tenant(&tenant).map(|t| setup.config.fingerprint.of(&t.id).to_string())
        }),
        None => "/?".to_owned(),
    };

    host::set_property(DECISION, decision.as_bytes());
    host::set_property("partywall.reason", reason.as_bytes());
    host::set_property("partywall.tenant", fingerprint.as_bytes());
    host::set_property("partywall.policy", policy.as_bytes());
    host::set_property("partywall.revision", revision.to_string().as_bytes());
    host::set_property("partywall.path", path.as_bytes());
    // What was let in without being asked about (egress, the context's own stage) is no decision to look into.
    if setup.config.explain.wants(outcome.is_ok()) && (asked.is_some() || outcome.is_err()) {
        let own = setup.config.service.as_deref().filter(|_| setup.config.role == Role::Inbound);
        let decided = Decided {
            time: now,
            revision,
            overlay: policy_state.sequence(),
            allowed: outcome.is_ok(),
            reason,
            policy,
            service: called.or(own).unwrap_or_default(),
            tenant: &fingerprint,
            asked: asked.as_deref().unwrap_or_default(),
        };
        host::set_property(EXPLAIN, decided.write().as_bytes());
    }

    if let Some(beside) = beside {
        beside.write(setup);
    }

    let filter = if setup.stages.authorization { "authorization" } else { "tenant_context" };
    let label = tenant_label(bundle, tenant, &fingerprint);
    let labels = [
        ("decision", decision),
        ("reason", if reason.is_empty() { "none" } else { reason }),
        ("tenant", label),
        ("role", role(setup.config.role)),
    ];
    setup.metrics.count(&format!("{filter}_decisions_total"), &labels);
    // Into the access log and not into Envoy's own: a flood of denials must not become a flood of warnings.
    if let Err(denied) = outcome {
        host::set_property("partywall.detail", denied.detail.as_bytes());
    }
}

/// The request was allowed for one service and went to another: its answer is kept back, and this is why.
pub(super) fn rerouted(setup: &Setup, decided_for: &str) {
    host::set_property(DECISION, b"deny");
    host::set_property("partywall.reason", Reason::AmbiguousRequest.code().as_bytes());
    host::set_property(
        "partywall.detail",
        b"a route follows a header that this filter writes: it led to another service than was decided for",
    );
    if setup.config.explain != Explain::Off {
        let policy = setup.policy.borrow();
        let decided = Decided {
            time: host::now(),
            revision: policy.revision(),
            overlay: policy.sequence(),
            allowed: false,
            reason: Reason::AmbiguousRequest.code(),
            policy: "",
            service: decided_for,
            tenant: "",
            asked: "",
        };
        host::set_property(EXPLAIN, decided.write().as_bytes());
    }
    setup.metrics.count("authorization_rerouted_total", &[("role", role(setup.config.role))]);
}

/// What the service answered is too old to be shown, or may be.
pub(super) fn outlived(setup: &Setup, detail: &str) {
    host::set_property(DECISION, b"deny");
    host::set_property("partywall.reason", Reason::Retention.code().as_bytes());
    host::set_property("partywall.detail", detail.as_bytes());
    setup.metrics.count("authorization_outlived_total", &[("role", role(setup.config.role))]);
}

/// What the service answered is kept back, and this is why. What was decided about the request stays as it was told.
pub(super) fn refused(setup: &Setup, reason: Reason, refused: Refused) {
    host::set_property(DECISION, b"deny");
    host::set_property("partywall.reason", reason.code().as_bytes());
    host::set_property("partywall.detail", refused.to_string().as_bytes());
    setup.metrics.count("guard_denials_total", &[("reason", refused.code()), ("role", role(setup.config.role))]);
}

/// A label from a bounded set: the first tenants of the bundle have their own.
fn tenant_label<'a>(bundle: Option<&Bundle>, tenant: Option<&TenantId>, fingerprint: &'a str) -> &'a str {
    let (Some(bundle), Some(tenant)) = (bundle, tenant) else { return "none" };
    let admitted = bundle.body().tenants.position(tenant.as_str()).is_some_and(|at| at < ADMITTED);
    if admitted { fingerprint } else { "other" }
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Edge => "edge",
        Role::Inbound => "inbound",
        Role::Outbound => "outbound",
        Role::Egress => "egress",
    }
}
