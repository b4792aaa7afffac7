//! What an operation says about its responses: where the owner stands in them, and what is done about another's.

use serde::{Deserialize, Serialize};

/// Where the owner of what an operation answers stands, and what is done about another tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Where owners stand: one place or several, and what any of them names counts. None where only the age is asked.
    pub owners: Vec<ResponseOwner>,
    /// How the body is written. Of no meaning where owners stand in headers alone.
    pub format: ResponseFormat,
    /// What is done about an element of another tenant.
    pub foreign: Foreign,
    /// The most bytes of one element, as they come before compression.
    pub element_cap: u32,
    /// The most bytes of a response that are kept back until its end, so that a denial is an answer of its own; 0 keeps
    /// back no more than the element that is being read.
    pub hold: u32,
    /// What is done about the bodies of redirections and errors.
    pub errors: Errors,
    /// Where the body tells since when its objects are there, where it does.
    pub since: Option<Since>,
}

/// How old objects in a body may be, and where it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// A JSON pointer as [`ResponseOwner::Pointer`]: to RFC 3339, or to seconds since the Unix epoch.
    pub pointer: String,
    /// The oldest that may be shown, in seconds: that of the operation's dataset.
    pub age: u32,
    /// What is done about an element that is older.
    pub outlived: Outlived,
}

/// What is done about an element that is older than its dataset allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outlived {
    /// The whole response is denied.
    Deny,
    /// The element is left out.
    Drop,
    /// `null` is put in its place.
    Mask,
}

/// Where the owner stands in a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseOwner {
    /// In the body, by a JSON pointer (RFC 6901) in which `*` stands for every member of an array or object, as
    /// `/items/*/tenant_id`.
    Pointer(String),
    /// In a message, by the numbers of fields with points between, in which `*` behind one stands for each of its
    /// values, as `1.*.3`.
    Fields(String),
    /// In the header of this name, in lower case.
    Header(String),
}

/// How the body of a response is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseFormat {
    /// One JSON text (RFC 8259).
    Json,
    /// One JSON text per line.
    Ndjson,
    /// Server-sent events, each with JSON as its data.
    Sse,
    /// Messages of gRPC.
    Grpc,
}

/// What is done about an element of another tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Foreign {
    /// The whole response is denied.
    Deny,
    /// The element is left out.
    Drop,
    /// `null`, or an empty message, is put in its place.
    Mask,
    /// It passes, and is counted.
    Report,
}

/// What is done about the body of a response that is no success: nobody says where its owner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errors {
    /// It is left out.
    Strip,
    /// It passes.
    Pass,
}
