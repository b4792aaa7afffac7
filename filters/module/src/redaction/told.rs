//! What is told of telemetry: counters, and filter state for the access log.

use partywall_log_redaction::arrival::Form;
use partywall_log_redaction::carriers::{Cause, Counts, Refusal};
use partywall_log_redaction::redactor::Count;
use partywall_tenancy::Reason;
use partywall_tenant_context::Sender;
use proxy_wasm::types::LogLevel;

use super::Setup;
use crate::host;

/// The filter state that says how a request was decided.
const DECISION: &str = "partywall.decision";
/// Why it was denied or refused.
const REASON: &str = "partywall.reason";
/// The fingerprint of whose telemetry it is; empty for a workload's that several share.
const TENANT: &str = "partywall.tenant";
/// What became of it, as JSON.
const REDACTION: &str = "partywall.redaction";

/// What became of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It went on, as far as it may.
    Forwarded,
    /// Nothing of it was left; its client was told that all is well.
    Nothing,
    /// It could not be read.
    Refused(Cause),
    /// There was no room for it.
    Full,
    /// It came to no end.
    Cut,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Nothing => "nothing_left",
            Self::Refused(_) => "refused",
            Self::Full => "full",
            Self::Cut => "cut",
        }
    }
}

impl Setup {
    /// A request is denied: it is no telemetry, or nobody knows whose.
    pub(super) fn tell_denied(&self, reason: Reason, detail: &str) {
        self.metrics.count("log_redaction_denied_total", &[("reason", reason.code())]);
        set_denied(reason.code());
        host::set_property("partywall.detail", detail.as_bytes());
        host::log(LogLevel::Debug, &format!("partywall: telemetry is denied ({}): {detail}", reason.code()));
    }

    /// Telemetry of `sender` comes in.
    pub(super) fn tell_let_in(&self, fingerprint: &str, sender: &Sender) {
        self.tell_passes(sender);
        host::set_property(TENANT, fingerprint.as_bytes());
    }

    /// A request of `sender` goes on as it came.
    pub(super) fn tell_passes(&self, sender: &Sender) {
        host::set_property(DECISION, b"allow");
        if let Sender::Shared { service } | Sender::Tenant { service: Some(service), .. } = sender {
            host::set_property("partywall.service", service.as_bytes());
        }
    }

    /// It is refused.
    pub(super) fn tell_refused(&self, form: Form, refusal: &Refusal) {
        let labels = [("carrier", form.name()), ("cause", refusal.cause.name())];
        self.metrics.count("log_redaction_refused_total", &labels);
        set_denied(&format!("refused_{}", refusal.cause.name()));
        host::log(LogLevel::Debug, &format!("partywall: telemetry is refused: {refusal}"));
    }

    /// There is no room for it.
    pub(super) fn tell_full(&self) {
        set_denied("refused_full");
    }

    /// It is over.
    pub(super) fn tell(&self, form: Form, outcome: Outcome, counts: &Counts, found: &[Count]) {
        let carrier = ("carrier", form.name());
        let metrics = &self.metrics;
        metrics.count("log_redaction_requests_total", &[carrier, ("outcome", outcome.name())]);
        for (outcome, number) in [("kept", counts.left()), ("dropped", counts.dropped)] {
            metrics.add("log_redaction_records_total", &[carrier, ("outcome", outcome)], number);
        }
        for (cause, number) in Cause::ALL.iter().zip(counts.bad) {
            metrics.add("log_redaction_unreadable_total", &[carrier, ("cause", cause.name())], number);
        }
        self.tell_found(form.name(), found);
        let masked: u64 = found.iter().map(|one| one.count).sum();
        // Numbers and words of ours alone: nothing needs escaping.
        let summary = format!(
            r#"{{"carrier":"{}","outcome":"{}","records":{},"dropped":{},"unreadable":{},"found":{masked}}}"#,
            form.name(),
            outcome.name(),
            counts.records,
            counts.dropped,
            counts.unread(),
        );
        host::set_property(REDACTION, summary.as_bytes());
    }

    /// What was found, and what became of it.
    pub(super) fn tell_found(&self, carrier: &str, found: &[Count]) {
        for one in found {
            let labels = [("carrier", carrier), ("detector", one.detector.as_str()), ("action", one.action)];
            self.metrics.add("log_redaction_found_total", &labels, one.count);
        }
    }

    /// What became of records that were kept back.
    pub(super) fn tell_quarantine(&self, form: Form, outcome: &'static str, number: u64) {
        self.metrics.add("log_redaction_quarantined_total", &[("carrier", form.name()), ("outcome", outcome)], number);
    }
}

fn set_denied(reason: &str) {
    host::set_property(DECISION, b"deny");
    host::set_property(REASON, reason.as_bytes());
}
