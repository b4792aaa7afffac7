//! The attributes of one event, judged.

use partywall_tenancy::TenantId;

use super::{Bound, CONTEXT, Judge, Refused, TENANT, Way};

/// What an attribute begins with: the tenant's id with something before and behind it, as `/tenants/{tenant}/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    head: String,
    tail: String,
}

impl Source {
    /// Reads a template. The error says what to write instead.
    pub fn parse(template: &str) -> Result<Self, &'static str> {
        let (head, tail) =
            template.split_once("{tenant}").ok_or("has no `{tenant}`: write one, as `/tenants/{tenant}/`")?;
        if tail.contains("{tenant}") {
            return Err("has `{tenant}` twice: write one, as `/tenants/{tenant}/`");
        }
        // Or else another tenant's id could go on with this one.
        if !matches!(tail.bytes().next(), Some(b'/' | b':' | b'.' | b'#' | b'?')) {
            return Err(
                "goes on behind `{tenant}` as an id could: write `/`, `:`, `.`, `#` or `?` there, as `/tenants/{tenant}/`",
            );
        }
        if !template.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'%') {
            return Err("has a character that is left out of it: write printable ASCII without `\\` and `%`");
        }
        Ok(Self { head: head.into(), tail: tail.into() })
    }

    /// Whether `value` begins so, for this tenant, and leads nowhere else.
    fn covers(&self, tenant: &TenantId, value: &str) -> bool {
        let rest = value.strip_prefix(&*self.head).and_then(|rest| rest.strip_prefix(tenant.as_str()));
        rest.is_some_and(|rest| rest.starts_with(&*self.tail)) && !climbs(value)
    }
}

/// Whether a reader of URIs would make another one of it.
fn climbs(value: &str) -> bool {
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        matches!(plain.as_str(), "." | "..")
    };
    value.contains('\\') || value.split(['/', '?', '#']).any(dots) || value.to_ascii_lowercase().contains("%2f")
}

/// Whether `text` may stand among the types of a service.
pub fn is_type(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*')
}

/// What of an event is judged, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    version: Option<String>,
    id: Option<String>,
    source: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    tenant: Option<String>,
    context: Option<String>,
}

impl Attributes {
    /// Takes one, if it is any of these; a second of a name is none.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        let place = match name {
            "specversion" => &mut self.version,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.kind,
            "subject" => &mut self.subject,
            TENANT => &mut self.tenant,
            CONTEXT => &mut self.context,
            _ => return Ok(()),
        };
        if place.replace(value.to_owned()).is_some() {
            return Err(Refused::Unclear("an attribute that stands there twice"));
        }
        Ok(())
    }

    /// Judges the event; gives the context that it is to have, in place of its own if it has one.
    pub(super) fn judge(&self, judge: &Judge<'_>) -> Result<Option<String>, Refused> {
        if self.version.as_deref() != Some("1.0") {
            return Err(Refused::Unclear("an event whose `specversion` is not 1.0"));
        }
        let (Some(id), Some(source), Some(kind)) = (said(&self.id), said(&self.source), said(&self.kind)) else {
            return Err(Refused::Unclear("an event without `id`, `source` or `type`"));
        };
        let Judge { tenant, rules, way } = judge;
        if self.tenant.as_deref().is_some_and(|named| named != tenant.as_str()) {
            return Err(Refused::Foreign("`partywalltenant` names another tenant"));
        }
        if rules.source.as_ref().is_some_and(|template| !template.covers(tenant, source)) {
            return Err(Refused::Foreign("the `source` of the event is not one of the tenant"));
        }
        if let Some(template) = &rules.subject
            && !self.subject.as_ref().is_some_and(|subject| template.covers(tenant, subject))
        {
            return Err(Refused::Foreign("the `subject` of the event is not one of the tenant"));
        }
        let fits = |known: &String| match known.strip_suffix('*') {
            Some(begin) => kind.starts_with(begin),
            None => kind == known,
        };
        if !rules.types.is_empty() && !rules.types.iter().any(fits) {
            return Err(Refused::Type);
        }
        let bound = Bound { kind, source, id };
        match (way, &self.context) {
            (Way::Sent(None), _) | (Way::Came(_), None) => Ok(None),
            (Way::Sent(Some(signer)), _) => signer.sign(&bound).map(Some).ok_or(Refused::Unsigned),
            (Way::Came(verifier), Some(token)) => {
                if verifier.verify(token, &bound) {
                    Ok(Some(token.clone()))
                } else {
                    Err(Refused::Forged)
                }
            }
        }
    }

    /// What a context in it is bound to, and that context; `None` where one of them is missing.
    pub(super) fn bound(&self) -> Option<(Bound<'_>, &str)> {
        let bound = Bound { kind: self.kind.as_deref()?, source: self.source.as_deref()?, id: self.id.as_deref()? };
        Some((bound, self.context.as_deref()?))
    }
}

/// Whether it may be the name of an attribute.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// What an attribute says; `None` where it is not there, or empty.
fn said(attribute: &Option<String>) -> Option<&str> {
    attribute.as_deref().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_parts_one_tenant_from_another() {
        for bad in [
            "/tenants/",
            "{tenant}",
            "{tenant}x/",
            "{tenant}/{tenant}/",
            "/{tenant}-/",
            "/ä/{tenant}/",
            "/%41/{tenant}/",
        ] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
        let acme = TenantId::parse("acme").unwrap();
        let template = Source::parse("/tenants/{tenant}/").unwrap();
        for good in ["/tenants/acme/", "/tenants/acme/orders?x=1"] {
            assert!(template.covers(&acme, good), "{good}");
        }
        for bad in [
            "/tenants/acme",
            "/tenants/acme2/",
            "/tenants/rival/",
            "/tenants/acme/../rival",
            "/tenants/acme/%2E%2e/rival",
            "/tenants/acme/%2F",
            "/tenants/acme/\\",
            "x/tenants/acme/",
            "/tenants/acme/.",
        ] {
            assert!(!template.covers(&acme, bad), "{bad}");
        }
    }
}
