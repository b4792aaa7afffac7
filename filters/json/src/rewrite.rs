//! Writing a value anew that is there whole, as an editor wants it.

use super::{Cursor, Fault, Field, MAX_DEPTH, Shape, decode};

/// What becomes of a value that an editor was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<E> {
    /// It stays as it came.
    Keep,
    /// What the editor wrote, JSON itself, stands in its place.
    Written,
    /// The member is left out.
    Omit,
    /// The element of the list around it is left out.
    Drop,
    /// Nothing goes on.
    Refuse(E),
}

/// A value that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest<'v> {
    /// A text, as what it means.
    Text(&'v [u8]),
    /// Anything else but null: as it is written.
    Other(&'v [u8]),
}

/// Decides about what is marked.
pub trait Edit<M> {
    /// Why it may refuse.
    type Error: From<Fault>;

    /// Whether keys that no shape has are left out. Otherwise they are refused.
    const LEAVES_OUT: bool;

    /// Whether others of an object depend on this one, so that it is told before them.
    fn leads(mark: &M) -> bool;

    /// It is told, before the object that holds it is gone through, whatever the order in it.
    fn lead(&mut self, mark: &M, value: Option<Rest<'_>>);

    /// The object that was led is over.
    fn leave(&mut self);

    /// What becomes of one that is not null.
    fn marked(&mut self, mark: &M, value: Rest<'_>, out: &mut Vec<u8>) -> Verdict<Self::Error>;

    /// Why nothing goes on, where the outermost value is left out.
    fn nothing() -> Self::Error;

    /// An object ended whose members are these; it is not left yet, where it was led.
    ///
    /// # Errors
    ///
    /// Why nothing goes on.
    fn ended(&mut self, fields: &'static [Field<M>]) -> Result<(), Self::Error> {
        let _ = fields;
        Ok(())
    }
}

/// What came of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was written.
    Written,
    /// The member is left out.
    Omit,
    /// The element around it is left out.
    Drop,
}

/// Appends what becomes of `value`, which is one value and nothing else, at this depth of a text. Where it is left out
/// something of it may have been written.
pub fn rewrite<M, E: Edit<M>>(
    value: &[u8],
    shape: &'static Shape<M>,
    depth: usize,
    edit: &mut E,
    out: &mut Vec<u8>,
) -> Result<Outcome, E::Error> {
    let mut cursor = Cursor::new(value);
    let outcome = one(&mut cursor, shape, depth, edit, out)?;
    cursor.end()?;
    Ok(outcome)
}

fn one<M, E: Edit<M>>(
    cursor: &mut Cursor<'_>,
    shape: &'static Shape<M>,
    depth: usize,
    edit: &mut E,
    out: &mut Vec<u8>,
) -> Result<Outcome, E::Error> {
    let first = cursor.peek().ok_or(Fault::Cut)?;
    match (shape, first) {
        (Shape::Object(fields), b'{') => return object(cursor, fields, depth, edit, out),
        (Shape::List(item), b'[') => return list(cursor, item, depth, edit, out),
        (Shape::Any, _) | (Shape::Plain, b'"' | b't' | b'f' | b'-' | b'0'..=b'9') | (_, b'n') => {
            out.extend_from_slice(cursor.value(depth)?);
        }
        (Shape::Marked(mark), b'"') => {
            let written = cursor.string()?;
            let mut meaning = Vec::new();
            decode(written, &mut meaning);
            let kept = |out: &mut Vec<u8>| {
                out.push(b'"');
                out.extend_from_slice(written);
                out.push(b'"');
            };
            return marked(mark, Rest::Text(&meaning), kept, edit, out);
        }
        (Shape::Marked(mark), _) => {
            let written = cursor.value(depth)?;
            return marked(mark, Rest::Other(written), |out| out.extend_from_slice(written), edit, out);
        }
        _ => return Err(Fault::Kind.into()),
    }
    Ok(Outcome::Written)
}

fn marked<M, E: Edit<M>>(
    mark: &M,
    value: Rest<'_>,
    keep: impl FnOnce(&mut Vec<u8>),
    edit: &mut E,
    out: &mut Vec<u8>,
) -> Result<Outcome, E::Error> {
    let before = out.len();
    match edit.marked(mark, value, out) {
        Verdict::Written => Ok(Outcome::Written),
        Verdict::Keep => {
            out.truncate(before);
            keep(out);
            Ok(Outcome::Written)
        }
        Verdict::Omit => Ok(Outcome::Omit),
        Verdict::Drop => Ok(Outcome::Drop),
        Verdict::Refuse(error) => Err(error),
    }
}

fn list<M, E: Edit<M>>(
    cursor: &mut Cursor<'_>,
    item: &'static Shape<M>,
    depth: usize,
    edit: &mut E,
    out: &mut Vec<u8>,
) -> Result<Outcome, E::Error> {
    if depth >= MAX_DEPTH {
        return Err(Fault::TooDeep.into());
    }
    cursor.expect(b'[')?;
    out.push(b'[');
    let begin = out.len();
    if !cursor.take(b']') {
        loop {
            let before = out.len();
            if before > begin {
                out.push(b',');
            }
            if one(cursor, item, depth + 1, edit, out)? != Outcome::Written {
                out.truncate(before);
            }
            if cursor.take(b']') {
                break;
            }
            cursor.expect(b',')?;
        }
    }
    out.push(b']');
    Ok(Outcome::Written)
}

fn object<M, E: Edit<M>>(
    cursor: &mut Cursor<'_>,
    fields: &'static [Field<M>],
    depth: usize,
    edit: &mut E,
    out: &mut Vec<u8>,
) -> Result<Outcome, E::Error> {
    if depth >= MAX_DEPTH {
        return Err(Fault::TooDeep.into());
    }
    let led = lead(*cursor, fields, depth, edit)?;
    cursor.expect(b'{')?;
    out.push(b'{');
    let begin = out.len();
    let mut seen = 0_u64;
    let mut outcome = Outcome::Written;
    let mut key = Vec::new();
    if !cursor.take(b'}') {
        loop {
            let written = cursor.string()?;
            cursor.expect(b':')?;
            key.clear();
            decode(written, &mut key);
            match fields.iter().position(|field| field.name.as_bytes() == key) {
                Some(at) => {
                    let bit = 1_u64.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).ok_or(Fault::TooLarge)?;
                    if seen & bit != 0 {
                        return Err(Fault::Twice.into());
                    }
                    seen |= bit;
                    let Some(field) = fields.get(at) else { return Err(Fault::Unknown.into()) };
                    let before = out.len();
                    if before > begin {
                        out.push(b',');
                    }
                    super::write(&key, out);
                    out.push(b':');
                    match one(cursor, &field.shape, depth + 1, edit, out)? {
                        Outcome::Written => {}
                        Outcome::Omit => out.truncate(before),
                        // What is left of it is still read: it must be JSON.
                        Outcome::Drop => outcome = Outcome::Drop,
                    }
                }
                None if E::LEAVES_OUT => {
                    cursor.value(depth + 1)?;
                }
                None => return Err(Fault::Unknown.into()),
            }
            if cursor.take(b'}') {
                break;
            }
            cursor.expect(b',')?;
        }
    }
    out.push(b'}');
    edit.ended(fields)?;
    if led {
        edit.leave();
    }
    Ok(outcome)
}

/// Tells the editor what the members of an object depend on, if they may. The cursor is a copy: nothing is read by this.
fn lead<M, E: Edit<M>>(
    mut cursor: Cursor<'_>,
    fields: &'static [Field<M>],
    depth: usize,
    edit: &mut E,
) -> Result<bool, E::Error> {
    let leading = fields.iter().find_map(|field| match &field.shape {
        Shape::Marked(mark) if E::leads(mark) => Some((field.name.as_bytes(), mark)),
        _ => None,
    });
    let Some((name, mark)) = leading else { return Ok(false) };
    cursor.expect(b'{')?;
    let mut key = Vec::new();
    while !cursor.take(b'}') {
        let written = cursor.string()?;
        cursor.expect(b':')?;
        key.clear();
        decode(written, &mut key);
        let value = cursor.value(depth + 1)?;
        if key == name {
            let mut meaning = Vec::new();
            match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
                Some(text) => decode(text, &mut meaning),
                None => {
                    edit.lead(mark, (value != b"null").then_some(Rest::Other(value)));
                    return Ok(true);
                }
            }
            edit.lead(mark, Some(Rest::Text(&meaning)));
            return Ok(true);
        }
        if !cursor.take(b',') && cursor.peek() != Some(b'}') {
            return Err(Fault::Invalid("a comma, colon, key or bracket that JSON does not have here").into());
        }
    }
    edit.lead(mark, None);
    Ok(true)
}
