//! Kafka's wire protocol.

pub mod codec;
mod records;
pub mod session;
