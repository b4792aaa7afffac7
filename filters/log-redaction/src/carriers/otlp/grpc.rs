//! OTLP over gRPC: messages of five bytes and more, each held until it is whole:
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use super::super::leaves::Leaves;
use super::super::message;
use super::super::refusal::{Cause, Refusal};
use super::super::schema::Schema;
use super::super::walk::{Desk, Walk};
use crate::encodings::{self, Bounds, Encoding};
use crate::pieces::feed;

const HEAD: usize = 5;

/// Reads one stream of messages.
#[derive(Debug)]
pub(crate) struct Grpc {
    schema: &'static Schema,
    /// How messages are encoded whose flag says that they are; as `grpc-encoding` says.
    encoding: Encoding,
    /// The most bytes of a message, encoded or not.
    block: usize,
    held: Vec<u8>,
}

impl Grpc {
    pub(crate) fn new(schema: &'static Schema, encoding: Encoding, block: usize) -> Self {
        Self { schema, encoding, block, held: Vec::new() }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        leaves: &mut dyn Leaves,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let held = std::mem::take(&mut self.held);
        self.held = feed(held, bytes, |bytes| {
            let mut at = 0;
            while let Some((flag, size)) = self.head(bytes.get(at..).unwrap_or_default())? {
                let Some(frame) = bytes.get(at..at + HEAD + size) else { break };
                self.frame(flag, frame, leaves, desk, out)?;
                at += HEAD + size;
            }
            Ok::<_, Refusal>(at)
        })?;
        if end && !self.held.is_empty() {
            return Err(Refusal::new(Cause::Truncated, "the last message of gRPC is cut off"));
        }
        Ok(())
    }

    /// The flag and the length of a message.
    fn head(&self, bytes: &[u8]) -> Result<Option<(u8, usize)>, Refusal> {
        let Some([flag, length @ ..]) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
        if *flag > 1 {
            return Err(Refusal::undecodable("a message of gRPC has a flag that is neither 0 nor 1"));
        }
        let size = u32::from_be_bytes(*length) as usize;
        if size > self.block {
            return Err(Refusal::new(Cause::TooLarge, "a message of gRPC is larger than what is held of one"));
        }
        Ok(Some((*flag, size)))
    }

    fn frame(
        &self,
        flag: u8,
        frame: &[u8],
        leaves: &mut dyn Leaves,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let body = frame.get(HEAD..).unwrap_or_default();
        let mut plain = Vec::new();
        let mut encoder = None;
        let text = if flag == 1 {
            if self.encoding == Encoding::Identity {
                return Err(Refusal::new(Cause::Encoding, "a message of gRPC is encoded, and no encoding was said"));
            }
            let bounds = Bounds { most: self.block, block: self.block, ..Bounds::default() };
            encoder = Some(encodings::decode(self.encoding, body, bounds, &mut plain)?);
            plain.as_slice()
        } else {
            body
        };
        message::fields(&mut Walk::new(leaves, desk), self.schema, text)?;
        if desk.splice.is_empty() {
            out.extend_from_slice(frame);
            return Ok(());
        }
        let mut changed = Vec::with_capacity(text.len());
        desk.splice.apply(text, &mut changed)?;
        // What cannot be written as it came goes on as it is, which the flag says.
        let encoder = encoder.filter(|_| self.encoding.written() == self.encoding);
        let flag = u8::from(encoder.is_some());
        if let Some(mut encoder) = encoder {
            let plain = std::mem::take(&mut changed);
            encoder.push(&plain, true, &mut changed)?;
        }
        put(flag, &changed, out)
            .ok_or_else(|| Refusal::new(Cause::TooLarge, "a message of gRPC became longer than any may be"))
    }
}

/// Appends a message with its head. `None` where it is longer than any may be.
fn put(flag: u8, message: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let size = u32::try_from(message.len()).ok()?;
    out.push(flag);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(message);
    Some(())
}

/// A call of one message, which may be encoded. `None` where it is longer than any may be.
pub fn call_of(message: &[u8], encoded: bool) -> Option<Vec<u8>> {
    let mut call = Vec::with_capacity(HEAD + message.len());
    put(u8::from(encoded), message, &mut call)?;
    Some(call)
}

/// The one message of a call, and whether it is encoded. `None` where there are more, or it is not whole.
pub fn message_of(call: &[u8]) -> Option<(&[u8], bool)> {
    let (head, message) = call.split_first_chunk::<HEAD>()?;
    let [flag, length @ ..] = *head;
    (u32::from_be_bytes(length) as usize == message.len()).then_some((message, flag != 0))
}
