//! `partywall review` and `partywall who` on logs of a known content; `partywall status` where nobody answers as it
//! should.

mod logs;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use logs::{READ, Request, key_file};
use serde_json::json;
use support::{copy, folder, partywall, path, sample};

const DAY: u64 = 86_400;
/// 2026-11-24T00:00:00Z
const NOW: u64 = 1_795_478_400;

#[test]
fn what_nobody_used_is_told_with_the_last_time_and_what_the_log_covers() {
    let folder = folder("review");
    let at = |days: u64| Request { time: NOW - days * DAY, ..READ };
    let deletes = Request { roles: &["accountant"], ..at(45) };
    let lines = [
        deletes.line("allow", "accountants-read-and-delete"),
        at(29).line("allow", "viewers-read"),
        at(0).line("allow", "viewers-read"),
        "{}".to_owned(),
    ];
    let log = logs::write(&folder, &lines);
    let sample = sample();
    let review = |days: &str, more: &[&str]| {
        let arguments =
            ["review", path(&sample), "--log", path(&log), "--days", days, "--until", "2026-11-24T00:00:00Z"];
        partywall(&[&arguments, more].concat())
    };
    let found = review("30", &["--json"]).ends_with(1).json();
    let unused: Vec<_> =
        found["unused"].as_array().unwrap().iter().map(|one| (&one["kind"], &one["name"], &one["last"])).collect();
    let last = json!(NOW - 45 * DAY);
    let (policy, role, consent) = (json!("policy"), json!("role"), json!("consent"));
    assert_eq!(
        unused,
        [
            (&consent, &json!("analytics"), &json!(null)),
            (&policy, &json!("accountants-read-and-delete"), &last),
            (&policy, &json!("analytics-with-consent"), &json!(null)),
            (&role, &json!("accountant"), &last),
            (&role, &json!("analyst"), &json!(null)),
        ],
        "{found}"
    );
    let walls = json!(["active-tenants-only", "no-delete-in-bronze", "own-tenant-only"]);
    assert_eq!(found["did_not_forbid"], walls, "{found}");
    assert_eq!((&found["covered"], &found["skipped"][0]["lines"]), (&json!(true), &json!(1)));
    review("30", &[])
        .ends_with(1)
        .says("decisions from 2026-10-10T00:00:00Z to 2026-11-24T00:00:00Z")
        .says("unused policy accountants-read-and-delete: last 2026-10-10T00:00:00Z")
        .says("did not have to forbid: no-delete-in-bronze, not once in the log");
    let longer = review("60", &["--json"]).ends_with(1).json();
    assert_eq!((&longer["covered"], longer["unused"].as_array().unwrap().len()), (&json!(false), 3), "{longer}");
    review("60", &[])
        .ends_with(1)
        .says("NOT COVERED: of these days the log holds only 2026-10-10T00:00:00Z to 2026-11-24");
    fs::write(&log, "{}\n").unwrap();
    review("60", &[]).ends_with(3).says("holds no decision");
}

#[test]
fn a_consent_that_held_is_used_and_one_that_was_withdrawn_is_heard_again() {
    let folder = folder("review-consent");
    let request = Request {
        subject: "dana",
        roles: &["analyst"],
        http: "GET /tenants/{tenant}/orders/analytics",
        id: "",
        owner: "acme",
        ..READ
    };
    let with = |decision: &str, why: &str, members: &[(&str, serde_json::Value)]| {
        let mut record = request.record(decision, why);
        record["action"] = json!("analytics:read");
        members.iter().for_each(|(name, value)| record[*name] = value.clone());
        logs::line(&record)
    };
    let given = with("allow", "analytics-with-consent", &[("consents", json!(["analytics"]))]);
    let log = logs::write(&folder, std::slice::from_ref(&given));
    let ran = partywall(&["review", path(&sample()), "--log", path(&log), "--days", "30"]).ends_with(1);
    assert!(!ran.stdout().contains("unused consent"), "{}", ran.stdout());

    let (sample, key) = (sample(), key_file(&folder));
    let explain =
        |line: &str| partywall(&["explain", path(&sample), "--log", line, "--fingerprint-key", path(&key), "--json"]);
    assert_eq!(explain(&given).succeeds().json()["facts"]["consents"], "analytics");
    let withdrawn = with("deny", "policy_denied", &[("withdrawn", json!(["analytics"]))]);
    let found = explain(&withdrawn).ends_with(1).json();
    assert_eq!(found["facts"]["consents"], "none; withdrawn: analytics", "{found:#}");
    assert_eq!(found["changes"][0]["change"], "the overlay takes nothing from this tenant", "{found:#}");
}

#[test]
fn a_grant_that_nobody_used_is_told_and_one_that_was_used_is_not() {
    let folder = folder("review-grants");
    let (keys, directory) = (support::keys(&folder), folder.join("served"));
    partywall(&["compile", path(&sample()), "--keys", path(&keys), "--out", path(&directory)]).succeeds();
    let grant = |n: u8| partywall_tenancy::GrantBody {
        format: partywall_tenancy::GrantBody::FORMAT,
        mesh: partywall_tenancy::MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap(),
        id: partywall_tenancy::GrantId::new([n; 16]),
        operator: partywall_tenancy::TenantId::parse("acme").unwrap(),
        subject: "alice".into(),
        tenant: partywall_tenancy::TenantId::parse("globex").unwrap(),
        actions: vec!["orders:list".into()],
        reason: "a ticket".into(),
        not_before: NOW - DAY,
        expires: NOW,
    };
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let signed = [1, 2].map(|n| grant(n).sign(&[("grant-1", &key)]).unwrap());
    let file = partywall_tenancy::join_grants(signed.iter().map(Vec::as_slice)).unwrap();
    fs::write(directory.join("tenancy.grants"), file).unwrap();
    let one = Request { time: NOW, owner: "globex", http: "GET /tenants/{tenant}/orders", id: "", ..READ };
    let log = logs::write(&folder, &[one.line("allow", &format!("grant:{}", "01".repeat(16)))]);
    let ran =
        partywall(&["review", path(&directory), "--log", path(&log), "--days", "1", "--until", "2026-11-24T00:00:00Z"]);
    let ran = ran.ends_with(1).says(&format!("unused grant grant:{}: not once in the log", "02".repeat(16)));
    assert!(!ran.stdout().contains(&"01".repeat(16)), "{}", ran.stdout());
}

#[test]
fn a_recorded_request_is_explained_as_one_on_the_command_line_is() {
    let folder = folder("explain-log");
    let (sample, key) = (sample(), key_file(&folder));
    let explain = |line: &str, more: &[&str]| {
        partywall(&[&["explain", path(&sample), "--log", line, "--fingerprint-key", path(&key)], more].concat())
    };
    let deletes =
        Request { tenant: "initech", roles: &["accountant"], service: "invoices", resource: "Invoice", ..READ };
    let line = Request { http: "DELETE /invoices/{id}", ..deletes }.line("deny", "policy_denied");
    let found = explain(&line, &["--json"]).ends_with(1).json();
    assert_eq!(
        (&found["policy"], &found["facts"]["tenant"]),
        (&json!("no-delete-in-bronze"), &json!("initech")),
        "{found}"
    );
    assert_eq!((&found["facts"]["roles"], &found["recorded"]["revision"]), (&json!("accountant"), &json!(7)));
    assert_eq!(found["changes"][0]["change"], "in the tier gold", "{found}");
    explain(&line, &[])
        .ends_with(1)
        .says("under revision 7: deny policy_denied; decided now:")
        .says("DENY, policy_denied");
    explain(&READ.line("allow", "viewers-read"), &[]).ends_with(0).says("allow by `viewers-read`; decided now:");
    let early = logs::line(&json!({ "partywall": 1, "time": 5, "decision": "deny", "reason": "tenant_missing" }));
    explain(&early, &[]).ends_with(3).says("no policy was asked about this request: deny tenant_missing");
    explain("{\"explain\":null}", &[]).ends_with(3).says("empty `explain` field");
    explain(&line, &["--tenant", "acme"]).ends_with(2);
}

#[test]
fn fingerprints_are_turned_back_by_whoever_holds_the_key() {
    let folder = folder("who");
    let directory = folder.join("tenancy");
    copy(&sample(), &directory);
    fs::write(
        directory.join("policies/more.cedar"),
        "forbid (principal == User::\"acme/bob\", action, resource == Invoice::\"42\");",
    )
    .unwrap();
    let key = key_file(&folder);
    let prints = logs::prints();
    let acme = partywall_tenancy::TenantId::parse("acme").unwrap();
    let who = |fingerprints: &[&str], more: &[&str]| {
        partywall(&[&["who"], fingerprints, &[path(&directory), "--fingerprint-key", path(&key)], more].concat())
    };
    let known = [prints.of(&acme), prints.of_principal(&acme, "bob"), prints.of_resource("Invoice", b"42")];
    who(&known.each_ref().map(String::as_str), &[])
        .ends_with(0)
        .says(&format!("{}  tenant acme", known[0]))
        .says(&format!("{}  principal acme/bob", known[1]))
        .says(&format!("{}  resource Invoice::\"42\"", known[2]));
    let found = who(&[&known[0], "t2_0000000000000000"], &["--json"]).ends_with(1).json();
    assert_eq!((&found[0]["tenant"], &found[1]["tenant"]), (&json!("acme"), &json!(null)));
    let other = prints.of_principal(&acme, "somebody");
    who(&[&other], &[]).ends_with(1).says("nobody here, or under another key");
}

/// An HTTP server that answers each connection with this.
fn answering(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            if answer.is_empty() {
                // Holds the connection and says nothing.
                thread::spawn(move || stream.read(&mut asked));
                continue;
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn stats(revision: u64, overlay: u64) -> String {
    let body = json!({ "stats": [
        { "name": "wasmcustom.partywall_bundle_revision", "value": revision },
        { "name": "wasmcustom.partywall_bundle_overlay_sequence", "value": overlay },
    ] })
    .to_string();
    answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()))
}

#[test]
fn who_is_behind_and_who_does_not_answer_is_told() {
    let (a, b) = (stats(7, 1_795_478_400_000), stats(7, 1_795_478_400_000));
    partywall(&["status", &a, &b])
        .ends_with(0)
        .says("revision 7, overlay of 2026-11-24T00:00:00Z")
        .says("2 of 2 are current");
    partywall(&["status", &a, "--want", "8"])
        .ends_with(1)
        .says("behind, revision 7")
        .says("bundle revision 7, and 8 is out");
    let old = stats(6, 1_795_478_400_000);
    let late = stats(7, 1_795_478_385_000);
    let silent = answering(String::new());
    let strange = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into());
    let empty = answering("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"stats\":[]}".into());
    let ran =
        partywall(&["status", &a, &old, &late, &silent, &strange, &empty, "127.0.0.1:1", "--timeout", "1", "--json"]);
    let found = ran.ends_with(1).json();
    let said: Vec<_> =
        found.as_array().unwrap().iter().map(|r| (r["state"].as_str().unwrap(), r["detail"].as_str())).collect();
    assert_eq!(said[0], ("current", None));
    assert_eq!(said[1], ("behind", Some("bundle revision 6, and 7 is out")));
    assert_eq!(said[2], ("behind", Some("an overlay 15.0 s older than the newest")));
    for (at, why) in [(3, "no answer within 1 s"), (4, "status 404"), (5, "no partywall gauges"), (6, "unreachable")] {
        assert!(said[at].0 == "unknown" && said[at].1.unwrap().contains(why), "{why}: {said:?}");
    }
    partywall(&["status", "https://127.0.0.1:9901"]).ends_with(2).says("plain HTTP");
}
