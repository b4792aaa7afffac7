//! What two states of the policy decide differently.
//!
//! ```text
//! permissions  tenants of one shape × roles × operations × ids × owner, each decided by both programs
//! parts        tenants, services, operations, keys, …: added, removed, changed
//! ```

mod circumstances;
pub(crate) mod parts;
pub(crate) mod permissions;
