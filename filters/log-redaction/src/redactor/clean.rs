//! Names of fields in which detectors found nothing: the same few stand in every record, and what a detector says of a name
//! depends on nothing else.

/// Places; what falls on a taken one replaces what was there.
const PLACES: usize = 256;
/// The longest name that is remembered, in bytes.
const LONGEST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Clean {
    places: Vec<Vec<u8>>,
}

impl Clean {
    pub(super) fn has(&self, name: &[u8]) -> bool {
        !name.is_empty() && self.places.get(place(name)).is_some_and(|known| known == name)
    }

    pub(super) fn add(&mut self, name: &[u8]) {
        if name.len() > LONGEST {
            return;
        }
        if self.places.is_empty() {
            self.places.resize_with(PLACES, Vec::new);
        }
        if let Some(known) = self.places.get_mut(place(name)) {
            known.clear();
            known.extend_from_slice(name);
        }
    }
}

/// FNV-1a.
fn place(name: &[u8]) -> usize {
    let hash = name.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 16) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_last_is_known_and_nothing_else() {
        let mut clean = Clean::default();
        for nth in 0..4 * PLACES {
            let name = format!("name.{nth}");
            assert!(!clean.has(name.as_bytes()));
            clean.add(name.as_bytes());
            assert!(clean.has(name.as_bytes()));
        }
        assert!(clean.places.len() == PLACES && !clean.has(b""));
        clean.add(&[b'x'; LONGEST + 1]);
        assert!(!clean.has(&[b'x'; LONGEST + 1]));
    }
}
