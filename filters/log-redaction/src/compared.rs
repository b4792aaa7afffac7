//! What a candidate would decide otherwise than the bundle in force, as it may stand in an access log.
//!
//! ```text
//! {"partywall_candidate":1,"time":1795507200,"revision":8,"step":2,"overlay":1795507199000,"decides":"bundle",
//!  "decision":"deny","reason":"policy_denied","policy":"no-orders-in-eu",
//!  "bundle":{"revision":7,"decision":"allow","policy":"viewers-read"},"service":"orders","tenant":"t1_…",
//!  "principal":"s1_…","method":"GET","path":"/orders/{id}","action":"orders:read","resource":"Order","id":"r1_…"}
//! ```
//!
//! All but `decides`, `step` and `bundle` is what `explain` would say if the candidate were the bundle in force. The
//! first member has another name, so that nobody takes it for a decision that was made.

use crate::explain::{number, text};

/// The version of what [`Compared::write`] writes.
pub const CANDIDATE_VERSION: u32 = 1;

/// One of two decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side<'a> {
    /// The revision it was made under.
    pub revision: u64,
    /// Whether it lets the request in.
    pub allowed: bool,
    /// Whether it does so only because the request is in shadow there.
    pub shadow: bool,
    /// Why not.
    pub reason: &'a str,
    /// The policy that settled it.
    pub policy: &'a str,
}

/// Two decisions about one request.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// When, in seconds since the Unix epoch.
    pub time: u64,
    /// The sequence of the overlay, which lies over both.
    pub overlay: u64,
    /// What the bundle in force says.
    pub bundle: Side<'a>,
    /// What the candidate says.
    pub candidate: Side<'a>,
    /// The step of the candidate's rollout.
    pub step: u64,
    /// Whether the candidate's decision is the one that counts.
    pub by_candidate: bool,
    /// The service called, where it is known.
    pub service: &'a str,
    /// The tenant's fingerprint.
    pub tenant: &'a str,
    /// What [`crate::Asked::write`] wrote of the candidate's authorization.
    pub asked: &'a str,
}

/// How a candidate's decision differs, as the label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It does not.
    Same,
    /// The candidate turns away what the bundle in force lets in.
    AllowToDeny,
    /// The candidate lets in what the bundle in force turns away.
    DenyToAllow,
    /// Both turn it away, or let it in where one of them does so in shadow, for other reasons.
    OtherReason,
    /// Both come to the same, by other policies.
    OtherPolicy,
}

impl Change {
    /// How the decision of `candidate` differs from that of `bundle`.
    pub fn between(bundle: &Side<'_>, candidate: &Side<'_>) -> Self {
        match (bundle.allowed, candidate.allowed) {
            (true, false) => Self::AllowToDeny,
            (false, true) => Self::DenyToAllow,
            _ if bundle.reason != candidate.reason => Self::OtherReason,
            _ if bundle.policy != candidate.policy => Self::OtherPolicy,
            _ => Self::Same,
        }
    }

    /// The word for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::AllowToDeny => "allow_to_deny",
            Self::DenyToAllow => "deny_to_allow",
            Self::OtherReason => "other_reason",
            Self::OtherPolicy => "other_policy",
        }
    }
}

impl Compared<'_> {
    /// The whole as one JSON object on one line.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(320 + self.asked.len());
        out.push_str("{\"partywall_candidate\":");
        number(CANDIDATE_VERSION.into(), &mut out);
        for (name, value) in [
            (",\"time\":", self.time),
            (",\"revision\":", self.candidate.revision),
            (",\"step\":", self.step),
            (",\"overlay\":", self.overlay),
        ] {
            out.push_str(name);
            number(value, &mut out);
        }
        text("decides", if self.by_candidate { "candidate" } else { "bundle" }, &mut out);
        self.candidate.write(&mut out);
        out.push_str(",\"bundle\":{\"revision\":");
        number(self.bundle.revision, &mut out);
        self.bundle.write(&mut out);
        out.push('}');
        text("service", self.service, &mut out);
        text("tenant", self.tenant, &mut out);
        out.push_str(self.asked);
        out.push('}');
        out
    }
}

impl Side<'_> {
    fn write(&self, out: &mut String) {
        text("decision", if self.allowed { "allow" } else { "deny" }, out);
        text("shadow", if self.shadow { "deny" } else { "" }, out);
        text("reason", self.reason, out);
        text("policy", self.policy, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Side<'_> = Side { revision: 7, allowed: true, shadow: false, reason: "", policy: "viewers-read" };
    const DENIED: Side<'_> =
        Side { revision: 8, allowed: false, shadow: false, reason: "policy_denied", policy: "no\"orders" };

    fn compared(bundle: Side<'static>, candidate: Side<'static>) -> Compared<'static> {
        Compared {
            time: 5,
            overlay: 6,
            bundle,
            candidate,
            step: 2,
            by_candidate: false,
            service: "orders",
            tenant: "t1_0f",
            asked: ",\"method\":\"GET\"",
        }
    }

    #[test]
    fn both_decisions_and_who_decides_are_told() {
        assert_eq!(
            compared(ALLOWED, DENIED).write(),
            concat!(
                r#"{"partywall_candidate":1,"time":5,"revision":8,"step":2,"overlay":6,"decides":"bundle","#,
                r#""decision":"deny","reason":"policy_denied","policy":"no\"orders","#,
                r#""bundle":{"revision":7,"decision":"allow","policy":"viewers-read"},"#,
                r#""service":"orders","tenant":"t1_0f","method":"GET"}"#,
            )
        );
        let by_candidate = Compared { by_candidate: true, ..compared(ALLOWED, DENIED) }.write();
        assert!(by_candidate.contains(r#""decides":"candidate""#), "{by_candidate}");
    }

    #[test]
    fn a_change_has_a_name() {
        let other = |side: Side<'static>, reason, policy| Side { reason, policy, ..side };
        for (bundle, candidate, change) in [
            (ALLOWED, Side { revision: 8, ..ALLOWED }, Change::Same),
            (DENIED, Side { revision: 9, ..DENIED }, Change::Same),
            (ALLOWED, DENIED, Change::AllowToDeny),
            (DENIED, ALLOWED, Change::DenyToAllow),
            (ALLOWED, other(ALLOWED, "", "b"), Change::OtherPolicy),
            (DENIED, other(DENIED, "policy_denied", ""), Change::OtherPolicy),
            (DENIED, other(DENIED, "resource_unmapped", ""), Change::OtherReason),
            (ALLOWED, Side { shadow: true, ..other(ALLOWED, "policy_denied", "") }, Change::OtherReason),
        ] {
            assert_eq!(Change::between(&bundle, &candidate), change, "{bundle:?} {candidate:?}");
        }
    }
}
