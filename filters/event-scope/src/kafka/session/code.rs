//! Kafka's error codes, as far as a session gives them.

pub(super) const INVALID_TOPIC: i16 = 17;
pub(super) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
pub(super) const REBALANCE_IN_PROGRESS: i16 = 27;
pub(super) const TOPIC_DENIED: i16 = 29;
pub(super) const GROUP_DENIED: i16 = 30;
pub(super) const CLUSTER_DENIED: i16 = 31;
pub(super) const UNSUPPORTED_MECHANISM: i16 = 33;
pub(super) const UNSUPPORTED_VERSION: i16 = 35;
/// Retried by administrators, who look for the controller before: where an answer of a broker is waited for.
pub(super) const NOT_CONTROLLER: i16 = 41;
pub(super) const POLICY_VIOLATION: i16 = 44;
pub(super) const TRANSACTION_DENIED: i16 = 53;
pub(super) const SASL_FAILED: i16 = 58;
pub(super) const FETCH_SESSION_NOT_FOUND: i16 = 70;
pub(super) const UNKNOWN_TOPIC_ID: i16 = 100;
pub(super) const INVALID_REGEX: i16 = 128;
