//! The client's certificate as a proving source.

use partywall_tenancy::{ProvedBy, Reason, Source, SpiffeId, TenantId, UnixSeconds};

use super::Proven;
use super::xfcc::{self, Name};
use crate::{Rejection, Request, Single, template};

/// Names of the peer's certificate, as Envoy verified it. Envoy's properties tell the first of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer<'a> {
    /// The first URI SAN, empty where there is none.
    pub uri: &'a [u8],
    /// The first DNS SAN, empty where there is none.
    pub dns: &'a [u8],
    /// SHA-256 of the certificate in lower-case hex, by which Envoy's own element of
    /// `x-forwarded-client-cert` is known. Empty where there is no certificate.
    pub digest: &'a [u8],
}

impl Peer<'_> {
    /// Checks that its names can be read in one way only: one cut short at a NUL is another name, and
    /// one that is no text would be none.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        [self.uri, self.dns].into_iter().try_for_each(|name| text(name).map(|_| ())).map_err(ambiguous)
    }

    /// The peer's SPIFFE ID, if its URI is one.
    pub(crate) fn spiffe_id(&self) -> Option<SpiffeId> {
        SpiffeId::parse(str::from_utf8(self.uri).ok()?).ok()
    }

    /// The URI of whoever calls the peer, which is the gateway with this SPIFFE ID.
    pub(crate) fn forwarded<'a>(&self, request: &Request<'a>, gateway: &SpiffeId) -> Result<&'a [u8], Rejection> {
        match request.headers.single(XFCC) {
            Single::Once(value) => xfcc::forwarded(value, self.digest, gateway.as_str()).map_err(ambiguous),
            Single::Absent => Err(ambiguous("a gateway calls, and no x-forwarded-client-cert tells for whom")),
            Single::Repeated => Err(ambiguous(REPEATED)),
        }
    }

    /// Every name that Envoy tells: its first two by property and, where it is told to write them
    /// (`set_current_client_cert_details`), all of them in `x-forwarded-client-cert`.
    ///
    /// INVARIANT: the certificate's own first names come first, whatever they hold: no other name may
    /// take their place.
    fn names<'a>(&'a self, request: &Request<'a>) -> Result<Vec<Name<'a>>, Rejection> {
        let mut names =
            vec![Name::Uri(text(self.uri).map_err(ambiguous)?), Name::Dns(text(self.dns).map_err(ambiguous)?)];
        match request.headers.single(XFCC) {
            // Without a certificate Envoy wrote none of it, and nothing of it counts.
            Single::Once(_) if [self.uri, self.dns, self.digest].iter().all(|part| part.is_empty()) => {}
            Single::Once(value) => names.extend(xfcc::names(value, self.digest).map_err(ambiguous)?),
            Single::Absent => {}
            Single::Repeated => return Err(ambiguous(REPEATED)),
        }
        Ok(names)
    }
}

const XFCC: &str = "x-forwarded-client-cert";
const REPEATED: &str = "two x-forwarded-client-cert headers";

/// A name as text.
pub(super) fn text(name: &[u8]) -> Result<&str, &'static str> {
    if name.iter().any(u8::is_ascii_control) {
        return Err("a name in the peer's certificate holds a control byte");
    }
    str::from_utf8(name).map_err(|_| "a name in the peer's certificate is no UTF-8")
}

fn ambiguous(what: &'static str) -> Rejection {
    Rejection::new(Reason::AmbiguousRequest, what)
}

/// The tenant in the certificate, under all certificate templates of `sources` together.
///
/// A certificate outside every template is no source. One that names two tenants is refused: what the
/// names beyond the first say can only add a conflict, since what proves is a first name.
pub(super) fn prove(sources: &[Source], request: &Request<'_>, peer: &Peer<'_>) -> Result<Option<Proven>, Rejection> {
    let names = peer.names(request)?;
    let mut found: Option<(TenantId, String)> = None;
    for (nth, name) in names.iter().enumerate() {
        let Some(text) = sources.iter().find_map(|source| name.tenant(source)) else { continue };
        let tenant = TenantId::parse(text)
            .map_err(|e| Rejection::new(Reason::TenantInvalid, format!("the tenant in the peer's certificate {e}")))?;
        match &found {
            Some((known, _)) if *known != tenant => {
                return Err(ambiguous("the peer's certificate names several tenants"));
            }
            Some(_) => {}
            None if nth < 2 => found = Some((tenant, name.text().to_owned())),
            None => return Err(ambiguous("a tenant stands in a name of the certificate that is not its first")),
        }
    }
    Ok(found.map(|(tenant, principal)| Proven {
        by: ProvedBy::Certificate,
        source: "the certificate",
        tenants: vec![tenant],
        principal,
        roles: Vec::new(),
        scopes: Vec::new(),
        token_id: String::new(),
        // Envoy has checked the certificate's dates for this connection.
        expires: UnixSeconds::MAX,
        ground: None,
    }))
}

impl<'a> Name<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::Uri(text) | Self::Dns(text) => text,
        }
    }

    fn tenant(&self, source: &Source) -> Option<&'a str> {
        // Such a name could be hidden where the header tells it, so it stands for nobody anywhere. No SPIFFE ID
        // and no DNS name holds one of these.
        if xfcc::has_signs(self.text().as_bytes()) {
            return None;
        }
        match (self, source) {
            (Self::Uri(uri), Source::UriSan { template }) => template::segment(template, uri, false),
            (Self::Dns(dns), Source::DnsSan { template }) => {
                // A deeper name is a name of somebody else's; here it is no claim, only no source.
                template::label(template, dns).filter(|label| !label.is_empty() && !label.contains('.'))
            }
            _ => None,
        }
    }
}
