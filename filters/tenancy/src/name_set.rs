//! Sets of names: the features of a tenant, and what it consents to.
//!
//! ```text
//! names  "analytics" "export" …          each once, sorted
//! sets   { how many 1, name 2 each } …   each set once; names as their places, little endian
//! ```
//!
//! All sets of a bundle lie in one table, so that 100,000 tenants share what they have in common, and a set is copied
//! without an allocation.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

/// Names, sorted, each once.
#[derive(Clone, Default)]
pub struct NameSet {
    /// None for the empty set.
    table: Option<Arc<NameTable>>,
    /// Where its first name stands in the sets of the table, in bytes.
    start: usize,
    len: usize,
}

impl NameSet {
    /// The most names of one set.
    pub const MOST: usize = 64;

    /// The set of these names, in whatever order. `None` where they are more than [`NameSet::MOST`].
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Option<Self> {
        let names: Vec<N> = names.into_iter().collect();
        let names: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        let mut packing = Packing::of(names.iter().copied())?;
        let at = packing.add(names)?;
        NameTable::set(&Arc::new(packing.table), at)
    }

    /// The empty set.
    pub fn none() -> &'static Self {
        static NONE: NameSet = NameSet { table: None, start: 0, len: 0 };
        &NONE
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The nth name in their order, from zero.
    pub fn get(&self, nth: usize) -> Option<&str> {
        if nth >= self.len {
            return None;
        }
        let table = self.table.as_ref()?;
        table.names.get(table.member(self.start, nth)?).map(|name| &**name)
    }

    /// The names, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len).filter_map(|nth| self.get(nth))
    }

    /// The place of a name; O(log n).
    pub fn position(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle)?.cmp(name) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Whether the name is one of them; O(log n).
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The same without the names that were taken away. Allocates only where one was.
    ///
    /// INVARIANT: never holds a name that `self` does not.
    #[must_use]
    pub fn without(&self, taken: impl Fn(&str) -> bool) -> Self {
        if self.iter().any(&taken) {
            Self::new(self.iter().filter(|name| !taken(name))).unwrap_or_default()
        } else {
            self.clone()
        }
    }
}

impl PartialEq for NameSet {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for NameSet {}

impl fmt::Debug for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for NameSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Some formats want to know how many there are.
        self.iter().collect::<Vec<_>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NameSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Self::new(names).ok_or_else(|| D::Error::custom("too many names"))
    }
}

/// Every set of one bundle. A value that was read is good only after [`NameTable::check`] and
/// [`NameTable::check_set`] looked at it; until then a search may miss a name, and never finds another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameTable {
    pub(crate) names: Vec<Box<str>>,
    pub(crate) sets: Vec<u8>,
}

impl NameTable {
    /// Whether the names are sorted, each once.
    pub(crate) fn check(&self) -> bool {
        self.names.is_sorted_by(|a, b| a < b)
    }

    /// Whether there is a good set at this byte.
    pub(crate) fn check_set(&self, at: usize) -> bool {
        let Some((start, len)) = self.find(at) else { return false };
        let mut next = 0;
        (0..len).all(|nth| {
            let name = self.member(start, nth).filter(|name| *name >= next && *name < self.names.len());
            next = name.map_or(0, |name| name + 1);
            name.is_some()
        })
    }

    /// The set at this byte.
    pub(crate) fn set(table: &Arc<Self>, at: usize) -> Option<NameSet> {
        let (start, len) = table.find(at)?;
        Some(NameSet { table: (len > 0).then(|| table.clone()), start, len })
    }

    /// Where the names of the set at this byte begin, and how many they are.
    fn find(&self, at: usize) -> Option<(usize, usize)> {
        let len = usize::from(*self.sets.get(at)?);
        (len <= NameSet::MOST).then_some((at.checked_add(1)?, len))
    }

    /// The place of the nth name of a set among all names.
    fn member(&self, start: usize, nth: usize) -> Option<usize> {
        let bytes = self.sets.get(start.checked_add(nth.checked_mul(2)?)?..)?;
        Some(u16::from_le_bytes(*bytes.first_chunk()?).into())
    }
}

/// A table in the making.
pub(crate) struct Packing {
    pub(crate) table: NameTable,
    places: HashMap<Box<str>, u16>,
    known: HashMap<Vec<u8>, usize>,
}

impl Packing {
    /// A table of these names, each once and sorted. `None` where they are more than 65,536.
    pub(crate) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        let places = names.iter().enumerate().map(|(at, name)| Some((name.clone(), u16::try_from(at).ok()?)));
        let places = places.collect::<Option<_>>()?;
        Some(Self { table: NameTable { names, sets: Vec::new() }, places, known: HashMap::new() })
    }

    /// Puts a set in, sorted, and gives the byte at which it stands. `None` where it is too large or holds a name that
    /// the table does not.
    pub(crate) fn add<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Option<usize> {
        let places: Option<Vec<u16>> = names.into_iter().map(|name| self.places.get(name).copied()).collect();
        let places = places.filter(|places| places.len() <= NameSet::MOST)?;
        let mut bytes = vec![u8::try_from(places.len()).ok()?];
        places.iter().for_each(|place| bytes.extend_from_slice(&place.to_le_bytes()));
        if let Some(at) = self.known.get(&bytes) {
            return Some(*at);
        }
        let at = self.table.sets.len();
        self.table.sets.extend_from_slice(&bytes);
        self.known.insert(bytes, at);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> NameSet {
        NameSet::new(names).unwrap()
    }

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let names = ["b", "a", "c", "a"];
        let abc = set(&names);
        assert_eq!((abc.len(), abc.iter().collect::<Vec<_>>()), (3, vec!["a", "b", "c"]));
        assert!(names.iter().all(|name| abc.contains(name)) && !abc.contains("") && !abc.contains("d"));
        assert_eq!((abc.position("c"), abc.get(2), abc.get(3)), (Some(2), Some("c"), None));
        assert!(set(&[]).is_empty() && set(&[]) == NameSet::default() && set(&["a"]) != abc);
        let written = postcard::to_allocvec(&vec!["c", "b", "a"]).unwrap();
        assert_eq!(postcard::from_bytes::<NameSet>(&written).unwrap(), abc);
        assert_eq!(postcard::to_allocvec(&abc).unwrap(), postcard::to_allocvec(&vec!["a", "b", "c"]).unwrap());
        let many = (0..65).map(|n| n.to_string());
        assert!(NameSet::new(many.clone().take(64)).is_some() && NameSet::new(many).is_none());
    }

    #[test]
    fn what_is_taken_away_is_gone_and_nothing_comes() {
        let abc = set(&["a", "b", "c"]);
        assert_eq!(abc.without(|name| name == "b" || name == "x"), set(&["a", "c"]));
        assert_eq!(abc.without(|_| true), NameSet::default());
        let same = abc.without(|name| name == "x");
        let (Some(one), Some(other)) = (&abc.table, &same.table) else { panic!("{same:?}") };
        assert!(Arc::ptr_eq(one, other), "it was allocated anew");
    }

    #[test]
    fn a_broken_table_is_seen_and_never_panics() {
        let table = |names: &[&str], sets: &[u8]| NameTable {
            names: names.iter().map(|name| (*name).into()).collect(),
            sets: sets.to_vec(),
        };
        let good = table(&["a", "b"], &[2, 0, 0, 1, 0]);
        assert!(good.check() && good.check_set(0) && !good.check_set(5) && !good.check_set(usize::MAX));
        assert!(!table(&["b", "a"], &[]).check() && !table(&["a", "a"], &[]).check());
        for sets in [&[2, 1, 0, 0, 0][..], &[2, 0, 0, 0, 0], &[2, 0, 0, 2, 0], &[2, 0, 0, 1], &[65], &[]] {
            let broken = table(&["a", "b"], sets);
            assert!(!broken.check_set(0), "{sets:?}");
            let set = NameTable::set(&Arc::new(broken), 0).unwrap_or_default();
            assert!(set.iter().count() <= 2 && !set.contains("c"), "{sets:?}");
        }
    }
}
