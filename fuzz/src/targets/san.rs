//! What a certificate's names may do to a request, by themselves and through a gateway.

use super::*;

/// `URI LF DNS LF XFCC`, then further names, of a client certificate: a URI per line, or a DNS name after `D`.
/// The third line is a whole XFCC once, the rest of the element that Envoy wrote, and what a client sent before it.
pub fn san(bytes: &[u8]) {
    let (uri, rest) = lines(bytes).unwrap_or((bytes, b""));
    let (dns, rest) = lines(rest).unwrap_or((rest, b""));
    let (xfcc, more) = lines(rest).unwrap_or((rest, b""));
    let peer = Peer { uri, dns, digest: DIGEST };
    judge_names(peer, xfcc);
    judge_names(peer, &[b"By=a;Hash=", DIGEST, xfcc].concat());
    let (more_dns, more_uris): (Vec<_>, Vec<_>) = more.split(|b| *b == b'\n').partition(|name| name.starts_with(b"D"));
    let dns_names = || [dns].into_iter().chain(more_dns.iter().filter_map(|name| name.get(1..)));
    let uris = || [uri].into_iter().chain(more_uris.iter().copied());
    // No certificate holds its own SHA-256; what that keeps out is where the filter begins to read.
    if uris().chain(dns_names()).any(|name| name.windows(DIGEST.len()).any(|part| part == DIGEST)) {
        return;
    }
    forwarded(xfcc, uris(), dns_names());
    let element = as_envoy_writes(xfcc, uris(), dns_names());
    if judge_names(peer, &element) {
        let tenants: BTreeSet<_> =
            uris().filter_map(tenant_of_uri).chain(dns_names().filter_map(tenant_of_dns)).collect();
        assert_eq!(tenants.len(), 1, "a certificate that names {tenants:?} is let in");
    }
}

/// The certificate is shown to a gateway, which sets the header anew and calls `orders`. Whatever its names hold,
/// it is whom its first URI names, and only where it has no other name.
fn forwarded<'a>(
    details: &[u8],
    uris: impl Iterator<Item = &'a [u8]> + Clone,
    dns_names: impl Iterator<Item = &'a [u8]> + Clone,
) {
    let peer = Peer { uri: GATEWAY.as_bytes(), dns: b"", digest: DIGEST };
    let subject: Vec<u8> = details.iter().copied().filter(|b| !matches!(b, b'"' | b'\\')).collect();
    for subject in [vec![], [b";Subject=\"", subject.as_slice(), b"\""].concat()] {
        let mut xfcc = [b"By=", GATEWAY.as_bytes(), b";Hash=ab", &subject].concat();
        uris.clone().for_each(|uri| xfcc.extend([b";URI=", uri].concat()));
        dns_names.clone().filter(|dns| !dns.is_empty()).for_each(|dns| xfcc.extend([b";DNS=", dns].concat()));
        xfcc.extend(
            [b",By=spiffe://mesh.example/ns/shop/sa/orders;Hash=", DIGEST, b";URI=", GATEWAY.as_bytes()].concat(),
        );
        let headers = request(b"/", b"orders", &[(CONTEXT, ROOT.as_bytes()), ("x-forwarded-client-cert", &xfcc)]);
        if let Ok(established) = at_orders(&headers, peer) {
            let (_, context) = parts(established);
            let caller = context.caller.expect("inbound always tells it");
            assert_eq!(Some(caller.as_str().as_bytes()), uris.clone().next(), "another is believed");
            assert_eq!(uris.clone().count(), 1, "it has a second name");
        }
    }
}

/// SHA-256 of the certificate, as far as the filter knows.
const DIGEST: &[u8] = b"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// What a client sent, and the element that Envoy appends: names as they are, whatever they hold.
fn as_envoy_writes<'a>(
    client: &[u8],
    uris: impl Iterator<Item = &'a [u8]>,
    dns_names: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut out = client.to_vec();
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend([b"By=a;Hash=", DIGEST, br#";Subject="CN=a\",b;URI=c""#].concat());
    for uri in uris {
        out.extend([b";URI=", uri].concat());
    }
    for name in dns_names {
        out.extend([b";DNS=", name].concat());
    }
    out
}

/// As the templates of the fixture say, by other means than the filter's. A name with signs of XFCC is outside
/// all of them.
fn tenant_of_uri(uri: &[u8]) -> Option<&[u8]> {
    if uri.iter().any(|b| br#",;"\"#.contains(b)) {
        return None;
    }
    let mut segments = uri.strip_prefix(b"spiffe://mesh.example/tenant/")?.split(|b| *b == b'/');
    let (tenant, sa, workload, end) = (segments.next()?, segments.next()?, segments.next()?, segments.next());
    (!tenant.is_empty() && sa == b"sa" && !workload.is_empty() && end.is_none()).then_some(tenant)
}

fn tenant_of_dns(name: &[u8]) -> Option<&[u8]> {
    let label = name.strip_suffix(b".clients.example").filter(|label| !label.is_empty())?;
    (!label.iter().any(|b| br#".,;"\"#.contains(b))).then_some(label)
}

/// Says whether the edge lets in who shows such a certificate.
fn judge_names(peer: Peer<'_>, xfcc: &[u8]) -> bool {
    let Peer { uri, dns, .. } = peer;
    let headers = request(b"/", b"gateway.example", &[("x-forwarded-client-cert", xfcc)]);
    let established = at_edge(&headers, peer, false);
    let let_in = established.is_ok();
    if let Ok(established) = established {
        let (proved, context) = parts(established);
        assert!(proved && context.proved_by == ProvedBy::Certificate);
        assert!([uri, dns].contains(&context.principal.as_bytes()), "only a first name proves");
        assert!(context.principal.contains(context.tenant.as_str()));
        assert!(!uri.iter().chain(dns).any(u8::is_ascii_control));
        assert!(str::from_utf8(uri).is_ok() && str::from_utf8(dns).is_ok());
        // XFCC can only take away.
        let without = request(b"/", b"gateway.example", &[]);
        assert_eq!(at_edge(&without, peer, false).map(|e| parts(e).1), Ok(context));
    }
    let tenant_in_certificate = |context: TenantContext| {
        let caller = context.caller.expect("inbound knows its caller");
        assert_eq!(caller.as_str().as_bytes(), uri);
        assert!(caller.as_str() == EDGE || caller.as_str() == "spiffe://mesh.example/tenant/acme/sa/web");
    };
    let _ = at_orders(&headers, peer).map(|e| tenant_in_certificate(parts(e).1));
    let_in
}
