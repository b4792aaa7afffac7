//! A few values by their keys: what was asked for last stays.

/// Places of one row.
const WAYS: usize = 4;
/// Rows; where a key stands says the caller.
const ROWS: usize = 256;
/// Values at most.
#[cfg(test)]
pub(super) const MOST: usize = WAYS * ROWS;

type Row<K, V> = [Option<(K, V)>; WAYS];

/// A key is looked for in one row alone, so that nobody who asks for many takes the places of all others.
pub(super) struct Few<K, V> {
    rows: Vec<Row<K, V>>,
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<K: Copy + Eq, V: Clone> Few<K, V> {
    /// The value of a key that stands in this row, counted around.
    pub(super) fn get(&mut self, row: usize, key: K) -> Option<V> {
        let row = self.rows.get_mut(row % ROWS)?;
        let at = row.iter().position(|place| place.as_ref().is_some_and(|(known, _)| *known == key))?;
        row.get_mut(..=at)?.rotate_right(1);
        row.first()?.as_ref().map(|(_, value)| value.clone())
    }

    /// Has a value in the row, where it takes the place of the one that was not asked for the longest.
    pub(super) fn put(&mut self, row: usize, key: K, value: V) {
        if self.rows.is_empty() {
            self.rows.resize_with(ROWS, || [const { None }; WAYS]);
        }
        if let Some(row) = self.rows.get_mut(row % ROWS) {
            row.rotate_right(1);
            if let Some(first) = row.first_mut() {
                *first = Some((key, value));
            }
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.iter().flatten().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_last_stays_and_there_are_no_more_than_may_be() {
        let mut few: Few<usize, usize> = Few::default();
        assert_eq!(few.get(7, 7), None);
        for key in 0..3 * MOST {
            few.put(key, key, 2 * key);
            assert_eq!(few.get(key, key), Some(2 * key));
            assert!(few.len() <= MOST);
        }
        assert_eq!(few.len(), MOST);
        let mut row: Few<usize, usize> = Few::default();
        (0..WAYS).for_each(|key| row.put(1, key, key));
        assert_eq!(row.get(1, 0), Some(0));
        row.put(1, WAYS, WAYS);
        assert_eq!((row.get(1, 0), row.get(1, 1)), (Some(0), None), "the one not asked for the longest went");
        // Others' rows are theirs.
        (0..10 * WAYS).for_each(|key| row.put(2, key, key));
        assert_eq!(row.get(1, 0), Some(0));
    }
}
