//! JSON strings, byte by byte across chunks: checked strictly, and compared, or kept, as what they mean, not as they
//! are written.

use super::Refused;

/// The most bytes of a text that is kept.
const MAX_KEPT: usize = 40;

/// One string on its way, without its opening quote.
#[derive(Debug)]
pub(super) struct Text {
    state: State,
    compared: Compared,
}

/// What of the expected text was seen.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    at: usize,
    equal: bool,
    /// The text itself where it is to be read, up to one byte more than it may have.
    kept: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Plain,
    /// Inside a character of several bytes: how many follow, and what the next one may be.
    Utf8 {
        left: u8,
        low: u8,
        high: u8,
    },
    /// After a backslash.
    Escape,
    /// After `\u`: how many digits follow, and the number so far.
    Hex {
        left: u8,
        value: u16,
        first: Option<u16>,
    },
    /// After the first half of a surrogate pair: a backslash must follow,
    Half(u16),
    /// and then `u`.
    HalfEscape(u16),
}

impl Compared {
    /// Ready to be compared, or to be read without comparing.
    pub(super) fn new(wanted: bool) -> Self {
        Self { at: 0, equal: wanted, kept: None }
    }

    /// Ready to be kept.
    pub(super) fn kept() -> Self {
        Self { at: 0, equal: false, kept: Some(Vec::new()) }
    }

    /// Goes on with `piece`.
    pub(super) fn add(&mut self, piece: &[u8], expected: &[u8]) {
        if self.equal {
            let end = self.at + piece.len();
            self.equal = expected.get(self.at..end) == Some(piece);
            self.at = end;
        } else if let Some(kept) = &mut self.kept {
            let room = (MAX_KEPT + 1).saturating_sub(kept.len());
            kept.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
    }

    /// All of it, where it was kept and is no longer than one that is.
    pub(super) fn text(&self) -> Option<&str> {
        let kept = self.kept.as_ref().filter(|kept| kept.len() <= MAX_KEPT)?;
        str::from_utf8(kept).ok()
    }

    /// Whether all of it was the expected text.
    pub(super) fn is(&self, expected: &[u8]) -> bool {
        self.equal && self.at == expected.len()
    }
}

impl Text {
    /// At the beginning of a string.
    pub(super) fn new(compared: Compared) -> Self {
        Self { state: State::Plain, compared }
    }

    /// What was seen of it.
    pub(super) fn compared(&self) -> &Compared {
        &self.compared
    }

    /// Whether the string was the expected one, once it ended.
    pub(super) fn is(&self, expected: &[u8]) -> bool {
        self.compared.is(expected)
    }

    /// Reads on. Gives how many bytes of `bytes` belong to the string, its closing quote among them, and whether
    /// it ended with them.
    pub(super) fn read(&mut self, bytes: &[u8], expected: &[u8]) -> Result<(usize, bool), Refused> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if let State::Plain = self.state {
                let plain = plain(rest);
                self.compared.add(rest.get(..plain).unwrap_or_default(), expected);
                at += plain;
            }
            let Some(&byte) = bytes.get(at) else { return Ok((at, false)) };
            at += 1;
            if let (State::Plain, b'"') = (self.state, byte) {
                return Ok((at, true));
            }
            self.state = self.step(byte, expected)?;
        }
    }

    /// One byte that is not plain.
    fn step(&mut self, byte: u8, expected: &[u8]) -> Result<State, Refused> {
        match self.state {
            State::Plain if byte == b'\\' => Ok(State::Escape),
            State::Plain => {
                let (left, low, high) = match byte {
                    0..0x20 => return Err(Refused::Invalid("a control character stands in a string")),
                    0xC2..=0xDF => (1, 0x80, 0xBF),
                    0xE0 => (2, 0xA0, 0xBF),
                    0xED => (2, 0x80, 0x9F),
                    0xE1..=0xEF => (2, 0x80, 0xBF),
                    0xF0 => (3, 0x90, 0xBF),
                    0xF1..=0xF3 => (3, 0x80, 0xBF),
                    0xF4 => (3, 0x80, 0x8F),
                    _ => return Err(NOT_UTF8),
                };
                self.compared.add(&[byte], expected);
                Ok(State::Utf8 { left, low, high })
            }
            State::Utf8 { left, low, high } => {
                if !(low..=high).contains(&byte) {
                    return Err(NOT_UTF8);
                }
                self.compared.add(&[byte], expected);
                Ok(if left == 1 { State::Plain } else { State::Utf8 { left: left - 1, low: 0x80, high: 0xBF } })
            }
            State::Escape => {
                let meant = match byte {
                    b'"' | b'\\' | b'/' => byte,
                    b'b' => 0x08,
                    b'f' => 0x0C,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'u' => return Ok(State::Hex { left: 4, value: 0, first: None }),
                    _ => return Err(Refused::Invalid("an escape that JSON does not have")),
                };
                self.compared.add(&[meant], expected);
                Ok(State::Plain)
            }
            State::Hex { left, value, first } => {
                let digit =
                    char::from(byte).to_digit(16).ok_or(Refused::Invalid("four hex digits must follow `\\u`"))?;
                let value = (value << 4) | digit as u16;
                if left > 1 {
                    return Ok(State::Hex { left: left - 1, value, first });
                }
                self.escaped(first, value, expected)
            }
            State::Half(first) if byte == b'\\' => Ok(State::HalfEscape(first)),
            State::HalfEscape(first) if byte == b'u' => Ok(State::Hex { left: 4, value: 0, first: Some(first) }),
            State::Half(_) | State::HalfEscape(_) => Err(HALF),
        }
    }

    /// The code unit of a `\u` was read, after `first` where that was half a pair.
    fn escaped(&mut self, first: Option<u16>, unit: u16, expected: &[u8]) -> Result<State, Refused> {
        let meant = match (first, unit) {
            (None, 0xD800..=0xDBFF) => return Ok(State::Half(unit)),
            (None, unit) => char::from_u32(unit.into()),
            (Some(first), 0xDC00..=0xDFFF) => {
                char::from_u32(0x1_0000 + ((u32::from(first) & 0x3FF) << 10) + (u32::from(unit) & 0x3FF))
            }
            (Some(_), _) => None,
        };
        let mut bytes = [0; 4];
        self.compared.add(meant.ok_or(HALF)?.encode_utf8(&mut bytes).as_bytes(), expected);
        Ok(State::Plain)
    }
}

const NOT_UTF8: Refused = Refused::Invalid("a string is not UTF-8");
const HALF: Refused = Refused::Invalid("half a surrogate pair");

/// How many bytes at the beginning are neither a quote, a backslash, a control character nor beyond ASCII.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is zero, below 0x20 or equal to `byte`. A borrow may reach bytes above the first
    // that is found, never one below it.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let is = |word: u64, byte: u8| zero(word ^ (ONES * u64::from(byte)));
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = control | is(word, b'"') | is(word, b'\\') | (word & HIGHS);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| matches!(b, 0x20..0x80) && !matches!(b, b'"' | b'\\')).count()
}
