//! Requests that wait for their body, since an owner stands in it. Nothing of them goes on before it is decided.
//!
//! ```text
//! head ─► everything but the body is decided ─► denied at once
//!                    │ Pause
//! body, up to `hold` ┴► all of it is there ─► decided anew, with it ─► head and body go on, or neither does
//! ```

use std::cell::OnceCell;

use partywall_authorization::Body;
use partywall_tenancy::{Reason, TenantId, UnixSeconds};
use partywall_tenant_context::{Headers, Passage, Request, Role, Single};
use proxy_wasm::types::Action;

use super::decide::Deciding;
use super::handover::Established;
use super::mode::Route;
use super::{Allowed, Basis, Denied, Stream};
use crate::host;
use crate::plugin::Setup;

/// A request that waits.
pub(super) struct Held {
    pub(super) headers: host::Map,
    pub(super) established: Established,
    /// The most bytes of its body.
    pub(super) hold: usize,
    /// How many came.
    pub(super) size: usize,
}

/// Why the body of a request with this head is not looked into, if it is not.
pub(super) fn objection(headers: Headers<'_>, hold: usize) -> Option<&'static str> {
    let json = match headers.single("content-type") {
        Single::Once(value) => is_json(value),
        Single::Absent | Single::Repeated => false,
    };
    if !json {
        return Some("the owner stands in the body, and its content type is not JSON");
    }
    if headers.is_encoded() {
        return Some("the owner stands in the body, which is encoded");
    }
    let length =
        headers.all("content-length").filter_map(|value| str::from_utf8(value).ok()?.parse::<u64>().ok()).max();
    let hold = u64::try_from(hold).unwrap_or(u64::MAX);
    length.is_some_and(|length| length > hold).then_some(TOO_LARGE)
}

pub(super) const TOO_LARGE: &str = "the body is larger than what is held of it";

/// `application/json`, or a type that says that it is written so; in UTF-8, if it says anything of that.
fn is_json(content_type: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(content_type) else { return false };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-');
    let json = essence
        .strip_prefix("application/")
        .is_some_and(|name| (name == "json" || name.ends_with("+json")) && name.bytes().all(word));
    json && parts.all(|part| part.is_empty() || part.eq_ignore_ascii_case("charset=utf-8"))
}

impl Stream {
    /// Decides about a request whose whole body is there.
    pub(super) fn decide_held(&mut self) -> Action {
        let Some(held) = self.held.take() else { return Action::Continue };
        let request = Request::from_headers(&held.headers);
        let now_ms = host::now_ms();
        let outcome = match host::request_body(held.size) {
            Some(body) if body.len() == held.size => self.ask_with(&held, &request, &body, now_ms / 1000),
            _ => Err(held.denied(Reason::AmbiguousRequest, "the host does not tell the body")),
        };
        self.conclude(outcome, &request, now_ms).map_or(Action::Pause, |allowed| {
            let named = allowed.whose.clone();
            let Held { headers, established, .. } = *held;
            self.let_in(allowed, headers, Basis::Context(established), named);
            Action::Continue
        })
    }

    /// The body will not be looked into: the request is denied.
    pub(super) fn deny_held(&mut self, reason: Reason, why: &'static str) -> Action {
        let Some(held) = self.held.take() else { return Action::Pause };
        let request = Request::from_headers(&held.headers);
        let _ = self.conclude(Err(held.denied(reason, why)), &request, host::now_ms());
        Action::Pause
    }

    /// Under the policy of now: much may have changed since the head came.
    fn ask_with(&self, held: &Held, request: &Request<'_>, body: &[u8], now: UnixSeconds) -> Result<Allowed, Denied> {
        let setup: &Setup = &self.setup;
        let (view, authorization, tried) = {
            let policy = setup.policy.borrow();
            let unavailable = |reason| Denied::new(reason, "no bundle and overlay to decide by");
            let (view, authorization) = policy.view(now).map_err(unavailable)?;
            let tried = policy.tried(&view);
            (view, authorization, tried)
        };
        let calling = setup.config.service.as_deref().filter(|_| setup.config.role == Role::Outbound);
        let passage = Passage { service: &held.established.service, calling };
        held.established.standing.check(&held.established.context, passage, &view)?;
        let by = Deciding {
            setup,
            view: &view,
            authorization: &authorization,
            now,
            route: Route::Here,
            says: OnceCell::new(),
            tried,
        };
        by.authorize(&held.established, request, Body::Whole(body))
    }
}

impl Held {
    fn denied(&self, reason: Reason, why: &'static str) -> Denied {
        let tenant: &TenantId = &self.established.context.tenant;
        Denied { proved: true, tenant: Some(tenant.clone()), ..Denied::new(reason, why) }
    }
}
