//! Requests of every API and version that the filter's table knows, as a client would write them.
//!
//! The table is read as the text that it is, and nothing of ours that reads it is used: `kafka-protocol` says whether these
//! requests are what they should be.

use std::fs;

use anyhow::{Context, Result, bail};

use super::wire::batch;
use crate::artefacts;

/// What each topic, group and transactional id is called: a proxy puts a tenant's prefix before it.
pub const NAME: &str = "zqmark";
/// The highest request of Kafka's own that no client makes is far below.
const TABLE: &str = "filters/event-scope/src/kafka/table";

/// A request as it stands on the wire, with its length.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its API.
    pub api: i16,
    /// The API's name.
    pub name: String,
    /// Its version.
    pub version: i16,
    /// All of it.
    pub frame: Vec<u8>,
}

/// The first and the last version of every API.
pub fn requests() -> Result<Vec<Request>> {
    let mut all = Vec::new();
    let mut files: Vec<_> = fs::read_dir(artefacts::root().join(TABLE))?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::path);
    for file in files.iter().map(fs::DirEntry::path).filter(|path| path.extension().is_some_and(|end| end == "txt")) {
        let text = fs::read_to_string(&file)?;
        for part in text.split("\napi ").skip(1) {
            let api = Api::read(part)
                .with_context(|| format!("{}: {}", file.display(), part.lines().next().unwrap_or("")))?;
            let mut versions = vec![api.first, api.last];
            versions.dedup();
            for version in versions {
                let frame = api.write(version).with_context(|| format!("{} {version}", api.name))?;
                all.push(Request { api: api.key, name: api.name.clone(), version, frame });
            }
        }
    }
    if all.len() < 100 {
        bail!("{} requests in {TABLE}", all.len());
    }
    Ok(all)
}

struct Api {
    key: i16,
    name: String,
    first: i16,
    last: i16,
    /// The first version with compact lengths and tags.
    flexible: i16,
    fields: Vec<Field>,
    structs: Vec<(String, Vec<Field>)>,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: String,
    versions: (i16, i16),
    tagged: bool,
    mark: String,
    fields: Vec<Field>,
}

/// A line and how far it stands in.
type Line<'a> = (usize, Vec<&'a str>);

impl Api {
    fn read(text: &str) -> Result<Self> {
        let (head, body) = text.split_once('\n').context("nothing below it")?;
        let words: Vec<&str> = head.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let (first, last) = range(words.get(2).context("no versions")?).context("no versions")?;
        let flexible = match words.get(3..) {
            Some(["flexible", from]) => range(from).context("from which version on")?.0,
            _ => i16::MAX,
        };
        let request = body.split("\n  response").next().unwrap_or_default();
        let lines: Vec<Line<'_>> = request
            .lines()
            .skip_while(|line| line.trim() != "request")
            .skip(1)
            .map(|line| {
                (
                    line.len() - line.trim_start().len(),
                    line.split('#').next().unwrap_or("").split_whitespace().collect(),
                )
            })
            .filter(|(_, words): &Line<'_>| !words.is_empty())
            .collect();
        let (mut at, mut fields, mut structs) = (0, Vec::new(), Vec::new());
        while let Some((indent, words)) = lines.get(at) {
            if let [first, name, ..] = &words[..]
                && *first == "struct"
            {
                at += 1;
                structs.push(((*name).to_owned(), below(&lines, &mut at, indent + 2)));
            } else {
                fields.extend(below(&lines, &mut at, *indent));
            }
        }
        let (key, name) = (words[0].parse()?, words[1].to_owned());
        Ok(Self { key, name, first, last, flexible, fields, structs })
    }

    fn write(&self, version: i16) -> Result<Vec<u8>> {
        let flexible = version >= self.flexible;
        let mut out = Writer { api: self, version, flexible, out: Vec::new() };
        out.out.extend([self.key.to_be_bytes(), version.to_be_bytes()].concat());
        out.out.extend(7i32.to_be_bytes());
        // The client's id is in this form in every version.
        out.out.extend(5i16.to_be_bytes());
        out.out.extend(b"mixed");
        if flexible {
            out.out.push(0);
        }
        out.fields(&self.fields)?;
        let length = i32::try_from(out.out.len())?;
        Ok([&length.to_be_bytes()[..], &out.out].concat())
    }
}

/// The fields that stand this far in, from `at` on.
fn below(lines: &[Line<'_>], at: &mut usize, indent: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some((of, words)) = lines.get(*at) {
        let [name, kind, more @ ..] = &words[..] else { break };
        if *of != indent || *name == "struct" {
            break;
        }
        *at += 1;
        let versions = more.first().and_then(|word| range(word)).unwrap_or((0, i16::MAX));
        let mark = more.iter().find_map(|word| word.strip_prefix('@')).unwrap_or_default();
        fields.push(Field {
            name: (*name).to_owned(),
            kind: (*kind).to_owned(),
            versions,
            tagged: more.contains(&"tag"),
            mark: mark.split('(').next().unwrap_or_default().to_owned(),
            fields: below(lines, at, indent + 2),
        });
    }
    fields
}

/// `4+`, `2-7` or `3`.
fn range(word: &str) -> Option<(i16, i16)> {
    match (word.strip_suffix('+'), word.split_once('-')) {
        (Some(from), _) => Some((from.parse().ok()?, i16::MAX)),
        (None, Some((from, to))) => Some((from.parse().ok()?, to.parse().ok()?)),
        (None, None) => word.parse().ok().map(|only| (only, only)),
    }
}

struct Writer<'a> {
    api: &'a Api,
    version: i16,
    flexible: bool,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn fields(&mut self, fields: &[Field]) -> Result<()> {
        for field in fields {
            let (from, to) = field.versions;
            if (from..=to).contains(&self.version) && !field.tagged {
                self.value(field, field.kind.trim_end_matches('?'))?;
            }
        }
        if self.flexible {
            self.out.push(0);
        }
        Ok(())
    }

    fn value(&mut self, field: &Field, kind: &str) -> Result<()> {
        if let Some(item) = kind.strip_prefix("[]") {
            self.length(1, 4);
            // What stands below such a list are the fields of its one element.
            return if item.is_empty() { self.fields(&field.fields) } else { self.value(field, item) };
        }
        // A struct that may be null has a byte before that says that it is there.
        let is_list = field.kind.starts_with("[]");
        if field.kind.ends_with('?') && !is_list && (kind == "{}" || kind.starts_with(char::is_uppercase)) {
            self.out.push(1);
        }
        match kind {
            "bool" => self.out.push(0),
            "int8" | "int16" | "uint16" | "int32" | "int64" => self.number(field, kind),
            "float64" => self.out.extend([0; 8]),
            "uuid" => self.out.extend([7; 16]),
            "string" => {
                let text = text(field);
                self.length(text.len(), 2);
                self.out.extend(text.as_bytes());
            }
            "bytes" | "records" => {
                let bytes = self.bytes(field)?;
                self.length(bytes.len(), 4);
                self.out.extend(bytes);
            }
            "{}" => return self.fields(&field.fields),
            other => {
                let api = self.api;
                let found = api.structs.iter().find(|(name, _)| name == other);
                return self.fields(&found.with_context(|| format!("{}: no type {other}", field.name))?.1);
            }
        }
        Ok(())
    }

    fn number(&mut self, field: &Field, kind: &str) {
        let value: i64 = match &*field.name {
            "Acks" | "ReplicaId" | "SessionEpoch" | "ShareSessionEpoch" => -1,
            "MaxBytes" | "PartitionMaxBytes" => 1 << 20,
            "ResourceType" => 2,
            "TimeoutMs" | "MaxWaitMs" | "SessionTimeoutMs" | "RebalanceTimeoutMs" => 1_000,
            _ => 0,
        };
        let width = match kind {
            "int8" => 1,
            "int16" | "uint16" => 2,
            "int32" => 4,
            _ => 8,
        };
        self.out.extend(&value.to_be_bytes()[8 - width..]);
    }

    fn bytes(&self, field: &Field) -> Result<Vec<u8>> {
        Ok(match &*field.mark {
            "records" => batch(&["a record".to_owned()], (-1, -1, -1, false))?.to_vec(),
            // Version 0 of what members of a group tell each other: topics, and nothing of their own.
            "subscription" => [&[0, 0, 0, 0, 0, 1, 0, 6], NAME.as_bytes(), &[0xff; 4]].concat(),
            "assignment" => {
                [&[0, 0, 0, 0, 0, 1, 0, 6], NAME.as_bytes(), &[0, 0, 0, 1, 0, 0, 0, 0], &[0xff; 4]].concat()
            }
            _ => b"free".to_vec(),
        })
    }

    /// A length before something: of 2 or 4 bytes, or a varint of one more.
    fn length(&mut self, length: usize, width: usize) {
        if !self.flexible {
            let bytes = (length as u64).to_be_bytes();
            self.out.extend(&bytes[8 - width..]);
            return;
        }
        let mut rest = length + 1;
        while rest > 0x7f {
            self.out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
    }
}

fn text(field: &Field) -> &'static str {
    match (&*field.mark, &*field.name) {
        ("topic" | "group" | "transaction" | "key" | "resource", _) => NAME,
        ("mechanism", _) => "PLAIN",
        ("config-name", _) => "retention.ms",
        ("config-value", _) => "1000",
        (_, "ProtocolType") => "consumer",
        (_, "Name" | "ProtocolName") => "range",
        _ => "free",
    }
}
