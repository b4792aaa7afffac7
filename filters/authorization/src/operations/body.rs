//! The owner in the JSON body of a request.
//!
//! The body is read as a response is ([`crate::guard`]), so that of two equal keys either counts; and since a client
//! may write what it wants, a key that some apps take for one on the way (another case, as Go's `encoding/json` does)
//! is doubtful.

use std::sync::Arc;

use partywall_tenancy::{Errors, Foreign, Reason, Response, ResponseFormat, ResponseOwner, TenantId};

use super::Denial;
use crate::guard::{Guard, Refused, RuleError, Rules};

/// The most bytes of a body that is held: what Envoy keeps for a request, unless it is told otherwise.
pub(super) const MAX_HOLD: u32 = 1024 * 1024;

/// One pointer into a body.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    rules: Arc<Rules>,
    /// The names on the way.
    keys: Box<[Box<str>]>,
}

impl Pointer {
    /// Checks a pointer (RFC 6901), in which `*` stands for every member.
    pub(super) fn compile(pointer: &str) -> Result<Self, RuleError> {
        let response = Response {
            owners: vec![ResponseOwner::Pointer(pointer.to_owned())],
            format: ResponseFormat::Json,
            foreign: Foreign::Deny,
            element_cap: MAX_HOLD,
            hold: 0,
            errors: Errors::Strip,
            since: None,
        };
        let rules = Rules::compile(&response)?.ok_or_else(|| RuleError::NoSlash(pointer.to_owned()))?;
        let keys = pointer.split('/').skip(1).filter(|step| *step != "*");
        let keys = keys.map(|step| step.replace("~1", "/").replace("~0", "~").into()).collect();
        Ok(Self { rules: Arc::new(rules), keys })
    }

    /// Whether a whole body names `tenant`, and nobody else.
    pub(super) fn judge(&self, body: &[u8], tenant: &TenantId) -> Result<(), Denial> {
        match body.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
            None => return Err((Reason::ResourceForeign, "the body does not show whose it is")),
            Some(b'{' | b'[') => {}
            Some(_) => return Err((Reason::AmbiguousRequest, "the body is no object and no list of JSON")),
        }
        let mut guard = Guard::new(&self.rules, tenant.clone(), 0);
        let mut out = Vec::new();
        let read = guard.read(body, &mut out).and_then(|()| guard.finish(&mut out));
        match read {
            Ok(()) if guard.counts().own == 0 => {
                return Err((Reason::ResourceForeign, "the body does not show whose it is"));
            }
            Ok(()) => {}
            Err(Refused::Foreign) => return Err((Reason::ResourceForeign, "the body names another owner")),
            // Of requests no age is asked.
            Err(Refused::NoOwner | Refused::Outlived | Refused::NoTime) => {
                return Err((Reason::ResourceForeign, "the body does not show whose it is"));
            }
            Err(Refused::TooLarge | Refused::TooDeep) => {
                return Err((Reason::AmbiguousRequest, "the body is larger or deeper than one that is looked through"));
            }
            Err(Refused::Invalid(_) | Refused::Cut) => {
                return Err((Reason::AmbiguousRequest, "the body is no JSON"));
            }
        }
        if self.holds_a_lookalike(body) {
            return Err((Reason::AmbiguousRequest, "the body has a key that some apps take for the owner's"));
        }
        Ok(())
    }

    /// Whether a key, anywhere, is one of those on the way but for its case. The body is known to be JSON.
    fn holds_a_lookalike(&self, body: &[u8]) -> bool {
        let mut rest = body;
        while let Some(at) = rest.iter().position(|b| *b == b'"') {
            let text = rest.get(at.saturating_add(1)..).unwrap_or_default();
            let Some(end) = end_of_text(text) else { return true };
            let (text, after) =
                (text.get(..end).unwrap_or_default(), text.get(end.saturating_add(1)..).unwrap_or_default());
            let next = after.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
            if next == Some(&b':') && self.keys.iter().any(|key| is_taken_for(text, key)) {
                return true;
            }
            rest = after;
        }
        false
    }
}

/// Where the text ends whose opening quote was read.
fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|b| {
        let ends = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        ends
    })
}

/// Whether `text`, with its escapes, is `key` to a reader that knows no case, and not to one that does.
fn is_taken_for(text: &[u8], key: &str) -> bool {
    let Ok(text) = str::from_utf8(text) else { return true };
    let mut same = true;
    let mut wanted = key.chars();
    let mut read = Unescaped(text.chars());
    loop {
        match (read.next(), wanted.next()) {
            (None, None) => return !same,
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) if folded(a).eq(folded(b)) => same = false,
            _ => return false,
        }
    }
}

/// As Unicode folds; the Kelvin sign and the long s are the letters that ASCII has for them.
fn folded(letter: char) -> impl Iterator<Item = char> {
    let letter = match letter {
        '\u{17f}' => 's',
        other => other,
    };
    letter.to_lowercase()
}

/// The letters of a text of JSON.
struct Unescaped<'t>(std::str::Chars<'t>);

impl Iterator for Unescaped<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let letter = self.0.next()?;
        if letter != '\\' {
            return Some(letter);
        }
        Some(match self.0.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let digits = self.0.as_str().get(..4)?;
                self.0 = self.0.as_str().get(4..)?.chars();
                // Half of a pair is no letter of a key that anybody asks for.
                u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pointer: &str, body: &str) -> Result<(), Reason> {
        let acme = TenantId::parse("acme").unwrap();
        Pointer::compile(pointer).unwrap().judge(body.as_bytes(), &acme).map_err(|(reason, _)| reason)
    }

    #[test]
    fn the_owner_is_read_wherever_it_stands() {
        for (pointer, body) in [
            ("/tenant", r#"{"tenant":"acme"}"#),
            ("/tenant", r#" { "x" : [1,{"y":null}] , "tenant" : "acme" } "#),
            ("/tenant", r#"{"ten\u0061nt":"\u0061cme"}"#),
            ("/tenant", r#"{"tenant":"acme","tenant":"acme"}"#),
            ("/customer/tenant_id", r#"{"customer":{"tenant_id":"acme"},"tenant_id":"globex"}"#),
            ("/a~1b/c~0d", r#"{"a/b":{"c~d":"acme"}}"#),
            ("/items/*/tenant", r#"{"items":[{"tenant":"acme"},{"tenant":"acme"}]}"#),
            ("/tenant", r#"{"x":"\"Tenant\":","tenant":"acme"}"#),
        ] {
            assert_eq!(judged(pointer, body), Ok(()), "{pointer} {body}");
        }
    }

    #[test]
    fn any_other_owner_or_none_is_foreign() {
        for (pointer, body) in [
            ("/tenant", r#"{"tenant":"globex"}"#),
            ("/tenant", r#"{"tenant":"acme","tenant":"globex"}"#),
            ("/tenant", r#"{"tenant":"globex","tenant":"acme"}"#),
            ("/tenant", r#"{"tenant":"acme","ten\u0061nt":"globex"}"#),
            ("/tenant", r#"{"tenant":"ACME"}"#),
            ("/tenant", r#"{"tenant":["acme"]}"#),
            ("/tenant", r#"{"tenant":null}"#),
            ("/tenant", r#"{"x":{"tenant":"acme"}}"#),
            ("/tenant", "{}"),
            ("/customer/tenant", r#"{"customer":null}"#),
            ("/tenant", "[]"),
            ("/tenant", ""),
            ("/items/*/tenant", r#"{"items":[]}"#),
            ("/items/*/tenant", r#"{"items":[{"tenant":"acme"},{"tenant":"globex"}]}"#),
            ("/items/*/tenant", r#"{"items":[{"tenant":"acme"},{}]}"#),
        ] {
            assert_eq!(judged(pointer, body), Err(Reason::ResourceForeign), "{pointer} {body}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_is_ambiguous() {
        for (pointer, body) in [
            ("/tenant", r#"{"tenant":"acme","Tenant":"globex"}"#),
            ("/tenant", r#"{"Tenant":"globex","tenant":"acme"}"#),
            ("/tenant", r#"{"tenant":"acme","\u0054enant":"globex"}"#),
            ("/tenants_key", "{\"tenants_key\":\"acme\",\"tenants_\u{212a}ey\":\"globex\"}"),
            ("/tenants", "{\"tenants\":\"acme\",\"tenant\u{17f}\":\"globex\"}"),
            ("/customer/tenant", r#"{"customer":{"tenant":"acme"},"CUSTOMER" : {"tenant":"globex"}}"#),
            ("/tenant", r#"{"tenant":"acme"} x"#),
            ("/tenant", r#"{"tenant":"acme"}{"tenant":"globex"}"#),
            ("/tenant", r#"{"tenant":"acme""#),
            ("/tenant", r#"{tenant:"acme"}"#),
            ("/tenant", r#"{"tenant":"acme",}"#),
            ("/tenant", r#"{"tenant":"acme"/*,"tenant":"globex"*/}"#),
            ("/tenant", "\u{feff}{\"tenant\":\"acme\"}"),
            ("/tenant", "tenant=acme"),
            ("/tenant", "null"),
            ("/tenant", r#""acme""#),
            ("/tenant", &format!("{{\"x\":{}1{},\"tenant\":\"acme\"}}", "[".repeat(80), "]".repeat(80))),
        ] {
            assert_eq!(judged(pointer, body), Err(Reason::AmbiguousRequest), "{pointer} {body}");
        }
    }

    #[test]
    fn a_pointer_begins_with_a_slash() {
        for pointer in ["tenant", "", "/a~2"] {
            assert!(Pointer::compile(pointer).is_err(), "{pointer}");
        }
    }
}
