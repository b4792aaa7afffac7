//! What a token may claim: tenants, audience, client; and what takes its word away.
#![allow(missing_docs)]

mod common;

use common::*;
use partywall_tenancy::{Reason, RevokedKey, RevokedSubject, RevokedToken, TenantBinding, View};
use partywall_tenant_context::Rejection;
use partywall_tenant_context::jwt::{self, Keys, PureRust, Verified};
use serde_json::{Value, json};

fn verify_in(token: &str, view: &View) -> Result<Verified, Rejection> {
    jwt::verify(token.as_bytes(), view, Keys::inline(), NOW, &PureRust::default()).map(|v| v.expect("is of ours"))
}

fn verify(change: impl FnOnce(&mut Value)) -> Result<Verified, Rejection> {
    verify_in(&token(&claims(change)), &view())
}

#[test]
fn a_tenant_claim_is_a_string_or_an_array_of_a_few() {
    let names = |value: Value| {
        let tenants = verify(|c| c["tenant"] = value)?.tenants;
        Ok::<_, Rejection>(tenants.iter().map(|t| t.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(names(json!("acme")), Ok(vec!["acme".into()]));
    assert_eq!(names(json!(["globex", "acme"])), Ok(vec!["globex".into(), "acme".into()]));
    assert_eq!(names(json!(["acme", "acme"])), Ok(vec!["acme".into()]), "twice is once");
    assert_eq!(names(json!((0..64).map(|n| format!("t{n}")).collect::<Vec<_>>())).map(|t| t.len()), Ok(64));
    let too_many = (0..65).map(|n| format!("t{n}")).collect::<Vec<_>>();
    for bad in
        [json!([]), json!(too_many), json!(["acme", 1]), json!([["acme"]]), json!({"a": 1}), json!(null), json!(1)]
    {
        assert_eq!(names(bad.clone()).unwrap_err().reason, Reason::CredentialInvalid, "{bad}");
    }
    for bad in [json!(""), json!(["acme", "Acme"]), json!(["platform"]), json!(["acme", "a/../b"])] {
        assert_eq!(names(bad.clone()).unwrap_err().reason, Reason::TenantInvalid, "{bad}");
    }
}

#[test]
fn one_tenant_that_the_issuer_may_not_name_spoils_the_token() {
    let claims = claims(|c| {
        c["iss"] = json!(ACME_ISSUER);
        c["tenant"] = json!(["acme", "globex"]);
    });
    let token = jws(r#"{"alg":"RS256","kid":"rs"}"#, &claims.to_string(), rs256);
    assert_eq!(verify_in(&token, &view()).unwrap_err().reason, Reason::CredentialInvalid);
}

#[test]
fn claims_stand_where_the_issuer_keeps_them_whatever_their_names() {
    let mut body = body();
    let issuer = &mut body.issuers[1];
    issuer.tenant_claim = "/https:~1~1shop.example~1tenants/0".into();
    issuer.client_claim = "/client.id".into();
    issuer.roles_claim = "/realm_access/roles".into();
    let token = token(&claims(|c| {
        c["https://shop.example/tenants"] = json!(["globex", "acme"]);
        c["client.id"] = json!("web");
        c["realm_access"] = json!({ "roles": ["admin"] });
    }));
    let verified = verify_in(&token, &view_of(&body, &overlay())).unwrap();
    assert_eq!(verified.tenants, [tenant("globex")]);
    assert_eq!(
        (verified.client.as_deref(), verified.roles.as_slice()),
        (Some("web"), ["admin".to_string()].as_slice())
    );
}

/// Audience and client are those of the tenant that was chosen, where it has its own.
#[test]
fn a_token_of_another_client_is_none_for_a_bound_tenant() {
    let mut body = body();
    let bind = |id: &str, audiences: &[&str], clients: &[&str]| TenantBinding {
        tenant: tenant(id),
        audiences: audiences.iter().map(|s| s.to_string()).collect(),
        clients: clients.iter().map(|s| s.to_string()).collect(),
    };
    body.issuers[1].bindings = vec![bind("acme", &[], &["web", "app"]), bind("globex", &["globex-api"], &[])];
    let view = view_of(&body, &overlay());
    let check = |tenant_id: &str, aud: Value, azp: Option<Value>| {
        let token = token(&claims(|c| {
            c["tenant"] = json!(["acme", "globex", "initech"]);
            c["aud"] = aud;
            if let Some(azp) = azp {
                c["azp"] = azp;
            }
        }));
        let outcome = verify_in(&token, &view)?.check_binding(&view, &tenant(tenant_id));
        assert!(outcome.as_ref().err().is_none_or(|r| r.reason == Reason::CredentialInvalid));
        outcome
    };
    let web = || Some(json!("web"));
    assert!(check("acme", json!("shop"), web()).is_ok());
    assert!(check("acme", json!(["x", "shop"]), Some(json!("app"))).is_ok());
    assert!(check("acme", json!("shop"), Some(json!("batch"))).is_err(), "another client");
    assert!(check("acme", json!("shop"), Some(json!("WEB"))).is_err(), "byte by byte");
    assert!(check("acme", json!("shop"), None).is_err(), "no client at all");
    assert!(check("acme", json!("shop"), Some(json!(["web"]))).is_err(), "no string");
    assert!(check("acme", json!("globex-api"), web()).is_err(), "the audience of another tenant");
    assert!(check("globex", json!("globex-api"), None).is_ok());
    assert!(check("globex", json!("shop"), web()).is_err(), "its own audience stands instead of the issuer's");
    assert!(check("initech", json!("shop"), None).is_ok(), "no binding of its own");
    assert!(check("initech", json!("other"), None).is_err());
    assert!(check("hooli", json!("shop"), web()).is_err(), "a tenant that the token does not name");
}

#[test]
fn whatever_is_revoked_takes_the_token_with_it() {
    let reason = |change: &dyn Fn(&mut partywall_tenancy::OverlayBody)| {
        let mut overlay = overlay();
        change(&mut overlay);
        verify_in(&token(&claims(|_| ())), &view_of(&body(), &overlay)).map(|_| ()).map_err(|r| r.reason)
    };
    let issuer = || SHARED_ISSUER.to_string();
    assert_eq!(reason(&|_| ()), Ok(()));
    let revoked = Err(Reason::CredentialRevoked);
    assert_eq!(reason(&|o| o.revoked_issuers = vec![issuer()]), revoked);
    assert_eq!(reason(&|o| o.revoked_keys = vec![RevokedKey { issuer: issuer(), id: "es".into() }]), revoked);
    assert_eq!(
        reason(&|o| o.revoked_subjects = vec![RevokedSubject { issuer: issuer(), subject: "alice".into() }]),
        revoked
    );
    assert_eq!(reason(&|o| o.revoked_tokens = vec![RevokedToken { issuer: issuer(), id: "j1".into() }]), revoked);
    // Of another issuer, the same names mean nothing.
    let other = || ACME_ISSUER.to_string();
    assert_eq!(reason(&|o| o.revoked_issuers = vec![other()]), Ok(()));
    assert_eq!(reason(&|o| o.revoked_keys = vec![RevokedKey { issuer: other(), id: "es".into() }]), Ok(()));
    assert_eq!(
        reason(&|o| o.revoked_subjects = vec![RevokedSubject { issuer: other(), subject: "alice".into() }]),
        Ok(())
    );
}
