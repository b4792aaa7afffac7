//! Other tenants' records, kept back from where they were to go and sent to a cluster of their own, so that somebody may
//! find out how they came into this tenant's telemetry.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use partywall_log_redaction::arrival::Form;
use partywall_log_redaction::carriers::{Body, Kind};
use partywall_log_redaction::encodings::Encoding;
use partywall_log_redaction::redactor::{Facts, Pass, Redactor};

use super::Setup;
use super::letter::{self, Letter, Like};
use super::shared::Ready;
use crate::host;

/// How long the cluster may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes that are sent to it of one request.
const MOST: usize = 1 << 20;
/// The most bytes that wait to be sent, and the most requests to it that have no answer.
const WAITING: usize = 16 << 20;
const UNANSWERED: usize = 256;
/// What became of a call of gRPC.
const STATUS: &str = "grpc-status";

/// What is kept back of one body: it is gone through a second time.
pub(super) struct Quarantine {
    body: Body,
    redactor: Option<Redactor>,
    ready: Rc<Ready>,
    out: Vec<u8>,
    form: Form,
    over: bool,
}

/// What is sent.
#[derive(Clone, Copy)]
struct What {
    form: Form,
    /// How many records are in it.
    number: u64,
    /// Whether it is a call of gRPC.
    grpc: bool,
}

/// What waits to be sent, and for its answer.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: RefCell<Vec<(What, Letter)>>,
    sent: RefCell<HashMap<u32, What>>,
}

impl Outbox {
    fn put(&self, setup: &Setup, what: What, letter: Letter) {
        let mut waiting = self.waiting.borrow_mut();
        let held: usize = waiting.iter().map(|(_, one)| one.body.len()).sum();
        if held + letter.body.len() > WAITING || self.sent.borrow().len() >= UNANSWERED {
            what.tell(setup, "full");
            return;
        }
        waiting.push((what, letter));
    }

    /// Sends all that waits. Called by the plugin itself.
    pub(super) fn send(&self, setup: &Setup) {
        let Some(to) = &setup.config.quarantine else { return };
        for (what, letter) in self.waiting.borrow_mut().drain(..) {
            let headers = letter.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            match host::post(&to.cluster, headers, &letter.body, TIMEOUT) {
                Some(token) => {
                    self.sent.borrow_mut().insert(token, what);
                }
                None => what.tell(setup, "failed"),
            }
        }
    }

    /// Takes an answer; says whether it is to something of its own.
    pub(super) fn answered(&self, setup: &Setup, token: u32) -> bool {
        let Some(what) = self.sent.borrow_mut().remove(&token) else { return false };
        let headers = host::call_response_headers();
        let of = |name: &str, map: &host::Map| map.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone());
        let mut good = of(":status", &headers).is_some_and(|status| status.starts_with(b"2"));
        if what.grpc {
            // Of a call HTTP says nothing: its status stands behind the answer, or where there is none in its head.
            let status = of(STATUS, &headers).or_else(|| of(STATUS, &host::call_response_trailers()));
            good &= status.is_some_and(|status| status == b"0");
        }
        what.tell(setup, if good { "sent" } else { "failed" });
        true
    }
}

impl What {
    fn tell(self, setup: &Setup, outcome: &'static str) {
        setup.tell_quarantine(self.form, outcome, self.number);
    }
}

impl Quarantine {
    /// Ready for a body that is written so.
    pub(super) fn new(
        ready: &Rc<Ready>,
        form: Form,
        (kind, encoding): (Kind, Encoding),
        facts: &Facts<'_>,
        named: impl FnOnce(&mut Redactor),
    ) -> Self {
        let bounds = ready.slice.bounds;
        let mut redactor = ready.redactor(&Facts { pass: Pass::Quarantine, ..*facts });
        named(&mut redactor);
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

    /// Has what there is sent with the next tick, by the plugin itself: what a request's own context asks for is taken back
    /// with it, and one of which nothing is left is answered at once.
    pub(super) fn send(mut self, setup: &Setup, like: &Like<'_>) {
        let counts = *self.body.carrier().counts();
        if let Some(redactor) = self.redactor.take() {
            self.ready.give_back(redactor);
        }
        let Some(to) = &setup.config.quarantine else { return };
        if self.over {
            setup.tell_quarantine(self.form, "too_large", 1);
            return;
        }
        if counts.left() == 0 {
            return;
        }
        let mut what = What { form: self.form, number: counts.left(), grpc: false };
        match letter::written(like, std::mem::take(&mut self.out), to.protocol, &to.cluster) {
            Some(letter) => {
                what.grpc = letter.grpc;
                setup.outbox.put(setup, what, letter);
            }
            None => what.tell(setup, "failed"),
        }
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        if let Some(redactor) = self.redactor.take() {
            self.ready.give_back(redactor);
        }
    }
}
