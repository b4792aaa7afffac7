//! `partywall compile` and `partywall inspect`, run as a person runs them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use base64::{Engine, prelude::*};
use support::{Ran, copy, fixture, folder, keys, partywall, path, sample};

const TIMES: [&str; 6] = ["--revision", "7", "--issued", "1767225600", "--expires", "1769817600"];

fn compile(tenancy: &Path, keys: &Path, out: &Path, more: &[&str]) -> Ran {
    partywall(&[&["compile", path(tenancy), "--keys", path(keys), "--out", path(out)], more].concat())
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let here = folder("compile-same");
    let keys = keys(&here);
    let elsewhere = here.join("elsewhere/with/another/name");
    copy(&sample(), &elsewhere);
    compile(&sample(), &keys, &here.join("a"), &TIMES).succeeds();
    compile(&elsewhere, &keys, &here.join("b"), &TIMES).succeeds();
    assert_eq!(bundle(&here.join("a")), bundle(&here.join("b")));

    // Names of hidden files and of README.md are no part of the source; any other byte is.
    fs::write(elsewhere.join(".gitignore"), "x").unwrap();
    fs::write(elsewhere.join("tenants/README.md"), "x").unwrap();
    compile(&elsewhere, &keys, &here.join("c"), &TIMES).succeeds();
    assert_eq!(bundle(&here.join("a")), bundle(&here.join("c")));
    let acme = elsewhere.join("tenants/acme.yaml");
    fs::write(&acme, fs::read_to_string(&acme).unwrap() + "# changed\n").unwrap();
    compile(&elsewhere, &keys, &here.join("d"), &TIMES).succeeds();
    assert_ne!(bundle(&here.join("a")), bundle(&here.join("d")));
}

#[test]
fn the_revision_grows_and_never_means_two_things() {
    let here = folder("compile-revision");
    let (keys, out) = (keys(&here), here.join("out"));
    for revision in 1..=3 {
        assert_eq!(compile(&sample(), &keys, &out, &["--json"]).succeeds().json()["revision"], revision);
    }
    let before = bundle(&out);
    compile(&sample(), &keys, &out, &["--revision", "2"]).ends_with(3).says("has revision 3 already");
    compile(&sample(), &keys, &out, &["--revision", "3", "--issued", "1"]).ends_with(3).says("has revision 3 already");
    assert_eq!(bundle(&out), before);
    compile(&sample(), &keys, &out, &["--revision", "9"]).succeeds();
    assert_eq!(compile(&sample(), &keys, &out, &["--json"]).succeeds().json()["revision"], 10);
}

#[test]
fn a_bundle_that_is_there_but_not_ours_is_left_alone() {
    let here = folder("compile-other");
    let (keys, out) = (keys(&here), here.join("out"));
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("tenancy.edge.bundle"), "garbage").unwrap();
    compile(&sample(), &keys, &out, &[]).ends_with(3).says("cannot be trusted").says("give --revision");
    assert_eq!(fs::read(out.join("tenancy.edge.bundle")).unwrap(), b"garbage");
    compile(&sample(), &keys, &out, &["--revision", "5"]).succeeds();

    let other = here.join("other");
    copy(&sample(), &other);
    let mesh = fs::read_to_string(other.join("mesh.yaml")).unwrap().replace("3f6c1e0a-", "3f6c1e0b-");
    fs::write(other.join("mesh.yaml"), mesh).unwrap();
    compile(&other, &keys, &out, &[]).ends_with(3).says("bundle of another mesh");
}

#[test]
fn without_the_private_key_nothing_is_signed() {
    let here = folder("compile-no-key");
    let (keys, out) = (keys(&here), here.join("out"));
    let key = keys.join("bundle-1.key");
    let text = fs::read_to_string(&key).unwrap();
    fs::remove_file(&key).unwrap();
    compile(&sample(), &keys, &out, &[]).ends_with(3).says("no key to sign with").says("`bundle-1.key`");

    fs::write(&key, text.replace("bundle-1", "bundle-2")).unwrap();
    compile(&sample(), &keys, &out, &[]).ends_with(3).says("holds a key called `bundle-2`, not `bundle-1`");

    // A key that does not fit its public half would give a bundle that every sidecar refuses.
    let other = fs::read_to_string(keys.join("overlay-1.key")).unwrap().replace("overlay-1", "bundle-1");
    fs::write(&key, &other).unwrap();
    let said = compile(&sample(), &keys, &out, &[]).ends_with(3).says("not the private half of `bundle-1.pub`");
    let secret = other.trim().split_once(':').unwrap().1;
    assert!(!said.stderr().contains(secret), "a private key was printed");
    assert!(!out.exists());
}

#[test]
fn a_broken_directory_writes_nothing() {
    let here = folder("compile-broken");
    let (keys, out, tenancy) = (keys(&here), here.join("out"), here.join("tenancy"));
    copy(&sample(), &tenancy);
    compile(&tenancy, &keys, &out, &[]).succeeds();
    let before = bundle(&out);
    fs::write(tenancy.join("tenants/acme.yaml"), "tenant: acme\ntier: silver\n").unwrap();
    compile(&tenancy, &keys, &out, &[]).ends_with(3).says("acme.yaml:1:1: error: a tenant needs `residency`");
    fs::write(tenancy.join("policies/readers.cedar"), "permit (principal, action, resource) when { 1 };\n").unwrap();
    copy(&sample().join("tenants"), &tenancy.join("tenants"));
    compile(&tenancy, &keys, &out, &[]).ends_with(3).says("readers.cedar:1:");
    assert_eq!(bundle(&out), before);
    let mut left: Vec<_> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    let slices = ["edge", "events", "redaction", "workload"].map(|slice| format!("tenancy.{slice}.bundle"));
    assert_eq!(left[0], "history");
    assert_eq!(left[1..], slices, "no temporary file is left");
}

#[test]
fn what_is_no_text_is_told_with_its_place() {
    let here = folder("compile-not-utf8");
    let tenancy = here.join("tenancy");
    copy(&sample(), &tenancy);
    fs::write(tenancy.join("tenants/acme.yaml"), b"tenant: acme\ntier: g\xffld\n").unwrap();
    fs::write(tenancy.join("tenants/globex.yaml"), "x".repeat(2 << 20)).unwrap();
    partywall(&["check", path(&tenancy)])
        .ends_with(3)
        .says("acme.yaml:2:8: error: this is not UTF-8 text")
        .says("globex.yaml: error: is larger than 1048576 bytes");
    partywall(&["check", path(&here.join("nowhere"))]).ends_with(3).says("is missing");
    partywall(&["check", path(&tenancy), "--keys", path(&here.join("nowhere"))]).ends_with(3).says("is no folder");
}

#[test]
fn tenants_may_stand_one_per_line() {
    let here = folder("compile-ndjson");
    let (keys, out, tenancy) = (keys(&here), here.join("out"), here.join("tenancy"));
    copy(&sample(), &tenancy);
    let file = tenancy.join("tenants/many.ndjson");
    let line = |n: usize| {
        format!("{{\"tenant\": \"t{n:04}\", \"tier\": \"gold\", \"status\": \"active\", \"residency\": \"eu\"}}\n")
    };
    let many: String = (0..2_000).map(line).collect();
    fs::write(&file, format!("\n{many}")).unwrap();
    assert_eq!(compile(&tenancy, &keys, &out, &["--json"]).succeeds().json()["tenants"], 2_003);
    let tenants = inspect(&out.join("tenancy.workload.bundle"), &keys)["tenants"].clone();
    assert_eq!(tenants[1_000]["id"], "t0997");

    // Each mistake at its line, as in a file of its own.
    let wrong = [
        ("{\"tenant\": \"x\"", "many.ndjson:3:14: error: this is not JSON"),
        (
            "{\"tenant\": \"acme\", \"tier\": \"gold\", \"status\": \"active\", \"residency\": \"eu\"}",
            "many.ndjson:3:12: error: tenant `acme` is there twice",
        ),
        (
            "{\"tenant\": \"x\", \"tier\": \"gold\", \"status\": \"actve\", \"residency\": \"eu\"}",
            "many.ndjson:3:43: error: a status is never `actve`",
        ),
        (
            "{\"tenant\": \"x\", \"tier\": \"silver\", \"status\": \"active\"}",
            "many.ndjson:3:1: error: a tenant needs `residency`",
        ),
        ("tenant: x", "many.ndjson:3:2: error: this is not JSON"),
        ("[1]", "many.ndjson:3:1: error: a tenant is written as a mapping"),
    ];
    for (text, told) in wrong {
        fs::write(&file, format!("{}\n{text}\n{}", line(1), line(2))).unwrap();
        partywall(&["check", path(&tenancy)]).ends_with(3).says(told);
    }
    fs::rename(&file, tenancy.join("services/many.ndjson")).unwrap();
    partywall(&["check", path(&tenancy)]).ends_with(3).says("services/many.ndjson: error: is not read");
}

#[test]
fn times_that_make_no_sense_are_usage() {
    let here = folder("compile-times");
    let keys = keys(&here);
    for more in [
        ["--expires", "soon", "--issued", "1"],
        ["--expires", "5", "--issued", "5"],
        ["--revision", "0", "--issued", "5"],
        ["--expires", "0d", "--issued", "5"],
    ] {
        compile(&sample(), &keys, &here.join("out"), &more).ends_with(2);
    }
    let body = inspect(&compiled(&here, &keys, &["--issued", "1000", "--expires", "30d"]), &keys);
    assert_eq!(body["expires"], 1000 + 30 * 86_400);
}

#[test]
fn a_bundle_says_what_the_directory_says() {
    let here = folder("compile-says");
    let keys = keys(&here);
    let body = inspect(&compiled(&here, &keys, &TIMES), &keys);
    assert_eq!(body["mesh"], "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11");
    assert_eq!((&body["revision"], &body["stale_after"]), (&7.into(), &300.into()));
    assert_eq!(body["trust_domain"], "mesh.example");
    let host = serde_json::json!({ "Host": { "template": "{tenant}.shop.example" } });
    let api_key = serde_json::json!({ "ApiKey": { "header": "x-api-key" } });
    assert_eq!(body["sources"], serde_json::json!({ "edge": ["Jwt", api_key, host], "inbound": [] }));
    assert_eq!(body["issuers"][0]["client_claim"], "/azp");
    assert_eq!(body["legacy_headers"], serde_json::json!(["x-tenant-id"]));
    let tenants: Vec<&str> =
        body["tenants"].as_array().unwrap().iter().map(|tenant| tenant["id"].as_str().unwrap()).collect();
    assert_eq!(tenants, ["acme", "globex", "initech"]);
    let acme = &body["tenants"][0];
    let sets = (serde_json::json!(["export"]), serde_json::json!(["analytics"]));
    assert_eq!((&acme["features"], &acme["consents"]), (&sets.0, &sets.1), "of the profile, and of the record");
    assert_eq!(body["tenants"][1]["consents"], serde_json::json!([]));
    assert_eq!(body["issuers"][0]["tenants"], serde_json::json!({ "Only": ["acme"] }));
    assert_eq!(body["issuers"][1]["tenants"], "All");
    assert_eq!(body["signers"][0]["workload"], "spiffe://mesh.example/ns/edge/sa/gateway");
    assert_eq!(body["services"][1]["clusters"], serde_json::json!(["orders"]));
    assert_eq!(body["services"][1]["max_context_age"], 120);
    assert_eq!(body["services"][1]["recover"], "Handle");
    assert_eq!(body["services"][1]["operations"][0]["anonymous"], false);
    assert_eq!(
        body["services"][1]["operations"][1]["owner"],
        serde_json::json!({ "Shown": { "places": [{ "Path": "tenant" }], "or_none": false } })
    );
    assert_eq!(
        body["program"]["policies"],
        serde_json::json!([
            "accountants-read-and-delete",
            "no-delete-in-bronze",
            "analytics-with-consent",
            "viewers-read",
            "own-tenant-only",
            "active-tenants-only"
        ])
    );
    assert!(!body.to_string().contains("ops@acme.example"), "contacts never enter a bundle");
    let raw = bundle(&here.join("out"));
    assert!(!raw.windows(16).any(|w| w == b"ops@acme.example"));
}

/// OpenSSL wrote the PEM files, and another program made the JWK sets of them.
#[test]
fn keys_come_out_as_openssl_writes_them() {
    let here = folder("compile-spki");
    let (keys, tenancy) = (keys(&here), here.join("tenancy"));
    fs::copy(fixture("id.more.example.jwks.json"), keys.join("id.more.example.jwks.json")).unwrap();
    copy(&sample(), &tenancy);
    let mesh = fs::read_to_string(tenancy.join("mesh.yaml")).unwrap()
        + "  - { issuer: x, audiences: [a], tenant_claim: /t, roles_claim: /r, jwks: id.more.example.jwks.json, tenants: all }\n";
    fs::write(tenancy.join("mesh.yaml"), mesh).unwrap();
    compile(&tenancy, &keys, &here.join("out"), &TIMES).succeeds();
    let body = inspect(&here.join("out/tenancy.edge.bundle"), &keys);
    let mut compared = Vec::new();
    let inline = body["issuers"].as_array().unwrap().iter().map(|issuer| issuer["keys"]["Inline"].as_array().unwrap());
    for key in inline.flatten() {
        let pem = fs::read_to_string(fixture(&format!("{}.pem", key["id"].as_str().unwrap()))).unwrap();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let wanted = BASE64_STANDARD.decode(base64).unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(key["spki"].as_str().unwrap()).unwrap(), wanted, "{}", key["id"]);
        compared.push(key["algorithm"].as_str().unwrap().to_owned());
    }
    assert_eq!(compared, ["RS256", "RS256", "RS256", "ES256", "ES256", "RS384", "RS512", "PS256", "ES384", "EdDSA"]);
}

/// A directory that says everything there is to say.
#[test]
fn every_source_and_binding_reaches_the_bundle() {
    let here = folder("compile-everything");
    let (keys, tenancy) = (keys(&here), here.join("tenancy"));
    copy(&sample(), &tenancy);
    let edit = |name: &str, change: &dyn Fn(String) -> String| {
        let path = tenancy.join(name);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    };
    // What the sample shows as comments is meant to be used.
    edit("mesh.yaml", &|mesh| {
        let mesh = ["- certificate", "- path", "- header", "inbound:", "  - certificate", "client_claim", "bindings"]
            .iter()
            .fold(mesh, |mesh, start| mesh.replace(&format!("# {start}"), start))
            .replace("    # symmetric_keys", "    symmetric_keys")
            .replace("tenants: all # or a list", "tenants: all\n  - { id: orders-1, workload: spiffe://mesh.example/ns/shop/sa/orders, tenants: [acme] } #");
        let gateways = ["gw/sa/west", "gw/sa/east"].map(|w| format!("spiffe://mesh.example/ns/{w}")).join(", ");
        format!("gateways: [{gateways}]\n{mesh}")
            + "  - { issuer: f, audiences: [a], tenant_claim: /t, roles_claim: /r, tenants: all, jwks: { cluster: identity, authority: id.example, path: /jwks.json } }\n"
    });
    edit("services/orders.yaml", &|orders| {
        let named =
            ["own_tenant", "act_for"].iter().fold(orders, |o, n| o.replace(&format!("# {n}:"), &format!("{n}:")));
        named.replace("# recover: handle", "recover: traceparent")
            + "  - { http: POST /login, action: \"orders:login\", resource: Order, owner: none, anonymous: true }\n"
    });
    fs::write(keys.join("orders-1.pub"), "orders-1:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\n").unwrap();
    let env = keys.join("edge.env");
    let args =
        ["--tenant", "acme", "--principal", "export", "--role", "viewer", "--expires", "90d", "--env", path(&env)];
    let made = ["5f2c09b1d3e47a86", "0f2c09b1d3e47a86"];
    for id in made {
        partywall(&[&["keys", "api-key", "--id", id, "--append", path(&tenancy)], &args[..]].concat()).succeeds();
    }
    compile(&tenancy, &keys, &here.join("out"), &[]).succeeds().says("note: anybody may call `POST /login`");

    let file = here.join("out/tenancy.edge.bundle");
    let body = inspect(&file, &keys);
    let workload = inspect(&here.join("out/tenancy.workload.bundle"), &keys);
    assert_eq!(body["sources"]["edge"].as_array().unwrap().len(), 7, "{}", body["sources"]);
    assert_eq!(workload["sources"]["inbound"].as_array().unwrap().len(), 1);
    assert_eq!(body["legacy_headers"], serde_json::json!(["x-tenant-id", "x-shop-tenant"]));
    let ids: Vec<_> = body["api_keys"].as_array().unwrap().iter().map(|k| k["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["0f2c09b1d3e47a86", "5f2c09b1d3e47a86"], "sorted, as sidecars ask for");
    let gateways = ["spiffe://mesh.example/ns/gw/sa/east", "spiffe://mesh.example/ns/gw/sa/west"];
    assert_eq!(workload["gateways"], serde_json::json!(gateways), "sorted, as sidecars ask for");
    let acme = &body["issuers"][0];
    let bound = serde_json::json!([{ "tenant": "acme", "audiences": ["shop"], "clients": ["web-app"] }]);
    assert_eq!(acme["bindings"], bound);
    let last = acme["keys"]["Inline"].as_array().unwrap().last().unwrap();
    assert_eq!(*last, serde_json::json!({ "id": "hs-1", "algorithm": "HS256", "spki": "" }));
    let fetched = serde_json::json!({ "Fetched": { "cluster": "identity", "authority": "id.example", "path": "/jwks.json", "max_age": 3600 } });
    assert_eq!(body["issuers"][2]["keys"], fetched);
    let orders = &body["services"][1];
    assert_eq!((&orders["recover"], &orders["own_tenant"]), (&"TraceParent".into(), &serde_json::Value::Null));
    let headers = serde_json::json!(["x-tenant-id", "x-shop-tenant", "x-api-key"]);
    assert_eq!(workload["legacy_headers"], headers, "an API key is no service's business");
    let orders = &workload["services"][1];
    assert_eq!(orders["own_tenant"], "acme");
    assert_eq!(orders["act_for"], serde_json::json!({ "tenants": { "Only": ["acme"] }, "fetched": null }));
    assert_eq!(orders["operations"][3]["anonymous"], true);
    partywall(&["inspect", path(&file)])
        .says("selecting: header x-shop-tenant from spiffe://mesh.example/ns/*/sa/partner-gateway")
        .says("proving: certificate DNS name {tenant}.clients.example")
        .says("acme only for shop by client web-app")
        .says("hs-1 (HS256)")
        .says("id.example/jwks.json by cluster identity")
        .says("export of acme, roles viewer, scopes none, hashed with 1, until ")
        .says("POST /login is orders:login, owner not shown, FOR ANYBODY");
    partywall(&["inspect", path(&here.join("out/tenancy.workload.bundle"))])
        .says("gateway          spiffe://mesh.example/ns/gw/sa/east")
        .says("works for acme by itself");

    let out = here.join("out");
    let revoke = |args: &[&str]| partywall(&[&["revoke"], args, &["--dir", path(&out)]].concat());
    revoke(&["api-key", "5f2c09b1d3e47a87"]).ends_with(3).says("did you mean `5f2c09b1d3e47a86`?");
    let whole = revoke(&["api-key", "pw1.5f2c09b1d3e47a86.ICEiIyQl"]).ends_with(2).says("between the two dots");
    assert!(!whole.stderr().contains("ICEiIyQl"), "a key was printed");
    revoke(&["api-key", "5f2c09b1d3e47a86"]).succeeds().says("is revoked");
    let overlay = fs::read_to_string(out.join("overlay.yaml")).unwrap();
    assert!(overlay.contains("revoked_api_keys:\n  - \"5f2c09b1d3e47a86\"\n"), "{overlay}");
    let key = |issuer, kid| revoke(&["key", "--issuer", issuer, "--kid", kid]);
    key("https://id.acme.example", "acme-rs-9").ends_with(3).says("did you mean `acme-rs-");
    // What a sidecar fetches is not known here.
    key("f", "any").succeeds().says("is revoked");
}

#[test]
fn inspect_says_what_is_proved_and_what_is_not() {
    let here = folder("inspect");
    let (keys, other) = (keys(&here), here.join("other"));
    let file = compiled(&here, &keys, &["--issued", "1000", "--expires", "9999999999"]);
    partywall(&["inspect", path(&file)]).succeeds().says("NOT VERIFIED").says("viewers-read");
    partywall(&["inspect", path(&file), "--keys", path(&keys)])
        .succeeds()
        .says("verified, with the public key of bundle-1");
    partywall(&["keys", "new", path(&other)]).succeeds();
    partywall(&["inspect", path(&file), "--keys", path(&other)]).ends_with(3).says("no valid signature");

    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    partywall(&["inspect", path(&file), "--keys", path(&keys)]).ends_with(3);
    fs::write(&file, "garbage").unwrap();
    partywall(&["inspect", path(&file)]).ends_with(3).says("no Partywall statement");
    let old = compiled(&folder("inspect-old"), &keys, &["--issued", "1000", "--expires", "2000"]);
    partywall(&["inspect", path(&old), "--keys", path(&keys)]).ends_with(1).says("past its expiry");
}

fn compiled(here: &Path, keys: &Path, more: &[&str]) -> PathBuf {
    compile(&sample(), keys, &here.join("out"), more).succeeds();
    here.join("out/tenancy.edge.bundle")
}

fn bundle(out: &Path) -> Vec<u8> {
    let read = |audience| fs::read(out.join(format!("tenancy.{audience}.bundle"))).unwrap();
    ["edge", "workload", "events", "redaction"].map(read).concat()
}

fn inspect(file: &Path, keys: &Path) -> serde_json::Value {
    let ran = partywall(&["inspect", path(file), "--keys", path(keys), "--json"]);
    let json = ran.json();
    assert_eq!(json["verified"], true);
    json["body"].clone()
}
