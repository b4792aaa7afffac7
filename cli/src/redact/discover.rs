//! Which fields samples have, and what may become of each: a proposal for the rules of a redactor.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use partywall_log_redaction::detect::{DetectorId, Detectors};

use super::json::{Decoded, Kind, Leaf, Visit, may_be, walk};
use super::{Redactor, Search};

/// Fields that are remembered; of more, how many lines had them.
const FIELDS: usize = 2000;
/// The longest path that is remembered, in bytes.
const PATH: usize = 256;

/// What was seen of one field.
#[derive(Debug, Default)]
struct Field {
    /// Values by kind: texts, numbers, words.
    kinds: [u64; 3],
    /// Values in which something was found, by the first detector.
    hits: BTreeMap<DetectorId, u64>,
    /// Values of which all was found.
    whole: u64,
}

/// What was seen of all.
pub(crate) struct Discovery<'d> {
    detectors: &'d Detectors,
    search: Search<'d>,
    fields: BTreeMap<Vec<u8>, Field>,
    /// Values of fields that were too many or too long, or whose names are values themselves.
    other: u64,
    json: u64,
    text: u64,
    text_hits: BTreeMap<DetectorId, u64>,
}

impl<'d> Discovery<'d> {
    pub(crate) fn new(detectors: &'d Detectors) -> Self {
        let (fields, text_hits) = (BTreeMap::new(), BTreeMap::new());
        Self { detectors, search: Search::new(detectors), fields, other: 0, json: 0, text: 0, text_hits }
    }

    /// Looks at one line; `redactor` at those that are no JSON.
    pub(crate) fn line(&mut self, line: &[u8], redactor: &mut Redactor<'_>) {
        struct Nothing;
        impl Visit for Nothing {
            fn name(&mut self, _: &[u8], _: usize) {}
            fn leaf(&mut self, _: &Leaf<'_>) {}
        }
        // Half a line says nothing: it is looked at once it is known to be JSON.
        if may_be(line) && walk(line, &mut Nothing).is_ok() && walk(line, self).is_ok() {
            self.json += 1;
            return;
        }
        self.text += 1;
        let mut out = Vec::new();
        for hit in redactor.line(line, &mut out) {
            *self.text_hits.entry(hit.detector).or_default() += 1;
        }
    }

    /// As YAML.
    pub(crate) fn yaml(&mut self) -> String {
        let mut text = format!(
            "# Proposed from {} line{} of JSON. Read it before it is used: what no detector knows, such as names of people,\n\
             # is not told from the rest.\n",
            self.json,
            if self.json == 1 { "" } else { "s" }
        );
        if self.text > 0 {
            let _ = writeln!(text, "# {} other lines: {}", self.text, self.told(&self.text_hits));
        }
        if self.other > 0 {
            let _ = writeln!(
                text,
                "# {} values stand in fields that are not listed: their names are too long, too many, or values themselves.",
                self.other
            );
        }
        text += "fields:\n  - unlisted: mask\n    rules:";
        if self.fields.is_empty() {
            text += " []";
        }
        for (path, field) in &self.fields {
            let path = serde_json::to_string(&String::from_utf8_lossy(path)).unwrap_or_default();
            let values: u64 = field.kinds.iter().sum();
            let kinds: Vec<String> = ["text", "number", "true, false or null"]
                .iter()
                .zip(field.kinds)
                .filter(|(_, count)| *count > 0)
                .map(|(kind, count)| if count == values { (*kind).to_owned() } else { format!("{kind} {count}") })
                .collect();
            let _ = write!(
                text,
                "\n      # {values} value{}, {}; {}\n      - {{ path: {path}, action: {} }}",
                if values == 1 { "" } else { "s" },
                kinds.join(", "),
                self.told(&field.hits),
                field.action()
            );
        }
        text
    }

    fn told(&self, hits: &BTreeMap<DetectorId, u64>) -> String {
        let all: Vec<String> = hits.iter().map(|(id, count)| format!("{} {count}", self.detectors.name(*id))).collect();
        if all.is_empty() { "nothing found".to_owned() } else { format!("found {}", all.join(", ")) }
    }
}

impl Field {
    /// `keep` where nothing was found, `mask` where values are what was found, `scan` where it stands in longer ones.
    fn action(&self) -> &'static str {
        match self.hits.values().sum::<u64>() {
            0 => "keep",
            hits if self.whole * 2 >= hits => "mask",
            _ => "scan",
        }
    }
}

impl Visit for Discovery<'_> {
    fn name(&mut self, _: &[u8], _: usize) {}

    fn leaf(&mut self, leaf: &Leaf<'_>) {
        let room = self.fields.len() < FIELDS;
        if !self.fields.contains_key(leaf.path) {
            // A name that is a value itself is told to nobody.
            if !room || leaf.path.len() > PATH || !self.search.find(leaf.path, b"").is_empty() {
                self.other += 1;
                return;
            }
            self.fields.insert(leaf.path.to_vec(), Field::default());
        }
        let decoded = Decoded::new(leaf.written);
        let text = if leaf.kind == Kind::Text { decoded.text() } else { leaf.written };
        let found = if leaf.kind == Kind::Word || text.is_empty() { &[] } else { self.search.find(text, leaf.key) };
        let Some(field) = self.fields.get_mut(leaf.path) else { return };
        field.kinds[leaf.kind as usize] += 1;
        if let Some(first) = found.first() {
            *field.hits.entry(first.detector).or_default() += 1;
            field.whole += u64::from(found.iter().map(|one| one.range.len()).sum::<usize>() == text.len());
        }
    }
}
