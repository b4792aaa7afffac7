//! The guard where more than one tenant or more than one policy is about: under a grant, and beside a candidate.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::{Token, accountant, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::stand_in;
use partywall_integration::variant::{Variant, copy};
use partywall_integration::{cli, wait};

const GRANTS: &str = "grants: { longest: 4h, actions: [\"invoices:list\"], tenants: [globex], at_once: 8 }\n";
const LIST: &str = "resource: Invoice, owner: path.tenant }";
const GUARDED: &str = "resource: Invoice, owner: path.tenant, response: { owner: \"/*\", hold: 4 KiB } }";
/// Bundle and candidate are asked for every three seconds, grants each second.
const SOON: Duration = Duration::from_secs(15);
/// Two workers, each with a VM of its own, and the kernel picks one per connection.
const IN_A_ROW: usize = 12;

/// The app: a list of what the header `x-say` holds.
fn answer(mut stream: TcpStream) -> Result<()> {
    let mut said = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(say) = line.strip_prefix("x-say: ") {
            said = say.to_owned();
        }
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    Ok(write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{said}", said.len())?)
}

/// Edge and sidecar of `invoices`, with what `change` does to it before it starts.
fn start(name: &str, change: impl FnOnce(&mut Variant)) -> Running {
    let mut variant = Variant::prepare(name, &["edge", "invoices"]).unwrap();
    change(&mut variant);
    stand_in::connections(variant.site.ports.invoices_app, answer).unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound]).unwrap();
    mesh
}

/// The list of `tenant`, of which the app says that it is `owners`': status, body, and what the sidecar logged.
fn list(mesh: &Running, token: &Token, tenant: &str, owners: &[&str]) -> (u16, String, String) {
    let bearer = mesh.site.issuers.token(token, &unique()).unwrap();
    let said = serde_json::to_string(owners).unwrap();
    let request = Request::get(&format!("/tenants/{tenant}/invoices"))
        .header("host", "acme.shop.example")
        .header("x-say", said)
        .header("authorization", format!("Bearer {bearer}"));
    let answer = mesh.send(Hop::Edge, Workload::Edge, &request).unwrap();
    let line = mesh.line(Hop::Edge, answer.header("x-request-id").unwrap()).unwrap();
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned(), line.field("policy"))
}

/// Until it ends so often enough for every worker to have been asked.
fn settles(what: &str, mesh: &Running, wanted: u16, ask: impl Fn() -> (u16, String, String)) {
    let (mut in_a_row, mut last) = (0, None);
    let found = wait::until(SOON, || {
        let told = ask();
        in_a_row = if told.0 == wanted { in_a_row + 1 } else { 0 };
        last = Some(told);
        (in_a_row >= IN_A_ROW).then_some(())
    });
    assert!(found.is_some(), "{what}: {last:?}\n{}", mesh.envoy("invoices").unwrap().errors());
}

#[test]
fn under_a_grant_the_response_must_be_the_granted_tenants() {
    let mut both = None;
    let mesh = start("guard-grant", |variant| {
        let keys = variant.site.keys();
        let of = |owner: &str| variant.site.directory.join(format!("keys-of-{owner}"));
        let (alice, bob) = (of("alice"), of("bob"));
        for (id, owner) in [("grant-1", &alice), ("grant-2", &bob)] {
            cli::run(&["keys", "pair", id, "--dir", cli::text(owner).unwrap()]).unwrap();
            fs::copy(owner.join(format!("{id}.pub")), keys.join(format!("{id}.pub"))).unwrap();
        }
        fs::copy(keys.join("grant-1.pub"), bob.join("grant-1.pub")).unwrap();
        let named = "overlay: [overlay-1]\n  grants: [grant-1, grant-2]\n";
        variant.replace("mesh.yaml", "overlay: [overlay-1]\n", named).unwrap();
        variant.append("mesh.yaml", GRANTS).unwrap();
        // The sample's own wall forbids, and no grant is heard over that: it leaves out what may be granted.
        let wall = "unless { principal.tenant == resource.tenant };";
        let leave = "unless { principal.tenant == resource.tenant || action == Action::\"invoices:list\" };";
        variant.replace("policies/wall.cedar", wall, leave).unwrap();
        variant.replace("services/invoices.yaml", LIST, GUARDED).unwrap();
        variant.render().unwrap();
        both = Some((alice, bob));
    });
    let (alice, bob) = both.unwrap();
    let dir = mesh.site.bundles();
    let (dir, operator) = (cli::text(&dir).unwrap(), format!("acme/{}", viewer(Acme, "acme").subject));
    let who = ["grant", "new", "--dir", dir, "--keys", cli::text(&alice).unwrap(), "--operator", &operator];
    let what = ["--tenant", "globex", "--action", "invoices:list", "--for", "1h", "--reason", "ticket 7"];
    cli::run(&[&who[..], &what].concat()).unwrap();
    cli::run(&["approve", dir, "--keys", cli::text(&bob).unwrap()]).unwrap();

    let viewer = viewer(Acme, "acme");
    settles("granted", &mesh, 200, || list(&mesh, &viewer, "globex", &["globex", "globex"]));
    let (status, body, policy) = list(&mesh, &viewer, "globex", &["globex"]);
    assert_eq!((status, body.as_str()), (200, r#"["globex"]"#));
    assert!(policy.starts_with("grant:"), "{policy}");
    // What is the operator's own is out of place there, and so is a third one's.
    for owners in [&["globex", "acme"][..], &["acme"], &["initech"]] {
        let (status, body, _) = list(&mesh, &viewer, "globex", owners);
        assert_eq!(status, 503, "{owners:?}: {body}");
    }
    // At home nothing has changed.
    assert_eq!(list(&mesh, &accountant(Acme, "acme"), "acme", &["acme"]).0, 200);
    assert_eq!(list(&mesh, &accountant(Acme, "acme"), "acme", &["globex"]).0, 503);
}

#[test]
fn a_candidates_guard_judges_where_the_candidate_decides() {
    let mesh = start("guard-candidate", |_| {});
    let tenancy = mesh.site.directory.join("tenancy");
    // Nothing is held here: what is denied breaks off, which counts as 0.
    let ask = |tenant: &'static str, owner: &str| {
        let answer = mesh.client_with(tenant, &format!("/tenants/{tenant}/invoices"), &[("x-say", owner)]);
        let shown = |answer: Response| (answer.status, String::from_utf8_lossy(&answer.body).into_owned());
        let (status, body) = answer.map_or_else(|_| (0, String::new()), shown);
        (status, body, String::new())
    };
    settles("unguarded", &mesh, 200, || ask("acme", r#"["globex"]"#));

    let tried = mesh.site.directory.join("tenancy-tried");
    copy(&tenancy, &tried).unwrap();
    let file = tried.join("services/invoices.yaml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(LIST));
    fs::write(&file, text.replace(LIST, GUARDED)).unwrap();
    let (keys, bundles) = (mesh.site.keys(), mesh.site.bundles());
    let (keys, bundles) = (cli::text(&keys).unwrap(), cli::text(&bundles).unwrap());
    cli::run(&["compile", cli::text(&tried).unwrap(), "--keys", keys, "--out", bundles, "--candidate"]).unwrap();
    let told = || {
        let metric =
            |workload: &str| mesh.envoy(workload).unwrap().metric("partywall_candidate_step", &[]).unwrap_or_default();
        ([metric("edge"), metric("invoices")] == [1.0, 1.0]).then_some(())
    };
    wait::until(SOON, told).expect("the candidate is tried out");
    settles("in shadow", &mesh, 200, || ask("acme", r#"["globex"]"#));

    cli::run(&["promote", bundles, "--keys", keys, "--tenant", "acme"]).unwrap();
    settles("acme by the candidate", &mesh, 0, || ask("acme", r#"["globex"]"#));
    settles("what is its own", &mesh, 200, || ask("acme", r#"["acme"]"#));
    settles("others by the bundle", &mesh, 200, || ask("globex", r#"["acme"]"#));
    let labels = [("reason", "foreign"), ("role", "inbound")];
    let denied = mesh.envoy("invoices").unwrap().metric("partywall_guard_denials_total", &labels).unwrap();
    assert!(denied >= 1.0, "{denied}");
}
