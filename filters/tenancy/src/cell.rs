//! Cells: parts of the platform, each with its own instances and data, of which one serves a tenant.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{BundleBody, Reason, Tenant};

/// Which cell serves a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cell {
    /// This one.
    In(Arc<str>),
    /// None: it is on its way from one to another.
    Moving {
        /// The cell that served it.
        from: Arc<str>,
        /// The cell that is to.
        to: Arc<str>,
    },
}

impl Cell {
    /// The cell that serves the tenant now.
    pub fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::In(name) => Some(name),
            Self::Moving { .. } => None,
        }
    }

    /// Every cell that is named.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let (first, second) = match self {
            Self::In(name) => (name, None),
            Self::Moving { from, to } => (from, Some(to)),
        };
        [first].into_iter().chain(second)
    }
}

/// A cell of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellPlace {
    /// Its name, as `eu-1`.
    pub name: String,
    /// The region it lies in, as `eu`.
    pub region: String,
}

/// Where a filter stands, as its proxy's configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Here<'h> {
    /// The cell; `None` where it serves all of them.
    pub cell: Option<&'h str>,
    /// The region (`node.locality.region`); `None` where the proxy was not told.
    pub region: Option<&'h str>,
}

impl Here<'_> {
    /// Whether `tenant`, of `bundle`, may be served here.
    ///
    /// # Errors
    ///
    /// The reason to deny: it is moving, another cell serves it, or its cell lies in another region. A cell serves no
    /// tenant that is in none.
    ///
    /// INVARIANT: of two cells at most one serves a tenant, and no mode, policy or grant changes that.
    pub fn serves(&self, tenant: &Tenant, bundle: &BundleBody) -> Result<(), Reason> {
        let cell = match &tenant.cell {
            Some(Cell::Moving { .. }) => return Err(Reason::TenantMoving),
            Some(Cell::In(cell)) => Some(&**cell),
            None => None,
        };
        if self.cell.is_some_and(|here| cell != Some(here)) {
            return Err(Reason::CellForeign);
        }
        let (Some(here), Some(cell)) = (self.region, cell) else { return Ok(()) };
        // A bundle names the region of every cell.
        if bundle.region_of_cell(cell).is_none_or(|region| region != here) {
            return Err(Reason::Residency);
        }
        Ok(())
    }
}
