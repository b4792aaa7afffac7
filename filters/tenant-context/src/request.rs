//! What a request brings, as bytes.

/// The parts of a request that say who calls whom.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:path`, with its query.
    pub path: &'a [u8],
    /// `:authority`.
    pub authority: &'a [u8],
    /// All headers, names in lower case, in the order received.
    pub headers: Headers<'a>,
}

/// A view of all headers. Names are lower case; values are whatever the peer sent.
#[derive(Clone, Copy)]
pub struct Headers<'a>(pub &'a [(String, Vec<u8>)]);

/// How often a header that should stand once was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Single<T> {
    /// Not at all.
    Absent,
    /// Once.
    Once(T),
    /// More than once, so nobody can say which one counts.
    Repeated,
}

impl<'a> Headers<'a> {
    /// All values of `name`, in order.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a, '_> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    /// The value of a header that may stand only once.
    pub fn single(self, name: &str) -> Single<&'a [u8]> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (None, _) => Single::Absent,
            (Some(value), None) => Single::Once(value),
            (Some(_), Some(_)) => Single::Repeated,
        }
    }

    /// Whether the body is encoded, so that its bytes say nothing as they are (RFC 9110, section 8.4).
    pub fn is_encoded(self) -> bool {
        self.all("content-encoding").any(|value| !value.eq_ignore_ascii_case(b"identity"))
    }
}

impl<'a> Request<'a> {
    /// Takes the pseudo-headers out of `headers`; a missing one is empty, and empty is refused later.
    pub fn from_headers(headers: &'a [(String, Vec<u8>)]) -> Self {
        let headers = Headers(headers);
        let first = |name| headers.all(name).next().unwrap_or_default();
        Self { method: first(":method"), path: first(":path"), authority: first(":authority"), headers }
    }

    /// The path without its query.
    pub fn path_only(&self) -> &'a [u8] {
        self.path.split(|b| *b == b'?').next().unwrap_or_default()
    }
}
