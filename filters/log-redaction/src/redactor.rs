//! The redactor: asked by a carrier about every leaf, it says what becomes of it.
//!
//! ```text
//! begin ─► look: whose record is it? ─► leaf: may the field stay? ─► what is found in it? ─► what stands for that ─► end
//!                    tenants                     fields                    detect                  replace
//! ```
//!
//! When in doubt it masks or leaves out: a key that is missing, a rule that cannot be read, a unit that never began.

mod attempt;
mod clean;
mod counts;
mod decided;
mod engine;
mod rewrite;
mod sight;
#[cfg(test)]
mod tests;
mod unit;

pub use counts::Count;
pub use engine::{Engine, RuleError, Rules};

use std::rc::Rc;

use crate::carriers::{Change, Leaves, Part, Place, Slot, Tag, Unit, Verdict};
use crate::detect::{Finding, Scratch};
use crate::fields::{Chosen, Decision};
use crate::replace::{Action, Memo, mark};
use crate::tenants::{Foreign, Named, Tenant, Unattributed, resolve};
use attempt::Attempt;
use clean::Clean;
use counts::Counters;
use decided::Decided;
use engine::{CLASSIFICATION, FIELD, FOREIGN, SERVICE};
use rewrite::Span;
use unit::Open;

/// Whose records a body holds, as it is known beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// This tenant's: the context's, or the workload's.
    Tenant(Tenant),
    /// Of a workload that several share: each record says it itself.
    Record,
}

/// Which records are to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pass {
    /// Those that may.
    #[default]
    Main,
    /// Those alone that [`Foreign::Quarantine`] keeps back, with what is personal masked, and tenants' names as they are:
    /// pushed through a carrier of its own, the same body gives what goes to the second cluster.
    Quarantine,
}

/// What is known of a body beside it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'f> {
    /// What its carrier is called in counts.
    pub carrier: &'static str,
    /// Whose records it holds.
    pub own: Own,
    /// What the header `X-Scope-OrgID` says: ids, with `|` between.
    pub scope: Option<&'f [u8]>,
    /// The index that its path names.
    pub index: Option<&'f [u8]>,
    /// The service that sends it; where it is not known, what `service.name` says.
    pub service: Option<&'f str>,
    /// The classification of what it sends; where it is not known, what `partywall.classification` says.
    pub classification: Option<&'f str>,
    /// Which records are to go on.
    pub pass: Pass,
}

impl Facts<'_> {
    /// Of a body of that carrier about which nothing is known.
    pub fn new(carrier: &'static str, own: Own) -> Self {
        Self { carrier, own, scope: None, index: None, service: None, classification: None, pass: Pass::Main }
    }
}

/// Units in each other at most; carriers have four.
const DEEPEST: usize = 16;
/// The names of the fields of a summary, as OpenTelemetry's redaction processor writes them:
/// <https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/redactionprocessor>.
const KEYS: &str = "redaction.masked.keys";
const COUNT: &str = "redaction.masked.count";
/// The longest name of a service or classification that is read.
const NAME: usize = 128;

/// Whether a text is written as the names in a summary are.
fn is_summary(text: &[u8]) -> bool {
    let plain = |byte: &u8| unit::is_plain(*byte) || matches!(byte, b',' | b'*');
    text.len() <= unit::SUMMARY && text.iter().all(plain)
}

/// Redacts one body after the other. What it holds does not grow with them.
pub struct Redactor {
    engine: Rc<Engine>,
    own: Own,
    pass: Pass,
    /// What all units of the body begin as.
    base: Open,
    open: Vec<Open>,
    /// Units that began beyond the deepest.
    beyond: usize,
    /// The unit that began last is asked about without having been looked at.
    attempt: Option<Attempt>,
    memo: Memo,
    scratch: Scratch,
    clean: Clean,
    decided: Decided,
    found: Vec<Finding>,
    spans: Vec<Span>,
    counts: Counters,
}

impl Redactor {
    /// For the body that `facts` are about.
    pub fn new(engine: Rc<Engine>, facts: &Facts<'_>) -> Self {
        let scratch = Scratch::new(&engine.detectors);
        let counts = Counters::new(engine.names.len());
        let mut redactor = Self {
            engine,
            own: facts.own,
            pass: facts.pass,
            base: Open::default(),
            open: Vec::new(),
            beyond: 0,
            attempt: None,
            memo: Memo::default(),
            scratch,
            clean: Clean::default(),
            decided: Decided::default(),
            found: Vec::new(),
            spans: Vec::new(),
            counts,
        };
        redactor.next(facts);
        redactor
    }

    /// Another body begins; caches stay.
    pub fn next(&mut self, facts: &Facts<'_>) {
        (self.own, self.pass) = (facts.own, facts.pass);
        self.counts.carrier = facts.carrier;
        self.open.clear();
        self.beyond = 0;
        self.attempt = None;
        self.counts.settle(false);
        self.memo.clear();
        self.base = Open::default();
        self.base.service = facts.service.map(str::to_owned);
        self.base.classification = facts.classification.map(str::to_owned);
        let engine = self.engine.clone();
        if let Some(places) = &engine.places {
            for name in facts.scope.unwrap_or_default().split(|byte| *byte == b'|') {
                let name = name.trim_ascii();
                if !name.is_empty() {
                    let named = resolve(&*engine.directory, name).map_or(Named::Unknown, Named::Tenant);
                    self.base.name(named, self.own, engine.unknown_is_foreign);
                }
            }
            if let Some(index) = facts.index {
                let place = Place { slot: Slot::Index, part: Part::Text, key: b"_index", path: b"_index" };
                let named = places.named(&*engine.directory, &place, index);
                self.base.name(named, self.own, engine.unknown_is_foreign);
                self.base.index(engine.indexed(&place, index), self.own, engine.unknown_is_foreign);
            }
        }
    }

    /// What was done since they were taken last, by detector, action and carrier; what is `0` is not told.
    pub fn take_counts(&mut self) -> Vec<Count> {
        self.counts.take(&self.engine.names)
    }

    /// Whether the body itself is another tenant's.
    pub(crate) fn is_foreign(&self) -> bool {
        self.base.foreign
    }

    /// Something beside the body says whose it is, as a record's own fields do.
    pub(crate) fn body_names(&mut self, place: &Place<'_>, text: &[u8]) {
        let engine = self.engine.clone();
        let Some(places) = &engine.places else { return };
        // Where nothing is expected to name anybody, who stands there alone is meant all the same.
        let alone = || resolve(&*engine.directory, text).map_or(Named::Nobody, Named::Tenant);
        let named = match places.named(&*engine.directory, place, text) {
            Named::Nobody if place.key.is_empty() => alone(),
            named => named,
        };
        self.base.name(named, self.own, engine.unknown_is_foreign);
        self.base.index(engine.indexed(place, text), self.own, engine.unknown_is_foreign);
    }

    /// Whether the unit that began last is another tenant's, or mentions one.
    pub(crate) fn is_strange(&self) -> bool {
        self.open.last().is_some_and(|open| open.foreign || open.mentions)
    }

    /// Reads what a leaf says of its record.
    fn note(&mut self, place: &Place<'_>, text: &[u8]) {
        let engine = &*self.engine;
        let Some(open) = self.open.last_mut() else { return };
        if place.part == Part::Key {
            return;
        }
        if let Some(places) = &engine.places {
            let named = places.named(&*engine.directory, place, text);
            open.name(named, self.own, engine.unknown_is_foreign);
            open.index(engine.indexed(place, text), self.own, engine.unknown_is_foreign);
        }
        let (by_service, by_classification) = engine.fields.asks();
        let word = || std::str::from_utf8(text).ok().filter(|text| text.len() <= NAME).map(str::to_owned);
        let is = |name: &str| place.key == name.as_bytes() && place.part == Part::Text;
        if by_service && open.service.is_none() && is(SERVICE) {
            open.service = word();
        }
        if by_classification && open.classification.is_none() && is(CLASSIFICATION) {
            open.classification = word();
        }
    }

    /// Whose keys and rules a unit's leaves get.
    fn owner(&self) -> Option<Tenant> {
        self.open.last().unwrap_or(&self.base).owner(self.own)
    }

    /// A leaf of the body itself, beside all units: what may not stay is masked, since there is nothing to leave out but the
    /// body.
    fn beside(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        let engine = self.engine.clone();
        if place.part == Part::Key {
            return self.rewrite(place, text, true);
        }
        let named = engine.places.as_ref().map(|places| places.named(&*engine.directory, place, text));
        let ours = match named {
            None | Some(Named::Nobody) => true,
            Some(Named::Tenant(tenant)) => self.owner() == Some(tenant),
            Some(Named::Unknown) => !engine.unknown_is_foreign,
            Some(Named::Several) => false,
        };
        if self.base.foreign || !ours {
            return self.whole(place, FOREIGN, Action::Mask, text);
        }
        let chosen = self.chosen();
        match engine.fields.decide(chosen, place) {
            Decision::Drop | Decision::DropRecord => Change::DropField,
            Decision::Replace(action) => self.whole(place, FIELD, action, text),
            Decision::Keep => self.rewrite(place, text, false),
            Decision::Scan => self.rewrite(place, text, true),
        }
    }

    fn chosen(&mut self) -> Chosen {
        if self.engine.fields.is_empty() {
            return Chosen::Open;
        }
        let owner = self.owner();
        let fields = &self.engine.fields;
        let open = self.open.last_mut().unwrap_or(&mut self.base);
        let choose = |open: &Open| {
            let word = |word: &Option<String>| word.clone().unwrap_or_default();
            fields.choose(owner, &word(&open.service), &word(&open.classification))
        };
        if let Some((known, for_whom)) = open.chosen
            && for_whom == owner
        {
            return known;
        }
        let chosen = choose(open);
        open.chosen = Some((chosen, owner));
        chosen
    }

    /// All that a leaf holds is replaced.
    fn whole(&mut self, place: &Place<'_>, what: u16, action: Action, text: &[u8]) -> Change {
        if text.is_empty() {
            return Change::Keep;
        }
        // As it was left before. What is a text alone cannot hide in it: a mask has 8 digits, and what is encrypted opens.
        let name = self.engine.name(what);
        let masked = mark(text, |name| self.engine.is_detector(name)) == Some(text.len());
        let written = || {
            let mut written = self.memo.written(&self.engine.keys, text);
            written.covers(name, action, &(0..text.len()), |name| self.engine.is_detector(name))
        };
        if masked || action != Action::Mask && written() {
            return Change::Keep;
        }
        let mut out = Vec::new();
        let owner = self.owner();
        let done = self.memo.write(&self.engine.keys, owner, (what, name), action, text, &mut out);
        self.masked(place, what, done);
        Change::Replace(out)
    }

    /// Counts it, and has it in the summary.
    fn masked(&mut self, place: &Place<'_>, what: u16, action: Action) {
        self.counts.add(what, action);
        if self.engine.summary
            && let Some(open) = self.open.last_mut()
        {
            open.mask(place);
        }
    }

    /// What the redactor itself adds to records stays as it is: the tag of the own tenant, a count, and names of fields.
    fn is_own_tag(&self, place: &Place<'_>, text: &[u8]) -> bool {
        if place.part == Part::Key {
            return [KEYS, COUNT].iter().any(|name| name.as_bytes() == text);
        }
        let tag = self.engine.tag.as_ref().is_some_and(|tag| tag.as_bytes() == place.key);
        if tag && !text.is_empty() {
            let print = self.owner().and_then(|owner| self.engine.directory.fingerprint(owner));
            return print.is_some_and(|print| print.as_bytes() == text);
        }
        place.key == COUNT.as_bytes() && text.len() <= 10 && text.iter().all(u8::is_ascii_digit)
    }

    fn quarantines(&self) -> bool {
        self.pass == Pass::Quarantine
    }

    fn verdict(&mut self, open: &Open, unit: Unit) -> Verdict {
        let strange = open.foreign || open.mentions;
        if self.quarantines() {
            let strange = strange || open.strange_around || open.strange_within;
            let over = self.engine.foreign == Foreign::Quarantine && strange && !open.drop;
            return if over { Verdict::Keep } else { Verdict::Drop };
        }
        if open.drop {
            return Verdict::Drop;
        }
        if strange && self.engine.foreign != Foreign::Mask {
            self.counts.left_out(self.engine.foreign);
            return Verdict::Drop;
        }
        if unit != Unit::Record {
            return Verdict::Keep;
        }
        let owner = open.owner(self.own);
        if self.engine.places.is_some() && owner.is_none() && self.engine.unattributed == Unattributed::Drop {
            self.counts.unattributed += 1;
            return Verdict::Drop;
        }
        let mut tags = Vec::new();
        if let Some(name) = &self.engine.tag
            && !open.tagged
            && let Some(print) = owner.and_then(|owner| self.engine.directory.fingerprint(owner))
        {
            tags.push(Tag { name: name.clone(), value: String::from(&*print) });
        }
        if self.engine.summary && open.masked > 0 {
            tags.push(Tag { name: KEYS.to_owned(), value: open.keys() });
            tags.push(Tag { name: COUNT.to_owned(), value: open.masked.to_string() });
        }
        if tags.is_empty() { Verdict::Keep } else { Verdict::Tag(tags) }
    }
}

impl Leaves for Redactor {
    fn looks(&self) -> bool {
        self.engine.looks
    }

    fn looks_in(&self, written: &[u8]) -> bool {
        // What is asked about at once is not looked through before.
        let at_once = self.engine.fields.is_one();
        self.engine.looks && (at_once || self.engine.sight.as_ref().is_none_or(|sight| sight.may_tell(written)))
    }

    fn tries(&mut self) -> bool {
        self.try_at_once()
    }

    fn holds(&mut self, read: bool) -> bool {
        self.settle(read)
    }

    fn look(&mut self, place: &Place<'_>, text: &[u8]) {
        self.note(place, text);
    }

    fn begin(&mut self, unit: Unit) {
        if self.open.len() >= DEEPEST {
            self.beyond += 1;
            return;
        }
        let around = self.open.last().unwrap_or(&self.base);
        self.open.push(around.inner(unit));
    }

    fn leaf(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        if self.beyond > 0 {
            return Change::DropField;
        }
        if self.open.is_empty() {
            return self.beside(place, text);
        }
        if self.attempt.is_some() {
            self.note(place, text);
        }
        let change = self.answer(place, text);
        if let Some(attempt) = &mut self.attempt {
            attempt.answered(place, &change);
        }
        change
    }

    fn end(&mut self) -> Verdict {
        if self.beyond > 0 {
            self.beyond -= 1;
            return Verdict::Drop;
        }
        let Some(open) = self.open.pop() else { return Verdict::Drop };
        let verdict = self.verdict(&open, open.unit);
        if let Some(around) = self.open.last_mut() {
            around.strange_within |= open.foreign || open.mentions || open.strange_within;
        }
        verdict
    }
}

impl Redactor {
    /// What becomes of a leaf of the unit that began last.
    fn answer(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        let tag = self.engine.tag.as_ref().is_some_and(|tag| tag.as_bytes() == place.key);
        if tag && let Some(attempt) = &mut self.attempt {
            attempt.depends = true;
        }
        if self.is_own_tag(place, text) {
            let owned = tag && self.owner().is_some();
            if let Some(open) = self.open.last_mut() {
                open.tagged |= owned;
            }
            return Change::Keep;
        }
        if place.key == KEYS.as_bytes() && is_summary(text) {
            return self.rewrite(place, text, true);
        }
        let key = place.part == Part::Key;
        let foreign = self.open.last().is_some_and(|open| open.foreign);
        if foreign && !key && !self.quarantines() && self.engine.foreign == Foreign::Mask {
            return self.whole(place, FOREIGN, Action::Mask, text);
        }
        let chosen = self.chosen();
        let engine = self.engine.clone();
        match self.decided.decide(&engine.fields, chosen, place) {
            Decision::Drop => {
                self.counts.add(FIELD, Action::DropField);
                Change::DropField
            }
            Decision::DropRecord => {
                self.counts.add(FIELD, Action::DropRecord);
                if let Some(open) = self.open.last_mut() {
                    open.drop = true;
                }
                Change::DropField
            }
            Decision::Replace(action) => self.whole(place, FIELD, action, text),
            // A field that stays unseen may still not name another tenant.
            Decision::Keep => self.rewrite(place, text, false),
            Decision::Scan => self.rewrite(place, text, true),
        }
    }
}
