//! Which cell serves whom, and that nobody is served by two.

use super::*;
use crate::{Cell, CellPlace, Here, Reason, View};

fn place(name: &str, region: &str) -> CellPlace {
    CellPlace { name: name.into(), region: region.into() }
}

fn view(cell: Option<Cell>, status: TenantStatus) -> Result<View, Refusal> {
    let bytes = bundle(|body| {
        body.cells = vec![place("eu-1", "eu"), place("eu-2", "eu"), place("us-1", "us")];
        body.tenants = Tenants::pack([Tenant { cell, ..tenant("acme", status) }]).unwrap();
    });
    let mut state = empty();
    state.offer_bundle(&bytes, NOW, |_| Ok(()))?;
    state.offer_overlay(&overlay(|_| ()), Origin::Fetched, NOW)?;
    Ok(state.view(NOW).unwrap())
}

fn moving(from: &str, to: &str) -> Option<Cell> {
    Some(Cell::Moving { from: from.into(), to: to.into() })
}

#[test]
fn a_cell_serves_its_own_tenants_and_nobody_else_does() {
    let here = |cell, region| Here { cell, region };
    for (cell, at, wanted) in [
        (Some("eu-1"), here(Some("eu-1"), Some("eu")), Ok(())),
        (Some("eu-1"), here(Some("eu-1"), None), Ok(())),
        (Some("eu-1"), here(None, None), Ok(())),
        (Some("eu-1"), here(None, Some("eu")), Ok(())),
        (Some("eu-1"), here(Some("eu-2"), Some("eu")), Err(Reason::CellForeign)),
        (Some("eu-1"), here(Some("eu"), Some("eu")), Err(Reason::CellForeign)),
        (Some("eu-1"), here(Some("us-1"), Some("us")), Err(Reason::CellForeign)),
        // Its own instance, failed over to another region; and an instance for all, in another region.
        (Some("eu-1"), here(Some("eu-1"), Some("us")), Err(Reason::Residency)),
        (Some("eu-1"), here(None, Some("us")), Err(Reason::Residency)),
        (None, here(None, Some("us")), Ok(())),
        (None, here(Some("eu-1"), None), Err(Reason::CellForeign)),
    ] {
        let view = view(cell.map(|name| Cell::In(name.into())), TenantStatus::Active).unwrap();
        let tenant = view.active_tenant(&acme()).unwrap();
        assert_eq!(at.serves(&tenant, view.bundle().body()), wanted, "{cell:?} {at:?}");
        assert_eq!(view.bundle().body().tenants.cell(&acme()).and_then(Cell::name).map(|name| &**name), cell);
    }
}

#[test]
fn who_moves_is_served_by_no_cell() {
    let on_its_way = view(moving("eu-1", "eu-2"), TenantStatus::Active).unwrap();
    assert_eq!(on_its_way.active_tenant(&acme()), Err(Reason::TenantMoving));
    // Also where a record reached a filter by another way than `active_tenant`.
    let tenant = on_its_way.tenant(&acme()).unwrap();
    for cell in [None, Some("eu-1"), Some("eu-2"), Some("us-1")] {
        assert_eq!(Here { cell, region: None }.serves(&tenant, on_its_way.bundle().body()), Err(Reason::TenantMoving));
    }
    let suspended = view(moving("eu-1", "eu-2"), TenantStatus::Suspended).unwrap();
    assert_eq!(suspended.active_tenant(&acme()), Err(Reason::TenantSuspended), "the worse reason is told");
}

#[test]
fn a_bundle_names_the_region_of_every_cell() {
    for cell in [Some(Cell::In("eu-9".into())), moving("eu-9", "eu-1"), moving("eu-1", "eu-9")] {
        assert_eq!(view(cell, TenantStatus::Active).unwrap_err().code(), "inconsistent");
    }
    let twice = bundle(|body| body.cells = vec![place("eu-1", "eu"), place("eu-1", "us")]);
    assert_eq!(empty().offer_bundle(&twice, NOW, |_| Ok(())).unwrap_err().code(), "inconsistent");
}
