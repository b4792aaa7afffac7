//! Transactional producers.

use super::super::peers::Action;
use super::{Rule, With, transaction};

pub(super) const RULES: &[Rule] = &[
    transaction(22, With::Whole, Action::Produce), // InitProducerId
    // From 4 on it is what brokers say to each other.
    transaction(24, With::Parts, Action::Produce).up_to(3), // AddPartitionsToTxn
    transaction(25, With::Whole, Action::Produce),          // AddOffsetsToTxn
    transaction(26, With::Whole, Action::Produce),          // EndTxn
    transaction(28, With::Parts, Action::Consume),          // TxnOffsetCommit
    transaction(65, With::Parts, Action::Describe),         // DescribeTransactions
    // 2 has a pattern, which may be bound to nothing but its beginning.
    transaction(66, With::Whole, Action::Describe).up_to(1), // ListTransactions
];
