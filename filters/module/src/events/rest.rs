//! One request to a REST API of Kafka, with its response.

use partywall_authorization::Authorization;
use partywall_event_scope::rest::{Base, Decision, Exchange, Head, Options, Peers, Version};
use partywall_event_scope::scope::{Counts, Scope};
use partywall_tenancy::{EventCluster, Reason, RestVersion, TenantContext, View};
use partywall_tenant_context::{Headers, Request, Single};

use super::Refused;
use crate::host;
use crate::kafka::shared;
use crate::plugin::Setup;
use crate::stream::role;
use crate::topics::Asking;

/// How much of a response is kept back, so that what is wrong with it can still be answered.
const HELD: usize = 64 * 1024;

/// The exchange, and what it is asked by.
pub(super) struct Rest {
    exchange: Exchange,
    scope: Scope,
    context: TenantContext,
    /// The cluster's name.
    cluster: String,
    /// How much of the response was judged and is kept back, while it is.
    held: Option<usize>,
    out: Vec<u8>,
}

impl Rest {
    /// Judges the head of a request; what the server gets of it is written.
    pub(super) fn begin(
        setup: &Setup,
        request: &Request<'_>,
        context: TenantContext,
        (version, cluster): (RestVersion, &str),
    ) -> Result<Self, Refused> {
        let unclear = |why: &'static str| Refused::new(Reason::AmbiguousRequest, why);
        let (view, authorization) = in_force(setup)?;
        let compiled = shared::of(&setup.policy, cluster, Counts::default).cluster(view.bundle());
        let scope = compiled.and_then(|compiled| compiled.scope(&context.tenant));
        let scope = scope.ok_or_else(|| {
            Refused::new(Reason::PolicyUnavailable, "the bundle does not say what the tenant sees of the cluster")
        })?;
        let text = |bytes| str::from_utf8(bytes).map_err(|_| unclear("a path or method that is no text"));
        if request.headers.is_encoded() {
            return Err(unclear("a body that is encoded is not looked into"));
        }
        let content_type = match request.headers.single("content-type") {
            Single::Once(value) => Some(text(value)?),
            Single::Absent => None,
            Single::Repeated => return Err(unclear("two content types")),
        };
        let scheme = host::property(&["request", "scheme"]).unwrap_or_default();
        let base = Base::new(text(&scheme)?, text(request.authority)?);
        let base = base.ok_or_else(|| unclear("a scheme or host that no link could lead to"))?;
        let (method, path) = (text(request.method)?, text(request.path)?);
        let head = Head { method, path, base: &base, content_type };
        let version = match version {
            RestVersion::V2 => Version::V2,
            RestVersion::V3 => Version::V3,
        };
        let mut decisions = Vec::new();
        let begun = with_peers((&view, &authorization), &context, cluster, &scope, |peers| {
            Exchange::begin(version, &head, peers, Options::default(), &mut decisions)
        });
        count(setup, &decisions);
        let exchange = begun?.map_err(|refused| Refused::of_request(&refused))?;
        host::set_request_header(":path", exchange.path());
        host::set_request_header("accept-encoding", "identity");
        for name in ["range", "if-range", "if-none-match", "if-modified-since"] {
            host::remove_request_header(name);
        }
        Ok(Self { exchange, scope, context, cluster: cluster.to_owned(), held: None, out: Vec::new() })
    }

    /// Whether the head waits for the body: all but records, which go on as they come.
    pub(super) fn holds_request(&self) -> bool {
        self.exchange.holds_request() || !self.exchange.has_request()
    }

    /// The most bytes of a body that is held.
    pub(super) fn most(&self) -> usize {
        self.exchange.largest_value()
    }

    /// Judges what is new in the host's buffer of `size` bytes, and puts what may go on in its place; gives how much.
    pub(super) fn request(&mut self, setup: &Setup, size: usize, end: bool) -> Result<usize, Refused> {
        // What has no body was decided by its head.
        if size == 0 && !self.exchange.has_request() {
            return Ok(0);
        }
        let chunk = host::request_body(size).filter(|chunk| chunk.len() == size);
        let chunk = chunk.ok_or_else(|| Refused::new(Reason::AmbiguousRequest, "the host does not tell the body"))?;
        self.out.clear();
        let outcome = self.ask(setup, |exchange, peers, out| exchange.request(&chunk, end, peers, out))?;
        outcome.map_err(|refused| Refused::of_request(&refused))?;
        if size > 0 || !self.out.is_empty() {
            host::replace_request_body(size, &self.out);
        }
        Ok(self.out.len())
    }

    /// Trailers ended the body.
    pub(super) fn request_ends(&mut self, setup: &Setup) -> Result<(), Refused> {
        self.out.clear();
        let outcome = self.ask(setup, |exchange, peers, out| exchange.request(b"", true, peers, out))?;
        outcome.map_err(|refused| Refused::of_request(&refused))?;
        if self.out.is_empty() {
            return Ok(());
        }
        Err(Refused::new(Reason::AmbiguousRequest, "the last value has no end, and trailers follow"))
    }

    /// Judges the head of the response. Whether it waits for the body.
    pub(super) fn respond(&mut self, setup: &Setup, ended: bool) -> Result<bool, Refused> {
        let headers = host::response_headers();
        let headers = Headers(&headers);
        let unclear = |why: &'static str| Refused::new(Reason::ResponseUnclear, why);
        let one = |name: &str| match headers.single(name) {
            Single::Once(value) => str::from_utf8(value).map(Some).map_err(|_| unclear("a header that is no text")),
            Single::Absent => Ok(None),
            Single::Repeated => Err(unclear("a header of the response that stands there twice")),
        };
        let status = one(":status")?.and_then(|status| status.parse().ok()).ok_or_else(|| unclear("no status"))?;
        if headers.is_encoded() && !ended {
            return Err(unclear("the response is encoded"));
        }
        let judged = self.exchange.respond(status, one("content-type")?, ended);
        judged.map_err(|refused| Refused::of_response(&refused))?;
        // They say where something is, by the server's names.
        for name in ["location", "content-location", "link", "etag", "last-modified"] {
            host::remove_response_header(name);
        }
        if ended {
            return Ok(false);
        }
        host::remove_response_header("content-length");
        self.held = setup.config.holds_responses.then_some(0);
        Ok(self.held.is_some())
    }

    /// Judges what is new of the response, as [`Rest::request`] does. Whether it goes on, or is kept back.
    pub(super) fn response(&mut self, setup: &Setup, size: usize, end: bool) -> Result<bool, Refused> {
        let unclear = || Refused::new(Reason::ResponseUnclear, "the host does not tell the body of the response");
        let buffer = host::response_body(size).filter(|buffer| buffer.len() == size).ok_or_else(unclear)?;
        // What was judged before, and kept back, leads.
        let (judged, chunk) = buffer.split_at_checked(self.held.unwrap_or_default()).ok_or_else(unclear)?;
        self.out.clear();
        self.out.extend_from_slice(judged);
        let outcome = self.ask(setup, |exchange, peers, out| exchange.response(chunk, end, peers, out));
        let outcome = outcome.and_then(|outcome| outcome.map_err(|refused| Refused::of_response(&refused)));
        if let Err(refused) = outcome {
            // INVARIANT: nothing of this chunk leaves, whatever the host makes of a denial in the middle of a body.
            host::replace_response_body(size, &[]);
            return Err(refused);
        }
        host::replace_response_body(size, &self.out);
        let keeps = self.held.is_some() && !end && self.out.len() <= HELD;
        self.held = keeps.then_some(self.out.len());
        Ok(!keeps)
    }

    /// Trailers ended the response.
    pub(super) fn response_ends(&mut self, setup: &Setup) -> Result<(), Refused> {
        self.out.clear();
        let outcome = self.ask(setup, |exchange, peers, out| exchange.response(b"", true, peers, out))?;
        outcome.map_err(|refused| Refused::of_response(&refused))?;
        if self.out.is_empty() {
            return Ok(());
        }
        Err(Refused::new(Reason::ResponseUnclear, "the last value has no end, and trailers follow"))
    }

    /// Lets the exchange go on under what is in force now.
    fn ask<T>(
        &mut self,
        setup: &Setup,
        go_on: impl FnOnce(&mut Exchange, &Peers<'_>, &mut Vec<u8>) -> T,
    ) -> Result<T, Refused> {
        let (view, authorization) = in_force(setup)?;
        let (exchange, out) = (&mut self.exchange, &mut self.out);
        let by = (&view, &*authorization);
        let went = with_peers(by, &self.context, &self.cluster, &self.scope, |peers| go_on(exchange, peers, out));
        count(setup, &self.exchange.take_decisions());
        went
    }
}

fn in_force(setup: &Setup) -> Result<(View, std::rc::Rc<Authorization>), Refused> {
    let view = setup.policy.borrow().view(host::now());
    view.map_err(|reason| Refused::new(reason, "no bundle and overlay to decide topics by"))
}

fn with_peers<T>(
    (view, authorization): (&View, &Authorization),
    context: &TenantContext,
    cluster: &str,
    scope: &Scope,
    then: impl FnOnce(&Peers<'_>) -> T,
) -> Result<T, Refused> {
    let said = |one: &&EventCluster| one.name == cluster;
    let said = view.bundle().body().events.iter().find(said);
    let said = said.ok_or_else(|| Refused::new(Reason::PolicyUnavailable, "the bundle does not know the cluster"))?;
    let tenant = view.active_tenant(&context.tenant);
    let tenant = tenant.map_err(|reason| Refused::new(reason, "the tenant may not act"))?;
    let asking = Asking { view, authorization, context, tenant: &tenant, said, now: host::now() };
    Ok(then(&Peers { world: scope, decide: &asking }))
}

fn count(setup: &Setup, decisions: &[Decision]) {
    for decision in decisions {
        let allow = if decision.allow { "allow" } else { "deny" };
        setup.metrics.count(
            "events_topics_total",
            &[("action", decision.action.name().trim_start_matches("events:")), ("decision", allow)],
        );
        // What a policy denied and shadow let through.
        if let (true, Some(reason)) = (decision.allow, &decision.reason) {
            let labels = [("reason", &**reason), ("role", role(setup.config.role))];
            setup.metrics.count("authorization_shadow_denials_total", &labels);
        }
    }
}
