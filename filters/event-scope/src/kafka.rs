//! Kafka's wire protocol.

pub mod codec;
