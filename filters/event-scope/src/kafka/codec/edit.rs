//! Who decides about the marked places of a frame, what they see, and what they can say.

use super::mark::{Mark, Marks};

/// Decides about each marked place. It is asked in the order of the wire, so that what a place means by what came
/// before, an editor can remember; what it was told of an element that is then dropped, it has to forget by itself.
pub trait Editor {
    /// What is to become of `place`. Of [`Verdict::Replace`], `new` is what is put there; it is empty at first.
    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict;

    /// The marks that it is asked about, told once for each frame: the places of others are kept, and cost less. All of
    /// them, where nothing else is said.
    fn marks(&self) -> Marks {
        Marks::ALL
    }
}

/// Keeps all.
impl Editor for () {
    fn marks(&self) -> Marks {
        Marks::of(&[])
    }

    fn place(&mut self, _: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        Verdict::Keep
    }
}

/// A marked place.
#[derive(Clone, Copy, Debug)]
pub struct Place<'f> {
    /// What it means.
    pub mark: Mark,
    /// The name of the field in the table.
    pub field: &'static str,
    /// The field that holds it, as `ForgottenTopicsData`; empty where that is the message.
    pub within: &'static str,
    /// What stands there.
    pub value: Value<'f>,
    /// What kind of thing it is, where the table says which field tells that and this version has it: the type of a
    /// resource, the id of the broker whose host it is.
    pub kind: Option<Value<'f>>,
    /// How the name of a resource is meant: literally, or as a prefix.
    pub pattern: Option<Value<'f>>,
    /// Which element it stands in, of each list around it, outermost first. A list itself is not in itself; a bare
    /// value in a list is.
    pub indexes: &'f [u32],
}

impl<'f> Place<'f> {
    /// The bytes that stand there; `None` for null, numbers and lists.
    #[must_use]
    pub fn bytes(&self) -> Option<&'f [u8]> {
        self.value.bytes()
    }
}

/// What stands in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'f> {
    /// Nothing.
    Null,
    /// A string, bytes, or the 16 bytes of a uuid.
    Bytes(&'f [u8]),
    /// A number, or a bool as 0 or 1.
    Number(i64),
    /// A list of so many elements, before the first.
    List(usize),
}

impl<'f> Value<'f> {
    /// The bytes of a string, of bytes or of a uuid.
    #[must_use]
    pub fn bytes(self) -> Option<&'f [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            Value::Null | Value::Number(_) | Value::List(_) => None,
        }
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> Option<i64> {
        match self {
            Value::Number(number) => Some(number),
            Value::Null | Value::Bytes(_) | Value::List(_) => None,
        }
    }
}

/// What is to become of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// The bytes that were put into `new` stand there instead: of a string, bytes or uuid.
    Replace,
    /// This number stands there instead.
    Number(i64),
    /// Null stands there instead, where this version allows it.
    Null,
    /// The element around it is dropped, and the list's count is one less: that of the nearest list for 1, of the list
    /// around that for 2. Everything edited in it is undone, wherever in the element the place stands.
    Drop(u8),
    /// The embedded message is walked: of [`Mark::Subscription`] and [`Mark::Assignment`]. Empty bytes are kept.
    Enter,
    /// The frame is refused.
    Refuse,
}
