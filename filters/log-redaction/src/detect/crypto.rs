//! Addresses of Bitcoin, Litecoin and Ethereum, by their checksums.

use keccak::Keccak;
use sha2::{Digest, Sha256};

use super::catalog::Built;
use super::text::{ALNUM, HEX};
use super::{Candidate, Look, Strength};

/// The address in Base58Check that is all of `start..end`.
pub(super) fn base58(look: &Look<'_>, start: usize, end: usize) -> Option<Candidate> {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let written = look.text.slice(start, end);
    if !(26..=35).contains(&written.len()) || !matches!(written.first(), Some(b'1' | b'3' | b'L' | b'M')) {
        return None;
    }
    // One version byte, 20 of the hash, four of the checksum.
    let mut bytes = [0_u8; 25];
    for byte in written {
        let mut carry = ALPHABET.iter().position(|known| known == byte)?;
        for place in bytes.iter_mut().rev() {
            carry += usize::from(*place) * 58;
            *place = (carry % 256) as u8;
            carry /= 256;
        }
        if carry > 0 {
            return None;
        }
    }
    let (body, check) = bytes.split_at_checked(21)?;
    look.text.spend(64);
    let digest = Sha256::digest(Sha256::digest(body));
    let known = matches!(body.first(), Some(0x00 | 0x05 | 0x30 | 0x32));
    if known && digest.get(..4) == Some(check) {
        look.found(Built::Bitcoin, start, end, Strength::Proved)
    } else {
        None
    }
}

/// The address in Bech32 or Bech32m whose first character after the `1` ends at `end`.
pub(super) fn bech32(look: &Look<'_>, end: usize) -> Option<Candidate> {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let text = &look.text;
    let data = end.checked_sub(1)?;
    let start = text.run_back(ALNUM, data, 6);
    let stop = text.run(ALNUM, data, 90);
    if !text.opens(start, ALNUM) || !(38..=71).contains(&(stop - data)) {
        return None;
    }
    let prefix = text.slice(start, data - 1);
    let mut check = 1_u32;
    let mut mix = |value: u32| {
        let top = check >> 25;
        check = (check & 0x01ff_ffff) << 5 ^ value;
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                check ^= generator;
            }
        }
    };
    prefix.iter().for_each(|byte| mix(u32::from(byte.to_ascii_lowercase() >> 5)));
    mix(0);
    prefix.iter().for_each(|byte| mix(u32::from(byte.to_ascii_lowercase() & 31)));
    for byte in text.slice(data, stop) {
        mix(ALPHABET.iter().position(|known| *known == byte.to_ascii_lowercase())? as u32);
    }
    // 1 is Bech32, the other Bech32m.
    if matches!(check, 1 | 0x2bc8_30a3) { look.found(Built::Bitcoin, start, stop, Strength::Proved) } else { None }
}

/// The address after `0x`, of whose digits some end at `end`.
pub(super) fn ethereum(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let digits = end.checked_sub(8)?;
    let start = digits.checked_sub(2)?;
    let stop = text.run(HEX, digits, 42);
    if stop - digits != 40 || !text.opens(start, ALNUM) || !text.closes(stop, ALNUM) {
        return None;
    }
    let written = text.slice(digits, stop);
    let upper = written.iter().any(u8::is_ascii_uppercase);
    let lower = written.iter().any(u8::is_ascii_lowercase);
    let distinct = written.iter().filter(|byte| **byte != b'0').count();
    if distinct < 12 || upper && lower && !eip_55(look, written) {
        return None;
    }
    look.found(Built::Ethereum, start, stop, Strength::Checked)
}

/// EIP-55: a letter is in upper case where the hash of the address in lower case has 8 or more.
fn eip_55(look: &Look<'_>, written: &[u8]) -> bool {
    look.text.spend(128);
    let hash = keccak256(&written.to_ascii_lowercase());
    written.iter().enumerate().all(|(index, byte)| {
        let pair = hash.get(index / 2).copied().unwrap_or(0);
        let nibble = if index % 2 == 0 { pair >> 4 } else { pair & 15 };
        !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() == (nibble >= 8)
    })
}

/// Keccak-256 of less than one block, with the padding that SHA-3 had before it was a standard.
fn keccak256(short: &[u8]) -> [u8; 32] {
    const RATE: usize = 136;
    let mut block = [0_u8; RATE];
    for (place, byte) in block.iter_mut().zip(short) {
        *place = *byte;
    }
    if let Some(place) = block.get_mut(short.len()) {
        *place ^= 1;
    }
    if let Some(place) = block.last_mut() {
        *place ^= 0x80;
    }
    let mut state = [0_u64; 25];
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane ^= u64::from_le_bytes(*bytes);
    }
    Keccak::new().with_f1600(|permute| permute(&mut state));
    let mut out = [0; 32];
    for (place, lane) in out.as_chunks_mut::<8>().0.iter_mut().zip(state) {
        *place = lane.to_le_bytes();
    }
    out
}
