//! The chain of this VM's decisions: numbers and links for the access log and for lines about Kafka, and a word in Envoy's
//! own log where no line tells what is open.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use partywall_log_redaction::{Chain, Fields};
use partywall_tenancy::Secrets;
use partywall_tenant_context::TraceParent;
use proxy_wasm::types::LogLevel;

use crate::host;

/// The filter state that holds the link.
const CHAIN: &str = "partywall.chain";

thread_local! {
    static CHAINS: RefCell<Vec<Rc<Chained>>> = const { RefCell::new(Vec::new()) };
}

/// One chain, for all plugins of this VM with this key.
pub(crate) struct Chained {
    /// By which its key is known again.
    mark: String,
    chain: RefCell<Chain>,
    users: Cell<u32>,
}

/// The chain under this key, made when the first plugin asks for it.
pub(crate) fn of(secrets: &Secrets) -> Result<Rc<Chained>, &'static str> {
    let mark = Chain::mark(secrets.current());
    CHAINS.with_borrow_mut(|all| {
        let chained = match all.iter().find(|chained| chained.mark == mark) {
            Some(chained) => chained.clone(),
            None => {
                let boot = host::random().ok_or("the host has no source of random bytes, and a chain needs one")?;
                let chain = RefCell::new(Chain::new(secrets.current(), boot));
                let chained = Rc::new(Chained { mark, chain, users: Cell::new(0) });
                all.push(chained.clone());
                chained
            }
        };
        chained.users.set(chained.users.get().saturating_add(1));
        Ok(chained)
    })
}

impl Chained {
    /// Writes a line into Envoy's own log at once, with the link of a decision that is over with it: `write` makes it of the
    /// link. `trace` is its trace id in 32 hex digits, or empty.
    ///
    /// INVARIANT: only what is printed has a number, or it would read as removed.
    pub(crate) fn tell(
        &self,
        level: LogLevel,
        now_ms: u64,
        trace: &str,
        fields: &Fields<'_>,
        write: impl FnOnce(&str) -> String,
    ) {
        let (number, link) = self.chain.borrow_mut().link(now_ms, trace, None, fields);
        host::log(level, &write(&link));
        self.chain.borrow_mut().over(number);
    }

    /// Writes the link of a decision about this request into the access log, in the place of `before`; gives its number.
    pub(crate) fn link(
        &self,
        now_ms: u64,
        trace: Option<&TraceParent>,
        before: Option<&[u8]>,
        fields: &Fields<'_>,
    ) -> u64 {
        let trace = trace.map(TraceParent::to_string).unwrap_or_default();
        let trace = id_of(&trace);
        let before = before.and_then(|link| str::from_utf8(link).ok());
        let (number, link) = self.chain.borrow_mut().link(now_ms, trace, before, fields);
        host::set_property(CHAIN, link.as_bytes());
        number
    }

    /// The filter that gave these numbers is gone: their request is over, or has no line yet.
    pub(crate) fn end(&self, numbers: &[u64], logged: bool) {
        if numbers.is_empty() {
            return;
        }
        let now_ms = if logged { 0 } else { host::now_ms() };
        let mut chain = self.chain.borrow_mut();
        for number in numbers {
            if logged { chain.over(*number) } else { chain.leave(*number, now_ms) }
        }
    }

    /// Says what is to be told now, if anything.
    pub(crate) fn tick(&self, now_ms: u64) {
        let word = self.chain.borrow_mut().tick(now_ms);
        say(word);
    }

    /// One plugin fewer. The last one says the last word.
    pub(crate) fn leave(self: &Rc<Self>, now_ms: u64) {
        self.users.set(self.users.get().saturating_sub(1));
        if self.users.get() == 0 {
            CHAINS.with_borrow_mut(|all| all.retain(|chained| !Rc::ptr_eq(chained, self)));
            let word = self.chain.borrow_mut().end(now_ms);
            say(word);
        }
    }
}

/// The trace id in a `traceparent`; empty where there is none.
pub(crate) fn id_of(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}

/// The link that the request has in its line so far.
pub(crate) fn link_so_far() -> Option<Vec<u8>> {
    host::property(&[CHAIN]).filter(|link| !link.is_empty())
}

/// Into Envoy's own log: the access log has lines of requests alone.
fn say(word: Option<String>) {
    if let Some(word) = word {
        host::log(LogLevel::Info, &format!("partywall: chain {word}"));
    }
}
