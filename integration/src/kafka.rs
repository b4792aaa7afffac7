//! Apache Kafka for real: brokers on loopback, and clients of several makes.

mod brokers;
mod client;

pub use brokers::{Brokers, Listener, Options};
pub use client::{Client, Ran};

pub(crate) use brokers::program;
