//! What is refused counts each time, and is told once.

use std::hash::{DefaultHasher, Hash, Hasher};

use partywall_tenancy::{Origin, Refusal};
use proxy_wasm::types::LogLevel;

use super::{Policy, STEP};
use crate::host;
use crate::what::What;

impl Policy {
    /// Takes note of a refusal; the file is asked for again, whole.
    pub(super) fn refused(&mut self, what: What, bytes: &[u8], refusal: &Refusal) {
        self.fetcher.forget(what);
        // An answer between two that say there is none.
        self.candidate_missing &= what != What::Candidate;
        let kind = what.name();
        self.metrics.count("bundle_refused_total", &[("kind", kind), ("reason", refusal.code())]);
        let mut hasher = DefaultHasher::new();
        // Not all of 24 MiB in one step. The signatures are in it, and they differ where anything does.
        bytes.len().hash(&mut hasher);
        bytes.get(..STEP).unwrap_or(bytes).hash(&mut hasher);
        refusal.code().hash(&mut hasher);
        if self.told_refusal(what, Some(hasher.finish())) {
            return;
        }
        let message = format!(
            "partywall: {kind} refused ({}): it {refusal}; revision {} and overlay {} stay in force",
            refusal.code(),
            self.state.revision(),
            self.state.sequence(),
        );
        host::log(LogLevel::Warn, &message);
    }

    /// Takes note that what the server has now is good. What other workers kept says nothing of that.
    pub(super) fn good(&mut self, what: What, origin: Origin) {
        if origin == Origin::Fetched {
            self.told_refusal(what, None);
        }
    }

    /// Takes note of the last refusal of a kind, `None` for an acceptance. Says whether it was this one before.
    fn told_refusal(&mut self, what: What, this: Option<u64>) -> bool {
        std::mem::replace(self.last_refusal.of_mut(what), this) == this
    }
}
