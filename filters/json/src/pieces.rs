//! Values out of a text that comes in chunks: of the outermost array its items, of the outermost object its members, of
//! an array among these its items. Each is handed on whole, and is of bounded size; nothing else is held.

use super::cursor::is_space;
use super::{Cursor, Edit, Fault, Field, Outcome, Scan, Shape, decode, rewrite, write};

const NOT_HERE: Fault = Fault::Invalid("a comma, colon, key or bracket that JSON does not have here");

/// The longest key of the outermost object, and the most spaces behind it: both are gone through again with each chunk.
const LONGEST_KEY: usize = 1024;
const MOST_SPACES: usize = 1024;

/// Reads one text of a shape.
#[derive(Debug)]
pub struct Pieces<M: 'static> {
    root: &'static Shape<M>,
    /// Whether all of the text is one value.
    whole: bool,
    /// The most bytes of one value.
    cap: usize,
    /// What came and was not handed on.
    pending: Vec<u8>,
    /// How much of it was looked through for the end of the value that it begins with, and what stands there.
    scan: Scan,
    state: State<M>,
    /// The members of the outermost object that were there.
    seen: u64,
    /// Whether a member, or an item, was written, so that a comma must stand before the next: of the outermost and of
    /// the array in it.
    written: [bool; 2],
}

#[derive(Debug)]
enum State<M: 'static> {
    /// The outermost value, or the next of a sequence.
    Begin,
    /// A key or the end of the outermost object; only a key behind a comma.
    Key { may_end: bool },
    /// The value of a member; with no field one that is left out.
    Member(Option<&'static Field<M>>),
    /// An item or the end of an array.
    Item { item: &'static Shape<M>, may_end: bool },
    /// A comma or the end of an array.
    AfterItem(&'static Shape<M>),
    /// A comma or the end of the object.
    AfterMember,
    /// All of it was there.
    Over,
}

impl<M> Pieces<M> {
    /// Ready for a text of that shape, of which one value has at most `cap` bytes; the text itself where it is `whole`.
    pub fn new(root: &'static Shape<M>, whole: bool, cap: usize) -> Self {
        let (pending, scan, state) = (Vec::new(), Scan::default(), State::Begin);
        Self { root, whole, cap, pending, scan, state, seen: 0, written: [false; 2] }
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    /// Reads `chunk`, and appends to `out` what may go on. After an error nothing more may be asked.
    pub fn read<E: Edit<M>>(&mut self, chunk: &[u8], edit: &mut E, out: &mut Vec<u8>) -> Result<(), E::Error> {
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(chunk);
        let mut rest = pending.as_slice();
        while let Some(used) = self.step(rest, false, edit, out)? {
            rest = rest.get(used..).unwrap_or_default();
        }
        if rest.len() > self.cap {
            return Err(Fault::TooLarge.into());
        }
        let used = pending.len() - rest.len();
        pending.drain(..used);
        self.pending = pending;
        Ok(())
    }

    /// The text ends here. Where nothing came at all it is `empty` that says whether that is good.
    pub fn finish<E: Edit<M>>(&mut self, empty: bool, edit: &mut E, out: &mut Vec<u8>) -> Result<(), E::Error> {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while let Some(used) = self.step(rest, true, edit, out)? {
            rest = rest.get(used..).unwrap_or_default();
        }
        let good = match self.state {
            State::Over => true,
            State::Begin => empty || (matches!(self.root, Shape::Sequence(_)) && self.written[0]),
            _ => false,
        };
        if good && rest.is_empty() { Ok(()) } else { Err(Fault::Cut.into()) }
    }

    /// Goes on by a token or a value; gives how many bytes that took, and `None` where more must come.
    fn step<E: Edit<M>>(
        &mut self,
        rest: &[u8],
        ended: bool,
        edit: &mut E,
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, E::Error> {
        let Some(first) = rest.first().copied() else { return Ok(None) };
        if self.scan.at() == 0 && is_space(first) {
            return Ok(Some(rest.iter().take_while(|byte| is_space(**byte)).count()));
        }
        match self.state {
            State::Over => return Err(Fault::Invalid("something follows the JSON text").into()),
            State::Begin => match (self.root, first) {
                (Shape::List(item), b'[') if !self.whole => {
                    self.state = State::Item { item, may_end: true };
                    out.push(b'[');
                    return Ok(Some(1));
                }
                (Shape::Object(_), b'{') if !self.whole => {
                    self.state = State::Key { may_end: true };
                    out.push(b'{');
                    return Ok(Some(1));
                }
                (Shape::Sequence(item), _) => {
                    let Some(size) = self.end_of_value(rest, ended)? else { return Ok(None) };
                    let before = out.len();
                    if self.written[0] {
                        out.push(b'\n');
                    }
                    if self.value(rest, size, item, 0, edit, out)? {
                        self.written[0] = true;
                    } else {
                        out.truncate(before);
                    }
                    return Ok(Some(size));
                }
                (shape, _) => {
                    let Some(size) = self.end_of_value(rest, ended)? else { return Ok(None) };
                    if !self.value(rest, size, shape, 0, edit, out)? {
                        return Err(E::nothing());
                    }
                    self.state = State::Over;
                    return Ok(Some(size));
                }
            },
            State::Key { may_end } => {
                if first == b'}' && may_end {
                    self.end_object(edit, out)?;
                    return Ok(Some(1));
                }
                if first != b'"' {
                    return Err(NOT_HERE.into());
                }
                return self.key::<E>(rest, out);
            }
            State::Member(field) => {
                if let Some(Field { shape: Shape::List(item), .. }) = field
                    && first == b'['
                {
                    self.state = State::Item { item, may_end: true };
                    self.written[1] = false;
                    out.push(b'[');
                    return Ok(Some(1));
                }
                let Some(size) = self.end_of_value(rest, ended)? else { return Ok(None) };
                match field {
                    Some(field) => {
                        let before = out.len();
                        if !self.value(rest, size, &field.shape, 1, edit, out)? {
                            // Its key may have left by now.
                            out.truncate(before);
                            out.extend_from_slice(b"null");
                        }
                    }
                    None => {
                        Cursor::new(rest.get(..size).unwrap_or_default()).value(1)?;
                    }
                }
                self.state = State::AfterMember;
                return Ok(Some(size));
            }
            State::Item { item, may_end } => {
                if first == b']' && may_end {
                    self.end_list(out);
                    return Ok(Some(1));
                }
                let Some(size) = self.end_of_value(rest, ended)? else { return Ok(None) };
                let level = usize::from(self.in_object());
                let before = out.len();
                let written = self.written.get(level).copied().unwrap_or_default();
                if written {
                    out.push(b',');
                }
                if self.value(rest, size, item, 1 + level, edit, out)? {
                    if let Some(written) = self.written.get_mut(level) {
                        *written = true;
                    }
                } else {
                    out.truncate(before);
                }
                self.state = State::AfterItem(item);
                return Ok(Some(size));
            }
            State::AfterItem(item) => match first {
                b',' => self.state = State::Item { item, may_end: false },
                b']' => self.end_list(out),
                _ => return Err(NOT_HERE.into()),
            },
            State::AfterMember => match first {
                b',' => self.state = State::Key { may_end: false },
                b'}' => self.end_object(edit, out)?,
                _ => return Err(NOT_HERE.into()),
            },
        }
        Ok(Some(1))
    }

    fn in_object(&self) -> bool {
        matches!(self.root, Shape::Object(_))
    }

    fn end_list(&mut self, out: &mut Vec<u8>) {
        out.push(b']');
        self.state = if self.in_object() { State::AfterMember } else { State::Over };
    }

    fn end_object<E: Edit<M>>(&mut self, edit: &mut E, out: &mut Vec<u8>) -> Result<(), E::Error> {
        out.push(b'}');
        self.state = State::Over;
        if let Shape::Object(fields) = self.root { edit.ended(fields) } else { Ok(()) }
    }

    /// A key with its colon.
    fn key<E: Edit<M>>(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>, E::Error> {
        let Some(size) = self.scan.end(rest)? else {
            return if rest.len() > LONGEST_KEY { Err(Fault::TooLarge.into()) } else { Ok(None) };
        };
        let after = rest.get(size..).unwrap_or_default();
        let spaces = after.iter().take_while(|byte| is_space(**byte)).count();
        match after.get(spaces) {
            Some(b':') => {}
            Some(_) => return Err(NOT_HERE.into()),
            // The key is read again, when its colon is there.
            None if spaces > MOST_SPACES => return Err(Fault::TooLarge.into()),
            None => {
                self.scan = Scan::default();
                return Ok(None);
            }
        }
        self.scan = Scan::default();
        let mut key = Vec::new();
        decode(Cursor::new(rest.get(..size).unwrap_or_default()).string()?, &mut key);
        let Shape::Object(fields) = self.root else { return Err(NOT_HERE.into()) };
        let at = fields.iter().position(|field| field.name.as_bytes() == key);
        let field = at.and_then(|at| fields.get(at));
        if let Some(at) = at {
            let bit = 1_u64.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).ok_or(Fault::TooLarge)?;
            if self.seen & bit != 0 {
                return Err(Fault::Twice.into());
            }
            self.seen |= bit;
            if self.written[0] {
                out.push(b',');
            }
            write(&key, out);
            out.push(b':');
            self.written[0] = true;
        } else if !E::LEAVES_OUT {
            return Err(Fault::Unknown.into());
        }
        self.state = State::Member(field);
        Ok(Some(size + spaces + 1))
    }

    /// Where the value ends that `rest` begins with.
    fn end_of_value<E: From<Fault>>(&mut self, rest: &[u8], ended: bool) -> Result<Option<usize>, E> {
        let found = self.scan.end(rest)?;
        // Only the end of the text ends a number that nothing follows.
        let found = found.or_else(|| (ended && self.scan.is_bare()).then_some(rest.len()));
        match found {
            Some(size) if size > self.cap => Err(Fault::TooLarge.into()),
            Some(size) => {
                self.scan = Scan::default();
                Ok(Some(size))
            }
            None => Ok(None),
        }
    }

    /// Writes a value; `false` where it is left out.
    fn value<E: Edit<M>>(
        &self,
        rest: &[u8],
        size: usize,
        shape: &'static Shape<M>,
        depth: usize,
        edit: &mut E,
        out: &mut Vec<u8>,
    ) -> Result<bool, E::Error> {
        let value = rest.get(..size).unwrap_or_default();
        Ok(rewrite(value, shape, depth, edit, out)? == Outcome::Written)
    }
}
