//! The little protobuf this module speaks: a `google.protobuf.Struct` as Envoy hands it over, and
//! length-delimited fields of foreign function arguments.

use serde_json::{Map, Value};

/// A Struct nests in practice three deep; this bounds the recursion.
const DEEPEST: usize = 16;

/// Reads a serialised `google.protobuf.Struct`. `None` when it is none.
pub(crate) fn read_struct(bytes: &[u8]) -> Option<Value> {
    object(bytes, DEEPEST)
}

/// Appends a length-delimited field; `number` is at most 15.
pub(crate) fn write_field(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(number << 3 | 2);
    let mut length = value.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(value);
}

/// `message Struct { map<string, Value> fields = 1; }`: a repeated entry of key 1 and value 2.
fn object(bytes: &[u8], depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut map = Map::new();
    for field in Fields(bytes) {
        let (1, Field::Bytes(entry)) = field? else { return None };
        let (mut key, mut value) = (String::new(), Value::Null);
        for part in Fields(entry) {
            match part? {
                (1, Field::Bytes(text)) => key = String::from_utf8(text.to_vec()).ok()?,
                (2, Field::Bytes(inner)) => value = any(inner, depth)?,
                _ => return None,
            }
        }
        map.insert(key, value);
    }
    Some(Value::Object(map))
}

/// `message Value { oneof kind { null 1; double 2; string 3; bool 4; Struct 5; ListValue 6; } }`
fn any(bytes: &[u8], depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut value = Value::Null;
    for field in Fields(bytes) {
        value = match field? {
            (1, Field::Number(_)) => Value::Null,
            (2, Field::Double(number)) => Value::from(number),
            (3, Field::Bytes(text)) => Value::String(String::from_utf8(text.to_vec()).ok()?),
            (4, Field::Number(flag)) => Value::Bool(flag != 0),
            (5, Field::Bytes(inner)) => object(inner, depth)?,
            (6, Field::Bytes(inner)) => {
                let items = Fields(inner).map(|item| match item? {
                    (1, Field::Bytes(item)) => any(item, depth),
                    _ => None,
                });
                Value::Array(items.collect::<Option<_>>()?)
            }
            _ => return None,
        };
    }
    Some(value)
}

enum Field<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

/// The fields of a message; ends with a `None` item where it is malformed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Option<(u64, Field<'a>)> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => {
                let (bytes, rest) = self.0.split_first_chunk()?;
                self.0 = rest;
                Field::Double(f64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            _ => return None,
        };
        Some((tag >> 3, field))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}
