//! A map from texts that is filled once. It is asked by bytes as they come, so that an id in pieces needs no memory.
//!
//! What is in it comes from a bundle, which is signed. Requests only ask, so they cannot make its chains longer, and
//! the hash needs no key.

#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    entries: Vec<(Box<str>, T)>,
    /// Positions in `entries` plus one, zero where there is none; a power of two of them, at least half of them empty.
    slots: Vec<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), slots: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Each text once.
    pub(crate) fn of<'t>(entries: impl IntoIterator<Item = (&'t str, T)>) -> Self {
        let entries: Vec<(Box<str>, T)> = entries.into_iter().map(|(text, value)| (text.into(), value)).collect();
        let mut slots = vec![0; if entries.is_empty() { 0 } else { (2 * entries.len()).next_power_of_two() }];
        for (number, (text, _)) in (1u32..).zip(&entries) {
            let mut at = place(of_text(text), slots.len());
            while slots.get(at).is_some_and(|taken| *taken != 0) {
                at = place(next(at), slots.len());
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = number;
            }
        }
        Self { entries, slots }
    }

    /// What stands under this text.
    pub(crate) fn get(&self, text: &str) -> Option<&T> {
        if self.slots.is_empty() {
            return None;
        }
        self.find(of_text(text), |known| known == text)
    }

    /// What stands under the text of these bytes.
    pub(crate) fn get_bytes<B: Iterator<Item = u8>>(&self, bytes: impl Fn() -> B) -> Option<&T> {
        if self.slots.is_empty() {
            return None;
        }
        self.find(of_bytes(bytes()), |known| known.bytes().eq(bytes()))
    }

    fn find(&self, hash: u32, is_it: impl Fn(&str) -> bool) -> Option<&T> {
        let mut at = place(hash, self.slots.len());
        loop {
            // INVARIANT: half of the slots are empty, so this ends.
            let number = self.slots.get(at)?.checked_sub(1)?;
            let (text, value) = self.entries.get(usize::try_from(number).ok()?)?;
            if is_it(text) {
                return Some(value);
            }
            at = place(next(at), self.slots.len());
        }
    }
}

/// Eight bytes at a time, the last ones filled up with zeros.
fn of_text(text: &str) -> u32 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let tail = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    end(mix(hash, tail))
}

/// The same number for the same bytes.
fn of_bytes(bytes: impl Iterator<Item = u8>) -> u32 {
    let (mut hash, mut word, mut filled) = (0, 0, 0);
    for byte in bytes {
        word |= u64::from(byte) << (8 * filled);
        filled += 1;
        if filled == 8 {
            (hash, word, filled) = (mix(hash, word), 0, 0);
        }
    }
    end(mix(hash, word))
}

fn mix(hash: u64, word: u64) -> u64 {
    // The golden ratio, as Fibonacci hashing has it (Knuth, TAOCP 3, 6.4).
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

/// The upper bits of a product depend on all bits of its factors.
fn end(hash: u64) -> u32 {
    u32::try_from(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or(0)
}

/// `slots` is a power of two.
fn place(hash: u32, slots: usize) -> usize {
    usize::try_from(hash).unwrap_or(0) & slots.wrapping_sub(1)
}

fn next(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(0).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_number_of_their_text() {
        let text = "spiffe://mesh.example/ns/shop/sa/\0é";
        for (at, _) in text.char_indices() {
            assert_eq!(of_text(&text[..at]), of_bytes(text[..at].bytes()));
        }
    }

    #[test]
    fn finds_what_is_in_it_and_nothing_else() {
        for count in [0, 1, 2, 3, 8, 1000] {
            let texts: Vec<String> = (0..count).map(|n| format!("text-{n}")).collect();
            let table = Table::of(texts.iter().enumerate().map(|(n, text)| (text.as_str(), n)));
            for (n, text) in texts.iter().enumerate() {
                assert_eq!((table.get(text), table.get_bytes(|| text.bytes())), (Some(&n), Some(&n)));
            }
            for text in ["", "text", "text-", "text--1", "text-1000"] {
                assert_eq!((table.get(text), table.get_bytes(|| text.bytes())), (None, None), "{text}");
            }
        }
    }
}
