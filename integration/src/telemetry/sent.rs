//! The programs under `integration/telemetry/`: what each is told, and what it says that it wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::collector::Arrival;
use super::read::Span;
use crate::kafka::Client;

/// What a program is told.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Where it sends to: `https://localhost:PORT`.
    pub url: String,
    /// The file of the authority that the server's certificate is of.
    pub ca: String,
    /// The file of its own certificate.
    pub certificate: String,
    /// The file of its key.
    pub key: String,
    /// What stands in the header `x-run`.
    pub run: String,
    /// The tenant of the workload; `None` where several share it.
    pub sender: Option<String>,
    /// Whose records it writes.
    pub tenants: Vec<String>,
    /// What each tenant is called.
    pub names: BTreeMap<String, Names>,
    /// `none`, `gzip` or `deflate`.
    pub compression: String,
}

/// What a tenant is called.
#[derive(Clone, Debug, Serialize)]
pub struct Names {
    /// Its id.
    pub id: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// A host of its own.
    pub host: String,
}

/// A value or a word, and where it stood.
#[derive(Clone, Debug, Deserialize)]
pub struct Mark {
    /// The signal and the place in it.
    pub place: String,
    /// What it is.
    pub kind: String,
    /// As it was written.
    pub value: String,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}: {})", self.place, self.kind, self.value)
    }
}

/// A span as it was written.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "as in `read::Span`")]
pub struct Joined {
    pub place: String,
    pub trace: String,
    pub span: String,
    pub parent: String,
    pub links: Vec<(String, String)>,
}

/// What points to a span.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "as in `read::Read::pointers`")]
pub struct Pointer {
    pub place: String,
    pub trace: String,
    pub span: String,
}

/// What a program wrote.
#[derive(Clone, Debug, Deserialize)]
pub struct Sent {
    /// What must not arrive, wherever it stood.
    pub secrets: Vec<Mark>,
    /// A word of each record that must not arrive.
    pub gone: Vec<Mark>,
    /// What must arrive.
    pub kept: Vec<Mark>,
    /// Spans that must arrive as they were joined.
    pub spans: Vec<Joined>,
    /// Logs and exemplars that must point to these.
    pub pointers: Vec<Pointer>,
    /// What each export came to.
    pub results: BTreeMap<String, String>,
    /// Of a bulk request the kind of each action.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Of its answer each item: whether it was well, and its kind.
    #[serde(default)]
    pub items: Vec<(bool, String)>,
}

/// Runs `integration/telemetry/NAME.py ARGUMENT` with this plan, and reads what it wrote.
pub fn send(program: &str, argument: &str, plan: &Plan) -> Result<Sent> {
    let told = told(program, &[argument], plan)?;
    serde_json::from_str(&told).with_context(|| format!("{program}.py {argument} printed something else: {told}"))
}

/// The same for one that prints something of its own.
pub fn told(program: &str, arguments: &[&str], plan: &Plan) -> Result<String> {
    Client::exporter(program)?.run(arguments, &serde_json::to_string(plan)?)?.succeeds()
}

/// What arrived of what was written.
#[derive(Clone, Debug, Default)]
pub struct Found {
    values: BTreeSet<String>,
    spans: Vec<Span>,
    pointers: BTreeSet<(String, String)>,
    /// What could not be read.
    pub damage: Vec<String>,
}

impl Sent {
    /// Looks for all marks in what arrived: in bodies byte by byte, in every text that was read of them, in paths and
    /// headers.
    pub fn look_in(&self, arrivals: &[Arrival]) -> Result<Found> {
        let marks: Vec<&Mark> = [&self.secrets, &self.gone, &self.kept].into_iter().flatten().collect();
        let search = AhoCorasick::new(marks.iter().map(|mark| &mark.value))?;
        let mut found = Found::default();
        let mut look = |bytes: &[u8]| {
            let hits = search.find_overlapping_iter(bytes).map(|hit| marks[hit.pattern().as_usize()].value.clone());
            found.values.extend(hits);
        };
        for arrival in arrivals {
            look(&arrival.body);
            look(arrival.path.as_bytes());
            arrival.headers.iter().for_each(|(_, value)| look(value.as_bytes()));
            arrival.read.texts.iter().for_each(|text| look(text.as_bytes()));
        }
        for arrival in arrivals {
            found.spans.extend(arrival.read.spans.iter().cloned());
            found.pointers.extend(arrival.read.pointers.iter().cloned());
            found.damage.extend(arrival.damage.iter().map(|why| format!("{}: {why}", arrival.path)));
        }
        Ok(found)
    }

    /// Exports that did not come to a good end, and items of a bulk request that tell of another action than its own.
    pub fn failures(&self) -> Vec<String> {
        let bad = self.results.iter().filter(|(_, came)| *came != "SUCCESS");
        let mut all: Vec<String> = bad.map(|(what, came)| format!("{what} came to {came}")).collect();
        if self.results.is_empty() {
            all.push("nothing was sent".into());
        }
        if self.items.len() != self.actions.len() {
            all.push(format!("{} items for {} actions", self.items.len(), self.actions.len()));
        }
        for (at, ((well, kind), action)) in self.items.iter().zip(&self.actions).enumerate() {
            if !well || kind != action {
                all.push(format!("item {at}: {kind}, {}, for {action}", if *well { "well" } else { "not well" }));
            }
        }
        all
    }

    /// Of these marks the ones that arrived.
    pub fn arrived<'a>(&self, of: &'a [Mark], found: &Found) -> Vec<&'a Mark> {
        of.iter().filter(|mark| found.values.contains(&mark.value)).collect()
    }

    /// Of these marks the ones that did not.
    pub fn missing<'a>(&self, of: &'a [Mark], found: &Found) -> Vec<&'a Mark> {
        of.iter().filter(|mark| !found.values.contains(&mark.value)).collect()
    }

    /// Spans, logs and exemplars that are joined no more as they were written.
    pub fn torn(&self, found: &Found) -> Vec<String> {
        let mut torn = Vec::new();
        for joined in &self.spans {
            let Joined { place, trace, span, parent, links } = joined;
            let written =
                Span { trace: trace.clone(), span: span.clone(), parent: parent.clone(), links: links.clone() };
            match found.spans.iter().find(|one| one.span == *span) {
                None => torn.push(format!("{place}: span {span} did not arrive")),
                Some(arrived) if *arrived != written => torn.push(format!("{place}: {written:?} became {arrived:?}")),
                Some(_) => {}
            }
        }
        let away = |pointer: &&Pointer| !found.pointers.contains(&(pointer.trace.clone(), pointer.span.clone()));
        torn.extend(
            self.pointers.iter().filter(away).map(|one| format!("{}: nothing points to {}", one.place, one.span)),
        );
        torn
    }
}
