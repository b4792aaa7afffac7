//! A denial as a response: RFC 9457 problem document, or gRPC trailers.

use proxy_wasm::hostcalls;

use partywall_tenancy::{Coarse, Reason};
use partywall_tenant_context::TraceParent;

/// The response header in which inner hops tell the exact reason to the edge, which tells the coarse one.
pub(crate) const REASON: &str = "x-partywall-reason";

/// How a denial is told.
pub(crate) struct Denial<'a> {
    /// What the document says.
    pub(crate) coarse: Coarse,
    /// The reason, where the document is to tell it (`reveal: exact`, for development).
    pub(crate) revealed: Option<Reason>,
    /// The HTTP status.
    pub(crate) status: u16,
    /// Seconds after which the caller may try again, where that helps.
    pub(crate) retry_after: Option<u16>,
    /// The exact reason, told in a header; for callers that are sidecars.
    pub(crate) exact: Option<Reason>,
    pub(crate) trace: Option<&'a TraceParent>,
    /// Whether the request is gRPC.
    pub(crate) grpc: bool,
}

impl Denial<'_> {
    /// Answers the request.
    pub(crate) fn send(&self) {
        let (status, word) = (self.status, self.revealed.map_or(self.coarse.code(), Reason::code));
        if self.grpc {
            let reason = self.exact.map(|exact| (REASON, exact.code().as_bytes()));
            let _ = hostcalls::send_grpc_response(grpc_code(self.coarse), Some(word), reason.into_iter().collect());
            return;
        }
        let trace = self.trace.map(|t| t.to_string()).unwrap_or_default();
        let trace_id = trace.split('-').nth(1).unwrap_or_default();
        // Every part is a word of ours or hex digits, so nothing needs escaping.
        let body = format!(
            r#"{{"type":"urn:partywall:denial:{word}","title":"{title}","status":{status},"reason":"{word}","trace":"{trace_id}"}}"#,
            title = title(self.coarse),
        );
        let mut headers = vec![("content-type", "application/problem+json"), ("cache-control", "no-store")];
        headers.extend(self.exact.map(|exact| (REASON, exact.code())));
        let retry_after = self.retry_after.map(|seconds| seconds.to_string());
        headers.extend(retry_after.as_deref().map(|seconds| ("retry-after", seconds)));
        let _ = hostcalls::send_http_response(status.into(), headers, Some(body.as_bytes()));
    }
}

fn title(coarse: Coarse) -> &'static str {
    match coarse {
        Coarse::Unauthenticated => "No valid credential",
        Coarse::BadRequest => "The request can be read in more than one way",
        Coarse::Misdirected => "The connection was made for another host",
        Coarse::NotFound => "Not found",
        Coarse::Gone => "No longer kept",
        Coarse::Forbidden => "Not permitted",
        Coarse::TooLarge => "The request is too large",
        Coarse::Unavailable => "No decision can be made right now",
    }
}

/// Status codes of gRPC: UNAUTHENTICATED for credentials, PERMISSION_DENIED for decisions, RESOURCE_EXHAUSTED
/// for limits, UNAVAILABLE for policy.
fn grpc_code(coarse: Coarse) -> proxy_wasm::types::GrpcStatusCode {
    use proxy_wasm::types::GrpcStatusCode as Code;
    match coarse {
        Coarse::Unauthenticated => Code::Unauthenticated,
        Coarse::BadRequest | Coarse::Misdirected => Code::InvalidArgument,
        Coarse::NotFound | Coarse::Gone | Coarse::Forbidden => Code::PermissionDenied,
        Coarse::TooLarge => Code::ResourceExhausted,
        Coarse::Unavailable => Code::Unavailable,
    }
}
