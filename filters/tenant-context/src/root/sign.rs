//! Signing root contexts.

use std::cell::RefCell;
use std::rc::Rc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use partywall_tenancy::{ContextSigner, Reason, Secret, TenantContext, TenantId, UnixSeconds, View};
use serde::Serialize;

use super::{Claims, MAX_TOKEN, ROOT_LIFETIME};
use crate::Rejection;
use crate::shares::{Digest, Shares, digest};
use crate::signed::{ALGORITHM, Header, Signs};

/// For so many seconds the same context gets the same root. What is left of its lifetime, and of the
/// `max_context_age` of services, is for the request.
const SHARED_FOR: UnixSeconds = ROOT_LIFETIME / 4;
/// How many contexts have their root remembered.
const REMEMBERED: usize = 2048;

/// Holds the key with which this workload signs root contexts.
pub struct RootSigner {
    id: Box<str>,
    key: SigningKey,
    minted: RefCell<Shares<TenantId, Minted>>,
}

/// A root context that was signed a moment ago.
struct Minted {
    token: Rc<str>,
    iat: UnixSeconds,
    exp: UnixSeconds,
}

impl RootSigner {
    /// Takes the current context signing key; its id is the `kid`. `None` unless it is 32 bytes long.
    pub fn new(secret: &Secret) -> Option<Self> {
        let seed: &[u8; 32] = secret.bytes().try_into().ok()?;
        let minted = RefCell::new(Shares::new(REMEMBERED));
        Some(Self { id: secret.id().into(), key: SigningKey::from_bytes(seed), minted })
    }

    /// A root context for `context`: a new one, or the one that it got less than 15 seconds ago under this
    /// revision of the bundle. `random` is asked for the `jti` of a new one, and must never give the same twice.
    ///
    /// It ends with the credential that proved the tenant, if that is sooner than [`ROOT_LIFETIME`].
    /// A key that the bundle does not list as a signer for this tenant signs nothing.
    pub fn mint(
        &self,
        context: &TenantContext,
        view: &View,
        now: UnixSeconds,
        random: impl FnOnce() -> Option<[u8; 16]>,
    ) -> Result<Rc<str>, Rejection> {
        let signer = self.usable(&context.tenant, view)?;
        let key = same(context, view)?;
        if let Some(minted) = self.minted.borrow().get(&key)
            && (minted.iat..minted.exp.min(minted.iat.saturating_add(SHARED_FOR))).contains(&now)
        {
            return Ok(minted.token.clone());
        }
        let random =
            random().ok_or(Rejection::of_proved(Reason::PolicyUnavailable, "the host gives no random bytes"))?;
        let claims = claims(context, view, signer, now, random);
        let token = self.write(&claims).filter(|token| token.len() <= MAX_TOKEN).ok_or_else(too_much)?;
        let token = Rc::<str>::from(token);
        let minted = Minted { token: token.clone(), iat: claims.iat, exp: claims.exp };
        self.minted.borrow_mut().insert(key, context.tenant.clone(), minted, claims.exp, now);
        Ok(token)
    }

    /// What the bundle says of this key, where it may sign for `tenant`.
    pub(crate) fn usable<'a>(&self, tenant: &TenantId, view: &'a View) -> Result<&'a ContextSigner, Rejection> {
        view.bundle()
            .signer(&self.id)
            .filter(|s| s.tenants.contains(tenant) && s.key == self.key.verifying_key().to_bytes())
            .filter(|_| !view.overlay().revokes_signer(&self.id))
            .ok_or_else(|| {
                Rejection::of_proved(
                    Reason::PolicyUnavailable,
                    format!("the bundle does not let key `{}` sign for this tenant", self.id),
                )
            })
    }

    /// A signed token.
    pub(crate) fn write<C: Signs + Serialize>(&self, claims: &C) -> Option<String> {
        let header = serde_json::to_vec(&Header { alg: ALGORITHM, kid: &self.id, typ: C::TYPE }).ok()?;
        let payload = serde_json::to_vec(claims).ok()?;
        let mut token = BASE64_URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
        Some(token)
    }
}

fn claims(context: &TenantContext, view: &View, signer: &ContextSigner, now: UnixSeconds, random: [u8; 16]) -> Claims {
    let body = view.bundle().body();
    Claims {
        iss: body.mesh.to_string(),
        sub: context.principal.clone(),
        ten: context.tenant.to_string(),
        tier: context.tier.clone(),
        rol: context.roles.clone(),
        scp: context.scopes.clone(),
        reg: context.region.clone(),
        net: context.networks.clone(),
        org: signer.workload.to_string(),
        rev: body.revision,
        iat: now,
        exp: now.saturating_add(ROOT_LIFETIME).min(context.expires.max(now.saturating_add(1))),
        jti: BASE64_URL_SAFE_NO_PAD.encode(random),
    }
}

/// Two contexts share a root if this is the same: everything that it says of them, and how long it may last. What it
/// says of mesh and signer is the bundle's, which its revision tells.
fn same(context: &TenantContext, view: &View) -> Result<Digest, Rejection> {
    let TenantContext { tenant, tier, region, principal, roles, scopes, networks, expires, .. } = context;
    let revision = view.bundle().body().revision;
    let said = (revision, tenant.as_str(), tier, region, principal, roles, scopes, networks, expires);
    postcard::to_allocvec(&said).map(|bytes| digest(&bytes)).map_err(|_| too_much())
}

fn too_much() -> Rejection {
    Rejection::of_proved(Reason::CredentialInvalid, "the credential holds too much for a root context")
}
