//! A message out of the fields that a case gives: what it does not give is 0, false, null where that may be, or empty.

use serde_json::{Map, Value};

use super::read::{Api, Field, Message, Table, Type};
use super::writer::Side;

/// A whole frame with its length; the correlation id is 7.
///
/// # Panics
///
/// With the name of a field that the version does not have, or a value of another type.
pub fn frame(table: &Table, api: &Api, version: u8, side: Side, client: Option<&str>, fields: &Value) -> Vec<u8> {
    let flexible = api.flexible.is_some_and(|first| version >= first);
    let message = if side == Side::Request { &api.request } else { &api.response };
    let mut out = vec![0; 4];
    if side == Side::Request {
        out.extend(api.key.to_be_bytes());
        out.extend(i16::from(version).to_be_bytes());
        out.extend([0, 0, 0, 7]);
        Encoder { table, message, version, flexible: false, out: &mut out }.length(client.map(str::len), false);
        out.extend(client.unwrap_or_default().as_bytes());
        out.extend(flexible.then_some(0));
    } else {
        out.extend([0, 0, 0, 7]);
        out.extend((flexible && api.key != 18).then_some(0));
    }
    Encoder { table, message, version, flexible, out: &mut out }.structure(&message.fields, &object(fields));
    let length = i32::try_from(out.len() - 4).unwrap().to_be_bytes();
    out[..4].copy_from_slice(&length);
    out
}

fn object(value: &Value) -> Map<String, Value> {
    match value {
        Value::Null => Map::new(),
        value => value.as_object().cloned().unwrap_or_else(|| panic!("{value} is not `field: value`")),
    }
}

struct Encoder<'t, 'o> {
    table: &'t Table,
    message: &'t Message,
    version: u8,
    flexible: bool,
    out: &'o mut Vec<u8>,
}

impl<'t> Encoder<'t, '_> {
    fn structure(&mut self, fields: &'t [Field], values: &Map<String, Value>) {
        let here: Vec<&Field> = fields.iter().filter(|field| within(field.versions, self.version)).collect();
        for name in values.keys() {
            let known = here.iter().any(|field| field.name == *name);
            assert!(known, "version {} has no `{name}` here", self.version);
        }
        for field in here.iter().filter(|field| field.tag.is_none()) {
            self.field(field, values.get(&field.name));
        }
        if !self.flexible {
            return;
        }
        let mut tagged: Vec<_> = here.iter().filter_map(|field| Some((field.tag?, *field))).collect();
        tagged.retain(|(_, field)| values.contains_key(&field.name));
        tagged.sort_by_key(|(tag, _)| *tag);
        self.varint(tagged.len());
        for (tag, field) in tagged {
            self.varint(tag.into());
            let outer = std::mem::take(self.out);
            self.field(field, values.get(&field.name));
            let value = std::mem::replace(self.out, outer);
            self.varint(value.len());
            self.out.extend(value);
        }
    }

    fn field(&mut self, field: &'t Field, value: Option<&Value>) {
        let nullable = field.nullable && field.null.is_none_or(|null| within(Some(null), self.version));
        let null = nullable && value.is_none_or(Value::is_null);
        let below = match &field.kind {
            Type::Plain(_) => None,
            Type::Below => Some(field.below.as_slice()),
            Type::Named(name) => self.message.structs.iter().find(|(n, _)| n == name).map(|(_, f)| f.as_slice()),
        };
        let empty = Value::Null;
        match below {
            _ if field.list && null => self.length(None, true),
            _ if field.list => {
                let none = Vec::new();
                let list = value.map_or(&none, |value| value.as_array().expect("a list"));
                self.length(Some(list.len()), true);
                for item in list {
                    match below {
                        Some(fields) => self.structure(fields, &object(item)),
                        None => self.value(field, Some(item), false),
                    }
                }
            }
            Some(fields) => {
                if nullable {
                    self.out.push(if null { 0xff } else { 1 });
                }
                if !null {
                    self.structure(fields, &object(value.unwrap_or(&empty)));
                }
            }
            None => self.value(field, value, null),
        }
    }

    fn value(&mut self, field: &Field, value: Option<&Value>, null: bool) {
        let Type::Plain(plain) = &field.kind else { panic!("a struct") };
        let number = || match value {
            None => i64::from(field.default.unwrap_or(0)),
            Some(Value::Bool(value)) => (*value).into(),
            Some(value) => value.as_i64().unwrap_or_else(|| panic!("`{}` is a number, not {value}", field.name)),
        };
        match *plain {
            "bool" | "int8" => self.out.push(number() as u8),
            "int16" | "uint16" => self.out.extend((number() as u16).to_be_bytes()),
            "int32" => self.out.extend((number() as u32).to_be_bytes()),
            "int64" | "float64" => self.out.extend(number().to_be_bytes()),
            "uuid" => self.out.extend([u8::try_from(number()).unwrap(); 16]),
            "string" if null => self.length(None, false),
            _ if null => self.length(None, true),
            text => {
                let bytes = self.bytes(field, value);
                self.length(Some(bytes.len()), text != "string");
                self.out.extend(bytes);
            }
        }
    }

    /// A string, or what is embedded: a version and its fields.
    fn bytes(&self, field: &Field, value: Option<&Value>) -> Vec<u8> {
        let Some(Value::Object(fields)) = value else {
            let text = value.map_or("", |value| value.as_str().unwrap_or_else(|| panic!("`{}` is text", field.name)));
            return text.as_bytes().to_vec();
        };
        let mark = field.mark.as_ref().map(|(mark, _)| mark.as_str());
        let embedded = self.table.embedded.iter().find(|embedded| Some(embedded.name.as_str()) == mark).unwrap();
        let mut fields = fields.clone();
        let version = u8::try_from(fields.remove("version").unwrap().as_u64().unwrap()).unwrap();
        let mut out = i16::from(version).to_be_bytes().to_vec();
        let message = &embedded.message;
        let mut encoder = Encoder { table: self.table, message, version, flexible: false, out: &mut out };
        encoder.structure(&message.fields, &fields);
        out
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

fn within(versions: Option<(u8, u8)>, version: u8) -> bool {
    versions.is_none_or(|(first, last)| first <= version && version <= last)
}
