//! Plays every file of `cli/cases/authorization`: files laid over the sample directory, a request,
//! and what is decided. Adding a case is adding a file.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use partywall_authorization::{Authorization, Body, Call, Decision, Program, Query, authorize};
use partywall_cli::directory::{self, Reading};
use partywall_cli::lower::{Vocabulary, lower};
use partywall_tenancy::{NameSet, ProvedBy, SpiffeId, TenantContext};
use serde::Deserialize;
use support::{cases, copy, folder, sample};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    given: Given,
    when: When,
    then: Then,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// Laid over the sample directory.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files and folders whose contents are taken out of it before.
    #[serde(default)]
    without: Vec<String>,
    /// Put at the end of files there.
    #[serde(default)]
    append: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    tenant: String,
    #[serde(default)]
    subject: String,
    roles: Vec<String>,
    service: String,
    method: String,
    path: String,
    /// Names in lower case, as often as they stand there.
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    region: String,
    /// Networks that the client calls from.
    #[serde(default)]
    networks: Vec<String>,
    /// SPIFFE ID of who calls.
    #[serde(default)]
    caller: String,
    /// Scopes of the credential.
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Then {
    decision: String,
    #[serde(default)]
    reason: Option<String>,
    /// The policy that access logs print.
    #[serde(default)]
    policy: Option<String>,
    /// All policies that made the decision; by default the one that is printed.
    #[serde(default)]
    determining: Vec<String>,
}

#[test]
fn every_case_is_decided_as_it_says() {
    let root = folder("authorization-cases");
    let cases = cases("authorization");
    assert!(cases.len() >= 60, "only {} cases were found", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| play(case, &root).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases differ\n\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
    println!("{} cases", cases.len());
}

fn play(file: &Path, root: &Path) -> Result<(), String> {
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let name = format!("{}/{}", stem(file.parent().unwrap()), stem(file));
    let case: Case = serde_saphyr::from_str(&fs::read_to_string(file).unwrap())
        .map_err(|e| format!("{name} cannot be read: {e}"))?;
    let reading = given(&case.given, &root.join(name.replace('/', "-")));
    let found = decide(&reading, &case.when).map_err(|e| format!("{name}: {e}"))?;
    let mut expected = case.then;
    if expected.determining.is_empty() {
        expected.determining = expected.policy.iter().cloned().collect();
    }
    if found == expected { Ok(()) } else { Err(format!("{name}: {found:?}\n  but expected {expected:?}")) }
}

fn given(given: &Given, here: &Path) -> Reading {
    copy(&sample(), here);
    for name in &given.without {
        let path = here.join(name);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
            fs::create_dir(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    for (name, text) in &given.files {
        fs::write(here.join(name), text).unwrap();
    }
    for (name, text) in &given.append {
        let before = fs::read_to_string(here.join(name)).unwrap();
        fs::write(here.join(name), before + text).unwrap();
    }
    directory::read(here, None)
}

fn decide(reading: &Reading, when: &When) -> Result<Then, String> {
    let mistakes = || reading.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let directory = reading.directory().ok_or_else(mistakes)?;
    let vocabulary = Vocabulary {
        tenants: directory.tenants,
        services: directory.services,
        networks: Some(&directory.mesh.networks),
        clusters: directory.events,
    };
    let lowered = lower(&vocabulary, directory.policies).map_err(|e| e[0].to_string())?;
    // Through its bytes, as a sidecar gets it.
    let program = Program::read(&lowered.program.write().unwrap()).map_err(|e| e.to_string())?;
    let policy = Authorization::from_parts(program, directory.services).map_err(|e| e.to_string())?;
    let tenant = directory.tenants.iter().find(|t| t.id.as_str() == when.tenant).ok_or("no such tenant")?;
    let context = TenantContext {
        tenant: tenant.id.clone(),
        tier: tenant.tier.to_string(),
        region: tenant.residency.to_string(),
        principal: when.subject.clone(),
        roles: when.roles.clone(),
        scopes: when.scopes.clone(),
        networks: NameSet::new(&when.networks).unwrap(),
        proved_by: ProvedBy::Jwt,
        token_id: String::new(),
        expires: 0,
        caller: SpiffeId::parse(&when.caller).ok(),
    };
    let headers: Vec<_> = when.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let body = Body::Whole(when.body.as_bytes());
    let call = Call { headers: &headers, body, ..Call::plain(&when.method, &when.path) };
    let query =
        Query { context: &context, tenant, service: &when.service, call, region: &when.region, time: 1_798_135_200 };
    let answer = policy.answer(&query);
    let mut determining: Vec<_> = answer.iter().flat_map(|a| &a.determining).map(|p| p.id.clone()).collect();
    determining.sort();
    let (decision, reason, policy) = match authorize(&policy, &query) {
        Decision::Allow { policy, errors: 0 } => ("allow", None, Some(policy)),
        Decision::Deny { reason, policy, errors: 0, .. } => ("deny", Some(reason.code().to_owned()), policy),
        with_errors => return Err(format!("{with_errors:?}")),
    };
    Ok(Then { decision: decision.into(), reason, policy: policy.map(Into::into), determining })
}
