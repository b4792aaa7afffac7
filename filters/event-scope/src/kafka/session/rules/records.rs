//! Records, and the offsets that find them.

use super::super::peers::Action;
use super::{Rule, topics};

pub(super) const RULES: &[Rule] = &[
    topics(0, Action::Produce),   // Produce
    topics(1, Action::Consume),   // Fetch
    topics(2, Action::Describe),  // ListOffsets
    topics(21, Action::Delete),   // DeleteRecords
    topics(23, Action::Describe), // OffsetForLeaderEpoch
    topics(61, Action::Describe), // DescribeProducers
];
