//! Raw profiles of LLVM, as an instrumented program leaves them (`llvm/ProfileData/InstrProfData.inc`).
//!
//! ```text
//! header: 16 numbers │ build ids │ a record per function │ padding │ counters │ …
//! ```
//!
//! All numbers are 8 bytes in the machine's own order. The place of a counter is the same in every run of one program.

use anyhow::{Context, Result, bail, ensure};

/// The versions whose header and records are laid out as read here: LLVM 19 and later.
const VERSIONS: &[u64] = &[10];
/// Numbers in the header, and bytes of a function's record.
const HEADER: usize = 16;
const RECORD: usize = 64;
/// In the version's upper byte: counters are single bytes.
const BYTE_COVERAGE: u64 = 1 << 60;

/// How often each branch was taken.
pub(super) fn counters(profile: &[u8]) -> Result<Vec<u64>> {
    let header: Vec<u64> = profile.chunks_exact(8).take(HEADER).map(number).collect();
    let [magic, version, build_ids, records, padding, counters, ..] = header[..] else {
        bail!("{} bytes are no raw profile", profile.len());
    };
    ensure!(magic == u64::from_be_bytes(*b"\xfflprofr\x81"), "this is no raw profile of a 64-bit program");
    let (variant, version) = (version >> 56 << 56, version & !(0xff << 56));
    if !VERSIONS.contains(&version) {
        bail!(
            "rustc writes raw profiles of version {version}, and {VERSIONS:?} can be read: see xtask/src/coverage/profile.rs"
        );
    }
    ensure!(variant & BYTE_COVERAGE == 0, "the counters of this profile are bytes, not numbers");
    let size = |number: u64| usize::try_from(number).context("a size in the profile is too large");
    let start = size(records)?
        .checked_mul(RECORD)
        .and_then(|bytes| bytes.checked_add(HEADER * 8))
        .and_then(|bytes| bytes.checked_add(size(build_ids).ok()?))
        .and_then(|bytes| bytes.checked_add(size(padding).ok()?));
    let length = size(counters)?.checked_mul(8);
    let found = start.zip(length).and_then(|(start, length)| profile.get(start..start.checked_add(length)?));
    let found = found.context("the profile ends before its counters do")?;
    ensure!(!found.is_empty(), "the profile holds no counters: nothing was built with them");
    Ok(found.chunks_exact(8).map(number).collect())
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(version: u64, counters: &[u64]) -> Vec<u8> {
        let mut header = [0; HEADER];
        header[..6].copy_from_slice(&[0xff6c_7072_6f66_7281, version, 8, 1, 16, counters.len() as u64]);
        let body = [0xaa; 8 + RECORD + 16];
        let numbers = |list: &[u64]| list.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<_>>();
        [numbers(&header), body.to_vec(), numbers(counters)].concat()
    }

    #[test]
    fn counters_are_found_behind_header_ids_and_records() {
        assert_eq!(counters(&profile(10, &[3, 0, 1])).unwrap(), [3, 0, 1]);
        assert_eq!(counters(&profile(10 | 1 << 56, &[7])).unwrap(), [7]);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let says = |bytes: &[u8]| counters(bytes).unwrap_err().to_string();
        assert!(says(&profile(11, &[1])).contains("version 11"));
        assert!(says(&profile(10 | BYTE_COVERAGE, &[1])).contains("bytes"));
        assert!(says(&profile(10, &[])).contains("no counters"));
        let whole = profile(10, &[1, 2]);
        assert!(says(&whole[..whole.len() - 1]).contains("ends before"));
        assert!(says(b"").contains("no raw profile"));
        assert!(says(&[0; 200]).contains("no raw profile"));
    }
}
