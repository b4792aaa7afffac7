//! The plugin configurations in this repository fit the schema of `partywall schema plugin`.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{partywall, path, sample};

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";

/// The configurations of filters in a document, wherever they stand.
fn configurations<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(map) => {
            // Envoy's filters, then Istio's resources.
            found.extend(map.get("value").filter(|_| map.get("@type") == Some(&json!(STRUCT))));
            found.extend(map.get("pluginConfig"));
            map.values().for_each(|value| configurations(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| configurations(value, found)),
        _ => {}
    }
}

/// How many there are in these documents; each is valid.
fn check(name: &str, text: &str) -> usize {
    let schema = partywall(&["schema", "plugin"]).succeeds().stdout().to_owned();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let documents: Vec<Value> = text.split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    let mut found = Vec::new();
    documents.iter().for_each(|document| configurations(document, &mut found));
    for configuration in &found {
        let wrong: Vec<String> =
            validator.iter_errors(configuration).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?} in {configuration:#}");
    }
    found.len()
}

#[test]
fn what_is_rendered_fits() {
    let rendered = |arguments: &[&str]| {
        let text = partywall(&[&["render"], arguments].concat()).succeeds().stdout().to_owned();
        check(&arguments.join(" "), &text)
    };
    let sample = sample();
    let sample = path(&sample);
    assert_eq!(rendered(&["envoy", sample, "--role", "edge"]), 1);
    assert_eq!(rendered(&["envoy", sample, "--role", "sidecar", "--service", "invoices"]), 2);
    assert_eq!(rendered(&["envoy", sample, "--role", "sidecar", "--service", "orders"]), 1);
    for namespace in ["shop", "edge"] {
        for version in ["1.30", "1.29"] {
            let module = ["--module", "oci://registry.example/partywall:1"];
            let arguments = ["istio", sample, "--namespace", namespace, "--istio", version];
            assert!(rendered(&[&arguments[..], &module].concat()) > 0, "{namespace} {version}");
        }
    }
}

#[test]
fn what_is_written_by_hand_fits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let minimal = fs::read_to_string(root.join("envoy-config/minimal.yaml")).unwrap();
    assert_eq!(check("minimal.yaml", &minimal), 1);
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let found: usize = blocks.filter(|block| block.contains(STRUCT)).map(|block| check("README.md", block)).sum();
    assert_eq!(found, 1, "the README shows how a filter is configured");
}

#[test]
fn what_is_wrong_does_not_fit() {
    let schema = partywall(&["schema", "plugin"]).succeeds().stdout().to_owned();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let rendered = partywall(&["render", "envoy", path(&sample()), "--role", "edge"]).succeeds().stdout().to_owned();
    let document: Value = serde_saphyr::from_str(&rendered).unwrap();
    let mut found = Vec::new();
    configurations(&document, &mut found);
    for (field, wrong) in [
        ("role", json!("proxy")),
        ("mesh", json!("acme")),
        ("rôle", json!("edge")),
        ("floor", json!(1.5)),
        ("secrets", json!({ "fingerprint": "PARTYWALL_FINGERPRINT" })),
        ("log", json!({ "allows": 2 })),
        ("trusted_keys", json!([])),
    ] {
        let mut changed = found[0].clone();
        changed[field] = wrong;
        assert!(!validator.is_valid(&changed), "{field} is taken: {changed:#}");
    }
}
