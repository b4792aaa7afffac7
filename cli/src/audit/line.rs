//! What a line is to an audit.

use partywall_log_redaction::{EVENT, Fields, Link, LinkError, OF_EVENT, of_event};
use serde_json::{Map, Value};

/// The member that holds a statement about lines that were taken out on purpose.
pub(crate) const PRUNED: &str = "partywall_pruned";
/// Before a word in Envoy's own log.
const WORD: &[u8] = b"partywall: chain ";
/// How deep a decision may lie in the JSON of a line, texts that hold JSON included.
const DEEPEST: usize = 16;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A decision with its link.
    Linked(Box<Linked>),
    /// A decision without.
    Unlinked,
    /// A word of Envoy's own log.
    Word(String),
    /// A statement about lines that were taken out.
    Pruned(String),
    /// No whole JSON.
    Cut,
    /// Of another log.
    Other,
}

/// A decision as its line tells it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Linked {
    chain: String,
    values: [String; Fields::NAMES.len()],
    /// The trace id in `traceparent`, where it is there.
    pub(crate) trace: Option<String>,
}

impl Linked {
    /// What the link says.
    pub(crate) fn link(&self) -> Result<Link<'_>, LinkError> {
        Link::parse(&self.chain)
    }

    /// One of the fields that it vouches for.
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = Fields::NAMES.iter().zip(&self.values).find(|(of, _)| **of == name);
        found.map_or("", |(_, value)| value)
    }

    /// All of them.
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::of(|name| self.field(name))
    }
}

/// Reads a line.
pub(crate) fn read(line: &[u8]) -> Entry {
    match serde_json::from_slice::<Value>(line) {
        Ok(value) => match find(&value, DEEPEST) {
            Some(entry) => entry,
            None => word(line).unwrap_or(Entry::Other),
        },
        Err(_) if line.starts_with(b"{") => Entry::Cut,
        Err(_) => event(&String::from_utf8_lossy(line), DEEPEST).or_else(|| word(line)).unwrap_or(Entry::Other),
    }
}

/// A line about Kafka, wherever it stands in a text of Envoy's own log.
fn event(text: &str, depth: usize) -> Option<Entry> {
    let at = text.find(EVENT)?;
    let rest = text.get(at + EVENT.len()..)?;
    // What is there first; the log may put more behind it.
    match serde_json::Deserializer::from_str(rest).into_iter::<Value>().next() {
        Some(Ok(value)) => find(&value, depth),
        _ => Some(Entry::Cut),
    }
}

/// Looks for a decision or a statement in a value, and in the JSON that its texts hold.
fn find(value: &Value, depth: usize) -> Option<Entry> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(members) => of(members).or_else(|| members.values().find_map(|member| find(member, depth))),
        Value::Array(members) => members.iter().find_map(|member| find(member, depth)),
        Value::String(text) if text.trim_start().starts_with('{') => find(&serde_json::from_str(text).ok()?, depth),
        Value::String(text) => event(text, depth),
        _ => None,
    }
}

fn of(members: &Map<String, Value>) -> Option<Entry> {
    if let Some(Value::String(statement)) = members.get(PRUNED) {
        return Some(Entry::Pruned(statement.clone()));
    }
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let is_empty = |text: &str| matches!(text, "" | "-");
    // `explain` has a `decision`, too, and stands beside the link.
    if members.contains_key("partywall") || members.contains_key("partywall_candidate") {
        return None;
    }
    let chain = text("chain");
    if is_empty(&chain) {
        return (!is_empty(&text("decision"))).then_some(Entry::Unlinked);
    }
    let trace = text("traceparent").split('-').nth(1).filter(|id| id.len() == 32).map(str::to_owned);
    let mut values = Fields::NAMES.map(text);
    // About Kafka: there is no path, and what else it says stands for one.
    if !members.contains_key("path") && members.contains_key("cluster") {
        let printed = OF_EVENT.map(text);
        let member = |name| OF_EVENT.iter().zip(&printed).find(|(of, _)| **of == name).map_or("", |(_, value)| value);
        let path = of_event(member);
        if let Some((_, place)) = Fields::NAMES.iter().zip(&mut values).find(|(name, _)| **name == "path") {
            *place = path;
        }
    }
    Some(Entry::Linked(Box::new(Linked { chain, values, trace })))
}

/// A word, wherever it stands in the line.
fn word(line: &[u8]) -> Option<Entry> {
    let at = line.windows(WORD.len()).position(|part| part == WORD)?;
    let rest = str::from_utf8(line.get(at + WORD.len()..)?).ok()?;
    let end = rest.find(" mac=")? + " mac=".len();
    let mac: String = rest.get(end..)?.chars().take_while(char::is_ascii_hexdigit).collect();
    rest.starts_with("v=").then(|| Entry::Word(format!("{}{mac}", &rest[..end])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_found_wherever_it_stands() {
        let line = r#"{"time":"x","tenant":"t1_0","decision":"deny","reason":"-","policy":null,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","explain":"{\"partywall\":1,\"decision\":\"deny\"}","chain":"v=1 x"}"#;
        let Entry::Linked(linked) = read(line.as_bytes()) else { panic!("{:?}", read(line.as_bytes())) };
        assert_eq!((linked.field("tenant"), linked.field("policy"), linked.field("reason")), ("t1_0", "", "-"));
        assert_eq!(linked.trace.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let text = serde_json::to_string(line).unwrap();
        for wrapped in [format!("{{\"log\":{text},\"stream\":\"stdout\"}}"), format!("{{\"a\":[{{\"b\":{line}}}]}}")] {
            assert_eq!(read(wrapped.as_bytes()), Entry::Linked(Box::new(Linked { ..clone(&linked) })), "{wrapped}");
        }
        assert_eq!(read(line.replace("v=1 x", "-").as_bytes()), Entry::Unlinked);
        assert_eq!(read(line.replace(",\"chain\":\"v=1 x\"", "").as_bytes()), Entry::Unlinked);
        assert_eq!(read(&line.as_bytes()[..80]), Entry::Cut);
        for other in ["[2026] GET / 200", "{}", "[1]", r#"{"decision":null,"chain":null}"#] {
            assert_eq!(read(other.as_bytes()), Entry::Other, "{other}");
        }
    }

    fn clone(linked: &Linked) -> Linked {
        Linked { chain: linked.chain.clone(), values: linked.values.clone(), trace: linked.trace.clone() }
    }

    #[test]
    fn a_word_is_found_in_a_text_and_in_json() {
        let mac = "0123456789abcdef0123456789abcdef";
        let text = format!("v=1 key=a boot=b next=3 at=1 open= mac={mac}");
        for line in [
            format!("[2026-11-29 12:00:00.000][17][info][wasm] [context.cc:1] wasm log x: partywall: chain {text}"),
            format!(r#"{{"level":"info","message":"wasm log x: partywall: chain {text}"}}"#),
            format!(r#"{{"log":"wasm log: partywall: chain {text}\n"}}"#),
        ] {
            assert_eq!(read(line.as_bytes()), Entry::Word(text.clone()), "{line}");
        }
        assert_eq!(read(b"partywall: chain of something"), Entry::Other);
        let statement = read(br#"{"partywall_pruned":"v=1 x"}"#);
        assert_eq!(statement, Entry::Pruned("v=1 x".into()));
    }
}
