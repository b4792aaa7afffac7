//! The schemas and the reader say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{KINDS, Kind, values};
use crate::diagnostic::Source;
use crate::directory::{self, Value, asked, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the module reads and this crate does not: `integration/tests/plugin_configuration.rs` holds it.
const PLUGINS: [&str; 2] = ["plugin", "kafka-scope"];

#[test]
fn the_schemas_in_the_repository_are_current() {
    let folder = root().join("docs/schemas");
    for kind in KINDS {
        let kept = fs::read_to_string(folder.join(kind.file())).unwrap_or_default();
        assert!(kept == kind.text(), "run `partywall schema --out docs/schemas`: {} is old", kind.file());
    }
    let files = fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, KINDS.len(), "there is a file in docs/schemas that nobody writes");
}

#[test]
fn every_schema_is_one_and_its_examples_fit() {
    for kind in KINDS {
        let schema = kind.schema();
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{}", kind.name);
        each(&schema, &mut |part| {
            let validator = jsonschema::validator_for(part).unwrap();
            for example in part.get("examples").and_then(Json::as_array).into_iter().flatten() {
                assert!(validator.is_valid(example), "{example} is no example of {part:#}");
            }
            let described = part.get("type").is_none() || part.get("description").is_some_and(Json::is_string);
            assert!(described || part.get("minItems").is_some(), "{}: nothing is said about {part:#}", kind.name);
        });
    }
}

/// What the reader asks for is in the schema of the same name, and nothing else is.
#[test]
fn schema_and_reader_have_the_same_fields() {
    let cases = cases();
    assert!(cases.len() > 200, "only {} directories were read", cases.len());
    let read = |good: bool| {
        asked::take();
        for (_, name, files) in cases.iter().filter(|(exit, ..)| !good || *exit == 0) {
            directory::read(&lay(files, name), None);
        }
        others();
        asked::take()
    };
    // What must be there is told by directories in which it is.
    let (all, good) = (read(false), read(true));
    let asked = all.into_iter().map(|(what, (known, _))| {
        let needed = good.get(what).map(|(_, needed)| needed.clone()).unwrap_or_default();
        (what, (known, needed))
    });
    let mut said: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for kind in KINDS.iter().filter(|kind| !PLUGINS.contains(&kind.name)) {
        each(&kind.schema(), &mut |part| {
            let Some(title) = part.get("title").and_then(Json::as_str) else { return };
            let names = |value: Option<&Json>| match value {
                Some(Json::Object(map)) => map.keys().cloned().collect(),
                Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
                _ => BTreeSet::new(),
            };
            said.insert(title.to_owned(), (names(part.get("properties")), names(part.get("required"))));
        });
    }
    let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let asked: BTreeMap<String, _> =
        asked.map(|(what, (known, needed))| (what.to_owned(), (owned(known), owned(needed)))).collect();
    for (what, fields) in &asked {
        assert_eq!(said.get(what), Some(fields), "{what}: the schema (left) and the reader (right) differ");
    }
    let unread: Vec<_> = said.keys().filter(|what| !asked.contains_key(*what)).collect();
    assert!(unread.is_empty(), "no case reads {unread:?}");
}

/// What lies in no directory, is not read with it, or asks for keys that the cases do not have.
fn others() {
    let mesh = fs::read_to_string(root().join("envoy-config/tenancy/mesh.yaml")).unwrap();
    let mesh = mesh.replace("  overlay: [overlay-1]\n", "  overlay: [overlay-1]\n  grants: [grant-1, grant-2]\n")
        + "grants: { longest: 4h, actions: [\"invoices:read\"], tenants: all }\n";
    let read = directory::read(&lay(&(Files::from([("mesh.yaml".to_owned(), mesh)]), vec![]), "grants"), None);
    assert!(read.directory().is_some(), "{:?}", read.diagnostics);
    let link = "[{ template_id: t, link_id: l, args: { '?principal': 'Role::\"viewer\"' } }]";
    assert!(directory::links::links(&Source::new("links.yaml", link)).is_ok());
    let case = |name: &str, given: &str| {
        let when = "when: { service: s, request: GET /, route: { mode: shadow } }, then: { decision: allow }";
        format!("{{ name: {name}, given: {{ {given} }}, {when} }}")
    };
    let shown = "token: { issuer: i, claims: {} }, certificate: { uri: u }";
    let topic = "{ name: z, given: { tenant: acme }, when: { cluster: c, kafka: 'events:consume orders', time: 2026-01-31T00:00:00Z }, then: { decision: allow } }";
    let cases = format!("cases: [{}, {}, {topic}]", case("x", "tenant: acme"), case("y", shown));
    assert!(crate::cases::read(&Source::new("cases.yaml", cases)).is_ok());
    for file in ["envoy-config/deployment.yaml", "envoy-config/kafka/deployment.yaml"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(crate::deployment::of(&Source::new("deployment.yaml", text), "mesh.example").is_ok(), "{file}");
    }
    let _ = crate::overlay::Withdrawn::read(&Source::new(
        "overlay.yaml",
        "revoked_tokens: [{ issuer: i, id: x }]\nrevoked_subjects: [{ issuer: i, subject: x }]\nrevoked_keys: [{ issuer: i, kid: x }]\nwithdrawn_consents: [{ tenant: acme, consent: x }]",
    ));
}

/// Every file of a directory that is good is good by its schema, too.
#[test]
fn what_the_reader_takes_is_valid() {
    let validators: BTreeMap<&str, jsonschema::Validator> =
        KINDS.iter().map(|kind| (kind.name, jsonschema::validator_for(&kind.schema()).unwrap())).collect();
    let mut checked = BTreeMap::new();
    let mut check = |file: &Path, relative: &str| {
        let Some(kind) = kind_of(relative) else { return };
        let value = json_of(&fs::read_to_string(file).unwrap()).unwrap();
        let wrong: Vec<String> =
            validators[kind.name].iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", file.display());
        *checked.entry(kind.name).or_insert(0) += 1;
    };
    for (exit, text, files) in cases() {
        if exit == 0 {
            let folder = lay(&files, &text);
            below(&folder, &folder, &mut check);
        }
    }
    let examples = fs::read_dir(root().join("docs/examples")).unwrap().map(|e| e.unwrap().path().join("tenancy"));
    for folder in examples.filter(|folder| folder.is_dir()) {
        below(&folder, &folder, &mut check);
    }
    let sample = root().join("envoy-config/tenancy");
    below(&sample, &sample, &mut check);
    check(&root().join("envoy-config/deployment.yaml"), "deployment.yaml");
    for kind in KINDS.iter().filter(|kind| kind.name != "overlay" && !PLUGINS.contains(&kind.name)) {
        assert!(checked.get(kind.name).is_some_and(|n| *n > 0), "no good file of kind {}: {checked:?}", kind.name);
    }
    eprintln!("{checked:?}");
}

/// A mistake that one file shows is seen by its schema in most cases; these are the others.
#[test]
fn what_one_file_shows_to_be_wrong_is_invalid() {
    let mistakes = [
        ("tenant", "tenant: acme\nteir: gold\nresidency: eu\nstatus: active\n"),
        ("tenant", "tenant: platform\ntier: gold\nstatus: active\n"),
        ("tenant", "tenant: acme\ntier: gold\nstatus: paused\n"),
        ("tenant", "tenant: acme\ntier: gold\nstatus: active\nlimits: { requests_per_second: 0 }\n"),
        ("tenant", "tenant: acme\ntier: 7\nstatus: active\n"),
        ("profile", "profile: gold\ntier: gold\n"),
        ("retired", "retired: [{ tenant: acme, since: yesterday }]\n"),
        ("api-keys", "api_keys: [{ id: x }]\n"),
        ("datasets", "datasets: [{ classification: internal }]\n"),
        ("overlay", "suspended: acme\n"),
        ("overlay", "suspended: [Acme]\n"),
        ("cases", "cases: []\n"),
        (
            "cases",
            "cases: [{ name: x, given: { tenant: acme }, when: { service: s, request: GET / }, then: { decision: allow, reason: policy_denied } }]\n",
        ),
        ("mesh", "mesh: 3f6c1e0a\n"),
        ("deployment", "admin: { address: \"x y\", port: 0 }\n"),
        ("service", "service: orders\n"),
        ("events", "clusters: [{ cluster: x, spiffe_id: 'spiffe://mesh.example/x', region: eu }]\n"),
        ("events", "clusters: []\n"),
        ("redaction", "replace: { email: hide }\n"),
        ("redaction", "fields: [{ rules: [{ path: x }] }]\n"),
        ("redaction", "tenants: everybody\n"),
        ("redaction", "bounds: { record: 4 }\n"),
        ("share", "share: x\nowner: acme\nto: all\nactions: [a]\nservices: [s]\n"),
    ];
    for (name, text) in mistakes {
        let schema = Kind::named(name).unwrap().schema();
        assert!(!jsonschema::is_valid(&schema, &json_of(text).unwrap()), "{name}: {text}");
    }
}

/// Each pattern takes what the reader's own code takes.
#[test]
fn patterns_and_reader_take_the_same_words() {
    let long = "a".repeat(64);
    let words = [
        "",
        "a",
        "acme",
        "a-b",
        "-a",
        "a-",
        "A",
        "a.b",
        "a_b",
        "a b",
        "é",
        "a\n",
        "0",
        ".a",
        "_a",
        "a.",
        &long,
        &long[1..],
        "bundle-1",
        "x-tenant-id",
        "x-partywall-tenant",
        "host:x",
        "spiffe://mesh.example/a",
        "spiffe://mesh.example",
        "spiffe://mesh.example/",
        "spiffe://mesh.example/a//b",
        "spiffe://mesh.example/../a",
        "spiffe://mesh.example/..a",
        "spiffe://mesh.example/a/..",
        "spiffe://M/a",
        "spiffe://mesh.example/a?b",
        "spiffe://mesh.example/*/b",
        "30s",
        "5",
        "2h",
        "5 m",
        "1.5h",
        "30d",
        "m",
    ];
    let fits = |pattern: &str, word: &str| {
        jsonschema::is_valid(&json!({ "type": "string", "pattern": pattern }), &json!(word))
    };
    for word in words {
        assert_eq!(fits(values::LABEL, word), directory::is_label(word), "label `{word:?}`");
        assert_eq!(fits(values::NAME, word), directory::is_name(word), "name `{word:?}`");
        assert_eq!(fits(values::DURATION, word), directory::parse_duration(word).is_some(), "duration `{word:?}`");
        let spiffe = partywall_tenancy::SpiffeId::parse(word).is_ok();
        assert_eq!(fits(values::SPIFFE_ID, word), spiffe, "SPIFFE ID `{word:?}`");
    }
}

/// Calls `on` with every schema within `schema`, itself first.
fn each(schema: &Json, on: &mut impl FnMut(&Json)) {
    let Json::Object(fields) = schema else { return };
    on(schema);
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("properties", Json::Object(inner)) => inner.values().for_each(|s| each(s, on)),
            ("items", inner) => each(inner, on),
            ("anyOf" | "oneOf", Json::Array(inner)) => inner.iter().for_each(|s| each(s, on)),
            _ => {}
        }
    }
}

fn kind_of(relative: &str) -> Option<&'static Kind> {
    let name = match relative {
        "mesh.yaml" => "mesh",
        "deployment.yaml" => "deployment",
        "api-keys.yaml" => "api-keys",
        "datasets.yaml" => "datasets",
        "events.yaml" => "events",
        "redaction.yaml" => "redaction",
        "tenants/retired.yaml" => "retired",
        "policies/links.yaml" => "links",
        other => match other.split_once('/')? {
            ("tenants", _) => "tenant",
            ("profiles", _) => "profile",
            ("services", _) => "service",
            ("shares", _) => "share",
            ("cases", _) => "cases",
            _ => return None,
        },
    };
    KINDS.iter().find(|kind| kind.name == name).filter(|_| relative.ends_with(".yaml"))
}

fn below(folder: &Path, top: &Path, on: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, top, on);
        } else {
            on(&path, &path.strip_prefix(top).unwrap().to_string_lossy());
        }
    }
}

/// A file as the reader sees it.
fn json_of(text: &str) -> Option<Json> {
    fn of(value: &Value<'_>) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Text(text) => json!(text),
            Value::Scalar(scalar) => serde_json::from_str(scalar).unwrap(),
            Value::List(items) => items.iter().map(|item| of(&item.value)).collect(),
            Value::Map(entries) => entries.iter().map(|(key, node)| (key.value.clone(), of(&node.value))).collect(),
        }
    }
    parse(&Source::new("x", text)).ok().map(|node| of(&node.value))
}

type Files = BTreeMap<String, String>;

/// Exit status, name and files of every case of `cli/cases/directory`.
fn cases() -> Vec<(i64, String, (Files, Vec<String>))> {
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/directory");
    below(&folder, &folder, &mut |file, relative| {
        let case: Json = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let given = &case["given"];
        let files = given.get("files").map(|files| serde_json::from_value(files.clone()).unwrap()).unwrap_or_default();
        let without =
            given.get("without").map(|list| serde_json::from_value(list.clone()).unwrap()).unwrap_or_default();
        found.push((case["then"]["exit"].as_i64().unwrap(), relative.replace(['/', '.'], "-"), (files, without)));
    });
    found
}

/// The sample directory with these files laid over it.
fn lay((files, without): &(Files, Vec<String>), name: &str) -> PathBuf {
    let test = std::thread::current().name().unwrap_or("test").replace(':', "-");
    let to = std::env::temp_dir().join(format!("partywall-schema-{}-{test}", std::process::id())).join(name);
    let sample = root().join("envoy-config/tenancy");
    below(&sample, &sample, &mut |file, relative| {
        let gone = |w: &String| relative == w || relative.starts_with(&format!("{w}/"));
        if !without.iter().any(gone) {
            let to = to.join(relative);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(file, to).unwrap();
        }
    });
    for (relative, text) in files {
        let to = to.join(relative);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text).unwrap();
    }
    to
}
