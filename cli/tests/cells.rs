//! Cells: a tenant changes them in two steps that no bundle can shorten, and what is rendered leads to one cell alone.

mod support;

use std::fs;
use std::path::Path;

use support::{Desk, Ran, copy, folder, partywall, path, sample};

/// `acme` is in eu-1, of two cells.
fn desk(name: &str) -> Desk {
    let desk = Desk::new(name);
    desk.edit("profiles/gold.yaml", "# cell: eu-1", "cell: eu-1");
    desk.edit("mesh.yaml", "cells: [{", "cells: [{ cell: eu-2, region: eu }, {");
    desk.compile(&[]).succeeds();
    desk
}

fn step(desk: &Desk, arguments: &[&str]) -> Ran {
    partywall(&[&["tenant", "move", "acme", "--tenancy", path(&desk.tenancy)], arguments].concat())
}

fn cell(desk: &Desk) -> String {
    let text = fs::read_to_string(desk.tenancy.join("tenants/acme.yaml")).unwrap();
    text.lines().filter(|line| line.starts_with("cell:")).collect()
}

#[test]
fn a_tenant_moves_in_two_steps() {
    let desk = desk("cells-move");
    step(&desk, &["--done"]).ends_with(3).says("`acme` does not move");
    step(&desk, &["--to", "eu-1"]).ends_with(3).says("`acme` is in `eu-1`");
    step(&desk, &["--to", "eu-3"]).ends_with(3).says("has no `eu-3`");
    step(&desk, &["--to", "EU"]).ends_with(2);
    step(&desk, &[]).ends_with(2);
    step(&desk, &["--done", "--back"]).ends_with(2);
    assert_eq!(cell(&desk), "", "nothing was written");

    step(&desk, &["--to", "eu-2"]).succeeds().says("cell: { from: eu-1, to: eu-2 }");
    step(&desk, &["--to", "eu-2"]).ends_with(3).says("moves from `eu-1` to `eu-2` already");
    desk.compile(&[]).succeeds().says("revision 2");
    // Back is always safe: the other cell never served it.
    step(&desk, &["--back"]).succeeds();
    desk.compile(&[]).succeeds().says("revision 3");
    step(&desk, &["--to", "eu-2"]).succeeds();
    desk.compile(&[]).succeeds();

    step(&desk, &["--done"]).succeeds();
    assert_eq!(cell(&desk), "cell: eu-2");
    desk.compile(&[]).ends_with(3).says("until 2").says("a sidecar of `eu-1` may serve it").says("with `--moved acme`");
    desk.compile(&["--candidate"]).ends_with(3).says("may serve it");
    desk.compile(&["--moved", "globex"]).ends_with(3);
    desk.compile(&["--moved", "acme"]).succeeds().says("revision 5");
    // From then on it is where it is.
    desk.compile(&[]).succeeds();
}

#[test]
fn nobody_goes_from_one_cell_to_another_at_once() {
    let desk = desk("cells-at-once");
    desk.edit("tenants/acme.yaml", "status:", "cell: eu-2\nstatus:");
    desk.compile(&[]).ends_with(3).says("both would serve it").says("cell: { from: eu-1, to: eu-2 }");
    desk.compile(&["--moved", "acme"]).ends_with(3);
    desk.compile(&["--candidate"]).ends_with(3).says("both would serve it");
    // Nor by a profile, nor by the way back.
    desk.edit("tenants/acme.yaml", "cell: eu-2\n", "");
    desk.edit("profiles/gold.yaml", "cell: eu-1", "cell: eu-2");
    desk.compile(&[]).ends_with(3).says("both would serve it");
    desk.edit("profiles/gold.yaml", "cell: eu-2", "cell: { from: eu-1, to: eu-2 }");
    desk.compile(&[]).succeeds();
    desk.edit("profiles/gold.yaml", "cell: { from: eu-1, to: eu-2 }", "cell: eu-2");
    desk.compile(&["--moved", "acme"]).succeeds().says("revision 3");
    let arguments = ["rollback", "1", "--dir", path(&desk.out), "--keys", path(&desk.keys)];
    partywall(&arguments).succeeds().says("revision 4");
    let shown = partywall(&["diff", path(&desk.out.join("history/3")), path(&desk.out)]);
    shown.says("nothing was added, removed or changed");
}

/// The bundle in which it began to move was there long enough: whoever has an older one denies.
#[test]
fn a_move_ends_by_itself_when_older_bundles_are_stale() {
    let desk = desk("cells-time");
    step(&desk, &["--to", "eu-2"]).succeeds();
    desk.compile(&[]).succeeds();
    step(&desk, &["--done"]).succeeds();
    let set_back = |by: u64| {
        for entry in fs::read_dir(&desk.out).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let then = std::time::SystemTime::now() - std::time::Duration::from_secs(by);
            fs::File::options().write(true).open(entry).unwrap().set_modified(then).unwrap();
        }
    };
    // It was issued now, whatever the file says.
    set_back(10_000);
    desk.compile(&[]).ends_with(3).says("may serve it");
    // Twice stale_after (5m), an overlay's turn, and two clocks: 675 seconds.
    desk.edit("tenants/acme.yaml", "cell: eu-2", "cell: eu-1");
    desk.compile(&[]).succeeds();
    step(&desk, &["--to", "eu-2"]).succeeds();
    let issued = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() - 680;
    desk.compile(&["--issued", &issued.to_string()]).succeeds();
    step(&desk, &["--done"]).succeeds();
    set_back(660);
    desk.compile(&[]).ends_with(3).says("may serve it");
    set_back(676);
    desk.compile(&[]).succeeds();
}

/// A copy of the sample with an instance of `orders` in each of two cells.
fn deployed(name: &str) -> std::path::PathBuf {
    let to = folder(name);
    copy(&sample(), &to.join("tenancy"));
    let edit = |file: &str, from: &str, to_: &str| {
        let file = to.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replacen(from, to_, 1)).unwrap();
    };
    fs::copy(sample().join("../deployment.yaml"), to.join("deployment.yaml")).unwrap();
    edit("tenancy/mesh.yaml", "cells: [{", "cells: [{ cell: us-1, region: us }, {");
    edit("tenancy/services/orders.yaml", "clusters: [orders]", "clusters: [orders, orders.eu-1, orders.us-1]");
    let one = "  - { service: orders, address: orders-sidecar,";
    let both = "  - { service: orders, cell: eu-1, failover: [{ address: spare, port: 15006 }], address: orders-eu,";
    let us = "  - { service: orders, cell: us-1, address: orders-us, port: 15006, app: { address: 127.0.0.1, port: 8080 } }\n";
    edit("deployment.yaml", one, &format!("{us}{both}"));
    to.join("tenancy")
}

fn rendered(directory: &Path, arguments: &[&str]) -> Ran {
    partywall(&[&["render", "envoy", path(directory)], arguments].concat())
}

#[test]
fn what_is_rendered_leads_to_one_cell_and_stays_there() {
    let directory = deployed("cells-render");
    let edge = rendered(&directory, &["--role", "edge"]).succeeds();
    let edge = edge.stdout();
    for cell in ["eu-1", "us-1"] {
        let route = format!(
            "path_separated_prefix: /orders, headers: [{{ name: x-partywall-cell, string_match: {{ exact: {cell} }} }}] \
             }}\n{:26}route: {{ cluster: orders.{cell},",
            ""
        );
        assert!(edge.contains(&route), "no `{route}` in\n{edge}");
    }
    // Where an address is, its region is said; and a spare one stands behind, never one of another cell.
    let cluster = |name: &str| {
        let (_, rest) =
            edge.split_once(&format!("    - name: {name}\n")).unwrap_or_else(|| panic!("no {name}:\n{edge}"));
        rest.split("    - name: ").next().unwrap().to_owned()
    };
    let (eu, us) = (cluster("orders.eu-1"), cluster("orders.us-1"));
    assert!(eu.contains("orders-eu,") && eu.contains("spare,") && eu.contains("priority: 1"), "{eu}");
    assert!(eu.contains("tcp_health_check") && eu.matches("locality: { region: eu }").count() == 2, "{eu}");
    assert!(us.contains("orders-us,") && !us.contains("orders-eu,") && !us.contains("region: eu"), "{us}");
    assert!(!cluster("orders").contains("endpoint"), "nobody serves whoever is in no cell");

    let orders = |cell: &str| rendered(&directory, &["--role", "sidecar", "--service", "orders", "--cell", cell]);
    let ran = orders("us-1").succeeds();
    assert!(ran.stdout().contains("node: { id: orders-us-1-sidecar, cluster: orders, locality: { region: us } }"));
    assert!(ran.stdout().contains("          cell: us-1\n"), "{}", ran.stdout());
    orders("us-2").ends_with(3).says("does not say where `orders` is in the cell `us-2`").says("--cell us-1");
    rendered(&directory, &["--role", "sidecar", "--service", "orders"]).ends_with(3).says("--cell us-1");

    // A caller that is in a cell calls that one alone.
    let deployment = directory.join("../deployment.yaml");
    let text = fs::read_to_string(&deployment).unwrap();
    fs::write(&deployment, text.replace("- service: invoices\n", "- service: invoices\n    cell: us-1\n")).unwrap();
    let service = directory.join("services/invoices.yaml");
    let invoices = fs::read_to_string(&service).unwrap();
    fs::write(
        &service,
        invoices.replace("service: invoices\n", "service: invoices\nclusters: [invoices, invoices.us-1]\n"),
    )
    .unwrap();
    let ran = rendered(&directory, &["--role", "sidecar", "--service", "invoices", "--cell", "us-1"]).succeeds();
    assert!(ran.stdout().contains("cluster: orders.us-1,") && !ran.stdout().contains("eu-1"), "{}", ran.stdout());
    fs::write(&deployment, text.replace("- service: invoices\n", "- service: invoices\n    cell: eu-9\n")).unwrap();
    rendered(&directory, &["--role", "edge"]).ends_with(3).says("names the cell `eu-9`, and `cells` of mesh.yaml has");
}

#[test]
fn instances_that_nobody_can_tell_apart_are_an_error() {
    let directory = deployed("cells-mistakes");
    let deployment = directory.join("../deployment.yaml");
    let text = fs::read_to_string(&deployment).unwrap();
    fs::write(&deployment, text.replace("cell: us-1", "cell: eu-1")).unwrap();
    rendered(&directory, &["--role", "edge"]).ends_with(3).says("`services` has `orders` in the cell `eu-1` twice");
    fs::write(&deployment, text).unwrap();
    let service = directory.join("services/orders.yaml");
    let orders = fs::read_to_string(&service).unwrap();
    fs::write(&service, orders.replace(", orders.us-1", "")).unwrap();
    rendered(&directory, &["--role", "edge"])
        .ends_with(3)
        .says("no cluster of it is called `orders.us-1`")
        .says("write `clusters: [orders, orders.us-1]`");
}
