//! Frames in which nothing is out of the ordinary, walked by a program that was made from the table once: nearly all of
//! what producers and consumers say. What is edited is written where it goes at once.
//!
//! ```text
//! table ─► Program of one version ─► skip 6 ┆ name ┆ list ┆ skip 22 ┆ records ┆ end ┆ ... ─► goes on, edited
//!                                                │ anything else, or anything wrong
//!                                                ▼
//!                            the walk, which understands all and says what is wrong
//! ```
//!
//! INVARIANT: what goes on by a program is, byte for byte, what the walk makes of the frame with an editor that says the
//! same. Whoever runs one throws away what it wrote where it ends with `None`, and walks.

use super::header::known;
use super::input::{Input, LONGEST_TEXT, put_length};
use super::layout::{Field, Kind, Struct};
use super::mark::Mark;

/// Says what the names in a frame become.
pub(crate) trait Names {
    /// Appends what stands instead of a client id.
    fn client(&mut self, id: Option<&[u8]>, out: &mut Vec<u8>);

    /// What stands instead of a topic's name; `None` where more is to be done than to write it.
    fn topic(&mut self, name: &[u8]) -> Option<&[u8]>;

    /// Whether an id of a topic stays.
    fn topic_id(&mut self, id: [u8; 16]) -> bool;

    /// Whether a number stays, which stands at one of [`TOLD`].
    fn number(&mut self, mark: Mark, number: i64) -> bool;

    /// There are records.
    fn records(&mut self);
}

/// Where the frame goes.
pub(crate) trait Sink {
    /// A run of it as it is.
    fn put(&mut self, run: &[u8]);

    /// Where what is written goes.
    fn out(&mut self) -> &mut Vec<u8>;
}

/// The marks whose numbers are told.
const TOLD: [Mark; 4] = [Mark::Acks, Mark::Replica, Mark::Session, Mark::SessionEpoch];
/// How many lists stand in each other at most.
const DEPTH: usize = 4;
/// How many steps a program has at most.
const OPS: usize = 64;
/// What an edit counts, in bytes, besides what it writes: as in a walk.
const EDIT: usize = 16;
/// The size of a frame's length.
const PREFIX: usize = 4;

/// A step of a program. What is nullable may be null, and is then left as it is.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Bytes at which nobody looks.
    Skip(u16),
    Text {
        nullable: bool,
    },
    Bytes {
        nullable: bool,
        told: bool,
    },
    /// A string that is null.
    Null,
    Topic,
    Id,
    Number(Mark, Kind),
    /// A list, with the least size of an element and the step behind its [`Op::End`].
    List {
        nullable: bool,
        least: u8,
        behind: u8,
    },
    /// An element ends.
    End,
    /// A list without elements.
    Empty,
    /// No tags.
    Tags,
}

/// How the frames of one API and version go, in one direction.
#[derive(Debug)]
pub(crate) struct Program {
    api: i16,
    version: i16,
    is_request: bool,
    flexible: bool,
    /// Whether tags stand behind the header.
    tags: bool,
    ops: Vec<Op>,
}

impl Program {
    /// `None` for what has no plain frames, and for what is not in the table.
    pub(crate) fn new(api: i16, version: i16, is_request: bool) -> Option<Self> {
        let (of, narrow) = known(api, version).ok()?;
        let flexible = of.is_flexible(version);
        let (body, tags) =
            if is_request { (of.request, flexible) } else { (of.response, of.has_tags_in_header(version)) };
        let mut program = Self { api, version, is_request, flexible, tags, ops: Vec::new() };
        program.structure(body, narrow)?;
        Some(program)
    }

    /// Whether it is that of these frames.
    pub(crate) fn is_of(&self, api: i16, version: i16, is_request: bool) -> bool {
        (self.api, self.version, self.is_request) == (api, version, is_request)
    }

    fn structure(&mut self, body: u16, version: u8) -> Option<()> {
        for field in Struct::of(body)?.plain() {
            if field.is_in(version) {
                self.field(field, version)?;
            }
        }
        if self.flexible {
            self.ops.push(Op::Tags);
        }
        (self.ops.len() <= OPS).then_some(())
    }

    fn field(&mut self, field: &'static Field, version: u8) -> Option<()> {
        let nullable = field.may_be_null(version);
        let op = match (field.kind, field.mark) {
            (Kind::Struct, None | Some(Mark::Topics)) if field.list => return self.list(field, version, nullable),
            _ if field.list => return None,
            (Kind::Text, None) => Op::Text { nullable },
            (Kind::Text, Some(Mark::Topic)) if !nullable => Op::Topic,
            (Kind::Text, Some(Mark::Transaction | Mark::Message)) if nullable => Op::Null,
            (Kind::Bytes, mark @ (None | Some(Mark::Records))) => Op::Bytes { nullable, told: mark.is_some() },
            (Kind::Uuid, Some(Mark::TopicId)) => Op::Id,
            (kind, Some(mark)) if TOLD.contains(&mark) => Op::Number(mark, kind),
            (kind, None | Some(Mark::Error | Mark::Partition)) => {
                let size = u16::try_from(kind.size()?).ok()?;
                if let Some(Op::Skip(before)) = self.ops.last_mut() {
                    *before = before.checked_add(size)?;
                    return Some(());
                }
                Op::Skip(size)
            }
            _ => return None,
        };
        self.ops.push(op);
        Some(())
    }

    fn list(&mut self, field: &'static Field, version: u8, nullable: bool) -> Option<()> {
        // What is to be forgotten is treated otherwise than what is asked for.
        if field.name() == "ForgottenTopicsData" {
            self.ops.push(Op::Empty);
            return Some(());
        }
        let at = self.ops.len();
        self.ops.push(Op::End);
        self.structure(field.body, version)?;
        self.ops.push(Op::End);
        let behind = u8::try_from(self.ops.len()).ok()?;
        *self.ops.get_mut(at)? = Op::List { nullable, least: field.least, behind };
        Some(())
    }

    /// Writes what goes on of a frame, given without its length, with its length. What is edited may take `largest` bytes.
    pub(crate) fn run(&self, frame: &[u8], names: &mut dyn Names, largest: usize, sink: &mut impl Sink) -> Option<()> {
        let prefix = sink.out().len();
        sink.out().extend_from_slice(&[0; PREFIX]);
        let mut edits = Edits { frame, from: 0, size: frame.len(), left: largest };
        let mut rest;
        if self.is_request {
            // API, version and correlation.
            rest = Rest(frame.get(8..)?);
            let start = edits.begin(rest, sink)?;
            let id = rest.text(false)?;
            let out = sink.out();
            let at = out.len();
            out.extend_from_slice(&[0; 2]);
            names.client(id, out);
            let written = out.len().saturating_sub(at);
            let length = i16::try_from(written.saturating_sub(2)).ok()?.to_be_bytes();
            out.get_mut(at..)?.first_chunk_mut().map(|place| *place = length)?;
            edits.end(start, rest, written)?;
        } else {
            rest = Rest(frame.get(4..)?);
        }
        if self.tags {
            rest.no_tags()?;
        }
        self.body(rest, names, &mut edits, sink)?;
        sink.put(frame.get(edits.from..)?);
        let size = i32::try_from(edits.size).ok()?.to_be_bytes();
        sink.out().get_mut(prefix..)?.first_chunk_mut().map(|place| *place = size)
    }

    fn body<'f>(
        &self,
        mut rest: Rest<'f>,
        names: &mut dyn Names,
        edits: &mut Edits<'f>,
        sink: &mut impl Sink,
    ) -> Option<()> {
        let flexible = self.flexible;
        // Of each list around, its first step, and how many elements are left.
        let mut around = [(0, 0); DEPTH];
        let mut depth = 0;
        let mut at = 0;
        while let Some(op) = self.ops.get(at) {
            at += 1;
            match *op {
                Op::Skip(size) => {
                    rest.take(size.into())?;
                }
                Op::Text { nullable } => {
                    if rest.text(flexible)?.is_none() && !nullable {
                        return None;
                    }
                }
                Op::Bytes { nullable, told } => match rest.bytes(flexible)? {
                    None if !nullable => return None,
                    Some([_, ..]) if told => names.records(),
                    _ => {}
                },
                Op::Null => {
                    if rest.text(flexible)?.is_some() {
                        return None;
                    }
                }
                Op::Topic => {
                    let here = rest;
                    let new = names.topic(rest.text(flexible)??)?;
                    if new.len() > LONGEST_TEXT {
                        return None;
                    }
                    let start = edits.begin(here, sink)?;
                    let out = sink.out();
                    let before = out.len();
                    put_length(out, Some(new.len()), flexible, false).ok()?;
                    out.extend_from_slice(new);
                    edits.end(start, rest, out.len() - before)?;
                }
                Op::Id => {
                    if !names.topic_id(rest.take(16)?.try_into().ok()?) {
                        return None;
                    }
                }
                Op::Number(mark, kind) => {
                    let bytes = rest.take(kind.size()?)?;
                    if !names.number(mark, Input::new(bytes).fixed(kind).ok()?.number()?) {
                        return None;
                    }
                }
                Op::List { nullable, least, behind } => match rest.length(flexible, true)? {
                    None if !nullable => return None,
                    None | Some(0) => at = behind.into(),
                    Some(count) if count.saturating_mul(least.into()) > rest.0.len() => return None,
                    Some(count) => {
                        *around.get_mut(depth)? = (at, count);
                        depth += 1;
                    }
                },
                Op::End => {
                    let (first, left) = around.get_mut(depth.checked_sub(1)?)?;
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        depth -= 1;
                    } else {
                        at = *first;
                    }
                }
                Op::Empty => {
                    if rest.length(flexible, true)? != Some(0) {
                        return None;
                    }
                }
                Op::Tags => rest.no_tags()?,
            }
        }
        rest.0.is_empty().then_some(())
    }
}

/// What is yet to be read of a frame: an [`Input`] in two registers, of which every problem is `None`.
#[derive(Clone, Copy)]
struct Rest<'f>(&'f [u8]);

impl<'f> Rest<'f> {
    #[inline]
    fn take(&mut self, size: usize) -> Option<&'f [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }

    /// An empty list of tags.
    #[inline]
    fn no_tags(&mut self) -> Option<()> {
        let (0, rest) = self.0.split_first()? else { return None };
        self.0 = rest;
        Some(())
    }

    /// As an [`Input`] reads the length of a string, or of bytes and lists, which are `wide`.
    #[inline]
    fn length(&mut self, compact: bool, wide: bool) -> Option<Option<usize>> {
        let (length, rest) = match (compact, self.0) {
            (true, [byte @ ..0x80, rest @ ..]) => (i64::from(*byte) - 1, rest),
            (true, long) => {
                let (length, size) = varint(long)?;
                (i64::from(length) - 1, long.get(size..)?)
            }
            (false, [a, b, c, d, rest @ ..]) if wide => (i32::from_be_bytes([*a, *b, *c, *d]).into(), rest),
            (false, [a, b, rest @ ..]) if !wide => (i16::from_be_bytes([*a, *b]).into(), rest),
            _ => return None,
        };
        self.0 = rest;
        if length == -1 { Some(None) } else { usize::try_from(length).ok().map(Some) }
    }

    #[inline]
    fn text(&mut self, compact: bool) -> Option<Option<&'f [u8]>> {
        match self.length(compact, false)? {
            Some(length) if length > LONGEST_TEXT => None,
            Some(length) => self.take(length).map(Some),
            None => Some(None),
        }
    }

    #[inline]
    fn bytes(&mut self, compact: bool) -> Option<Option<&'f [u8]>> {
        match self.length(compact, true)? {
            Some(length) => self.take(length).map(Some),
            None => Some(None),
        }
    }
}

/// A varint that begins here, and its size.
fn varint(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut input = Input::new(bytes);
    input.varint().ok().map(|value| (value, input.pos()))
}

/// How far a frame was written, and how long what was written is.
struct Edits<'f> {
    frame: &'f [u8],
    from: usize,
    size: usize,
    /// How many bytes edits may still take.
    left: usize,
}

impl Edits<'_> {
    /// Something else is written next for what begins at `rest`; where that is.
    #[inline]
    fn begin(&self, rest: Rest<'_>, sink: &mut impl Sink) -> Option<usize> {
        let start = self.frame.len().checked_sub(rest.0.len())?;
        sink.put(self.frame.get(self.from..start)?);
        Some(start)
    }

    /// It was: so many bytes for those from `start` to `rest`.
    #[inline]
    fn end(&mut self, start: usize, rest: Rest<'_>, written: usize) -> Option<()> {
        self.from = self.frame.len().checked_sub(rest.0.len())?;
        self.size = self.size.checked_add(written)?.checked_sub(self.from.checked_sub(start)?)?;
        self.left = self.left.checked_sub(written.checked_add(EDIT)?)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::codec::{Editor, Marks, Place, Scratch, Verdict, request, response};

    /// Puts `acme.` before names.
    #[derive(Default)]
    struct Prefix {
        topic: Vec<u8>,
        acks: Option<i64>,
        records: bool,
    }

    impl Names for Prefix {
        fn client(&mut self, id: Option<&[u8]>, out: &mut Vec<u8>) {
            out.extend([b"acme.", id.unwrap_or_default()].concat());
        }

        fn topic(&mut self, name: &[u8]) -> Option<&[u8]> {
            self.topic = [b"acme.", name].concat();
            (!name.starts_with(b"odd")).then_some(&self.topic)
        }

        fn topic_id(&mut self, id: [u8; 16]) -> bool {
            id[0] != 9
        }

        fn number(&mut self, mark: Mark, number: i64) -> bool {
            if mark == Mark::Acks {
                self.acks = Some(number);
            }
            true
        }

        fn records(&mut self) {
            self.records = true;
        }
    }

    impl Editor for Prefix {
        fn marks(&self) -> Marks {
            Marks::of(&[Mark::ClientId, Mark::Topic])
        }

        fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
            new.extend([b"acme.", place.bytes().unwrap_or_default()].concat());
            Verdict::Replace
        }
    }

    impl Sink for Vec<u8> {
        fn put(&mut self, run: &[u8]) {
            self.extend_from_slice(run);
        }

        fn out(&mut self) -> &mut Vec<u8> {
            self
        }
    }

    const PRODUCE: &[u8] = b"\0\0\0\x03\0\0\0\x07\0\x03app\xff\xff\0\x01\0\0\0\x09\0\0\0\x02\0\x06orders\0\0\0\x02\
        \0\0\0\x05\0\0\0\x03abc\0\0\0\x06\0\0\0\0\0\x01x\0\0\0\0";
    const FETCHED: &[u8] = b"\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\x02\x07orders\x02\0\0\0\x05\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x04abc\0\0\0";

    fn run(program: &Program, frame: &[u8], largest: usize) -> Option<(Vec<u8>, Prefix)> {
        let (mut out, mut prefix) = (b"before".to_vec(), Prefix::default());
        program.run(frame, &mut prefix, largest, &mut out)?;
        Some((out.split_off(6), prefix))
    }

    #[test]
    fn plain_frames_go_as_in_a_walk() {
        let program = Program::new(0, 3, true).unwrap();
        let (out, prefix) = run(&program, PRODUCE, 1000).unwrap();
        assert_eq!(out, request(PRODUCE, &mut Prefix::default(), &mut Scratch::default()).unwrap().to_vec());
        assert_eq!((prefix.acks, prefix.records), (Some(1), true));
        let program = Program::new(1, 12, false).unwrap();
        let (out, prefix) = run(&program, FETCHED, 1000).unwrap();
        assert_eq!(out, response(1, 12, FETCHED, &mut Prefix::default(), &mut Scratch::default()).unwrap().to_vec());
        assert!(prefix.records);
    }

    #[test]
    fn all_else_is_for_a_walk() {
        let program = Program::new(0, 3, true).unwrap();
        for end in 0..PRODUCE.len() {
            assert!(run(&program, &PRODUCE[..end], 1000).is_none(), "{end}");
        }
        let instead = |at: usize, bytes: &[u8]| {
            let frame = [&PRODUCE[..at], bytes, &PRODUCE[at + bytes.len()..]].concat();
            run(&program, &frame, 1000).is_none()
        };
        assert!(!instead(21, b"\0\0\0\x02"), "as it was");
        assert!(instead(13, b"\0\0"), "a transactional id");
        assert!(instead(21, b"\xff\xff\xff\xff"), "no list");
        assert!(instead(21, b"\x7f\xff\xff\xff"), "more than there can be");
        assert!(instead(27, b"odder"), "a name of which there is more to say");
        assert!(run(&program, &[PRODUCE, b"\0"].concat(), 1000).is_none(), "something behind it");
        // A client id and two topics, each with a length.
        let edits = 3 * (EDIT + 2) + b"acme.app".len() + b"acme.orders".len() + b"acme.x".len();
        assert!(run(&program, PRODUCE, edits).is_some());
        assert!(run(&program, PRODUCE, edits - 1).is_none(), "more than edits may take");
    }

    #[test]
    fn each_version_of_produce_and_fetch_has_one() {
        for api in [0, 1] {
            for version in super::super::layout::Api::of(api).unwrap().versions() {
                for is_request in [true, false] {
                    let program = Program::new(api, version, is_request).unwrap();
                    assert!(program.ops.len() <= OPS / 2, "{api} {version}: {:?}", program.ops);
                }
            }
        }
        assert!(Program::new(0, 99, true).is_none());
        assert!(Program::new(99, 0, true).is_none());
    }
}
