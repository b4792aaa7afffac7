//! What those do who run the broker, and what tenants are not even offered.

use super::{Rule, hidden, operators};

pub(super) const RULES: &[Rule] = &[
    operators(29), // DescribeAcls
    operators(30), // CreateAcls
    operators(31), // DeleteAcls
    operators(34), // AlterReplicaLogDirs
    operators(35), // DescribeLogDirs
    operators(38), // CreateDelegationToken
    operators(39), // RenewDelegationToken
    operators(40), // ExpireDelegationToken
    operators(41), // DescribeDelegationToken
    operators(43), // ElectLeaders
    operators(45), // AlterPartitionReassignments
    operators(46), // ListPartitionReassignments
    operators(48), // DescribeClientQuotas
    operators(49), // AlterClientQuotas
    operators(50), // DescribeUserScramCredentials
    operators(51), // AlterUserScramCredentials
    operators(55), // DescribeQuorum
    operators(57), // UpdateFeatures
    operators(64), // UnregisterBroker
    operators(80), // AddRaftVoter
    operators(81), // RemoveRaftVoter
    operators(94), // UnregisterController
    // What clients measure of themselves goes to nobody who could keep it apart.
    hidden(71), // GetTelemetrySubscriptions
    hidden(72), // PushTelemetry
];
