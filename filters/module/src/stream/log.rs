//! What the access log and the metrics learn about a request.

use partywall_authorization::guard::Refused;
use partywall_log_redaction::{Decided, Fields, redact_path};
use partywall_tenancy::{Reason, TenantId};
use partywall_tenant_context::{Request, Role, TraceParent};

use super::candidate::CANDIDATE;
use super::{Allowed, Denied, pass, verdict};
use crate::chain::link_so_far;
use crate::config::Explain;
use crate::plugin::Setup;
use crate::{host, metrics};

/// The filter state that says how a request was decided.
pub(super) const DECISION: &str = "partywall.decision";

/// The filter state that says what it was decided on.
const EXPLAIN: &str = "partywall.explain";

/// The filter state that says what would have been decided, were the request not in shadow.
const SHADOW: &str = "partywall.shadow";

/// The filter state that says why it was denied, in words.
const DETAIL: &str = "partywall.detail";

/// The filter state that says whether the line is wanted, where not all are.
const LOG: &str = "partywall.log";

/// What was decided about.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) trace: Option<&'a TraceParent>,
    /// The service that the route leads to, where that is not the plugin's own.
    pub(super) called: Option<&'a str>,
    /// When it was decided.
    pub(super) now_ms: u64,
}

/// What a line was told of a decision.
pub(super) struct Told {
    /// Its number in the chain, where it has one.
    pub(super) number: Option<u64>,
    /// By which its fields are known again, where another VM may have something to say in the end.
    pub(super) fields: Option<[u8; 32]>,
}

/// Writes the fields `wasm.partywall.*` of the access log, and counts. `again` says that this filter wrote them before.
pub(super) fn write(setup: &Setup, about: &Asked<'_>, outcome: &Result<Allowed, Denied>, again: bool) -> Told {
    let shadow = outcome.as_ref().ok().and_then(|allowed| allowed.shadow);
    let (decision, reason, policy, tenant, asked, beside) = match outcome {
        Ok(Allowed { policy, tenant, asked, beside, .. }) => {
            // What would have been stands beside what was.
            let reason = shadow.map_or("", Reason::code);
            ("allow", reason, policy.as_str(), tenant.as_ref(), asked, beside)
        }
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
        Some(bundle) => redact_path(about.request.path, |word| {
            let tenant = TenantId::parse(word).ok()?;
            bundle.tenant(&tenant).map(|t| setup.config.fingerprint.of(&t.id).to_string())
        }),
        None => "/?".to_owned(),
    };

    host::set_property(DECISION, decision.as_bytes());
    host::set_property("partywall.reason", reason.as_bytes());
    // Also where there is none, once some can be: the filter may run once more for a request, as for a retry.
    let shadowed = if shadow.is_some() { "deny" } else { "" };
    if again || shadow.is_some() || beside.is_some() || bundle.is_some_and(|bundle| !bundle.body().modes.is_empty()) {
        host::set_property(SHADOW, shadowed.as_bytes());
    }
    host::set_property("partywall.tenant", fingerprint.as_bytes());
    host::set_property("partywall.policy", policy.as_bytes());
    let revision_text = revision.to_string();
    host::set_property("partywall.revision", revision_text.as_bytes());
    host::set_property("partywall.path", path.as_bytes());
    let before = setup.chain.as_ref().and_then(|_| link_so_far());
    let told = beside.as_ref().map_or("", |beside| beside.told());
    // A line that has a link keeps one.
    let logged = before.is_some() || is_logged(setup, about, outcome, told);
    if setup.config.allows < 1.0 {
        host::set_property(LOG, if logged { b"yes" } else { b"no" });
    }
    let mut explain = String::new();
    // What was let in without being asked about (egress, the context's own stage) is no decision to look into.
    if logged
        && setup.config.explain.wants(outcome.is_ok() && shadow.is_none())
        && (asked.is_some() || outcome.is_err())
    {
        let own = setup.config.service.as_deref().filter(|_| setup.config.role == Role::Inbound);
        let decided = Decided {
            time: about.now_ms / 1000,
            revision,
            overlay: policy_state.sequence(),
            allowed: outcome.is_ok(),
            shadow: shadow.is_some(),
            reason,
            policy,
            service: about.called.or(own).unwrap_or_default(),
            tenant: &fingerprint,
            asked: asked.as_deref().unwrap_or_default(),
        };
        explain = decided.write();
    }
    // Into the access log and not into Envoy's own: a flood of denials must not become a flood of warnings.
    let detail = outcome.as_ref().err().map_or("", |denied| &denied.detail);
    let rewrites = again || before.is_some();
    for (name, text) in [(EXPLAIN, &*explain), (DETAIL, detail)] {
        // What an earlier decision about this request left there must not stay.
        if rewrites || !text.is_empty() {
            host::set_property(name, text.as_bytes());
        }
    }
    match beside {
        Some(beside) => beside.write(setup),
        None if rewrites => host::set_property(CANDIDATE, b""),
        None => {}
    }
    let fields = Fields {
        tenant: &fingerprint,
        decision,
        shadow: shadowed,
        reason,
        policy,
        revision: &revision_text,
        path: &path,
        detail,
        explain: &explain,
        candidate: told,
    };
    let chain = setup.chain.as_ref();
    let number =
        chain.filter(|_| logged).map(|chain| chain.link(about.now_ms, about.trace, before.as_deref(), &fields));
    let known = setup.config.passes.as_ref().filter(|_| outcome.is_ok()).map(|_| fields.digest());

    let filter = if setup.stages.authorization { "authorization" } else { "tenant_context" };
    let label = metrics::tenant_label(bundle, tenant, &fingerprint);
    let labels = [
        ("decision", decision),
        ("reason", if reason.is_empty() || shadow.is_some() { "none" } else { reason }),
        ("tenant", label),
        ("role", role(setup.config.role)),
    ];
    setup.metrics.count(&format!("{filter}_decisions_total"), &labels);
    Told { number, fields: known }
}

/// Whether the decision is written down: a denial, also one in shadow, the use of a grant, what a platform principal does
/// and what a candidate says otherwise always are.
fn is_logged(setup: &Setup, about: &Asked<'_>, outcome: &Result<Allowed, Denied>, told: &str) -> bool {
    let Ok(allowed) = outcome else { return true };
    let share = setup.config.allows;
    let always = share >= 1.0 || allowed.granted || allowed.of_platform || allowed.shadow.is_some() || !told.is_empty();
    // By the trace, so that all hops of a request are written down or none is.
    always || about.trace.is_some_and(|trace| setup.config.fingerprint.in_share(trace.trace_id(), share))
}

/// Gives what the line says now a new link, after parts of it were written anew.
fn link_again(setup: &Setup, trace: Option<&TraceParent>) -> Option<u64> {
    let chain = setup.chain.as_ref()?;
    let before = link_so_far();
    Some(with_fields_so_far(|fields| chain.link(host::now_ms(), trace, before.as_deref(), fields)))
}

/// What the line says now.
fn with_fields_so_far<T>(then: impl FnOnce(&Fields<'_>) -> T) -> T {
    let values = Fields::NAMES.map(|name| {
        let value = host::property(&[&format!("partywall.{name}")]).unwrap_or_default();
        (name, String::from_utf8_lossy(&value).into_owned())
    });
    then(&Fields::of(|name| values.iter().find(|(of, _)| *of == name).map_or("", |(_, value)| value)))
}

/// The request was allowed for one service and went to another: its answer is kept back, and this is why.
pub(super) fn rerouted(setup: &Setup, trace: Option<&TraceParent>, decided_for: &str) -> Option<u64> {
    if setup.config.explain != Explain::Off {
        let policy = setup.policy.borrow();
        let decided = Decided {
            time: host::now(),
            revision: policy.revision(),
            overlay: policy.sequence(),
            allowed: false,
            shadow: false,
            reason: Reason::AmbiguousRequest.code(),
            policy: "",
            service: decided_for,
            tenant: "",
            asked: "",
        };
        host::set_property(EXPLAIN, decided.write().as_bytes());
    }
    setup.metrics.count("authorization_rerouted_total", &[("role", role(setup.config.role))]);
    let why = "a route follows a header that this filter writes: it led to another service than was decided for";
    overrule(setup, trace, Reason::AmbiguousRequest, why)
}

/// What the service answered is too old to be shown, or may be.
pub(super) fn outlived(setup: &Setup, trace: Option<&TraceParent>, detail: &str) -> Option<u64> {
    setup.metrics.count("authorization_outlived_total", &[("role", role(setup.config.role))]);
    overrule(setup, trace, Reason::Retention, detail)
}

/// What the service answered is kept back, and this is why. What was decided about the request stays as it was told.
pub(super) fn refused(setup: &Setup, trace: Option<&TraceParent>, reason: Reason, refused: Refused) -> Option<u64> {
    setup.metrics.count("guard_denials_total", &[("reason", refused.code()), ("role", role(setup.config.role))]);
    overrule(setup, trace, reason, &refused.to_string())
}

/// A request that was let in is no event of its tenant's, or what was answered is not, and this is why.
pub(crate) fn event_refused(setup: &Setup, trace: Option<&TraceParent>, reason: Reason, detail: &str) -> Option<u64> {
    setup.metrics.count("events_denials_total", &[("reason", reason.code()), ("role", role(setup.config.role))]);
    deny_after_all(setup, reason, detail);
    link_again(setup, trace)
}

/// A request that was let in cannot be answered, since nobody could judge its response, and this is why.
pub(super) fn unjudged(setup: &Setup, reason: Reason, detail: &str) {
    setup.metrics.count("guard_denials_total", &[("reason", "unjudged"), ("role", role(setup.config.role))]);
    if pass::is_left() {
        verdict::leave(reason, detail);
    } else {
        // Nobody before looks for a verdict. So it is told here, and where the line has a link it reads as altered.
        deny_after_all(setup, reason, detail);
    }
}

/// A guard in another VM said why a request that was let in here is not answered, or not to its end. `known` are the fields
/// as they were written here.
///
/// INVARIANT: what another VM wrote into the line gets no link: it would vouch for it. Then the line reads as altered.
pub(super) fn judged_apart(setup: &Setup, trace: Option<&TraceParent>, known: &[u8; 32]) -> Option<u64> {
    let (reason, detail) = verdict::take()?;
    let is_own = with_fields_so_far(|fields| fields.digest() == *known);
    deny_after_all(setup, reason, &detail);
    if is_own { link_again(setup, trace) } else { None }
}

/// The body of a request that was let in grew too large.
pub(super) fn too_large(setup: &Setup, trace: Option<&TraceParent>, reason: Reason) -> Option<u64> {
    setup.metrics.count("authorization_requests_cut_total", &[("role", role(setup.config.role))]);
    overrule(setup, trace, reason, "its body grew larger than `request_bytes` of its tenant")
}

/// What was let in is denied after all.
///
/// INVARIANT: the line's link vouches for what it says now, or it would read as altered.
fn overrule(setup: &Setup, trace: Option<&TraceParent>, reason: Reason, detail: &str) -> Option<u64> {
    if setup.stages.guards_alone() {
        verdict::leave(reason, detail);
        return None;
    }
    deny_after_all(setup, reason, detail);
    link_again(setup, trace)
}

fn deny_after_all(setup: &Setup, reason: Reason, detail: &str) {
    if setup.config.allows < 1.0 {
        host::set_property(LOG, b"yes");
    }
    host::set_property(DECISION, b"deny");
    host::set_property("partywall.reason", reason.code().as_bytes());
    host::set_property(SHADOW, b"");
    host::set_property(DETAIL, detail.as_bytes());
}

pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Edge => "edge",
        Role::Inbound => "inbound",
        Role::Outbound => "outbound",
        Role::Egress => "egress",
    }
}
