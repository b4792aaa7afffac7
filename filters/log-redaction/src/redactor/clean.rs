//! Texts in which nothing was found, neither by a detector nor of a tenant's name: the same few stand in every record, as names
//! of fields and as what they hold, and what is found in one depends on nothing but it, the name of its field and what it is.

use crate::carriers::Part;

/// Places; what falls on a taken one replaces what was there.
const PLACES: usize = 1024;
/// The longest text that is remembered, with the name of its field, in bytes.
const LONGEST: usize = 96;

#[derive(Debug, Default)]
pub(super) struct Clean {
    places: Vec<Known>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// What it is; none where nothing is remembered.
    part: Option<Part>,
    /// Its field's name, and behind that the text.
    bytes: Vec<u8>,
    text: usize,
}

impl Clean {
    /// Whether it was added, and nothing else on its place since.
    #[inline]
    pub(super) fn has(&self, part: Part, key: &[u8], text: &[u8]) -> bool {
        if key.len() + text.len() > LONGEST {
            return false;
        }
        self.places.get(place(part, key, text)).is_some_and(|known| {
            known.part == Some(part)
                && known.text == key.len()
                && known.bytes.len() == key.len() + text.len()
                && known.bytes.starts_with(key)
                && known.bytes.ends_with(text)
        })
    }

    pub(super) fn add(&mut self, part: Part, key: &[u8], text: &[u8]) {
        if key.len() + text.len() > LONGEST {
            return;
        }
        if self.places.is_empty() {
            self.places.resize(PLACES, Known::default());
        }
        if let Some(known) = self.places.get_mut(place(part, key, text)) {
            (known.part, known.text) = (Some(part), key.len());
            known.bytes.clear();
            known.bytes.extend_from_slice(key);
            known.bytes.extend_from_slice(text);
        }
    }
}

fn place(part: Part, key: &[u8], text: &[u8]) -> usize {
    let hash = crate::hash::of(key).rotate_left(17) ^ crate::hash::of(text);
    (hash as usize ^ part as usize) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_last_is_known_and_nothing_else() {
        let mut clean = Clean::default();
        for nth in 0..4 * PLACES {
            let name = format!("name.{nth}");
            assert!(!clean.has(Part::Text, b"", name.as_bytes()));
            clean.add(Part::Text, b"", name.as_bytes());
            assert!(clean.has(Part::Text, b"", name.as_bytes()));
            // As another thing, in another field, or parted otherwise from its field's name it is another text.
            assert!(!clean.has(Part::Key, b"", name.as_bytes()));
            assert!(!clean.has(Part::Text, b"a", name.as_bytes()));
            assert!(!clean.has(Part::Text, &name.as_bytes()[..2], &name.as_bytes()[2..]));
        }
        assert_eq!(clean.places.len(), PLACES);
        clean.add(Part::Text, b"key", &[b'x'; LONGEST - 2]);
        assert!(!clean.has(Part::Text, b"key", &[b'x'; LONGEST - 2]));
    }

    #[test]
    fn what_falls_on_one_place_is_told_apart() {
        let mut clean = Clean::default();
        for nth in 0..200_000_u32 {
            let text = nth.to_le_bytes();
            assert!(!clean.has(Part::Text, b"id", &text));
            clean.add(Part::Text, b"id", &text);
        }
    }
}
