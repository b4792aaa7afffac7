//! An event as JSON (JSON event format 1.0), and a list of them.

use super::attributes::{Attributes, is_name};
use super::{CONTEXT, Judge, Mode, Refused, TENANT};
use partywall_json::{Cursor, Fault, decode, write};

/// The most events of a batch.
const MOST_EVENTS: usize = 1000;
/// The most attributes of an event.
const MOST_ATTRIBUTES: usize = 100;

/// Judges a body that is there whole, and appends what goes on in its place.
pub fn body(mode: Mode, body: &[u8], judge: &Judge<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    let mut cursor = Cursor::new(body);
    match mode {
        Mode::Binary => return Err(Refused::NoEvent),
        Mode::Structured => event(&mut cursor, 0, judge, out)?,
        Mode::Batch => {
            cursor.expect(b'[')?;
            out.push(b'[');
            if !cursor.take(b']') {
                for n in 0.. {
                    if n >= MOST_EVENTS {
                        return Err(Refused::Unclear("a batch of more than 1000 events"));
                    }
                    event(&mut cursor, 1, judge, out)?;
                    if cursor.take(b']') {
                        break;
                    }
                    cursor.expect(b',')?;
                    out.push(b',');
                }
            }
            out.push(b']');
        }
    }
    Ok(cursor.end()?)
}

fn event(cursor: &mut Cursor<'_>, depth: usize, judge: &Judge<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    cursor.expect(b'{')?;
    out.push(b'{');
    let mut attributes = Attributes::default();
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut ended = cursor.take(b'}');
    while !ended {
        let mut name = Vec::new();
        decode(cursor.string()?, &mut name);
        cursor.expect(b':')?;
        if names.contains(&name) {
            return Err(Fault::Twice.into());
        }
        let value = cursor.value(depth + 1)?;
        member(&name, value, &mut attributes, out)?;
        names.push(name);
        if names.len() > MOST_ATTRIBUTES {
            return Err(Refused::Unclear("an event of more than 100 attributes"));
        }
        ended = cursor.take(b'}');
        if !ended {
            cursor.expect(b',')?;
        }
    }
    let context = attributes.judge(judge)?;
    for (name, value) in [(TENANT, Some(judge.tenant.to_string())), (CONTEXT, context)] {
        if let Some(value) = value {
            // INVARIANT: an event that was judged has members.
            out.push(b',');
            write(name.as_bytes(), out);
            out.push(b':');
            write(value.as_bytes(), out);
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends a member as it came, unless it is one of ours, which come last.
fn member(name: &[u8], value: &[u8], attributes: &mut Attributes, out: &mut Vec<u8>) -> Result<(), Refused> {
    let text = str::from_utf8(name).unwrap_or_default();
    if !matches!(text, "data" | "data_base64") {
        // Some libraries take `Source` for `source`.
        if !is_name(text) {
            return Err(Refused::Unclear("an event with a key that is no attribute's"));
        }
        match value.first() {
            Some(b'"') => {
                let mut meaning = Vec::new();
                decode(value.get(1..value.len().saturating_sub(1)).unwrap_or_default(), &mut meaning);
                let meaning = String::from_utf8(meaning).map_err(|_| Fault::Kind)?;
                attributes.take(text, &meaning)?;
            }
            // As if it were not there.
            Some(b'n') => return Ok(()),
            Some(b'{' | b'[') => return Err(Fault::Kind.into()),
            _ if matches!(text, "specversion" | "id" | "source" | "type" | "subject") => return Err(Fault::Kind.into()),
            _ => {}
        }
        if matches!(text, TENANT | CONTEXT) {
            return if value.first() == Some(&b'"') { Ok(()) } else { Err(Fault::Kind.into()) };
        }
    }
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write(name, out);
    out.push(b':');
    out.extend_from_slice(value);
    Ok(())
}
