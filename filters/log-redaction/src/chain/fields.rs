//! The fields that a link vouches for.

use hmac::{Hmac, Mac};
use partywall_tenancy::keyed;
use sha2::Sha256;

/// The fields of a line that a link vouches for, each as printed. What is not there, and `-`, is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields `wasm.partywall.*`, by their names")]
pub struct Fields<'a> {
    pub tenant: &'a str,
    pub decision: &'a str,
    pub shadow: &'a str,
    pub reason: &'a str,
    pub policy: &'a str,
    pub revision: &'a str,
    pub path: &'a str,
    pub detail: &'a str,
    pub explain: &'a str,
    pub candidate: &'a str,
}

impl<'a> Fields<'a> {
    /// What they are called.
    pub const NAMES: [&'static str; 10] =
        ["tenant", "decision", "shadow", "reason", "policy", "revision", "path", "detail", "explain", "candidate"];

    /// All of them, each by its name.
    pub fn of(mut field: impl FnMut(&'static str) -> &'a str) -> Self {
        Self {
            tenant: field("tenant"),
            decision: field("decision"),
            shadow: field("shadow"),
            reason: field("reason"),
            policy: field("policy"),
            revision: field("revision"),
            path: field("path"),
            detail: field("detail"),
            explain: field("explain"),
            candidate: field("candidate"),
        }
    }

    /// By which the same fields are known again, without keeping them.
    pub fn digest(&self) -> [u8; 32] {
        let mut mac = keyed(b"partywall fields");
        self.feed(&mut mac);
        mac.finalize().into_bytes().into()
    }

    /// Each with its length before it, so that no two sets of fields read alike.
    pub(super) fn feed(&self, mac: &mut Hmac<Sha256>) {
        let Self { tenant, decision, shadow, reason, policy, revision, path, detail, explain, candidate } = self;
        for field in [tenant, decision, shadow, reason, policy, revision, path, detail, explain, candidate] {
            let printed = if *field == "-" { "" } else { field };
            mac.update(&(printed.len() as u64).to_be_bytes());
            mac.update(printed.as_bytes());
        }
    }
}
