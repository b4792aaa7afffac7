//! `partywall render envoy --role collector`: what is committed is what is rendered, and what cannot be is told.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{copy, folder, partywall, path, sample};

fn committed(file: &str) -> PathBuf {
    sample().join("../redaction").join(file)
}

/// A copy of the sample with the deployment of `envoy-config/redaction`, both changed.
fn copied(name: &str, mesh: impl Fn(String) -> String, deployment: impl Fn(String) -> String) -> PathBuf {
    let to = folder(name);
    copy(&sample(), &to.join("tenancy"));
    let own = to.join("tenancy/mesh.yaml");
    fs::write(&own, mesh(fs::read_to_string(&own).unwrap())).unwrap();
    fs::write(to.join("deployment.yaml"), deployment(fs::read_to_string(committed("deployment.yaml")).unwrap()))
        .unwrap();
    to.join("tenancy")
}

fn render(directory: &Path) -> support::Ran {
    partywall(&["render", "envoy", path(directory), "--role", "collector", "--collector", "otel"])
}

fn read(ran: &support::Ran) -> Value {
    serde_saphyr::from_str(ran.stdout()).unwrap()
}

/// The parts of a document, after anchors were put in place, that have this field with this value.
fn parts<'v>(value: &'v Value, field: &str, is: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(map) => {
            if map.get(field).is_some_and(|value| value == is) {
                found.push(value);
            }
            map.values().for_each(|value| parts(value, field, is, found));
        }
        Value::Array(list) => list.iter().for_each(|value| parts(value, field, is, found)),
        _ => {}
    }
}

fn all<'v>(document: &'v Value, field: &str, is: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    parts(document, field, is, &mut found);
    found
}

#[test]
fn the_bootstrap_of_the_sample_is_what_is_rendered() {
    let ran = render(&copied("render-collector", |text| text, |text| text)).succeeds();
    let kept = fs::read_to_string(committed("otel.yaml")).unwrap_or_default();
    assert!(
        kept.trim_end() == ran.stdout().trim_end(),
        "envoy-config/redaction/otel.yaml is old: write it with `partywall render envoy envoy-config/tenancy --deployment \
         envoy-config/redaction/deployment.yaml --role collector --collector otel`"
    );
    assert!(!kept.contains("${") && kept.lines().all(|line| !line.ends_with(' ')));
    let schema = partywall(&["schema", "log-redaction"]).succeeds().stdout().to_owned();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let document: Value = serde_saphyr::from_str(&kept).unwrap();
    let filters = all(&document, "root_id", "log_redaction");
    assert_eq!(filters.len(), 4, "one for each listener");
    for filter in filters {
        assert!(validator.is_valid(&filter["configuration"]["value"]), "{filter:#}");
        assert_eq!(filter["failure_policy"], "FAIL_RELOAD");
        assert_eq!(filter["vm_config"]["vm_id"], "partywall-data");
        assert_eq!(filter["configuration"]["value"]["quarantine"]["cluster"], "partywall-quarantine");
    }
    for tls in all(&document, "name", "envoy.transport_sockets.tls") {
        assert_eq!(tls["typed_config"]["require_client_certificate"], true);
    }
    assert_eq!(all(&document, "name", "envoy.transport_sockets.tls").len(), 4);
}

/// What `DOWNSTREAM_PEER_URI_SAN` and `REQ` would print holds names of tenants.
#[test]
fn its_access_log_holds_nothing_that_a_client_wrote() {
    let kept = fs::read_to_string(committed("otel.yaml")).unwrap();
    let document: Value = serde_saphyr::from_str(&kept).unwrap();
    let managers = all(&document, "server_header_transformation", "PASS_THROUGH");
    assert_eq!(managers.len(), 4);
    for manager in managers {
        let format = &manager["access_log"][0]["typed_config"]["log_format"]["json_format"];
        for name in ["tenant", "decision", "reason", "redaction"] {
            assert_eq!(format[name], format!("%FILTER_STATE(wasm.partywall.{name}:PLAIN)%"));
        }
        for written in ["%REQ(", "PATH", "SAN", "SUBJECT", "SNI", "AUTHORITY", "COOKIE", "QUERY"] {
            assert!(!format.to_string().contains(written), "{written}: {format:#}");
        }
    }
}

/// One listener takes both: gRPC goes by HTTP/2, all else by HTTP/1.1.
#[test]
fn grpc_is_told_by_its_content_type() {
    let document: Value = serde_saphyr::from_str(&fs::read_to_string(committed("otel.yaml")).unwrap()).unwrap();
    let routes = |listener: &str| {
        let found = all(&document, "stat_prefix", listener);
        found[0]["route_config"]["virtual_hosts"][0]["routes"].as_array().unwrap().clone()
    };
    let both = routes("otlp-4317");
    assert_eq!(both[0]["match"]["grpc"], serde_json::json!({}));
    assert_eq!(both[0]["route"]["cluster"], "otlp-4317-grpc");
    assert_eq!((&both[1]["match"]["grpc"], &both[1]["route"]["cluster"]), (&Value::Null, &"otlp-4317-http".into()));
    assert_eq!(routes("loki").len(), 1);
    let http2 = |cluster: &str| {
        let clusters = document["static_resources"]["clusters"].as_array().unwrap();
        let found = clusters.iter().find(|one| one["name"] == cluster).unwrap();
        found["typed_extension_protocol_options"].to_string().contains("http2_protocol_options")
    };
    assert!(http2("otlp-4317-grpc") && !http2("otlp-4317-http") && !http2("partywall-quarantine"));
}

#[test]
fn names_of_certificates_that_no_template_has_are_refused() {
    let names = |name: &str, sources: &str| {
        let mesh = |text: String| text.replace("    - host: \"{tenant}.shop.example\"\n", sources);
        let document = read(&render(&copied(name, mesh, |text| text)).succeeds());
        let found = all(&document, "name", "envoy.transport_sockets.tls");
        found[0]["typed_config"]["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"].clone()
    };
    let own = serde_json::json!({ "san_type": "URI", "matcher": { "prefix": "spiffe://mesh.example/" } });
    assert_eq!(names("render-collector-own", ""), serde_json::json!([own]));
    let workload = "    - certificate: { uri: \"spiffe://mesh.example/tenant/{tenant}/sa/{workload}\" }\n";
    assert_eq!(names("render-collector-workload", workload), serde_json::json!([own]));
    let others = "    - certificate: { uri: \"spiffe://clients.example/{tenant}\" }\n    - certificate: { dns: \
                  \"{tenant}.clients.example\" }\n";
    assert_eq!(
        names("render-collector-others", others),
        serde_json::json!([
            own,
            { "san_type": "URI", "matcher": { "prefix": "spiffe://clients.example/" } },
            { "san_type": "DNS", "matcher": { "suffix": ".clients.example" } },
        ])
    );
}

#[test]
fn what_is_not_said_is_not_there() {
    let keys = |document: &Value| {
        all(document, "root_id", "log_redaction")[0]["configuration"]["value"]["secrets"]["redaction_keys"].clone()
    };
    let directory = copied(
        "render-collector-less",
        |text| text,
        |text| {
            let (before, _) = text.split_once("    quarantine:").unwrap();
            before.replace("        grpc: { address: otel-collector, port: 4317 }\n", "")
        },
    );
    let ran = render(&directory).succeeds();
    assert!(!ran.stdout().contains("partywall-quarantine"), "{}", ran.stdout());
    assert!(!ran.stdout().contains("http2_protocol_options: {}"), "{}", ran.stdout());
    assert_eq!(keys(&read(&ran)), Value::Null);
}

#[test]
fn what_bodies_may_hold_is_told_to_each_filter_in_bytes() {
    let memory = |name: &str, written: &str| {
        let with = |text: String| text.replace("  - collector: otel\n", &format!("  - collector: otel\n{written}"));
        let document = read(&render(&copied(name, |text| text, with)).succeeds());
        let filters = all(&document, "root_id", "log_redaction");
        let told: Vec<Value> = filters.iter().map(|one| one["configuration"]["value"]["memory"].clone()).collect();
        assert_eq!(told.len(), 4, "one for each listener");
        told
    };
    assert_eq!(memory("render-collector-usual", ""), [const { Value::Null }; 4]);
    for (nth, (size, bytes)) in
        [("64 MiB", 67_108_864), ("131072 KiB", 134_217_728), ("2047 MiB", 2_146_435_072_u32)].into_iter().enumerate()
    {
        let told = memory(&format!("render-collector-memory-{nth}"), &format!("    memory: {size}\n"));
        assert!(told.iter().all(|one| *one == bytes), "{size}: {told:?}");
        // The module takes it.
        let schema = partywall(&["schema", "log-redaction"]).succeeds().stdout().to_owned();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let memory = &schema["properties"]["memory"];
        let (least, most) = (memory["minimum"].as_f64().unwrap(), memory["maximum"].as_f64().unwrap());
        assert!((least..=most).contains(&f64::from(bytes)), "{size}");
    }
}

#[test]
fn what_cannot_be_rendered_is_told() {
    let directory = copied("render-collector-mistakes", |text| text, |text| text);
    let arguments = |more: &[&str]| partywall(&[&["render", "envoy", path(&directory)], more].concat());
    arguments(&["--role", "collector"]).ends_with(2);
    arguments(&["--role", "edge", "--collector", "otel"]).ends_with(2);
    arguments(&["--role", "collector", "--collector", "otel", "--service", "orders"]).ends_with(2);
    arguments(&["--role", "collector", "--collector", "otel", "--cluster", "shop-events"]).ends_with(2);
    let ran = arguments(&["--role", "collector", "--collector", "other"]).ends_with(3);
    assert!(ran.stderr().contains("there are otel"), "{}", ran.stderr());
    let deployment = directory.join("../deployment.yaml");
    let good = fs::read_to_string(&deployment).unwrap();
    for (from, to, why) in [
        ("name: loki", "name: otlp-4318", "`listeners` has `otlp-4318` twice"),
        ("name: loki", "name: Loki", "name of a listener"),
        ("        http: { address: loki, port: 3100 }\n", "", "nothing is behind this listener"),
        ("{ http: { address: quarantine, port: 4318 } }", "{}", "a quarantine is reached in one way"),
        (
            "  - collector: otel\n",
            "  - collector: otel\n    memory: 63 MiB\n",
            "`memory` of a proxy is 64 MiB to 2047 MiB",
        ),
        (
            "  - collector: otel\n",
            "  - collector: otel\n    memory: 2048 MiB\n",
            "`memory` of a proxy is 64 MiB to 2047 MiB",
        ),
        ("  - collector: otel\n", "  - collector: otel\n    memory: 268435456\n", "`memory` is a text"),
        ("  - collector: otel\n", "  - collector: otel\n    listeners: []\n  - collector: otel-2\n", "empty list"),
        (
            "  - collector: otel\n",
            "  - collector: otel\n    listeners: [{ name: a, listen: { address: a, port: 1 }, http: { \
          address: a, port: 1 } }]\n  - collector: otel\n",
            "`telemetry` has `otel` twice",
        ),
    ] {
        let wrong = good.replace(from, to);
        assert_ne!(wrong, good);
        fs::write(&deployment, wrong).unwrap();
        let ran = render(&directory).ends_with(3);
        assert!(ran.stderr().contains(why), "{to}: {}", ran.stderr());
    }
}
