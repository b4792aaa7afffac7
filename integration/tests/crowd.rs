//! Many requests of many tenants at once, through the same workers, connections and slots.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Token, accountant};
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::raw::Response;
use partywall_integration::services::headers;

const ACME: (&str, Token) = ("acme", accountant(Acme, "acme"));
const GLOBEX: (&str, Token) = ("globex", accountant(Shared, "globex"));
const INITECH: (&str, Token) = ("initech", accountant(Shared, "initech"));

/// Each test floods the machine, so one at a time.
static TURN: Mutex<()> = Mutex::new(());

fn alone(name: &str, test: impl FnOnce(&Mesh)) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    test(&Mesh::start(&Options::named(name)).unwrap());
}

/// All the way: through both apps and both sidecars.
fn read_invoice(mesh: &Mesh, (tenant, token): (&str, Token)) -> Response {
    mesh.ask(&mesh.client("GET", tenant, &format!("/invoices/{}", unique()), &token).unwrap()).unwrap()
}

#[test]
fn tenants_never_mix_however_many_ask_at_once() {
    alone("crowd-mix", |mesh| {
        thread::scope(|scope| {
            for who in [ACME, GLOBEX, INITECH].repeat(4) {
                scope.spawn(move || {
                    for _ in 0..40 {
                        let told = read_invoice(mesh, who).json();
                        for seen in [&told, &told["orders"]].into_iter().filter(|seen| seen["app"].is_string()) {
                            assert_eq!(headers(seen, "x-partywall-tenant"), [who.0], "{told}");
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn a_busy_tenant_is_not_turned_away() {
    alone("crowd-busy", |mesh| {
        let turned_away: Vec<String> = thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..75).map(|_| read_invoice(mesh, ACME)).filter(|a| a.status != 200).collect::<Vec<_>>()
                    })
                })
                .collect();
            let answers = clients.into_iter().flat_map(|client| client.join().unwrap());
            answers.map(|answer| answer.json()["orders"]["reason"].to_string()).collect()
        });
        assert!(turned_away.is_empty(), "{} of 300 requests denied: {}", turned_away.len(), turned_away[0]);
    });
}

#[test]
fn a_flood_from_one_tenant_does_not_turn_another_away() {
    alone("crowd-flood", |mesh| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        read_invoice(mesh, ACME);
                    }
                });
            }
            let statuses: Vec<u16> = (0..30).map(|_| read_invoice(mesh, INITECH).status).collect();
            over.store(true, Ordering::Relaxed);
            assert_eq!(statuses, [200; 30]);
        });
    });
}
