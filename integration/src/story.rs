//! The story: what is asked of the mesh and what must come of it, as data.
//!
//! The demo prints it, the tests play it once against `sidecar` and once against the separate stages.

use crate::access_log::Hop::{self, Edge, InvoicesInbound, InvoicesOutbound, OrdersInbound};
use crate::certificates::Workload;
use crate::issuers::Fault::{BadSignature, Expired, OtherAudience};
use crate::issuers::Provider::{Acme, Shared};
use crate::issuers::{Token, accountant, viewer};

/// In a path: a word that no other request carries.
pub const MARK: &str = "{mark}";
/// The reason of an allowed request.
pub const ALLOW: &str = "";

/// One request with what must come of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What happens, in words.
    pub name: &'static str,
    /// The tenant it is about, for the table.
    pub tenant: &'static str,
    /// `partywall tenant <verb> <tenant>`, run before. The answer must then be as expected within 1.5 s.
    pub command: Option<(&'static str, &'static str)>,
    /// Who asks.
    pub asker: Asker,
    /// The method.
    pub method: &'static str,
    /// The path; [`MARK`] in it is replaced.
    pub path: &'static str,
    /// The authority.
    pub host: &'static str,
    /// The token sent, if any.
    pub token: Option<Token>,
    /// More headers.
    pub headers: Vec<(&'static str, &'static str)>,
    /// What must come of it.
    pub expected: Expected,
}

/// Who asks, and so where the request enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client, at the edge.
    Client,
    /// Something with this workload's certificate, at the sidecar of `orders`.
    Peer(Workload, Root),
    /// The app `invoices`, at the outbound listener of its sidecar.
    App,
}

/// The root context that a peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// None.
    Absent,
    /// Signed with another key under the edge's key id.
    Forged(&'static str),
    /// The last real one that reached `orders` for this tenant in an earlier step.
    Captured(&'static str),
}

/// What must come of a request.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The status told.
    pub status: u16,
    /// The reason told: coarse to clients and apps, exact to sidecars, nothing where it is allowed.
    pub told: &'static str,
    /// The exact reason in the access log of each hop that the request meets, and of no other.
    pub hops: Vec<(Hop, &'static str)>,
}

impl Expected {
    fn allowed(hops: &[Hop]) -> Self {
        Self { status: 200, told: ALLOW, hops: hops.iter().map(|hop| (*hop, ALLOW)).collect() }
    }

    fn denied(hop: Hop, reason: &'static str, status: u16, told: &'static str) -> Self {
        Self { status, told, hops: vec![(hop, reason)] }
    }
}

/// Edge, invoices in, invoices out, orders in.
pub const ALL_THE_WAY: &[Hop] = &Hop::ALL;

fn client(name: &'static str, tenant: &'static str, method: &'static str, path: &'static str) -> Step {
    let host = match tenant {
        "acme" => "acme.shop.example",
        "globex" => "globex.shop.example",
        "initech" => "initech.shop.example",
        _ => "nobody.shop.example",
    };
    let expected = Expected::allowed(&[]);
    let (command, token, headers) = (None, None, Vec::new());
    Step { name, tenant, command, asker: Asker::Client, method, path, host, token, headers, expected }
}

fn peer(name: &'static str, tenant: &'static str, workload: Workload, root: Root) -> Step {
    let asker = Asker::Peer(workload, root);
    Step { asker, host: "orders", ..client(name, tenant, "GET", "/orders/{mark}") }
}

impl Step {
    fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn after(mut self, verb: &'static str, tenant: &'static str) -> Self {
        self.command = Some((verb, tenant));
        self
    }

    fn at_host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    fn allowed(mut self, hops: &[Hop]) -> Self {
        self.expected = Expected::allowed(hops);
        self
    }

    /// Denied at the edge, where the caller is told less than the log.
    fn denied_at_edge(mut self, reason: &'static str, status: u16, told: &'static str) -> Self {
        self.expected = Expected::denied(Edge, reason, status, told);
        self
    }

    /// Denied inside: a sidecar that calls is told the reason, an app is not.
    fn denied(mut self, hop: Hop, reason: &'static str, status: u16) -> Self {
        let told = match (hop, status) {
            (Hop::InvoicesOutbound, 400) => "bad_request",
            (Hop::InvoicesOutbound, _) => "forbidden",
            _ => reason,
        };
        self.expected = Expected::denied(hop, reason, status, told);
        self
    }
}

/// The whole story, in order: later steps replay what earlier ones left.
pub fn story() -> Vec<Step> {
    [allowed(), credentials(), requests(), inside(), live()].concat()
}

fn allowed() -> Vec<Step> {
    vec![
        client("reads an invoice, token RS256", "acme", "GET", "/invoices/{mark}?card=4111111111111111")
            .token(accountant(Acme, "acme"))
            .allowed(ALL_THE_WAY),
        client("reads an invoice, token ES256", "globex", "GET", "/invoices/{mark}")
            .token(viewer(Shared, "globex"))
            .allowed(ALL_THE_WAY),
        client("lists its own invoices", "initech", "GET", "/tenants/initech/invoices?page={mark}")
            .token(viewer(Shared, "initech"))
            .allowed(&[Edge, InvoicesInbound]),
        client("deletes an invoice as accountant", "acme", "DELETE", "/invoices/{mark}")
            .token(accountant(Acme, "acme"))
            .allowed(&[Edge, InvoicesInbound]),
        client("reads an order", "globex", "GET", "/orders/{mark}")
            .token(accountant(Shared, "globex"))
            .allowed(&[Edge, OrdersInbound]),
        client("says it were globex, in six headers", "acme", "GET", "/invoices/{mark}")
            .token(accountant(Acme, "acme"))
            .header("x-partywall-tenant", "globex")
            .header("X-Partywall-Principal", "root")
            .header("x-partywall-context", "eyJhbGciOiJub25lIn0.e30.")
            .header("x-partywall-act-for", "globex")
            .header("x-tenant-id", "globex")
            .header("x-forwarded-client-cert", "URI=spiffe://mesh.example/ns/edge/sa/gateway")
            .allowed(ALL_THE_WAY),
    ]
}

fn credentials() -> Vec<Step> {
    vec![
        client("shows no credential", "acme", "GET", "/invoices/{mark}").denied_at_edge(
            "tenant_missing",
            401,
            "unauthenticated",
        ),
        client("shows a token of its own at globex' host", "acme", "GET", "/invoices/{mark}")
            .at_host("globex.shop.example")
            .token(accountant(Acme, "acme"))
            .denied_at_edge("tenant_conflict", 403, "forbidden"),
        client("shows a token past its time", "acme", "GET", "/invoices/{mark}")
            .token(accountant(Acme, "acme").with(Expired))
            .denied_at_edge("credential_expired", 401, "unauthenticated"),
        client("shows a token with a bad signature, RS256", "acme", "GET", "/invoices/{mark}")
            .token(accountant(Acme, "acme").with(BadSignature))
            .denied_at_edge("credential_invalid", 401, "unauthenticated"),
        client("shows a token with a bad signature, ES256", "globex", "GET", "/invoices/{mark}")
            .token(accountant(Shared, "globex").with(BadSignature))
            .denied_at_edge("credential_invalid", 401, "unauthenticated"),
        client("shows a token meant for billing", "globex", "GET", "/invoices/{mark}")
            .token(accountant(Shared, "globex").with(OtherAudience))
            .denied_at_edge("credential_invalid", 401, "unauthenticated"),
        client("is named by acme's issuer", "globex", "GET", "/invoices/{mark}")
            .token(accountant(Acme, "globex"))
            .denied_at_edge("credential_invalid", 401, "unauthenticated"),
        client("is in no bundle", "nobody", "GET", "/invoices/{mark}")
            .token(accountant(Shared, "nobody"))
            .denied_at_edge("tenant_unknown", 403, "forbidden"),
    ]
}

fn requests() -> Vec<Step> {
    vec![
        client("deletes an invoice as viewer", "acme", "DELETE", "/invoices/{mark}")
            .token(viewer(Acme, "acme"))
            .denied_at_edge("policy_denied", 403, "forbidden"),
        client("lists the invoices of globex", "acme", "GET", "/tenants/globex/invoices?page={mark}")
            .token(accountant(Acme, "acme"))
            .denied_at_edge("resource_foreign", 404, "not_found"),
        client("asks for what no operation covers", "acme", "GET", "/invoices/{mark}/attachments")
            .token(accountant(Acme, "acme"))
            .denied_at_edge("resource_unmapped", 403, "forbidden"),
        client("hides a slash in the path", "acme", "GET", "/invoices/..%2f{mark}")
            .token(accountant(Acme, "acme"))
            .denied_at_edge("ambiguous_request", 400, "bad_request"),
        client("shows two tokens", "acme", "GET", "/invoices/{mark}")
            .token(accountant(Acme, "acme"))
            .header("authorization", "Bearer another")
            .denied_at_edge("ambiguous_request", 400, "bad_request"),
    ]
}

fn inside() -> Vec<Step> {
    vec![
        peer("root forged, sent with invoices' certificate", "acme", Workload::Invoices, Root::Forged("acme")).denied(
            OrdersInbound,
            "context_forged",
            401,
        ),
        peer("no root, sent with invoices' certificate", "-", Workload::Invoices, Root::Absent).denied(
            OrdersInbound,
            "tenant_missing",
            401,
        ),
        peer("real root, stolen by reports", "acme", Workload::Reports, Root::Captured("acme")).denied(
            OrdersInbound,
            "caller_denied",
            403,
        ),
        peer("the same root, sent with invoices' certificate", "acme", Workload::Invoices, Root::Captured("acme"))
            .allowed(&[OrdersInbound]),
        Step { asker: Asker::App, host: "orders", ..client("invoices calls by itself", "-", "GET", "/orders/{mark}") }
            .denied(InvoicesOutbound, "context_no_request", 403),
        Step {
            asker: Asker::App,
            host: "orders",
            ..client("invoices sends two handles", "-", "GET", "/orders/{mark}")
        }
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("tracestate", "pw=AAAAAAAAAAAAAAAAAAAAAA,pw=BBBBBBBBBBBBBBBBBBBBBB")
        .denied(InvoicesOutbound, "ambiguous_request", 400),
    ]
}

fn live() -> Vec<Step> {
    vec![
        client("is suspended while we speak", "globex", "GET", "/invoices/{mark}")
            .token(accountant(Shared, "globex"))
            .after("suspend", "globex")
            .denied_at_edge("tenant_suspended", 403, "forbidden"),
        peer("suspended, with a root from before", "globex", Workload::Invoices, Root::Captured("globex")).denied(
            OrdersInbound,
            "tenant_suspended",
            403,
        ),
        client("is not concerned", "acme", "GET", "/invoices/{mark}")
            .token(accountant(Acme, "acme"))
            .allowed(ALL_THE_WAY),
        client("is back", "globex", "GET", "/invoices/{mark}")
            .token(accountant(Shared, "globex"))
            .after("resume", "globex")
            .allowed(ALL_THE_WAY),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_story_is_as_rich_as_it_should_be() {
        let story = story();
        let tenants: BTreeSet<_> = story.iter().filter(|s| s.expected.status == 200).map(|s| s.tenant).collect();
        let reasons: BTreeSet<_> = story.iter().flat_map(|s| &s.expected.hops).map(|(_, reason)| reason).collect();
        assert!(story.len() >= 16, "{}", story.len());
        assert_eq!(tenants.len(), 3);
        assert!(reasons.len() > 8, "{reasons:?}");
    }
}
