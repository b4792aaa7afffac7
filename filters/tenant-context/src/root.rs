//! The root context: a JWS, signed once where the tenant was established, verified on every hop.
//!
//! Header `{"alg":"EdDSA","kid":…,"typ":"partywall-root+jwt"}` (RFC 8037), claims as in [`Claims`].

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use partywall_tenancy::{
    CLOCK_SKEW, ContextSigner, MeshId, ProvedBy, Reason, Secret, TenantContext, TenantId, UnixSeconds, View,
};
use serde::{Deserialize, Serialize};

use crate::Rejection;
use crate::jwt::Compact;

/// Seconds from issue to `exp`.
pub const ROOT_LIFETIME: UnixSeconds = 60;
/// The longest root context, in bytes: each open request keeps one in shared data.
pub const MAX_TOKEN: usize = 4096;

const TYPE: &str = "partywall-root+jwt";
const ALGORITHM: &str = "EdDSA";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

/// The claims of a root context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The mesh.
    pub(crate) iss: String,
    /// The principal.
    pub(crate) sub: String,
    /// The tenant.
    pub(crate) ten: String,
    /// The tenant's tier.
    pub(crate) tier: String,
    /// Roles.
    pub(crate) rol: Vec<String>,
    /// Scopes.
    pub(crate) scp: Vec<String>,
    /// The tenant's residency.
    pub(crate) reg: String,
    /// The workload that signed.
    pub(crate) org: String,
    /// The bundle revision it was decided under.
    pub(crate) rev: u64,
    /// Issue time.
    pub(crate) iat: UnixSeconds,
    /// Expiry: at most [`ROOT_LIFETIME`] after `iat`.
    pub(crate) exp: UnixSeconds,
    /// 128 random bits, base64url.
    pub(crate) jti: String,
}

/// A root context that verified.
pub(crate) struct Verified<'a> {
    pub(crate) claims: Claims,
    pub(crate) tenant: TenantId,
    pub(crate) signer: &'a ContextSigner,
}

/// Holds the key with which this workload signs root contexts.
pub struct RootSigner {
    id: Box<str>,
    key: SigningKey,
}

impl RootSigner {
    /// Takes the current context signing key; its id is the `kid`. `None` unless it is 32 bytes long.
    pub fn new(secret: &Secret) -> Option<Self> {
        let seed: &[u8; 32] = secret.bytes().try_into().ok()?;
        Some(Self { id: secret.id().into(), key: SigningKey::from_bytes(seed) })
    }

    /// Signs a root context for `context`. `random` becomes its `jti` and must never be used twice.
    ///
    /// It ends with the credential that proved the tenant, if that is sooner than [`ROOT_LIFETIME`].
    /// A key that the bundle does not list as a signer for this tenant signs nothing.
    pub fn mint(
        &self,
        context: &TenantContext,
        view: &View,
        now: UnixSeconds,
        random: [u8; 16],
    ) -> Result<String, Rejection> {
        let body = view.bundle().body();
        let usable = view
            .bundle()
            .signer(&self.id)
            .filter(|s| s.tenants.contains(&context.tenant) && s.key == self.key.verifying_key().to_bytes());
        let Some(signer) = usable.filter(|_| !view.overlay().revokes_signer(&self.id)) else {
            return Err(Rejection::of_proved(
                Reason::PolicyUnavailable,
                format!("the bundle does not let key `{}` sign for this tenant", self.id),
            ));
        };
        let claims = Claims {
            iss: body.mesh.to_string(),
            sub: context.principal.clone(),
            ten: context.tenant.to_string(),
            tier: context.tier.clone(),
            rol: context.roles.clone(),
            scp: context.scopes.clone(),
            reg: context.region.clone(),
            org: signer.workload.to_string(),
            rev: body.revision,
            iat: now,
            exp: now.saturating_add(ROOT_LIFETIME).min(context.expires.max(now.saturating_add(1))),
            jti: BASE64_URL_SAFE_NO_PAD.encode(random),
        };
        self.sign(&claims).filter(|token| token.len() <= MAX_TOKEN).ok_or_else(|| {
            Rejection::of_proved(Reason::CredentialInvalid, "the credential holds too much for a root context")
        })
    }

    fn sign(&self, claims: &Claims) -> Option<String> {
        let header = serde_json::to_vec(&Header { alg: ALGORITHM, kid: &self.id, typ: TYPE }).ok()?;
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

/// Verifies everything about a root context that does not depend on who sent it.
pub(crate) fn verify<'a>(token: &[u8], view: &'a View, now: UnixSeconds) -> Result<Verified<'a>, Rejection> {
    let forged = |what: &'static str| Rejection::new(Reason::ContextForged, what);
    if token.len() > MAX_TOKEN {
        return Err(forged("it is too long"));
    }
    let compact = Compact::read(token).ok_or(forged("it is no compact JWS"))?;
    let header: Header<'_> =
        serde_json::from_slice(&compact.header).map_err(|_| forged("its header is not that of a root context"))?;
    if header.alg != ALGORITHM || header.typ != TYPE {
        return Err(forged("its header is not that of a root context"));
    }
    let signer = view.bundle().signer(header.kid).ok_or(forged("its `kid` is no context signer"))?;
    if view.overlay().revokes_signer(header.kid) {
        return Err(Rejection::new(Reason::CredentialRevoked, "the overlay revokes its signing key"));
    }
    let signature =
        Signature::from_slice(&compact.signature).map_err(|_| forged("its signature has a wrong length"))?;
    let key =
        VerifyingKey::from_bytes(&signer.key).map_err(|_| forged("the bundle's key for its `kid` is unusable"))?;
    key.verify_strict(compact.signed, &signature).map_err(|_| forged("its signature does not verify"))?;

    // Claim types are fixed by the struct, and serde refuses a repeated field of one.
    let claims: Claims = serde_json::from_slice(&compact.payload).map_err(|_| forged("its claims are unreadable"))?;
    let tenant = TenantId::parse(&claims.ten).map_err(|_| forged("its tenant is no tenant id"))?;
    if !is_mesh(&claims.iss, &view.bundle().body().mesh) {
        return Err(forged("it was made in another mesh"));
    }
    if !is_principal(&claims.sub) {
        return Err(forged("its principal cannot stand in a header"));
    }
    if claims.org != signer.workload.as_str() || !signer.tenants.contains(&tenant) {
        return Err(forged("its signer may not sign for this tenant"));
    }
    if claims.iat > now.saturating_add(CLOCK_SKEW) || claims.exp > claims.iat.saturating_add(ROOT_LIFETIME) {
        return Err(forged("its times are impossible"));
    }
    Ok(Verified { claims, tenant, signer })
}

/// Whether `text` can name a principal: 1 to 255 ASCII characters (OpenID Connect Core, section 2),
/// and printable, since it stands in a header on its way to the app.
pub(crate) fn is_principal(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

fn is_mesh(iss: &str, mesh: &MeshId) -> bool {
    iss == mesh.as_str()
}

impl Verified<'_> {
    /// The context it carries, for a request that `caller` sent.
    pub(crate) fn context(self, caller: Option<partywall_tenancy::SpiffeId>) -> TenantContext {
        TenantContext {
            tenant: self.tenant,
            tier: self.claims.tier,
            region: self.claims.reg,
            principal: self.claims.sub,
            roles: self.claims.rol,
            scopes: self.claims.scp,
            proved_by: ProvedBy::Root,
            token_id: self.claims.jti,
            expires: self.claims.exp,
            caller,
        }
    }
}
