//! Answers that no broker gave: to a request that is denied, in the form that its client expects.

use super::header::known;
use super::input::{Input, put_length};
use super::layout::{API_VERSIONS, Api, Field, Fill, ITEM, Kind, NONE, Struct};
use super::problem::{Problem, WalkError};
use super::walk::{Stop, Walker};

/// Which error codes of an answer are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// That of each topic, partition, group or other thing that the request names; where an API's answers have none,
    /// that of the whole.
    Each,
    /// That of the whole, and nothing is listed; where the version has none, as [`Reach::Each`].
    Whole,
}

/// The response to `request`, given without its length, with `code` as the error: a whole frame, appended to `out` with
/// its length. What the request names stands where the answer names it; everything else is null, empty or what Kafka
/// means by "unknown".
///
/// An answer can be some thirty times as long as its request, where names are empty. With its length it has `largest`
/// bytes at most.
///
/// ApiVersions of a version that is not in the table is answered in version 0, as brokers do.
///
/// # Errors
///
/// A request that [`request`](super::request) refuses as well, except for its last bytes: only what is mirrored is
/// read. [`Problem::TooLong`] where the answer is longer than `largest`.
pub fn answer(request: &[u8], code: i16, reach: Reach, largest: usize, out: &mut Vec<u8>) -> Result<(), WalkError> {
    let mut walker: Walker<'_, '_> = Walker::new(request, None);
    let start = out.len();
    let end = start.saturating_add(largest);
    let outcome = respond(&mut walker, request, code, reach, end, out);
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome.map_err(|stop| walker.failed(stop))
}

fn respond(
    walker: &mut Walker<'_, '_>,
    request: &[u8],
    code: i16,
    reach: Reach,
    end: usize,
    out: &mut Vec<u8>,
) -> Result<(), Stop> {
    let header = super::RequestHeader::read(request).map_err(|error| error.problem)?;
    let start = out.len();
    let (api, version) = match known(header.api, header.version) {
        Err(Problem::UnknownVersion) if header.api == API_VERSIONS => {
            // The length, and a list of nothing.
            out.extend([0, 0, 0, 10]);
            out.extend(header.correlation.to_be_bytes());
            out.extend(code.to_be_bytes());
            out.extend([0; 4]);
            return Ok(());
        }
        known => known?,
    };
    let body = walker.request_header()?;
    out.extend([0; 4]);
    out.extend(header.correlation.to_be_bytes());
    if api.has_tags_in_header(header.version) {
        out.push(0);
    }
    let whole = whole(api, version).filter(|_| reach == Reach::Whole);
    let mut answer = Answer { walker, code, whole, end, out };
    answer.structure(api.response, Some(Origin { body: Some(body), start: answer.walker.input, list: 0 }))?;
    let length = i32::try_from(out.len() - start - 4).map_err(|_| Problem::TooLong)?;
    if let Some(prefix) = out.get_mut(start..start + 4) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// The error of a whole response.
fn whole(api: &Api, version: u8) -> Option<&'static Field> {
    let fields = Struct::of(api.response)?.plain();
    fields.iter().find(|field| field.is_in(version) && field.mark == Some(super::Mark::Error))
}

/// An element of the request that an element of the answer mirrors.
#[derive(Clone, Copy)]
struct Origin<'f> {
    /// Its struct, or `None` for a bare value.
    body: Option<u16>,
    /// Where it begins.
    start: Input<'f>,
    /// Which of the lists that are mirrored it is from.
    list: usize,
}

struct Answer<'w, 'f, 'e, 'o> {
    walker: &'w mut Walker<'f, 'e>,
    code: i16,
    /// The only field that gets the code.
    whole: Option<&'static Field>,
    /// Where the answer must end.
    end: usize,
    out: &'o mut Vec<u8>,
}

impl<'f> Answer<'_, 'f, '_, '_> {
    fn structure(&mut self, id: u16, origin: Option<Origin<'f>>) -> Result<(), Stop> {
        let Some(body) = Struct::of(id) else { return Ok(()) };
        for field in body.plain() {
            if field.is_in(self.walker.version) {
                self.field(field, origin)?;
            }
        }
        if self.walker.flexible {
            self.out.push(0);
        }
        // A field that is copied is no longer than the request, so this is not late by more than that.
        if self.out.len() > self.end { Err(Problem::TooLong.into()) } else { Ok(()) }
    }

    fn field(&mut self, field: &'static Field, origin: Option<Origin<'f>>) -> Result<(), Stop> {
        let whole = self.whole.is_some_and(|whole| std::ptr::eq(whole, field));
        match (&field.fill, origin) {
            _ if whole => self.number(field.kind, self.code.into()),
            (Fill::Code, _) if self.whole.is_none() => self.number(field.kind, self.code.into()),
            (Fill::Each(lists), Some(origin)) if self.whole.is_none() => return self.each(field, *lists, origin),
            (Fill::Same(fields), Some(origin)) => return self.same(field, *fields, origin),
            (Fill::Default(number), _) => return self.default(field, *number),
            _ => return self.default(field, 0),
        }
        Ok(())
    }

    /// One element for each of the request's.
    fn each(&mut self, field: &'static Field, lists: [u8; 2], origin: Origin<'f>) -> Result<(), Stop> {
        let mut found = [None; 2];
        let mut total = 0_usize;
        for (place, list) in found.iter_mut().zip(lists) {
            let Some(list) = self.find(list, origin)? else { continue };
            let count = self.walker.input.count(self.walker.flexible)?.unwrap_or(0);
            if count.saturating_mul(usize::from(list.least)) > self.walker.input.left() {
                return Err(Problem::Count.into());
            }
            total = total.saturating_add(count);
            *place = Some((list, count, self.walker.input));
        }
        put_length(self.out, Some(total), self.walker.flexible, true)?;
        for (n, found) in found.into_iter().enumerate() {
            let Some((list, count, mut start)) = found else { continue };
            let body = (list.kind == Kind::Struct).then_some(list.body);
            for _ in 0..count {
                self.structure(field.body, Some(Origin { body, start, list: n }))?;
                self.walker.input = start;
                self.walker.element(list)?;
                start = self.walker.input;
            }
        }
        Ok(())
    }

    /// What the request says.
    fn same(&mut self, field: &'static Field, fields: [u8; 2], origin: Origin<'f>) -> Result<(), Stop> {
        let wanted = fields.get(origin.list).copied().unwrap_or(NONE);
        let size = match (wanted, origin.body) {
            (ITEM, None) => {
                self.walker.input = origin.start;
                field.kind.size()
            }
            _ if self.find(wanted, origin)?.is_some() => field.kind.size(),
            _ => return self.default(field, 0),
        };
        let flexible = self.walker.flexible;
        let input = &mut self.walker.input;
        if let Some(size) = size {
            self.out.extend(input.take(size)?);
            return Ok(());
        }
        let (text, wide) = match field.kind {
            Kind::Text => (input.text(flexible)?, false),
            _ => (input.bytes(flexible)?, true),
        };
        let null = text.is_none() && field.may_be_null(self.walker.version);
        let text = text.unwrap_or_default();
        put_length(self.out, (!null).then_some(text.len()), flexible, wide)?;
        self.out.extend(text);
        Ok(())
    }

    /// Goes to the field of the request's element, where this version has it.
    fn find(&mut self, wanted: u8, origin: Origin<'f>) -> Result<Option<&'static Field>, Stop> {
        let Some(body) = origin.body.and_then(Struct::of) else { return Ok(None) };
        self.walker.input = origin.start;
        for (n, field) in body.plain().iter().enumerate() {
            let here = field.is_in(self.walker.version);
            if n == usize::from(wanted) {
                return Ok(here.then_some(field));
            }
            if here {
                self.walker.field(field)?;
            }
        }
        Ok(None)
    }

    fn default(&mut self, field: &'static Field, number: i32) -> Result<(), Stop> {
        let flexible = self.walker.flexible;
        let null = field.may_be_null(self.walker.version);
        let length = (!null).then_some(0);
        match field.kind {
            _ if field.list => put_length(self.out, length, flexible, true)?,
            Kind::Text => put_length(self.out, length, flexible, false)?,
            Kind::Bytes => put_length(self.out, length, flexible, true)?,
            Kind::Struct if null => self.out.push(u8::MAX),
            Kind::Struct => self.structure(field.body, None)?,
            kind => self.number(kind, number),
        }
        Ok(())
    }

    /// The number in the size of its kind; a uuid is zero.
    fn number(&mut self, kind: Kind, number: i32) {
        let wide = i128::from(number).to_be_bytes();
        let size = kind.size().unwrap_or(0);
        self.out.extend(wide.get(wide.len() - size..).unwrap_or_default());
    }
}
