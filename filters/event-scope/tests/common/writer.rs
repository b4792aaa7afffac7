//! The encoder.

use super::read::{Api, Embedded, Field, Message, Type};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What messages say where it matters who sends them.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The numbers of fields, by their names.
    pub numbers: Vec<(&'static str, i64)>,
    /// Lists that have no elements, by their names.
    pub empty: Vec<&'static str>,
    /// What may stand before a name; each gets one of them.
    pub prefixes: Vec<&'static str>,
    /// What stands behind a name with the prefix of the same number.
    pub tails: Vec<&'static str>,
    /// The ids that topics may have.
    pub ids: Vec<[u8; 16]>,
    /// What stands in the header of a request.
    pub client: String,
    /// What all topics are called, and which their partitions are: from the first, so many.
    pub ranged: Option<(&'static str, i64, i64)>,
    /// Whether a broker's words and what it knows of clients' hosts are left out.
    pub quiet: bool,
}

impl Setting {
    fn number(&self, field: &str) -> Option<i64> {
        self.numbers.iter().find(|(name, _)| *name == field).map(|(_, number)| *number)
    }
}

/// Writes one message.
pub struct Writer<'t> {
    /// Random in all but names, where there is none.
    pub setting: Option<&'t Setting>,
    pub random: Random,
    /// Percent of structs that get tagged fields which nobody knows.
    pub unknown_tags: usize,
    /// How many elements may stand in long lists, all together: long enough that a compact count has two bytes.
    pub long: usize,
    /// What stands before the names of topics, groups and transactions.
    pub prefix: &'static str,
    /// Whether the elements of lists in which every second topic stands are left out.
    pub drop_second: bool,
    pub out: Vec<u8>,
    /// Apart from the others, so that a message is the same with unknown tags as without.
    tag_random: Random,
    topics: usize,
    lists: usize,
    dropping: bool,
    message: &'t Message,
    version: u8,
    flexible: bool,
    /// How many tagged fields were put in that nobody knows.
    pub unknown: usize,
}

impl<'t> Writer<'t> {
    pub fn new(seed: u64, api: &'t Api, version: u8, side: Side) -> Self {
        let message = match side {
            Side::Request => &api.request,
            Side::Response => &api.response,
        };
        let flexible = api.flexible.is_some_and(|first| version >= first);
        Self::of(seed, message, version, flexible)
    }

    pub fn embedded(seed: u64, embedded: &'t Embedded, version: u8) -> Self {
        Self::of(seed, &embedded.message, version, false)
    }

    fn of(seed: u64, message: &'t Message, version: u8, flexible: bool) -> Self {
        Self {
            setting: None,
            random: Random(seed),
            unknown_tags: 0,
            long: 0,
            prefix: "",
            drop_second: false,
            out: Vec::new(),
            tag_random: Random(!seed),
            topics: 0,
            lists: 0,
            dropping: false,
            message,
            version,
            flexible,
            unknown: 0,
        }
    }

    /// A frame without its length.
    pub fn frame(mut self, api: &Api, side: Side) -> (Vec<u8>, usize) {
        let correlation = 7_i32;
        match side {
            Side::Request => {
                self.out.extend(api.key.to_be_bytes());
                self.out.extend(i16::from(self.version).to_be_bytes());
                self.out.extend(correlation.to_be_bytes());
                let client = self.setting.map_or("client", |setting| &setting.client);
                self.out.extend(i16::try_from(client.len()).unwrap().to_be_bytes());
                self.out.extend(client.as_bytes());
                if self.flexible {
                    self.tags(&[]);
                }
            }
            Side::Response => {
                self.out.extend(correlation.to_be_bytes());
                if self.flexible && api.key != 18 {
                    self.tags(&[]);
                }
            }
        }
        self.body();
        // ApiVersions that begins with error 35 is of version 0.
        if api.key == 18 && side == Side::Response {
            self.out[4] = 1;
        }
        (self.out, self.unknown)
    }

    /// The message alone.
    pub fn body(&mut self) {
        let message = self.message;
        self.structure(&message.fields);
    }

    fn structure(&mut self, fields: &'t [Field]) {
        let here: Vec<&Field> = fields.iter().filter(|field| self.is_in(field)).collect();
        for field in here.iter().filter(|field| field.tag.is_none()) {
            self.field(field, false);
        }
        if self.flexible {
            let mut tagged: Vec<&Field> = here.into_iter().filter(|field| field.tag.is_some()).collect();
            tagged.sort_by_key(|field| field.tag);
            tagged.retain(|_| self.random.chance(50));
            self.tags(&tagged);
        }
    }

    fn tags(&mut self, tagged: &[&'t Field]) {
        let unknown = if self.tag_random.chance(self.unknown_tags) { 1 + self.tag_random.below(3) } else { 0 };
        self.unknown += unknown;
        self.varint(tagged.len() + unknown);
        for field in tagged {
            self.varint(usize::from(field.tag.unwrap()));
            let outer = std::mem::take(&mut self.out);
            // A tagged field is only written where it is not what it is without.
            self.field(field, true);
            let value = std::mem::replace(&mut self.out, outer);
            self.varint(value.len());
            self.out.extend(value);
        }
        for n in 0..unknown {
            self.varint(100 + 100 * n);
            let size = self.tag_random.below(200);
            self.varint(size);
            for _ in 0..size {
                let byte = self.tag_random.next() as u8;
                self.out.push(byte);
            }
        }
    }

    fn is_in(&self, field: &Field) -> bool {
        field.versions.is_none_or(|(first, last)| first <= self.version && self.version <= last)
    }

    fn may_be_null(&self, field: &Field) -> bool {
        field.nullable && field.null.is_none_or(|(first, last)| first <= self.version && self.version <= last)
    }

    fn field(&mut self, field: &'t Field, something: bool) {
        let message = field.mark.as_ref().is_some_and(|(mark, _)| mark == "message");
        let quiet = message && self.setting.is_some_and(|setting| setting.quiet);
        let null = self.may_be_null(field) && !something && (self.random.chance(25) || quiet);
        if field.list {
            if null {
                self.length(None, true);
                return;
            }
            let count = if self.long >= 200 && self.random.chance(50) {
                126 + self.random.below(4)
            } else {
                usize::from(something) + self.random.below(4 - usize::from(something))
            };
            self.long = self.long.saturating_sub(count);
            let empty = self.setting.is_some_and(|setting| setting.empty.contains(&field.name.as_str()));
            let count = if empty { 0 } else { count };
            let outer = std::mem::take(&mut self.out);
            let mut kept = 0;
            self.lists += 1;
            for _ in 0..count {
                let (before, already) = (self.out.len(), self.dropping);
                match self.below(field) {
                    Some(fields) => self.structure(fields),
                    None => self.value(field, false, false),
                }
                if self.dropping && !already {
                    self.out.truncate(before);
                    self.dropping = false;
                } else {
                    kept += 1;
                }
            }
            self.lists -= 1;
            let elements = std::mem::replace(&mut self.out, outer);
            self.length(Some(kept), true);
            self.out.extend(elements);
        } else if let Some(fields) = self.below(field) {
            if self.may_be_null(field) {
                self.out.push(if null { 0xff } else { 1 });
            }
            if !null {
                self.structure(fields);
            }
        } else {
            self.value(field, null, something);
        }
    }

    fn below(&self, field: &'t Field) -> Option<&'t [Field]> {
        match &field.kind {
            Type::Plain(_) => None,
            Type::Below => Some(&field.below),
            Type::Named(name) => self.message.structs.iter().find(|(n, _)| n == name).map(|(_, f)| f.as_slice()),
        }
    }

    fn value(&mut self, field: &Field, null: bool, something: bool) {
        let Type::Plain(plain) = &field.kind else { panic!("a struct") };
        let number = if something { 1 + self.random.next() % 1000 } else { self.random.next() };
        let set = self.setting.and_then(|setting| setting.number(&field.name));
        let partition = field.mark.as_ref().is_some_and(|(mark, _)| mark == "partition");
        let ranged = self.setting.and_then(|setting| setting.ranged).filter(|_| partition);
        let set = set.or(ranged.map(|(_, first, count)| first + i64::from(number as u16) % count));
        let number = set.map_or(number, |set| set as u64);
        match *plain {
            "bool" => self.out.push(if something { 1 } else { (number & 1) as u8 }),
            "int8" => self.out.push(number as u8),
            "int16" | "uint16" => self.out.extend((number as u16).to_be_bytes()),
            "int32" => self.out.extend((number as u32).to_be_bytes()),
            "int64" => self.out.extend(number.to_be_bytes()),
            "float64" => self.out.extend(f64::from(number as i32).to_be_bytes()),
            "uuid" => {
                let id = (u128::from(number) << 64 | u128::from(self.random.next())).to_be_bytes();
                let topic = field.mark.as_ref().is_some_and(|(mark, _)| mark == "topic-id");
                let ids = self.setting.filter(|_| topic).map_or(&[][..], |setting| &setting.ids);
                let chosen = usize::try_from(number).unwrap_or(0).checked_rem(ids.len()).map(|n| ids[n]);
                self.out.extend(chosen.unwrap_or(id));
            }
            "string" if null => self.length(None, false),
            "string" => {
                let text = self.text(field, something);
                self.length(Some(text.len()), false);
                self.out.extend(text.as_bytes());
            }
            _ if null => self.length(None, true),
            _ => {
                let size = usize::from(something) + self.random.below(300);
                self.length(Some(size), true);
                for _ in 0..size {
                    let byte = self.random.next() as u8;
                    self.out.push(byte);
                }
            }
        }
    }

    /// What names a topic, group or transaction says so, and nothing else does.
    fn text(&mut self, field: &Field, something: bool) -> String {
        let n = self.random.below(1000);
        if let Some(setting) = self.setting {
            return self.set_text(setting, field, n);
        }
        match field.mark.as_ref().map(|(mark, _)| mark.as_str()) {
            Some("topic") => {
                self.topics += usize::from(self.lists > 0 && !self.dropping);
                self.dropping |= self.drop_second && self.lists > 0 && self.topics.is_multiple_of(2);
                format!("{}topic-{n}", self.prefix)
            }
            Some("group") => format!("{}group-{n}", self.prefix),
            Some("transaction") => format!("{}txn-{n}", self.prefix),
            _ if something => format!("s{n}"),
            _ => match self.random.below(4) {
                0 => String::new(),
                1 => "ä€𝄞".repeat(self.random.below(30)),
                _ => format!("s{n}"),
            },
        }
    }

    /// As [`Writer::text`], of those that somebody sends.
    fn set_text(&mut self, setting: &Setting, field: &Field, n: usize) -> String {
        let chosen = self.random.below(setting.prefixes.len().max(1));
        let prefix = setting.prefixes.get(chosen).copied().unwrap_or_default();
        let tail = setting.tails.get(chosen).copied().unwrap_or_default();
        match field.mark.as_ref().map(|(mark, _)| mark.as_str()) {
            Some("topic" | "resource") if setting.ranged.is_some() => setting.ranged.unwrap().0.to_owned(),
            Some("topic" | "resource") => format!("{prefix}topic-{n}{tail}"),
            Some("group" | "key") => format!("{prefix}group-{n}{tail}"),
            Some("transaction") => format!("{prefix}txn-{n}{tail}"),
            Some("client-id") => format!("{prefix}client-{n}{tail}"),
            Some("topic-regex") if prefix.is_empty() => format!("s{n}.*"),
            Some("topic-regex") => format!("\\Q{prefix}\\E(?:s{n}.*{tail})"),
            Some("message" | "client-host") if setting.quiet => String::new(),
            Some("message") => format!("topic {prefix}topic-{n}{tail} of somebody"),
            Some("client-host") => format!("/10.0.0.{n}"),
            _ => format!("s{n}"),
        }
    }

    fn length(&mut self, length: Option<usize>, wide: bool) {
        if self.flexible {
            self.varint(length.map_or(0, |length| length + 1));
        } else if wide {
            self.out.extend(length.map_or(-1, |length| i32::try_from(length).unwrap()).to_be_bytes());
        } else {
            self.out.extend(length.map_or(-1, |length| i16::try_from(length).unwrap()).to_be_bytes());
        }
    }

    fn varint(&mut self, mut value: usize) {
        while value > 0x7f {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}
