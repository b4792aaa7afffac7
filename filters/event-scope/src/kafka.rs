//! Kafka's wire protocol.

pub mod codec;
pub mod session;
