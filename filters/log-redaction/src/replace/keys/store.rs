//! Keys of tenants as a bundle holds them: sealed, opened when they are needed.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use partywall_tenancy::{Secrets, TenantId};

use super::few::Few;
use super::{DataKey, KeyError, PseudonymKey, TenantKeys};
use crate::slice::{Sealed, SealedKeys, Slice};
use crate::tenants::Tenant;

/// Keys that do not open: they count as missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// Whose was the first of them.
    pub tenant: TenantId,
    /// Why it does not open.
    pub why: KeyError,
    /// How many there were.
    pub count: u32,
}

/// Keys that were opened, and such that did not open or are not there.
type Tried<K, V> = Few<K, Option<Rc<V>>>;

/// Says the id of a tenant of the directory.
pub(super) type Ids = Box<dyn Fn(Tenant) -> Option<TenantId>>;

/// Keys that are opened when they are needed, of which a few stay open: a mesh may have 100,000 tenants.
pub(super) struct Store {
    slice: Rc<Slice>,
    masters: Vec<(Box<str>, [u8; 32])>,
    ids: Ids,
    /// Of each data key a hash of its id, and the position of its tenant's keys; sorted, and made when it is first asked
    /// for.
    kids: OnceCell<Box<[(u32, u32)]>>,
    tenants: RefCell<Tried<Tenant, TenantKeys>>,
    /// By the position of their tenant's keys, and their own among these.
    data: RefCell<Tried<(u32, u32), DataKey>>,
    unopened: RefCell<Option<Unopened>>,
}

impl Store {
    pub(super) fn new(slice: Rc<Slice>, masters: &Secrets, ids: Ids) -> Result<Self, KeyError> {
        let master = |secret: &partywall_tenancy::Secret| {
            let bytes = secret.bytes().try_into().map_err(|_| KeyError::Length)?;
            Ok((secret.id().into(), bytes))
        };
        let masters = masters.all().map(master).collect::<Result<_, _>>()?;
        let (tenants, data) = (RefCell::default(), RefCell::default());
        Ok(Self { slice, masters, ids, kids: OnceCell::new(), tenants, data, unopened: RefCell::default() })
    }

    /// How many tenants have keys.
    pub(super) fn len(&self) -> usize {
        self.slice.keys.len()
    }

    fn entry(&self, tenant: Tenant) -> Option<&SealedKeys> {
        let id = (self.ids)(tenant)?;
        let at = self.slice.keys.binary_search_by(|keys| keys.tenant.cmp(&id)).ok()?;
        self.slice.keys.get(at)
    }

    /// Whether there are keys of a tenant, though they may not open.
    pub(super) fn has(&self, tenant: Tenant) -> bool {
        self.entry(tenant).is_some()
    }

    /// The keys of a tenant, but for former ones.
    pub(super) fn of(&self, tenant: Tenant) -> Option<Rc<TenantKeys>> {
        let row = usize::try_from(tenant.0).unwrap_or_default();
        if let Some(known) = self.tenants.borrow_mut().get(row, tenant) {
            return known;
        }
        let opened = self.entry(tenant).and_then(|entry| self.open(entry)).map(Rc::new);
        self.tenants.borrow_mut().put(row, tenant, opened.clone());
        opened
    }

    fn open(&self, entry: &SealedKeys) -> Option<TenantKeys> {
        let SealedKeys { tenant, epoch, pseudonym, data } = entry;
        let unwrap = |sealed: &Sealed, master| PseudonymKey::unwrap(&sealed.bytes, master, tenant.as_str(), epoch);
        let key = self.tried(tenant, self.master(pseudonym).and_then(|master| unwrap(pseudonym, master)))?;
        let data = data.first().and_then(|(kid, sealed)| self.data_key(tenant, kid, sealed));
        Some(TenantKeys { data: data.map(Rc::new), ..TenantKeys::with(&key) })
    }

    fn data_key(&self, tenant: &TenantId, kid: &str, sealed: &Sealed) -> Option<DataKey> {
        let master = self.master(sealed);
        self.tried(tenant, master.and_then(|master| DataKey::unwrap(&sealed.bytes, master, tenant.as_str(), kid)))
    }

    fn master(&self, sealed: &Sealed) -> Result<&[u8; 32], KeyError> {
        let found = self.masters.iter().find(|(id, _)| **id == *sealed.master);
        found.map(|(_, bytes)| bytes).ok_or(KeyError::Master)
    }

    /// What was opened; that it was not is remembered.
    fn tried<K>(&self, tenant: &TenantId, outcome: Result<K, KeyError>) -> Option<K> {
        let why = match outcome {
            Ok(key) => return Some(key),
            Err(why) => why,
        };
        let mut unopened = self.unopened.borrow_mut();
        let first = unopened.get_or_insert_with(|| Unopened { tenant: tenant.clone(), why, count: 0 });
        first.count = first.count.saturating_add(1);
        None
    }

    /// What did not open since it was asked last.
    pub(super) fn take_unopened(&self) -> Option<Unopened> {
        self.unopened.borrow_mut().take()
    }

    /// The data key of that id, whoever's it is, current or former.
    pub(super) fn data(&self, kid: &str) -> Option<Rc<DataKey>> {
        let kids = self.kids.get_or_init(|| self.kids());
        let hash = hash(kid);
        let first = kids.partition_point(|(known, _)| *known < hash);
        let of_hash = kids.get(first..)?.iter().take_while(|(known, _)| *known == hash);
        let (at, nth) = of_hash.into_iter().find_map(|(_, at)| {
            let entry = self.slice.keys.get(usize::try_from(*at).ok()?)?;
            let nth = entry.data.iter().position(|(known, _)| known == kid)?;
            Some((*at, u32::try_from(nth).ok()?))
        })?;
        let row = usize::try_from(at.wrapping_add(nth)).unwrap_or_default();
        if let Some(known) = self.data.borrow_mut().get(row, (at, nth)) {
            return known;
        }
        let entry = self.slice.keys.get(usize::try_from(at).ok()?)?;
        let (kid, sealed) = entry.data.get(usize::try_from(nth).ok()?)?;
        let opened = self.data_key(&entry.tenant, kid, sealed).map(Rc::new);
        self.data.borrow_mut().put(row, (at, nth), opened.clone());
        opened
    }

    fn kids(&self) -> Box<[(u32, u32)]> {
        let of = |(at, entry): (usize, &'_ SealedKeys)| {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            entry.data.iter().map(|(kid, _)| (hash(kid), at)).collect::<Vec<_>>()
        };
        let mut kids: Vec<(u32, u32)> = self.slice.keys.iter().enumerate().flat_map(of).collect();
        kids.sort_unstable();
        kids.into()
    }

    /// How many keys of tenants, and data keys by their ids, stand open.
    #[cfg(test)]
    pub(super) fn opened(&self) -> (usize, usize) {
        (self.tenants.borrow().len(), self.data.borrow().len())
    }
}

/// FNV-1a.
fn hash(kid: &str) -> u32 {
    kid.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::super::few::MOST;
    use super::*;

    const TENANTS: u32 = 3_000;

    fn store() -> Store {
        with((0..TENANTS).map(|nth| format!("k{nth}")))
    }

    /// Of as many tenants, each with a data key of that id.
    fn with(kids: impl IntoIterator<Item = String>) -> Store {
        let (master, nonce) = ([1; 32], [2; 24]);
        let keys = kids.into_iter().enumerate().map(|(nth, kid)| {
            let tenant = TenantId::parse(&format!("t-{nth:05}")).unwrap();
            let sealed = |bytes| Sealed { master: "m1".into(), bytes };
            let pseudonym = PseudonymKey::new("1", &[3; 32]).unwrap();
            let data = DataKey::new(&kid, &[4; 32]).unwrap().wrap(&master, tenant.as_str(), nonce).unwrap();
            let pseudonym = sealed(pseudonym.wrap(&master, tenant.as_str(), nonce).unwrap());
            SealedKeys { tenant, epoch: "1".into(), pseudonym, data: vec![(kid, sealed(data))] }
        });
        let slice = Slice { keys: keys.collect(), ..Slice::default() };
        let masters = Secrets::parse("m1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE").unwrap();
        let id = |tenant: Tenant| TenantId::parse(&format!("t-{:05}", tenant.0)).ok();
        Store::new(Rc::new(slice), &masters, Box::new(id)).unwrap()
    }

    #[test]
    fn ids_of_one_hash_are_told_apart() {
        let mut seen = std::collections::HashMap::new();
        let (one, other) = (0..1 << 20)
            .map(|nth| format!("k{nth}"))
            .find_map(|kid| seen.insert(hash(&kid), kid.clone()).map(|known| (known, kid)))
            .unwrap();
        let both = with([one.clone(), other.clone()]);
        for kid in [&one, &other] {
            assert_eq!(both.data(kid).unwrap().kid(), kid);
        }
        let alone = with([one.clone()]);
        assert!(alone.data(&other).is_none() && alone.take_unopened().is_none());
        assert_eq!(alone.data(&one).unwrap().kid(), one);
    }

    #[test]
    fn of_many_tenants_a_few_keys_stay_open() {
        let store = store();
        for nth in 0..TENANTS {
            assert!(store.of(Tenant(nth)).is_some_and(|keys| keys.data.is_some()));
            assert_eq!(store.data(&format!("k{nth}")).unwrap().kid(), format!("k{nth}"));
            let (tenants, data) = store.opened();
            assert!(tenants <= MOST && data <= MOST);
        }
        assert_eq!(store.opened(), (MOST, MOST));
        // Whoever is asked for again in between stays, and is not opened anew.
        let known = store.of(Tenant(0)).unwrap();
        for nth in 1..TENANTS {
            store.of(Tenant(nth));
            assert!(Rc::ptr_eq(&known, &store.of(Tenant(0)).unwrap()));
        }
        // Those that there are not take places too, and no more than the others.
        (TENANTS..3 * TENANTS).for_each(|nth| assert!(store.of(Tenant(nth)).is_none() && !store.has(Tenant(nth))));
        assert_eq!(store.opened().0, MOST);
        assert_eq!(store.take_unopened(), None);
    }
}
