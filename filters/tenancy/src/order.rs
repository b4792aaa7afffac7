//! Sorting, in little code: the standard library's sorts are compiled anew for each type and order, some 5 KB each time,
//! and all of them stood for a twelfth of the module. What is sorted here is sorted when it is loaded.

use core::cmp::Ordering;

/// What [`heap`] asks of a slice that it does not know the type of.
enum Ask {
    /// Whether the first comes before the second.
    Before,
    /// To change places.
    Swap,
}

/// Sorts in ascending order. What is equal may change places.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, Ord::cmp);
}

/// Sorts by this order, which must be a total one. What is equal may change places.
pub fn sort_by<T>(items: &mut [T], order: impl Fn(&T, &T) -> Ordering) {
    heap(items.len(), &mut |ask, one, other| match ask {
        Ask::Before => {
            items.get(one).zip(items.get(other)).is_some_and(|(one, other)| order(one, other) == Ordering::Less)
        }
        Ask::Swap => {
            items.swap(one, other);
            true
        }
    });
}

/// Heapsort (Williams 1964): O(n log n) whatever comes in, in place. Places asked for are below `length`.
fn heap(length: usize, ask: &mut dyn FnMut(Ask, usize, usize) -> bool) {
    for root in (0..length / 2).rev() {
        sink(root, length, ask);
    }
    for end in (1..length).rev() {
        ask(Ask::Swap, 0, end);
        sink(0, end, ask);
    }
}

/// Lets what stands at `root` sink until no child of it comes after it.
fn sink(mut root: usize, length: usize, ask: &mut dyn FnMut(Ask, usize, usize) -> bool) {
    loop {
        let child = 2 * root + 1;
        if child >= length {
            return;
        }
        let larger = if child + 1 < length && ask(Ask::Before, child, child + 1) { child + 1 } else { child };
        if !ask(Ask::Before, root, larger) {
            return;
        }
        ask(Ask::Swap, root, larger);
        root = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_as_the_standard_library_does() {
        let mut random = 7_u32;
        for length in (0..40).chain([100, 1000]) {
            for most in [2, 10, u32::MAX] {
                let mut items: Vec<u32> = (0..length)
                    .map(|_| {
                        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (random >> 8) % most
                    })
                    .collect();
                let mut expected = items.clone();
                expected.sort_unstable();
                sort(&mut items);
                assert_eq!(items, expected);
                sort_by(&mut items, |one, other| other.cmp(one));
                expected.reverse();
                assert_eq!(items, expected);
            }
        }
    }
}
