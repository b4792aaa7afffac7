//! Targets for `cargo fuzz`, and their corpus in `corpus/`.

#[path = "../../cli/tests/cedar/compare.rs"]
mod compare;
#[path = "../../cli/tests/cedar/generate.rs"]
mod generate;
pub mod directories;
pub mod event_scope;
pub mod guard;
pub mod kafka;
pub mod kafka_session;
pub mod policies;
mod random;
pub mod targets;
