//! What the APIs have: paths, what stands in their segments, and the JSON of requests and responses.

mod v2;
mod v3;

use super::Version;
use crate::kafka::session::Action;
use partywall_json::{Shape, field};

/// What of JSON is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The name of a topic. Partitions and configurations beside it are of it.
    Topic,
    /// A group.
    Group,
    /// A partition of the topic beside it, or of that in the path.
    Partition,
    /// How a member of a group calls itself.
    Client,
    /// Where the instance of a consumer is found.
    BaseUri,
    /// The URL of something.
    Link,
    /// The same as a name, `crn:///kafka=…/topic=…`.
    Crn,
    /// Words, which may hold names of anybody: others stand in their place.
    Message,
    /// A pattern of topics.
    Pattern,
    /// How many partitions a topic is to have.
    NewPartitions,
    /// How many replicas.
    NewReplicas,
    /// The name of a configuration that is set; what it is set to stands beside it.
    ConfigName,
    /// And to what.
    ConfigValue,
    /// As what records are read: one with schemas would have the server look into a registry that is nobody's here.
    Format,
}

/// A body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) shape: &'static Shape<Mark>,
    /// Whether it is looked at as one value.
    pub(super) whole: bool,
    /// Whether it may be empty.
    pub(super) optional: bool,
}

/// One method of one path.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// `{topic}`, `{group}` and `{partition}` are mapped, others are words without names in them.
    pub(super) path: &'static str,
    /// What is done to the topics that path and request name.
    pub(super) action: Option<Action>,
    /// The parameters that its query may have.
    pub(super) query: &'static [&'static str],
    pub(super) request: Option<Body>,
    pub(super) response: Option<Body>,
    /// What is decided on topics that the response lists, none of which the request named.
    pub(super) listed: Option<Action>,
}

impl Route {
    const fn of(method: &'static str, path: &'static str) -> Self {
        Self { method, path, action: None, query: &[], request: None, response: None, listed: None }
    }

    const fn does(self, action: Action) -> Self {
        Self { action: Some(action), ..self }
    }

    const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    /// A body that is held until all of it was decided on.
    const fn takes(self, shape: &'static Shape<Mark>) -> Self {
        Self { request: Some(Body { shape, whole: true, optional: false }), ..self }
    }

    /// One that may be empty as well.
    const fn may_take(self, shape: &'static Shape<Mark>) -> Self {
        Self { request: Some(Body { shape, whole: true, optional: true }), ..self }
    }

    /// Records, which go on as they come.
    const fn streams(self, shape: &'static Shape<Mark>) -> Self {
        Self { request: Some(Body { shape, whole: false, optional: false }), ..self }
    }

    /// An answer that is looked at as one value.
    const fn gives(self, shape: &'static Shape<Mark>) -> Self {
        Self { response: Some(Body { shape, whole: true, optional: true }), ..self }
    }

    /// One that is looked at item by item.
    const fn lists(self, shape: &'static Shape<Mark>) -> Self {
        Self { response: Some(Body { shape, whole: false, optional: true }), ..self }
    }

    const fn listing(self, action: Action) -> Self {
        Self { listed: Some(action), ..self }
    }
}

/// What every failure looks like.
pub(super) const ERROR: Body = Body {
    shape: &Shape::Object(&[field("error_code", Shape::Plain), field("message", Shape::Marked(Mark::Message))]),
    whole: true,
    optional: true,
};

/// All routes of an API.
pub(super) fn routes(version: Version) -> &'static [Route] {
    match version {
        Version::V2 => v2::ROUTES,
        Version::V3 => v3::ROUTES,
    }
}

/// Paths that stand in links, though nobody may ask for them: names in them are mapped all the same.
pub(super) const LINKED: &[&str] = v3::LINKED;
