//! Bodies of gRPC: messages with their lengths before them, each read as a whole when it is there.
//!
//! What is looked for is a string (or bytes); of the rest no more is understood than where a field ends.

mod path;
mod wire;

use std::sync::Arc;

use partywall_tenancy::TenantId;

pub(super) use path::FieldPath;
use path::Judging;

use super::rules::Messages as Rules;
use super::{Counts, Refused};

/// One byte that says whether it is compressed, and the length of what follows.
const PREFIX: usize = 5;

/// The reader of one body.
#[derive(Debug)]
pub(super) struct Messages {
    rules: Arc<Rules>,
    tenant: TenantId,
    /// The message that is read, with its prefix, as far as it came.
    message: Vec<u8>,
    /// Whether a message passed, and whether one was left out.
    passed: bool,
    left_out: bool,
    pub(super) counts: Counts,
}

impl Messages {
    pub(super) fn new(rules: Arc<Rules>, tenant: TenantId) -> Self {
        let counts = Counts::default();
        Self { rules, tenant, message: Vec::new(), passed: false, left_out: false, counts }
    }

    pub(super) fn read(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        while !chunk.is_empty() {
            let missing = self.missing()?;
            let (piece, rest) = chunk.split_at(missing.min(chunk.len()));
            self.message.extend_from_slice(piece);
            chunk = rest;
            if self.missing()? == 0 {
                let mut message = std::mem::take(&mut self.message);
                self.settle(&message, out)?;
                message.clear();
                self.message = message;
            }
        }
        Ok(())
    }

    /// How many bytes of the message, or of its prefix, did not come yet; 0 where it is whole.
    fn missing(&self) -> Result<usize, Refused> {
        let Some([flag, length @ ..]) = self.message.first_chunk::<PREFIX>() else {
            return Ok(PREFIX - self.message.len());
        };
        match flag {
            0 => {}
            1 => return Err(Refused::Invalid("a message is compressed, though the request accepted no encoding")),
            _ => return Err(Refused::Invalid("a message begins otherwise than those of gRPC")),
        }
        let whole = (u32::from_be_bytes(*length) as usize).saturating_add(PREFIX);
        if whole > self.rules.cap {
            return Err(Refused::TooLarge);
        }
        Ok(whole.saturating_sub(self.message.len()))
    }

    /// A message is there, with its prefix.
    fn settle(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let mut judging =
            Judging { tenant: self.tenant.as_str().as_bytes(), foreign: self.rules.foreign, counts: self.counts };
        let mut changed: Option<Vec<u8>> = None;
        for path in &self.rules.paths {
            let body = changed.as_deref().or_else(|| message.get(PREFIX..)).unwrap_or_default();
            match path.judge(body, &mut judging)? {
                path::Fate::Pass => {}
                path::Fate::Changed(now) => changed = Some(now),
                path::Fate::LeaveOut => {
                    (self.counts, self.left_out) = (judging.counts, true);
                    return Ok(());
                }
                // There is nothing in it any more that another path could lead to.
                path::Fate::Mask => {
                    changed = Some(Vec::new());
                    break;
                }
            }
        }
        (self.counts, self.passed) = (judging.counts, true);
        match changed {
            None => out.extend_from_slice(message),
            Some(now) => {
                // It is no longer than it was.
                let length = u32::try_from(now.len()).map_err(|_| Refused::TooLarge)?;
                out.push(0);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&now);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<(), Refused> {
        if !self.message.is_empty() {
            return Err(Refused::Cut);
        }
        // A call with one answer has none then, and nobody can tell it from one with many.
        if self.left_out && !self.passed { Err(Refused::Foreign) } else { Ok(()) }
    }

    pub(super) fn kept_back(&self) -> usize {
        self.message.len()
    }
}

/// What a masked element is: a message in which nothing is said.
const MASK: &[u8] = &[];
