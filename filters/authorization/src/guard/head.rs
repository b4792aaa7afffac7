//! What the head of a response decides, before its body comes.

use partywall_tenancy::{Errors, Foreign, Response, ResponseFormat, ResponseOwner, TenantId};

use super::location::{self, Place};
use super::{Coding, Refused, RuleError, Rules};
use crate::GRPC;
use std::sync::Arc;

/// What an operation says about its responses, ready for use.
#[derive(Clone, Debug)]
pub struct Guarded {
    response: Response,
    rules: Option<Arc<Rules>>,
}

/// What is to be done with the body that follows.
#[derive(Clone, Debug)]
pub enum Course {
    /// It passes, if there is one.
    Pass,
    /// It is left out: an error's, of which nobody says where the owner stands.
    Strip,
    /// A [`super::Guard`] reads it.
    Walk {
        /// By these.
        rules: Arc<Rules>,
        /// In what coding it comes. It leaves in none.
        coding: Option<Coding>,
    },
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Whether the request was a HEAD.
    pub of_head: bool,
    /// The path that was asked for.
    pub path: &'a str,
    /// The status; `None` where there was none that can be read.
    pub status: Option<u16>,
    /// The headers, names in lower case, repeated ones repeated.
    pub headers: &'a [(String, Vec<u8>)],
}

impl Head<'_> {
    fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_slice())
    }

    /// The places that locations and cookies name.
    fn places(&self) -> Result<Vec<Place>, Refused> {
        let mut places = Vec::new();
        for location in ["location", "content-location"].into_iter().flat_map(|name| self.all(name)) {
            places.extend(location::of_location(self.path, location)?);
        }
        for cookie in self.all("set-cookie") {
            places.append(&mut location::of_cookie(cookie)?);
        }
        Ok(places)
    }
}

impl Guarded {
    /// Checks what an operation says.
    pub fn compile(response: &Response) -> Result<Self, RuleError> {
        let rules = Rules::compile(response)?.map(Arc::new);
        let in_body = rules.as_ref().is_some_and(|rules| rules.read_owners());
        if !in_body && !response.owners.is_empty() && matches!(response.foreign, Foreign::Drop | Foreign::Mask) {
            return Err(RuleError::HeaderIsWhole);
        }
        Ok(Self { response: response.clone(), rules })
    }

    /// What the operation says.
    pub fn response(&self) -> &Response {
        &self.response
    }

    fn owner_headers(&self) -> impl Iterator<Item = &str> {
        self.response.owners.iter().filter_map(|owner| match owner {
            ResponseOwner::Header(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether calls by `method` are answered in this format: those of gRPC in its own, and no others.
    pub fn goes_with(&self, method: &str) -> Result<(), RuleError> {
        if self.is_grpc() == (method == GRPC) { Ok(()) } else { Err(RuleError::NotOfThisCall) }
    }

    /// Whether it answers calls of gRPC.
    pub fn is_grpc(&self) -> bool {
        self.response.format == ResponseFormat::Grpc
    }

    /// Whether the body is asked how old its objects are.
    pub fn tells_age(&self) -> bool {
        self.response.since.is_some()
    }

    /// What of trailers, or of a head that stands for them, is the text of an error, and is left out like the body of
    /// one.
    pub fn error_texts(&self) -> &'static [&'static str] {
        match (self.is_grpc(), self.response.errors) {
            (true, Errors::Strip) => &["grpc-message", "grpc-status-details-bin"],
            _ => &[],
        }
    }

    /// Whether a body may leave otherwise than it came, so that what describes it is wrong then.
    pub fn changes(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.change())
    }

    /// The headers that tell of the bytes which the app sent, where others leave.
    pub fn outdated(&self, coding: Option<Coding>) -> &'static [&'static str] {
        const OF_OTHER_BYTES: &[&str] =
            &["content-encoding", "content-length", "content-md5", "content-digest", "repr-digest", "digest", "etag"];
        match (self.changes(), coding) {
            (true, _) => OF_OTHER_BYTES,
            // The ETag is put right.
            (false, Some(_)) => OF_OTHER_BYTES.split_last().map_or(OF_OTHER_BYTES, |(_, rest)| rest),
            (false, None) => &[],
        }
    }

    /// Judges the head of a response to `tenant`. `elsewhere` tells whether a place names another tenant.
    pub fn judge(
        &self,
        head: &Head<'_>,
        tenant: &TenantId,
        elsewhere: impl Fn(&Place) -> bool,
    ) -> Result<Course, Refused> {
        let status = head.status.ok_or(Refused::Invalid("it has no status"))?;
        if self.response.foreign != Foreign::Report && head.places()?.iter().any(elsewhere) {
            return Err(Refused::Foreign);
        }
        let good = (200..300).contains(&status);
        for name in self.owner_headers().filter(|_| good) {
            // A response without a body is judged as well: its other headers are the owner's, too.
            let mut owners = head.all(name).peekable();
            owners.peek().ok_or(Refused::NoOwner)?;
            if self.response.foreign != Foreign::Report && owners.any(|owner| owner != tenant.as_str().as_bytes()) {
                return Err(Refused::Foreign);
            }
        }
        if status == 304 && self.tells_age() {
            // Nobody was let ask whether it changed, and nothing says how old it is.
            return Err(Refused::NoTime);
        }
        if head.of_head || matches!(status, 204 | 304) {
            return Ok(Course::Pass);
        }
        let Some(rules) = self.rules.as_ref().filter(|_| good) else {
            let strip = !good && self.response.errors == Errors::Strip;
            return Ok(if strip { Course::Strip } else { Course::Pass });
        };
        if status == 206 {
            return Err(Refused::Invalid("it is a part, which may begin and end inside of an element"));
        }
        let coding = Coding::of(head.all("content-encoding"))?;
        let multipart = |kind: &[u8]| kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"));
        if head.all("content-type").any(multipart) {
            return Err(Refused::Invalid("it is of several parts"));
        }
        if self.is_grpc() {
            let is_grpc = |kind: &[u8]| {
                let rest = kind.strip_prefix(b"application/grpc");
                rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
            };
            if coding.is_some() || !head.all("content-type").all(is_grpc) || head.all("content-type").count() != 1 {
                return Err(Refused::Invalid("it is no answer of gRPC"));
            }
        }
        Ok(Course::Walk { rules: rules.clone(), coding })
    }
}

/// The ETag of a response that was unfolded: it says no more than it did, but not of the same bytes (RFC 9110, section
/// 8.8.1). `None` for what is none.
pub fn weakened(etag: &[u8]) -> Option<Vec<u8>> {
    let strong = etag.strip_prefix(b"W/").unwrap_or(etag);
    let inner = strong.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let well = inner.iter().all(|b| !matches!(b, b'"' | 0..=0x20 | 0x7F));
    well.then(|| [b"W/", strong].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(owner: ResponseOwner, foreign: Foreign, errors: Errors) -> Guarded {
        let (owners, format, element_cap, hold) = (vec![owner], ResponseFormat::Json, 4096, 0);
        Guarded::compile(&Response { owners, format, foreign, element_cap, hold, errors, since: None }).unwrap()
    }

    fn told(guarded: &Guarded, of_head: bool, status: u16, headers: &[(&str, &str)]) -> &'static str {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let path = "/tenants/acme/invoices/7";
        let head = Head { of_head, path, status: Some(status), headers: &headers };
        let elsewhere = |place: &Place| {
            let path = place.path.as_deref().unwrap_or_default();
            path.starts_with("/tenants/globex") || place.host.as_deref() == Some("globex.shop.example")
        };
        match guarded.judge(&head, &TenantId::parse("acme").unwrap(), elsewhere) {
            Ok(Course::Pass) => "pass",
            Ok(Course::Strip) => "strip",
            Ok(Course::Walk { coding: None, .. }) => "walk",
            Ok(Course::Walk { coding: Some(_), .. }) => "unfold",
            Err(refused) => refused.code(),
        }
    }

    #[test]
    fn a_body_is_walked_where_there_is_one_that_can_be_read() {
        let guarded = guarded(ResponseOwner::Pointer("/tenant".into()), Foreign::Deny, Errors::Strip);
        for (of_head, status, headers, course) in [
            (false, 200, &[("content-type", "application/json")][..], "walk"),
            (false, 201, &[], "walk"),
            (false, 200, &[("content-encoding", "Identity")], "walk"),
            (false, 200, &[("content-encoding", "br")], "invalid"),
            (false, 200, &[("content-encoding", "gzip")], "unfold"),
            (false, 200, &[("content-encoding", "identity, X-GZIP")], "unfold"),
            (false, 200, &[("content-encoding", "identity"), ("content-encoding", "Deflate")], "unfold"),
            (false, 200, &[("content-encoding", "gzip, gzip")], "invalid"),
            (false, 200, &[("content-encoding", "gzip"), ("content-encoding", "deflate")], "invalid"),
            (false, 200, &[("content-encoding", "gzip, br")], "invalid"),
            (false, 200, &[("content-encoding", "gzip;q=1")], "invalid"),
            (false, 206, &[], "invalid"),
            (false, 200, &[("content-type", "Multipart/mixed; boundary=x")], "invalid"),
            (true, 200, &[("content-encoding", "br")], "pass"),
            (false, 204, &[], "pass"),
            (false, 304, &[], "pass"),
            (false, 302, &[], "strip"),
            (false, 404, &[], "strip"),
            (false, 500, &[("content-type", "application/problem+json")], "strip"),
        ] {
            assert_eq!(told(&guarded, of_head, status, headers), course, "{of_head} {status} {headers:?}");
        }
        let passing = super::tests::guarded(ResponseOwner::Pointer("/tenant".into()), Foreign::Deny, Errors::Pass);
        assert_eq!(told(&passing, false, 404, &[]), "pass");
    }

    #[test]
    fn what_tells_of_the_apps_bytes_goes_where_others_leave() {
        let guarded = |foreign| guarded(ResponseOwner::Pointer("/*".into()), foreign, Errors::Strip);
        let (denying, dropping) = (guarded(Foreign::Deny), guarded(Foreign::Drop));
        assert_eq!(denying.outdated(None), &[] as &[&str]);
        assert!(denying.outdated(Some(Coding::Gzip)).contains(&"content-encoding"));
        assert!(!denying.outdated(Some(Coding::Gzip)).contains(&"etag"));
        for coding in [None, Some(Coding::Gzip)] {
            assert!(
                dropping.outdated(coding).contains(&"etag") && dropping.outdated(coding).contains(&"content-length")
            );
        }
        for (etag, weak) in [
            ("\"a\"", Some("W/\"a\"")),
            ("W/\"a-gzip\"", Some("W/\"a-gzip\"")),
            ("\"\"", Some("W/\"\"")),
            ("a", None),
            ("\"", None),
            ("w/\"a\"", None),
            ("\"a\", \"b\"", None),
            ("", None),
        ] {
            assert_eq!(weakened(etag.as_bytes()).as_deref(), weak.map(str::as_bytes), "{etag}");
        }
    }

    #[test]
    fn a_location_may_not_lead_into_another_tenant() {
        let guarded = guarded(ResponseOwner::Pointer("/tenant".into()), Foreign::Mask, Errors::Strip);
        for (location, course) in [
            ("/tenants/acme/invoices", "strip"),
            ("/tenants/acme/invoices?page=2#x", "strip"),
            ("/tenants/globex/invoices", "foreign"),
            ("//host/tenants/globex/invoices", "foreign"),
            ("https://host/tenants/globex/invoices", "foreign"),
            ("https://host", "strip"),
            ("other", "strip"),
            ("../../globex/invoices", "foreign"),
            ("/tenants/acme/../globex", "foreign"),
            ("https://globex.shop.example/", "foreign"),
            ("\\\\globex.shop.example", "invalid"),
        ] {
            assert_eq!(told(&guarded, false, 303, &[("location", location)]), course, "{location}");
            let said = told(&guarded, true, 200, &[("content-location", location)]);
            assert_eq!(said == "pass", course == "strip", "{location}: {said}");
        }
        let two = [("location", "/tenants/acme"), ("location", "/tenants/globex")];
        assert_eq!(told(&guarded, false, 303, &two), "foreign");
        let reporting = super::tests::guarded(ResponseOwner::Pointer("/tenant".into()), Foreign::Report, Errors::Strip);
        assert_eq!(told(&reporting, false, 303, &two), "strip");
    }

    #[test]
    fn a_cookie_may_not_be_another_tenants() {
        let guarded = guarded(ResponseOwner::Pointer("/tenant/*".into()), Foreign::Drop, Errors::Strip);
        for (cookie, course) in [
            ("a=b; Path=/tenants/acme", "walk"),
            ("a=b; Path=/tenants/globex", "foreign"),
            ("a=b; Domain=shop.example", "walk"),
            ("a=b; Domain=.globex.shop.example", "foreign"),
            ("a=globex; Max-Age=0", "walk"),
        ] {
            assert_eq!(
                told(&guarded, false, 200, &[("set-cookie", "x=y"), ("set-cookie", cookie)]),
                course,
                "{cookie}"
            );
        }
    }

    #[test]
    fn each_owner_in_a_header_must_be_the_tenant() {
        let guarded = guarded(ResponseOwner::Header("x-owner".into()), Foreign::Deny, Errors::Strip);
        for (headers, course) in [
            (&[("x-owner", "acme")][..], "pass"),
            (&[("x-owner", "acme"), ("x-owner", "acme")], "pass"),
            (&[("x-owner", "acme"), ("x-owner", "globex")], "foreign"),
            (&[("x-owner", "acme, globex")], "foreign"),
            (&[("x-owner", "")], "foreign"),
            (&[], "no_owner"),
        ] {
            for (of_head, status) in [(false, 200), (true, 200), (false, 204), (false, 206)] {
                assert_eq!(told(&guarded, of_head, status, headers), course, "{status} {headers:?}");
            }
        }
        assert_eq!(told(&guarded, false, 404, &[]), "strip");
    }
}
