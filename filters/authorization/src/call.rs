//! What a request says of itself.

use crate::RouteSays;

/// A request, as far as operations ask about it. What a peer sent stands here as it came.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The HTTP method, or [`GRPC`](crate::GRPC) for a call of gRPC, as [`called`](crate::called()) tells.
    pub method: &'a str,
    /// The path, with or without its query.
    pub path: &'a str,
    /// All headers, names in lower case.
    pub headers: &'a [(String, Vec<u8>)],
    /// Its body.
    pub body: Body<'a>,
    /// What its route says of it. It counts where the service's bundle listens to routes, and nowhere else.
    pub route: Option<&'a RouteSays>,
}

/// The body of a request, as far as an owner may stand in it.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Nobody read it: an operation that looks for an owner there is denied.
    Unread,
    /// Somebody else reads it: the filter of the service that is called.
    Elsewhere,
    /// All of it.
    Whole(&'a [u8]),
    /// When it was read, it named this owner.
    Named(&'a str),
}

impl<'a> Call<'a> {
    /// A request of which no more than this is known.
    pub fn plain(method: &'a str, path: &'a str) -> Self {
        Self { method, path, headers: &[], body: Body::Unread, route: None }
    }
}
