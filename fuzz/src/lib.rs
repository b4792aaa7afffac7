//! Targets for `cargo fuzz`, and their corpus in `corpus/`.

pub mod targets;
