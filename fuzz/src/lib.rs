//! Targets for `cargo fuzz`, and their corpus in `corpus/`.

#[path = "../../cli/tests/cedar/compare.rs"]
mod compare;
pub mod directories;
pub mod event_scope;
#[path = "../../cli/tests/cedar/generate.rs"]
mod generate;
pub mod guard;
pub mod http_events;
pub mod kafka;
pub mod kafka_session;
pub mod policies;
mod random;
pub mod redaction_carriers;
pub mod redaction_detect;
pub mod targets;
