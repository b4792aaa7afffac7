//! One case: read, run, compared.

use std::cell::RefCell;
use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_tenancy::{ProvedBy, Reason, Secrets, TenantContext, View};
use partywall_tenant_context::jwt::{KeySets, Keys, Memo, PureRust};
use partywall_tenant_context::{
    ACT_FOR, Baggage, CONTEXT, Established, Evidence, Handed, Headers, Outbound, Peer, Rejection, Request, RootMemo,
    RootSigner, TraceState, establish_edge, establish_inbound, recover, take_out, take_out_baggage,
};
use serde::Deserialize;
use serde_json::Value;

use crate::NOW;
use crate::jws::Jws;
use crate::keys;
use crate::mesh::{self, Mesh, api_key, merge};
use crate::waiting::{Slots, TRACE, Waits, carried, handle};

const GATEWAY: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
const OTHER_TRACE: &str = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NEUTRAL_HOST: &str = "gateway.example";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What makes it another case than one that ends alike.
    #[serde(default)]
    pub(crate) why: Option<String>,
    /// Changes to the mesh.
    #[serde(default)]
    given: Value,
    when: When,
    then: Then,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    role: Role,
    #[serde(default = "method")]
    method: String,
    #[serde(default = "path")]
    path: String,
    #[serde(default = "authority")]
    authority: String,
    /// `{token}`, `{root}`, `{api_key}`, `{handle}`, `{trace}` and `{other_trace}` are filled in.
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    token: Option<Jws>,
    #[serde(default)]
    root: Option<Jws>,
    /// The id of a known key, or a whole key.
    #[serde(default)]
    api_key: Option<String>,
    #[serde(default)]
    peer: PeerEntry,
    #[serde(default)]
    server_name: String,
    /// The client's address, as Envoy tells it.
    #[serde(default)]
    address: String,
    /// The service behind this sidecar.
    #[serde(default)]
    service: Option<String>,
    /// The service that an outgoing request is for; the empty name for none.
    #[serde(default = "destination")]
    destination: String,
    /// Whether the operation is open to everybody.
    #[serde(default)]
    anonymous: bool,
    #[serde(default = "now")]
    now: u64,
    /// The key that an edge, or an acting workload, signs with.
    #[serde(default)]
    signer: Option<Signer>,
    /// The context of a request that is open in this process.
    #[serde(default)]
    waiting: Option<Waits>,
}

fn method() -> String {
    "GET".into()
}

fn path() -> String {
    "/invoices/1".into()
}

fn authority() -> String {
    NEUTRAL_HOST.into()
}

fn destination() -> String {
    "orders".into()
}

fn now() -> u64 {
    NOW
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    Edge,
    Inbound,
    Outbound,
    /// Only what is taken out is looked at.
    Egress,
}

/// Names of the peer's certificate; inbound it is the gateway unless told otherwise.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PeerEntry {
    uri: Option<String>,
    dns: String,
    /// As `Hash=` in `xfcc` tells it.
    digest: String,
    xfcc: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signer {
    kid: String,
    /// Whose private key it is, where not its own.
    #[serde(default)]
    key_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Then {
    #[serde(default)]
    allow: Option<Allow>,
    #[serde(default)]
    deny: Option<String>,
    /// A part of the detail.
    #[serde(default)]
    because: Option<String>,
    /// Whether a denied caller had proved a credential.
    #[serde(default)]
    proved: Option<bool>,
    /// The headers that are taken out, in order.
    #[serde(default)]
    removed: Option<Vec<String>>,
    /// What is left of it; `keep` for untouched.
    #[serde(default)]
    baggage: Option<String>,
    /// What is left of it.
    #[serde(default)]
    tracestate: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    tenant: String,
    principal: String,
    proved_by: String,
    #[serde(default)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    networks: Option<Vec<String>>,
    #[serde(default)]
    tier: Option<String>,
    #[serde(default)]
    caller: Option<String>,
}

/// What became of a case.
pub(crate) struct Outcome {
    decision: Option<Result<TenantContext, Rejection>>,
    removed: Vec<String>,
    baggage: String,
    tracestate: String,
}

impl Outcome {
    pub(crate) fn reason(&self) -> Option<Reason> {
        Some(self.decision.as_ref()?.as_ref().err()?.reason)
    }

    pub(crate) fn detail(&self) -> Option<&str> {
        Some(&self.decision.as_ref()?.as_ref().err()?.detail)
    }

    /// What it looks like from outside.
    pub(crate) fn signature(&self) -> Vec<String> {
        match &self.decision {
            None => vec![self.removed.join(","), self.baggage.clone(), self.tracestate.clone()],
            Some(Ok(context)) => vec!["allow".into(), word(context.proved_by).into()],
            Some(Err(rejection)) => vec![rejection.reason.code().into(), rejection.detail.clone().into_owned()],
        }
    }
}

fn word(proved_by: ProvedBy) -> &'static str {
    match proved_by {
        ProvedBy::Jwt => "jwt",
        ProvedBy::ApiKey => "api_key",
        ProvedBy::Certificate => "certificate",
        ProvedBy::Root => "root",
        ProvedBy::Workload => "workload",
        ProvedBy::User => "user",
        ProvedBy::Listener => "listener",
        ProvedBy::Nothing => "nothing",
    }
}

impl Case {
    /// The case, and the others that take the same branches: each the case itself, but for what it replaces.
    pub(crate) fn read(yaml: &str) -> Result<Vec<Self>, String> {
        let mut value: Value = serde_saphyr::from_str(yaml).map_err(|e| e.to_string())?;
        fill_in(&mut value);
        let also = value.as_object_mut().and_then(|case| case.remove("also"));
        let mut all = vec![value];
        for other in also.iter().flat_map(|also| also.as_array().into_iter().flatten()) {
            let mut copy = all[0].clone();
            for (name, part) in other.as_object().ok_or("`also` is no list of mappings")? {
                copy[name] = part.clone();
            }
            all.push(copy);
        }
        all.into_iter().map(|case| serde_json::from_value(case).map_err(|e| e.to_string())).collect()
    }

    /// The sources that it brings something for, whatever that is.
    pub(crate) fn involved(&self) -> BTreeSet<&'static str> {
        let when = &self.when;
        let has = |name: &str| when.headers.iter().any(|(n, _)| n == name);
        let uri = when.peer.uri.as_deref().unwrap_or_default();
        let all = [
            ("jwt", when.token.is_some()),
            ("api_key", when.api_key.is_some()),
            ("uri_san", uri.contains("/tenant/")),
            ("dns_san", !when.peer.dns.is_empty()),
            ("xfcc", when.peer.xfcc.is_some()),
            ("host", when.authority != NEUTRAL_HOST),
            ("path", when.path.starts_with("/t/")),
            ("header", has("x-tenant")),
            ("root", when.root.is_some()),
            ("sni", !when.server_name.is_empty()),
            ("address", !when.address.is_empty()),
            ("act_for", has(ACT_FOR)),
            ("handle", has("tracestate")),
            ("trace", has("traceparent")),
            ("waiting", when.waiting.is_some()),
            ("anonymous", when.anonymous),
            ("inbound", when.role == Role::Inbound),
            ("peer", !uri.is_empty() && !uri.contains("/tenant/")),
        ];
        all.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }

    pub(crate) fn run(&self, mesh: &str) -> Result<Outcome, String> {
        let mut value: Value = serde_saphyr::from_str(mesh).map_err(|e| e.to_string())?;
        if !self.given.is_null() {
            merge(&mut value, &self.given);
        }
        fill_in(&mut value);
        let mesh: Mesh = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let headers = self.headers(&mesh)?;
        let taken = take_out(Headers(&headers), &mesh.legacy_headers);
        let baggage = match take_out_baggage(Headers(&headers), &mesh.legacy_headers) {
            Baggage::Keep => "keep".into(),
            Baggage::Replace(rest) => rest,
        };
        let handle = (self.when.role == Role::Inbound).then(handle);
        let tracestate = TraceState::of(Headers(&headers)).with(handle.as_ref()).unwrap_or_default();
        Ok(Outcome { decision: self.decide(&mesh, &headers)?, removed: taken.names, baggage, tracestate })
    }

    fn decide(
        &self,
        mesh: &Mesh,
        headers: &[(String, Vec<u8>)],
    ) -> Result<Option<Result<TenantContext, Rejection>>, String> {
        let view = match mesh.view() {
            Ok(view) => view,
            Err(reason) => return Ok(Some(Err(Rejection::new(reason, "no view")))),
        };
        let request = Request::from_headers(headers);
        Ok(match self.when.role {
            Role::Egress => None,
            Role::Outbound => Some(self.outbound(mesh, &view, &request)),
            Role::Edge | Role::Inbound => Some(self.with_evidence(mesh, &view, |evidence| {
                // Once cold and once from memory, which must not matter.
                let cold = self.establish(mesh, &view, &request, evidence);
                let warm = self.establish(mesh, &view, &request, evidence);
                assert_eq!(cold, warm, "a token that was seen before is decided alike");
                cold
            })?),
        })
    }

    fn with_evidence<T>(&self, mesh: &Mesh, view: &View, ask: impl FnOnce(&Evidence<'_>) -> T) -> Result<T, String> {
        let issuer_keys = keys::secrets(&["hs256", "hs-other"]);
        let api_keys = mesh::api_key_secrets();
        let mut sets = KeySets::default();
        sets.follow(view.bundle());
        for (issuer, entry) in &mesh.issuers {
            if let Some(set) = entry.jwk_set() {
                let at = entry.fetched_at.unwrap_or(NOW);
                sets.received(issuer, set.as_bytes(), at, 0).map_err(|e| e.to_string())?;
            }
        }
        let default = if self.when.role == Role::Inbound { GATEWAY } else { "" };
        let uri = unescape(self.when.peer.uri.as_deref().unwrap_or(default))?;
        let dns = unescape(&self.when.peer.dns)?;
        let server_name = unescape(&self.when.server_name)?;
        let verifier = PureRust { issuer_keys: mesh.secrets.issuer_keys.then_some(&issuer_keys) };
        Ok(ask(&Evidence {
            view,
            now: self.when.now,
            peer: Peer { uri: &uri, dns: &dns, digest: self.when.peer.digest.as_bytes() },
            server_name: &server_name,
            address: self.when.address.as_bytes(),
            verifier: &verifier,
            keys: Keys::new(&sets, self.when.now),
            memo: &RefCell::new(Memo::new(8)),
            roots: &RefCell::new(RootMemo::new(8)),
            api_keys: mesh.secrets.api_keys.then_some(&api_keys),
        }))
    }

    fn establish(
        &self,
        mesh: &Mesh,
        view: &View,
        request: &Request<'_>,
        evidence: &Evidence<'_>,
    ) -> Result<TenantContext, Rejection> {
        let anonymous = self.when.anonymous;
        let established = if self.when.role == Role::Edge {
            establish_edge(request, evidence, anonymous)?
        } else {
            let service = view.bundle().service(self.when.service.as_deref().unwrap_or("orders"));
            let taken = take_out(request.headers, &mesh.legacy_headers);
            establish_inbound(request, &taken, service.expect("the mesh has it"), evidence, anonymous)?
        };
        match established {
            Established::Proved(context, _) => {
                assert_ne!(context.proved_by, ProvedBy::Nothing);
                if self.when.role == Role::Edge {
                    self.sign(&context, view)?;
                }
                Ok(context)
            }
            Established::Anonymous(context) => {
                assert_eq!((context.proved_by, context.principal.as_str()), (ProvedBy::Nothing, ""));
                Ok(context)
            }
        }
    }

    /// What the edge or an acting workload signs is what the next hop reads.
    fn sign(&self, context: &TenantContext, view: &View) -> Result<(), Rejection> {
        let signer = self.when.signer.as_ref();
        let kid = signer.map_or("edge-1", |s| &s.kid);
        let key = signer.and_then(|s| s.key_of.as_deref()).unwrap_or(kid);
        let seed = BASE64_URL_SAFE_NO_PAD.encode(keys::ed25519(key).to_bytes());
        let secrets = Secrets::parse(&format!("{kid}:{seed}")).unwrap();
        let root = RootSigner::new(secrets.current()).unwrap().mint(context, view, self.when.now, || Some([7; 16]))?;
        assert!(root.len() <= partywall_tenant_context::MAX_TOKEN);
        Ok(())
    }

    fn outbound(&self, mesh: &Mesh, view: &View, request: &Request<'_>) -> Result<TenantContext, Rejection> {
        let own = self.when.service.as_deref().unwrap_or("invoices");
        let sources = Outbound {
            view,
            own: view.bundle().service(own).expect("the mesh has it"),
            destination: view.bundle().service(&self.when.destination),
            now: self.when.now,
            roots: &RefCell::new(RootMemo::new(8)),
        };
        let waiting = Slots(self.when.waiting.as_ref().map(|entry| entry.seal(mesh)));
        match recover(request, &carried(request)?, &sources, &waiting)? {
            Handed::Found { context, root, .. } => {
                let entry = self.when.waiting.as_ref().expect("what is found was there");
                assert_eq!(root, entry.root.root(mesh).into_bytes(), "a root context goes on unchanged");
                Ok(context)
            }
            Handed::ToSign(context) => {
                assert_eq!(context.proved_by, ProvedBy::Workload);
                if self.when.signer.is_some() {
                    self.sign(&context, view)?;
                }
                Ok(context)
            }
        }
    }

    fn headers(&self, mesh: &Mesh) -> Result<Vec<(String, Vec<u8>)>, String> {
        let when = &self.when;
        let token = when.token.as_ref().map(|jws| jws.token(mesh));
        let root = when.root.as_ref().map(|jws| jws.root(mesh));
        let key = when.api_key.as_ref().map(|id| if id.contains('.') { id.clone() } else { api_key(id) });
        let (handle, trace, other_trace) = (Some(handle().to_string()), Some(TRACE.into()), Some(OTHER_TRACE.into()));
        let known = [
            ("{token}", &token, Some(("authorization", "Bearer {token}"))),
            ("{root}", &root, Some((CONTEXT, "{root}"))),
            ("{api_key}", &key, Some(("x-api-key", "{api_key}"))),
            ("{handle}", &handle, None),
            ("{trace}", &trace, None),
            ("{other_trace}", &other_trace, None),
        ];
        let mut list = vec![
            (":method".to_owned(), when.method.clone()),
            (":path".to_owned(), when.path.clone()),
            (":authority".to_owned(), when.authority.clone()),
        ];
        list.extend(when.headers.iter().cloned());
        for (mark, value, header) in &known {
            let used = when.headers.iter().any(|(_, v)| v.contains(mark));
            if let (Some(_), Some((name, text)), false) = (value, header, used) {
                list.push(((*name).to_owned(), (*text).to_owned()));
            }
        }
        if let Some(xfcc) = &when.peer.xfcc {
            list.push(("x-forwarded-client-cert".into(), xfcc.clone()));
        }
        list.into_iter()
            .map(|(name, mut text)| {
                for (mark, value, _) in &known {
                    if text.contains(mark) {
                        text = text.replace(mark, value.as_deref().ok_or(format!("{mark} of what?"))?);
                    }
                }
                Ok((name, unescape(&text)?))
            })
            .collect()
    }

    /// Where the outcome is not the one written down.
    pub(crate) fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let then = &self.then;
        let mut found = Vec::new();
        let mut compare = |what: &str, wanted: &str, got: &str| {
            if wanted != got {
                found.push(format!("{what} should be `{wanted}` and is `{got}`"));
            }
        };
        match (&outcome.decision, &then.allow, &then.deny) {
            (None, None, None) => {}
            (Some(Ok(context)), Some(allow), None) => {
                compare("the tenant", &allow.tenant, context.tenant.as_str());
                compare("the principal", &allow.principal, &context.principal);
                compare("what proved it", &allow.proved_by, word(context.proved_by));
                let list = |list: &[String]| list.join(" ");
                if let Some(roles) = &allow.roles {
                    compare("the roles", &list(roles), &list(&context.roles));
                }
                if let Some(scopes) = &allow.scopes {
                    compare("the scopes", &list(scopes), &list(&context.scopes));
                }
                if let Some(networks) = &allow.networks {
                    compare("the networks", &list(networks), &context.networks.iter().collect::<Vec<_>>().join(" "));
                }
                if let Some(tier) = &allow.tier {
                    compare("the tier", tier, &context.tier);
                }
                if let Some(caller) = &allow.caller {
                    compare("the caller", caller, context.caller.as_ref().map_or("", |c| c.as_str()));
                }
            }
            (Some(Err(rejection)), None, Some(reason)) => {
                compare("the reason", reason, rejection.reason.code());
                if let Some(because) = &then.because
                    && !rejection.detail.contains(because.as_str())
                {
                    compare("the detail", because, &rejection.detail);
                }
                if let Some(proved) = then.proved {
                    compare("`proved`", &proved.to_string(), &rejection.proved.to_string());
                }
            }
            (Some(Ok(context)), ..) => {
                compare("the end", then.deny.as_deref().unwrap_or("?"), &format!("{} let in", context.tenant));
            }
            (Some(Err(rejection)), ..) => {
                compare("the end", "allow", &format!("{}: {}", rejection.reason, rejection.detail));
            }
            (None, ..) => compare("the end", "none, at egress", "one"),
        }
        if let Some(removed) = &then.removed {
            compare("what is taken out", &removed.join(" "), &outcome.removed.join(" "));
        }
        if let Some(baggage) = &then.baggage {
            compare("the baggage", baggage, &outcome.baggage);
        }
        if let Some(state) = &then.tracestate {
            compare("the tracestate", &state.replace("{handle}", &handle().to_string()), &outcome.tracestate);
        }
        found
    }
}

/// `\xff` is a byte, `\\` a backslash.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        match after {
            [b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            [b'x', a, b, after @ ..] => {
                let hex = str::from_utf8(&[*a, *b]).ok().and_then(|h| u8::from_str_radix(h, 16).ok());
                bytes.push(hex.ok_or(format!("`{text}` has a broken escape"))?);
                rest = after;
            }
            _ => return Err(format!("`{text}` has an escape that is neither `\\xff` nor `\\\\`")),
        }
    }
    Ok(bytes)
}

/// `now`, `now+60`, `now-60` become numbers; `{long:9}` nine letters, `{words:9}` nine words,
/// none twice.
fn fill_in(value: &mut Value) {
    match value {
        Value::String(text) => {
            let letter: fn(usize) -> String = |_| "a".to_owned();
            let word: fn(usize) -> String = |nth| format!("{nth} ");
            for (mark, unit) in [("{long:", letter), ("{words:", word)] {
                if let Some((before, (count, after))) =
                    text.split_once(mark).and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
                {
                    let units: String = (0..count.parse().expect("a number")).map(unit).collect();
                    *text = format!("{before}{units}{after}");
                }
            }
            let Some(rest) = text.strip_prefix("now") else { return };
            let offset = if rest.is_empty() { Ok(0) } else { rest.parse::<i64>() };
            if let Ok(offset) = offset {
                *value = NOW.saturating_add_signed(offset).into();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(fill_in),
        Value::Object(object) => object.values_mut().for_each(fill_in),
        _ => {}
    }
}
