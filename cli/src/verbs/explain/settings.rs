//! `--settings`: where each value of a tenant comes from.

use std::path::Path;

use partywall_tenancy::TenantId;
use serde_json::json;

use crate::command::{say, say_json};
use crate::directory::Origin;
use crate::exit::{Exit, Outcome};
use crate::records::record;

/// Tells it for `tenant`.
pub(super) fn tell(dir: &Path, tenant: &TenantId, as_json: bool) -> Outcome {
    let record = record(dir, tenant)?;
    if as_json {
        let settings: Vec<_> = record
            .settings
            .iter()
            .map(|(name, value, origin)| {
                let (from, at) = words(origin);
                json!({ "setting": name, "value": value, "from": from, "at": at })
            })
            .collect();
        return say_json(&json!({ "tenant": tenant, "settings": settings }));
    }
    say(format_args!("tenant {tenant}"));
    for (name, value, origin) in &record.settings {
        let (from, at) = words(origin);
        let place = at.map_or_else(String::new, |at| format!(", {at}"));
        say(format_args!("  {name:<10} {value:<28} {from}{place}"));
    }
    Ok(Exit::Fine)
}

fn words(origin: &Origin) -> (&'static str, Option<&str>) {
    match origin {
        Origin::Record(at) => ("record", Some(at)),
        Origin::Profile(at) => ("profile", Some(at)),
        Origin::Nothing => ("nobody says it", None),
    }
}
