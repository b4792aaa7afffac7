//! The tenants of a bundle: packed, so that 100,000 of them are three blocks of memory and not 300,000.
//!
//! ```text
//! ids     "acmeglobexinitech"                                           one text, in the order of the ids
//! rows    { start of the id 4, shape 2, features 4, consents 4 } each   little endian
//! shapes  tier, status, residency, cell                                 each combination once
//! names   what features and consents are called, and each set of them   see `name_set`
//! ```

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::name_set::{NameSet, NameTable, Packing};
use crate::{Cell, Refusal, TenantId};

/// Whether a tenant may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TenantStatus {
    /// It may.
    Active,
    /// It may not, for now.
    Suspended,
    /// It may not, on suspicion.
    Quarantined,
}

impl TenantStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Quarantined];

    /// The word for it in directories and policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A tenant, as far as a sidecar needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its tier, as `gold`.
    pub tier: Arc<str>,
    /// Whether it may act.
    pub status: TenantStatus,
    /// Where its data lives, as `eu`.
    pub residency: Arc<str>,
    /// Which cell serves it; `None` where it is in none.
    pub cell: Option<Cell>,
    /// What it has beyond its tier, as `export`.
    pub features: NameSet,
    /// What it agreed to, as `analytics`.
    pub consents: NameSet,
}

/// What many tenants have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Shape {
    tier: Arc<str>,
    status: TenantStatus,
    residency: Arc<str>,
    cell: Option<Cell>,
}

/// Tenants, sorted by id. A value that was read is sorted only after [`Tenants::check`] looked at all of it;
/// until then a search may miss a tenant, and never finds another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenants {
    ids: String,
    rows: Vec<u8>,
    shapes: Vec<Shape>,
    names: Arc<NameTable>,
}

const ROW: usize = 14;

/// What stands in a row.
struct Row {
    start: usize,
    shape: usize,
    features: usize,
    consents: usize,
}

impl Tenants {
    /// Packs tenants in the order given. `None` where they do not fit: more than 65,536 combinations of tier,
    /// status, residency and cell, as many names of features and consents, or 4 GiB of ids.
    pub fn pack(tenants: impl IntoIterator<Item = Tenant>) -> Option<Self> {
        let tenants: Vec<Tenant> = tenants.into_iter().collect();
        let names: BTreeSet<&str> = tenants.iter().flat_map(|t| t.features.iter().chain(t.consents.iter())).collect();
        let mut names = Packing::of(names)?;
        let mut packed = Self::default();
        let mut known = HashMap::new();
        for Tenant { id, tier, status, residency, cell, features, consents } in &tenants {
            let shape = Shape { tier: tier.clone(), status: *status, residency: residency.clone(), cell: cell.clone() };
            let at = match known.get(&shape) {
                Some(at) => *at,
                None => {
                    let at = u16::try_from(packed.shapes.len()).ok()?;
                    packed.shapes.push(shape.clone());
                    known.insert(shape, at);
                    at
                }
            };
            packed.rows.extend_from_slice(&u32::try_from(packed.ids.len()).ok()?.to_le_bytes());
            packed.rows.extend_from_slice(&at.to_le_bytes());
            for set in [features, consents] {
                let at = names.add(set.iter())?;
                packed.rows.extend_from_slice(&u32::try_from(at).ok()?.to_le_bytes());
            }
            packed.ids.push_str(id.as_str());
        }
        packed.names = Arc::new(names.table);
        Some(packed)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len() / ROW
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in their order. Allocates each id.
    pub fn iter(&self) -> impl Iterator<Item = Tenant> + '_ {
        (0..self.len()).filter_map(|at| self.tenant(at, TenantId::parse(self.id(at)?).ok()?))
    }

    /// The ids, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &str> + '_ {
        (0..self.len()).filter_map(|at| self.id(at))
    }

    /// Every cell that one of them is in, or moves from or to; some more than once.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        self.shapes.iter().filter_map(|shape| shape.cell.as_ref()).flat_map(Cell::names).map(|name| &**name)
    }

    /// Which cell serves the tenant called `id`; O(log n), and without an allocation.
    pub fn cell(&self, id: &TenantId) -> Option<&Cell> {
        let row = self.row(self.position(id.as_str())?)?;
        self.shapes.get(row.shape)?.cell.as_ref()
    }

    /// The place of a tenant in the order of ids; O(log n).
    pub fn position(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.id(middle)?.cmp(id) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The tenant called `id`; O(log n), and without an allocation.
    pub fn get(&self, id: &TenantId) -> Option<Tenant> {
        self.tenant(self.position(id.as_str())?, id.clone())
    }

    /// Looks at up to `count` rows from `from` on. Gives the first row that was not looked at.
    pub fn check(&self, from: usize, count: usize) -> Result<usize, Refusal> {
        let inconsistent = |what: &str| Refusal::Inconsistent(format!("tenants {what}"));
        if from == 0 && (!self.rows.len().is_multiple_of(ROW) || self.row(0).map_or(0, |row| row.start) != 0) {
            return Err(inconsistent("have a broken table"));
        }
        if from == 0 && !self.names.check() {
            return Err(inconsistent("have names of features or consents out of order or twice"));
        }
        let end = from.saturating_add(count).min(self.len());
        let mut before = from.checked_sub(1).and_then(|at| self.id(at));
        for at in from..end {
            let id = self.id(at).ok_or_else(|| inconsistent("have a broken table"))?;
            TenantId::check(id).map_err(|why| inconsistent(&format!("hold an id that {why}")))?;
            if before.is_some_and(|before| before >= id) {
                return Err(inconsistent("are not sorted, or one is there twice"));
            }
            let row = self.row(at).filter(|row| self.shapes.get(row.shape).is_some());
            if !row.is_some_and(|row| self.names.check_set(row.features) && self.names.check_set(row.consents)) {
                return Err(inconsistent("have a broken table"));
            }
            before = Some(id);
        }
        Ok(end)
    }

    fn tenant(&self, at: usize, id: TenantId) -> Option<Tenant> {
        let row = self.row(at)?;
        let Shape { tier, status, residency, cell } = self.shapes.get(row.shape)?.clone();
        let set = |at| NameTable::set(&self.names, at);
        Some(Tenant { id, tier, status, residency, cell, features: set(row.features)?, consents: set(row.consents)? })
    }

    /// The id of the tenant in this place of the order.
    pub fn id(&self, at: usize) -> Option<&str> {
        let end = self.start(at.checked_add(1)?).unwrap_or(self.ids.len());
        self.ids.get(self.start(at)?..end)
    }

    /// Where an id begins.
    fn start(&self, at: usize) -> Option<usize> {
        let (start, _) = self.rows.get(at.checked_mul(ROW)?..)?.split_first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*start)).ok()
    }

    fn row(&self, at: usize) -> Option<Row> {
        let rest = self.rows.get(at.checked_mul(ROW)?..)?;
        let (start, rest) = rest.split_first_chunk::<4>()?;
        let (shape, rest) = rest.split_first_chunk::<2>()?;
        let (features, rest) = rest.split_first_chunk::<4>()?;
        let consents = rest.first_chunk::<4>()?;
        let number = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
        Some(Row {
            start: number(start)?,
            shape: u16::from_le_bytes(*shape).into(),
            features: number(features)?,
            consents: number(consents)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Wire<I, B, S, N> {
    ids: I,
    rows: B,
    shapes: S,
    names: N,
    sets: B,
}

impl Serialize for Tenants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_seq(self.iter());
        }
        let (names, sets) = (&self.names.names, Bytes(&self.names.sets));
        Wire { ids: &self.ids, rows: Bytes(&self.rows), shapes: &self.shapes, names, sets }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tenants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let list = Vec::<Tenant>::deserialize(deserializer)?;
            return Self::pack(list).ok_or_else(|| D::Error::custom("too many kinds of tenants"));
        }
        type Read = Wire<String, Bytes<Vec<u8>>, Vec<Shape>, Vec<Box<str>>>;
        let Wire { ids, rows, shapes, names, sets } = Read::deserialize(deserializer)?;
        Ok(Self { ids, rows: rows.0, shapes, names: Arc::new(NameTable { names, sets: sets.0 }) })
    }
}

/// Bytes that are copied at once, where serde would take them one by one.
pub(crate) struct Bytes<B>(pub(crate) B);

impl Serialize for Bytes<&Vec<u8>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes<Vec<u8>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Visitor).map(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: &str, tier: &str) -> Tenant {
        let features = NameSet::new([id, "export"]).unwrap();
        let consents = if tier == "gold" { NameSet::new(["analytics", "export"]).unwrap() } else { NameSet::default() };
        let id = TenantId::parse(id).unwrap();
        let (tier, residency) = (tier.into(), "eu".into());
        Tenant { id, tier, status: TenantStatus::Active, residency, cell: None, features, consents }
    }

    fn packed(ids: &[&str]) -> Tenants {
        Tenants::pack(ids.iter().enumerate().map(|(n, id)| tenant(id, ["gold", "bronze"][n % 2]))).unwrap()
    }

    fn checked(tenants: &Tenants) -> Result<(), Refusal> {
        let mut next = 0;
        while next < tenants.len() {
            next = tenants.check(next, 2)?;
        }
        tenants.check(0, 0).map(|_| ())
    }

    #[test]
    fn what_was_packed_is_found_and_nothing_else() {
        let ids = ["a", "ab", "acme", "acme-2", "b", "globex", "z9"];
        let bytes = postcard::to_allocvec(&packed(&ids)).unwrap();
        let tenants: Tenants = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((checked(&tenants), tenants.len(), tenants.shapes.len()), (Ok(()), ids.len(), 2));
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(tenants.position(id), Some(at));
            assert_eq!(tenants.get(&TenantId::parse(id).unwrap()), Some(tenant(id, ["gold", "bronze"][at % 2])));
        }
        for id in ["0", "aa", "acm", "acme-", "acme-20", "zz", ""] {
            assert_eq!(tenants.position(id), None, "{id}");
        }
        assert_eq!(tenants.iter().map(|t| t.id.to_string()).collect::<Vec<_>>(), ids);
        assert!(Tenants::default().is_empty() && checked(&Tenants::default()).is_ok());
    }

    #[test]
    fn equal_sets_lie_there_once() {
        let named = |set: &NameSet| set.iter().map(str::to_owned).collect::<Vec<_>>();
        let one = packed(&["acme"]).names.sets.len();
        let features = 1 + 2 * 2;
        let many: Vec<String> = (0..100).map(|n| format!("t{n:03}")).collect();
        let many = packed(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(many.names.sets.len(), one + 99 * features + 1, "consents of two kinds, and the features of each");
        let found = many.get(&TenantId::parse("t050").unwrap()).unwrap();
        assert_eq!(
            (named(&found.features), named(&found.consents)),
            (vec!["export".to_owned(), "t050".to_owned()], vec!["analytics".to_owned(), "export".to_owned()])
        );
    }

    #[test]
    fn whatever_a_table_says_is_read_without_a_panic_or_refused() {
        for ids in [&["b", "a"][..], &["a", "a"], &["a", "c", "b"]] {
            assert_eq!(checked(&packed(ids)).unwrap_err().code(), "inconsistent", "{ids:?}");
        }
        let good = packed(&["acme", "globex", "initech"]);
        let mut broken: Vec<Tenants> = (0..good.rows.len())
            .flat_map(|at| [0x80, 0xff].map(|byte| (at, byte)))
            .map(|(at, byte)| {
                let mut other = good.clone();
                other.rows[at] ^= byte;
                other
            })
            .collect();
        broken.push(Tenants { rows: good.rows[..7].to_vec(), ..good.clone() });
        broken.push(Tenants { ids: "acmeGlobexinitech".into(), ..good.clone() });
        broken.push(Tenants { ids: "é".into(), ..good.clone() });
        broken.push(Tenants { shapes: vec![], ..good.clone() });
        let names = |names: &[&str], sets: &[u8]| {
            let names = names.iter().map(|name| (*name).into()).collect();
            Tenants { names: Arc::new(NameTable { names, sets: sets.to_vec() }), ..good.clone() }
        };
        let (known, sets) = (&good.names.names, &good.names.sets);
        let mut turned: Vec<&str> = known.iter().map(|name| &**name).collect();
        turned.reverse();
        broken.extend([names(&[], sets), names(&turned, sets), names(&[], &[])]);
        for tenants in broken {
            assert!(checked(&tenants).is_err(), "{tenants:?}");
            assert!(tenants.iter().count() <= 3 && tenants.position("globex").is_none_or(|at| at < 3));
        }
    }
}
