//! The walk over a frame.

mod place;
mod tags;

use super::edit::{Editor, Value};
use super::header::known;
use super::input::{Input, Start, put_length};
use super::layout::{API_VERSIONS, Api, Field, Fill, Kind, NONE, SLOTS, Struct};
use super::mark::{Mark, Marks};
use super::problem::{Problem, WalkError};
use super::rest::Rest;
use super::splice::{Scratch, Splice};

/// How many lists stand in each other at most. The build script refuses a table with more structs than that.
const DEPTH: usize = 16;
/// What a broker of Kafka says where it does not know the version of ApiVersions that it was asked in.
const UNSUPPORTED_VERSION: i16 = 35;

/// Walks a request, given without its length. What stands behind the message is cut out: brokers do not look at it, and
/// librdkafka leaves three bytes there where it asks for the metadata of all topics. `scratch` holds what is edited until the [`Splice`] is gone.
///
/// # Errors
///
/// Everything that is in [`Problem`]; then nothing of the frame may be passed on.
pub fn request<'f, 's>(
    frame: &'f [u8],
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
) -> Result<Splice<'f, 's>, WalkError> {
    walk(frame, editor, scratch, |walker| walker.request().and_then(|()| walker.cut_rest()))
}

/// Walks a response to a request of this API and version, given without its length.
///
/// A broker that does not know the version of ApiVersions answers error 35 in version 0, whatever it was asked in; it
/// is walked as such.
///
/// # Errors
///
/// As [`request`].
pub fn response<'f, 's>(
    api: i16,
    version: i16,
    frame: &'f [u8],
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
) -> Result<Splice<'f, 's>, WalkError> {
    walk(frame, editor, scratch, |walker| walker.response(api, version))
}

/// As [`request`], of which the first bytes are there: `size` bytes it has in all. What comes next goes on as it is, as far
/// as [`Rest`] takes it.
///
/// # Errors
///
/// As [`request`], and where more is missing than the end of records with which the frame ends: then the whole frame is
/// to be waited for.
pub fn request_begun<'f, 's>(
    (begin, size): (&'f [u8], usize),
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
) -> Result<(Splice<'f, 's>, Rest), WalkError> {
    walk_begun((begin, size), editor, scratch, |walker| walker.request().and_then(|()| walker.cut_rest()))
}

/// As [`response`], in the same way.
///
/// # Errors
///
/// As [`request_begun`].
pub fn response_begun<'f, 's>(
    (api, version): (i16, i16),
    (begin, size): (&'f [u8], usize),
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
) -> Result<(Splice<'f, 's>, Rest), WalkError> {
    walk_begun((begin, size), editor, scratch, |walker| walker.response(api, version))
}

fn walk<'f, 's>(
    frame: &'f [u8],
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
    message: impl FnOnce(&mut Walker<'f, '_>) -> Result<(), Stop>,
) -> Result<Splice<'f, 's>, WalkError> {
    walk_begun((frame, frame.len()), editor, scratch, message).map(|(splice, _)| splice)
}

fn walk_begun<'f, 's>(
    (frame, size): (&'f [u8], usize),
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
    message: impl FnOnce(&mut Walker<'f, '_>) -> Result<(), Stop>,
) -> Result<(Splice<'f, 's>, Rest), WalkError> {
    scratch.clear();
    let mut walker = Walker::new(frame, Some((editor, scratch)));
    walker.input = Input::begun(frame, size);
    let outcome = message(&mut walker).and_then(|()| walker.ended());
    let (at, rest) = (walker.input.pos(), Rest::of(walker.input.records(), size - frame.len().min(size)));
    let failed = |problem| WalkError { problem, at };
    match outcome {
        Ok(()) => Ok((Splice::new(frame, size, scratch).map_err(failed)?, rest)),
        Err(Stop::Problem(problem)) => Err(failed(problem)),
        // No list was around it.
        Err(Stop::Drop(_)) => Err(failed(Problem::Edit)),
    }
}

/// Why a walk does not go on here.
pub(crate) enum Stop {
    Problem(Problem),
    /// To the element of the n-th list around.
    Drop(u8),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(problem)
    }
}

/// A walk under way. Without editor and scratch it skips.
/// There is one for all editors, and not one for each: in a module each would be a copy of all of this.
pub(crate) struct Walker<'f, 'e> {
    pub(crate) input: Input<'f>,
    pub(crate) version: u8,
    pub(crate) flexible: bool,
    editing: Option<(&'e mut dyn Editor, &'e mut Scratch)>,
    /// What the editor is asked about.
    marks: Marks,
    slots: [Option<Value<'f>>; SLOTS],
    /// The fields behind this one in its struct.
    behind: &'static [Field],
    /// The field that holds this one; none in the message itself.
    within: Option<&'static Field>,
    indexes: [u32; DEPTH],
    depth: usize,
}

/// The client id in a request's header.
static CLIENT_ID: Field = Field {
    name: u16::MAX,
    kind: Kind::Text,
    list: false,
    versions: (0, NONE),
    null: (0, NONE),
    tag: NONE,
    mark: Some(Mark::ClientId),
    body: 0,
    least: 0,
    skip: 0,
    keeps: NONE,
    looks_at: [NONE; 2],
    ahead: 0,
    fill: Fill::Default(0),
};

impl<'f, 'e> Walker<'f, 'e> {
    pub(crate) fn new(frame: &'f [u8], editing: Option<(&'e mut dyn Editor, &'e mut Scratch)>) -> Self {
        let input = Input::new(frame);
        let (slots, indexes) = ([None; SLOTS], [0; DEPTH]);
        let marks = editing.as_ref().map_or(Marks::NONE, |(editor, _)| editor.marks());
        Self { input, version: 0, flexible: false, editing, marks, slots, behind: &[], within: None, indexes, depth: 0 }
    }

    /// Why a walk ended that edits nothing, and where.
    pub(crate) fn failed(&self, stop: Stop) -> WalkError {
        let problem = match stop {
            Stop::Problem(problem) => problem,
            Stop::Drop(_) => Problem::Edit,
        };
        WalkError { problem, at: self.input.pos() }
    }

    pub(crate) fn request(&mut self) -> Result<(), Stop> {
        let body = self.request_header()?;
        self.structure(body)
    }

    /// Reads the header, and gives the struct that follows.
    pub(crate) fn request_header(&mut self) -> Result<u16, Stop> {
        let (key, version) = (self.input.i16()?, self.input.i16()?);
        let _correlation = self.input.i32()?;
        let (api, version) = known(key, version)?;
        self.version = version;
        // The client id is never compact.
        self.plain_value(&CLIENT_ID)?;
        self.flexible = api.is_flexible(i16::from(version));
        if self.flexible {
            self.tags(None)?;
        }
        Ok(api.request)
    }

    /// Takes out what stands behind the message.
    fn cut_rest(&mut self) -> Result<(), Stop> {
        let (from, to) = (self.input.pos(), self.input.end());
        if let Some((_, scratch)) = &mut self.editing
            && from < to
        {
            scratch.cut(from, to)?;
            self.input.take(to - from)?;
        }
        Ok(())
    }

    fn response(&mut self, key: i16, version: i16) -> Result<(), Stop> {
        let (api, _) = known(key, version)?;
        let body = self.response_header(api, version)?;
        self.structure(body)
    }

    /// Reads the header of a response in a version that is known, and gives the struct that follows.
    pub(crate) fn response_header(&mut self, api: &Api, version: i16) -> Result<u16, Stop> {
        self.version = api.version(version).ok_or(Problem::UnknownVersion)?;
        let _correlation = self.input.i32()?;
        self.flexible = api.is_flexible(version);
        if api.has_tags_in_header(version) {
            self.tags(None)?;
        }
        if api.key() == API_VERSIONS && Input::i16(&mut self.input.clone()) == Ok(UNSUPPORTED_VERSION) {
            (self.version, self.flexible) = (0, false);
        }
        Ok(api.response)
    }

    /// What follows the fields of the message: its tagged fields, and nothing.
    pub(crate) fn tail(&mut self, id: u16) -> Result<(), Stop> {
        if self.flexible {
            self.tags(Struct::of(id))?;
        }
        self.ended()
    }

    fn ended(&self) -> Result<(), Stop> {
        match (self.input.left(), self.input.ahead()) {
            (0, 0) => Ok(()),
            (0, _) => Err(Problem::Truncated.into()),
            _ => Err(Problem::TrailingBytes.into()),
        }
    }

    /// The fields of a struct, and its tagged fields.
    pub(crate) fn structure(&mut self, id: u16) -> Result<(), Stop> {
        let Some(body) = Struct::of(id) else { return Ok(()) };
        let mut fields = body.plain();
        while let Some((field, behind)) = fields.split_first() {
            fields = behind;
            if !field.is_in(self.version) {
                continue;
            }
            let asked = self.asks(field);
            if field.skip != 0 && !asked {
                self.input.skip(field.skip.into())?;
            } else if field.list {
                self.list(field, asked)?;
            } else if field.kind == Kind::Struct {
                self.inner(field)?;
            } else {
                self.behind = behind;
                self.value(field, asked)?;
            }
        }
        // Nearly always there are none.
        if !self.flexible || self.input.skip_no_tags() { Ok(()) } else { self.tags(Some(body)) }
    }

    /// Whether the editor is asked about it. Without one there are no marks.
    #[inline]
    fn asks(&self, field: &'static Field) -> bool {
        field.mark.is_some_and(|mark| self.marks.contains(mark))
    }

    /// A field that this version has.
    pub(crate) fn field(&mut self, field: &'static Field) -> Result<(), Stop> {
        match field {
            _ if field.list => self.list(field, self.asks(field)),
            _ if field.kind == Kind::Struct => self.inner(field),
            _ => self.plain_value(field),
        }
    }

    /// One struct in another, which has it but where it is null.
    fn inner(&mut self, field: &'static Field) -> Result<(), Stop> {
        if field.may_be_null(self.version) {
            match self.input.i8()? {
                -1 => return Ok(()),
                1 => {}
                _ => return Err(Problem::Struct.into()),
            }
        }
        let outer = self.within.replace(field);
        let outcome = self.structure(field.body);
        self.within = outer;
        outcome
    }

    fn list(&mut self, field: &'static Field, asked: bool) -> Result<(), Stop> {
        let start = self.input.pos();
        let of_structs = field.kind == Kind::Struct;
        let Some(count) = self.input.count(self.flexible)? else {
            if !field.may_be_null(self.version) {
                return Err(Problem::Null.into());
            }
            // A mark of a list of bare values is that of each.
            return if of_structs && asked { self.ask(field, start, Value::Null) } else { Ok(()) };
        };
        let counted = self.input.pos();
        if count.saturating_mul(usize::from(field.least)) > self.input.left().saturating_add(self.input.ahead()) {
            return Err(Problem::Count.into());
        }
        if of_structs {
            if asked {
                self.ask(field, start, Value::List(count))?;
            }
        } else if let (Some(size), false) = (field.kind.size(), asked) {
            return Ok(self.input.skip(count.saturating_mul(size))?);
        }
        let before = self.editing.as_ref().map_or(0, |(_, scratch)| scratch.edits.len());
        let outer = if of_structs { self.within.replace(field) } else { self.within };
        self.depth += 1;
        let kept = self.elements(field, count);
        self.depth -= 1;
        self.within = outer;
        let kept = kept?;
        if kept != count
            && let Some((_, scratch)) = &mut self.editing
        {
            let put = scratch.owned.len();
            put_length(&mut scratch.owned, Some(kept), self.flexible, true)?;
            scratch.put(before, start, counted, put)?;
        }
        Ok(())
    }

    /// How many of them are kept.
    #[inline]
    fn elements(&mut self, field: &'static Field, count: usize) -> Result<usize, Stop> {
        let mut kept = count;
        for n in 0..count {
            let innermost = self.depth.saturating_sub(1);
            if let Some(index) = self.indexes.get_mut(innermost) {
                *index = u32::try_from(n).unwrap_or(u32::MAX);
            }
            let start = self.input.place();
            let rollback = self.editing.as_ref().map(|(_, scratch)| scratch.mark());
            match self.element(field) {
                Ok(()) => {}
                Err(Stop::Drop(1)) => {
                    self.drop_element(field, start, rollback)?;
                    kept -= 1;
                }
                Err(Stop::Drop(lists)) => return Err(Stop::Drop(lists.saturating_sub(1))),
                Err(stop) => return Err(stop),
            }
        }
        Ok(kept)
    }

    pub(crate) fn element(&mut self, field: &'static Field) -> Result<(), Stop> {
        if field.kind == Kind::Struct { self.structure(field.body) } else { self.plain_value(field) }
    }

    /// Undoes what was edited in the element that began at `start`, walks on to its end and cuts it out.
    #[cold]
    fn drop_element(
        &mut self,
        field: &'static Field,
        start: Start,
        rollback: Option<(usize, usize)>,
    ) -> Result<(), Stop> {
        self.input.back_to(start);
        self.unasked(|walker| walker.element(field))?;
        if self.input.records() > 0 {
            // What is left out has to be there.
            return Err(Problem::Truncated.into());
        }
        if let (Some((_, scratch)), Some(rollback)) = (&mut self.editing, rollback) {
            scratch.roll_back(rollback);
            scratch.cut(start.pos(), self.input.pos())?;
        }
        Ok(())
    }

    /// Walks on without the editor.
    fn unasked(&mut self, walk: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        let (editing, marks) = (self.editing.take(), std::mem::replace(&mut self.marks, Marks::NONE));
        let outcome = walk(self);
        (self.editing, self.marks) = (editing, marks);
        outcome
    }

    /// A value that stands apart: in a list, in a tag or before all others.
    fn plain_value(&mut self, field: &'static Field) -> Result<(), Stop> {
        self.value(field, self.asks(field))
    }

    /// A value that is neither a list nor a struct.
    #[inline]
    fn value(&mut self, field: &'static Field, asked: bool) -> Result<(), Stop> {
        let start = self.input.pos();
        let value = match field.kind {
            Kind::Text => self.input.text(self.flexible)?.map_or(Value::Null, Value::Bytes),
            Kind::Bytes => self.input.bytes(self.flexible)?.map_or(Value::Null, Value::Bytes),
            kind => self.input.fixed(kind)?,
        };
        // A list may be null, its elements may not.
        if value == Value::Null && (field.list || !field.may_be_null(self.version)) {
            return Err(Problem::Null.into());
        }
        if field.keeps != NONE
            && let Some(slot) = self.slots.get_mut(usize::from(field.keeps))
        {
            *slot = Some(value);
        }
        if asked { self.ask(field, start, value) } else { Ok(()) }
    }
}
