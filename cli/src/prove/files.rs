//! Counterexamples as files that `partywall decide` and Cedar's own tools take.

use std::fs;
use std::path::Path;

use cedar_policy::{Policy, PolicySet};
use serde_json::{Value, json};

use super::claim::invariants;
use super::{Claim, Pass, Report, Side, Task, Verdict};
use crate::exit::Failure;
use crate::files::replace;
use crate::lower::schema;
use crate::time::rfc3339;

/// For whoever may read the directory.
const MODE: u32 = 0o644;

/// Writes every counterexample of `report` into `folder`. Gives back the `partywall decide` command for each.
pub(crate) fn write(task: &Task<'_>, report: &Report, folder: &Path) -> Result<Vec<String>, Failure> {
    fs::create_dir_all(folder).map_err(|e| Failure::file(folder, e))?;
    let services: Vec<_> = task.sides().flat_map(|side| side.services.iter().cloned()).collect();
    text(&folder.join("schema.cedarschema"), &schema::text(&services))?;
    let mut commands = Vec::new();
    for finding in &report.findings {
        let Verdict::False(found) = &finding.verdict else { continue };
        let number = commands.len() + 1;
        let policies = folder.join(policies_name(finding.pass, finding.claim));
        json_file(&policies, &policies_of(task.permitting(finding.claim), finding.pass)?)?;
        let (request, entities) = found.as_cedar()?;
        let uid = |uid: Option<&cedar_policy::EntityUid>| json!(uid.map(ToString::to_string));
        let told = json!({
            "principal": uid(request.principal()),
            "action": uid(request.action()),
            "resource": uid(request.resource()),
            "context": {
                "service": { "__entity": { "type": "Workload", "id": found.case.service } },
                "purpose": found.case.attributes.purpose,
                "scope": found.case.attributes.scope.name(),
                "time": { "__extn": { "fn": "datetime", "arg": rfc3339(found.case.time) } },
                "caller": found.case.caller,
                "networks": found.case.networks,
                "scopes": found.case.scopes,
            },
        });
        let files = [folder.join(format!("{number}.entities.json")), folder.join(format!("{number}.request.json"))];
        json_file(&files[0], &entities.to_json_value().map_err(Failure::invalid)?)?;
        json_file(&files[1], &told)?;
        let schema = folder.join("schema.cedarschema");
        commands.push(format!(
            "partywall decide --schema {} --policies {} --entities {} --request {} --verbose",
            schema.display(),
            policies.display(),
            files[0].display(),
            files[1].display()
        ));
    }
    Ok(commands)
}

fn policies_name(pass: Pass, claim: Claim) -> &'static str {
    match (pass, claim) {
        (Pass::Authored, Claim::NotNarrower) => "old.json",
        (Pass::Authored, _) => "policies.json",
        (Pass::WithInvariants, Claim::NotNarrower) => "old-with-invariants.json",
        (Pass::WithInvariants, _) => "with-invariants.json",
    }
}

/// As JSON a policy keeps its id, whether or not it has an `@id`.
fn policies_of(side: &Side, pass: Pass) -> Result<Value, Failure> {
    let mut all: Vec<Policy> = side.policies.clone();
    if pass == Pass::WithInvariants {
        all.extend(invariants()?);
    }
    let set = PolicySet::from_policies(all).map_err(Failure::invalid)?;
    set.to_json().map_err(Failure::invalid)
}

fn json_file(path: &Path, value: &Value) -> Result<(), Failure> {
    text(path, &format!("{value:#}\n"))
}

fn text(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text.as_bytes(), MODE).map_err(|e| Failure::file(path, e))
}
