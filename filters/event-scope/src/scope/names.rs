//! What may be called what.

/// The longest name of a topic, in bytes: Kafka's own bound, with what is put before it.
pub(super) const LONGEST_TOPIC: usize = 249;
/// The longest name of anything else, in bytes: what a string of the older versions holds.
pub(super) const LONGEST: usize = i16::MAX as usize;

/// Whether Kafka takes it for a topic.
pub(super) fn is_topic(name: &[u8]) -> bool {
    (1..=LONGEST_TOPIC).contains(&name.len()) && name != b"." && name != b".." && is_legal(name)
}

/// Whether a topic's name may hold these bytes.
pub(super) fn is_legal(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether the topic is the broker's own, as `__consumer_offsets` is: nobody's, whatever a bundle says.
pub(super) fn is_internal(topic: &[u8]) -> bool {
    topic.starts_with(b"__")
}

/// Whether a group, a transactional id or a client may be called so: text without control characters.
pub(super) fn is_text(name: &[u8]) -> bool {
    let plain = name.iter().all(|byte| matches!(byte, b' '..=b'~'));
    plain || std::str::from_utf8(name).is_ok_and(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_as_kafka_has_them() {
        let longest = "a".repeat(249);
        for good in ["a", "A.b_c-9", "...", "-", "_", &longest] {
            assert!(is_topic(good.as_bytes()), "{good}");
        }
        let too_long = "a".repeat(250);
        for bad in ["", ".", "..", "a b", "a/b", "a\\", "a\0", "é", "a:b", "a*", &too_long] {
            assert!(!is_topic(bad.as_bytes()), "{bad}");
        }
        assert!(!is_topic(&[b'a', 0xff]));
    }

    #[test]
    fn other_names_are_text_that_one_can_see() {
        for good in ["", "a", "my group", "grüppe", "组", "a/b:c*"] {
            assert!(is_text(good.as_bytes()), "{good}");
        }
        for bad in ["a\0", "a\n", "\u{7f}", "\u{85}", "é\t"] {
            assert!(!is_text(bad.as_bytes()), "{bad:?}");
        }
        assert!(!is_text(&[0xff]));
        assert!(!is_text(b"\xc3"), "half a character");
    }
}
