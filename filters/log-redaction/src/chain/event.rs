//! A line of `kafka_scope` in Envoy's own log, and what its link vouches for.
//!
//! ```text
//! … partywall: event {"time":1795974522,"cluster":"shop-events","tenant":"t1_…","api":"Produce",…,"chain":"v=1 …"}
//! ```
//!
//! It says nothing of a path. What it says beside the fields of every decision stands in the link in that place, by
//! [`of_event`]: the module asks it of what it writes, and who verifies of what is written there.

use super::Fields;
use crate::explain::{number, text};

/// Before a line about a connection of Kafka, in Envoy's own log.
pub const EVENT: &str = "partywall: event ";

/// The members of a line that [`Fields`] has no place for. Adding one changes what each link vouches for.
pub const OF_EVENT: [&str; 9] = ["time", "cluster", "principal", "api", "action", "rule", "id", "code", "traceparent"];

/// What was decided about a topic, or why a connection ended. An empty text is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the members of the line, by their names")]
pub struct Event<'a> {
    /// In seconds since the Unix epoch.
    pub time: u64,
    /// As `events.yaml` calls it.
    pub cluster: &'a str,
    pub tenant: &'a str,
    pub principal: &'a str,
    pub api: &'a str,
    pub action: &'a str,
    pub rule: &'a str,
    /// The fingerprint of what the tenant calls the topic, or of what it named where that is none of its own.
    pub id: &'a str,
    /// `allow`, `deny`, or `end` where it is the connection's.
    pub decision: &'a str,
    pub shadow: &'a str,
    pub reason: &'a str,
    pub policy: &'a str,
    /// Kafka's error.
    pub code: Option<i16>,
    pub revision: u64,
    /// That of the first record that was to be written.
    pub traceparent: &'a str,
    pub detail: &'a str,
    /// What a candidate decides otherwise, as [`Compared`](crate::Compared) wrote it.
    pub candidate: &'a str,
}

impl Event<'_> {
    /// Hands out the fields that a link of this line vouches for.
    pub fn with_fields<T>(&self, then: impl FnOnce(&Fields<'_>) -> T) -> T {
        let (time, revision) = (self.time.to_string(), self.revision.to_string());
        let code = self.code.map(|code| code.to_string()).unwrap_or_default();
        let path = of_event(|name| match name {
            "time" => &time,
            "cluster" => self.cluster,
            "principal" => self.principal,
            "api" => self.api,
            "action" => self.action,
            "rule" => self.rule,
            "id" => self.id,
            "code" => &code,
            "traceparent" => self.traceparent,
            _ => "",
        });
        let Self { tenant, decision, shadow, reason, policy, detail, candidate, .. } = *self;
        then(&Fields {
            tenant,
            decision,
            shadow,
            reason,
            policy,
            revision: &revision,
            path: &path,
            detail,
            candidate,
            ..Fields::default()
        })
    }

    /// The line as one JSON object, with this link where it has one.
    pub fn write(&self, chain: &str) -> String {
        let mut out = String::with_capacity(512);
        out.push_str("{\"time\":");
        number(self.time, &mut out);
        for (name, value) in [
            ("cluster", self.cluster),
            ("tenant", self.tenant),
            ("principal", self.principal),
            ("api", self.api),
            ("action", self.action),
            ("rule", self.rule),
            ("id", self.id),
            ("decision", self.decision),
            ("shadow", self.shadow),
            ("reason", self.reason),
            ("policy", self.policy),
        ] {
            text(name, value, &mut out);
        }
        if let Some(code) = self.code {
            out.push_str(",\"code\":");
            out.push_str(&code.to_string());
        }
        out.push_str(",\"revision\":");
        number(self.revision, &mut out);
        for (name, value) in [
            ("traceparent", self.traceparent),
            ("detail", self.detail),
            ("candidate", self.candidate),
            ("chain", chain),
        ] {
            text(name, value, &mut out);
        }
        out.push('}');
        out
    }
}

/// What stands in the place of a path: each of [`OF_EVENT`] as printed, empty where the line has none. Each has its length
/// before it, so that no two lines read alike; no path of a request begins like this.
pub fn of_event<'a>(mut member: impl FnMut(&'static str) -> &'a str) -> String {
    let mut out = String::with_capacity(256);
    out.push_str("event");
    for name in OF_EVENT {
        let printed = member(name);
        out.push(' ');
        number(printed.len() as u64, &mut out);
        out.push(':');
        out.push_str(printed);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: Event<'_> = Event {
        time: 1_795_974_522,
        cluster: "shop-events",
        tenant: "t1_0",
        principal: "s1_0",
        api: "Produce",
        action: "events:produce",
        rule: "*",
        id: "r1_0",
        decision: "deny",
        shadow: "",
        reason: "policy_denied",
        policy: "no\"body",
        code: Some(29),
        revision: 6,
        traceparent: "",
        detail: "",
        candidate: "",
    };

    #[test]
    fn a_line_has_what_there_is_to_say_and_its_link_last() {
        let expected = concat!(
            r#"{"time":1795974522,"cluster":"shop-events","tenant":"t1_0","principal":"s1_0","api":"Produce","#,
            r#""action":"events:produce","rule":"*","id":"r1_0","decision":"deny","reason":"policy_denied","#,
            r#""policy":"no\"body","code":29,"revision":6,"chain":"v=1 x"}"#
        );
        assert_eq!(DENIED.write("v=1 x"), expected);
        let unknown = Event { code: Some(-1), detail: "d", ..Event::default() }.write("");
        assert_eq!(unknown, r#"{"time":0,"code":-1,"revision":0,"detail":"d"}"#);
    }

    /// What a line says without its link, by the names of its members.
    fn printed(event: &Event<'_>) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(&event.write("")).unwrap()
    }

    #[test]
    fn no_two_lines_have_the_same_fields() {
        let other = [
            Event { time: 1, ..DENIED },
            Event { cluster: "shop-event", ..DENIED },
            Event { tenant: "t1_1", ..DENIED },
            Event { principal: "", ..DENIED },
            Event { api: "Fetch", ..DENIED },
            Event { action: "events:consume", ..DENIED },
            Event { rule: "orders", ..DENIED },
            Event { id: "r1_1", ..DENIED },
            Event { decision: "allow", ..DENIED },
            Event { shadow: "deny", ..DENIED },
            Event { reason: "", ..DENIED },
            Event { policy: "other", ..DENIED },
            Event { code: None, ..DENIED },
            Event { code: Some(2), id: "9 r1_0", ..DENIED },
            Event { revision: 7, ..DENIED },
            Event { traceparent: "00-4bf9", ..DENIED },
            Event { detail: "d", ..DENIED },
            Event { candidate: "{}", ..DENIED },
            // What goes from one member into the next one.
            Event { api: "Producee", action: "vents:produce", ..DENIED },
        ];
        let whole = DENIED.with_fields(|fields| fields.digest());
        for event in &other {
            assert_ne!(event.with_fields(|fields| fields.digest()), whole, "{event:?}");
        }
        // Whatever a line says is among them: each member that is printed was changed by itself above.
        let names: Vec<String> =
            printed(&Event { shadow: "x", traceparent: "x", detail: "x", candidate: "x", ..DENIED })
                .into_iter()
                .map(|(name, _)| name)
                .collect();
        for name in &names {
            let alone = |event: &&Event<'_>| {
                let (a, b) = (printed(event), printed(&DENIED));
                names.iter().all(|of| (a.get(of) != b.get(of)) == (of == name))
            };
            assert!(
                other.iter().any(|event| alone(&event)),
                "`{name}` is printed and nobody looks whether it is vouched for"
            );
        }
    }
}
