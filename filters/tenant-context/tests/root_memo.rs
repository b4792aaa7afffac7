//! Root contexts are signed once per context and verified once: never with another answer than without memory.
#![allow(missing_docs)]

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::*;
use partywall_tenancy::{NameSet, OverlayBody, ProvedBy, Reason, TenantContext, TenantScope, View};
use partywall_tenant_context::{
    CONTEXT, Established, Headers, Request, RootMemo, RootSigner, establish_inbound, take_out,
};

fn context(tenant_id: &str, principal: &str) -> TenantContext {
    TenantContext {
        tenant: tenant(tenant_id),
        tier: "gold".into(),
        region: "eu".into(),
        principal: principal.into(),
        roles: vec!["viewer".into()],
        scopes: vec![],
        networks: NameSet::default(),
        proved_by: ProvedBy::Jwt,
        token_id: "t1".into(),
        expires: NOW + 300,
        caller: None,
    }
}

/// Signs, and counts how often it asks for random bytes.
struct Edge {
    signer: RootSigner,
    asked: Cell<u8>,
}

impl Edge {
    fn new() -> Self {
        Self { signer: signer("edge-1", 3), asked: Cell::new(0) }
    }

    fn mint(&self, context: &TenantContext, view: &View, now: u64) -> Result<Rc<str>, Reason> {
        let random = || {
            self.asked.set(self.asked.get() + 1);
            Some([self.asked.get(); 16])
        };
        self.signer.mint(context, view, now, random).map_err(|r| r.reason)
    }
}

fn arrive(memos: &Memos, view: &View, root: &str, now: u64) -> Result<String, Reason> {
    let headers = headers(&[(CONTEXT, root)]);
    let taken = take_out(Headers(&headers), &[]);
    let service = view.bundle().service("orders").unwrap();
    let evidence = evidence(view, memos, now, INVOICES.as_bytes());
    match establish_inbound(&Request::from_headers(&headers), &taken, service, &evidence, false) {
        Ok(Established::Proved(context, _)) => Ok(format!("{} of {}", context.principal, context.tenant)),
        Ok(Established::Anonymous(_)) => panic!("nobody asked for an anonymous operation"),
        Err(rejection) => Err(rejection.reason),
    }
}

fn overlaid(change: impl FnOnce(&mut OverlayBody)) -> View {
    let mut overlay = overlay();
    change(&mut overlay);
    view_of(&body(), &overlay)
}

#[test]
fn a_context_gets_one_root_for_a_share_of_its_lifetime() {
    let (edge, alice) = (Edge::new(), context("acme", "alice"));
    let first = edge.mint(&alice, &view(), NOW).unwrap();
    assert_eq!(edge.mint(&alice, &view(), NOW + 14).unwrap(), first);
    assert_eq!(edge.asked.get(), 1);
    assert_ne!(edge.mint(&alice, &view(), NOW + 15).unwrap(), first);
    assert_ne!(edge.mint(&alice, &view(), NOW - 1).unwrap(), first, "the clock went back before it was signed");
}

#[test]
fn whatever_differs_gets_a_root_of_its_own() {
    type Change = fn(&mut TenantContext);
    let changes: [Change; 9] = [
        |c| c.tenant = tenant("globex"),
        |c| c.principal = "bob".into(),
        |c| c.roles = vec!["accountant".into()],
        |c| c.scopes = vec!["viewer".into()],
        |c| c.networks = NameSet::new(["office"]).unwrap(),
        |c| c.networks = NameSet::new(["vpn"]).unwrap(),
        |c| c.tier = "silver".into(),
        |c| c.region = "us".into(),
        |c| c.expires = NOW + 20,
    ];
    let edge = Edge::new();
    let mut roots = vec![edge.mint(&context("acme", "alice"), &view(), NOW).unwrap()];
    for change in changes {
        let mut other = context("acme", "alice");
        change(&mut other);
        roots.push(edge.mint(&other, &view(), NOW).unwrap());
    }
    let mut newer = body();
    newer.revision += 1;
    roots.push(edge.mint(&context("acme", "alice"), &view_of(&newer, &overlay()), NOW).unwrap());
    let distinct: std::collections::HashSet<_> = roots.iter().collect();
    assert_eq!(distinct.len(), roots.len());
}

#[test]
fn a_root_that_ended_is_not_given_again() {
    let (edge, mut brief) = (Edge::new(), context("acme", "alice"));
    brief.expires = NOW + 5;
    let first = edge.mint(&brief, &view(), NOW).unwrap();
    assert_eq!(edge.mint(&brief, &view(), NOW + 4).unwrap(), first);
    assert_ne!(edge.mint(&brief, &view(), NOW + 5).unwrap(), first);
}

#[test]
fn a_host_without_random_bytes_signs_nothing() {
    let denied = signer("edge-1", 3).mint(&context("acme", "alice"), &view(), NOW, || None).unwrap_err();
    assert_eq!((denied.reason, &*denied.detail), (Reason::PolicyUnavailable, "the host gives no random bytes"));
}

#[test]
fn a_signer_that_is_revoked_or_narrowed_gives_nothing_from_memory() {
    let (edge, alice) = (Edge::new(), context("acme", "alice"));
    edge.mint(&alice, &view(), NOW).unwrap();
    let revoked = overlaid(|o| o.revoked_signers = vec!["edge-1".into()]);
    assert_eq!(edge.mint(&alice, &revoked, NOW), Err(Reason::PolicyUnavailable));
    let mut narrow = body();
    narrow.signers[0].tenants = TenantScope::Only(vec![tenant("globex")]);
    assert_eq!(edge.mint(&alice, &view_of(&narrow, &overlay()), NOW), Err(Reason::PolicyUnavailable));
}

#[test]
fn a_root_is_remembered_and_looked_at_again_on_every_hit() {
    let (memos, view) = (Memos::new(), view());
    let root = Edge::new().mint(&context("acme", "alice"), &view, NOW).unwrap();
    for _ in 0..3 {
        assert_eq!(arrive(&memos, &view, &root, NOW).unwrap(), "alice of acme");
    }
    assert_eq!(memos.roots.borrow().len(), 1);
    let revoked = overlaid(|o| o.revoked_signers = vec!["edge-1".into()]);
    assert_eq!(arrive(&memos, &revoked, &root, NOW), Err(Reason::CredentialRevoked));
    let suspended = overlaid(|o| o.suspended = vec![tenant("acme")]);
    assert_eq!(arrive(&memos, &suspended, &root, NOW), Err(Reason::TenantSuspended));
    assert_eq!(arrive(&memos, &view, &root, NOW + 151), Err(Reason::ContextExpired));
    assert_eq!(arrive(&memos, &view, &root, NOW - 31), Err(Reason::ContextForged), "the clock went back");
    assert_eq!(arrive(&memos, &view, &root, NOW).unwrap(), "alice of acme", "and the hits changed nothing");
}

#[test]
fn another_bundle_is_another_question() {
    let memos = Memos::new();
    let root = Edge::new().mint(&context("acme", "alice"), &view(), NOW).unwrap();
    assert!(arrive(&memos, &view(), &root, NOW).is_ok());
    let mut narrow = body();
    narrow.revision += 1;
    narrow.signers[0].tenants = TenantScope::Only(vec![tenant("globex")]);
    assert_eq!(arrive(&memos, &view_of(&narrow, &overlay()), &root, NOW), Err(Reason::ContextForged));
}

#[test]
fn an_altered_root_is_not_the_one_that_was_remembered() {
    let (memos, view) = (Memos::new(), view());
    let root = Edge::new().mint(&context("acme", "alice"), &view, NOW).unwrap();
    assert!(arrive(&memos, &view, &root, NOW).is_ok());
    for at in 0..root.len() {
        let mut altered = root.as_bytes().to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(arrive(&memos, &view, &altered, NOW), Err(Reason::ContextForged), "byte {at}");
    }
    assert_eq!(memos.roots.borrow().len(), 1, "what does not verify is not remembered");
}

#[test]
fn a_tenant_that_floods_pushes_out_its_own_roots_only() {
    let (memos, view, edge) = (Memos::new(), view(), Edge::new());
    *memos.roots.borrow_mut() = RootMemo::new(8);
    let quiet = edge.mint(&context("globex", "bob"), &view, NOW).unwrap();
    assert!(arrive(&memos, &view, &quiet, NOW).is_ok());
    for n in 0..40 {
        let root = edge.mint(&context("acme", &format!("user-{n}")), &view, NOW).unwrap();
        assert!(arrive(&memos, &view, &root, NOW).is_ok());
    }
    // Two of eight for the flood, and the quiet tenant's is still there.
    assert_eq!(memos.roots.borrow().len(), 3);
}
