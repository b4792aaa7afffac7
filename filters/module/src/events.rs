//! Root id `event_scope`: requests that are events, each kept in its tenant's world. Behind `sidecar` or `authorization`,
//! which leave word of whom they let in.
//!
//! ```text
//! authorization ─► handover ─► Stream ─► rest::Exchange        REST APIs of Kafka: path, bodies, response
//!                                 │
//!                                 └────► cloudevents           events in headers, as JSON, in batches
//! ```
//!
//! What `events` of the called service says holds; a service that says nothing of events is passed by.

mod cloudevents;
mod handover;
mod rest;
mod stream;

use partywall_event_scope::{cloudevents as event, rest as api};
use partywall_tenancy::Reason;

pub(crate) use handover::{Handed, Ticket, forget, leave, waits};
pub(crate) use stream::Stream;

/// Why a request, or what came back, is denied.
struct Refused {
    reason: Reason,
    detail: String,
}

impl Refused {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Of a request to a REST API.
    fn of_request(refused: &api::Refused) -> Self {
        let reason = match refused {
            api::Refused::Unmapped => Reason::ResourceUnmapped,
            api::Refused::Body(partywall_event_scope::Fault::TooLarge) => Reason::RequestTooLarge,
            api::Refused::Unclear(_) | api::Refused::Body(_) | api::Refused::Pattern | api::Refused::TooMany => {
                Reason::AmbiguousRequest
            }
            api::Refused::Name(_) | api::Refused::Partition => Reason::ResourceForeign,
            api::Refused::Denied(_) | api::Refused::Bounds => Reason::PolicyDenied,
            api::Refused::Foreign | api::Refused::Answer(_) => Reason::ResponseUnclear,
        };
        Self::new(reason, refused.to_string())
    }

    /// Of what it answered.
    fn of_response(refused: &api::Refused) -> Self {
        let foreign = matches!(refused, api::Refused::Foreign);
        Self::new(if foreign { Reason::ResponseForeign } else { Reason::ResponseUnclear }, refused.to_string())
    }

    /// Of an event.
    fn of_event(refused: &event::Refused) -> Self {
        let reason = match refused {
            event::Refused::NoEvent | event::Refused::Unclear(_) | event::Refused::Body(_) => Reason::AmbiguousRequest,
            event::Refused::Foreign(_) => Reason::ResourceForeign,
            event::Refused::Forged => Reason::ContextForged,
            event::Refused::Type => Reason::ResourceUnmapped,
            event::Refused::Unsigned => Reason::PolicyUnavailable,
        };
        Self::new(reason, refused.to_string())
    }
}
