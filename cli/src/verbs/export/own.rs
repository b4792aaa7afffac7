//! What of a line is one tenant's own.

use std::collections::BTreeSet;

use partywall_tenancy::{FingerprintKeys, TenantId};
use serde_json::{Map, Value};

/// What stands in the place of another tenant.
const OTHER: &str = "t_other";
/// What a line says of a request.
const MEMBERS: [&str; 15] = [
    "time",
    "hop",
    "role",
    "method",
    "path",
    "status",
    "tenant",
    "decision",
    "reason",
    "policy",
    "revision",
    "traceparent",
    "request_id",
    "duration_ms",
    "explain",
];
/// What `explain` says of another tenant alone.
const OF_OTHERS: &str = "owner_withdrawn";

/// One tenant, and by what the others would be known.
pub(super) struct Own {
    prints: BTreeSet<String>,
    /// Names of all others.
    others: BTreeSet<String>,
}

impl Own {
    pub(super) fn new<'t>(
        tenant: &TenantId,
        keys: &[FingerprintKeys],
        all: impl Iterator<Item = &'t TenantId>,
    ) -> Self {
        let prints = keys.iter().map(|key| key.of(tenant)).collect();
        let others = all.filter(|other| *other != tenant).map(|other| other.as_str().to_owned()).collect();
        Self { prints, others }
    }

    /// The decision of a line, if it is about this tenant.
    pub(super) fn decision(&self, line: &[u8]) -> Option<Value> {
        let Ok(Value::Object(line)) = serde_json::from_slice(line) else { return None };
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let explain: Option<Map<String, Value>> = match line.get("explain") {
            Some(Value::String(text)) => serde_json::from_str(text).ok(),
            Some(Value::Object(members)) => Some(members.clone()),
            _ => None,
        };
        let is_own = |print: &str| self.prints.contains(print);
        let by_itself = is_own(text("tenant"));
        let owner = explain.as_ref().and_then(|explain| explain.get("owner")?.as_str()).unwrap_or_default();
        let let_in = text("policy").starts_with("grant:") && text("decision") == "allow" && is_own(owner);
        if !by_itself && !let_in {
            return None;
        }
        let mut kept = Map::new();
        for name in MEMBERS {
            let value = line.get(name).unwrap_or(&Value::Null);
            let value = match (name, &explain) {
                ("explain", Some(explain)) => Value::Object(self.explained(explain, by_itself)),
                ("explain", None) => Value::Null,
                _ => self.without_others(value),
            };
            if !value.is_null() {
                kept.insert(name.to_owned(), value);
            }
        }
        Some(Value::Object(kept))
    }

    fn explained(&self, explain: &Map<String, Value>, by_itself: bool) -> Map<String, Value> {
        let kept = explain.iter().filter(|(name, _)| *name != OF_OTHERS);
        // Of who came by a grant: what was done, and not who it was.
        let kept = kept
            .filter(|(name, _)| by_itself || !matches!(name.as_str(), "roles" | "features" | "consents" | "withdrawn"));
        kept.map(|(name, value)| {
            let value = match name.as_str() {
                "principal" if !by_itself => Value::from("s_other"),
                _ => self.without_others(value),
            };
            (name.clone(), value)
        })
        .collect()
    }

    /// The same without names and fingerprints of other tenants.
    fn without_others(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.words(text)),
            Value::Array(all) => all.iter().map(|one| self.without_others(one)).collect(),
            Value::Object(_) => Value::Null,
            plain => plain.clone(),
        }
    }

    fn words(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_inner) {
            let (before, from) = rest.split_at(start);
            let (word, after) = from.split_at(from.find(|c| !is_inner(c)).unwrap_or(from.len()));
            out.push_str(before);
            out.push_str(if self.is_other(word) { OTHER } else { word });
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Whether a word names another tenant, or has its name in it.
    fn is_other(&self, word: &str) -> bool {
        if is_print(word) {
            return !self.prints.contains(word);
        }
        let within = |name: &String| {
            word.match_indices(name.as_str()).any(|(at, _)| {
                let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
                edge(word[..at].chars().next_back()) && edge(word[at + name.len()..].chars().next())
            })
        };
        self.others.iter().any(within)
    }
}

fn is_inner(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// `t`, an epoch, `_` and 16 hex digits.
fn is_print(word: &str) -> bool {
    let parts = word.strip_prefix('t').and_then(|rest| rest.rsplit_once('_'));
    parts.is_some_and(|(epoch, hex)| {
        !epoch.is_empty() && hex.len() == 16 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}
