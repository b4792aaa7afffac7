//! What the tenants of a run call their things, and what is told apart by it.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use uuid::Uuid;

/// A tenant of a run.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Stands in all that is its own, and in nothing that is another's. Tenants of one cohort have the same.
    pub mark: String,
    /// What its names begin with at the broker. Holds the mark.
    pub prefix: String,
    /// A topic of which it has some partitions, where there is one.
    pub ranged: Option<Ranged>,
}

/// A topic that tenants share by partitions.
#[derive(Clone, Debug)]
pub struct Ranged {
    /// What the tenant calls it.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
}

/// The topics that each tenant makes for itself; all call them alike.
pub(super) const TOPICS: [(&str, i32); 3] = [("orders", 4), ("bills", 2), ("ledger", 1)];
/// The topic that transactions write to: markers take offsets there.
pub(super) const LEDGER: &str = "ledger";
/// Topics that are made and removed all the time.
pub(super) const SCRATCH: [&str; 3] = ["scratch-a", "scratch-b", "scratch-c"];
pub(super) const GROUPS: [&str; 3] = ["workers", "readers", "crew"];
pub(super) const TRANSACTIONS: [&str; 2] = ["pipeline", "billing"];

/// All that there is, and all ids that anybody learned.
pub(super) struct Names {
    pub(super) tenants: Vec<Tenant>,
    ids: Mutex<Vec<(Uuid, String)>>,
}

impl Names {
    pub(super) fn of(tenants: Vec<Tenant>) -> Result<Self> {
        for tenant in &tenants {
            ensure!(tenant.prefix.contains(&tenant.mark), "the prefix of {} has no mark", tenant.id);
            let other = tenants.iter().find(|other| other.mark != tenant.mark && other.mark.contains(&tenant.mark));
            ensure!(other.is_none(), "the mark of {} stands in that of {other:?}", tenant.id);
        }
        Ok(Self { tenants, ids: Mutex::default() })
    }

    /// A tenant with the mark learned of a topic of its own.
    pub(super) fn learn(&self, id: Uuid, mark: &str) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if !ids.iter().any(|(known, _)| *known == id) {
            ids.push((id, mark.to_owned()));
        }
    }

    /// The ids of topics of tenants that have another mark.
    pub(super) fn ids_of_others(&self, mark: &str) -> Vec<Uuid> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter(|(_, owner)| owner != mark).map(|(id, _)| *id).collect()
    }
}
