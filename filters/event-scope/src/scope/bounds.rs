//! What a topic that a tenant makes or changes may have.

use partywall_tenancy::NewTopics;

use crate::kafka::session::Bound;

const RETENTION: &[u8] = b"retention.ms";
/// What keeps records longer than `retention.ms` says: compaction forever, and times of records in the future.
const PROLONGING: [&[u8]; 3] =
    [b"cleanup.policy", b"message.timestamp.after.max.ms", b"message.timestamp.difference.max.ms"];

/// Whether a topic may have that. How many there are, somebody else counts.
pub(super) fn allows(new: &NewTopics, bound: Bound<'_>) -> bool {
    match bound {
        Bound::New => new.allowed,
        // -1 is what the broker thinks best; what is no number of partitions it says itself.
        Bound::Partitions(partitions) => new.partitions.is_none_or(|most| partitions <= most.into()),
        Bound::Replication(-1) => true,
        Bound::Replication(replicas) => {
            new.replication.is_none_or(|(least, most)| (least.into()..=most.into()).contains(&replicas))
        }
        Bound::Config(RETENTION, value) => match (new.retention, value) {
            (None, _) | (_, None) => true,
            (Some(most), Some(value)) => milliseconds(value).is_some_and(|ms| (0..=most).contains(&ms)),
        },
        Bound::Config(name, _) => match &new.configs {
            Some(configs) => configs.iter().any(|config| config.as_bytes() == name),
            None => new.retention.is_none() || !PROLONGING.contains(&name),
        },
    }
}

fn milliseconds(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn numbers_are_within_their_bounds() {
        let open = NewTopics { allowed: true, ..NewTopics::default() };
        assert!(allows(&open, Bound::New) && !allows(&NewTopics::default(), Bound::New));
        assert!(allows(&open, Bound::Partitions(1000)) && allows(&open, Bound::Replication(99)));
        let bound = NewTopics { partitions: Some(12), replication: Some((2, 3)), ..open };
        for (partitions, fits) in [(-1, true), (1, true), (12, true), (13, false), (i64::MAX, false)] {
            assert_eq!(allows(&bound, Bound::Partitions(partitions)), fits, "{partitions}");
        }
        for (replicas, fits) in [(-1, true), (1, false), (2, true), (3, true), (4, false), (-2, false), (0, false)] {
            assert_eq!(allows(&bound, Bound::Replication(replicas)), fits, "{replicas}");
        }
    }

    #[test]
    fn retention_ends_in_time() {
        let bound = NewTopics { retention: Some(DAY), ..NewTopics::default() };
        for (value, fits) in [
            ("86400000", true),
            ("0", true),
            ("86400001", false),
            ("-1", false),
            ("-9223372036854775808", false),
            ("99999999999999999999", false),
            ("", false),
            (" 1", false),
            ("1e3", false),
        ] {
            assert_eq!(allows(&bound, Bound::Config(b"retention.ms", Some(value.as_bytes()))), fits, "{value}");
        }
        assert!(allows(&bound, Bound::Config(b"retention.ms", None)), "the broker's own");
        assert!(allows(&NewTopics::default(), Bound::Config(b"retention.ms", Some(b"-1"))), "where nothing bounds it");
    }

    #[test]
    fn configurations_are_those_of_the_list() {
        let set = |new: &NewTopics, name: &str| allows(new, Bound::Config(name.as_bytes(), Some(b"compact")));
        let all = NewTopics::default();
        assert!(set(&all, "cleanup.policy") && set(&all, "max.message.bytes"));
        let listed = NewTopics { configs: Some(vec!["max.message.bytes".to_owned()]), ..all.clone() };
        assert!(set(&listed, "max.message.bytes") && !set(&listed, "cleanup.policy") && !set(&listed, ""));
        // What prolongs retention has to be listed where retention is bounded.
        let short = NewTopics { retention: Some(DAY), ..all };
        assert!(set(&short, "max.message.bytes") && !set(&short, "cleanup.policy"));
        assert!(!set(&short, "message.timestamp.after.max.ms"));
        let both = NewTopics { configs: Some(vec!["cleanup.policy".to_owned()]), ..short };
        assert!(set(&both, "cleanup.policy"));
    }
}
