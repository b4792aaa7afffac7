//! One configured plugin: a root id with its configuration.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use partywall_tenancy::Here;
use partywall_tenant_context::Role;
use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::{ContextType, LogLevel};

use crate::chain::{self, Chained};
use crate::config::{self, Config, ListenerDirection};
use crate::fetched::Known;
use crate::kafka::Connection;
use crate::metrics::Metrics;
use crate::policy::{self, Policy, Reader, Wanted};
#[cfg(feature = "redaction")]
use crate::redaction;
use crate::stream::{CARRIED, Open, Stream};
use crate::{events, host, kafka, slots, stages_of};

/// How often state is looked after. Other workers see what one of them fetched within two of these.
const TICK: Duration = Duration::from_millis(100);
/// The same while a bundle is loaded, a little of it each time: requests go on in between.
const LOADING_TICK: Duration = Duration::from_millis(1);

/// The root id of filters of events over HTTP.
const EVENT_SCOPE: &str = "event_scope";
/// The root id of filters of Kafka's connections.
const KAFKA_SCOPE: &str = "kafka_scope";
/// The root id of filters of telemetry.
#[cfg(feature = "redaction")]
const LOG_REDACTION: &str = "log_redaction";
/// The root id of filters that say what an access log may say.
#[cfg(feature = "redaction")]
const ACCESS_LOG: &str = "access_log";

/// What a root id of filters of requests runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stages {
    pub(crate) context: bool,
    pub(crate) authorization: bool,
}

impl Stages {
    /// Whether responses are all that it looks at.
    pub(crate) fn guards_alone(self) -> bool {
        !self.context && !self.authorization
    }
}

/// What all streams of a plugin share.
pub(crate) struct Setup {
    pub(crate) stages: Stages,
    pub(crate) config: Config,
    pub(crate) policy: Rc<RefCell<Policy>>,
    pub(crate) metrics: Metrics,
    /// Numbers the decisions of this VM, where the configuration gives a key for it.
    pub(crate) chain: Option<Rc<Chained>>,
    /// The requests that were let in and are not over.
    pub(crate) open: Open,
    /// Whose records the workload fetched, where that may count.
    pub(crate) fetched: Option<Known>,
    /// The region, once it was asked for.
    pub(crate) region: OnceCell<String>,
    /// Whether the log was told that this plugin is in the wrong place.
    told: Cell<bool>,
}

impl Setup {
    /// Where this proxy stands. Asked within a request; the region never changes while it runs.
    pub(crate) fn here(&self) -> Here<'_> {
        let region = Some(self.region()).filter(|region| !region.is_empty());
        Here { cell: self.config.cell.as_deref(), region }
    }

    /// Why nothing may pass here: the role does not fit the listener of this request. Envoy 1.40 tells a
    /// plugin where it stands with a request and not with its configuration, which is then refused too late;
    /// and one plugin may stand on two listeners.
    pub(crate) fn misplaced(&self) -> Option<&'static str> {
        if self.config.any_direction {
            return None;
        }
        let why = config::check_direction(self.config.role, listener_direction()).err()?;
        if !self.told.replace(true) {
            host::log(LogLevel::Critical, &format!("partywall: every request is denied: {why}"));
        }
        Some(why)
    }
}

pub(crate) fn listener_direction() -> Option<ListenerDirection> {
    match host::property_number(&["xds", "listener_direction"]) {
        Some(1) => Some(ListenerDirection::Inbound),
        Some(2) => Some(ListenerDirection::Outbound),
        _ => None,
    }
}

/// What a root id runs.
enum Running {
    /// Filters of requests.
    #[cfg(feature = "requests")]
    Requests(Rc<Setup>),
    /// Of requests that are events.
    #[cfg(feature = "requests")]
    Events(Rc<Setup>),
    /// A filter of connections of Kafka.
    #[cfg(feature = "kafka")]
    Kafka(Rc<kafka::Setup>),
    /// A filter of telemetry.
    #[cfg(feature = "redaction")]
    Redaction(Rc<redaction::Setup>),
}

/// The root ids that this module has.
const ROOT_IDS: &[&str] = &[
    #[cfg(feature = "requests")]
    "sidecar",
    #[cfg(feature = "requests")]
    "tenant_context",
    #[cfg(feature = "requests")]
    "authorization",
    #[cfg(feature = "requests")]
    "response_guard",
    #[cfg(feature = "requests")]
    EVENT_SCOPE,
    #[cfg(feature = "kafka")]
    KAFKA_SCOPE,
    #[cfg(feature = "redaction")]
    LOG_REDACTION,
    #[cfg(feature = "redaction")]
    ACCESS_LOG,
];

impl Running {
    fn policy(&self) -> &Rc<RefCell<Policy>> {
        match self {
            #[cfg(feature = "requests")]
            Self::Requests(setup) | Self::Events(setup) => &setup.policy,
            #[cfg(feature = "kafka")]
            Self::Kafka(setup) => &setup.policy,
            #[cfg(feature = "redaction")]
            Self::Redaction(setup) => setup.policy(),
        }
    }

    /// Whether there is something to do at once.
    fn is_busy(&self) -> bool {
        let busy = match self {
            #[cfg(feature = "requests")]
            Self::Requests(setup) => setup.open.is_waiting(),
            #[cfg(feature = "redaction")]
            Self::Redaction(setup) => setup.is_making(),
            #[allow(unreachable_patterns, reason = "a module may run one kind alone")]
            _ => false,
        };
        busy || self.policy().borrow().is_loading()
    }

    /// It ends: what numbers decisions writes its last line.
    fn leave(&self) {
        match self {
            #[cfg(feature = "requests")]
            Self::Requests(setup) | Self::Events(setup) => {
                if let Some(chain) = &setup.chain {
                    chain.leave(host::now_ms());
                }
            }
            #[cfg(feature = "kafka")]
            Self::Kafka(setup) => setup.leave(),
            #[cfg(feature = "redaction")]
            Self::Redaction(_) => {}
        }
    }

    fn tick(&self, context_id: u32, now_ms: u64) {
        let _ = context_id;
        match self {
            #[cfg(feature = "requests")]
            Self::Requests(setup) | Self::Events(setup) => {
                setup.policy.borrow_mut().tick(now_ms);
                Open::tick(setup, context_id, now_ms);
                if let Some(chain) = &setup.chain {
                    chain.tick(now_ms);
                }
                if let Some(fetched) = &setup.fetched {
                    fetched.gather();
                }
            }
            #[cfg(feature = "kafka")]
            Self::Kafka(setup) => setup.tick(now_ms),
            #[cfg(feature = "redaction")]
            Self::Redaction(setup) => setup.tick(now_ms),
        }
    }
}

/// The proxy-wasm root context.
pub(crate) struct Plugin {
    context_id: u32,
    running: Option<Running>,
    /// Whether ticks come fast.
    fast: bool,
}

impl Plugin {
    pub(crate) fn new(context_id: u32) -> Self {
        Self { context_id, running: None, fast: false }
    }

    fn configure(&mut self, bytes: &[u8]) -> Result<(), String> {
        let root_id = host::property(&["plugin_root_id"]).unwrap_or_default();
        let root_id = String::from_utf8_lossy(&root_id);
        #[allow(clippy::disallowed_methods, reason = "this is the one crate that knows the environment")]
        let environment = |name: &str| std::env::var(name).ok();
        #[cfg(feature = "kafka")]
        if root_id == KAFKA_SCOPE {
            let setup = kafka::Setup::new(config::Kafka::read(bytes, environment)?)?;
            self.running = Some(Running::Kafka(Rc::new(setup)));
            return Ok(());
        }
        #[cfg(feature = "redaction")]
        if root_id == LOG_REDACTION || root_id == ACCESS_LOG {
            let config = if root_id == ACCESS_LOG {
                config::Redaction::read_access_log(bytes, environment)
            } else {
                config::Redaction::read(bytes, environment)
            };
            let setup = redaction::Setup::new(config?);
            self.running = Some(Running::Redaction(Rc::new(setup)));
            return Ok(());
        }
        #[cfg(feature = "requests")]
        if let Some(stages) = stages_of(&root_id) {
            return self.configure_requests((&root_id, stages), bytes, environment);
        }
        let known: Vec<String> = ROOT_IDS.iter().map(|id| format!("`{id}`")).collect();
        Err(format!("root id `{root_id}` is unknown: this module has {}", known.join(", ")))
    }

    #[cfg(feature = "requests")]
    fn configure_requests(
        &mut self,
        (root_id, stages): (&str, Stages),
        bytes: &[u8],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        let mut config = Config::read(bytes, listener_direction(), environment)?;
        let of_events = root_id == EVENT_SCOPE;
        if of_events && !matches!(config.role, Role::Inbound | Role::Outbound) {
            return Err(
                "an `event_scope` stands before or behind a service: write `role: inbound` or `role: outbound`".into(),
            );
        }
        if stages.guards_alone() && !of_events && config.passes.is_none() {
            return Err("a `response_guard` judges for filters before it: write `guard: apart` here and there".into());
        }
        if config.role == Role::Inbound {
            slots::prepare_traces();
        }
        if config.role == Role::Outbound {
            host::declare_for_request(CARRIED);
        }
        let fetched = config.fetched.take().map(Known::new);
        let chain = config.audit_chain.take().map(|secrets| chain::of(&secrets)).transpose()?;
        let policy = policy::of(&Wanted {
            trust: &config.trust,
            source: &config.bundle,
            seal: config.set_seal.as_ref(),
            reader: Reader::Requests(config.role),
        });
        let (metrics, open, region, told) = (Metrics::default(), Open::default(), OnceCell::new(), Cell::new(false));
        let setup = Setup { stages, config, policy, metrics, chain, open, fetched, region, told };
        let setup = Rc::new(setup);
        self.running = Some(if of_events { Running::Events(setup) } else { Running::Requests(setup) });
        Ok(())
    }
}

impl Plugin {
    /// Lets ticks come as fast as there is something to do. Each plugin has a tick of its own.
    fn pace(&mut self) {
        let fast = self.running.as_ref().is_some_and(Running::is_busy);
        if fast != self.fast {
            self.fast = fast;
            host::tick_each(if fast { LOADING_TICK } else { TICK });
        }
    }
}

impl Context for Plugin {
    fn on_done(&mut self) -> bool {
        if let Some(running) = &self.running {
            running.leave();
        }
        true
    }

    fn on_http_call_response(&mut self, token: u32, _headers: usize, body_size: usize, _trailers: usize) {
        if let Some(running) = &self.running {
            running.policy().borrow_mut().on_response(token, body_size);
        }
        self.pace();
    }
}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        match self.configure(&bytes) {
            Ok(()) => {
                host::tick_each(TICK);
                true
            }
            Err(why) => {
                host::log(LogLevel::Critical, &format!("partywall: configuration refused: {why}"));
                false
            }
        }
    }

    fn on_tick(&mut self) {
        let now_ms = host::now_ms();
        if let Some(running) = &self.running {
            running.tick(self.context_id, now_ms);
        }
        self.pace();
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        let _ = context_id;
        match &self.running {
            #[cfg(feature = "requests")]
            Some(Running::Requests(setup)) => Some(Box::new(Stream::new(setup.clone(), context_id))),
            #[cfg(feature = "requests")]
            Some(Running::Events(setup)) => Some(Box::new(events::Stream::new(setup.clone()))),
            #[cfg(feature = "redaction")]
            Some(Running::Redaction(setup)) if setup.is_of_access_log() => {
                Some(Box::new(redaction::Access::new(setup.clone())))
            }
            #[cfg(feature = "redaction")]
            Some(Running::Redaction(setup)) => Some(Box::new(redaction::Stream::new(setup.clone()))),
            _ => None,
        }
    }

    fn create_stream_context(&self, _: u32) -> Option<Box<dyn StreamContext>> {
        match &self.running {
            #[cfg(feature = "kafka")]
            Some(Running::Kafka(setup)) => Some(Box::new(Connection::new(setup.clone()))),
            _ => None,
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        match &self.running {
            #[cfg(feature = "kafka")]
            Some(Running::Kafka(_)) => Some(ContextType::StreamContext),
            _ => Some(ContextType::HttpContext),
        }
    }
}
