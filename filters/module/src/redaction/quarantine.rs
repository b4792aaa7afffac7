//! Other tenants' records, kept back from where they were to go and sent to a cluster of their own, so that somebody may
//! find out how they came into this tenant's telemetry.

use std::rc::Rc;
use std::time::Duration;

use partywall_log_redaction::arrival::Form;
use partywall_log_redaction::carriers::{Body, Kind};
use partywall_log_redaction::encodings::Encoding;
use partywall_log_redaction::redactor::{Facts, Pass, Redactor};

use super::Setup;
use super::shared::Ready;
use crate::host;

/// How long the cluster may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes that are sent to it of one request.
const MOST: usize = 1 << 20;

/// What is kept back of one body: it is gone through a second time.
pub(super) struct Quarantine {
    body: Body,
    redactor: Option<Redactor>,
    ready: Rc<Ready>,
    out: Vec<u8>,
    form: Form,
    over: bool,
}

/// How the second request is written.
pub(super) struct Like<'l> {
    pub(super) path: &'l str,
    pub(super) content_type: &'l str,
    pub(super) encoding: Encoding,
}

impl Quarantine {
    /// Ready for a body that is written so.
    pub(super) fn new(ready: &Rc<Ready>, form: Form, (kind, encoding): (Kind, Encoding), facts: &Facts<'_>) -> Self {
        let bounds = ready.slice.bounds;
        let redactor = ready.redactor(&Facts { pass: Pass::Quarantine, ..*facts });
        Self {
            body: Body::new(kind, encoding, bounds.limits(), bounds.bounds()),
            redactor: Some(redactor),
            ready: ready.clone(),
            out: Vec::new(),
            form,
            over: false,
        }
    }

    /// Reads a piece. What cannot be read is refused by who reads it first.
    pub(super) fn push(&mut self, bytes: &[u8], end: bool) {
        let Some(redactor) = &mut self.redactor else { return };
        if self.over || self.body.push(bytes, end, redactor, &mut self.out).is_err() || self.out.len() > MOST {
            self.over = true;
            self.out = Vec::new();
        }
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.body.held() + self.out.len()
    }

    /// Sends what there is.
    pub(super) fn send(mut self, setup: &Setup, like: &Like<'_>) {
        let counts = *self.body.carrier().counts();
        if let Some(redactor) = self.redactor.take() {
            self.ready.give_back(redactor);
        }
        let Some(cluster) = setup.config.quarantine.as_deref() else { return };
        if self.over {
            setup.tell_quarantine(self.form, "too_large", 1);
            return;
        }
        if counts.left() == 0 {
            return;
        }
        let mut headers = vec![
            (":method", "POST"),
            (":path", like.path),
            (":authority", cluster),
            ("content-type", like.content_type),
        ];
        headers.extend(like.encoding.written().name().map(|name| ("content-encoding", name)));
        let sent = host::post(cluster, headers, &self.out, TIMEOUT);
        setup.tell_quarantine(self.form, if sent { "sent" } else { "failed" }, counts.left());
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        if let Some(redactor) = self.redactor.take() {
            self.ready.give_back(redactor);
        }
    }
}
