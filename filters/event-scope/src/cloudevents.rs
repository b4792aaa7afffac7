//! CloudEvents 1.0 over HTTP: whose an event is stands in it, set from the verified context and refused where it says
//! something else.
//!
//! ```text
//! binary      ce-id, ce-source … in headers             ──► [`binary`]     headers to set and to remove
//! structured  application/cloudevents+json              ──► [`body`]       the event, with its attributes set
//! batch       application/cloudevents-batch+json        ──► [`body`]       each of them
//! ```
//!
//! `partywalltenant` names the tenant. `partywallcontext` is a token of the workload that sent the event, bound to tenant,
//! type, source and id: who gets it later, from a broker, without the request that caused it, still knows whose it is.

mod attributes;
mod headers;
mod structured;

use std::fmt;

use partywall_tenancy::TenantId;

use partywall_json::Fault;

pub use attributes::{Source, is_type};
pub use headers::{Change, binary, context_of, decode};
pub use structured::body;

/// The attribute that names the tenant.
pub const TENANT: &str = "partywalltenant";
/// The attribute that holds the signed context.
pub const CONTEXT: &str = "partywallcontext";

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An event in headers; its data is the body.
    Binary,
    /// An event as JSON.
    Structured,
    /// Several, as a list of JSON.
    Batch,
}

/// What a service says of events that it sends or gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What `source` begins with.
    pub source: Option<Source>,
    /// What `subject` begins with; an event must have one then.
    pub subject: Option<Source>,
    /// What types there may be: each is one, or with a `*` behind what some begin with. None for all.
    pub types: Vec<String>,
}

/// The attributes that a context is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<'e> {
    /// `type`.
    pub kind: &'e str,
    /// `source`.
    pub source: &'e str,
    /// `id`.
    pub id: &'e str,
}

/// Which way an event goes.
#[derive(Clone, Copy)]
pub enum Way<'a> {
    /// It is sent: it gets a context of this signer, in place of whatever it had; with none it gets none.
    Sent(Option<&'a dyn Sign>),
    /// It came: a context that it has must be its tenant's.
    Came(&'a dyn Verify),
}

/// Signs contexts of events.
pub trait Sign {
    /// A context for the tenant that is known here; `None` where this workload may sign none for it.
    fn sign(&self, event: &Bound<'_>) -> Option<String>;
}

/// Verifies contexts of events.
pub trait Verify {
    /// Whether it is one for the tenant that is known here, and for this event.
    fn verify(&self, token: &str, event: &Bound<'_>) -> bool;
}

/// Why nothing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The request is no event.
    NoEvent,
    /// It could be read in two ways, or is not what the specification has.
    Unclear(&'static str),
    /// The JSON could.
    Body(Fault),
    /// It says that it is another tenant's.
    Foreign(&'static str),
    /// A context in it is not this tenant's, not this event's, not signed by who may, or too old.
    Forged,
    /// Its type is none that this service has.
    Type,
    /// It has no context, and this workload may sign none for this tenant.
    Unsigned,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Body(fault)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEvent => "the request is no event: it has neither `ce-` headers nor a content type of CloudEvents",
            Self::Unclear(why) | Self::Foreign(why) => why,
            Self::Body(fault) => return fault.fmt(f),
            Self::Forged => "`partywallcontext` is not of this tenant and this event, or nobody signed it who may",
            Self::Type => "the service has no events of this type",
            Self::Unsigned => "the bundle does not let this workload sign for this tenant",
        })
    }
}

/// All that an event is judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// Whose it has to be.
    pub tenant: &'a TenantId,
    /// What the service says.
    pub rules: &'a Rules,
    /// Which way it goes.
    pub way: Way<'a>,
}

/// What a request is by its head; names of headers are in lower case. Where it could be two of them it is refused.
pub fn mode(content_type: Option<&str>, mut names: impl Iterator<Item = impl AsRef<str>>) -> Result<Mode, Refused> {
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let has_headers = names.any(|name| name.as_ref().starts_with(headers::PREFIX));
    let mode = match essence.as_str() {
        "application/cloudevents+json" => Mode::Structured,
        "application/cloudevents-batch+json" => Mode::Batch,
        _ if essence.starts_with("application/cloudevents") => {
            return Err(Refused::Unclear("an event in a format that is not JSON"));
        }
        _ if has_headers => return Ok(Mode::Binary),
        _ => return Err(Refused::NoEvent),
    };
    // Receivers look at the content type first, but a router may look at the headers.
    if has_headers { Err(Refused::Unclear("an event in headers and another one in the body")) } else { Ok(mode) }
}
