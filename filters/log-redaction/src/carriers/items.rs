//! Values out of a JSON text that comes in pieces, each handed on whole: items of the outermost array, values one
//! behind the other, or items of an array that is a member of the outermost object. What stands between them goes on as
//! it came.

use partywall_json::{Cursor, Fault, Leaps, Scan};

use super::document::meaning;
use super::refusal::{Cause, Refusal};
use crate::pieces::feed;

const NOT_HERE: Refusal = Refusal::undecodable("a comma, colon, key or bracket that JSON does not have here");
const LARGE: Refusal = Refusal::new(Cause::TooLarge, "a value of the JSON is larger than what is held of it");

/// The most spaces between two values, and the longest key: both are held, and gone through again with each piece until
/// what follows is there.
const MOST_BETWEEN: usize = 4 * 1024;

/// Where the values stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// Items of an array.
    Array,
    /// Objects one behind the other.
    Sequence,
    /// Items of the array that is this member of an object, by either of two names.
    Member(&'static str, &'static str),
}

/// What is handed on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'k> {
    /// One of the values, and where what is in it ends.
    Item(&'k Leaps),
    /// The value of another member of the outermost object, with its key, which stays.
    Other(&'k [u8]),
}

/// Appends what a value becomes, and says whether it stays.
type Take<'a> = dyn FnMut(What<'_>, &[u8], &mut Vec<u8>) -> Result<bool, Refusal> + 'a;

/// Reads one text.
#[derive(Debug)]
pub(crate) struct Items {
    root: Root,
    /// The most bytes of a value.
    cap: usize,
    held: Vec<u8>,
    /// The key of the member that is read.
    key: Vec<u8>,
    scan: Scan,
    leaps: Leaps,
    state: State,
    /// Whether the member was there.
    seen: bool,
    /// What stands before the value that comes, whether one went on, and whether one was left out.
    between: Vec<u8>,
    left: bool,
    gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    Key { may_end: bool },
    Value { ours: bool },
    AfterMember,
    Item { may_end: bool },
    AfterItem,
    Over,
}

impl Items {
    pub(crate) fn new(root: Root, cap: usize) -> Self {
        let state = if root == Root::Sequence { State::Item { may_end: true } } else { State::Begin };
        let (held, key, between, scan) = (Vec::new(), Vec::new(), Vec::new(), Scan::default());
        let leaps = Leaps::default();
        Self { root, cap, held, key, scan, leaps, state, seen: false, between, left: false, gone: false }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len() + self.between.len()
    }

    /// Reads a piece.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
        take: &mut Take<'_>,
    ) -> Result<(), Refusal> {
        let held = std::mem::take(&mut self.held);
        self.held = feed(held, bytes, |bytes| self.read(bytes, out, take))?;
        if self.held.len() > self.cap {
            return Err(LARGE);
        }
        if end { self.finish(out) } else { Ok(()) }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let over = match self.root {
            Root::Sequence => matches!(self.state, State::Item { .. }),
            _ => self.state == State::Over,
        };
        if !over || !self.held.is_empty() {
            return Err(Fault::Cut.into());
        }
        out.append(&mut self.between);
        Ok(())
    }

    fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>, take: &mut Take<'_>) -> Result<usize, Refusal> {
        let mut at = 0;
        while let Some(size) = self.step(bytes.get(at..).unwrap_or_default(), out, take)? {
            at += size;
        }
        Ok(at)
    }

    /// Goes on by a token or value; gives how many bytes that took, and `None` where more must come.
    fn step(&mut self, rest: &[u8], out: &mut Vec<u8>, take: &mut Take<'_>) -> Result<Option<usize>, Refusal> {
        let Some(first) = rest.first().copied() else { return Ok(None) };
        if self.scan.at() == 0 && is_space(first) {
            let spaces = rest.iter().take_while(|byte| is_space(**byte)).count();
            self.between.extend_from_slice(rest.get(..spaces).unwrap_or_default());
            return if self.between.len() > MOST_BETWEEN { Err(LARGE) } else { Ok(Some(spaces)) };
        }
        match (self.state, first) {
            (State::Begin, b'[') if self.root == Root::Array => self.token(first, State::Item { may_end: true }, out),
            (State::Begin, b'{') if matches!(self.root, Root::Member(..)) => {
                self.token(first, State::Key { may_end: true }, out);
            }
            (State::Key { may_end: true } | State::AfterMember, b'}') => self.token(first, State::Over, out),
            (State::AfterMember, b',') => self.token(first, State::Key { may_end: false }, out),
            (State::Key { .. }, b'"') => return self.key(rest, out),
            (State::Value { ours: true }, b'[') => {
                (self.left, self.gone) = (false, false);
                self.token(first, State::Item { may_end: true }, out);
            }
            (State::Value { ours }, _) => {
                let Some(value) = self.value(rest)? else { return Ok(None) };
                if ours && value != b"null" {
                    return Err(Fault::Kind.into());
                }
                out.append(&mut self.between);
                take(What::Other(&self.key), value, out)?;
                self.state = State::AfterMember;
                return Ok(Some(value.len()));
            }
            (State::Item { may_end: true } | State::AfterItem, b']') if self.root != Root::Sequence => {
                let next = if self.root == Root::Array { State::Over } else { State::AfterMember };
                self.token(first, next, out);
            }
            (State::AfterItem, b',') => {
                self.between.push(first);
                self.state = State::Item { may_end: false };
            }
            (State::Item { .. }, _) => {
                if self.root == Root::Sequence && first != b'{' {
                    return Err(Fault::Kind.into());
                }
                let Some(value) = self.value(rest)? else { return Ok(None) };
                self.item(value, out, take)?;
                self.state = if self.root == Root::Sequence { State::Item { may_end: true } } else { State::AfterItem };
                return Ok(Some(value.len()));
            }
            (State::Over, _) => return Err(Refusal::undecodable("something follows the JSON text")),
            _ => return Err(NOT_HERE),
        }
        Ok(Some(1))
    }

    fn token(&mut self, token: u8, next: State, out: &mut Vec<u8>) {
        out.append(&mut self.between);
        out.push(token);
        self.state = next;
    }

    /// One of the values, with what stands before it, if it stays.
    fn item(&mut self, value: &[u8], out: &mut Vec<u8>, take: &mut Take<'_>) -> Result<(), Refusal> {
        let before = out.len();
        // Behind those that are left out nothing stands before the first that stays.
        if self.left || !self.gone {
            out.extend_from_slice(&self.between);
        }
        self.between.clear();
        if take(What::Item(&self.leaps), value, out)? {
            self.left = true;
        } else {
            self.gone = true;
            out.truncate(before);
        }
        Ok(())
    }

    /// A key with its colon.
    fn key(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>, Refusal> {
        let Some(size) = self.scan.end(rest)? else {
            return if rest.len() > MOST_BETWEEN { Err(LARGE) } else { Ok(None) };
        };
        self.scan = Scan::default();
        let spaces = rest.iter().skip(size).take_while(|byte| is_space(**byte)).count();
        if size.max(spaces) > MOST_BETWEEN {
            return Err(LARGE);
        }
        match rest.get(size + spaces) {
            Some(b':') => {}
            Some(_) => return Err(NOT_HERE),
            None => return Ok(None),
        }
        let mut cursor = Cursor::new(rest.get(..size).unwrap_or_default());
        let key = meaning(cursor.text()?);
        let ours = matches!(self.root, Root::Member(a, b) if [a.as_bytes(), b.as_bytes()].contains(&&*key));
        if ours && std::mem::replace(&mut self.seen, true) {
            return Err(Fault::Twice.into());
        }
        self.key.clear();
        self.key.extend_from_slice(&key);
        out.append(&mut self.between);
        out.extend_from_slice(rest.get(..=size + spaces).unwrap_or_default());
        self.state = State::Value { ours };
        Ok(Some(size + spaces + 1))
    }

    /// The value that `rest` begins with, if it is there whole.
    fn value<'r>(&mut self, rest: &'r [u8]) -> Result<Option<&'r [u8]>, Refusal> {
        if self.scan.at() == 0 {
            self.leaps.clear();
        }
        let Some(size) = self.scan.end_with(rest, Some(&mut self.leaps))? else { return Ok(None) };
        if size > self.cap {
            return Err(LARGE);
        }
        self.scan = Scan::default();
        Ok(rest.get(..size))
    }
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}
