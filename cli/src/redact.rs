//! Text line by line through the detectors of the filter.
//!
//! ```text
//! source ─► lines, of 1 MiB at most ─► json: each name and value │ text ─► detectors ─► marks in their place
//!                    │ longer: masked whole                                    │
//!                    └────────────────────────────────────────► report: summary, findings, progress
//! ```

mod block;
mod choice;
pub(crate) mod discover;
mod json;
mod lines;
mod mark;
mod report;
pub(crate) mod score;

use std::ops::Range;

use partywall_log_redaction::detect::{DetectorId, Detectors, Finding, Hint, Scratch};

use block::Block;
pub(crate) use choice::{Choice, detectors, meant};
use json::{Kind, Leaf, Visit};
pub(crate) use lines::{Piece, read};
pub(crate) use mark::Marks;
pub(crate) use report::{Progress, Tally, explain};

/// What a line has that may not stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The bytes of the line, as they are written.
    pub(crate) range: Range<usize>,
    /// Which detector says so.
    pub(crate) detector: DetectorId,
    /// The fingerprint, where there is a key.
    print: Option<[u8; 4]>,
    /// Whether what stands there becomes a text of JSON: it was a number.
    quoted: bool,
    /// The field of JSON it stands in, if that may be told.
    pub(crate) field: Option<String>,
}

/// Redacts one line after the other.
pub(crate) struct Redactor<'d> {
    pub(crate) detectors: &'d Detectors,
    pub(crate) marks: Marks,
    search: Search<'d>,
    block: Block,
    private_key: Option<DetectorId>,
    tell_fields: bool,
    hits: Vec<Hit>,
}

impl<'d> Redactor<'d> {
    /// With what is written instead; `tell_fields` where hits are to name the field of JSON they are in.
    pub(crate) fn new(detectors: &'d Detectors, marks: Marks, tell_fields: bool) -> Self {
        let private_key = detectors.names().find(|(_, name)| *name == "private_key").map(|(id, _)| id);
        let (search, block) = (Search::new(detectors), Block::default());
        Self { detectors, marks, search, block, private_key, tell_fields, hits: Vec::new() }
    }

    /// Another text begins: what the last one left open ends.
    pub(crate) fn next(&mut self) {
        self.block = Block::default();
    }

    /// Appends a line, which has no end of a line in it, as it may be read; what was found in it.
    pub(crate) fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> &[Hit] {
        self.find(line);
        let mut at = 0;
        for hit in &self.hits {
            out.extend_from_slice(&line[at..hit.range.start]);
            let quote: &[u8] = if hit.quoted { b"\"" } else { b"" };
            out.extend_from_slice(quote);
            self.marks.write(self.detectors.name(hit.detector), hit.print, out);
            out.extend_from_slice(quote);
            at = hit.range.end;
        }
        out.extend_from_slice(&line[at..]);
        &self.hits
    }

    fn find(&mut self, line: &[u8]) {
        self.hits.clear();
        if let Some(id) = self.private_key
            && self.block.has(line)
        {
            let print = self.marks.print(line);
            self.hits.push(Hit { range: 0..line.len(), detector: id, print, quoted: false, field: None });
            return;
        }
        if json::may_be(line) {
            let tell = self.tell_fields;
            let mut fields = Fields { search: &mut self.search, marks: &self.marks, hits: &mut self.hits, tell };
            if json::walk(line, &mut fields).is_ok() {
                return;
            }
            self.hits.clear();
        }
        for one in self.search.find(line, b"") {
            let print = self.marks.print(&line[one.range.clone()]);
            let (range, detector) = (one.range.clone(), one.detector);
            self.hits.push(Hit { range, detector, print, quoted: false, field: None });
        }
        if let Some(last) = self.hits.last()
            && Some(last.detector) == self.private_key
        {
            self.block.begins(&line[last.range.clone()], &line[last.range.end..]);
        }
    }
}

/// Names and values of a line of JSON.
struct Fields<'r, 'd> {
    search: &'r mut Search<'d>,
    marks: &'r Marks,
    hits: &'r mut Vec<Hit>,
    tell: bool,
}

impl Fields<'_, '_> {
    fn text(&mut self, written: &[u8], at: usize, key: &[u8], field: &[u8]) {
        if written.is_empty() {
            return;
        }
        let decoded = json::Decoded::new(written);
        let first = self.hits.len();
        for one in self.search.find(decoded.text(), key) {
            let range = decoded.place(&one.range);
            let print = self.marks.print(&decoded.text()[one.range.clone()]);
            let range = at + range.start..at + range.end;
            match self.hits.get_mut(first..).and_then(<[Hit]>::last_mut) {
                // Two that share an escape, as halves of what it means.
                Some(last) if range.start < last.range.end => last.range.end = last.range.end.max(range.end),
                _ => self.hits.push(Hit { range, detector: one.detector, print, quoted: false, field: None }),
            }
        }
        self.name_field(first, field);
    }

    fn name_field(&mut self, first: usize, field: &[u8]) {
        if self.tell
            && self.hits.len() > first
            && let Ok(field) = std::str::from_utf8(field)
            && !field.is_empty()
            && field.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '[' | ']'))
            && self.search.find(field.as_bytes(), b"").is_empty()
        {
            self.hits[first..].iter_mut().for_each(|hit| hit.field = Some(field.to_owned()));
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn name(&mut self, written: &[u8], at: usize) {
        self.text(written, at, b"", b"");
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) {
        match leaf.kind {
            Kind::Text => self.text(leaf.written, leaf.at, leaf.key, leaf.path),
            Kind::Number => {
                let first = self.hits.len();
                if let Some(one) = self.search.find(leaf.written, leaf.key).first() {
                    let (range, detector) = (leaf.at..leaf.at + leaf.written.len(), one.detector);
                    let print = self.marks.print(leaf.written);
                    self.hits.push(Hit { range, detector, print, quoted: true, field: None });
                }
                self.name_field(first, leaf.path);
            }
            Kind::Word => {}
        }
    }
}

/// The detectors, and what a search needs beside them.
pub(crate) struct Search<'d> {
    detectors: &'d Detectors,
    scratch: Scratch,
    found: Vec<Finding>,
}

impl<'d> Search<'d> {
    pub(crate) fn new(detectors: &'d Detectors) -> Self {
        Self { detectors, scratch: Scratch::new(detectors), found: Vec::new() }
    }

    /// What is found in a text of the field `key`: sorted, apart.
    pub(crate) fn find(&mut self, text: &[u8], key: &[u8]) -> &[Finding] {
        let hint = Hint { key };
        match mark::known(text) {
            None => self.detectors.find(&mut self.scratch, text, hint, &mut self.found),
            Some(known) => {
                self.detectors.find(&mut self.scratch, known.text(), hint, &mut self.found);
                for one in &mut self.found {
                    one.range = known.place(one.range.start)..known.place(one.range.end);
                }
                self.found.retain(|one| !one.range.is_empty());
            }
        }
        &self.found
    }
}
