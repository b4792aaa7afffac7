//! A map from texts that is filled once. It is asked by bytes as they come, so that an id in pieces needs no memory.
//!
//! What is in it comes from a bundle, which is signed. Requests only ask, so they cannot make its chains longer, and
//! the hash needs no key.

/// Numbers to spread few and short texts: FNV-1a (draft-eastlake-fnv), 32 bits.
const BASIS: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

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
            let mut at = place(text.bytes(), slots.len());
            while slots.get(at).is_some_and(|taken| *taken != 0) {
                at = next(at, slots.len());
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = number;
            }
        }
        Self { entries, slots }
    }

    /// What stands under the text of these bytes.
    pub(crate) fn get<B: Iterator<Item = u8>>(&self, bytes: impl Fn() -> B) -> Option<&T> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = place(bytes(), self.slots.len());
        loop {
            // INVARIANT: half of the slots are empty, so this ends.
            let number = self.slots.get(at)?.checked_sub(1)?;
            let (text, value) = self.entries.get(usize::try_from(number).ok()?)?;
            if text.bytes().eq(bytes()) {
                return Some(value);
            }
            at = next(at, self.slots.len());
        }
    }
}

/// `slots` is a power of two.
fn place(bytes: impl Iterator<Item = u8>, slots: usize) -> usize {
    let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME));
    // The upper bits of the product depend on all bytes.
    next(usize::try_from(hash ^ (hash >> 15)).unwrap_or(0), slots)
}

fn next(at: usize, slots: usize) -> usize {
    at.wrapping_add(1) & slots.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_in_it_and_nothing_else() {
        for count in [0, 1, 2, 3, 8, 1000] {
            let texts: Vec<String> = (0..count).map(|n| format!("text-{n}")).collect();
            let table = Table::of(texts.iter().enumerate().map(|(n, text)| (text.as_str(), n)));
            for (n, text) in texts.iter().enumerate() {
                assert_eq!(table.get(|| text.bytes()), Some(&n));
            }
            for text in ["", "text", "text-", "text--1", "text-1000"] {
                assert_eq!(table.get(|| text.bytes()), None, "{text}");
            }
        }
    }
}
