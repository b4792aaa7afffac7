//! One operation, checked, with the places where it looks for an owner.

use std::sync::Arc;

use partywall_tenancy::{EventCluster, Operation, Owner, Place, Residency, Scope};

use super::template::{self, Template};
use super::{OperationProblem, alternatives, body, places};
use crate::guard::Guarded;
use crate::{Call, GRPC, ROUTE};

/// The most places in which one operation looks for an owner.
pub(super) const MAX_PLACES: usize = 8;

/// An operation of a service.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) operation: Operation,
    /// Segment that is the resource's id.
    pub(super) id: Option<usize>,
    /// Where the resource's owner can be seen.
    pub(super) evidence: Box<[Evidence]>,
    /// How what it answers is judged.
    pub(super) guarded: Option<Arc<Guarded>>,
}

/// A place where the owner of a resource can be seen.
#[derive(Clone, Debug)]
pub(super) enum Evidence {
    /// In this segment.
    Segment(usize),
    /// In this parameter of the query.
    Query(Box<str>),
    /// In this header.
    Header(Box<str>),
    /// In this segment, before this character.
    Prefix(usize, char),
    /// In the body.
    Body(body::Pointer),
}

impl Route {
    pub(super) fn new(operation: &Operation) -> Result<(Self, Template), OperationProblem> {
        if operation.method.is_empty() || !operation.method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            return Err(OperationProblem::Method(operation.method.clone()));
        }
        if operation.method == ROUTE && !is_named(operation) {
            return Err(OperationProblem::Named);
        }
        let template = Template::parse(&operation.path)?;
        let index = |name: &String| {
            template::parameter(&operation.path, name).ok_or_else(|| OperationProblem::NoParameter(name.clone()))
        };
        let id = operation.id.as_ref().map(index).transpose()?;
        alternatives::check(&operation.when)?;
        check_scope(operation)?;
        let places = operation.owner.places();
        let mut evidence = Vec::with_capacity(places.len());
        for (at, place) in places.iter().enumerate() {
            alternatives::check_place(place)?;
            if at >= MAX_PLACES || places.iter().take(at).any(|other| other == place) {
                return Err(OperationProblem::Place(place.to_string()));
            }
            evidence.push(match place {
                Place::Path(name) => Evidence::Segment(index(name)?),
                Place::Query(name) => Evidence::Query(name.as_str().into()),
                Place::Header(name) => Evidence::Header(name.as_str().into()),
                Place::Body(pointer) => {
                    Evidence::Body(body::Pointer::compile(pointer).map_err(OperationProblem::Body)?)
                }
                Place::IdPrefix(separator) => Evidence::Prefix(id.ok_or(OperationProblem::NoId)?, *separator),
            });
        }
        let reads_body = operation.owner.reads_body();
        if (reads_body && operation.method == GRPC)
            || (operation.hold > 0) != reads_body
            || operation.hold > body::MAX_HOLD
        {
            return Err(OperationProblem::Hold);
        }
        if reads_body && operation.owner.may_be_hidden() {
            return Err(OperationProblem::BodyOrNone);
        }
        let guarded = operation.response.as_ref().map(|response| {
            let guarded = Guarded::compile(response)?;
            guarded.goes_with(&operation.method).map(|()| guarded)
        });
        let guarded = guarded.transpose().map_err(OperationProblem::Response)?;
        let evidence = evidence.into();
        Ok((Self { operation: operation.clone(), id, evidence, guarded: guarded.map(Arc::new) }, template))
    }

    /// What each place shows, percent-encoded as it came; `None` for one that the request does not have.
    pub(super) fn shown<'p>(
        &self,
        path: &'p str,
        call: &Call<'p>,
    ) -> impl Iterator<Item = Result<Option<&'p str>, places::Unclear>> {
        self.evidence.iter().map(move |evidence| match evidence {
            Evidence::Segment(at) => Ok(template::split(path).nth(*at)),
            Evidence::Query(name) => places::query(call.path, name),
            Evidence::Header(name) => places::header(call.headers, name),
            // An id without the separator is nobody's.
            Evidence::Prefix(at, separator) => {
                Ok(template::split(path).nth(*at).map(|id| places::prefix(id, *separator).unwrap_or_default()))
            }
            // Whose it is, is asked of the body when it is known for whom.
            Evidence::Body(_) => Ok(None),
        })
    }

    /// Whether some place names another tenant, or could.
    pub(super) fn shows_another<'p>(&self, path: &'p str, call: &Call<'p>, tenant: &str) -> bool {
        self.shown(path, call).any(|shown| match shown {
            Ok(shown) => shown.is_some_and(|shown| shown != tenant),
            Err(_) => true,
        })
    }
}

/// INVARIANT: what is of no tenant has no owner that somebody could look for in vain, is open to nobody without a
/// credential, and asks for nothing that only an owner has; of nobody's data nothing is changed.
fn check_scope(operation: &Operation) -> Result<(), OperationProblem> {
    let attributes = &operation.attributes;
    let of_an_owner = attributes.needs_consent || attributes.residency == Residency::Owners;
    let of_nobody = operation.owner == Owner::Unseen && !operation.anonymous && operation.response.is_none();
    let fits = match attributes.scope {
        Scope::Tenant => true,
        Scope::GlobalRead => of_nobody && !of_an_owner && only_reads(operation),
        Scope::Platform => of_nobody && !of_an_owner && attributes.cleared.is_none() && attributes.feature.is_none(),
    };
    if fits { Ok(()) } else { Err(OperationProblem::Scope(attributes.scope)) }
}

/// Whether it changes nothing, by its method; of what is done to topics, by its action.
fn only_reads(operation: &Operation) -> bool {
    match operation.method.as_str() {
        "GET" | "HEAD" => true,
        EventCluster::METHOD => EventCluster::READING.contains(&operation.action.as_str()),
        _ => false,
    }
}

/// Whether a route may name it: it is a tenant's, and there is nothing that only a request's own path could show.
fn is_named(operation: &Operation) -> bool {
    let Operation { path, when, action, resource, id, owner, anonymous, response, attributes, .. } = operation;
    (*path == format!("/{action}/{resource}") && attributes.scope == Scope::Tenant)
        && (when.is_empty() && id.is_none() && *owner == Owner::Unseen && !anonymous && response.is_none())
}
