//! The binary form over HTTP: a message whose fields are resources, each held until it is whole.

use super::super::leaves::Leaves;
use super::super::message;
use super::super::refusal::{Cause, Refusal};
use super::super::schema::Schema;
use super::super::walk::{Desk, Walk};
use super::super::wire::read_varint;
use crate::pieces::feed;

/// Reads one message.
#[derive(Debug)]
pub(crate) struct Binary {
    schema: &'static Schema,
    /// The most bytes of a field.
    block: usize,
    /// What came of a field that is not whole.
    held: Vec<u8>,
}

impl Binary {
    pub(crate) fn new(schema: &'static Schema, block: usize) -> Self {
        Self { schema, block, held: Vec::new() }
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
        self.held = feed(held, bytes, |bytes| self.blocks(bytes, leaves, desk, out))?;
        if end && !self.held.is_empty() {
            return Err(Refusal::new(Cause::Truncated, "the last field of the message is cut off"));
        }
        Ok(())
    }

    /// Goes through the fields that are whole; gives how many bytes those were.
    fn blocks(
        &self,
        bytes: &[u8],
        leaves: &mut dyn Leaves,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let mut at = 0;
        while let Some(size) = self.size(bytes.get(at..).unwrap_or_default())? {
            let Some(block) = bytes.get(at..at + size) else { break };
            message::fields(&mut Walk::new(leaves, desk), self.schema, block)?;
            desk.splice.apply(block, out)?;
            at += size;
        }
        Ok(at)
    }

    /// How long the field is that `bytes` begins with, if that much came of it.
    fn size(&self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let Some((tag, tag_size)) = read_varint(bytes)? else { return Ok(None) };
        let rest = bytes.get(tag_size..).unwrap_or_default();
        let size = match tag & 7 {
            1 => tag_size + 8,
            5 => tag_size + 4,
            kind @ (0 | 2) => {
                let Some((value, size)) = read_varint(rest)? else { return Ok(None) };
                let length = if kind == 2 { usize::try_from(value).ok() } else { Some(0) };
                let size = length.and_then(|length| length.checked_add(tag_size + size));
                size.ok_or(Refusal::new(Cause::Length, "a field is longer than any message"))?
            }
            // Told by who reads it.
            _ => tag_size,
        };
        if size > self.block {
            return Err(Refusal::new(Cause::TooLarge, "a resource with its records is larger than what is held of it"));
        }
        Ok(Some(size))
    }
}
