//! Zstandard.

use super::{Meter, Take};
use crate::carriers::{Cause, Refusal};

/// Reads one body.
#[derive(Debug, Default)]
pub(super) struct Zstd;

impl Zstd {
    pub(super) fn held(&self) -> usize {
        0
    }

    pub(super) fn push(&mut self, _: &[u8], _: bool, _: &mut Meter, _: &mut Take<'_>) -> Result<(), Refusal> {
        Err(Refusal::new(Cause::Encoding, "it is encoded in a way that is not read here"))
    }
}
