//! Whether a record that is JSON may say whose it is at all. Where it may not, it is gone through once and not twice.

use crate::tenants::TenantRules;

/// Words one of which stands in each record that says it, in any case.
#[derive(Debug)]
pub(super) struct Sight {
    words: Vec<Word>,
}

#[derive(Debug)]
struct Word {
    /// In lower case.
    word: Box<[u8]>,
    /// Its rarest letter, and where that stands in it.
    rare: u8,
    at: usize,
}

/// From frequent to rare, in logs.
const LETTERS: &[u8] = b"etaoinsrldcuhmpfgbywvkxjqz";

/// What stands in the name of each field that holds that of an index.
const INDEX: &str = "index";

impl Sight {
    /// For these rules of tenants, and these names of fields. `None` where that cannot be told from a word.
    pub(super) fn new(rules: Option<&TenantRules>, names: &[&str]) -> Option<Self> {
        if rules.is_some_and(|rules| !rules.templates.is_empty()) {
            return None;
        }
        let mut words: Vec<Word> = names.iter().map(|name| Word::new(name)).collect();
        if rules.is_some() {
            // What has an index says `index` or `_index` before it.
            words.push(Word::new(INDEX));
        }
        for name in rules.iter().flat_map(|rules| &rules.attributes) {
            // A name with dots may be several keys within each other: each of its parts stands in one of them.
            let plain = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            };
            if !name.split('.').all(plain) {
                return None;
            }
            if !words.iter().any(|word| name.split('.').any(|part| word.is_in(part.as_bytes()))) {
                words.push(Word::new(name.split('.').max_by_key(|part| part.len())?));
            }
        }
        Some(Self { words })
    }

    /// Whether a record may that is written so. A letter may be written as an escape.
    pub(super) fn may_tell(&self, written: &[u8]) -> bool {
        self.words.iter().any(|word| word.is_in(written)) || memchr::memmem::find(written, b"\\u").is_some()
    }
}

impl Word {
    fn new(word: &str) -> Self {
        let word = word.to_ascii_lowercase().into_bytes();
        let rank = |byte: &u8| LETTERS.iter().position(|letter| letter == byte).unwrap_or(0);
        let rarest = word.iter().enumerate().max_by_key(|(_, byte)| rank(byte));
        let (at, rare) = rarest.map_or((0, 0), |(at, byte)| (at, *byte));
        Self { word: word.into(), rare, at }
    }

    /// Whether it stands in a text, in any case.
    fn is_in(&self, text: &[u8]) -> bool {
        memchr::memchr2_iter(self.rare, self.rare.to_ascii_uppercase(), text).any(|at| {
            let there = at.checked_sub(self.at).and_then(|start| text.get(start..start + self.word.len()));
            there.is_some_and(|there| there.eq_ignore_ascii_case(&self.word))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attributes: &[&str]) -> Option<Sight> {
        let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
        Sight::new(Some(&TenantRules { attributes, ..TenantRules::default() }), &[])
    }

    #[test]
    fn a_record_may_tell_where_a_word_or_an_escape_stands() {
        let sight = Sight::new(Some(&TenantRules::default()), &["service.name"]).unwrap();
        assert_eq!(sight.words.len(), 3);
        for may in [
            "{\"tenant\":1}",
            "{\"TenAnt\":{\"id\":2}}",
            "{\"partywall\":{\"tenant\":2}}",
            "tenant",
            "a\\u0020",
            "SERVICE.name",
            "{\"create\":{\"_index\":\"x\"}}",
            "{\"index\":\"x\",\"event\":1}",
        ] {
            assert!(sight.may_tell(may.as_bytes()), "{may}");
        }
        for not in ["", "{\"tennant\":1}", "{\"id\":\"\\n\"}", "enant", "tenan", "{\"service\":{\"name\":1}}"] {
            assert!(!sight.may_tell(not.as_bytes()), "{not}");
        }
        assert!(of(&["customer.x", "y"]).unwrap().may_tell(b"{\"CUSTOMER\":{}}"));
        assert!(of(&["id", "tenant-id"]).unwrap().words.len() == 2);
        // What is no plain name is not looked for.
        assert!(of(&["a..b"]).is_none() && of(&["a.[]"]).is_none() && of(&["ü"]).is_none());
    }
}
