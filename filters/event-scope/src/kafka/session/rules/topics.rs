//! Topics and their configurations, and where brokers are.

use super::super::code;
use super::super::peers::Action;
use super::{Rule, With, rule, topics};

pub(super) const RULES: &[Rule] = &[
    // Before 4 a client could not say that a topic which it asks for is not to be made.
    topics(3, Action::Describe).from(4),                                   // Metadata
    topics(19, Action::Create),                                            // CreateTopics
    topics(20, Action::Delete),                                            // DeleteTopics
    topics(32, Action::Describe),                                          // DescribeConfigs
    topics(33, Action::Alter),                                             // AlterConfigs
    topics(37, Action::Alter),                                             // CreatePartitions
    topics(44, Action::Alter),                                             // IncrementalAlterConfigs
    topics(75, Action::Describe),                                          // DescribeTopicPartitions
    rule(17, With::Whole, Action::Describe, code::CLUSTER_DENIED).from(1), // SaslHandshake: 0 has tokens without a frame
    rule(18, With::Whole, Action::Describe, code::CLUSTER_DENIED),         // ApiVersions
    rule(36, With::Whole, Action::Describe, code::CLUSTER_DENIED),         // SaslAuthenticate
    rule(60, With::Whole, Action::Describe, code::CLUSTER_DENIED),         // DescribeCluster
    rule(74, With::Whole, Action::Describe, code::CLUSTER_DENIED),         // ListConfigResources
];
