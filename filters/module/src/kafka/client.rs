//! The client of a connection: what it showed of itself, and what that means under the bundle in force.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use partywall_authorization::Authorization;
use partywall_event_scope::kafka::session::{self, Identity, Standing};
use partywall_event_scope::scope::Cluster;
use partywall_tenancy::{CLOCK_SKEW, EventCluster, EventIdentity, Here, Reason, Tenant, TenantContext, TenantId, View};
use partywall_tenant_context::jwt::{Keys, Verified};
use partywall_tenant_context::{Peer, Shown, event_client};

use super::Setup;
use super::candidate::Trying;
use super::decide::Verdicts;
use crate::crypto::HostVerifier;
use crate::{host, metrics};

/// Who is at the other end, and who says what that means.
pub(super) struct Client {
    pub(super) setup: Rc<Setup>,
    uri: Vec<u8>,
    dns: Vec<u8>,
    /// What the broker believed last.
    believed: Proof,
    /// What was shown last.
    shown: RefCell<Proof>,
    /// Whether something was shown just now, and nobody knows yet whether the broker believes it.
    asking: Cell<bool>,
    /// What everything is decided against; none before the first look.
    pub(super) under: Option<Under>,
    pub(super) acting: Option<Acting>,
    /// Whose it is, whether that tenant may act or not.
    pub(super) named: Option<TenantId>,
    /// Why it was turned away.
    pub(super) reason: Cell<Option<Reason>>,
    /// What was decided for it in this second.
    pub(super) verdicts: Verdicts,
}

/// What was shown by SASL, where the cluster takes it for an identity.
#[derive(Clone, Default)]
enum Proof {
    #[default]
    Nothing,
    User(String),
    Token(Rc<Verified>),
}

/// What holds now.
pub(super) struct Under {
    pub(super) view: View,
    pub(super) authorization: Rc<Authorization>,
    cluster: Cluster,
    /// How often something else came into force.
    pub(super) changes: u64,
    pub(super) now: u64,
    /// The candidate beside it, where there is one.
    pub(super) tried: Option<Trying>,
}

/// Whom the client acts for.
pub(super) struct Acting {
    pub(super) context: TenantContext,
    /// The tenant, which may act.
    pub(super) tenant: Tenant,
    pub(super) fingerprint: Rc<str>,
    /// The tenant as a metric's label.
    pub(super) label: Rc<str>,
}

impl Client {
    pub(super) fn new(setup: Rc<Setup>) -> Self {
        Self {
            setup,
            uri: Vec::new(),
            dns: Vec::new(),
            believed: Proof::Nothing,
            shown: RefCell::default(),
            asking: Cell::new(false),
            under: None,
            acting: None,
            named: None,
            reason: Cell::new(None),
            verdicts: Verdicts::default(),
        }
    }

    /// Reads the certificate. Its names are there with the first data and not before: then, Envoy has verified it.
    pub(super) fn read_certificate(&mut self) {
        if host::property(&["connection", "mtls"]).is_some_and(|mtls| mtls == [1]) {
            self.uri = host::property(&["connection", "uri_san_peer_certificate"]).unwrap_or_default();
            self.dns = host::property(&["connection", "dns_san_peer_certificate"]).unwrap_or_default();
        }
    }

    /// Looks at what holds now. Says whether that is something else than before.
    pub(super) fn look(&mut self) -> Result<bool, Reason> {
        let now = self.setup.now();
        let (view, authorization, changes, tried) = {
            let policy = self.setup.policy.borrow();
            let changes = policy.changes();
            if self.under.as_ref().is_some_and(|under| (under.changes, under.now) == (changes, now)) {
                return Ok(false);
            }
            let (view, authorization) = policy.view(now)?;
            let tried = policy.tried(&view);
            (view, authorization, changes, tried)
        };
        let tried = tried.map(|tried| Trying::new(tried, &self.setup.shared));
        if let Some(under) = self.under.as_mut().filter(|under| under.changes == changes) {
            (under.view, under.now, under.tried) = (view, now, tried);
            return Ok(false);
        }
        let cluster = self.setup.shared.cluster(view.bundle()).ok_or(Reason::ResourceUnmapped)?;
        self.under = Some(Under { view, authorization, cluster, changes, now, tried });
        Ok(true)
    }

    /// The broker believed what was shown last.
    pub(super) fn believe(&mut self) {
        self.believed = self.shown.take();
    }

    /// Finds out anew for whom it acts.
    ///
    /// # Errors
    ///
    /// What it showed contradicts itself, or is taken back; or its tenant may not act.
    pub(super) fn settle(&mut self) -> Result<(), Reason> {
        (self.acting, self.named) = (None, None);
        let Some(context) = self.context(&self.believed)? else { return Ok(()) };
        self.named = Some(context.tenant.clone());
        let Some(under) = &self.under else { return Err(Reason::PolicyUnavailable) };
        let tenant = self.may_act(under, &context.tenant)?;
        let fingerprint = self.setup.config.fingerprint.of(&context.tenant);
        let label = metrics::tenant_label(Some(under.view.bundle()), Some(&context.tenant), &fingerprint);
        let label = if label == &*fingerprint { Rc::clone(&fingerprint) } else { label.into() };
        self.acting = Some(Acting { context, tenant, fingerprint, label });
        Ok(())
    }

    /// Whether what proved it is past its time. Who authenticates again in time has another proof.
    pub(super) fn is_expired(&self) -> bool {
        let ends = self.acting.as_ref().map_or(u64::MAX, |acting| acting.context.expires.saturating_add(CLOCK_SKEW));
        self.under.as_ref().is_some_and(|under| under.now > ends)
    }

    /// What the bundle says of the cluster.
    pub(super) fn said(&self) -> Option<&EventCluster> {
        self.setup.shared.said(self.under.as_ref()?.view.bundle())
    }

    /// The context of a client that showed this by SASL, and its certificate; `None` for nobody.
    fn context(&self, proof: &Proof) -> Result<Option<TenantContext>, Reason> {
        let (Some(under), Some(said)) = (&self.under, self.said()) else { return Err(Reason::PolicyUnavailable) };
        let shown = Shown {
            peer: Peer { uri: &self.uri, dns: &self.dns, digest: b"" },
            user: if let Proof::User(user) = proof { Some(user) } else { None },
            token: if let Proof::Token(token) = proof { Some(token) } else { None },
            bound: self.setup.config.tenant.as_ref(),
        };
        event_client(said, &shown, &under.view).map_err(|rejection| rejection.reason)
    }

    fn may_act(&self, under: &Under, tenant: &TenantId) -> Result<Tenant, Reason> {
        let record = under.view.active_tenant(tenant)?;
        let region = self.said().map(|said| said.region.as_str());
        Here { cell: None, region }.serves(&record, under.view.bundle().body())?;
        Ok(record)
    }

    /// What was shown, checked as far as it can be here; `Nothing` where the cluster does not take it for an identity.
    fn read(&self, proof: session::Proof<'_>) -> Result<Proof, Reason> {
        let (Some(under), Some(said)) = (&self.under, self.said()) else { return Err(Reason::PolicyUnavailable) };
        match proof {
            session::Proof::User(user) => {
                if !said.identity.iter().any(|identity| matches!(identity, EventIdentity::User { .. })) {
                    return Ok(Proof::Nothing);
                }
                let user = str::from_utf8(user).map_err(|_| Reason::TenantInvalid)?;
                Ok(Proof::User(user.to_owned()))
            }
            session::Proof::Token(token) => {
                if !said.identity.contains(&EventIdentity::Token) {
                    return Ok(Proof::Nothing);
                }
                let (sets, memo) = {
                    let policy = self.setup.policy.borrow();
                    (policy.key_sets(), policy.memo())
                };
                let verifier = HostVerifier { issuer_keys: self.setup.config.issuer_keys.as_ref() };
                let keys = sets.borrow();
                let keys = Keys::new(&keys, under.now);
                let verified = memo.borrow_mut().verify(token, &under.view, keys, under.now, &verifier);
                let verified = verified.map_err(|rejection| rejection.reason)?;
                verified.map(Proof::Token).ok_or(Reason::CredentialInvalid)
            }
        }
    }

    fn turned_away(&self, reason: Reason) -> Option<Rc<str>> {
        self.reason.set(Some(reason));
        None
    }
}

impl Identity for Client {
    fn tenant(&self, proof: session::Proof<'_>) -> Option<Rc<str>> {
        let proof = match self.read(proof) {
            Ok(proof) => proof,
            Err(reason) => return self.turned_away(reason),
        };
        let context = match self.context(&proof) {
            Ok(Some(context)) => context,
            Ok(None) => return self.turned_away(Reason::TenantMissing),
            Err(reason) => return self.turned_away(reason),
        };
        if self.named.as_ref().is_some_and(|named| *named != context.tenant) {
            return self.turned_away(Reason::TenantConflict);
        }
        self.shown.replace(proof);
        self.asking.set(true);
        Some(context.tenant.as_str().into())
    }

    fn standing(&self, tenant: &str) -> Standing {
        // INVARIANT: but for the moment in which something is shown, nobody stands as a tenant for whom it does not act.
        let asking = self.asking.take();
        let acts = self.acting.as_ref().is_some_and(|acting| acting.context.tenant.as_str() == tenant);
        let found = match (&self.under, TenantId::parse(tenant)) {
            (Some(under), Ok(id)) if asking || acts => {
                let scope = self.may_act(under, &id).map(|_| under.cluster.scope(&id));
                scope.and_then(|scope| scope.ok_or(Reason::TenantInvalid))
            }
            _ => Err(self.reason.get().unwrap_or(Reason::TenantConflict)),
        };
        match found {
            Ok(scope) => Standing::Active(Rc::new(scope)),
            Err(reason) => {
                self.reason.set(Some(reason));
                Standing::Suspended
            }
        }
    }

    /// Without a bundle nobody gets in, whatever is offered.
    fn classic_only(&self) -> bool {
        self.under.as_ref().is_some_and(|under| under.cluster.has_ranges())
    }
}
