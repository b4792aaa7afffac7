//! Telemetry on its way to a collector: real exporters, a proxy, and a collector that keeps all that reached it.
//!
//! ```text
//! collector  takes what collectors take, answers as they do, and keeps it
//!   unfold   what was compressed
//!   read     texts, spans and pointers in it, by decoders that are none of ours
//! proxy      an Envoy before it: one listener with the filter, one without
//! sent       programs under integration/telemetry/, and what they say that they wrote
//! ```

pub mod collector;
pub mod proxy;
pub mod read;
pub mod sent;
pub mod unfold;

pub use collector::{Arrival, Collector};
pub use proxy::{Listener, Proxy};
pub use sent::{Plan, Sent};
