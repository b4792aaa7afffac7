//! Writes a value as YAML: blocks for lists and mappings, everything else in one line.

use serde_json::Value;

use super::template::scalar;

/// `value` as a YAML document, with a line end.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

/// Writes the lines of `value`, the first of them without its indentation, where the cursor stands already.
fn block(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (nth, (key, value)) in map.iter().enumerate() {
                if nth > 0 {
                    out.push_str(&pad);
                }
                out.push_str(&scalar(key));
                out.push(':');
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push_str(&format!("\n{pad}  "));
                        block(out, value, indent + 2);
                    }
                    Value::Array(inner) if !inner.is_empty() => {
                        out.push_str(&format!("\n{pad}"));
                        block(out, value, indent);
                    }
                    _ => {
                        out.push(' ');
                        block(out, value, indent);
                    }
                }
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (nth, value) in list.iter().enumerate() {
                if nth > 0 {
                    out.push_str(&pad);
                }
                out.push_str("- ");
                block(out, value, indent + 2);
            }
        }
        Value::String(text) => {
            out.push_str(&scalar(text));
            out.push('\n');
        }
        other => {
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let value = json!({
            "a": { "b": [1, "x: y", { "c": true, "d": [] }, [["z"], {}]], "e-f.g/h": null, "%A(B)%": "no" },
            "list": [{ "one": { "two": "3" } }],
        });
        let text = super::write(&value);
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}
