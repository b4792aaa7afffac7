//! The header of a member of gzip (RFC 1952, section 2.3), byte by byte. What it tells is of no use here; it must end.

use super::Refused;
use super::checksum::Crc32;

/// The most bytes of a header: a name and a comment have no end of their own.
const LONGEST: u32 = 64 * 1024;

const HAS_CRC: u8 = 1 << 1;
const HAS_EXTRA: u8 = 1 << 2;
const HAS_NAME: u8 = 1 << 3;
const HAS_COMMENT: u8 = 1 << 4;
/// Of no meaning; "must give an error indication".
const RESERVED: u8 = 0b1110_0000;

#[derive(Debug)]
pub(super) struct Header {
    flags: u8,
    read: u32,
    part: Part,
    crc: Crc32,
}

/// What is read, and how much of it is missing.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The ten bytes that each member has: how many came.
    Fixed(u8),
    ExtraLength(Option<u8>),
    Extra(u16),
    Name,
    Comment,
    Crc(Option<u8>),
}

impl Default for Header {
    fn default() -> Self {
        Self { flags: 0, read: 0, part: Part::Fixed(0), crc: Crc32::default() }
    }
}

impl Header {
    /// Whether nothing of it came.
    pub(super) fn is_at_start(&self) -> bool {
        self.read == 0
    }

    /// Reads the next byte. Says whether the header ended with it.
    pub(super) fn next(&mut self, byte: u8) -> Result<bool, Refused> {
        const NOT_GZIP: Refused = Refused::Invalid("no member of gzip begins where one must");
        self.read += 1;
        if self.read > LONGEST {
            return Err(NOT_GZIP);
        }
        let before = self.crc;
        self.crc.add(&[byte]);
        let next = match self.part {
            Part::Fixed(0) if byte == 0x1F => Some(Part::Fixed(1)),
            Part::Fixed(1) if byte == 0x8B => Some(Part::Fixed(2)),
            // Deflate is the only method there is.
            Part::Fixed(2) if byte == 8 => Some(Part::Fixed(3)),
            Part::Fixed(3) if byte & RESERVED == 0 => {
                self.flags = byte;
                Some(Part::Fixed(4))
            }
            Part::Fixed(..=3) => return Err(NOT_GZIP),
            Part::Fixed(9) => self.after(HAS_EXTRA),
            Part::Fixed(n) => Some(Part::Fixed(n + 1)),
            Part::ExtraLength(None) => Some(Part::ExtraLength(Some(byte))),
            Part::ExtraLength(Some(low)) => match u16::from_le_bytes([low, byte]) {
                0 => self.after(HAS_NAME),
                length => Some(Part::Extra(length)),
            },
            Part::Extra(1) => self.after(HAS_NAME),
            Part::Extra(n) => Some(Part::Extra(n.saturating_sub(1))),
            Part::Name if byte == 0 => self.after(HAS_COMMENT),
            Part::Comment if byte == 0 => self.after(HAS_CRC),
            Part::Name | Part::Comment => Some(self.part),
            Part::Crc(None) => {
                // What it is of ends before it.
                if byte != before.value() as u8 {
                    return Err(NOT_GZIP);
                }
                Some(Part::Crc(Some((before.value() >> 8) as u8)))
            }
            Part::Crc(Some(high)) if byte == high => None,
            Part::Crc(Some(_)) => return Err(NOT_GZIP),
        };
        self.part = next.unwrap_or(self.part);
        Ok(next.is_none())
    }

    /// The first part, from that of `flag` on, that this header has.
    fn after(&self, flag: u8) -> Option<Part> {
        let parts = [
            (HAS_EXTRA, Part::ExtraLength(None)),
            (HAS_NAME, Part::Name),
            (HAS_COMMENT, Part::Comment),
            (HAS_CRC, Part::Crc(None)),
        ];
        let mut rest = parts.into_iter().skip_while(|(of, _)| *of != flag);
        rest.find(|(of, _)| self.flags & of != 0).map(|(_, part)| part)
    }
}
