//! What an access log may say of a request beside decisions: its path, its query and headers, each looked through as
//! telemetry is.

use partywall_json::write;

use crate::carriers::{Change, Leaves, Part, Place, Slot, Unit};
use crate::path::words;
use crate::redactor::Redactor;

/// The longest path, query and header that is written down, in bytes.
const LONGEST: usize = 512;
/// What stands for a value that names another tenant.
const FOREIGN: &[u8] = b"[REDACTED:tenant]";
/// And for one that rules of fields leave out.
const FIELD: &[u8] = b"[REDACTED:field]";
const CUT: &str = "...";

impl Redactor {
    /// A path with its query: each segment and each value for itself, names of the query as they are but for what is found
    /// in them. Segments that name a tenant become what `substitute` gives for it. Printable ASCII without quotes, so that
    /// nobody writes into the log's own format.
    pub fn logged_path(&mut self, path: &[u8], substitute: impl Fn(&str) -> Option<String>) -> String {
        let whole = path.split(|byte| *byte == b'#').next().unwrap_or_default();
        let mut halves = whole.splitn(2, |byte| *byte == b'?');
        let (only, query) = (halves.next().unwrap_or_default(), halves.next());
        let mut out = String::with_capacity(whole.len().min(2 * LONGEST));
        for (nth, segment) in cut(only).split(|byte| *byte == b'/').enumerate() {
            if nth > 0 {
                out.push('/');
            }
            let text = printable(segment);
            match words(&text).find_map(|word| substitute(&word)) {
                Some(known) => out.push_str(&known),
                None => out.push_str(&printable(&self.logged("path", b"", segment))),
            }
        }
        out.push_str(ending(only));
        let Some(query) = query else { return out };
        let mut sign = '?';
        for pair in cut(query).split(|byte| *byte == b'&') {
            out.push(std::mem::replace(&mut sign, '&'));
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next());
            out.push_str(&printable(&self.logged("query", b"", name)));
            if let Some(value) = value {
                out.push('=');
                let known = words(&printable(value)).find_map(|word| substitute(&word));
                out.push_str(&known.unwrap_or_else(|| printable(&self.logged("query", name, value))));
            }
        }
        out.push_str(ending(query));
        out
    }

    /// Headers as an object of JSON; of one that stands there more than once, all values with `, ` between. One that is a
    /// tenant's name becomes what `substitute` gives for it.
    pub fn logged_headers<'h>(
        &mut self,
        headers: impl Iterator<Item = (&'h str, Vec<u8>)>,
        substitute: impl Fn(&str) -> Option<String>,
    ) -> Vec<u8> {
        let mut out = b"{".to_vec();
        for (name, value) in headers {
            if out.len() > 1 {
                out.push(b',');
            }
            write(name.as_bytes(), &mut out);
            out.push(b':');
            let known = str::from_utf8(&value).ok().and_then(|text| substitute(&text.trim().to_ascii_lowercase()));
            let mut text = known.unwrap_or_else(|| printable(&self.logged("header", name.as_bytes(), cut(&value))));
            text.push_str(ending(&value));
            write(text.as_bytes(), &mut out);
        }
        out.push(b'}');
        out
    }

    /// One value, which is a record for itself.
    fn logged(&mut self, what: &str, key: &[u8], text: &[u8]) -> Vec<u8> {
        let (seen, strange) = self.value(Slot::Field, what, key, text);
        if strange { FOREIGN.to_vec() } else { seen }
    }

    /// What becomes of a value that is a record for itself, and whether it is, or mentions, another tenant's.
    pub(crate) fn value(&mut self, slot: Slot, what: &str, key: &[u8], text: &[u8]) -> (Vec<u8>, bool) {
        if text.is_empty() {
            return (Vec::new(), false);
        }
        let path = if key.is_empty() { what.as_bytes().to_vec() } else { [what.as_bytes(), b".", key].concat() };
        let place = Place { slot, part: Part::Text, key, path: &path };
        self.begin(Unit::Record);
        if self.looks() {
            self.look(&place, text);
        }
        let change = self.leaf(&place, text);
        let strange = self.is_strange();
        // That nobody knows whose it is matters for telemetry, which would go to all of them.
        let _ = self.end();
        match change {
            Change::Keep => (text.to_vec(), strange),
            Change::Replace(with) => (with, strange),
            Change::DropField => (FIELD.to_vec(), strange),
        }
    }
}

/// What is written down of it.
fn cut(text: &[u8]) -> &[u8] {
    text.get(..LONGEST).unwrap_or(text)
}

/// What says that there was more.
fn ending(text: &[u8]) -> &'static str {
    if text.len() > LONGEST { CUT } else { "" }
}

fn printable(text: &[u8]) -> String {
    let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !matches!(byte, b'"' | b'\\');
    text.iter().map(|byte| if plain(*byte) { char::from(*byte) } else { '?' }).collect()
}
