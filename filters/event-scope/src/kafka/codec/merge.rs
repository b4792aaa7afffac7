//! One response out of two: what a broker said of the part of a request that it was sent, and what was denied of the
//! rest.

use super::header::known;
use super::input::put_length;
use super::layout::Api;
use super::problem::{Problem, WalkError};
use super::splice::{Scratch, Splice};
use super::walk::{Stop, Walker};
use super::within::{is_mirrored, plain};

/// Appends what `more` lists to what `response` lists: both are responses to a request of this API and version, given
/// without their length, as `more` is one of [`answer`](super::answer()). It is the outermost list that an answer
/// mirrors, as the topics of Produce; what `more` says otherwise is left out. Neither is edited: walk what a broker
/// sent before.
///
/// # Errors
///
/// As [`response`](super::response), of either, with the place in that one; [`Problem::Edit`] where the API's answers
/// mirror no list in this version.
pub fn merge<'f, 's>(
    api: i16,
    version: i16,
    response: &'f [u8],
    more: &[u8],
    scratch: &'s mut Scratch,
) -> Result<Splice<'f, 's>, WalkError> {
    scratch.clear();
    let here = find(api, version, response)?;
    let there = find(api, version, more)?;
    let failed = |problem| WalkError { problem, at: here.end };
    let total = here.count.saturating_add(there.count);
    put_length(&mut scratch.owned, Some(total), here.flexible, true).map_err(failed)?;
    scratch.put(0, here.start, here.counted, 0).map_err(failed)?;
    let put = scratch.owned.len();
    scratch.owned.extend(more.get(there.counted..there.end).unwrap_or_default());
    scratch.put(1, here.end, here.end, put).map_err(failed)?;
    Splice::new(response, response.len(), scratch).map_err(failed)
}

/// A list in a frame: its count, where that begins and ends, and where the elements end.
struct List {
    count: usize,
    start: usize,
    counted: usize,
    end: usize,
    flexible: bool,
}

fn find(key: i16, version: i16, frame: &[u8]) -> Result<List, WalkError> {
    let mut walker: Walker<'_, '_> = Walker::new(frame, None);
    let found = known(key, version).map_err(Stop::from).and_then(|(api, _)| list(&mut walker, api, version));
    found.map_err(|stop| walker.failed(stop))
}

fn list(walker: &mut Walker<'_, '_>, api: &Api, version: i16) -> Result<List, Stop> {
    let body = walker.response_header(api, version)?;
    let mut found = None;
    for field in plain(body) {
        if !field.is_in(walker.version) {
            continue;
        }
        let mut input = walker.input;
        walker.field(field)?;
        if found.is_none() && is_mirrored(field) {
            let start = input.pos();
            let count = input.count(walker.flexible)?.unwrap_or(0);
            let end = walker.input.pos();
            found = Some(List { count, start, counted: input.pos(), end, flexible: walker.flexible });
        }
    }
    walker.tail(body)?;
    found.ok_or(Problem::Edit.into())
}
