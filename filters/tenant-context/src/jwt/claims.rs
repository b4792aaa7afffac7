//! Reading claims: each one of the type the RFC gives it, or the token is invalid.

use partywall_tenancy::{Issuer, UnixSeconds, order};
use serde_json::Value;

/// The most tenants that one token may name.
const MAX_TENANTS: usize = 64;

/// The claims that matter, of the right types; not yet judged.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) expires: UnixSeconds,
    pub(crate) not_before: Option<UnixSeconds>,
    pub(crate) issued: Option<UnixSeconds>,
    pub(crate) id: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) tenants: Vec<String>,
    pub(crate) client: Option<String>,
    pub(crate) roles: Vec<String>,
}

impl Claims {
    /// Takes the claims out of a payload, tenant and roles from where `issuer` keeps them.
    /// The error says which claim is missing or of a wrong type.
    pub(crate) fn read(payload: &Value, issuer: &Issuer) -> Result<Self, &'static str> {
        Ok(Self {
            subject: text(payload.get("sub"))
                .filter(|s| crate::root::is_principal(s))
                .ok_or("`sub` is missing, or not 1 to 255 printable ASCII characters")?,
            audiences: strings(payload.get("aud")).ok_or("`aud` is missing, or no string or array of strings")?,
            expires: payload.get("exp").and_then(time).ok_or("`exp` is missing or no time")?,
            not_before: optional(payload.get("nbf"), time).ok_or("`nbf` is no time")?,
            issued: optional(payload.get("iat"), time).ok_or("`iat` is no time")?,
            id: optional(payload.get("jti"), |v| text(Some(v))).ok_or("`jti` is no string")?,
            scopes: optional(payload.get("scope"), |v| text(Some(v)))
                .ok_or("`scope` is no string")?
                .map_or_else(Vec::new, |text| scopes(&text)),
            tenants: strings(payload.pointer(&issuer.tenant_claim))
                .filter(|tenants| (1..=MAX_TENANTS).contains(&tenants.len()))
                .ok_or("the tenant claim is missing, or no string or array of 1 to 64 strings")?,
            client: optional(payload.pointer(&issuer.client_claim), |v| text(Some(v)))
                .ok_or("the client claim is no string")?,
            roles: match payload.pointer(&issuer.roles_claim) {
                None => Vec::new(),
                roles => strings(roles).ok_or("the roles claim is no string or array of strings")?,
            },
        })
    }
}

/// `None` for a value of a wrong type; `Some(None)` for none at all.
fn optional<T>(value: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

/// Each scope once. Their order means nothing (RFC 6749, section 3.3), so it makes no two credentials of one.
fn scopes(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    order::sort(&mut found);
    found.dedup();
    found
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list.iter().map(|v| text(Some(v))).collect(),
        _ => None,
    }
}

/// NumericDate (RFC 7519, section 2): seconds, possibly with a fraction, never negative here.
fn time(value: &Value) -> Option<UnixSeconds> {
    value.as_u64().or_else(|| {
        let seconds = value.as_f64()?;
        // Beyond 2^53 a double no longer counts seconds; no honest token is that far off.
        (0.0..9.0e15).contains(&seconds).then_some(seconds as UnixSeconds)
    })
}
