//! Apache Kafka for real: brokers on loopback, and clients of several makes.

mod brokers;
mod client;
pub mod frames;
pub mod leak;
pub mod recorder;
mod scoped;
pub mod sidecar;
mod socket;
pub mod story;
pub mod wire;

pub use brokers::{Brokers, Listener, Options};
pub use client::{Client, Ran};
pub use scoped::{Options as ScopedOptions, Scoped};
pub use socket::{Socket, framed};

pub(crate) use brokers::program;
