//! What a bundle says to the collector's proxy: the form in which `partywall compile` writes `redaction.yaml`.
//!
//! It stands in `BundleBody::redaction` as postcard, in the slice for [`Audience::Redaction`] alone.
//!
//! [`Audience::Redaction`]: partywall_tenancy::Audience::Redaction

use std::fmt;

use partywall_tenancy::TenantId;
use serde::{Deserialize, Serialize};

use crate::arrival::{Passing, Route};
use crate::carriers::Limits;
use crate::detect::Selection;
use crate::encodings::Bounds;
use crate::redactor::Rules;

/// What the collector's proxy does with telemetry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Fields, tenants, and what stands for what is found.
    pub rules: Rules,
    /// What is looked for.
    pub detectors: Selection,
    /// What is held and unfolded at most.
    pub bounds: SliceBounds,
    /// Where telemetry comes in beside the [usual places](crate::arrival::usual), which count where none of these fits.
    pub routes: Vec<Route>,
    /// Requests that are no telemetry and may go on as they come: what is not listed is denied.
    pub passing: Vec<Passing>,
    /// Keys of tenants, sorted by tenant.
    pub keys: Vec<SealedKeys>,
}

/// Bounds, in bytes but for the ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceBounds {
    /// As [`Limits::record`].
    pub record: u32,
    /// As [`Limits::block`].
    pub block: u32,
    /// As [`Bounds::most`].
    pub unfolded: u32,
    /// As [`Bounds::ratio`].
    pub ratio: u16,
}

impl Default for SliceBounds {
    fn default() -> Self {
        Self { record: 1 << 20, block: 4 << 20, unfolded: 64 << 20, ratio: 200 }
    }
}

impl SliceBounds {
    /// For a carrier.
    pub fn limits(&self) -> Limits {
        Limits { record: self.record as usize, block: self.block as usize }
    }

    /// For a decoder.
    pub fn bounds(&self) -> Bounds {
        let block = self.block as usize;
        Bounds { most: self.unfolded as usize, ratio: self.ratio.into(), block, ..Bounds::default() }
    }
}

/// The keys of a tenant, each sealed under a master key that the proxy has and the bundle has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKeys {
    /// Whose they are.
    pub tenant: TenantId,
    /// The epoch of the key for pseudonyms, which stands in them.
    pub epoch: String,
    /// That key.
    pub pseudonym: Sealed,
    /// Keys for encrypted values, with their ids: the first is in use, the others open what was encrypted before.
    pub data: Vec<(String, Sealed)>,
}

/// A key of 32 bytes under a master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The id of the master key.
    pub master: String,
    /// A nonce and what it was sealed to, 72 bytes.
    pub bytes: Vec<u8>,
}

/// Why a slice is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceError {
    /// It is not written as one.
    Garbage,
    /// It contradicts itself.
    Inconsistent(&'static str),
}

impl fmt::Display for SliceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbage => write!(out, "what the bundle says of redaction cannot be read"),
            Self::Inconsistent(why) => write!(out, "what the bundle says of redaction is not right: {why}"),
        }
    }
}

impl std::error::Error for SliceError {}

impl Slice {
    /// Reads one; an empty one is no slice, and says nothing.
    ///
    /// # Errors
    ///
    /// If it is none, or contradicts itself.
    pub fn read(bytes: &[u8]) -> Result<Self, SliceError> {
        let slice: Self = postcard::from_bytes(bytes).map_err(|_| SliceError::Garbage)?;
        slice.check()?;
        Ok(slice)
    }

    /// As it stands in a bundle; `None` where it cannot be written.
    pub fn write(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Whether it can be.
    ///
    /// # Errors
    ///
    /// What contradicts what.
    pub fn check(&self) -> Result<(), SliceError> {
        let wrong = |why| Err(SliceError::Inconsistent(why));
        if !self.keys.is_sorted_by(|a, b| a.tenant < b.tenant) {
            return wrong("keys are not sorted by tenant, or a tenant is there twice");
        }
        let SliceBounds { record, block, unfolded, ratio } = self.bounds;
        if record < 1024 || block < record || unfolded < block || ratio == 0 {
            return wrong("of the bounds a record is 1024 bytes at least, a block no less, and a body no less");
        }
        if !self.routes.iter().all(Route::can_be) {
            return wrong("the path of a route begins with `/`, and has `{index}` and `*` as whole segments, `*` last");
        }
        Ok(())
    }
}
