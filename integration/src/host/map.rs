//! Header maps as bytes: the number of pairs, the sizes of each, then names and values, each with a zero after it;
//! all numbers are of 4 bytes, the lowest first.

use super::world::Headers;

/// A map as the module reads it.
pub(super) fn write(map: &Headers) -> Vec<u8> {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = u32::try_from(map.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    for (name, value) in map {
        out.extend([size(name.as_bytes()), size(value)].concat());
    }
    for (name, value) in map {
        out.extend([name.as_bytes(), &[0], value, &[0]].concat());
    }
    out
}

/// A map that the module wrote; `None` where it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Headers> {
    let number = |at: usize| -> Option<usize> {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let count = number(0)?;
    let mut at = 4 + count.checked_mul(8)?;
    let mut text = |size: usize| {
        let found = bytes.get(at..at.checked_add(size)?)?.to_vec();
        at += size + 1;
        Some(found)
    };
    (0..count)
        .map(|n| {
            let name = text(number(4 + n * 8)?)?;
            Some((String::from_utf8(name).ok()?, text(number(8 + n * 8)?)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let map = vec![(":method".to_owned(), b"GET".to_vec()), ("x".to_owned(), vec![0xff, 0])];
        let bytes = write(&map);
        assert_eq!(bytes.get(..12).unwrap(), [2, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(read(&bytes).unwrap(), map);
        assert_eq!(read(&bytes[..bytes.len() - 3]), None);
    }
}
