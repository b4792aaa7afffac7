//! Reading the document: JSON or YAML, OpenAPI 3 or Swagger 2.

use serde_json::Value;
use serde_saphyr::options::MergeKeyPolicy;

/// How many bytes of texts a document holds at most.
const LARGEST: usize = 64 << 20;

/// Reads a document of bounded depth. JSON is tried first: it is read many times as fast.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) if text.trim_start().starts_with('{') => return Err(format!("this is not JSON: {error}")),
        Err(_) => serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
            let text = error.without_snippet().to_string();
            format!("this is not YAML: {}", text.lines().next().unwrap_or_default())
        })?,
    };
    match version(&value) {
        Some(version) if version.starts_with("3.") || version == "2.0" => Ok(value),
        Some(version) => Err(format!("version {version} of OpenAPI is not known here: 2.0 and 3.x are")),
        None => Err("it says neither `openapi: 3.x` nor `swagger: \"2.0\"`: this is no OpenAPI document".into()),
    }
}

fn version(document: &Value) -> Option<String> {
    let found = document.get("openapi").or_else(|| document.get("swagger"))?;
    Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 128,
            max_documents: 1,
            max_events: 20_000_000,
            max_nodes: 10_000_000,
            max_total_scalar_bytes: LARGEST,
        },
        merge_keys: MergeKeyPolicy::AsOrdinary,
        with_snippet: false,
    }
}

/// What all paths begin with: the path of the first server (OpenAPI 3), or `basePath` (Swagger 2).
pub(super) fn base_path(document: &Value) -> Result<String, String> {
    if let Some(base) = document.get("basePath").and_then(Value::as_str) {
        return Ok(base.to_owned());
    }
    let Some(url) = document.pointer("/servers/0/url").and_then(Value::as_str) else { return Ok(String::new()) };
    let behind_host = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    if behind_host.contains('{') {
        return Err(format!("the path of the server `{url}` has a variable: say what it is, as `--base-path /v1`"));
    }
    Ok(behind_host.to_owned())
}

/// Whether an operation asks for no credential: its own `security` is there and empty, or holds `{}`; else the
/// document's.
pub(super) fn asks_for_nothing(operation: &Value, document: &Value) -> bool {
    let Some(security) = operation.get("security").or_else(|| document.get("security")) else { return false };
    security
        .as_array()
        .is_some_and(|all| all.is_empty() || all.iter().any(|one| one.as_object().is_some_and(|o| o.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_and_both_versions_are_read() {
        for text in
            [r#"{"openapi":"3.1.0"}"#, "openapi: 3.0.3\n", "swagger: \"2.0\"\n", "# a comment\nswagger: '2.0'\n"]
        {
            assert!(read(text).is_ok(), "{text}");
        }
        for (text, why) in [
            ("{", "not JSON"),
            ("openapi: [", "not YAML"),
            ("openapi: 4.0.0", "version 4.0.0"),
            ("a: 1", "neither"),
            ("", "neither"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn paths_begin_where_the_server_does() {
        let base = |document: Value| base_path(&document);
        assert_eq!(base(json!({ "basePath": "/v1.57" })), Ok("/v1.57".into()));
        assert_eq!(base(json!({ "servers": [{ "url": "https://api.shop.example/v2/" }] })), Ok("/v2/".into()));
        assert_eq!(base(json!({ "servers": [{ "url": "https://api.shop.example" }] })), Ok(String::new()));
        assert_eq!(base(json!({ "servers": [{ "url": "/v3" }] })), Ok("/v3".into()));
        assert_eq!(base(json!({})), Ok(String::new()));
        assert!(
            base(json!({ "servers": [{ "url": "https://{host}/{version}" }] })).unwrap_err().contains("--base-path")
        );
        assert_eq!(base(json!({ "servers": [{ "url": "https://{host}/v1" }] })), Ok("/v1".into()));
    }

    #[test]
    fn what_asks_for_no_credential_says_so() {
        let document = json!({ "security": [{ "key": [] }] });
        for (operation, open) in [
            (json!({}), false),
            (json!({ "security": [] }), true),
            (json!({ "security": [{}, { "key": [] }] }), true),
            (json!({ "security": [{ "other": [] }] }), false),
        ] {
            assert_eq!(asks_for_nothing(&operation, &document), open, "{operation}");
        }
        assert!(!asks_for_nothing(&json!({}), &json!({})), "silence is no promise");
    }
}
