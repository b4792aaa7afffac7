//! Two tenants and a half, their keys, and redactors for them.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use std::rc::Rc;

use partywall_log_redaction::carriers::{Carrier, Kind, Limits};
use partywall_log_redaction::detect::{Detectors, Selection};
use partywall_log_redaction::redactor::{Count, Engine, Facts, Own, Redactor, Rules};
use partywall_log_redaction::replace::{DataKey, Keys, TenantKeys};
use partywall_log_redaction::tenants::{Listed, Tenant};

pub const ACME: Tenant = Tenant(0);
pub const GLOBEX: Tenant = Tenant(1);
pub const ACME_PRINT: &str = "t1_00000000000acce0";
pub const GLOBEX_PRINT: &str = "t1_00000000061abe00";

pub fn directory() -> Listed {
    let mut listed = Listed::default();
    listed.add("acme", &[ACME_PRINT], &["acme.shop.example"]);
    listed.add("globex", &[GLOBEX_PRINT, "t0_00000000061abe0f"], &["globex.shop.example", "www.globex.test"]);
    listed.add("acme-eu", &["t1_00000000000acceb"], &["eu.acme.shop.example"]);
    listed
}

pub fn keys() -> Keys {
    let mut keys = Keys::new(Some(&[7; 32]));
    for (tenant, byte) in [(ACME, 1), (GLOBEX, 2)] {
        let data = DataKey::new(&format!("k{byte}"), &[byte + 10; 32]).unwrap();
        let former = DataKey::new(&format!("k{byte}-old"), &[byte + 20; 32]).unwrap();
        keys.add(tenant, TenantKeys::new("1", &[byte; 32]).unwrap().with_data(data, vec![former]));
    }
    keys
}

thread_local! {
    static ALL: Rc<Detectors> = Rc::new(Detectors::new(&Selection::default()).unwrap());
}

/// All detectors: built once for all tests of a thread.
pub fn detectors() -> Rc<Detectors> {
    ALL.with(Clone::clone)
}

pub fn engine(rules: &Rules) -> Rc<Engine> {
    Rc::new(Engine::new(rules, detectors(), Rc::new(directory()), Rc::new(keys())).unwrap())
}

/// The body of these pieces, redacted; with what was counted.
pub fn run(
    engine: &Rc<Engine>,
    facts: &Facts<'_>,
    kind: Kind,
    pieces: &[&[u8]],
) -> Result<(Vec<u8>, Vec<Count>), String> {
    again(&mut Redactor::new(engine.clone(), facts), facts, kind, pieces)
}

/// Likewise, by a redactor that was used before.
pub fn again(
    redactor: &mut Redactor,
    facts: &Facts<'_>,
    kind: Kind,
    pieces: &[&[u8]],
) -> Result<(Vec<u8>, Vec<Count>), String> {
    redactor.next(facts);
    let mut carrier = Carrier::new(kind, Limits::default());
    let mut out = Vec::new();
    let mut push = |piece: &[u8], end| carrier.push(piece, end, redactor, &mut out).map_err(|why| why.to_string());
    for piece in pieces {
        push(piece, false)?;
    }
    push(b"", true)?;
    Ok((out, redactor.take_counts()))
}

pub fn of(own: Own) -> Facts<'static> {
    Facts::new("test", own)
}
