//! Groups of every protocol, and what they committed.

use super::{Rule, With, group};

pub(super) const RULES: &[Rule] = &[
    group(8, With::Parts),  // OffsetCommit
    group(9, With::Parts),  // OffsetFetch
    group(10, With::Parts), // FindCoordinator
    group(11, With::Told),  // JoinGroup
    group(12, With::Whole), // Heartbeat
    group(13, With::Whole), // LeaveGroup
    group(14, With::Told),  // SyncGroup
    group(15, With::Parts), // DescribeGroups
    group(16, With::Whole), // ListGroups
    group(42, With::Parts), // DeleteGroups
    group(47, With::Parts), // OffsetDelete
    // The broker assigns partitions, by topics' ids.
    group(68, With::Whole).assigning(), // ConsumerGroupHeartbeat
    group(69, With::Parts).assigning(), // ConsumerGroupDescribe
    group(76, With::Whole).assigning(), // ShareGroupHeartbeat
    group(77, With::Parts).assigning(), // ShareGroupDescribe
    group(78, With::Parts).assigning(), // ShareFetch
    group(79, With::Parts).assigning(), // ShareAcknowledge
    group(88, With::Whole).assigning(), // StreamsGroupHeartbeat
    group(89, With::Parts).assigning(), // StreamsGroupDescribe
    group(90, With::Parts).assigning(), // DescribeShareGroupOffsets
    group(91, With::Parts).assigning(), // AlterShareGroupOffsets
    group(92, With::Parts).assigning(), // DeleteShareGroupOffsets
    group(93, With::Whole).assigning(), // StreamsGroupTopologyDescriptionUpdate
];
