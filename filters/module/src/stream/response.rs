//! What comes back: whether it may leave the mesh, and whose it is.

use partywall_authorization::guard::Refused;
use partywall_tenancy::{Coarse, Reason};
use partywall_tenant_context::Role;
use proxy_wasm::types::Action;

use super::{Stream, answer, context, guard, identity_names, log, retention};
use crate::denial::{self, Denial};
use crate::{events, host};

impl Stream {
    /// At the edge: what services and sidecars say to each other about tenants stays in the mesh, and a
    /// denial by an inner hop is told as coarsely as one of our own.
    pub(super) fn leave_the_mesh(&mut self) -> Action {
        let headers = host::response_headers();
        let value = |name: &str| {
            let found = headers.iter().find(|(n, _)| n == name);
            found.map(|(_, v)| String::from_utf8_lossy(v).into_owned())
        };
        if let Some(word) = value(denial::REASON)
            && !self.setup.config.reveal
        {
            // A newer sidecar may give a reason that this build does not know; its status says enough.
            let status = value(":status").and_then(|s| s.parse().ok()).unwrap_or(403);
            // The root that the edge signed is proof that the caller proved a credential.
            let told = Reason::from_code(&word);
            let coarse = match told {
                Some(reason) if self.grpc && guard::is_of_response(reason) => Coarse::Forbidden,
                Some(reason) => reason.coarse(true),
                None => Coarse::of_status(status),
            };
            self.deny(coarse, None, coarse.status(), told.and_then(Reason::retry_after));
            return Action::Pause;
        }
        for name in identity_names(&headers, &[]) {
            host::remove_response_header(&name);
        }
        Action::Continue
    }

    /// Whether the request went to another service than it was decided for. Envoy looks for the route again
    /// after any header was written, and only when this filter is done; it tells the new one with the response.
    /// The service that got the request has an inbound filter of its own; its answer goes no further.
    pub(super) fn went_elsewhere(&self) -> bool {
        let Some(decided) = &self.decided_for else { return false };
        let policy = self.setup.policy.borrow();
        policy.bundle().and_then(context::destination).is_some_and(|actual| actual != *decided)
    }

    /// Whether the response is an answer of ours, by this filter or by a stage after it.
    pub(super) fn is_own_answer(&self) -> bool {
        let decided_later = !self.setup.stages.authorization || self.events.is_some();
        self.was_denied() || (decided_later && host::property(&[log::DECISION]).is_some_and(|d| d == b"deny"))
    }

    /// Whether the service got an event of which no `event_scope` took word: there is none behind this filter, so that
    /// nothing keeps tenants apart. It is too late for the request; its answer goes no further, and somebody is told.
    pub(super) fn is_unscoped(&self) -> bool {
        let answered =
            || host::property(&["response", "code_details"]).is_some_and(|details| details == b"via_upstream");
        self.events.is_some_and(events::waits) && answered()
    }

    pub(super) fn refuse_unscoped(&mut self) -> Action {
        let (reason, why) =
            (Reason::PolicyUnavailable, "the service has events, and no `event_scope` follows this filter");
        self.numbers.extend(log::event_refused(&self.setup, self.trace.as_ref(), reason, why));
        self.guarding = None;
        self.answered = true;
        answer(&self.setup, reason, true, self.trace.as_ref(), self.grpc);
        Action::Pause
    }

    /// Judges the head of what the service answered.
    pub(super) fn guard_head(&mut self, ended: bool) -> Action {
        if let Some(detail) = self.retention.as_ref().and_then(retention::outlived) {
            self.numbers.extend(log::outlived(&self.setup, self.trace.as_ref(), detail));
            self.guarding = None;
            self.answered = true;
            answer(&self.setup, Reason::Retention, true, self.trace.as_ref(), self.grpc);
            return Action::Pause;
        }
        let Some(guarding) = &self.guarding else { return Action::Continue };
        // Envoy's own answers (no upstream, a limit) tell of no tenant.
        if host::property(&["response", "code_details"]).is_some_and(|details| details != b"via_upstream") {
            return Action::Continue;
        }
        match guarding.judge(&self.setup, ended) {
            Ok(answering) => {
                let waits = answering.as_ref().is_some_and(guard::Answering::holds);
                self.answering = answering;
                if waits { Action::Pause } else { Action::Continue }
            }
            Err(refused) => self.refuse(refused),
        }
    }

    /// What came back is denied: by an answer of ours, or, where some of it left, by an end that no client takes for one.
    pub(super) fn refuse(&mut self, refused: Refused) -> Action {
        let reason = guard::reason(refused);
        self.numbers.extend(log::refused(&self.setup, self.trace.as_ref(), reason, refused));
        if let Some(answering) = self.answering.take() {
            answering.count(&self.setup);
        }
        self.guarding = None;
        self.answered = true;
        if self.grpc {
            // As `leave_the_mesh` tells it.
            let exact = Some(reason).filter(|_| self.setup.config.role == Role::Inbound);
            let revealed = Some(reason).filter(|_| self.setup.config.reveal);
            let (coarse, trace) = (Coarse::Forbidden, self.trace.as_ref());
            Denial { coarse, revealed, status: 403, retry_after: None, exact, trace, grpc: true }.send();
        } else {
            answer(&self.setup, reason, true, self.trace.as_ref(), false);
        }
        Action::Pause
    }
}

pub(super) fn take_out_of_response() {
    for name in identity_names(&host::response_headers(), &[]) {
        host::remove_response_header(&name);
    }
}
