//! What the tests of the guard share.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod fold;
pub(crate) mod messages;

use std::sync::Arc;

use partywall_authorization::guard::{Coding, Counts, Guard, Refused, Rules};
use partywall_tenancy::{
    Errors, Foreign, Outlived, Response, ResponseFormat, ResponseOwner, Since, TenantId, UnixSeconds,
};

/// The tenant of every request.
pub(crate) const TENANT: &str = "acme";

/// When every response begins: 2026-11-20T10:00:00Z.
pub(crate) const NOW: UnixSeconds = 1_795_168_800;
/// How old an element may be where its age is asked, in seconds.
pub(crate) const AGE: u32 = 3_600;

/// What an operation says of owners.
pub(crate) fn response(pointer: &str, format: ResponseFormat, foreign: Foreign, element_cap: u32) -> Response {
    Response {
        owners: pointer.split_whitespace().map(owner).collect(),
        format,
        foreign,
        element_cap,
        hold: 0,
        errors: Errors::Strip,
        since: None,
    }
}

/// The same, with what it says of the age of elements.
pub(crate) fn since(response: Response, pointer: &str, outlived: Outlived) -> Response {
    Response { since: Some(Since { pointer: pointer.to_owned(), age: AGE, outlived }), ..response }
}

/// A JSON pointer, or numbers of fields.
fn owner(text: &str) -> ResponseOwner {
    let text = text.to_owned();
    if text.starts_with('/') { ResponseOwner::Pointer(text) } else { ResponseOwner::Fields(text) }
}

pub(crate) fn rules(response: &Response) -> Arc<Rules> {
    Arc::new(Rules::compile(response).unwrap().unwrap())
}

/// What left, how it ended, and what was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) left: Vec<u8>,
    pub(crate) outcome: Result<(), Refused>,
    pub(crate) counts: Counts,
}

/// One body, in these chunks.
pub(crate) fn walk<'c>(
    rules: &Arc<Rules>,
    tenant: &str,
    chunks: impl IntoIterator<Item = &'c [u8]>,
    cap: usize,
) -> Walked {
    walk_folded(rules, tenant, None, chunks, cap)
}

/// One body in this coding, in these chunks.
pub(crate) fn walk_folded<'c>(
    rules: &Arc<Rules>,
    tenant: &str,
    coding: Option<Coding>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
    cap: usize,
) -> Walked {
    let mut guard = Guard::new(rules, TenantId::parse(tenant).unwrap(), NOW).unfolding(coding);
    let mut left = Vec::new();
    let mut outcome = Ok(());
    for chunk in chunks {
        outcome = guard.read(chunk, &mut left);
        assert!(guard.kept_back() <= cap, "{} bytes are kept back", guard.kept_back());
        if let Err(refused) = outcome {
            let length = left.len();
            assert_eq!(guard.read(b"]", &mut left), Err(refused), "once refused, always refused");
            assert_eq!(guard.finish(&mut left), Err(refused));
            assert_eq!(left.len(), length, "nothing leaves after a refusal");
            break;
        }
    }
    let outcome = outcome.and_then(|()| guard.finish(&mut left));
    Walked { left, outcome, counts: guard.counts() }
}

/// The body cut in two at every place, and byte by byte.
pub(crate) fn every_cut(body: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut cuts: Vec<Vec<&[u8]>> = (0..=body.len()).map(|at| vec![&body[..at], &body[at..]]).collect();
    cuts.push(body.chunks(1).collect());
    cuts.push(body.chunks(3).collect());
    cuts
}
