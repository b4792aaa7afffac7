//! Fingerprints that were made before: on a busy sidecar the same few are asked for again and again.

use std::cell::RefCell;
use std::rc::Rc;

use super::{FingerprintKeys, Kind};
use crate::TenantId;

/// Places of the memo. Bounded and without a list to search: what falls on a taken place replaces what was there,
/// so that a flood of names costs its own requests their hashes and nobody anything else.
const PLACES: usize = 512;

/// The longest name that is kept, in bytes: names of subjects and resources come from requests.
const LONGEST: usize = 256;

/// Fingerprints under one key, remembered.
pub struct Fingerprints {
    keys: FingerprintKeys,
    places: RefCell<Vec<Option<Known>>>,
}

struct Known {
    letter: char,
    first: Box<[u8]>,
    second: Box<[u8]>,
    print: Rc<str>,
}

impl Fingerprints {
    /// Remembers the fingerprints that `keys` make.
    pub fn new(keys: FingerprintKeys) -> Self {
        let mut places = Vec::new();
        places.resize_with(PLACES, || None);
        Self { keys, places: RefCell::new(places) }
    }

    /// As [`FingerprintKeys::of`].
    pub fn of(&self, tenant: &TenantId) -> Rc<str> {
        self.of_owner(tenant.as_str())
    }

    /// As [`FingerprintKeys::of_owner`].
    pub fn of_owner(&self, owner: &str) -> Rc<str> {
        self.print(Kind::Tenant, owner.as_bytes(), b"")
    }

    /// As [`FingerprintKeys::of_principal`].
    pub fn of_principal(&self, tenant: &TenantId, subject: &str) -> Rc<str> {
        self.print(Kind::Principal, tenant.as_str().as_bytes(), subject.as_bytes())
    }

    /// As [`FingerprintKeys::of_resource`].
    pub fn of_resource(&self, kind: &str, id: &[u8]) -> Rc<str> {
        self.print(Kind::Resource, kind.as_bytes(), id)
    }

    /// As [`FingerprintKeys::in_share`]; nothing is remembered.
    pub fn in_share(&self, what: &[u8], share: f64) -> bool {
        self.keys.in_share(what, share)
    }

    fn print(&self, kind: Kind, first: &[u8], second: &[u8]) -> Rc<str> {
        let make = || Rc::<str>::from(self.keys.print(kind, first, second));
        if first.len().saturating_add(second.len()) > LONGEST {
            return make();
        }
        let mut places = self.places.borrow_mut();
        let letter = kind.letter();
        let Some(place) = places.get_mut(place(letter, first, second)) else { return make() };
        if let Some(known) = place
            && known.letter == letter
            && *known.first == *first
            && *known.second == *second
        {
            return known.print.clone();
        }
        let print = make();
        *place = Some(Known { letter, first: first.into(), second: second.into(), print: print.clone() });
        print
    }
}

/// FNV-1a. Names that are made to meet in one place only evict each other.
fn place(letter: char, first: &[u8], second: &[u8]) -> usize {
    let bytes = first.iter().chain(b"/").chain(second);
    let hash =
        bytes.fold(0x811c_9dc5 ^ u32::from(letter), |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash).unwrap_or_default() % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secrets;

    #[test]
    fn what_is_remembered_is_what_would_be_made() {
        let keys = FingerprintKeys::new(&Secrets::parse("7:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap());
        let memo = Fingerprints::new(keys.clone());
        let tenant = TenantId::parse("acme").unwrap();
        // Twice as many as there are places, each twice, so that every place is taken by several.
        for _ in 0..2 {
            for n in 0..2 * PLACES {
                let name = n.to_string();
                for _ in 0..2 {
                    assert_eq!(*memo.of_principal(&tenant, &name), *keys.of_principal(&tenant, &name));
                    assert_eq!(
                        *memo.of_resource("Order", name.as_bytes()),
                        *keys.of_resource("Order", name.as_bytes())
                    );
                    assert_eq!(*memo.of_owner(&name), *keys.of_owner(&name));
                }
            }
        }
        assert_eq!(*memo.of(&tenant), *keys.of(&tenant));
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(*memo.of_principal(&tenant, &long), *keys.of_principal(&tenant, &long));
        let kept = memo.places.borrow().iter().flatten().all(|k| k.first.len() + k.second.len() <= LONGEST);
        assert!(kept, "nothing long stays");
    }
}
