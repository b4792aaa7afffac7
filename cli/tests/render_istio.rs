//! `partywall render istio`: what is committed is what is rendered, and fits Istio's published schemas.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{partywall, path, sample};

const MODULE: &str = "oci://registry.example/partywall:1";

fn render(namespace: &str, version: &str) -> String {
    let sample = sample();
    let arguments = ["--namespace", namespace, "--istio", version, "--module", MODULE];
    partywall(&[&["render", "istio", path(&sample)], &arguments[..]].concat()).succeeds().stdout().to_owned()
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

/// The schema of a kind, and with it no field that it does not name: Kubernetes drops those without a word.
fn schema(kind: &str) -> (String, Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/istio").join(format!("{kind}.json"));
    let kept: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut spec = kept["spec"].clone();
    close(&mut spec);
    (kept["apiVersion"].as_str().unwrap().to_owned(), spec)
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(close);
            let open = map.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
            if map.contains_key("properties") && map.contains_key("type") && !open {
                map.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

fn mistakes(document: &Value) -> Vec<String> {
    let (version, schema) = schema(document["kind"].as_str().unwrap());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut wrong: Vec<String> =
        validator.iter_errors(&document["spec"]).map(|e| format!("{}: {e}", e.instance_path())).collect();
    if document["apiVersion"] != json!(version) {
        wrong.push(format!("apiVersion {} is not {version}", document["apiVersion"]));
    }
    wrong
}

fn kinds(documents: &[Value]) -> Vec<(&str, &str)> {
    documents.iter().map(|d| (d["kind"].as_str().unwrap(), d["metadata"]["name"].as_str().unwrap())).collect()
}

#[test]
fn the_resources_of_the_sample_are_what_is_rendered_and_fit_the_schemas() {
    for (namespace, version) in [("shop", "1.30"), ("shop", "1.29"), ("edge", "1.30"), ("edge", "1.29")] {
        let rendered = render(namespace, version);
        let file: PathBuf = sample().join(format!("../istio/{namespace}-{version}.yaml"));
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept.trim_end() == rendered.trim_end(),
            "envoy-config/istio/{namespace}-{version}.yaml is old: write it with `partywall render istio \
             envoy-config/tenancy --namespace {namespace} --istio {version} --module {MODULE} --out …`"
        );
        for document in documents(&rendered) {
            let wrong = mistakes(&document);
            assert!(wrong.is_empty(), "{namespace} {version} {}: {wrong:#?}", document["metadata"]["name"]);
        }
    }
}

/// What nobody renders: resources for the sidecar of a collector.
#[test]
fn those_of_a_collector_fit_the_schemas() {
    let text = fs::read_to_string(sample().join("../redaction/istio.yaml")).unwrap();
    let documents = documents(&text);
    assert_eq!(documents.len(), 4);
    for document in &documents {
        let wrong = mistakes(document);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", document["kind"]);
    }
    let schema = partywall(&["schema", "log-redaction"]).succeeds().stdout().to_owned();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let wasm = &documents.iter().find(|d| d["kind"] == "TrafficExtension").unwrap()["spec"]["wasm"];
    assert!(validator.is_valid(&wasm["pluginConfig"]), "{wasm:#}");
    assert_eq!(wasm["pluginName"], "log_redaction");
}

#[test]
fn each_version_has_its_own_resource_for_the_module() {
    for (version, kind) in [("1.30", "TrafficExtension"), ("1.29", "WasmPlugin")] {
        let documents = documents(&render("shop", version));
        assert_eq!(
            kinds(&documents),
            [
                ("PeerAuthentication", "partywall"),
                (kind, "partywall-invoices-inbound"),
                (kind, "partywall-invoices-outbound"),
                ("EnvoyFilter", "partywall-invoices"),
                ("AuthorizationPolicy", "partywall-invoices"),
                (kind, "partywall-orders-inbound"),
                ("EnvoyFilter", "partywall-orders"),
                ("AuthorizationPolicy", "partywall-orders"),
            ]
        );
    }
}

/// What a proxy gets is what an Envoy of the same service gets from `render envoy`.
#[test]
fn a_proxy_of_istio_gets_what_an_envoy_gets() {
    let documents = documents(&render("shop", "1.30"));
    let sample = sample();
    let ran = partywall(&["render", "envoy", path(&sample), "--role", "sidecar", "--service", "orders"]).succeeds();
    let bootstrap: Value = serde_saphyr::from_str(ran.stdout()).unwrap();
    let manager = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_array().unwrap();
    let named =
        |name: &str| documents.iter().find(|d| d["metadata"]["name"] == name && d["kind"] != "AuthorizationPolicy");

    let wasm = &named("partywall-orders-inbound").unwrap()["spec"]["wasm"];
    let mut config = filters[0]["typed_config"]["config"]["configuration"]["value"].clone();
    config["bundle"]["cluster"] = json!("outbound|8400||partywall-bundles.partywall.svc.cluster.local");
    assert_eq!(wasm["pluginConfig"], config);
    let patches = named("partywall-orders").unwrap()["spec"]["configPatches"].as_array().unwrap();
    assert_eq!(patches[0]["patch"]["value"]["typed_config"]["local_reply_config"], manager["local_reply_config"]);
    assert_eq!(patches[1]["patch"]["value"], filters[1], "the limits");
    assert_eq!(patches[1]["patch"]["operation"], "INSERT_BEFORE");
}

#[test]
fn the_gateway_takes_either_direction_and_what_clients_may_not_send() {
    let documents = documents(&render("edge", "1.30"));
    let gateway = documents.iter().find(|d| d["kind"] == "TrafficExtension").unwrap();
    assert_eq!(gateway["spec"]["wasm"]["pluginConfig"]["direction"], "any");
    assert_eq!(gateway["spec"]["wasm"]["pluginConfig"]["role"], "edge");
    let text = documents.iter().find(|d| d["kind"] == "EnvoyFilter").unwrap().to_string();
    assert!(text.contains("early_header_mutation_extensions") && text.contains("x-partywall-"), "{text}");
}

/// The schemas would tell: a field that nobody knows, a missing one, a word that is none.
#[test]
fn the_schemas_refuse_what_is_wrong() {
    let all = documents(&render("shop", "1.30"));
    let of = |kind: &str| all.iter().find(|d| d["kind"] == kind).unwrap().clone();
    let changed = |kind: &str, pointer: &str, value: Value| {
        let mut document = of(kind);
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[last] = value;
        !mistakes(&document).is_empty()
    };
    assert!(changed("TrafficExtension", "/spec/wasm/failStrtegy", json!("FAIL_RELOAD")));
    assert!(changed("TrafficExtension", "/spec/wasm/failStrategy", json!("FAIL_SAFE")));
    assert!(changed("TrafficExtension", "/spec/wasm", json!({})));
    assert!(changed("EnvoyFilter", "/spec/configPatches/0/applyTo", json!("HTTP_FILTERS")));
    assert!(changed("PeerAuthentication", "/spec/mtls/mode", json!("STRICTER")));
    assert!(changed("AuthorizationPolicy", "/spec/rules/0/from/0/source/principal", json!(["x"])));
    assert!(changed("AuthorizationPolicy", "/apiVersion", json!("security.istio.io/v2")));
}

#[test]
fn what_cannot_be_rendered_is_told() {
    let sample = sample();
    let run = |more: &[&str]| partywall(&[&["render", "istio", path(&sample)], more].concat());
    let ran = run(&["--namespace", "nobody", "--module", MODULE]).ends_with(3);
    assert!(ran.stderr().contains("no workload is in the namespace `nobody`"), "{}", ran.stderr());
    run(&["--namespace", "shop", "--module", "partywall.wasm"]).ends_with(2);
    run(&["--namespace", "shop", "--module", MODULE, "--sha256", "12"]).ends_with(2);
    run(&["--namespace", "shop", "--module", MODULE, "--istio", "1.20"]).ends_with(2);
}
