//! A redactor that does as it is told, and writes down what it was asked.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use std::collections::BTreeMap;

use partywall_log_redaction::carriers::{Change, Leaves, Part, Place, Tag, Unit, Verdict};
use serde::Deserialize;

/// What is answered for leaves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Where it stands; `*` at its end for all that begin so.
    pub path: Option<String>,
    /// `key`, `text`, `bytes` or `number`.
    pub part: Option<String>,
    /// What it holds somewhere.
    pub text: Option<String>,
    /// What stands in the place of that, or of all of it.
    pub to: Option<String>,
    /// Its field is left out.
    #[serde(default)]
    pub drop: bool,
}

/// What is answered at the end of units.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// `resource`, `scope`, `metric` or `record`.
    pub unit: String,
    /// A text that a leaf of its own has.
    pub text: Option<String>,
    /// It is left out.
    #[serde(default)]
    pub drop: bool,
    /// These are added.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// What a redactor does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub answers: Vec<Answer>,
    pub endings: Vec<Ending>,
    pub looks: bool,
    /// What it was asked, one line each.
    pub seen: Vec<String>,
    pub looked: Vec<String>,
    /// Of each open unit its kind and its own texts.
    open: Vec<(Unit, Vec<String>)>,
}

impl Script {
    pub fn new(answers: Vec<Answer>, endings: Vec<Ending>) -> Self {
        Self { answers, endings, ..Self::default() }
    }

    pub fn depth(&self) -> usize {
        self.open.len()
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Key => "key",
        Part::Text => "text",
        Part::Bytes => "bytes",
        Part::Number => "number",
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Resource => "resource",
        Unit::Scope => "scope",
        Unit::Metric => "metric",
        Unit::Record => "record",
    }
}

impl Answer {
    fn is_for(&self, place: &Place<'_>, text: &str) -> bool {
        let path = String::from_utf8_lossy(place.path);
        let right_path = self.path.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(begin) => path.starts_with(begin),
            None => path == wanted,
        });
        right_path
            && self.part.as_deref().is_none_or(|wanted| wanted == part(place.part))
            && self.text.as_deref().is_none_or(|wanted| text.contains(wanted))
    }
}

fn line(place: &Place<'_>, text: &str) -> String {
    format!("{:?} {} {}: {text}", place.slot, part(place.part), String::from_utf8_lossy(place.path))
}

impl Leaves for Script {
    fn looks(&self) -> bool {
        self.looks
    }

    fn look(&mut self, place: &Place<'_>, text: &[u8]) {
        self.looked.push(line(place, &String::from_utf8_lossy(text)));
    }

    fn begin(&mut self, kind: Unit) {
        self.seen.push(format!("begin {}", unit(kind)));
        self.open.push((kind, Vec::new()));
    }

    fn leaf(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        let text = String::from_utf8_lossy(text);
        self.seen.push(line(place, &text));
        if let Some((_, own)) = self.open.last_mut() {
            own.push(text.clone().into_owned());
        }
        for answer in &self.answers {
            if !answer.is_for(place, &text) {
                continue;
            }
            if answer.drop {
                return Change::DropField;
            }
            let to = answer.to.as_deref().expect("`to` or `drop`");
            let new = answer.text.as_deref().map_or_else(|| to.to_owned(), |what| text.replace(what, to));
            return Change::Replace(new.into_bytes());
        }
        Change::Keep
    }

    fn end(&mut self) -> Verdict {
        let (kind, own) = self.open.pop().expect("a unit that began");
        self.seen.push(format!("end {}", unit(kind)));
        for ending in &self.endings {
            let has = |text: &String| own.iter().any(|one| one.contains(text));
            if ending.unit != unit(kind) || !ending.text.as_ref().is_none_or(has) {
                continue;
            }
            if ending.drop {
                return Verdict::Drop;
            }
            let tag = |(name, value): (&String, &String)| Tag { name: name.clone(), value: value.clone() };
            return Verdict::Tag(ending.tags.iter().map(tag).collect());
        }
        Verdict::Keep
    }
}
