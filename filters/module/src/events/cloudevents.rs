//! One request that is an event, or several.

use partywall_event_scope::cloudevents::{
    Bound, Change, Judge, Mode, Rules, Sign, Source, Verify, Way, binary, body, mode,
};
use partywall_tenancy::{CloudEvents, Reason, TenantId, UnixSeconds, View};
use partywall_tenant_context::{EventNames, Request, Role, Single, verify_event};

use super::Refused;
use crate::host;
use crate::plugin::Setup;

/// The most bytes of an event, or a batch, that is held.
pub(super) const MOST: usize = 1024 * 1024;

/// An event whose body is on its way.
pub(super) struct Event {
    mode: Mode,
    tenant: TenantId,
    said: CloudEvents,
}

impl Event {
    /// Judges the head of a request. An event in headers is done by that; of another the body is to come.
    pub(super) fn begin(
        setup: &Setup,
        request: &Request<'_>,
        tenant: &TenantId,
        said: &CloudEvents,
    ) -> Result<Option<Self>, Refused> {
        let unclear = |why: &'static str| Refused::new(Reason::AmbiguousRequest, why);
        let content_type = match request.headers.single("content-type") {
            Single::Once(value) => Some(str::from_utf8(value).map_err(|_| unclear("a content type that is no text"))?),
            Single::Absent => None,
            Single::Repeated => return Err(unclear("two content types")),
        };
        let headers = request.headers.0;
        let found = match mode(content_type, headers.iter().map(|(name, _)| name)) {
            Ok(found) => found,
            // What is only asked for is no event.
            Err(partywall_event_scope::cloudevents::Refused::NoEvent)
                if matches!(request.method, b"GET" | b"HEAD" | b"OPTIONS") =>
            {
                return Ok(None);
            }
            Err(refused) => return Err(Refused::of_event(&refused)),
        };
        if found == Mode::Binary {
            let headers = || headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            let judged = with_judge(setup, tenant, said, |judge| binary(headers(), judge))?;
            for change in judged.map_err(|refused| Refused::of_event(&refused))? {
                match change {
                    Change::Remove(name) => host::remove_request_header(name),
                    Change::Set(name, value) => {
                        host::remove_request_header(name);
                        host::set_request_header(name, &value);
                    }
                }
            }
            return Ok(None);
        }
        if request.headers.is_encoded() {
            return Err(unclear("a body that is encoded is not looked into"));
        }
        Ok(Some(Self { mode: found, tenant: tenant.clone(), said: said.clone() }))
    }

    /// Judges a body of which all is there, and puts what goes on in its place; gives how much that is.
    pub(super) fn request(&self, setup: &Setup, size: usize) -> Result<usize, Refused> {
        let whole = host::request_body(size).filter(|whole| whole.len() == size);
        let whole = whole.ok_or_else(|| Refused::new(Reason::AmbiguousRequest, "the host does not tell the body"))?;
        let mut out = Vec::new();
        let judged = with_judge(setup, &self.tenant, &self.said, |judge| body(self.mode, &whole, judge, &mut out))?;
        judged.map_err(|refused| Refused::of_event(&refused))?;
        host::replace_request_body(size, &out);
        Ok(out.len())
    }
}

fn with_judge<T>(
    setup: &Setup,
    tenant: &TenantId,
    said: &CloudEvents,
    then: impl FnOnce(&Judge<'_>) -> T,
) -> Result<T, Refused> {
    let now = host::now();
    let (view, _) = setup
        .policy
        .borrow()
        .view(now)
        .map_err(|reason| Refused::new(reason, "no bundle and overlay to judge events by"))?;
    let rules = rules(said)?;
    let contexts = Contexts { setup, tenant, view, now, seconds: said.context.unwrap_or_default() };
    let way = match setup.config.role {
        Role::Outbound => Way::Sent(said.context.is_some().then_some(&contexts as &dyn Sign)),
        Role::Edge | Role::Inbound | Role::Egress => Way::Came(&contexts),
    };
    Ok(then(&Judge { tenant, rules: &rules, way }))
}

/// INVARIANT: a template that cannot be read denies; it is none that lets everything pass.
fn rules(said: &CloudEvents) -> Result<Rules, Refused> {
    let template = |text: &Option<String>| {
        let read = text.as_deref().map(Source::parse).transpose();
        read.map_err(|why| Refused::new(Reason::PolicyUnavailable, format!("a template of the bundle {why}")))
    };
    Ok(Rules { source: template(&said.source)?, subject: template(&said.subject)?, types: said.types.clone() })
}

/// Signs and verifies contexts of events for a tenant.
struct Contexts<'a> {
    setup: &'a Setup,
    tenant: &'a TenantId,
    view: View,
    now: UnixSeconds,
    seconds: u32,
}

fn names<'e>(event: &Bound<'e>) -> EventNames<'e> {
    EventNames { kind: event.kind, source: event.source, id: event.id }
}

impl Sign for Contexts<'_> {
    fn sign(&self, event: &Bound<'_>) -> Option<String> {
        let signer = self.setup.config.signer.as_ref()?;
        signer.mint_event(self.tenant, &names(event), &self.view, self.now, self.seconds).ok()
    }
}

impl Verify for Contexts<'_> {
    fn verify(&self, token: &str, event: &Bound<'_>) -> bool {
        let verified = verify_event(token.as_bytes(), &names(event), &self.view, self.now);
        verified.is_ok_and(|context| context.tenant == *self.tenant)
    }
}
