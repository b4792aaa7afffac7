//! CRC-32 as gzip computes it (RFC 1952, section 8).

/// The checksum of what was added so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crc32(u32);

impl Default for Crc32 {
    fn default() -> Self {
        Self(!0)
    }
}

impl Crc32 {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let mut crc = self.0;
        let mut fours = bytes.chunks_exact(4);
        for four in &mut fours {
            let word = crc ^ four.first_chunk::<4>().map_or(0, |four| u32::from_le_bytes(*four));
            let [a, b, c, d] = word.to_le_bytes();
            crc = at(3, a) ^ at(2, b) ^ at(1, c) ^ at(0, d);
        }
        for byte in fours.remainder() {
            crc = at(0, crc as u8 ^ byte) ^ (crc >> 8);
        }
        self.0 = crc;
    }

    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

/// What a byte does to the checksum that `behind` other bytes follow.
fn at(behind: usize, byte: u8) -> u32 {
    TABLES.get(behind).and_then(|table| table.get(usize::from(byte))).copied().unwrap_or_default()
}

static TABLES: [[u32; 256]; 4] = tables();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which tells an index out of bounds")]
const fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 4 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[behind - 1][byte];
            tables[behind][byte] = (crc >> 8) ^ tables[0][(crc & 0xFF) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_however_it_is_cut() {
        for cut in 0..=9 {
            let (a, b) = b"123456789".split_at(cut);
            let mut crc = Crc32::default();
            crc.add(a);
            crc.add(b);
            assert_eq!(crc.value(), 0xCBF4_3926, "cut at {cut}");
        }
        assert_eq!(Crc32::default().value(), 0);
    }
}
