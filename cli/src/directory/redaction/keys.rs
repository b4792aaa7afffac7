//! `redaction-keys.ndjson` in the directory: whose keys there are, and who lacks some.

use std::collections::HashMap;

use partywall_log_redaction::fields::FieldAction;
use partywall_log_redaction::replace::Action;
use partywall_log_redaction::{SealedKeys, Slice};
use partywall_tenancy::TenantId;

use crate::diagnostic::{Place, Source};
use crate::directory::fields::Report;
use crate::directory::redaction::RedactionEntry;
use crate::nearest::nearest;
use crate::sealed_keys;

/// So many tenants without keys are told by name.
const NAMES: usize = 5;

/// Reads the file, and compares it with the ids of all tenants, which are sorted. The keys, sorted by tenant.
pub(crate) fn read(source: &Source, known: &[TenantId], report: &mut Report) -> Vec<SealedKeys> {
    let mut found: Vec<SealedKeys> = Vec::new();
    let (mut tenants, mut kids) = (HashMap::new(), HashMap::new());
    for (number, line) in source.text().lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if report.is_full() {
            break;
        }
        let number = number + 1;
        let keys = match sealed_keys::parse(line) {
            Ok(keys) => keys,
            Err(wrong) => {
                report.push(source.error(number, wrong.column, wrong.message).help(wrong.help));
                continue;
            }
        };
        let at: Place = source.place(number, 1);
        if known.binary_search(&keys.tenant).is_err() {
            let diagnostic = at.error(format!("there is no tenant `{}` whose keys these could be", keys.tenant));
            let meant = nearest(keys.tenant.as_str(), known.iter().map(TenantId::as_str));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            report.push(
                diagnostic
                    .help(format!("`partywall keys redaction --shred {}` destroys them, for good{meant}", keys.tenant)),
            );
        }
        if let Some(first) = tenants.insert(keys.tenant.clone(), number) {
            let diagnostic = at.error(format!("the tenant `{}` is there twice", keys.tenant));
            report.push(
                diagnostic.help(format!("its first line is {first}; take the older one out, which is in a backup")),
            );
            continue;
        }
        for (kid, _) in &keys.data {
            if let Some(first) = kids.insert(kid.clone(), number) {
                let diagnostic =
                    at.error(format!("the data key `{kid}` is there twice, so that nobody knows which opens"));
                report.push(diagnostic.help(format!("the first one is in line {first}; put the file back as it was")));
            }
        }
        found.push(keys);
    }
    found.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    found
}

/// Warns where rules ask for keys that tenants do not have: what asks for one is masked.
pub(crate) fn check(entry: &RedactionEntry<'_>, slice: &Slice, known: &[TenantId], report: &mut Report) {
    let asks = entry.replace.asks().or_else(|| {
        let deep = |action| matches!(action, FieldAction::Pseudonym | FieldAction::Encrypt);
        entry.fields.iter().flat_map(|set| &set.rules).find(|rule| deep(rule.value.action)).map(|rule| rule.at)
    });
    let Some(at) = asks else { return };
    let lacks = |id: &&TenantId| slice.keys.binary_search_by(|keys| keys.tenant.cmp(*id)).is_err();
    let without: Vec<&str> = known.iter().filter(lacks).map(TenantId::as_str).collect();
    if without.is_empty() {
        return;
    }
    let names = without.iter().take(NAMES).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    let more =
        if without.len() > NAMES { format!(" and {} more tenants", without.len() - NAMES) } else { String::new() };
    let verb = if without.len() == 1 { "has" } else { "have" };
    let message = format!("{names}{more} {verb} no keys, so that what asks for one here is masked");
    report.push(at.warning(message).help("make them: `partywall keys redaction --master FILE`"));
}

/// Whether an action takes a key of the tenant.
pub(super) fn takes_a_key(action: Action) -> bool {
    matches!(action, Action::Pseudonym | Action::Encrypt)
}
