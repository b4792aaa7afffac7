//! What the file cannot know by itself: tenants, services, and whether a redactor can be made of it all.

use std::rc::Rc;

use partywall_log_redaction::Slice;
use partywall_log_redaction::fields::{FieldError, FieldSet};
use partywall_log_redaction::redactor::{Engine, RuleError, Rules};
use partywall_log_redaction::replace::Keys;
use partywall_log_redaction::tenants::{Listed, TenantError, TenantRules};
use partywall_tenancy::TenantId;

use crate::directory::fields::Report;
use crate::directory::redaction::RedactionEntry;
use crate::directory::redaction::tenants::Whose;
use crate::directory::service::ServiceEntry;
use crate::directory::values::is_known;
use crate::directory::yaml::At;
use crate::nearest::nearest;

/// Reports what does not fit the rest of the directory; what the bundle says, where all of it is good. `known` are the
/// ids of all tenants, sorted.
pub(crate) fn check(
    entry: &RedactionEntry<'_>,
    known: &[TenantId],
    services: &[ServiceEntry<'_>],
    report: &mut Report,
) -> Option<Slice> {
    let before = report.errors();
    let mut listed = Listed::default();
    for tenant in entry.fields.iter().flat_map(|set| &set.tenants) {
        is_known(tenant, known, report);
        // One that is not known was told.
        listed.add(tenant.value.as_str(), &[], &[]);
    }
    for service in entry.fields.iter().flat_map(|set| &set.services) {
        let names = || services.iter().filter_map(|one| one.name.as_ref()).map(|name| name.value.as_str());
        if names().any(|name| name == service.value) {
            continue;
        }
        // Others than those of the mesh may send, by what they say of themselves; a mistyped one is a rule for nobody.
        match nearest(&service.value, names()) {
            Some(meant) => {
                let diagnostic = service.at.error(format!("there is no service `{}`", service.value));
                report.push(diagnostic.help(format!("did you mean `{meant}`?")));
            }
            None => {
                let message = format!("`{}` is no service of the mesh", service.value);
                let help =
                    "fine if it is what `service.name` says of those that send without a certificate of the mesh";
                report.push(service.at.warning(message).help(help));
            }
        }
    }
    let detectors = entry.detectors.build(entry.at, report)?;
    entry.replace.check(&entry.detectors, &detectors, report);
    let slice = entry.to_slice();
    if report.errors() > before {
        return None;
    }
    let listed = Rc::new(listed);
    let made = |rules: &Rules| Engine::new(rules, detectors.clone(), listed.clone(), Rc::new(Keys::default())).err();
    if let Some(error) = made(&slice.rules) {
        parts(entry, &slice.rules, made, report);
        if report.errors() == before {
            tell(entry.at, &error, report);
        }
        return None;
    }
    if let Err(error) = slice.check() {
        let diagnostic = entry.at.error(error.to_string());
        return report.add(diagnostic.help("change what it names"));
    }
    Some(slice)
}

/// Which parts of the rules it is that cannot be.
fn parts(entry: &RedactionEntry<'_>, rules: &Rules, made: impl Fn(&Rules) -> Option<RuleError>, report: &mut Report) {
    let none = Rules { fields: Vec::new(), tenants: None, ..rules.clone() };
    if let Whose::Rules(whose, templates) = &entry.tenants {
        for template in templates {
            let alone = TenantRules { templates: vec![template.value.clone()], ..whose.clone() };
            if let Some(error) = made(&Rules { tenants: Some(alone), ..none.clone() }) {
                tell(template.at, &error, report);
            }
        }
    }
    for (set, entry) in rules.fields.iter().zip(&entry.fields) {
        let before = report.errors();
        for (rule, entry) in set.rules.iter().zip(&entry.rules) {
            let alone = FieldSet { rules: vec![rule.clone()], ..set.clone() };
            if let Some(error) = made(&Rules { fields: vec![alone], ..none.clone() }) {
                tell(entry.at, &error, report);
            }
        }
        if report.errors() == before
            && let Some(error) = made(&Rules { fields: vec![set.clone()], ..none.clone() })
        {
            tell(entry.at, &error, report);
        }
    }
}

fn tell(at: At<'_>, error: &RuleError, report: &mut Report) {
    let path = |error: &FieldError| match error {
        FieldError::Path { path, why } => {
            let (what, instead) = match why.split_once("; write ") {
                Some((what, instead)) => (what, format!("write {instead}")),
                None => (*why, "write a name whole, or `*` for any one, as `user.*.city`".to_owned()),
            };
            (format!("no field has the path `{path}`: {what}"), instead)
        }
        FieldError::TooMany => {
            (error.to_string(), "write a set of its own for each service, or `**` for several".to_owned())
        }
        other => (other.to_string(), "write what there is".to_owned()),
    };
    let (message, help) = match error {
        RuleError::Fields(error) | RuleError::Tenants(TenantError::Place(error)) => path(error),
        RuleError::Tenants(TenantError::Template { template }) => (
            format!("`{template}` is no template of names with a tenant in them"),
            "write `{tenant}` once, and `*` at the end or nowhere, as `logs-{tenant}-*`".to_owned(),
        ),
        other => (other.to_string(), "change what it names".to_owned()),
    };
    report.push(at.error(message).help(help));
}
