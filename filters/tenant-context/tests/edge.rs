//! At the edge: JWT and host to one tenant, or a denial.
#![allow(missing_docs)]

mod common;

use common::*;
use partywall_tenancy::{Reason, TenantContext};
use partywall_tenant_context::{Established, Rejection, Request, establish_edge};
use serde_json::json;

fn establish(more: &[(&str, &str)]) -> Result<TenantContext, Rejection> {
    let headers = headers(more);
    let view = view();
    let memos = Memos::new();
    match establish_edge(&Request::from_headers(&headers), &evidence(&view, &memos, NOW, b""), false)? {
        Established::Proved(context, _) => Ok(context),
        Established::Anonymous(_) => panic!("nobody asked for an anonymous operation"),
    }
}

fn with_token(token: &str) -> Result<TenantContext, Rejection> {
    establish(&[("authorization", &format!("Bearer {token}"))])
}

fn reason(outcome: Result<TenantContext, Rejection>) -> Reason {
    outcome.expect_err("must be denied").reason
}

#[test]
fn a_valid_token_proves_its_tenant() {
    let context = with_token(&token(&claims(|_| ()))).unwrap();
    assert_eq!((context.tenant.as_str(), context.principal.as_str(), context.tier.as_str()), ("acme", "alice", "gold"));
    assert_eq!((context.roles, context.scopes), (vec!["viewer".to_string()], vec!["read".into(), "write".into()]));
}

#[test]
fn both_algorithms_work_in_every_spelling_of_the_scheme() {
    let claims = claims(|c| c["iss"] = json!(ACME_ISSUER));
    let rs = jws(r#"{"alg":"RS256","kid":"rs","typ":"at+jwt"}"#, &claims.to_string(), rs256);
    assert!(with_token(&rs).is_ok());
    assert!(establish(&[("authorization", &format!("bEaReR  {rs}"))]).is_ok());
}

#[test]
fn without_a_token_of_ours_nobody_is_let_in() {
    let foreign = token(&claims(|c| c["iss"] = json!("https://id.elsewhere.example")));
    for authorization in ["Basic YTpi", "Bearer", "Bearer x", "Bearer a.b.c", &format!("Bearer {foreign}")] {
        assert_eq!(reason(establish(&[("authorization", authorization)])), Reason::TenantMissing, "{authorization}");
    }
    let bare = establish(&[]).unwrap_err();
    assert_eq!((bare.reason, bare.proved), (Reason::TenantMissing, false));
}

#[test]
fn a_host_only_narrows() {
    let token = format!("Bearer {}", token(&claims(|_| ())));
    let at = |host: &str| establish(&[("authorization", &token), (":authority", host)]);
    assert_eq!(at("gateway.example").unwrap().tenant.as_str(), "acme");
    assert_eq!(reason(at("globex.shop.example")), Reason::TenantConflict);
    assert_eq!(reason(at("platform.shop.example")), Reason::TenantInvalid);
}

#[test]
fn a_tenant_that_may_not_act_has_its_own_reason() {
    for (tenant, why) in [
        ("hooli", Reason::TenantUnknown),
        ("initech", Reason::TenantSuspended),
        ("Acme", Reason::TenantInvalid),
        ("platform", Reason::TenantInvalid),
    ] {
        let token = format!("Bearer {}", token(&claims(|c| c["tenant"] = json!(tenant))));
        let denied = establish(&[("authorization", &token), (":authority", "gateway.example")]).unwrap_err();
        assert_eq!((denied.reason, denied.proved), (why, true), "{tenant}");
    }
}

#[test]
fn an_issuer_names_only_its_own_tenants() {
    let claims = claims(|c| {
        c["iss"] = json!(ACME_ISSUER);
        c["tenant"] = json!("globex");
    });
    let token = jws(r#"{"alg":"RS256","kid":"rs"}"#, &claims.to_string(), rs256);
    assert_eq!(reason(with_token(&token)), Reason::CredentialInvalid);
}

#[test]
fn every_wrong_claim_is_refused() {
    let cases: &[(&str, serde_json::Value, Reason)] = &[
        ("exp", json!(NOW - 31), Reason::CredentialExpired),
        ("exp", json!("soon"), Reason::CredentialInvalid),
        ("exp", json!(-1), Reason::CredentialInvalid),
        ("exp", json!(1e300), Reason::CredentialInvalid),
        ("exp", json!(null), Reason::CredentialInvalid),
        ("nbf", json!(NOW + 31), Reason::CredentialInvalid),
        ("iat", json!(NOW + 31), Reason::CredentialInvalid),
        ("iat", json!([]), Reason::CredentialInvalid),
        ("aud", json!("other"), Reason::CredentialInvalid),
        ("aud", json!(["other", 1]), Reason::CredentialInvalid),
        ("aud", json!(null), Reason::CredentialInvalid),
        ("sub", json!(""), Reason::CredentialInvalid),
        ("sub", json!(7), Reason::CredentialInvalid),
        ("sub", json!("alice\r\nx-partywall-tenant: globex"), Reason::CredentialInvalid),
        ("sub", json!("a".repeat(256)), Reason::CredentialInvalid),
        ("jti", json!(1), Reason::CredentialInvalid),
        ("jti", json!("revoked"), Reason::CredentialRevoked),
        ("scope", json!(["read"]), Reason::CredentialInvalid),
        ("tenant", json!([]), Reason::CredentialInvalid),
        ("tenant", json!({"id": "acme"}), Reason::CredentialInvalid),
        ("roles", json!({"a": 1}), Reason::CredentialInvalid),
    ];
    for (claim, value, why) in cases {
        let token = token(&claims(|c| c[*claim] = value.clone()));
        assert_eq!(reason(with_token(&token)), *why, "{claim} = {value}");
    }
    for missing in ["exp", "aud", "sub", "tenant"] {
        let token = token(&claims(|c| drop(c.as_object_mut().unwrap().remove(missing))));
        assert_eq!(reason(with_token(&token)), Reason::CredentialInvalid, "without {missing}");
    }
}

#[test]
fn clocks_may_differ_by_the_skew() {
    for (claim, value) in [("exp", NOW - 30), ("nbf", NOW + 30), ("iat", NOW + 30)] {
        assert!(with_token(&token(&claims(|c| c[claim] = json!(value)))).is_ok(), "{claim}");
    }
    assert!(with_token(&token(&claims(|c| c["exp"] = json!(NOW as f64 + 10.5)))).is_ok());
    assert!(with_token(&token(&claims(|c| c["aud"] = json!(["other", "shop"])))).is_ok());
}

#[test]
fn a_token_chooses_a_key_and_nothing_else() {
    let payload = claims(|_| ()).to_string();
    for header in [
        r#"{"alg":"none","kid":"es"}"#,
        r#"{"alg":"HS256","kid":"es"}"#,
        r#"{"alg":"RS256","kid":"es"}"#,
        r#"{"alg":"es256","kid":"es"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","kid":"rs"}"#,
        r#"{"alg":"ES256","kid":"unknown"}"#,
        r#"{"alg":"ES256","kid":["es"]}"#,
        r#"{"alg":"ES256","alg":"ES256","kid":"es"}"#,
        r#"{"alg":"ES256","kid":"es","crit":["b64"],"b64":false}"#,
        r#"{"alg":"ES256","kid":"es","typ":"partywall-root+jwt"}"#,
        r#"{"alg":"ES256","kid":"es","typ":1}"#,
        r#"["ES256"]"#,
        "",
    ] {
        assert_eq!(reason(with_token(&jws(header, &payload, es256))), Reason::CredentialInvalid, "{header}");
    }
    let brings_a_key = r#"{"alg":"ES256","kid":"es","jwk":{"kty":"EC"},"jku":"https://evil.example"}"#;
    assert!(with_token(&jws(brings_a_key, &payload, es256)).is_ok(), "ignored, not believed");
}

#[test]
fn a_touched_token_is_refused() {
    let good = token(&claims(|_| ()));
    let parts: Vec<&str> = good.split('.').collect();
    let other = token(&claims(|c| c["tenant"] = json!("globex")));
    let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
    assert_eq!(reason(with_token(&swapped)), Reason::CredentialInvalid);
    assert_eq!(reason(with_token(&format!("{}.{}.", parts[0], parts[1]))), Reason::CredentialInvalid);
    let repeated = r#"{"iss":"https://id.shared.example","sub":"a","aud":"shop","exp":1900000000,"tenant":"acme","tenant":"globex"}"#;
    let repeated = jws(r#"{"alg":"ES256","kid":"es"}"#, repeated, es256);
    assert_eq!(reason(with_token(&repeated)), Reason::CredentialInvalid);
    let long = token(&claims(|c| c["padding"] = json!("a".repeat(9000))));
    assert_eq!(reason(with_token(&long)), Reason::TenantMissing, "over the bound, so it is not read at all");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_first() {
    let token = format!("Bearer {}", token(&claims(|_| ())));
    for other in [
        ("authorization", "Basic YTpi"),
        ("authorization", ""),
        (":path", "/a%2fb"),
        (":authority", "u@acme.shop.example"),
        (":method", "get"),
    ] {
        let outcome = establish(&[("authorization", &token), other]);
        assert_eq!(reason(outcome), Reason::AmbiguousRequest, "{other:?}");
    }
}

#[test]
fn credentials_joined_by_the_host_are_seen_as_several() {
    let good = token(&claims(|_| ()));
    for joined in
        [format!("Bearer {good},Bearer {good}"), format!("Basic YTpi, bearer {good}"), format!("Bearer {good},")]
    {
        assert_eq!(reason(establish(&[("authorization", &joined)])), Reason::AmbiguousRequest, "{joined}");
    }
    let other_scheme = "AWS4-HMAC-SHA256 Credential=a, Signature=b";
    assert_eq!(reason(establish(&[("authorization", other_scheme)])), Reason::TenantMissing);
}

#[test]
fn client_headers_of_ours_prove_nothing() {
    assert_eq!(reason(establish(&[("x-partywall-tenant", "acme"), ("x-tenant-id", "acme")])), Reason::TenantMissing);
}
