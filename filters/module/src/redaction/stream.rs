//! One request with telemetry on its way through the filter.

use std::rc::Rc;

use partywall_log_redaction::Target;
use partywall_log_redaction::arrival::{Arrival, Form, Head, arrival};
use partywall_log_redaction::carriers::{Answer, Body, Cause, Kind, Refusal};
use partywall_log_redaction::encodings::Encoding;
use partywall_log_redaction::redactor::{Facts, Own, Redactor};
use partywall_log_redaction::tenants::{Directory, tenant_of};
use partywall_tenancy::Reason;
use partywall_tenant_context::{Rejection, Request, Sender, Single, TraceParent};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, GrpcStatusCode};

use super::Setup;
use super::letter::Like;
use super::quarantine::Quarantine;
use super::shared::{self, Ready};
use super::told::Outcome;
use crate::denial::Denial;
use crate::host;

/// The largest answer to a bulk request that is held, to add what was left out to it.
const ANSWER: usize = 8 << 20;
/// How much of a body that was refused is taken from its client before it is answered.
const DRAINED: usize = 16 << 20;
/// What an encoding holds beside the bytes that a body tells of: windows and tables, in both ways.
const WINDOW: usize = 512 << 10;
/// The same where a window may have 8 MiB (RFC 8878, section 3.1.1.1.2): twice that is kept of what was unfolded.
const LARGE_WINDOW: usize = (17 << 20) + WINDOW;
/// What a redactor holds: caches of automata, and what it remembers.
const REDACTOR: usize = 2 << 20;
/// Headers that tell of the bytes of a body, which are others afterwards.
const OF_BYTES: [&str; 5] = ["content-length", "content-md5", "digest", "content-digest", "repr-digest"];
/// The fingerprint of the tenant that a filter before this one let in.
const TENANT: &str = "partywall.tenant";

/// The proxy-wasm stream context.
pub(crate) struct Stream {
    setup: Rc<Setup>,
    what: What,
    /// Whether the response has begun, so that it is too late for an answer of ours.
    responding: bool,
}

/// What it is.
enum What {
    /// Nothing that is looked at.
    Passes,
    /// It was denied or refused: nothing of it goes on.
    Over,
    /// It was refused, and its client is still sending, up to so many bytes more: who is answered in the middle of a body
    /// may find the connection broken instead, and send it again.
    Refused(Box<Answer>, usize),
    Telemetry(Box<Telemetry>),
}

/// A body that is gone through.
struct Telemetry {
    ready: Rc<Ready>,
    form: Form,
    kind: Kind,
    encoding: Encoding,
    body: Body,
    redactor: Option<Redactor>,
    quarantine: Option<Quarantine>,
    path: String,
    content_type: String,
    /// What went on so far, in bytes.
    sent: usize,
    /// Whose memory it takes, and how much.
    held: (Rc<str>, usize),
    /// Whether what becomes of it was told.
    told: bool,
    /// Whether items are missing in what is answered.
    patches: bool,
}

/// Why nothing more goes on.
enum Ended {
    Refused(Refusal),
    /// Nothing is left of it.
    Nothing,
    /// There is no room for it.
    Full,
}

impl Stream {
    pub(crate) fn new(setup: Rc<Setup>) -> Self {
        Self { setup, what: What::Passes, responding: false }
    }

    fn begin(&self, request: &Request<'_>) -> Result<What, Rejection> {
        let ready = self.setup.ready()?;
        let sender = self.setup.sender(&ready)?;
        let media = match request.headers.single("content-type") {
            Single::Once(media) => Some(media),
            Single::Absent => None,
            Single::Repeated => return Err(Rejection::new(Reason::AmbiguousRequest, "two content-type headers")),
        };
        let (content, grpc) = ("content-encoding", "grpc-encoding");
        let content: Vec<&[u8]> = request.headers.all(content).collect();
        let grpc: Vec<&[u8]> = request.headers.all(grpc).collect();
        let head = Head {
            method: request.method,
            path: request.path,
            content_type: media,
            content_encoding: &content,
            grpc_encoding: &grpc,
        };
        let (form, kind, encoding, open) = match arrival(&ready.slice.routes, &ready.slice.passing, &head) {
            Arrival::Telemetry { form, kind, encoding, index, rest } => (form, kind, encoding, [index, rest]),
            Arrival::Refused { form, kind, refusal } => {
                self.setup.tell_refused(form, &refusal);
                answer(&kind.refused(&refusal));
                return Ok(What::Over);
            }
            Arrival::Passes => {
                self.setup.tell_passes(&sender);
                return Ok(What::Passes);
            }
            Arrival::Unknown => {
                let why = "this is no telemetry, and not listed under `passing` of `redaction.yaml`";
                return Err(Rejection::new(Reason::ResourceUnmapped, why));
            }
        };
        let (own, print) = whose(&ready, &sender)?;
        self.setup.tell_let_in(&print, &sender);
        let scope: Vec<&[u8]> = request.headers.all("x-scope-orgid").collect();
        let scope = scope.join(&b'|');
        let service = match &sender {
            Sender::Shared { service } => Some(service.as_str()),
            Sender::Tenant { service, .. } => service.as_deref(),
        };
        let facts = Facts {
            scope: (!scope.is_empty()).then_some(&scope),
            index: open[0],
            // Of a collector further out nobody knows which of its services wrote what: the record says.
            service: service.filter(|_| self.setup.is_of_workload()),
            ..Facts::new(form.name(), own)
        };
        let mut redactor = ready.redactor(&facts);
        let path = match redactor.target(request.path, open) {
            Target::Keep => request.path.to_vec(),
            Target::Replace(path) => {
                host::set_request_header(":path", &String::from_utf8_lossy(&path));
                path
            }
            Target::Deny(why) => {
                ready.give_back(redactor);
                return Err(Rejection::new(Reason::ResourceForeign, why));
            }
        };
        let bounds = ready.slice.bounds;
        let quarantines = self.setup.config.quarantine.is_some() && ready.quarantines();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(What::Telemetry(Box::new(Telemetry {
            form,
            kind,
            encoding,
            body: Body::new(kind, encoding, bounds.limits(), bounds.bounds()),
            redactor: Some(redactor),
            quarantine: quarantines.then(|| {
                // What the path says of the body counts here, too; what may not go on was denied above.
                let named = |redactor: &mut Redactor| drop(redactor.target(request.path, open));
                Quarantine::new(&ready, form, (kind, encoding), &facts, named)
            }),
            path: text(&path),
            content_type: text(media.unwrap_or_default()),
            sent: 0,
            held: (print, 0),
            told: false,
            patches: false,
            ready,
        })))
    }

    fn deny(&mut self, rejection: &Rejection) -> Action {
        self.what = What::Over;
        let reason = rejection.reason;
        self.setup.tell_denied(reason, &rejection.detail);
        let grpc = is_grpc();
        let denial = Denial {
            coarse: reason.coarse(false),
            revealed: None,
            status: reason.status(),
            retry_after: reason.retry_after(),
            exact: None,
            trace: None::<&TraceParent>,
            grpc,
        };
        denial.send();
        Action::Pause
    }

    /// Ends a request of which nothing more goes on; `whole` says whether its client has sent all of it.
    fn end(&mut self, ended: Ended, whole: bool) -> Action {
        let What::Telemetry(telemetry) = std::mem::replace(&mut self.what, What::Over) else { return Action::Pause };
        let mut telemetry = *telemetry;
        let outcome = match &ended {
            Ended::Refused(refusal) => {
                self.setup.tell_refused(telemetry.form, refusal);
                Outcome::Refused(refusal.cause)
            }
            Ended::Nothing => Outcome::Nothing,
            Ended::Full => {
                self.setup.tell_full();
                Outcome::Full
            }
        };
        telemetry.over(&self.setup, outcome);
        if self.responding {
            host::reset_stream();
            return Action::Pause;
        }
        match ended {
            Ended::Refused(refusal) => {
                let refused = telemetry.kind.refused(&refusal);
                if whole || refused.grpc.is_some() {
                    answer(&refused);
                } else {
                    self.what = What::Refused(Box::new(refused), DRAINED);
                }
            }
            Ended::Nothing => answer(&telemetry.body.carrier().accepted()),
            Ended::Full => full(matches!(telemetry.kind, Kind::OtlpGrpc(..))),
        }
        Action::Pause
    }
}

impl Setup {
    fn is_of_workload(&self) -> bool {
        matches!(self.config.place, crate::config::Place::Workload(_))
    }
}

/// Whose records a body holds, and the fingerprint, empty where each record says it.
fn whose(ready: &Ready, sender: &Sender) -> Result<(Own, Rc<str>), Rejection> {
    let directory = ready.directory();
    let print = |tenant| directory.fingerprint(tenant).unwrap_or_default();
    // What a filter before this one found out about the request; it writes nothing for who is no tenant.
    let context = host::property(&[TENANT]).filter(|print| !print.is_empty());
    let of_context = match context {
        Some(print) => match directory.by_fingerprint(&print.to_ascii_lowercase()) {
            Some(tenant) => Some(tenant),
            None => return Err(Rejection::new(Reason::TenantUnknown, "the request's tenant is not in the bundle")),
        },
        None => None,
    };
    match (sender, of_context) {
        (Sender::Tenant { tenant, .. }, of_context) => {
            let own = tenant_of(directory, tenant)
                .ok_or_else(|| Rejection::new(Reason::TenantUnknown, "the sender's tenant is not in the bundle"))?;
            if of_context.is_some_and(|other| other != own) {
                let why = "the workload is one tenant's, and the request another's";
                return Err(Rejection::of_tenant(tenant, Reason::TenantConflict, why));
            }
            Ok((Own::Tenant(own), print(own)))
        }
        (Sender::Shared { .. }, Some(own)) => Ok((Own::Tenant(own), print(own))),
        (Sender::Shared { .. }, None) => Ok((Own::Record, Rc::default())),
    }
}

impl Telemetry {
    /// Reads a piece, and gives what goes on of it.
    fn push(&mut self, bytes: &[u8], end: bool) -> Result<Vec<u8>, Ended> {
        let Some(redactor) = &mut self.redactor else { return Ok(Vec::new()) };
        let mut out = Vec::with_capacity(bytes.len());
        let read = self.body.push(bytes, end, redactor, &mut out);
        if let Some(quarantine) = &mut self.quarantine {
            quarantine.push(bytes, end);
        }
        read.map_err(Ended::Refused)?;
        if !self.hold(end) {
            return Err(Ended::Full);
        }
        self.sent += out.len();
        // An empty message of OTLP is one that collectors answer; other servers take an empty body for a mistake.
        let otlp = matches!(self.kind, Kind::OtlpBinary(_) | Kind::OtlpJson(_) | Kind::OtlpGrpc(..));
        let counts = self.body.carrier().counts();
        if end && !otlp && counts.nothing_left() && self.sent == out.len() {
            return Err(Ended::Nothing);
        }
        Ok(out)
    }

    /// Whether its client waits for items that no server tells of.
    fn lacks_items(&self) -> bool {
        self.form == Form::Bulk && self.body.carrier().lacks_items()
    }

    /// Counts what it holds; says whether it may.
    fn hold(&mut self, end: bool) -> bool {
        let window = match (self.encoding, self.kind) {
            (Encoding::Zstd, _) | (_, Kind::OtlpGrpc(_, Encoding::Zstd)) => LARGE_WINDOW,
            (Encoding::Identity, Kind::OtlpGrpc(_, Encoding::Identity)) => 0,
            (Encoding::Identity, kind) if !matches!(kind, Kind::OtlpGrpc(..)) => 0,
            _ => WINDOW,
        };
        let twice = if self.quarantine.is_some() { 2 } else { 1 };
        let held =
            self.body.held() + self.quarantine.as_ref().map_or(0, Quarantine::held) + twice * (window + REDACTOR);
        let held = if end { 0 } else { held };
        let may = shared::hold(&self.held.0, self.held.1, held);
        self.held.1 = held;
        may
    }

    /// What became of it is known.
    fn over(&mut self, setup: &Setup, outcome: Outcome) {
        let _ = shared::hold(&self.held.0, self.held.1, 0);
        self.held.1 = 0;
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let mut found = Vec::new();
        if let Some(mut redactor) = self.redactor.take() {
            found = redactor.take_counts();
            self.ready.give_back(redactor);
        }
        setup.tell(self.form, outcome, self.body.carrier().counts(), &found);
        if let Some(quarantine) = self.quarantine.take()
            && matches!(outcome, Outcome::Forwarded | Outcome::Nothing)
        {
            let like =
                Like { path: &self.path, content_type: &self.content_type, kind: self.kind, encoding: self.encoding };
            quarantine.send(setup, &like);
        }
    }
}

/// Answers in the place of the server.
fn answer(answer: &Answer) {
    if let Some((code, message)) = &answer.grpc {
        let code = if *code == 0 { GrpcStatusCode::Ok } else { GrpcStatusCode::InvalidArgument };
        let _ = hostcalls::send_grpc_response(code, Some(message.as_str()), vec![]);
        return;
    }
    let headers = answer.content_type.map(|media| ("content-type", media)).into_iter().chain(answer.product).collect();
    let _ = hostcalls::send_http_response(answer.status.into(), headers, Some(&answer.body));
}

/// Answers that there is no room now; exporters send it again.
fn full(grpc: bool) {
    let coarse = Reason::PolicyUnavailable.coarse(true);
    Denial { coarse, revealed: None, status: 503, retry_after: Some(1), exact: None, trace: None, grpc }.send();
}

fn is_grpc() -> bool {
    let headers = host::request_headers();
    let mut media = headers.iter().filter(|(name, _)| name == "content-type");
    media.any(|(_, value)| value.starts_with(b"application/grpc"))
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let headers = host::request_headers();
        let request = Request::from_headers(&headers);
        match self.begin(&request) {
            Ok(what) => self.what = what,
            Err(rejection) => return self.deny(&rejection),
        }
        let telemetry = match &mut self.what {
            What::Passes => return Action::Continue,
            What::Over | What::Refused(..) => return Action::Pause,
            What::Telemetry(telemetry) => telemetry,
        };
        if !telemetry.hold(end_of_stream) {
            return self.end(Ended::Full, end_of_stream);
        }
        if end_of_stream {
            return match telemetry.push(b"", true) {
                Ok(out) if out.is_empty() => {
                    telemetry.over(&self.setup, Outcome::Forwarded);
                    Action::Continue
                }
                // Where there is no body there is no place for one.
                Ok(_) => self.end(Ended::Refused(Refusal { cause: Cause::Truncated, what: "it has no body" }), true),
                Err(ended) => self.end(ended, true),
            };
        }
        for name in OF_BYTES {
            if request.headers.single(name) != Single::Absent {
                host::remove_request_header(name);
            }
        }
        if let Some(written) = telemetry.encoding.written().name()
            && telemetry.encoding.written() != telemetry.encoding
        {
            host::set_request_header("content-encoding", written);
        }
        if telemetry.form == Form::Bulk {
            // What is answered is read, where items are missing in it.
            host::remove_request_header("accept-encoding");
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let telemetry = match &mut self.what {
            What::Passes => return Action::Continue,
            What::Over => {
                host::replace_request_body(size, &[]);
                return Action::Pause;
            }
            What::Refused(refused, left) => {
                host::replace_request_body(size, &[]);
                *left = left.saturating_sub(size);
                if end_of_stream || *left == 0 {
                    answer(refused);
                    self.what = What::Over;
                }
                return Action::Pause;
            }
            What::Telemetry(telemetry) => telemetry,
        };
        let Some(bytes) = host::request_body(size) else {
            host::replace_request_body(size, &[]);
            let refusal = Refusal { cause: Cause::Truncated, what: "its bytes are not there" };
            return self.end(Ended::Refused(refusal), end_of_stream);
        };
        match telemetry.push(&bytes, end_of_stream) {
            Ok(out) => {
                if out != bytes {
                    host::replace_request_body(size, &out);
                }
                if end_of_stream {
                    // Of an answer that has begun the head has told its length.
                    telemetry.patches = !self.responding && telemetry.lacks_items();
                    telemetry.over(&self.setup, Outcome::Forwarded);
                }
                Action::Continue
            }
            Err(ended) => {
                // INVARIANT: nothing of this piece goes on, whatever the host makes of an answer in the middle of a body.
                host::replace_request_body(size, &[]);
                self.end(ended, end_of_stream)
            }
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if !matches!(self.what, What::Passes) {
            // No format of telemetry has any, so nobody reads what stands in them.
            host::request_trailers().iter().for_each(|(name, _)| host::remove_request_trailer(name));
        }
        let telemetry = match &mut self.what {
            What::Passes => return Action::Continue,
            What::Over => return Action::Pause,
            What::Refused(refused, _) => {
                answer(refused);
                self.what = What::Over;
                return Action::Pause;
            }
            What::Telemetry(telemetry) => telemetry,
        };
        match telemetry.push(b"", true) {
            Ok(out) if out.is_empty() => {
                telemetry.patches = !self.responding && telemetry.lacks_items();
                telemetry.over(&self.setup, Outcome::Forwarded);
                Action::Continue
            }
            // What is held until the end cannot be written any more.
            Ok(_) => {
                let refusal = Refusal { cause: Cause::Length, what: "trailers follow its body" };
                self.end(Ended::Refused(refusal), true)
            }
            Err(ended) => self.end(ended, true),
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.responding = true;
        let telemetry = match &mut self.what {
            What::Telemetry(telemetry) => telemetry,
            // A server that answers half a body does not know that it was refused.
            What::Refused(..) => {
                self.what = What::Over;
                host::reset_stream();
                return Action::Pause;
            }
            What::Passes | What::Over => return Action::Continue,
        };
        if !telemetry.patches {
            return Action::Continue;
        }
        let headers = host::response_headers();
        let has = |name: &str, value: &[u8]| headers.iter().any(|(n, v)| n == name && v == value);
        let encoded = headers.iter().any(|(name, _)| name == "content-encoding");
        telemetry.patches = has(":status", b"200") && !encoded;
        if telemetry.patches {
            host::remove_response_header("content-length");
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let What::Telemetry(telemetry) = &mut self.what else { return Action::Continue };
        if !telemetry.patches {
            return Action::Continue;
        }
        if size > ANSWER {
            telemetry.patches = false;
            return Action::Continue;
        }
        if !end_of_stream {
            return Action::Pause;
        }
        telemetry.patches = false;
        let patched = host::response_body(size).and_then(|body| telemetry.body.carrier().answered(&body));
        if let Some(patched) = patched {
            host::replace_response_body(size, &patched);
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if let What::Telemetry(telemetry) = &mut self.what {
            telemetry.over(&self.setup, Outcome::Cut);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let What::Telemetry(telemetry) = &mut self.what {
            telemetry.over(&self.setup, Outcome::Cut);
        }
    }
}
