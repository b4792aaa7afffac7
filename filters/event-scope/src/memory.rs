//! How much memory connections may hold together: what of them is stashed lies outside of what a host bounds.

use std::collections::HashMap;
use std::rc::Rc;

/// The memory of all connections of a VM, in bytes.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    held: usize,
    tenants: HashMap<Rc<str>, usize>,
}

impl Memory {
    /// `most` bytes for all. A tenant has half of it at most, and so have those together of whom nobody knows yet whose
    /// they are: whoever fills its share ends its own connections, and leaves room for others.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, held: 0, tenants: HashMap::new() }
    }

    /// From now on, `most` bytes for all.
    pub fn bound(&mut self, most: usize) {
        self.most = most;
    }

    /// One connection of `tenant`, empty for nobody's, held `before` bytes and holds `now`. Whether that is within its
    /// share and all that there is; it counts in any case, until it is told that it holds nothing.
    #[must_use]
    pub fn change(&mut self, tenant: &Rc<str>, before: usize, now: usize) -> bool {
        self.held = self.held.saturating_sub(before).saturating_add(now);
        let of_tenant = self.tenants.get(tenant).map_or(0, |held| *held).saturating_sub(before).saturating_add(now);
        if of_tenant == 0 {
            self.tenants.remove(tenant);
        } else if let Some(held) = self.tenants.get_mut(tenant) {
            *held = of_tenant;
        } else {
            self.tenants.insert(Rc::clone(tenant), of_tenant);
        }
        // Who gives some back is never too large for it.
        now <= before || (self.held <= self.most && of_tenant <= self.most / 2)
    }

    /// How much all of them hold.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_fills_its_share_and_no_more() {
        let (acme, globex, nobody): (Rc<str>, Rc<str>, Rc<str>) = ("acme".into(), "globex".into(), "".into());
        let mut memory = Memory::new(1000);
        assert!(memory.change(&acme, 0, 300));
        assert!(memory.change(&acme, 0, 200), "another connection of it");
        assert!(!memory.change(&acme, 200, 201), "beyond its half");
        assert!(memory.change(&globex, 0, 400), "another tenant has room");
        assert!(memory.change(&acme, 201, 0) && memory.change(&acme, 300, 500));
        assert!(!memory.change(&nobody, 0, 101), "all of it is taken");
        assert_eq!(memory.held(), 1001, "it counts until it is gone");
        assert!(memory.change(&nobody, 101, 0) && memory.change(&acme, 500, 0) && memory.change(&globex, 400, 0));
        assert_eq!((memory.held(), memory.tenants.len()), (0, 0), "nothing is left of who is gone");
    }
}
