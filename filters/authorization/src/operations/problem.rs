//! Why the operations of a service are refused.

use std::fmt;

use partywall_tenancy::Scope;

use super::route::MAX_PLACES;
use super::{MAX_OPERATIONS, body, template, trie};
use crate::guard::RuleError;

/// Why the operations of a service cannot be told apart or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationError {
    /// Position of the operation in the service's list.
    pub position: usize,
    /// What is wrong with it.
    pub problem: OperationProblem,
}

/// What is wrong with an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationProblem {
    /// There are too many.
    TooMany,
    /// Not a method in upper case.
    Method(String),
    /// Does not begin with `/`.
    NoSlash,
    /// A segment that is empty, a dot segment, too many segments, or a character that no path holds.
    Segment(String),
    /// Braces that do not span one whole segment around a name.
    Braces(String),
    /// One parameter is there twice.
    ParameterTwice(String),
    /// `id` or `owner` names no parameter of the template.
    NoParameter(String),
    /// The paths are so much alike that one request could take too many steps.
    Alike,
    /// What it answers cannot be guarded as it is declared.
    Response(RuleError),
    /// Another operation covers exactly the same requests.
    Conflict(String),
    /// One request could fit another operation as well, and neither is the more specific one.
    Across(String),
    /// Too many operations have the same method and path.
    TooManyAlternatives,
    /// There are more conditions than this.
    Conditions(usize),
    /// A condition that asks twice about one place, or about none, or for what has no normal form.
    Condition(String, String),
    /// No place of a request, or one that is there twice, or one too many.
    Place(String),
    /// No pointer into a body.
    Body(RuleError),
    /// `hold` without an owner in the body, or the other way round, or too much of it, or a call of gRPC.
    Hold,
    /// The owner stands in the body, and need not.
    BodyOrNone,
    /// One that routes name, with something that only a path could show.
    Named,
    /// An owner in the id of an operation that names none.
    NoId,
    /// Its scope is at odds with what else it says.
    Scope(Scope),
}

impl fmt::Display for OperationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "a service may have {MAX_OPERATIONS} operations, not more"),
            Self::Method(method) => write!(f, "`{method}` is no HTTP method in upper case, as `GET`"),
            Self::NoSlash => f.write_str("a path must begin with `/`"),
            Self::Segment(segment) => write!(
                f,
                "`{segment}` cannot be a segment of a path: write plain ASCII, no empty or dot segment, no query, at most {} segments",
                template::MAX_SEGMENTS
            ),
            Self::Braces(segment) => {
                write!(f, "`{segment}` must be one whole parameter, as `{{id}}`, or hold no braces")
            }
            Self::ParameterTwice(name) => write!(f, "parameter `{name}` is there twice"),
            Self::NoParameter(name) => write!(f, "the path has no parameter `{{{name}}}`"),
            Self::Alike => write!(
                f,
                "with it, paths of this method differ only by a parameter in so many places that one request could take more than {} steps",
                trie::MAX_STEPS
            ),
            Self::Response(error) => write!(f, "response: {error}"),
            Self::Conflict(other) => write!(f, "covers the same requests as `{other}`"),
            Self::Across(other) => {
                write!(f, "a request may fit it and `{other}`, and neither has all the conditions of the other")
            }
            Self::TooManyAlternatives => {
                f.write_str("too many operations have this method and path, or they ask about too many places")
            }
            Self::Conditions(most) => write!(f, "an operation may have {most} conditions, not more"),
            Self::Condition(place, value) => write!(
                f,
                "`{place}` is never asked for `{value}`: a condition is about one parameter of the query, or one header in lower case, and its value is 1 to 64 of `a-z A-Z 0-9 - . _ ~`"
            ),
            Self::Place(place) => write!(
                f,
                "`{place}` cannot be a place of the owner: there may be {MAX_PLACES}, each once; a header in lower case, a parameter of plain letters, a separator that no tenant's id holds"
            ),
            Self::Body(error) => write!(f, "the owner in the body: {error}"),
            Self::Hold => write!(
                f,
                "an owner in the body needs `hold`, and `hold` such an owner: 1 KiB to {} KiB, and no call of gRPC",
                body::MAX_HOLD / 1024
            ),
            Self::BodyOrNone => f.write_str("where the owner stands in the body, every body must show it"),
            Self::Scope(scope) => write!(
                f,
                "what is of scope `{}` shows no owner, is open to nobody without a credential, and asks for nothing of a tenant; what is nobody's is only read",
                scope.name()
            ),
            Self::Named => f.write_str(
                "an operation that routes name has no method, path, condition, id, owner or response, a credential, and a tenant's scope",
            ),
            Self::NoId => f.write_str("the owner is to stand in the id, and the operation names no `id`"),
        }
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}: {}", self.position + 1, self.problem)
    }
}

impl std::error::Error for OperationError {}
