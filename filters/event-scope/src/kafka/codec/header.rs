//! What stands before every message.

use super::input::Input;
use super::layout::{API_VERSIONS, Api};
use super::problem::{Problem, WalkError};

/// The header of a request, without its tagged fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'f> {
    /// The API key.
    pub api: i16,
    /// Its version.
    pub version: i16,
    /// By which the response is found.
    pub correlation: i32,
    /// What the client calls itself.
    pub client_id: Option<&'f [u8]>,
}

impl<'f> RequestHeader<'f> {
    /// Reads it from a frame without its length. It says nothing about what follows, nor whether the API is known:
    /// these fields stand in the same places in every version of every API that is.
    ///
    /// # Errors
    ///
    /// [`Problem::Truncated`] and [`Problem::Length`].
    pub fn read(frame: &'f [u8]) -> Result<Self, WalkError> {
        let mut input = Input::new(frame);
        Self::read_from(&mut input).map_err(|problem| WalkError { problem, at: input.pos() })
    }

    fn read_from(input: &mut Input<'f>) -> Result<Self, Problem> {
        let (api, version, correlation) = (input.i16()?, input.i16()?, input.i32()?);
        Ok(Self { api, version, correlation, client_id: input.text(false)? })
    }

    /// The API, where it and the version are in the table.
    ///
    /// # Errors
    ///
    /// [`Problem::UnknownApi`], and [`Problem::UnknownVersion`], which Kafka answers with UNSUPPORTED_VERSION (35).
    pub fn known(&self) -> Result<&'static Api, Problem> {
        known(self.api, self.version).map(|(api, _)| api)
    }

    /// Whether it is ApiVersions. Its version may be in no table, since a client asks before it knows what is spoken; a
    /// broker then answers in version 0, and so does [`answer`](super::answer()).
    #[must_use]
    pub fn is_api_versions(&self) -> bool {
        self.api == API_VERSIONS
    }
}

/// An API of the table and a version of it.
pub(crate) fn known(api: i16, version: i16) -> Result<(&'static Api, u8), Problem> {
    let api = Api::of(api).ok_or(Problem::UnknownApi)?;
    Ok((api, api.version(version).ok_or(Problem::UnknownVersion)?))
}
