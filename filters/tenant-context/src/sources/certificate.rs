//! The client's certificate as a proving source.

use partywall_tenancy::{ProvedBy, Reason, Source, SpiffeId, TenantId, UnixSeconds};

use super::Proven;
use crate::{Rejection, Request, Single, template};

/// Names of the peer's certificate, as Envoy verified it. Envoy's properties tell the first of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer<'a> {
    /// The first URI SAN, empty where there is none.
    pub uri: &'a [u8],
    /// The first DNS SAN, empty where there is none.
    pub dns: &'a [u8],
}

impl Peer<'_> {
    /// The peer's SPIFFE ID, if its URI is one.
    pub(crate) fn spiffe_id(&self) -> Option<SpiffeId> {
        SpiffeId::parse(str::from_utf8(self.uri).ok()?).ok()
    }
}

/// The tenant in the certificate, under all certificate templates of `sources` together.
///
/// A certificate outside every template is no source. One that names two tenants is refused, and so
/// is one whose names hold control bytes: a name cut short at a NUL is another name.
pub(super) fn prove(sources: &[Source], request: &Request<'_>, peer: &Peer<'_>) -> Result<Option<Proven>, Rejection> {
    let ambiguous = |what: &'static str| Rejection::new(Reason::AmbiguousRequest, what);
    if peer.uri.iter().chain(peer.dns).any(u8::is_ascii_control) {
        return Err(ambiguous("a name in the peer's certificate holds a control byte"));
    }
    // INVARIANT: the certificate's own names are the first two, whatever they hold: no other name may take their place.
    let mut names = vec![
        Name::Uri(str::from_utf8(peer.uri).unwrap_or_default()),
        Name::Dns(str::from_utf8(peer.dns).unwrap_or_default()),
    ];
    let forwarded = match request.headers.single("x-forwarded-client-cert") {
        Single::Once(value) => str::from_utf8(value).unwrap_or_default(),
        Single::Absent => "",
        Single::Repeated => return Err(ambiguous("two x-forwarded-client-cert headers")),
    };
    // Where Envoy is told to write all names (`set_current_client_cert_details`), the rest are seen as
    // well. They can only add a conflict: what proves is the certificate's own first name.
    names.extend(other_names(forwarded));

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
        token: None,
    }))
}

enum Name<'a> {
    Uri(&'a str),
    Dns(&'a str),
}

impl<'a> Name<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::Uri(text) | Self::Dns(text) => text,
        }
    }

    fn tenant(&self, source: &Source) -> Option<&'a str> {
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

/// The names in the last element of an XFCC header, which is the one that this Envoy wrote.
fn other_names(xfcc: &str) -> Vec<Name<'_>> {
    let last = xfcc.rsplit(',').next().unwrap_or_default();
    last.split(';')
        .filter_map(|pair| match pair.split_once('=') {
            Some(("URI", uri)) => Some(Name::Uri(uri.trim_matches('"'))),
            Some(("DNS", dns)) => Some(Name::Dns(dns.trim_matches('"'))),
            _ => None,
        })
        .collect()
}
