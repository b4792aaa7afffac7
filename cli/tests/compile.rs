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
    fs::write(out.join("tenancy.bundle"), "garbage").unwrap();
    compile(&sample(), &keys, &out, &[]).ends_with(3).says("cannot be trusted").says("give --revision");
    assert_eq!(bundle(&out), b"garbage");
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
    fs::write(tenancy.join("tenants/acme.yaml"), "tenant: acme\ntier: gold\n").unwrap();
    compile(&tenancy, &keys, &out, &[]).ends_with(3).says("acme.yaml:1:1: error: a tenant needs `residency`");
    fs::write(tenancy.join("policies/readers.cedar"), "permit (principal, action, resource) when { 1 };\n").unwrap();
    copy(&sample().join("tenants"), &tenancy.join("tenants"));
    compile(&tenancy, &keys, &out, &[]).ends_with(3).says("readers.cedar:1:");
    assert_eq!(bundle(&out), before);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1, "no temporary file is left");
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
    assert_eq!(body["hosts"], serde_json::json!(["{tenant}.shop.example"]));
    assert_eq!(body["legacy_headers"], serde_json::json!(["x-tenant-id"]));
    let tenants: Vec<&str> =
        body["tenants"].as_array().unwrap().iter().map(|tenant| tenant["id"].as_str().unwrap()).collect();
    assert_eq!(tenants, ["acme", "globex", "initech"]);
    assert_eq!(body["issuers"][0]["tenants"], serde_json::json!({ "Only": ["acme"] }));
    assert_eq!(body["issuers"][1]["tenants"], "All");
    assert_eq!(body["signers"][0]["workload"], "spiffe://mesh.example/ns/edge/sa/gateway");
    assert_eq!(body["services"][1]["clusters"], serde_json::json!(["orders"]));
    assert_eq!(body["services"][1]["max_context_age"], 120);
    assert_eq!(body["services"][1]["operations"][1]["owner"], serde_json::json!({ "Path": "tenant" }));
    assert_eq!(
        body["program"]["policies"],
        serde_json::json!(["no-delete-in-bronze", "accountants-read-and-delete", "viewers-read"])
    );
    assert!(!body.to_string().contains("ops@acme.example"), "contacts never enter a bundle");
    let raw = bundle(&here.join("out"));
    assert!(!raw.windows(16).any(|w| w == b"ops@acme.example"));
}

/// OpenSSL wrote the PEM files, and another program made the JWK sets of them.
#[test]
fn keys_come_out_as_openssl_writes_them() {
    let here = folder("compile-spki");
    let keys = keys(&here);
    let body = inspect(&compiled(&here, &keys, &TIMES), &keys);
    let mut compared = 0;
    for key in body["issuers"].as_array().unwrap().iter().flat_map(|issuer| issuer["keys"].as_array().unwrap()) {
        let pem = fs::read_to_string(fixture(&format!("{}.pem", key["id"].as_str().unwrap()))).unwrap();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let wanted = BASE64_STANDARD.decode(base64).unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(key["spki"].as_str().unwrap()).unwrap(), wanted, "{}", key["id"]);
        compared += 1;
    }
    assert_eq!(compared, 5);
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
    here.join("out/tenancy.bundle")
}

fn bundle(out: &Path) -> Vec<u8> {
    fs::read(out.join("tenancy.bundle")).unwrap()
}

fn inspect(file: &Path, keys: &Path) -> serde_json::Value {
    let ran = partywall(&["inspect", path(file), "--keys", path(keys), "--json"]);
    let json = ran.json();
    assert_eq!(json["verified"], true);
    json["body"].clone()
}
