//! Whether what policies deny is denied, or only told.
//!
//! ```text
//! bundle   mode: shadow                          ─┐
//! service  mode: enforce, allow_shadow_routes    ─┤   one `enforce`, wherever it stands: denied
//! tenant   mode: shadow                          ─┼─► else one `shadow`: let through, and told as what would have been
//! route    partywall.mode, in Envoy's metadata   ─┘   else: denied
//! ```

use serde::{Deserialize, Serialize};

use crate::{Reason, Refusal, TenantId};

/// What becomes of a denial by policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// It is one.
    Enforce,
    /// The request is let through, and the log says what would have been.
    Shadow,
}

impl Mode {
    /// The word for it in directories and route metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }

    /// What a route says of itself. A word that is neither is taken for the stricter one.
    pub fn of_route(word: &[u8]) -> Self {
        if word == b"shadow" { Self::Shadow } else { Self::Enforce }
    }
}

/// The modes that a bundle sets. Where nothing is said, policies are enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes {
    /// Of everything in it.
    pub bundle: Option<Mode>,
    /// Of services, by name, sorted.
    pub services: Vec<(String, Mode)>,
    /// Services whose routes may ask for shadow by themselves, sorted. Any route may ask for enforcement.
    pub routes: Vec<String>,
    /// Of tenants, by id, sorted.
    pub tenants: Vec<(TenantId, Mode)>,
}

/// What becomes of one denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is one.
    Denied,
    /// It is one, though the route asks for shadow: the bundle does not let routes of this service.
    RouteRefused,
    /// It is let through.
    LetThrough,
}

impl Modes {
    /// Whether nothing is in shadow, and nothing can be.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What becomes of a denial for `reason` of a request for `tenant` at `service`. `route` tells what the request's
    /// route says, and is asked only where that matters.
    ///
    /// INVARIANT: what [`Reason::may_be_shadowed`] does not name is denied in every mode.
    pub fn rule(
        &self,
        reason: Reason,
        service: &str,
        tenant: &TenantId,
        route: impl FnOnce() -> Option<Mode>,
    ) -> Ruling {
        if !reason.may_be_shadowed() {
            return Ruling::Denied;
        }
        let signed = [self.bundle, self.of_service(service), self.of_tenant(tenant)];
        if signed.contains(&Some(Mode::Enforce)) {
            return Ruling::Denied;
        }
        let shadowed = signed.contains(&Some(Mode::Shadow));
        match route() {
            Some(Mode::Enforce) => Ruling::Denied,
            _ if shadowed => Ruling::LetThrough,
            Some(Mode::Shadow) if self.lets_routes(service) => Ruling::LetThrough,
            Some(Mode::Shadow) => Ruling::RouteRefused,
            None => Ruling::Denied,
        }
    }

    /// Whether routes of this service may ask for shadow.
    pub fn lets_routes(&self, service: &str) -> bool {
        self.routes.binary_search_by(|name| name.as_str().cmp(service)).is_ok()
    }

    fn of_service(&self, service: &str) -> Option<Mode> {
        let at = self.services.binary_search_by(|(name, _)| name.as_str().cmp(service)).ok()?;
        self.services.get(at).map(|(_, mode)| *mode)
    }

    fn of_tenant(&self, tenant: &TenantId) -> Option<Mode> {
        let at = self.tenants.binary_search_by(|(id, _)| id.cmp(tenant)).ok()?;
        self.tenants.get(at).map(|(_, mode)| *mode)
    }

    /// INVARIANT: each list is sorted, or an `enforce` could be missed.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let sorted = self.services.is_sorted_by(|(a, _), (b, _)| a < b)
            && self.routes.is_sorted_by(|a, b| a < b)
            && self.tenants.is_sorted_by(|(a, _), (b, _)| a < b);
        if sorted { Ok(()) } else { Err(Refusal::Inconsistent("modes are not sorted, or one is there twice".into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn modes(bundle: Option<Mode>, service: Option<Mode>, tenant: Option<Mode>, routes: bool) -> Modes {
        Modes {
            bundle,
            services: service.map(|mode| ("orders".to_owned(), mode)).into_iter().collect(),
            routes: if routes { vec!["orders".to_owned()] } else { vec![] },
            tenants: tenant.map(|mode| (id("acme"), mode)).into_iter().collect(),
        }
    }

    /// Every combination, by what the page says and not by how it is written.
    #[test]
    fn one_enforce_wins_and_a_route_needs_leave() {
        let all = [None, Some(Mode::Enforce), Some(Mode::Shadow)];
        let mut seen = 0;
        for bundle in all {
            for service in all {
                for tenant in all {
                    for route in all {
                        for routes in [false, true] {
                            let said = [bundle, service, tenant, route];
                            let signed = said[..3].contains(&Some(Mode::Shadow));
                            let expected = if said.contains(&Some(Mode::Enforce)) {
                                Ruling::Denied
                            } else if signed || (route == Some(Mode::Shadow) && routes) {
                                Ruling::LetThrough
                            } else if route == Some(Mode::Shadow) {
                                Ruling::RouteRefused
                            } else {
                                Ruling::Denied
                            };
                            let modes = modes(bundle, service, tenant, routes);
                            let rule = |reason| modes.rule(reason, "orders", &id("acme"), || route);
                            assert_eq!(rule(Reason::PolicyDenied), expected, "{said:?} {routes}");
                            for reason in Reason::ALL.iter().filter(|reason| !reason.may_be_shadowed()) {
                                assert_eq!(rule(*reason), Ruling::Denied, "{reason}");
                            }
                            seen += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(seen, 162);
    }

    #[test]
    fn a_mode_of_others_is_none() {
        let modes = modes(None, Some(Mode::Shadow), Some(Mode::Shadow), true);
        let rule = |service, tenant| modes.rule(Reason::PolicyDenied, service, &id(tenant), || Some(Mode::Shadow));
        assert_eq!(rule("invoices", "globex"), Ruling::RouteRefused);
        assert_eq!(rule("invoices", "acme"), Ruling::LetThrough);
        assert_eq!(rule("orders", "globex"), Ruling::LetThrough);
        assert!(Modes::default().is_empty() && !modes.is_empty());
    }

    #[test]
    fn what_a_route_says_is_one_word_or_enforcement() {
        assert_eq!(Mode::of_route(b"shadow"), Mode::Shadow);
        for word in ["enforce", "Shadow", "shadow ", "", "off", "\u{fffd}"] {
            assert_eq!(Mode::of_route(word.as_bytes()), Mode::Enforce, "{word}");
        }
    }

    #[test]
    fn lists_out_of_order_are_refused() {
        let two = |a: &str, b: &str| vec![(a.to_owned(), Mode::Shadow), (b.to_owned(), Mode::Enforce)];
        assert!(Modes { services: two("a", "b"), ..Modes::default() }.check().is_ok());
        assert!(Modes { services: two("b", "a"), ..Modes::default() }.check().is_err());
        assert!(Modes { services: two("a", "a"), ..Modes::default() }.check().is_err());
        assert!(Modes { routes: vec!["b".into(), "a".into()], ..Modes::default() }.check().is_err());
        let tenants = ["b", "a"].map(|name| (id(name), Mode::Shadow)).to_vec();
        assert!(Modes { tenants, ..Modes::default() }.check().is_err());
    }
}
