//! Decisions as access logs recorded them: the `explain` field, wherever it stands in a line.
//!
//! ```text
//! a line ──► JSON, or a text with the record in it ──► the member that is one, as object or as string ──► Record
//!                     │                                        │
//!                     └──────────────── Skip: why there is none, counted and told ◄───┘
//! ```
//!
//! A log is read line by line in bounded memory, so its size does not matter.

mod lines;

use std::fmt;

use partywall_authorization::MOST_SCOPES;
use partywall_log_redaction::TOO_MANY_SCOPES;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use lines::{Log, Period, Skipped};

/// The version of the field that this build reads.
const VERSION: u64 = 1;
/// The member by which a record is known.
const MARK: &str = "partywall";
/// How deep a record may lie in the JSON of a line, texts that hold JSON included.
const DEEPEST: usize = 16;

/// What one decision was made on, and what came of it. Names are fingerprints; see `docs/architecture.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Record {
    /// When, in Unix seconds.
    pub(crate) time: u64,
    /// The revision of the bundle.
    pub(crate) revision: u64,
    /// The sequence of the overlay.
    pub(crate) overlay: u64,
    /// `allow` or `deny`.
    pub(crate) decision: String,
    /// `deny` where it was let in because it was in shadow.
    pub(crate) shadow: String,
    /// Why not, or would not.
    pub(crate) reason: String,
    /// The policy that settled it.
    pub(crate) policy: String,
    /// The service called.
    pub(crate) service: String,
    /// The tenant's fingerprint.
    pub(crate) tenant: String,
    /// The principal's fingerprint; empty for nobody.
    pub(crate) principal: String,
    /// The method of the operation; empty where none was found or asked for.
    pub(crate) method: String,
    /// Its path template.
    pub(crate) path: String,
    /// What else it asks for, as `query.view=full`.
    pub(crate) when: Vec<String>,
    /// What its route says of it, as `purpose=service`, where somebody listens.
    pub(crate) route: Vec<String>,
    /// Its action.
    pub(crate) action: String,
    /// The type of its resource.
    pub(crate) resource: String,
    /// The fingerprint of the resource's id.
    pub(crate) id: String,
    /// The fingerprint of the owner that the request showed.
    pub(crate) owner: String,
    /// The region of the sidecar, where the operation's dataset is bound to regions and it was known.
    pub(crate) region: String,
    /// The cell of the sidecar; empty where it serves all of them.
    pub(crate) cell: String,
    /// The SPIFFE ID of who called, where policies asked for it; empty where nobody knew.
    pub(crate) caller: String,
    /// The principal's roles, those that policies named.
    pub(crate) roles: Vec<String>,
    /// The networks that the client called from, where policies asked for them.
    pub(crate) networks: Vec<String>,
    /// The scopes of the credential, those that policies named, where they asked for scopes; and what stands for others.
    pub(crate) scopes: Vec<String>,
    /// Features of its tenant, those that policies named.
    pub(crate) features: Vec<String>,
    /// Consents of its tenant that held, those that policies named.
    pub(crate) consents: Vec<String>,
    /// Consents that the tenant's record gave and the overlay withdrew.
    pub(crate) withdrawn: Vec<String>,
    /// The same of the owner, where that was another tenant.
    pub(crate) owner_withdrawn: Vec<String>,
}

impl Record {
    /// Whether it was let in.
    pub(crate) fn allowed(&self) -> bool {
        self.decision == "allow"
    }

    /// Whether authorization was asked and found an operation, so that it can be decided again.
    pub(crate) fn reached_authorization(&self) -> bool {
        !self.path.is_empty()
    }

    /// The request in a few words.
    pub(crate) fn request(&self) -> String {
        let roles = if self.roles.is_empty() { "no role".to_owned() } else { self.roles.join(", ") };
        format!("{} {} at {}, {roles}", self.method, self.path, self.service)
    }

    /// The outcome in a few words.
    pub(crate) fn outcome(&self) -> String {
        outcome(self.allowed(), &self.reason, &self.policy)
    }
}

/// An outcome in a few words. What is let in has a reason where it would be denied, were it not in shadow.
pub(crate) fn outcome(allowed: bool, reason: &str, policy: &str) -> String {
    let word = match (allowed, reason) {
        (false, _) => "deny",
        (true, "") => "allow",
        (true, _) => "allow in shadow",
    };
    let why = if reason.is_empty() { String::new() } else { format!(" {reason}") };
    let by = if policy.is_empty() { String::new() } else { format!(" by `{policy}`") };
    format!("{word}{why}{by}")
}

/// Why there is no decision to be had from a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Skip {
    /// No field that is one.
    NoField,
    /// The field is there and empty.
    Empty,
    /// Cut off, or no JSON around the field.
    Cut,
    /// Of a version that this build does not read.
    Version,
    /// A member is missing or is of another kind.
    Malformed,
    /// Longer than any line of ours.
    TooLong,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoField => "without an `explain` field: of another log, or the log format leaves it out",
            Self::Empty => "with an empty `explain` field: `explain: denials` or `off`, or no decision at all",
            Self::Cut => "cut, or broken inside the field",
            Self::Version => "with an `explain` field of a version that this build does not read",
            Self::Malformed => "with an `explain` field that lacks a member or has one of another kind",
            Self::TooLong => "too long to be read",
        })
    }
}

/// The decision that a line tells of.
pub(crate) fn read(line: &[u8]) -> Result<Record, Skip> {
    match serde_json::from_slice::<Value>(line) {
        Ok(value) => {
            let mut empty = false;
            match find(&value, DEEPEST, &mut empty) {
                Some(found) => record(found),
                None if empty => Err(Skip::Empty),
                None => Err(Skip::NoField),
            }
        }
        Err(_) => in_text(line),
    }
}

/// A line of a text format, with the record as Envoy puts it there.
fn in_text(line: &[u8]) -> Result<Record, Skip> {
    let text = String::from_utf8_lossy(line);
    let Some(at) = text.find("{\"partywall\":") else {
        let cut = text.contains(r#"{\"partywall\":"#) || text.trim_start().starts_with('{');
        return Err(if cut { Skip::Cut } else { Skip::NoField });
    };
    let rest = text.get(at..).unwrap_or_default();
    match serde_json::Deserializer::from_str(rest).into_iter::<Value>().next() {
        Some(Ok(value)) => record(value),
        _ => Err(Skip::Cut),
    }
}

fn record(value: Value) -> Result<Record, Skip> {
    if value.get(MARK).and_then(Value::as_u64) != Some(VERSION) {
        return Err(Skip::Version);
    }
    let mut record: Record = serde_json::from_value(value).map_err(|_| Skip::Malformed)?;
    // As many as it takes to be denied for again.
    if record.scopes.iter().any(|scope| scope == TOO_MANY_SCOPES) {
        record.scopes = (0..=MOST_SCOPES).map(|n| format!("{TOO_MANY_SCOPES} {n}")).collect();
    }
    let whole = record.time > 0 && matches!(record.decision.as_str(), "allow" | "deny");
    if whole { Ok(record) } else { Err(Skip::Malformed) }
}

/// Looks for the record in a value and in the JSON that its texts hold; says whether the field was there without one.
fn find(value: &Value, depth: usize, empty: &mut bool) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(members) => {
            if members.get(MARK).is_some_and(Value::is_u64) {
                return Some(value.clone());
            }
            members.iter().find_map(|(name, member)| {
                *empty |= name == "explain" && matches!(member.as_str(), None | Some("" | "-")) && !member.is_object();
                find(member, depth, empty)
            })
        }
        Value::Array(members) => members.iter().find_map(|member| find(member, depth, empty)),
        Value::String(text) if text.contains(MARK) && text.trim_start().starts_with('{') => {
            find(&serde_json::from_str(text).ok()?, depth, empty)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"partywall":1,"time":5,"revision":7,"overlay":9,"decision":"allow","policy":"p","service":"orders","tenant":"t1_0","principal":"s1_0","method":"GET","path":"/orders/{id}","action":"orders:read","resource":"Order","id":"r1_0","roles":["viewer"]}"#;

    fn text(value: &str) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn a_record_is_found_wherever_it_stands() {
        let expected = read(RECORD.as_bytes()).unwrap();
        assert_eq!((expected.time, expected.roles.as_slice()), (5, &["viewer".to_owned()][..]));
        assert!(expected.allowed() && expected.reached_authorization());
        let wrapped = text(&format!("{{\"explain\":{}}}\n", text(RECORD)));
        for line in [
            format!("{{\"a\":1,\"explain\":{}}}", text(RECORD)),
            format!("{{\"a\":1,\"explain\":{RECORD}}}"),
            format!("{{\"attributes\":[{{\"key\":\"x\"}},{{\"value\":{{\"stringValue\":{}}}}}]}}", text(RECORD)),
            format!("{{\"log\":{wrapped},\"stream\":\"stdout\"}}"),
            format!("[2026-11-20] \"GET /\" {RECORD} 200"),
        ] {
            assert_eq!(read(line.as_bytes()).as_ref(), Ok(&expected), "{line}");
        }
    }

    #[test]
    fn what_holds_none_says_why() {
        let cut = format!("{{\"explain\":{}", text(RECORD));
        let deep = format!("{}{RECORD}{}", "[".repeat(20), "]".repeat(20));
        for (line, why) in [
            ("{\"a\":1}", Skip::NoField),
            ("GET / 200", Skip::NoField),
            ("{\"explain\":null}", Skip::Empty),
            ("{\"explain\":\"-\"}", Skip::Empty),
            ("{\"explain\":\"\"}", Skip::Empty),
            (&cut[..60], Skip::Cut),
            (&cut, Skip::Cut),
            (&RECORD[..60], Skip::Cut),
            ("{\"partywall\":2,\"time\":5}", Skip::Version),
            ("{\"partywall\":1}", Skip::Malformed),
            ("{\"partywall\":1,\"time\":5,\"decision\":\"maybe\"}", Skip::Malformed),
            ("{\"partywall\":1,\"time\":\"5\",\"decision\":\"deny\"}", Skip::Malformed),
            (&deep, Skip::NoField),
        ] {
            assert_eq!(read(line.as_bytes()), Err(why), "{line}");
        }
    }
}
