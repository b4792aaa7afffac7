//! An event in headers (HTTP protocol binding 1.0, section 3.1).

use super::attributes::{Attributes, is_name};
use super::{Bound, CONTEXT, Judge, Refused, TENANT};

/// What stands before each attribute.
pub(super) const PREFIX: &str = "ce-";

/// What is done to a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is removed.
    Remove(&'static str),
    /// It is set, in place of whatever there is.
    Set(&'static str, String),
}

const TENANT_HEADER: &str = "ce-partywalltenant";
const CONTEXT_HEADER: &str = "ce-partywallcontext";

/// Judges an event in headers, whose names are in lower case, and says what is to be changed.
pub fn binary<'h>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    judge: &Judge<'_>,
) -> Result<Vec<Change>, Refused> {
    let attributes = read(headers)?;
    let context = attributes.judge(judge)?;
    let context = context.map_or(Change::Remove(CONTEXT_HEADER), |token| Change::Set(CONTEXT_HEADER, token));
    Ok(vec![Change::Set(TENANT_HEADER, judge.tenant.to_string()), context])
}

/// Hands over what a context in these headers is bound to, with the context and the tenant that is named beside it;
/// `None` where there is none that could be read.
pub fn context_of<'h, T>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    found: impl FnOnce(&Bound<'_>, &str) -> T,
) -> Option<T> {
    let attributes = read(headers).ok()?;
    let (bound, token) = attributes.bound()?;
    Some(found(&bound, token))
}

fn read<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Result<Attributes, Refused> {
    let mut attributes = Attributes::default();
    for (name, value) in headers {
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        if !is_name(name) {
            return Err(Refused::Unclear("a `ce-` header whose name is no attribute's"));
        }
        if [TENANT, CONTEXT, "specversion", "id", "source", "type", "subject"].contains(&name) {
            let value = decode(value).ok_or(Refused::Unclear("a `ce-` header that could be read in two ways"))?;
            attributes.take(name, &value)?;
        }
    }
    Ok(attributes)
}

/// What the value of a header means: printable ASCII, with percent-encoded UTF-8. A quote or a space at an end is read
/// in two ways, and is not.
pub fn decode(value: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            b'"' => return None,
            b' '..=b'~' => byte,
            _ => return None,
        });
    }
    let spaced = value.first() == Some(&b' ') || value.last() == Some(&b' ');
    if spaced { None } else { String::from_utf8(out).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_one_way() {
        assert_eq!(decode(b"Euro%20%E2%82%AC%25").as_deref(), Some("Euro €%"));
        assert_eq!(decode(b"a b").as_deref(), Some("a b"));
        for odd in ["%", "%2", "%zz", "\"a\"", " a", "a ", "%ff", "a\tb", "é"] {
            assert_eq!(decode(odd.as_bytes()), None, "{odd}");
        }
    }
}
