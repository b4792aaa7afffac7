//! One text, and what it becomes.

use std::ops::Range;

use memchr::memmem;

use crate::carriers::{Change, Part, Place, Slot};
use crate::detect::Hint;
use crate::replace::{Action, OPEN, mark};
use crate::tenants::Foreign;

use super::engine::{Engine, FOREIGN};
use super::{KEYS, Redactor};

/// What is replaced in a text.
#[derive(Clone, Debug)]
pub(super) struct Span {
    range: Range<usize>,
    what: u16,
    action: Action,
}

/// How often a text is looked at again that was changed. What stands beside a mask may be read otherwise than before.
const ROUNDS: usize = 4;

impl Redactor {
    /// Replaces what is found in a text, and other tenants' names.
    pub(super) fn rewrite(&mut self, place: &Place<'_>, text: &[u8], scan: bool) -> Change {
        let mut now: Option<Vec<u8>> = None;
        for _ in 0..ROUNDS {
            let before = now.as_deref().unwrap_or(text);
            self.spans(place, before, scan);
            if self.spans.is_empty() {
                return now.map_or(Change::Keep, Change::Replace);
            }
            let actions = self.spans.iter().map(|span| (span.what, span.action));
            let drops = |wanted: Action| actions.clone().find(|(_, action)| *action == wanted);
            if let Some((what, action)) = drops(Action::DropRecord) {
                self.counts.add(what, action);
                if let Some(open) = self.open.last_mut() {
                    open.drop = true;
                }
                return Change::DropField;
            }
            if let Some((what, action)) = drops(Action::DropField) {
                self.counts.add(what, action);
                return Change::DropField;
            }
            match self.write(place, before) {
                Some(after) => now = Some(after),
                None => return Change::DropField,
            }
        }
        // It never came to rest.
        self.whole(place, super::FIELD, Action::Mask, text)
    }

    /// What is to be replaced, sorted and disjoint.
    fn spans(&mut self, place: &Place<'_>, text: &[u8], scan: bool) {
        self.spans.clear();
        let key = place.part == Part::Key;
        // The names in a summary are no values of a field that is called after keys.
        let hint = if key || place.key == KEYS.as_bytes() { b"" } else { place.key };
        // The words in the name of an index say more than they do elsewhere.
        if place.slot != Slot::Index && self.clean.has(place.part, hint, text) {
            return;
        }
        let engine = self.engine.clone();
        let mut clean = scan;
        if scan {
            engine.detectors.find(&mut self.scratch, text, Hint { key: hint }, &mut self.found);
            clean = self.found.is_empty();
            let mut written = self.memo.written(&engine.keys, text);
            for finding in &self.found {
                let (what, action) = engine.of(finding.detector);
                let name = engine.name(what);
                if !written.covers(name, action, &finding.range, |name| engine.is_detector(name)) {
                    // Two keys must not become one: of a key there is a mask, which has a fingerprint.
                    let drops = matches!(action, Action::DropField | Action::DropRecord);
                    let action = if key && !drops { Action::Mask } else { action };
                    self.spans.push(Span { range: finding.range.clone(), what, action });
                }
            }
        }
        // A name of whatever tenant: whose record it stands in is another's question.
        let names = self.marks(&engine, place, text);
        if clean && !names {
            self.clean.add(place.part, hint, text);
        }
        if self.spans.len() > 1 {
            self.merge();
        }
    }

    /// Other tenants' names, which are masked but for the quarantine. Where its tenant is known, a record that has one more
    /// has another tenant's. Says whether there is any name.
    fn marks(&mut self, engine: &Engine, place: &Place<'_>, text: &[u8]) -> bool {
        let Some(marks) = engine.marks.as_ref().filter(|_| place.part != Part::Number) else { return false };
        let own = self.owner();
        let masks = !self.quarantines();
        let spans = &mut self.spans;
        let (mut any, mut others) = (false, false);
        marks.find(&*engine.directory, text, |range, tenant| {
            any = true;
            if own != Some(tenant) {
                others = true;
                if masks {
                    spans.push(Span { range, what: FOREIGN, action: Action::Mask });
                }
            }
        });
        any |= self.names_in_index(engine, place, text);
        if any && let Some(attempt) = &mut self.attempt {
            attempt.depends = true;
        }
        if let Some(open) = self.open.last_mut() {
            open.mentions |= others && own.is_some() && engine.foreign != Foreign::Mask;
        }
        any
    }

    /// Other tenants' names among the words of that of an index, where they are masked and leave nothing out; of what nobody's is,
    /// such words are no more than words. Says whether there is any name.
    fn names_in_index(&mut self, engine: &Engine, place: &Place<'_>, text: &[u8]) -> bool {
        let masks = engine.foreign == Foreign::Mask && !self.quarantines();
        let (Some(places), true) = (&engine.places, masks) else { return false };
        let own = self.owner();
        let spans = &mut self.spans;
        let mut any = false;
        let mut mask = |range| spans.push(Span { range, what: FOREIGN, action: Action::Mask });
        // What stands in a mask names nobody.
        let masked = |at: usize| {
            memmem::find_iter(text, OPEN).any(|open| {
                let end = text.get(open..).and_then(|rest| mark(rest, |name| engine.is_detector(name)));
                end.is_some_and(|end| (open..open + end).contains(&at))
            })
        };
        let whole = places.find_in_index(&*engine.directory, place, text, |range, tenant| {
            any = true;
            if own.is_some_and(|own| own != tenant) && !masked(range.start) {
                mask(range);
            }
        });
        if !whole && engine.unknown_is_foreign && own.is_some() {
            mask(0..text.len());
        }
        any || !whole
    }

    /// Of what overlaps all is masked, as another tenant's where a part is: nothing of its name may be left over.
    fn merge(&mut self) {
        self.spans.sort_by_key(|span| (span.range.start, span.range.end));
        let mut merged: Vec<Span> = Vec::with_capacity(self.spans.len());
        for span in self.spans.drain(..) {
            match merged.last_mut().filter(|last| span.range.start < last.range.end) {
                Some(last) => {
                    last.range.end = last.range.end.max(span.range.end);
                    let drops = |span: &Span| matches!(span.action, Action::DropField | Action::DropRecord);
                    if !drops(last) {
                        if drops(&span) {
                            (last.what, last.action) = (span.what, span.action);
                        } else {
                            last.what = if span.what == FOREIGN { FOREIGN } else { last.what };
                            last.action = Action::Mask;
                        }
                    }
                }
                None => merged.push(span),
            }
        }
        self.spans = merged;
    }

    /// The text with what stands for its spans. `None` for a key that would be like another: nobody has a key for its
    /// fingerprint.
    fn write(&mut self, place: &Place<'_>, text: &[u8]) -> Option<Vec<u8>> {
        let engine = self.engine.clone();
        let owner = self.owner();
        let mut out = Vec::with_capacity(text.len() + 32);
        let mut at = 0;
        for span in std::mem::take(&mut self.spans) {
            out.extend_from_slice(text.get(at..span.range.start)?);
            let value = text.get(span.range.clone())?;
            let what = (span.what, engine.name(span.what));
            let done = self.memo.write(&engine.keys, owner, what, span.action, value, &mut out);
            at = span.range.end;
            self.masked(place, span.what, done);
        }
        out.extend_from_slice(text.get(at..)?);
        let keyless = place.part == Part::Key && memchr::memmem::find(&out, b":no_key]").is_some();
        (!keyless).then_some(out)
    }
}
