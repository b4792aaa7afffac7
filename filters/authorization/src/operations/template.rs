//! Path templates, as `/tenants/{tenant}/invoices`.

use super::OperationProblem;

/// The most segments of one template.
pub(super) const MAX_SEGMENTS: usize = 32;

/// A path template without the names of its parameters.
#[derive(Clone, Debug)]
pub(super) struct Template(Box<[Segment]>);

#[derive(Clone, Debug)]
pub(super) enum Segment {
    Literal(Box<str>),
    Parameter,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, OperationProblem> {
        let path = text.strip_prefix('/').ok_or(OperationProblem::NoSlash)?;
        let mut segments = Vec::new();
        let mut names = Vec::new();
        for text in split(path) {
            // `/` alone is one empty segment, the only one there may be.
            let allowed =
                (!text.is_empty() || path.is_empty()) && segments.len() < MAX_SEGMENTS && can_be_literal(text);
            segments.push(match name(text) {
                Some(name) if names.contains(&name) => return Err(OperationProblem::ParameterTwice(name.into())),
                Some(name) => {
                    names.push(name);
                    Segment::Parameter
                }
                None if text.contains(['{', '}']) => return Err(OperationProblem::Braces(text.into())),
                None if !allowed => return Err(OperationProblem::Segment(text.into())),
                None => Segment::Literal(text.into()),
            });
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(OperationProblem::Segment(text.into()));
        }
        Ok(Self(segments.into()))
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }
}

/// The segments of a path without its leading slash.
pub(super) fn split(path: &str) -> impl Iterator<Item = &str> {
    // `str::split` sets up a search that pays for long texts only, and these are short.
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let text = rest?;
        let at = text.bytes().position(|b| b == b'/');
        rest = at.and_then(|at| text.get(at.saturating_add(1)..));
        text.get(..at.unwrap_or(text.len()))
    })
}

/// Which segment of the template `text` is the parameter `wanted`.
pub(super) fn parameter(text: &str, wanted: &str) -> Option<usize> {
    split(text.strip_prefix('/')?).position(|segment| name(segment) == Some(wanted))
}

fn name(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    valid.then_some(name)
}

fn can_be_literal(segment: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'?' | b'%');
    !matches!(segment, "." | "..") && segment.bytes().all(plain)
}
