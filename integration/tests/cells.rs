//! Cells in real Envoys: each tenant reaches its own, none is served by two, and no proxy serves another region's.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use partywall_integration::cells::{CELLS, Cells, Plan};

fn statuses(cells: &Cells, tenant: &'static str, more: &[(&str, &str)]) -> BTreeSet<u16> {
    (0..20).map(|_| cells.client(tenant, "/orders/7", more).unwrap().status).collect()
}

/// How many requests of the word reached each app.
fn reached(cells: &Cells, mark: &str) -> [usize; 2] {
    [0, 1].map(|nth| cells.apps[nth].seen(mark).len())
}

#[test]
fn routes_lead_each_tenant_to_its_cell_whatever_a_client_says() {
    let cells = Plan::prepare("cells").unwrap().start().unwrap();
    for _ in 0..10 {
        for (tenant, path) in [("acme", "/orders/ofacme"), ("globex", "/orders/ofglobex")] {
            for more in
                [&[][..], &[("x-partywall-cell", "eu-1")], &[("x-partywall-cell", "eu-2")], &[("x-partywall-cell", "")]]
            {
                assert_eq!(cells.client(tenant, path, more).unwrap().status, 200, "{tenant} {more:?}");
            }
        }
    }
    assert_eq!((reached(&cells, "ofacme"), reached(&cells, "ofglobex")), ([40, 0], [0, 40]));
    for (nth, mark) in ["ofacme", "ofglobex"].into_iter().enumerate() {
        let told = cells.apps[nth].seen(mark).iter().flat_map(|seen| seen.all("x-partywall-cell")).collect::<Vec<_>>();
        assert_eq!(told, vec![CELLS[nth]; 40], "the app is told its cell, once and by us");
    }
    // Nobody serves a tenant that is in no cell, by whatever it calls itself.
    assert_eq!(statuses(&cells, "initech", &[]), BTreeSet::from([503]));
    assert_eq!(statuses(&cells, "initech", &[("x-partywall-cell", "eu-1")]), BTreeSet::from([503]));

    // A proxy that routes wrongly meets a denial, and so does one that is asked past all routes.
    for (cell, tenant, status, reason) in [
        ("eu-1", "acme", 200, None),
        ("eu-2", "acme", 403, Some("cell_foreign")),
        ("eu-1", "globex", 403, Some("cell_foreign")),
        ("eu-1", "initech", 403, Some("cell_foreign")),
    ] {
        let answer = cells.direct(cell, tenant).unwrap();
        assert_eq!((answer.status, answer.header("x-partywall-reason")), (status, reason), "{tenant} in {cell}");
    }
}

#[test]
fn failing_over_stays_in_the_cell() {
    let mut cells = Plan::prepare("cells-failover").unwrap().start().unwrap();
    cells.envoy("orders-eu-1").stop();
    // Its spare sidecar takes no connection either: there is nobody left who may serve acme.
    let answers: Vec<u16> = (0..20).map(|_| cells.client("acme", "/orders/later", &[]).unwrap().status).collect();
    assert_eq!(BTreeSet::from_iter(answers), BTreeSet::from([503]));
    assert_eq!(reached(&cells, "later"), [0, 0]);
    assert_eq!(statuses(&cells, "globex", &[]), BTreeSet::from([200]), "the other cell goes on");
}

/// Were a proxy of the right cell to stand in another region, or an edge there: a denial.
#[test]
fn no_proxy_serves_a_cell_of_another_region() {
    let mut plan = Plan::prepare("cells-region").unwrap();
    plan.changes.push(("orders-eu-1", "locality: { region: eu }".into(), "locality: { region: us }".into()));
    let cells = plan.start().unwrap();
    let answer = cells.direct("eu-1", "acme").unwrap();
    assert_eq!((answer.status, answer.header("x-partywall-reason")), (403, Some("residency")));
    assert_eq!(statuses(&cells, "acme", &[]), BTreeSet::from([403]));
    assert_eq!(statuses(&cells, "globex", &[]), BTreeSet::from([200]));
}

/// The first cell is left behind at the bundle from before the move, while requests go to both without a pause.
#[test]
fn who_moves_is_never_served_by_two_cells() {
    let cells = Plan::prepare("cells-move").unwrap().start().unwrap();
    let (stop, seen) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for cell in CELLS {
            let (cells, stop, seen) = (&cells, &stop, &seen);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    if let Ok(answer) = cells.direct(cell, "acme") {
                        seen.lock().unwrap().push((cell, asked, Instant::now(), answer.status));
                    }
                }
            });
        }
        let moved = cells_move(&cells);
        stop.store(true, Ordering::Relaxed);
        moved.unwrap();
    });
    let seen = seen.into_inner().unwrap();
    let served = |cell| seen.iter().filter(move |(at, .., status)| *at == cell && *status == 200);
    let last = served("eu-1").map(|(_, asked, ..)| *asked).max().unwrap();
    let first = served("eu-2").map(|(_, _, answered, _)| *answered).min().unwrap();
    assert!(last < first, "eu-1 served a request that came after eu-2 had served one");
    println!("{} requests; {:?} without a cell", seen.len(), first - last);
}

fn cells_move(cells: &Cells) -> anyhow::Result<()> {
    let is = |cell, status| move || Ok(cells.direct(cell, "acme")?.status == status);
    // In one step it would be served by both: refused.
    cells.edit("tenants/acme.yaml", "status: active", "status: active\ncell: eu-2")?;
    let refused = cells.compile(&[]).unwrap_err().to_string();
    anyhow::ensure!(refused.contains("both would serve it"), "{refused}");
    cells.edit("tenants/acme.yaml", "status: active\ncell: eu-2", "status: active")?;

    cells.move_tenant("acme", &["--to", "eu-2"])?;
    cells.compile(&[])?;
    cells.settle("the second cell knows of the move", is("eu-2", 503))?;
    let told = cells.direct("eu-2", "acme")?;
    anyhow::ensure!(told.header("x-partywall-reason") == Some("tenant_moving"), "{told:?}");
    cells.settle("the edge knows of it", || Ok(cells.client("acme", "/orders/7", &[])?.status == 503))?;
    let told = cells.client("acme", "/orders/7", &[])?;
    anyhow::ensure!(told.header("retry-after") == Some("30"), "{told:?}");
    anyhow::ensure!(is("eu-1", 200)()?, "the first cell was left behind");

    // It may still serve, so that the tenant does not arrive.
    cells.move_tenant("acme", &["--done"])?;
    let refused = cells.compile(&[]).unwrap_err().to_string();
    anyhow::ensure!(refused.contains("a sidecar of `eu-1` may serve it"), "{refused}");
    cells.settle("the second cell does not serve it", is("eu-2", 503))?;

    cells.catch_up()?;
    cells.settle("the first cell knows of the move", is("eu-1", 503))?;
    cells.compile(&["--moved", "acme"])?;
    cells.settle("the second cell serves it", is("eu-2", 200))?;
    cells.settle("its clients reach it there", || Ok(cells.client("acme", "/orders/moved", &[])?.status == 200))?;
    anyhow::ensure!(is("eu-1", 503)()?, "the first cell, left behind once more, serves nobody who moves");
    cells.catch_up()?;
    cells.settle("the first cell knows that it is gone", is("eu-1", 403))
}
