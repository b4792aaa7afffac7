//! The response on its way back: hands head and body to the guard, and does with them what it says.

use std::sync::Arc;

use partywall_authorization::guard::{Counts, Course, Guard, Guarded, Head, Place, Refused, weakened};
use partywall_tenancy::{Reason, TenantId, View};
use partywall_tenant_context::{Where, named_in};

use crate::host;
use crate::plugin::Setup;

/// How the response to a request is to be judged.
pub(super) struct Guarding {
    pub(super) guarded: Arc<Guarded>,
    /// Whose everything in it must be.
    pub(super) tenant: TenantId,
    pub(super) service: String,
    /// What was asked for.
    pub(super) path: String,
    /// Whether the request was a HEAD.
    pub(super) of_head: bool,
}

/// The body of a response that is judged.
pub(super) struct Answering {
    body: Body,
    /// How much may leave and is kept back, where the whole response is. It stays in the host's buffer: when trailers
    /// come, nothing can be put there any more.
    held: Option<usize>,
    /// How much of it may be.
    hold: usize,
    out: Vec<u8>,
    /// The trailers that are left out.
    error_texts: &'static [&'static str],
}

enum Body {
    Strip,
    Walk(Box<Guard>),
}

impl Guarding {
    /// Asks for a response that can be judged: a whole one, in plain bytes.
    pub(super) fn prepare_request(&self) {
        if self.guarded.is_grpc() {
            host::set_request_header("grpc-accept-encoding", "identity");
        }
        for name in ["range", "if-range"] {
            host::remove_request_header(name);
        }
        if self.guarded.tells_age() {
            // That nothing changed says nothing of its age.
            for name in ["if-none-match", "if-modified-since"] {
                host::remove_request_header(name);
            }
        }
        host::set_request_header("accept-encoding", "identity");
    }

    /// Judges the head. `None` where the body passes.
    pub(super) fn judge(&self, setup: &Setup, ended: bool) -> Result<Option<Answering>, Refused> {
        let headers = host::response_headers();
        let status = headers.iter().find(|(name, _)| name == ":status");
        let status = status.and_then(|(_, value)| str::from_utf8(value).ok()?.parse().ok());
        let head = Head { of_head: self.of_head, path: &self.path, status, headers: &headers };
        let policy = setup.policy.borrow();
        let elsewhere = |place: &Place| match policy.view(host::now()) {
            Ok((view, authorization)) => {
                let asked = place.asked();
                asked.is_some_and(|asked| authorization.leads_elsewhere(&self.service, &asked, &self.tenant))
                    || self.is_named_elsewhere(&view, place)
            }
            // Where nobody knows any more whose places they are, none passes.
            Err(_) => true,
        };
        let body = match self.guarded.judge(&head, &self.tenant, elsewhere)? {
            Course::Pass => return Ok(None),
            _ if ended => {
                // Of gRPC, a head alone holds what trailers do.
                for name in self.guarded.error_texts() {
                    host::remove_response_header(name);
                }
                return Ok(None);
            }
            Course::Strip => {
                for name in ["content-length", "content-type", "content-encoding", "etag"] {
                    host::remove_response_header(name);
                }
                Body::Strip
            }
            Course::Walk { rules, coding } => {
                let outdated = self.guarded.outdated(coding);
                for name in outdated {
                    host::remove_response_header(name);
                }
                if coding.is_some() && !outdated.contains(&"etag") {
                    let etag = headers.iter().find(|(name, _)| name == "etag");
                    host::remove_response_header("etag");
                    if let Some(weak) = etag.and_then(|(_, value)| weakened(value)) {
                        host::set_response_header("etag", &weak);
                    }
                }
                Body::Walk(Box::new(Guard::new(&rules, self.tenant.clone(), host::now()).unfolding(coding)))
            }
        };
        let hold = self.guarded.response().hold as usize;
        let holds = setup.config.holds_responses && hold > 0 && matches!(body, Body::Walk(_));
        let error_texts = self.guarded.error_texts();
        Ok(Some(Answering { body, held: holds.then_some(0), hold, out: Vec::new(), error_texts }))
    }
}

impl Guarding {
    /// Whether a source of the mesh reads another tenant in a place. A host need not be a tenant's
    /// (`login.shop.example`), so that one counts which the bundle knows.
    fn is_named_elsewhere(&self, view: &View, place: &Place) -> bool {
        let body = view.bundle().body();
        let sources = body.sources.edge.iter().chain(&body.sources.inbound);
        named_in(sources, place.host.as_deref(), place.path.as_deref()).into_iter().any(|(name, at)| {
            let is_known = || TenantId::parse(&name).is_ok_and(|tenant| view.bundle().tenant(&tenant).is_some());
            name != self.tenant.as_str() && (at == Where::Path || is_known())
        })
    }
}

impl Answering {
    /// Whether the head waits for the body.
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Judges what is new in the host's buffer of `size` bytes, and puts what may leave in its place. Says whether the
    /// response goes on, or is kept back.
    pub(super) fn body(&mut self, size: usize, ended: bool) -> Result<bool, Refused> {
        let Body::Walk(guard) = &mut self.body else {
            host::replace_response_body(size, &[]);
            return Ok(true);
        };
        let Some(buffer) = host::response_body(size) else {
            return Err(Refused::Invalid("the host does not tell its body"));
        };
        // What was judged before, and kept back, leads.
        let (judged, chunk) = buffer
            .split_at_checked(self.held.unwrap_or_default())
            .ok_or(Refused::Invalid("the host does not tell what it keeps"))?;
        self.out.clear();
        self.out.extend_from_slice(judged);
        let mut outcome = guard.read(chunk, &mut self.out);
        if ended {
            outcome = outcome.and_then(|()| guard.finish(&mut self.out));
        }
        if let Err(refused) = outcome {
            // INVARIANT: nothing of this chunk leaves, whatever the host makes of a denial in the middle of a body.
            host::replace_response_body(size, &[]);
            return Err(refused);
        }
        if self.out != buffer {
            host::replace_response_body(size, &self.out);
        }
        let keeps = self.held.is_some() && !ended && self.out.len() <= self.hold;
        self.held = keeps.then_some(self.out.len());
        Ok(!keeps)
    }

    /// Trailers ended the body.
    pub(super) fn trailers(&mut self) -> Result<(), Refused> {
        for name in self.error_texts {
            host::remove_response_trailer(name);
        }
        let Body::Walk(guard) = &mut self.body else { return Ok(()) };
        self.out.clear();
        guard.finish(&mut self.out)?;
        if self.out.is_empty() {
            return Ok(());
        }
        Err(Refused::Invalid("its last line has no end, and trailers follow"))
    }

    /// Counts what became of the elements.
    pub(super) fn count(&self, setup: &Setup) {
        let Body::Walk(guard) = &self.body else { return };
        let Counts { own, dropped, masked, reported, outlived } = guard.counts();
        let counts =
            [("own", own), ("dropped", dropped), ("masked", masked), ("reported", reported), ("outlived", outlived)];
        for (outcome, number) in counts {
            setup.metrics.add("guard_elements_total", &[("outcome", outcome)], number);
        }
    }
}

/// The reason of a denial, for logs and callers.
pub(super) fn reason(refused: Refused) -> Reason {
    match refused {
        Refused::Foreign => Reason::ResponseForeign,
        Refused::Outlived | Refused::NoTime => Reason::Retention,
        _ => Reason::ResponseUnclear,
    }
}

/// Whether this is why a response, not a request, was denied. Clients of gRPC try again what is unavailable; this would
/// be denied again, so that they are told something else.
pub(super) fn is_of_response(reason: Reason) -> bool {
    matches!(reason, Reason::ResponseForeign | Reason::ResponseUnclear)
}
