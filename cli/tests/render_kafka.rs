//! `partywall render envoy --role kafka`: what is committed is what is rendered, and what cannot be is told.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{copy, folder, partywall, path, sample};

/// A copy of the sample with the cluster of `envoy-config/kafka`, changed.
fn copied(name: &str, change: impl Fn(&str, String) -> String) -> (PathBuf, PathBuf) {
    let to = folder(name);
    copy(&sample(), &to.join("tenancy"));
    let kafka = sample().join("../kafka");
    for (file, to) in [("events.yaml", to.join("tenancy/events.yaml")), ("deployment.yaml", to.join("deployment.yaml"))]
    {
        fs::write(to, change(file, fs::read_to_string(kafka.join(file)).unwrap())).unwrap();
    }
    (to.join("tenancy"), to.join("deployment.yaml"))
}

fn render(directory: &Path) -> support::Ran {
    partywall(&["render", "envoy", path(directory), "--role", "kafka", "--cluster", "shop-events"])
}

/// The configurations of our filters in a document, after anchors were put in place.
fn configurations(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) if map.get("root_id").is_some_and(|id| id == "kafka_scope") => {
            found.push(map["configuration"]["value"].clone());
        }
        Value::Object(map) => map.values().for_each(|value| configurations(value, found)),
        Value::Array(list) => list.iter().for_each(|value| configurations(value, found)),
        _ => {}
    }
}

#[test]
fn the_bootstrap_of_the_sample_is_what_is_rendered() {
    let (directory, _) = copied("render-kafka", |_, text| text);
    let ran = render(&directory).succeeds();
    let kept = fs::read_to_string(sample().join("../kafka/kafka.yaml")).unwrap();
    assert!(
        kept.trim_end() == ran.stdout().trim_end(),
        "envoy-config/kafka/kafka.yaml is old: put events.yaml of that folder into the sample and write it with `partywall \
         render envoy envoy-config/tenancy --deployment envoy-config/kafka/deployment.yaml --role kafka --cluster shop-events`"
    );
    assert!(!kept.contains("${") && kept.lines().all(|line| !line.ends_with(' ')));
    let schema = partywall(&["schema", "kafka-scope"]).succeeds().stdout().to_owned();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut found = Vec::new();
    configurations(&serde_saphyr::from_str(&kept).unwrap(), &mut found);
    assert_eq!(found.len(), 4, "a listener for the cluster and one for each broker");
    assert!(found.iter().all(|configuration| validator.is_valid(configuration)), "{found:#?}");
}

#[test]
fn by_name_there_is_one_listener() {
    let (directory, _) = copied("render-kafka-sni", |_, text| {
        text.replace(
            "{ by_port: { host: kafka.shop.example, first: 9100, most: 15 } }",
            "{ sni: \"b{id}.kafka.example:9092\" }",
        )
    });
    let ran = render(&directory).succeeds();
    let document: Value = serde_saphyr::from_str(ran.stdout()).unwrap();
    let listeners = document["static_resources"]["listeners"].as_array().unwrap();
    assert_eq!(listeners.len(), 1);
    assert!(listeners[0]["listener_filters"].to_string().contains("tls_inspector"));
    let chains = listeners[0]["filter_chains"].as_array().unwrap();
    let names: Vec<&Value> = chains.iter().map(|chain| &chain["filter_chain_match"]["server_names"][0]).collect();
    assert_eq!(
        names,
        [&"b1.kafka.example".into(), &"b2.kafka.example".into(), &"b3.kafka.example".into(), &Value::Null]
    );
    let upstream = |chain: &Value| chain["filters"][1]["typed_config"]["cluster"].as_str().unwrap().to_owned();
    assert_eq!(chains.iter().map(upstream).collect::<Vec<_>>(), ["kafka-1", "kafka-2", "kafka-3", "kafka"]);
}

#[test]
fn certificates_are_required_where_nothing_else_shows_a_tenant() {
    let required = |identity: &str, more: &str| {
        let name = format!("render-kafka-{}", identity.len());
        let (directory, _) = copied(&name, |file, text| match file {
            "events.yaml" => {
                let (before, rest) = text.split_once("    identity: ").unwrap();
                let (_, after) = rest.split_once('\n').unwrap();
                format!("{before}    identity: {identity}\n{after}")
            }
            _ => text.replace("    listen:", &format!("{more}    listen:")),
        });
        let text = render(&directory).succeeds().stdout().to_owned();
        (text.contains("require_client_certificate: true"), text)
    };
    assert!(required("[{ uri: \"spiffe://mesh.example/t/{tenant}\" }]", "").0);
    assert!(!required("[{ uri: \"spiffe://mesh.example/t/{tenant}\" }, { user: \"{tenant}.{user}\" }]", "").0);
    let (required_, text) = required("[{ listener: [acme] }]", "    tenant: acme\n    plain: true\n");
    assert!(!required_ && text.contains("tenant: acme\n") && !text.contains("transport_sockets.tls"), "{text}");
}

#[test]
fn what_cannot_be_rendered_is_told() {
    let (directory, deployment) = copied("render-kafka-mistakes", |_, text| text);
    let arguments = |more: &[&str]| partywall(&[&["render", "envoy", path(&directory)], more].concat());
    arguments(&["--role", "kafka"]).ends_with(2);
    arguments(&["--role", "edge", "--cluster", "shop-events"]).ends_with(2);
    arguments(&["--role", "kafka", "--cluster", "shop-events", "--service", "orders"]).ends_with(2);
    let ran = arguments(&["--role", "kafka", "--cluster", "shop-event"]).ends_with(3);
    assert!(ran.stderr().contains("no cluster of events is called `shop-event`"), "{}", ran.stderr());
    let good = fs::read_to_string(&deployment).unwrap();
    for (from, to, why) in [
        ("id: 3", "id: 16", "`by_port` ends at 15"),
        ("id: 3", "id: 2", "`brokers` has 2 twice"),
        ("id: 3", "id: x", "a broker's id is a number"),
        ("cluster: shop-events", "cluster: others", "does not say where `shop-events` is"),
    ] {
        fs::write(&deployment, good.replace(from, to)).unwrap();
        let ran = render(&directory).ends_with(3);
        assert!(ran.stderr().contains(why), "{to}: {}", ran.stderr());
    }
    let (before, place) = good.split_once("\nevents:\n").unwrap();
    fs::write(&deployment, format!("{before}\nevents:\n{place}{place}")).unwrap();
    let ran = render(&directory).ends_with(3);
    assert!(ran.stderr().contains("`events` has `shop-events` twice"), "{}", ran.stderr());
    fs::write(&deployment, good).unwrap();
    let (directory, _) = copied("render-kafka-nowhere", |_, text| {
        text.replace("{ by_port: { host: kafka.shop.example, first: 9100, most: 15 } }", "as_they_are")
    });
    let ran = render(&directory).ends_with(3);
    assert!(ran.stderr().contains("nobody says where clients of broker 1"), "{}", ran.stderr());
}
