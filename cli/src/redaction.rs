//! What a bundle says of telemetry, in words and in JSON.

use partywall_log_redaction::fields::{FieldSet, Unlisted};
use partywall_log_redaction::tenants::{Foreign, TenantRules, Unattributed};
use partywall_log_redaction::{SealedKeys, Slice, SliceBounds};
use partywall_tenancy::BundleBody;
use serde_json::{Value, json};

/// What it says, where it says something; `Some(None)` where nobody can read it.
pub(crate) fn of(body: &BundleBody) -> Option<Option<Slice>> {
    (!body.redaction.is_empty()).then(|| Slice::read(&body.redaction).ok())
}

/// It in JSON: as it is written, and of keys what they are called.
pub(crate) fn json(slice: &Slice) -> Value {
    let mut value = json!(slice);
    value["keys"] = slice.keys.iter().map(key).collect();
    value
}

/// The parts of `redaction.yaml`, by their names there.
pub(crate) fn parts(slice: &Slice) -> [(&'static str, Value); 8] {
    let rules = &slice.rules;
    [
        ("detectors", json!(slice.detectors)),
        ("replace", json!(rules.replace)),
        ("fields", json!({ "sets": rules.fields })),
        ("tenants", json!(rules.tenants)),
        ("summary", json!(rules.summary)),
        ("routes", json!({ "routes": slice.routes })),
        ("passing", json!({ "requests": slice.passing })),
        ("bounds", json!(slice.bounds)),
    ]
}

/// The keys of a tenant, without what is sealed.
pub(crate) fn key(keys: &SealedKeys) -> Value {
    let mut masters: Vec<&str> = keys.data.iter().map(|(_, sealed)| sealed.master.as_str()).collect();
    masters.push(&keys.pseudonym.master);
    masters.sort_unstable();
    masters.dedup();
    let data: Vec<&String> = keys.data.iter().map(|(kid, _)| kid).collect();
    json!({ "tenant": keys.tenant, "epoch": keys.epoch, "data": data, "masters": masters })
}

/// It in words, a line for each part.
pub(crate) fn lines(slice: &Slice) -> Vec<String> {
    let detectors = &slice.detectors;
    let named = |list: &[String]| list.join(", ");
    let which = if detectors.only.is_empty() { "all".to_owned() } else { named(&detectors.only) };
    let but = if detectors.without.is_empty() { String::new() } else { format!(" but {}", named(&detectors.without)) };
    let own: Vec<&str> = detectors.custom.iter().map(|custom| custom.name.as_str()).collect();
    let own = if own.is_empty() { String::new() } else { format!(", and {}", own.join(", ")) };
    let mut lines = vec![format!("looks for {which}{but}{own}")];
    let replace = &slice.rules.replace;
    let by: String = replace.by.iter().map(|(name, action)| format!(", {name} {}", action.name())).collect();
    lines.push(format!("what is found becomes {}{by}", replace.default.name()));
    lines.extend(slice.rules.fields.iter().map(set));
    lines.push(slice.rules.tenants.as_ref().map_or_else(|| "tenants are NOT KEPT APART".to_owned(), tenants));
    for route in &slice.routes {
        lines.push(format!("telemetry at {} is {}", route.path, route.carrier.name()));
    }
    for passing in &slice.passing {
        lines.push(format!("{} {} passes", passing.method, passing.path));
    }
    if slice.bounds != SliceBounds::default() {
        let SliceBounds { record, block, unfolded, ratio } = slice.bounds;
        lines.push(format!(
            "records of {record} bytes, blocks of {block}, bodies of {unfolded}, {ratio} times unfolded"
        ));
    }
    if !slice.rules.summary {
        lines.push("records say nothing of what was masked in them".to_owned());
    }
    let mut masters: Vec<&str> = slice.keys.iter().map(|keys| keys.pseudonym.master.as_str()).collect();
    masters.sort_unstable();
    masters.dedup();
    lines.push(match masters.as_slice() {
        [] => "no tenant has keys: what asks for one is masked".to_owned(),
        masters => format!("sealed keys of {} tenants, under {}", slice.keys.len(), masters.join(", ")),
    });
    lines
}

fn set(set: &FieldSet) -> String {
    let of = |what: &str, list: &[String]| {
        if list.is_empty() { String::new() } else { format!(" of {what} {}", list.join(", ")) }
    };
    let whose =
        [of("tenants", &set.tenants), of("services", &set.services), of("classification", &set.classifications)]
            .concat();
    let whose = if whose.is_empty() { " of all".to_owned() } else { whose };
    let rest = match set.unlisted {
        Unlisted::Scan => "looked through",
        Unlisted::Mask => "masked",
        Unlisted::Drop => "left out",
    };
    format!("fields{whose}: {} rules, the rest is {rest}", set.rules.len())
}

fn tenants(rules: &TenantRules) -> String {
    let foreign = match rules.foreign {
        Foreign::Drop => "left out",
        Foreign::Quarantine => "kept for the quarantine",
        Foreign::Mask => "masked",
    };
    let nobody = match rules.unattributed {
        Unattributed::KeepMasked => "masked",
        Unattributed::Drop => "left out",
    };
    let templates: String = rules.templates.iter().map(|one| format!(", {}", one.template)).collect();
    let by = rules.attributes.join(", ");
    let tag = rules.tag.as_ref().map_or_else(String::new, |tag| format!("; {tag} is added"));
    format!("whose by {by}{templates}; others' is {foreign}, nobody's {nobody}{tag}")
}
