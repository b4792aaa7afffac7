//! What is told of connections and decisions: lines in Envoy's own log, counters, and filter state for the access log.
//!
//! A filter of connections has no access log line for each request, so that what it decides stands in Envoy's own log. A
//! flood of denials must not become a flood of lines: there is a bound for each connection and one for the VM, and what is
//! left out counts in `partywall_event_scope_untold_total`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use partywall_event_scope::kafka::codec::Api;
use partywall_event_scope::kafka::session::{Action, Decision};
use partywall_log_redaction::{EVENT, Event};
use partywall_tenancy::Reason;
use partywall_tenant_context::TraceParent;
use proxy_wasm::types::LogLevel;

use super::client::Client;
use crate::chain::id_of;
use crate::host;
use crate::metrics::Metrics;

/// How many lines a VM writes in a second, and how many of one connection.
const LINES: u32 = 200;
const LINES_OF_ONE: u32 = 20;

/// One plugin's.
pub(super) struct Told {
    /// The share of what is let in that is written down.
    allows: f64,
    /// What of that share is due.
    due: Cell<f64>,
    metrics: Metrics,
    /// Counted since the last tick: the host is called once for all of them.
    decisions: RefCell<Counted>,
    /// The same of comparisons with a candidate: by what changes, and who decided.
    compared: RefCell<HashMap<(&'static str, &'static str), u64>>,
    untold: Cell<u64>,
}

thread_local! {
    /// Those of all connections and plugins of this VM.
    static OF_ALL: Lines = const { Lines(Cell::new((0, 0))) };
}

#[derive(PartialEq, Eq, Hash)]
struct Labels {
    decision: &'static str,
    reason: &'static str,
    action: Action,
    tenant: Rc<str>,
}

/// What was counted; most decisions are as the one before.
#[derive(Default)]
struct Counted {
    last: Option<(Labels, u64)>,
    others: HashMap<Labels, u64>,
}

impl Counted {
    fn count(&mut self, labels: Labels) {
        match &mut self.last {
            Some((last, number)) if last.is(&labels) => *number = number.saturating_add(1),
            last => {
                if let Some((last, number)) = last.replace((labels, 1)) {
                    let all = self.others.entry(last).or_default();
                    *all = all.saturating_add(number);
                }
            }
        }
    }

    /// Takes all of it.
    fn take(&mut self) -> impl Iterator<Item = (Labels, u64)> {
        self.last.take().into_iter().chain(self.others.drain())
    }
}

impl Labels {
    fn is(&self, other: &Self) -> bool {
        self.action == other.action
            && Rc::ptr_eq(&self.tenant, &other.tenant)
            && self.decision == other.decision
            && self.reason == other.reason
    }
}

/// How many lines were written in this second.
#[derive(Default)]
pub(super) struct Lines(Cell<(u64, u32)>);

impl Lines {
    fn take(&self, now: u64, most: u32) -> bool {
        let (second, lines) = self.0.get();
        let lines = if second == now { lines } else { 0 };
        self.0.set((now, lines.saturating_add(1)));
        lines < most
    }
}

impl Told {
    pub(super) fn new(allows: f64) -> Self {
        let (due, untold) = (Cell::new(0.0), Cell::new(0));
        let (decisions, compared) = (RefCell::default(), RefCell::default());
        Self { allows, due, metrics: Metrics::default(), decisions, compared, untold }
    }

    /// Tells the host what was counted.
    pub(super) fn tick(&self) {
        for (labels, number) in self.decisions.borrow_mut().take() {
            let Labels { decision, reason, action, tenant } = &labels;
            let labels = [("decision", *decision), ("reason", *reason), ("kind", kind(*action)), ("tenant", tenant)];
            self.metrics.add("event_scope_decisions_total", &labels, number);
        }
        for ((change, by), number) in self.compared.borrow_mut().drain() {
            let labels = [("change", change), ("by", by), ("role", "kafka")];
            self.metrics.add("candidate_decisions_total", &labels, number);
        }
        self.metrics.add("event_scope_untold_total", &[], self.untold.take());
    }

    /// The client is somebody, or still is under what holds now.
    pub(super) fn acts(&self, client: &Client, is_new: bool) {
        let Some(acting) = &client.acting else { return };
        host::set_property("partywall.tenant", acting.fingerprint.as_bytes());
        host::set_property("partywall.revision", client.revision().to_string().as_bytes());
        host::set_property("partywall.decision", b"allow");
        if is_new {
            self.metrics.count("event_scope_connections_total", &[("tenant", &*acting.label)]);
        }
    }

    /// What was decided about one request. `denied` are the connection's denials so far.
    pub(super) fn decided(&self, client: &Client, decisions: &[Decision], lines: &Lines, denied: &mut u64) {
        let before = *denied;
        for decision in decisions {
            self.one(client, decision, lines, denied);
        }
        if *denied > before {
            host::set_property("partywall.denied", denied.to_string().as_bytes());
        }
    }

    fn one(&self, client: &Client, decision: &Decision, lines: &Lines, denied: &mut u64) {
        let tenant = || client.acting.as_ref().map_or_else(|| "none".into(), |acting| Rc::clone(&acting.label));
        let labels = |decision, reason, action| Labels { decision, reason, action, tenant: tenant() };
        // Nearly all: let in, and not in shadow.
        let is_plain = decision.code == 0 && decision.reason.is_none();
        // What else is denied bears the tenant's own words, which may be a topic of the broker's by chance.
        let known = || decision.asked.then(|| client.verdicts.of(decision.action, &decision.name)).flatten();
        let is_tried = client.under.as_ref().is_some_and(|under| under.tried.is_some());
        let mut decided = if is_plain && !is_tried { None } else { known() };
        let beside = decided.as_ref().and_then(|decided| decided.beside.clone());
        if let Some(beside) = &beside {
            let mut compared = self.compared.borrow_mut();
            let number = compared.entry(beside.labels()).or_default();
            *number = number.saturating_add(1);
        }
        let candidate = beside.as_ref().map_or("", |beside| &beside.told);
        if is_plain {
            self.decisions.borrow_mut().count(labels("allow", "none", decision.action));
            // What a candidate says otherwise is always told.
            if !self.is_due() && candidate.is_empty() {
                return;
            }
            decided = decided.or_else(known);
        }
        let verdict = decided.map(|decided| decided.verdict);
        let allowed = decision.code == 0;
        // What no policy was asked about is another tenant's, or nobody's.
        let reason = match &verdict {
            Some(verdict) if allowed || !verdict.allow => verdict.reason.map_or("", Reason::code),
            // A policy let it; that bounds did not, the code says.
            Some(_) => "",
            None if allowed => "",
            None => Reason::ResourceForeign.code(),
        };
        let shadow = if allowed && !reason.is_empty() { "deny" } else { "" };
        let word = if allowed { "allow" } else { "deny" };
        let label = if reason.is_empty() || allowed { "none" } else { reason };
        if !is_plain {
            self.decisions.borrow_mut().count(labels(word, label, decision.action));
        }
        if !allowed {
            *denied = denied.saturating_add(1);
        }
        let level = if allowed { LogLevel::Info } else { LogLevel::Warn };
        if !self.has_room(client, lines, level) {
            return;
        }
        let prints = &client.setup.config.fingerprint;
        let name = verdict.as_ref().filter(|verdict| !verdict.name.is_empty());
        let name = name.map_or(&*decision.name, |verdict| &*verdict.name);
        let id = if name.is_empty() { Rc::default() } else { prints.of_resource("Topic", name) };
        let trace = decision.trace.as_deref().and_then(TraceParent::parse);
        let trace = trace.map(|trace| trace.to_string()).unwrap_or_default();
        let line = Event {
            traceparent: &trace,
            api: Api::of(decision.api).map_or("", Api::name),
            action: decision.action.name(),
            rule: verdict.as_ref().map_or("", |verdict| &verdict.rule),
            policy: verdict.as_ref().map_or("", |verdict| &verdict.policy),
            id: &id,
            decision: word,
            shadow,
            reason,
            code: Some(decision.code).filter(|code| *code != 0),
            revision: beside.as_ref().map_or_else(|| client.revision(), |beside| beside.revision),
            candidate,
            ..Event::default()
        };
        self.write(client, line, level);
    }

    /// The connection ends, and this is why.
    pub(super) fn ended(&self, client: &Client, word: &'static str, reason: &str, detail: &str, lines: &Lines) {
        host::set_property("partywall.decision", b"deny");
        host::set_property("partywall.reason", reason.as_bytes());
        host::set_property("partywall.detail", detail.as_bytes());
        self.metrics.count("event_scope_connections_ended_total", &[("reason", word)]);
        if self.has_room(client, lines, LogLevel::Warn) {
            self.write(
                client,
                Event { decision: "end", reason, detail, revision: client.revision(), ..Event::default() },
                LogLevel::Warn,
            );
        }
    }

    fn is_due(&self) -> bool {
        let due = self.due.get() + self.allows;
        self.due.set(if due >= 1.0 { due - 1.0 } else { due });
        due >= 1.0
    }

    /// Whether a line of this level may be written now, and is printed then.
    fn has_room(&self, client: &Client, of_one: &Lines, level: LogLevel) -> bool {
        let now = client.under.as_ref().map_or_else(host::now, |under| under.now);
        let room = of_one.take(now, LINES_OF_ONE) && OF_ALL.with(|all| all.take(now, LINES)) && host::prints(level);
        if !room {
            self.untold.set(self.untold.get().saturating_add(1));
        }
        room
    }

    fn write(&self, client: &Client, line: Event<'_>, level: LogLevel) {
        let acting = client.acting.as_ref();
        let prints = &client.setup.config.fingerprint;
        let principal = acting.filter(|acting| !acting.context.principal.is_empty());
        let principal = principal.map(|acting| prints.of_principal(&acting.context.tenant, &acting.context.principal));
        let line = Event {
            time: client.under.as_ref().map_or_else(host::now, |under| under.now),
            cluster: &client.setup.config.cluster,
            tenant: acting.map_or("", |acting| &acting.fingerprint),
            principal: principal.as_deref().unwrap_or_default(),
            ..line
        };
        let write = |chain: &str| [EVENT, &line.write(chain)].concat();
        match &client.setup.chain {
            Some(chain) => {
                line.with_fields(|fields| chain.tell(level, host::now_ms(), id_of(line.traceparent), fields, write));
            }
            None => host::log(level, &write("")),
        }
    }
}

impl Client {
    fn revision(&self) -> u64 {
        self.under.as_ref().map_or(0, |under| under.view.bundle().body().revision)
    }
}

fn kind(action: Action) -> &'static str {
    action.name().rsplit(':').next().unwrap_or_default()
}
