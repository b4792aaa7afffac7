//! What is wrong with a frame.

use std::error::Error;
use std::fmt;

/// Why a frame is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It ends before the message does.
    Truncated,
    /// It goes on behind the message: a response, or a message inside of bytes.
    TrailingBytes,
    /// A length or count below -1, or a string longer than Kafka reads.
    Length,
    /// Null where the message has no null.
    Null,
    /// An unsigned varint of more than five bytes, or beyond 32 bits.
    Varint,
    /// A count of elements that cannot be in the bytes that are there.
    Count,
    /// Tagged fields out of order, or one of another size than it says.
    Tags,
    /// A struct that is neither null nor there.
    Struct,
    /// An API that is not in the table.
    UnknownApi,
    /// A version of it that is not.
    UnknownVersion,
    /// A message inside of bytes of a version that is not in the table.
    UnknownEmbedded,
    /// The editor refused it.
    Refused,
    /// The editor gave what cannot stand here: of another size, too long, null where that may not be, an element to
    /// drop where there is no list, or an entry into what is no embedded message.
    Edit,
    /// What would come of it is longer than 2 GB, or than the caller allows: an answer, or what is edited.
    TooLong,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Truncated => "ends before its message does",
            Problem::TrailingBytes => "goes on behind its message",
            Problem::Length => "has a length that is negative or longer than Kafka reads",
            Problem::Null => "has null where none may be",
            Problem::Varint => "has a varint of more than 32 bits",
            Problem::Count => "promises more elements than its bytes can hold",
            Problem::Tags => "has tagged fields out of order or of a wrong size",
            Problem::Struct => "has a struct that is neither null nor there",
            Problem::UnknownApi => "is of an API that is not in the table",
            Problem::UnknownVersion => "is of a version that is not in the table",
            Problem::UnknownEmbedded => "holds a message of a version that is not in the table",
            Problem::Refused => "was refused by the editor",
            Problem::Edit => "was edited to what cannot stand there",
            Problem::TooLong => "would become longer than is allowed",
        })
    }
}

/// A [`Problem`], and where in the frame it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkError {
    /// What is wrong.
    pub problem: Problem,
    /// The byte at which the walk stood, from the beginning of the frame without its length.
    pub at: usize,
}

impl fmt::Display for WalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {} the frame {}", self.at, self.problem)
    }
}

impl Error for WalkError {}
