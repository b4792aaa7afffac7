//! Frames that a session makes up: requests that stand in for others, and answers that the codec has no form for.

use super::code;

/// ApiVersions in version 0, which every broker answers and which changes nothing, with its length.
pub(super) fn api_versions(correlation: i32, out: &mut Vec<u8>) {
    out.extend([0, 0, 0, 10, 0, 18, 0, 0]);
    out.extend(correlation.to_be_bytes());
    // No client id.
    out.extend([0xff, 0xff]);
}

/// In which version Metadata is asked for by ids: names may be null from here on.
pub(super) const METADATA: i16 = 12;

/// Metadata of the topics with these ids, with its length. Nothing is created by it.
pub(super) fn metadata(correlation: i32, ids: &[[u8; 16]], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0, 0, 0, 0, 0, 3]);
    out.extend(METADATA.to_be_bytes());
    out.extend(correlation.to_be_bytes());
    out.extend([0xff, 0xff, 0]);
    // INVARIANT: a session asks for `IDS` at most, so that the count has two bytes at most.
    match u16::try_from(ids.len() + 1).unwrap_or(1) {
        count @ ..0x80 => out.push(count as u8),
        count => out.extend([(count & 0x7f) as u8 | 0x80, (count >> 7) as u8]),
    }
    for id in ids {
        out.extend_from_slice(id);
        // No name, no tags.
        out.extend([0, 0]);
    }
    // Neither creation nor permissions, no tags.
    out.extend([0, 0, 0]);
    let length = i32::try_from(out.len() - start - 4).unwrap_or(0).to_be_bytes();
    if let Some(prefix) = out.get_mut(start..start + 4) {
        prefix.copy_from_slice(&length);
    }
}

/// Metadata of all topics, with its length.
pub(super) fn all_topics(correlation: i32, out: &mut Vec<u8>) {
    out.extend([0, 0, 0, 15, 0, 3]);
    out.extend(METADATA.to_be_bytes());
    out.extend(correlation.to_be_bytes());
    // No client id and no tags; a list that is null; neither creation nor permissions, and no tags.
    out.extend([0xff, 0xff, 0, 0, 0, 0, 0]);
}

/// The answer to an ApiVersions of a version that is not spoken, with its length: it says up to which one it is, so
/// that a client asks again (KIP-511). It is of version 0.
pub(super) fn unsupported_version(correlation: i32, last: i16, out: &mut Vec<u8>) {
    out.extend([0, 0, 0, 16]);
    out.extend(correlation.to_be_bytes());
    out.extend(code::UNSUPPORTED_VERSION.to_be_bytes());
    out.extend([0, 0, 0, 1, 0, 18, 0, 0]);
    out.extend(last.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::codec::{self, Scratch};

    #[test]
    fn they_are_understood() {
        let scratch = &mut Scratch::default();
        let mut out = Vec::new();
        api_versions(7, &mut out);
        assert_eq!(out.len(), 14);
        assert!(codec::request(&out[4..], &mut (), scratch).unwrap().is_unchanged());
        for count in [0, 1, 126, 127, 128, super::super::request::IDS] {
            out.clear();
            metadata(7, &vec![[9; 16]; count], &mut out);
            let splice = codec::request(&out[4..], &mut (), scratch).unwrap();
            assert_eq!(splice.to_vec(), out, "{count}: the length is right");
        }
        out.clear();
        all_topics(7, &mut out);
        let splice = codec::request(&out[4..], &mut (), scratch).unwrap();
        assert_eq!(splice.to_vec(), out);
        out.clear();
        unsupported_version(7, 4, &mut out);
        let splice = codec::response(18, 5, &out[4..], &mut (), scratch).unwrap();
        assert_eq!(splice.to_vec(), out);
    }
}
