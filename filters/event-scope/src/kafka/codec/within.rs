//! One response out of two that list the same: what was denied within a group is put into the group.

use std::collections::{BTreeMap, VecDeque};

use super::header::known;
use super::input::put_length;
use super::layout::{Field, Fill, Kind, Struct};
use super::problem::{Problem, WalkError};
use super::splice::{Scratch, Splice};
use super::walk::{Stop, Walker};

/// As [`merge`](super::merge()), of responses that list groups with topics in them, as OffsetFetch does from version 8 on:
/// what a group of `more` lists is appended to what the group of the same name in `response` lists. A group that stands
/// there not at all is appended as it is.
///
/// # Errors
///
/// As [`merge`](super::merge()); [`Problem::Edit`] as well where the API's answers mirror no list in a list.
pub fn merge_within<'f, 's>(
    api: i16,
    version: i16,
    response: &'f [u8],
    more: &[u8],
    scratch: &'s mut Scratch,
) -> Result<Splice<'f, 's>, WalkError> {
    scratch.clear();
    let mut theirs: BTreeMap<&[u8], VecDeque<Group>> = BTreeMap::new();
    walk(api, version, more, |group| {
        theirs.entry(group.name(more)).or_default().push_back(group);
        Ok(())
    })?;
    let outer = walk(api, version, response, |group| {
        let Some(their) = theirs.get_mut(group.name(response)).and_then(VecDeque::pop_front) else { return Ok(()) };
        let put = scratch.owned.len();
        let total = group.count.saturating_add(their.count);
        put_length(&mut scratch.owned, Some(total), group.flexible, true)?;
        scratch.put(usize::MAX, group.list.0, group.list.1, put)?;
        let put = scratch.owned.len();
        scratch.owned.extend_from_slice(more.get(their.list.1..their.list.2).unwrap_or_default());
        scratch.put(usize::MAX, group.list.2, group.list.2, put)
    })?;
    let failed = |problem| WalkError { problem, at: outer.list.2 };
    let (put, mut total) = (scratch.owned.len(), outer.count);
    for group in theirs.values().flatten() {
        total = total.saturating_add(1);
        scratch.owned.extend_from_slice(more.get(group.whole.0..group.whole.1).unwrap_or_default());
    }
    if total > outer.count {
        scratch.put(usize::MAX, outer.list.2, outer.list.2, put).map_err(failed)?;
        let put = scratch.owned.len();
        put_length(&mut scratch.owned, Some(total), outer.flexible, true).map_err(failed)?;
        scratch.put(0, outer.list.0, outer.list.1, put).map_err(failed)?;
    }
    Splice::new(response, response.len(), scratch).map_err(failed)
}

/// An element of the outermost list, or the response itself: where it stands, and the list in it.
#[derive(Clone, Copy, Default)]
struct Group {
    whole: (usize, usize),
    name: (usize, usize),
    count: usize,
    /// Where its count begins, its elements begin, and where they end.
    list: (usize, usize, usize),
    flexible: bool,
}

impl Group {
    fn name<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        frame.get(self.name.0..self.name.1).unwrap_or_default()
    }
}

/// Walks a response, tells each of its groups, and gives where the list of groups stands.
fn walk(
    key: i16,
    version: i16,
    frame: &[u8],
    mut tell: impl FnMut(Group) -> Result<(), Problem>,
) -> Result<Group, WalkError> {
    let mut walker = Walker::new(frame, None);
    groups(&mut walker, key, version, &mut tell).map_err(|stop| walker.failed(stop))
}

fn groups(
    walker: &mut Walker<'_, '_>,
    key: i16,
    version: i16,
    tell: &mut dyn FnMut(Group) -> Result<(), Problem>,
) -> Result<Group, Stop> {
    let (api, _) = known(key, version)?;
    let body = walker.response_header(api, version)?;
    let mut found = None;
    for field in plain(body) {
        if !field.is_in(walker.version) {
            continue;
        }
        if found.is_some() || !is_mirrored(field) {
            walker.field(field)?;
            continue;
        }
        let start = walker.input.pos();
        let count = walker.input.count(walker.flexible)?.ok_or(Problem::Null)?;
        let counted = walker.input.pos();
        if count.saturating_mul(usize::from(field.least)) > walker.input.left() {
            return Err(Problem::Count.into());
        }
        for _ in 0..count {
            tell(group(walker, field.body)?)?;
        }
        let list = (start, counted, walker.input.pos());
        found = Some(Group { count, list, flexible: walker.flexible, ..Group::default() });
    }
    walker.tail(body)?;
    found.ok_or(Problem::Edit.into())
}

fn group(walker: &mut Walker<'_, '_>, body: u16) -> Result<Group, Stop> {
    let start = walker.input.pos();
    let (mut name, mut list) = (None, None);
    for field in plain(body) {
        if !field.is_in(walker.version) {
            continue;
        }
        let mut before = walker.input;
        walker.field(field)?;
        let end = walker.input.pos();
        if name.is_none() && field.kind == Kind::Text && !field.list {
            let size = before.text(walker.flexible)?.unwrap_or_default().len();
            name = Some((end - size, end));
        } else if list.is_none() && is_mirrored(field) {
            let from = before.pos();
            let count = before.count(walker.flexible)?.ok_or(Problem::Null)?;
            list = Some((count, (from, before.pos(), end)));
        }
    }
    if walker.flexible {
        walker.tags(Struct::of(body))?;
    }
    let (Some(name), Some((count, list))) = (name, list) else { return Err(Problem::Edit.into()) };
    Ok(Group { whole: (start, walker.input.pos()), name, count, list, flexible: walker.flexible })
}

/// The fields of a struct that are no tags.
pub(super) fn plain(body: u16) -> &'static [Field] {
    Struct::of(body).map(Struct::plain).unwrap_or_default()
}

/// Whether it is a list whose elements an answer has from the request.
pub(super) fn is_mirrored(field: &Field) -> bool {
    field.list && field.kind == Kind::Struct && matches!(field.fill, Fill::Each(_))
}
