//! The REST APIs of Kafka, v2 and v3: one request with its response, kept in its tenant's world.
//!
//! ```text
//! head ──► Exchange::begin ──► path for the server     names of path mapped, decided on; what no table lists is refused
//! body ──► Exchange::request ──► body for the server   names of JSON mapped, records passed as they came
//!          Exchange::respond, response ◄── its answer   names mapped back, elements of others left out, its words as well
//! ```
//!
//! Paths and bodies stand in `table`. Names go through [`World`], and what is done to topics through [`Decide`], as those
//! of Kafka's own protocol do.

mod inward;
#[cfg(test)]
mod laws;
mod outward;
mod path;
mod pattern;
mod place;
mod table;

use std::fmt;
use std::rc::Rc;

pub use path::Base;

use crate::kafka::session::{Action, Decide, Kind, World};
use inward::Inward;
use outward::Outward;
use partywall_json::{Fault, Pieces};
use table::{Body, Mark, Route};

/// Which API a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `/topics`, `/consumers`: Confluent's REST proxy, Karapace, Strimzi's bridge.
    V2,
    /// `/v3/clusters`.
    V3,
}

/// All that are asked.
#[derive(Clone, Copy)]
pub struct Peers<'a> {
    /// The names of who calls.
    pub world: &'a dyn World,
    /// What may be done to topics.
    pub decide: &'a dyn Decide,
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct Head<'h> {
    /// As `GET`.
    pub method: &'h str,
    /// With its query.
    pub path: &'h str,
    /// How the client calls the server: `http` or `https`, and host with port.
    pub base: &'h Base,
    /// Of the body, if it says.
    pub content_type: Option<&'h str>,
}

/// Bounds of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most bytes of one value that is held to be looked at: a record, an element of a list, a body that is held whole.
    pub largest_value: usize,
    /// The most topics that a request may name, and decisions that are told of a piece of an answer.
    pub topics: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { largest_value: 1024 * 1024, topics: 1000 }
    }
}

/// Why nothing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The API has no such path, method or query, or none that can be scoped.
    Unmapped,
    /// The path or the content type could be read in two ways, or is none that is understood.
    Unclear(&'static str),
    /// The body could.
    Body(Fault),
    /// The tenant may not call a thing so, or nothing may be called so.
    Name(Kind),
    /// A policy says no, or the topic is only to be read, or in part.
    Denied(Option<Rc<str>>),
    /// The tenant has no such partition, or a record names none where it has to.
    Partition,
    /// A new topic would have more than it may.
    Bounds,
    /// A pattern that cannot be bound to the tenant's names.
    Pattern,
    /// It names more topics than a request may.
    TooMany,
    /// The response is of what is not the tenant's.
    Foreign,
    /// The response is no JSON, or none that is understood.
    Answer(&'static str),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Body(fault)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmapped => {
                f.write_str("the API has no such path, method or query, or none that is kept apart by tenant")
            }
            Self::Unclear(why) | Self::Answer(why) => f.write_str(why),
            Self::Body(fault) => fault.fmt(f),
            Self::Name(Kind::Topic) => f.write_str("no topic of the tenant may be called so"),
            Self::Name(_) => f.write_str("no group of the tenant may be called so"),
            Self::Denied(Some(why)) => f.write_str(why),
            Self::Denied(None) => f.write_str("this may not be done to the topic"),
            Self::Partition => {
                f.write_str("the tenant has no such partition, or a record has to name one and does not")
            }
            Self::Bounds => f.write_str("the topic would have more than it may"),
            Self::Pattern => f.write_str("the pattern cannot be bound to the names of the tenant"),
            Self::TooMany => f.write_str("the request names more topics than one may"),
            Self::Foreign => f.write_str("the response is of what is not the tenant's"),
        }
    }
}

/// A decision, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was to be done.
    pub action: Action,
    /// The broker's name of the topic.
    pub topic: Box<[u8]>,
    /// Whether it was allowed.
    pub allow: bool,
    /// Why, where a policy said so.
    pub reason: Option<Rc<str>>,
}

/// A request with its response.
#[derive(Debug)]
pub struct Exchange {
    version: Version,
    route: &'static Route,
    options: Options,
    base: Base,
    path: String,
    /// The broker's name of the topic in the path.
    topic: Option<Vec<u8>>,
    request: Option<Pieces<Mark>>,
    /// Whether it may have a body that is empty alone.
    untyped: bool,
    response: Option<Pieces<Mark>>,
    decisions: Vec<Decision>,
    topics: usize,
}

impl Exchange {
    /// Looks at the head of a request; decides on the topic that its path names.
    ///
    /// Whatever is refused, nothing may go to the server. What was decided is told either way.
    pub fn begin(
        version: Version,
        head: &Head<'_>,
        peers: &Peers<'_>,
        options: Options,
        decisions: &mut Vec<Decision>,
    ) -> Result<Self, Refused> {
        let found = path::find(version, head.method, head.path, peers)?;
        if let (Some(topic), Some(action)) = (&found.topic, found.route.action) {
            inward::decide(peers, action, topic, decisions)?;
        }
        // A body that need not be there needs no type until it is.
        let untyped = head.content_type.is_none() && found.route.request.is_some_and(|body| body.optional);
        if found.route.request.is_some() && !untyped {
            content_type(head.content_type)?;
        }
        let pieces = |body: Option<Body>| body.map(|body| Pieces::new(body.shape, body.whole, options.largest_value));
        let request = pieces(found.route.request);
        let (route, path, topic) = (found.route, found.path, found.topic);
        let base = head.base.clone();
        Ok(Self {
            version,
            route,
            options,
            base,
            path,
            topic,
            request,
            untyped,
            response: None,
            decisions: Vec::new(),
            topics: 0,
        })
    }

    /// The path that the server gets.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether all of the body is to be there before anything goes on. Of others, records go on as they come.
    pub fn holds_request(&self) -> bool {
        self.route.request.is_some_and(|body| body.whole)
    }

    /// Whether the request may have a body.
    pub fn has_request(&self) -> bool {
        self.request.is_some()
    }

    /// The most bytes of a body that is held.
    pub fn largest_value(&self) -> usize {
        self.options.largest_value
    }

    /// Reads more of the body of the request, and appends what may go on. After an error nothing more may be asked.
    pub fn request(&mut self, chunk: &[u8], end: bool, peers: &Peers<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let Some(pieces) = &mut self.request else {
            let empty = chunk.iter().all(u8::is_ascii_whitespace);
            return if empty {
                Ok(())
            } else {
                Err(Refused::Unclear("a body that a request of this path does not have"))
            };
        };
        if self.untyped && !chunk.is_empty() {
            return Err(Refused::Unclear("a body without a content type"));
        }
        let mut edit = Inward {
            peers,
            route: self.route,
            path: self.topic.as_deref(),
            led: Vec::new(),
            config: None,
            partitioned: false,
            decisions: &mut self.decisions,
            topics: &mut self.topics,
            options: &self.options,
        };
        pieces.read(chunk, &mut edit, out)?;
        if end {
            let empty = self.route.request.is_some_and(|body| body.optional);
            pieces.finish(empty, &mut edit, out)?;
        }
        Ok(())
    }

    /// Looks at the head of the response. What has no body is given none to [`Exchange::response`], or that is refused.
    pub fn respond(&mut self, status: u16, content_type: Option<&str>, ended: bool) -> Result<(), Refused> {
        self.response = None;
        let body = match status {
            _ if ended => None,
            204 | 304 => None,
            200..=299 => self.route.response,
            _ => Some(table::ERROR),
        };
        // It may still be empty, which is seen when it comes.
        let Some(body) = body else { return Ok(()) };
        if !content_type.is_some_and(is_taken) {
            return Err(Refused::Answer("the content type of the response is not JSON, or is one with schemas"));
        }
        self.response = Some(Pieces::new(body.shape, body.whole, self.options.largest_value));
        Ok(())
    }

    /// Reads more of the body of the response, and appends what may go on. After an error nothing more may be asked.
    pub fn response(&mut self, chunk: &[u8], end: bool, peers: &Peers<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let Some(pieces) = &mut self.response else {
            return if chunk.is_empty() { Ok(()) } else { Err(Refused::Answer("a body where none may be")) };
        };
        let mut edit = Outward {
            peers,
            version: self.version,
            route: self.route,
            path: self.topic.as_deref(),
            led: Vec::new(),
            base: &self.base,
            decisions: &mut self.decisions,
            most: self.options.topics,
        };
        pieces.read(chunk, &mut edit, out)?;
        if end {
            pieces.finish(true, &mut edit, out)?;
        }
        Ok(())
    }

    /// What was decided since this was asked last.
    pub fn take_decisions(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.decisions)
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.request.as_ref().map_or(0, Pieces::held) + self.response.as_ref().map_or(0, Pieces::held)
    }
}

/// What bodies may be: records are embedded in formats without schemas, which would lie in a registry that is nobody's here.
const TAKEN: [&str; 6] = [
    "application/json",
    "application/vnd.kafka+json",
    "application/vnd.kafka.v2+json",
    "application/vnd.kafka.json.v2+json",
    "application/vnd.kafka.binary.v2+json",
    "application/vnd.kafka.text.v2+json",
];

fn content_type(value: Option<&str>) -> Result<(), Refused> {
    if value.is_some_and(is_taken) {
        return Ok(());
    }
    Err(Refused::Unclear(
        "the content type is none of `application/json` and `application/vnd.kafka[.json|.binary|.text].v2+json`",
    ))
}

fn is_taken(value: &str) -> bool {
    TAKEN.contains(&essence(value).as_str())
}

/// A media type without its parameters, in lower case.
fn essence(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
