//! Why a request was denied: one word per reason, one place for all of them.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $code:literal $status:literal $coarse:ident;)*) => {
        /// Why a request was denied. The word stands in access logs and metrics; a caller at the
        /// edge sees only the [`Coarse`] form, so that a denial tells an attacker nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for logs and metrics, as `tenant_conflict`.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The reason with this word.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }

            /// The HTTP status on inner hops.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            fn coarse_when_proved(self) -> Coarse {
                match self { $(Self::$variant => Coarse::$coarse,)* }
            }
        }
    };
}

reasons! {
    /// No proving source was there.
    TenantMissing "tenant_missing" 401 Unauthenticated;
    /// A credential was claimed and is not valid.
    CredentialInvalid "credential_invalid" 401 Unauthenticated;
    /// A credential is past its time.
    CredentialExpired "credential_expired" 401 Unauthenticated;
    /// A credential was revoked by the overlay.
    CredentialRevoked "credential_revoked" 401 Unauthenticated;
    /// A root context that no allowed signer made for this mesh and tenant.
    ContextForged "context_forged" 401 Unauthenticated;
    /// A root context past its time.
    ContextExpired "context_expired" 401 Unauthenticated;
    /// The peer proved no SPIFFE ID.
    CallerUnknown "caller_unknown" 401 Unauthenticated;
    /// The request could be read in two ways.
    AmbiguousRequest "ambiguous_request" 400 BadRequest;
    /// The connection was made for another host than the request names.
    MisdirectedRequest "misdirected_request" 421 Misdirected;
    /// A source names something that is no tenant id.
    TenantInvalid "tenant_invalid" 400 BadRequest;
    /// Two sources name different tenants.
    TenantConflict "tenant_conflict" 403 Forbidden;
    /// The tenant is not in the bundle.
    TenantUnknown "tenant_unknown" 403 Forbidden;
    /// The tenant is suspended, by bundle or overlay.
    TenantSuspended "tenant_suspended" 403 Forbidden;
    /// The tenant is quarantined, by bundle or overlay.
    TenantQuarantined "tenant_quarantined" 403 Forbidden;
    /// The tenant is on its way from one cell to another, and neither serves it.
    TenantMoving "tenant_moving" 503 Unavailable;
    /// Another cell serves the tenant.
    CellForeign "cell_foreign" 403 Forbidden;
    /// The tenant's cell or data must stay in another region than this, or nobody knows which one this is.
    Residency "residency" 403 Forbidden;
    /// The calling workload may not call this service for this tenant.
    CallerDenied "caller_denied" 403 Forbidden;
    /// An outgoing request belongs to no request that this sidecar let in.
    ContextNoRequest "context_no_request" 403 Forbidden;
    /// A workload may not act for the tenant it names, or has a context already.
    ActForDenied "act_for_denied" 403 Forbidden;
    /// The request names a resource of another tenant.
    ResourceForeign "resource_foreign" 403 NotFound;
    /// No operation of the service covers the request.
    ResourceUnmapped "resource_unmapped" 403 Forbidden;
    /// No policy permits it, or one forbids it.
    PolicyDenied "policy_denied" 403 Forbidden;
    /// The operation belongs to a feature that is off for the tenant.
    FeatureOff "feature_off" 403 Forbidden;
    /// The same, where the operation says that there is no such thing then.
    FeatureHidden "feature_hidden" 404 NotFound;
    /// The principal is not cleared for what is this confidential.
    Clearance "clearance" 403 Forbidden;
    /// The owner has not consented to the purpose.
    Consent "consent" 403 Forbidden;
    /// The request's body is larger than its tenant may send.
    RequestTooLarge "request_too_large" 413 TooLarge;
    /// What the service answers is older than its dataset may be shown, or does not tell how old it is.
    Retention "retention" 410 Gone;
    /// What the service answers is another tenant's.
    ResponseForeign "response_foreign" 502 Unavailable;
    /// Whose it is that the service answers cannot be told.
    ResponseUnclear "response_unclear" 502 Unavailable;
    /// No bundle, or no overlay, was accepted yet.
    PolicyUnavailable "policy_unavailable" 503 Unavailable;
    /// The last overlay is too old to trust.
    PolicyStale "policy_stale" 503 Unavailable;
}

impl Reason {
    /// Whether a mode may let through what is denied for this reason: what policies and the attributes of operations
    /// decide, and nothing that says who calls or keeps tenants apart.
    ///
    /// INVARIANT: no reason of isolation is among them, nor `resource_unmapped`: where no operation says what is asked
    /// for, nobody has looked for an owner.
    pub fn may_be_shadowed(self) -> bool {
        matches!(
            self,
            Self::PolicyDenied
                | Self::FeatureOff
                | Self::FeatureHidden
                | Self::Residency
                | Self::Clearance
                | Self::Consent
        )
    }

    /// Seconds after which a caller may try again, where waiting helps.
    pub fn retry_after(self) -> Option<u16> {
        (self == Self::TenantMoving).then_some(30)
    }

    /// What a caller outside the mesh may learn. `proved` says whether it proved a credential:
    /// whoever did not learns nothing about which tenants exist.
    pub fn coarse(self, proved: bool) -> Coarse {
        match self {
            Self::TenantInvalid
            | Self::TenantConflict
            | Self::TenantUnknown
            | Self::TenantSuspended
            | Self::TenantQuarantined
            | Self::TenantMoving
                if !proved =>
            {
                Coarse::Unauthenticated
            }
            _ => self.coarse_when_proved(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A denial as told to a caller outside the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coarse {
    /// Who are you?
    Unauthenticated,
    /// The request is not one request.
    BadRequest,
    /// Ask the other host on a connection of its own.
    Misdirected,
    /// There is no such thing, for you.
    NotFound,
    /// There is no such thing any more.
    Gone,
    /// No.
    Forbidden,
    /// Less of it, perhaps.
    TooLarge,
    /// Not now.
    Unavailable,
}

impl Coarse {
    /// The form for a denial of which only the HTTP status is known.
    pub fn of_status(status: u16) -> Self {
        match status {
            400 => Self::BadRequest,
            401 => Self::Unauthenticated,
            404 => Self::NotFound,
            410 => Self::Gone,
            413 => Self::TooLarge,
            500.. => Self::Unavailable,
            _ => Self::Forbidden,
        }
    }

    /// The word told, as `forbidden`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::BadRequest => "bad_request",
            Self::Misdirected => "misdirected",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::Forbidden => "forbidden",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status told.
    pub fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::BadRequest => 400,
            Self::Misdirected => 421,
            Self::NotFound => 404,
            Self::Gone => 410,
            Self::Forbidden => 403,
            Self::TooLarge => 413,
            Self::Unavailable => 503,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_words() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(codes.iter().all(|c| c.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())));
    }

    #[test]
    fn an_unproved_caller_cannot_enumerate_tenants() {
        for reason in Reason::ALL.iter().filter(|r| r.code().starts_with("tenant_")) {
            assert_eq!(reason.coarse(false), Coarse::Unauthenticated, "{reason}");
        }
    }

    /// By the words of the contract, and not by the list in the code.
    #[test]
    fn nothing_about_who_calls_or_whose_it_is_may_be_shadowed() {
        let never = ["act_for_denied", "caller_denied", "context_no_request", "resource_foreign", "resource_unmapped"];
        for reason in Reason::ALL.iter().filter(|reason| reason.may_be_shadowed()) {
            let code = reason.code();
            assert!(matches!(reason.status(), 403 | 404), "{code}");
            assert!(!never.contains(&code) && !code.starts_with("tenant_") && !code.starts_with("response_"), "{code}");
        }
        assert!(Reason::PolicyDenied.may_be_shadowed());
    }

    #[test]
    fn a_foreign_resource_looks_like_none() {
        assert_eq!(Reason::ResourceForeign.coarse(true).status(), 404);
    }
}
