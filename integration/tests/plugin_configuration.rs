//! The modules and `partywall schema plugin` take the same configurations, those of a `kafka_scope` by `kafka-scope`, and
//! those of a `log_redaction` and an `access_log` by their own.
//! Neither knows the other; both are asked: the configurations here are made from the schema, and the module names its own
//! fields and words where it refuses one.

use std::collections::BTreeSet;
use std::path::Path;

use jsonschema::Validator;
use partywall_integration::host::{Host, Plugin};
use partywall_integration::{artefacts, cli};
use serde_json::{Map, Value, json};

/// A key of 32 bytes, under every name that the schema gives as an example.
const KEY: &str = "k-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// A public key that is one.
const PUBLIC_KEY: &str = "bundle-1:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const UNKNOWN: &str = "no_such_field";

struct Both {
    schema: Value,
    validator: Validator,
    host: Host,
}

impl Both {
    /// Filters of requests, that of Kafka's connections, and those that redact, which are in a module of their own.
    fn each() -> [Self; 4] {
        let (module, redaction) = (artefacts::module().unwrap(), artefacts::redaction_module().unwrap());
        [
            ("plugin", "sidecar", &module),
            ("kafka-scope", "kafka_scope", &module),
            ("log-redaction", "log_redaction", &redaction),
            ("access-log", "access_log", &redaction),
        ]
        .map(|(schema, root_id, module)| Self::new(schema, root_id, module))
    }

    fn new(schema: &str, root_id: &str, module: &Path) -> Self {
        let schema: Value = serde_json::from_str(&cli::run(&["schema", schema]).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let first = every_field(&schema, 0);
        let variables = first["secrets"].as_object().unwrap().values();
        let mut environment: Vec<_> = variables.map(|name| (text(name), KEY.to_owned())).collect();
        environment.push(("PARTYWALL_BUNDLE_KEYS".to_owned(), PUBLIC_KEY.to_owned()));
        let host = Host::start(Plugin {
            module,
            root_id,
            configuration: &first.to_string(),
            environment: &environment,
            now: 1_800_000_000,
            files: [].into(),
        });
        Self { validator, host: host.unwrap(), schema }
    }

    /// Why the module refuses it; `None` where it takes it.
    fn refusal(&mut self, configuration: &Value) -> Option<String> {
        self.host.configure(&configuration.to_string()).err().map(|why| format!("{why:#}"))
    }

    /// Both take it, or neither does; gives the module's reason.
    fn agree(&mut self, configuration: &Value) -> Option<String> {
        let refusal = self.refusal(configuration);
        assert_eq!(
            self.validator.is_valid(configuration),
            refusal.is_none(),
            "schema (left) and module (right, {refusal:?}) differ about {configuration:#}"
        );
        refusal
    }

    /// A configuration for each role in each shape, with every field that the schema has for that role.
    fn whole(&self) -> Vec<Value> {
        let shapes = [every_field(&self.schema, 0), every_field(&self.schema, 1)];
        let Some(roles) = self.schema["properties"]["role"]["enum"].as_array() else { return shapes.into() };
        let with = |shape: &Value, role: &Value| {
            let mut shape = shape.clone();
            shape["role"] = role.clone();
            self.without_others(shape)
        };
        roles.iter().flat_map(|role| shapes.iter().map(move |shape| with(shape, role))).collect()
    }

    /// Without what the schema has for other roles alone.
    fn without_others(&self, mut configuration: Value) -> Value {
        for rule in self.schema["allOf"].as_array().into_iter().flatten() {
            if rule["if"]["properties"]["role"]["const"] != configuration["role"] {
                continue;
            }
            for (name, field) in rule["then"]["properties"].as_object().into_iter().flatten() {
                if *field == json!(false) {
                    configuration.as_object_mut().unwrap().remove(name);
                }
            }
        }
        configuration
    }
}

#[test]
fn what_the_schema_takes_the_module_takes() {
    for mut both in Both::each() {
        for whole in both.whole() {
            assert_eq!(both.agree(&whole), None, "{whole:#}");
        }
        for (path, schema) in fields(&both.schema) {
            let values = schema["enum"].as_array().into_iter().chain(schema["examples"].as_array()).flatten();
            let bounds = ["minimum", "maximum", "default"].iter().filter_map(|bound| schema.get(bound));
            for value in values.chain(bounds) {
                let mut changed = every_field(&both.schema, shape_with(&path));
                *changed.pointer_mut(&path).unwrap() = value.clone();
                let changed = both.without_others(changed);
                let known = !path.starts_with("/trusted_keys/");
                assert!(!known || both.agree(&changed).is_none(), "{path}: {value}");
            }
        }
    }
}

#[test]
fn the_same_fields_must_be_there() {
    let mut needed = BTreeSet::new();
    for mut both in Both::each() {
        for whole in both.whole() {
            for (path, _) in fields(&both.schema).into_iter().filter(|(path, _)| whole.pointer(path).is_some()) {
                let (outer, name) = path.rsplit_once('/').unwrap();
                let mut without = whole.clone();
                without.pointer_mut(outer).unwrap().as_object_mut().unwrap().remove(name);
                if let Some(why) = both.agree(&without) {
                    assert!(why.contains(name) || why.contains("trusted_keys"), "{path} is gone: {why}");
                    let blamed = why.split_once("is not right: `").and_then(|(_, rest)| rest.split_once("`: "));
                    let first = path.split('/').nth(1).unwrap();
                    assert!(blamed.is_none_or(|(blamed, _)| blamed == first), "{path} is gone: {why}");
                    needed.insert(path);
                }
            }
        }
    }
    assert!(needed.len() >= 12, "{needed:?}");
}

#[test]
fn what_is_for_another_role_is_refused() {
    let mut refused = 0;
    for mut both in Both::each() {
        let roles: Vec<Value> = both.schema["properties"]["role"]["enum"].as_array().cloned().unwrap_or_default();
        for role in roles {
            let mut whole = every_field(&both.schema, 0);
            whole["role"] = role;
            for name in whole.clone().as_object().unwrap().keys() {
                let mut with = both.without_others(whole.clone());
                if with.get(name).is_none() {
                    with[name] = whole[name].clone();
                    let why = both.agree(&with).unwrap_or_else(|| panic!("{with:#}"));
                    assert!(why.contains(&format!("`{name}`")), "{name} is not named: {why}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn the_module_reads_the_fields_of_the_schema_and_no_others() {
    let mut told = 0;
    for mut both in Both::each() {
        for (path, schema) in objects(&both.schema) {
            let mut more = every_field(&both.schema, shape_with(&path));
            more.pointer_mut(&path).unwrap()[UNKNOWN] = json!(1);
            let why = both.agree(&more).unwrap_or_else(|| panic!("`{path}` takes `{UNKNOWN}`"));
            if path == "/trusted_keys" {
                continue;
            }
            let said: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(expected(&why), said, "`{path}`: the module (left) and the schema (right) differ: {why}");
            told += 1;
        }
    }
    assert!(told >= 4, "{told} objects");
}

#[test]
fn the_words_are_the_same() {
    let mut told = 0;
    for mut both in Both::each() {
        for (path, schema) in fields(&both.schema) {
            let Some(words) = schema["enum"].as_array() else { continue };
            let mut other = every_field(&both.schema, 0);
            *other.pointer_mut(&path).unwrap() = json!("no such word");
            let why = both.agree(&other).unwrap();
            let first = path.split('/').nth(1).unwrap();
            assert!(why.contains(&format!("`{first}`")), "{path} is not named: {why}");
            assert_eq!(expected(&why), words.iter().map(text).collect(), "{path}: {why}");
            told += 1;
        }
    }
    assert!(told >= 5, "{told} fields have words");
}

#[test]
fn a_value_of_another_type_is_refused_under_its_name() {
    let mut refused = 0;
    for mut both in Both::each() {
        for (path, schema) in fields(&both.schema) {
            for wrong in [json!(true), json!(7.5), json!(-1), json!([[]]), json!({ UNKNOWN: 1 }), json!("Not a word")] {
                // How texts look the schema says more exactly; where only that is wrong, the module need not care.
                let (is_text, a_text) = (schema.get("pattern").is_some(), wrong.is_string());
                if (is_text || path.starts_with("/secrets/")) && a_text {
                    continue;
                }
                let mut changed = every_field(&both.schema, shape_with(&path));
                *changed.pointer_mut(&path).unwrap() = wrong.clone();
                let Some(why) = both.agree(&changed) else { continue };
                let field = path.split('/').nth(1).unwrap();
                assert!(why.contains(&format!("`{field}")), "{path}: {wrong} is refused and not named: {why}");
                refused += 1;
            }
        }
    }
    println!("{refused} configurations are refused");
    assert!(refused > 100, "{refused}");
}

/// Every field of an object and of the objects in it, by JSON pointer.
fn fields(schema: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (path, object) in objects(schema) {
        for (name, field) in object["properties"].as_object().unwrap() {
            found.push((format!("{path}/{name}"), field.clone()));
        }
    }
    found
}

/// Every object with named fields, by JSON pointer.
fn objects(schema: &Value) -> Vec<(String, Value)> {
    fn walk(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
        if let Some(properties) = schema["properties"].as_object() {
            found.push((path.to_owned(), schema.clone()));
            properties.iter().for_each(|(name, field)| walk(&format!("{path}/{name}"), field, found));
        }
        schema["anyOf"].as_array().into_iter().flatten().for_each(|shape| walk(path, shape, found));
    }
    let mut found = Vec::new();
    walk("", schema, &mut found);
    found
}

/// The shape in which there is such a field: the keys of bundles are a list in the first.
fn shape_with(path: &str) -> usize {
    usize::from(path.starts_with("/trusted_keys"))
}

/// A value that fits, with every field there is; of several shapes this one, or the last.
fn every_field(schema: &Value, shape: usize) -> Value {
    let first = |of: &str| schema[of].as_array().and_then(|values| values.first()).cloned();
    if let Some(properties) = schema["properties"].as_object() {
        return properties
            .iter()
            .map(|(name, field)| (name.clone(), every_field(field, shape)))
            .collect::<Map<_, _>>()
            .into();
    }
    if let Some(shapes) = schema["anyOf"].as_array() {
        return every_field(shapes.get(shape).or(shapes.last()).unwrap(), shape);
    }
    if schema["type"] == "array" {
        return json!([every_field(&schema["items"], shape)]);
    }
    let flag = (schema["type"] == "boolean").then_some(json!(true));
    let found = first("enum").or_else(|| first("examples")).or_else(|| schema.get("minimum").cloned()).or(flag);
    found.unwrap_or_else(|| panic!("no value fits {schema:#}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The names that a refusal says it had expected.
fn expected(why: &str) -> BTreeSet<String> {
    let (_, names) = why.split_once("expected").unwrap_or_else(|| panic!("no names are told: {why}"));
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
