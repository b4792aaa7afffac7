//! Writes what `cargo xtask bench policy` decides: `bench-policy FOLDER` puts one file there for each set of policies,
//! with the program, the policies as Cedar reads them, and requests in the terms of both.
//!
//! `policies-20`, `-100`, `-500`, `-5000`: as a mesh has them. Each service has 20 policies by role, action and type,
//! some with conditions, some of them `forbid`; what is beyond 25 services is confined to a tenant each (`@tenant`).
//! `all-apply`: 20 policies that apply to each of its requests and are evaluated to the end.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use partywall_cli::diagnostic::Source;
use partywall_cli::lower::{parse, translate};
use partywall_tenancy::{NameSet, Operation, Service, SpiffeId, Tenant, TenantId, TenantStatus};
use serde_json::{Value, json};

const CASES: usize = 64;
const MOST_SERVICES: usize = 25;
const PER_SERVICE: usize = 20;
const VERBS: [(&str, &str); 4] = [("read", "GET"), ("write", "PUT"), ("delete", "DELETE"), ("print", "POST")];
const ROLES: [&str; 8] = ["viewer", "clerk", "accountant", "auditor", "buyer", "support", "owner", "robot"];
const TIERS: [&str; 3] = ["gold", "silver", "bronze"];
const REGIONS: [&str; 2] = ["eu", "us"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: bench-policy FOLDER")?;
    fs::create_dir_all(&folder)?;
    for count in [20, 100, 500, 5000] {
        write(Path::new(&folder), &format!("policies-{count}"), &Mesh::of(count), &as_in_a_mesh(count))?;
    }
    write(Path::new(&folder), "all-apply", &Mesh::of(PER_SERVICE), &all_apply())
}

struct Mesh {
    tenants: Vec<Tenant>,
    services: Vec<Service>,
}

impl Mesh {
    fn of(policies: usize) -> Self {
        let tenant = |n: usize| Tenant {
            id: TenantId::parse(&tenant(n)).unwrap_or_else(|_| unreachable!("it is a label")),
            tier: TIERS[n % 3].into(),
            status: TenantStatus::Active,
            residency: REGIONS[n % 2].into(),
            cell: None,
            features: NameSet::default(),
            consents: NameSet::default(),
        };
        Self {
            tenants: (0..tenants(policies)).map(tenant).collect(),
            services: (0..services(policies)).map(service).collect(),
        }
    }
}

fn services(policies: usize) -> usize {
    (policies / PER_SERVICE).clamp(1, MOST_SERVICES)
}

fn tenants(policies: usize) -> usize {
    (policies / 25).max(10)
}

fn tenant(n: usize) -> String {
    format!("tenant-{n:03}")
}

fn action(service: usize, verb: usize) -> String {
    format!("service-{service:02}:{}", VERBS[verb % VERBS.len()].0)
}

fn kind(service: usize) -> String {
    format!("Thing{service:02}")
}

fn service(n: usize) -> Service {
    let operation = |verb: usize| Operation {
        id: Some("id".into()),
        ..Operation::new(VERBS[verb].1, &format!("/things-{n:02}/{{id}}"), &action(n, verb), &kind(n))
    };
    let spiffe_id = format!("spiffe://mesh.example/ns/shop/sa/service-{n:02}");
    Service::new(
        &format!("service-{n:02}"),
        SpiffeId::parse(&spiffe_id).unwrap_or_else(|_| unreachable!("it is a SPIFFE ID")),
        (0..VERBS.len()).map(operation).collect(),
    )
}

fn as_in_a_mesh(count: usize) -> String {
    let (services, tenants) = (services(count), tenants(count));
    let mut text = String::new();
    for n in 0..count {
        let (of, nth) = (n % services, n / services);
        let (role, act, thing) = (ROLES[nth % ROLES.len()], action(of, nth), kind(of));
        let policy = match nth {
            0..10 => format!(
                "permit (principal in Role::\"{role}\", action == Action::\"{act}\", resource is {thing})\n\
                 when {{ principal.tenant == resource.tenant }};"
            ),
            10..14 => format!(
                "permit (principal in Role::\"{role}\", action, resource is {thing})\n\
                 when {{ principal.tenant.tier == \"gold\" && principal.tenant.residency == resource.tenant.residency }};"
            ),
            14..16 => format!(
                "permit (principal, action == Action::\"{act}\", resource == {thing}::\"{nth}\")\n\
                 unless {{ principal.tenant.tier == \"bronze\" }};"
            ),
            16..18 => format!(
                "forbid (principal, action == Action::\"{act}\", resource is {thing})\n\
                 unless {{ principal.tenant.residency == resource.tenant.residency }};"
            ),
            18..20 => format!(
                "forbid (principal in Role::\"robot\", action == Action::\"{act}\", resource)\n\
                 when {{ [\"bronze\", \"iron\"].contains(principal.tenant.tier) }};"
            ),
            _ => {
                let tenant = tenant(n % tenants);
                let effect = if nth % 5 == 0 { "forbid" } else { "permit" };
                format!(
                    "@tenant(\"{tenant}\")\n\
                     {effect} (principal in Role::\"{role}\", action == Action::\"{act}\", resource is {thing})\n\
                     when {{ principal.tenant.residency == \"eu\" }};"
                )
            }
        };
        let _ = writeln!(text, "@id(\"policy-{n}\")\n{policy}");
    }
    text
}

fn all_apply() -> String {
    let mut text = String::new();
    for n in 0..PER_SERVICE {
        let (effect, tier) = match n {
            0..4 => ("forbid", "iron"),
            19 => ("permit", "gold"),
            _ => ("permit", "tin"),
        };
        let _ = writeln!(
            text,
            "@id(\"policy-{n}\")\n{effect} (principal, action, resource)\n\
             when {{ principal.tenant == resource.tenant && principal.tenant.tier == \"{tier}\" }};"
        );
    }
    text
}

fn cases(mesh: &Mesh) -> Vec<Value> {
    let case = |n: usize| {
        // Steps without a common factor, so that all meet.
        let (of, verb) = (n * 7 % mesh.services.len(), n * 3 % VERBS.len());
        let at = n * 11 % mesh.tenants.len();
        let tenant = &mesh.tenants[at];
        let roles = [ROLES[n % ROLES.len()], ROLES[(n / 3 + 1) % ROLES.len()]];
        let (subject, id) = (format!("user-{n}"), format!("{}", n % 20));
        let uid = |kind: &str, id: &str| json!({ "type": kind, "id": id });
        let entity = |kind: &str, id: &str| json!({ "__entity": uid(kind, id) });
        let (user, owner) = (format!("{}/{subject}", tenant.id), entity("Tenant", tenant.id.as_str()));
        let mut parents: Vec<Value> = roles.iter().map(|role| uid("Role", role)).collect();
        parents.dedup();
        json!({
            "tenant": at, "subject": subject, "roles": roles, "service": of,
            "method": VERBS[verb].1, "path": format!("/things-{of:02}/{id}"),
            "action": action(of, verb), "resource_type": kind(of), "resource_id": id,
            "request": [
                format!("User::\"{user}\""), format!("Action::\"{}\"", action(of, verb)), format!("{}::\"{id}\"", kind(of)),
            ],
            "context": { "service": entity("Workload", mesh.services[of].spiffe_id.as_str()) },
            "entities": [
                { "uid": uid("User", &user), "attrs": { "tenant": owner.clone() }, "parents": parents },
                { "uid": uid(&kind(of), &id), "attrs": { "tenant": owner }, "parents": [] },
                { "uid": uid("Tenant", tenant.id.as_str()), "parents": [],
                  "attrs": { "tier": tenant.tier, "residency": tenant.residency } },
            ],
        })
    };
    (0..CASES).map(case).collect()
}

fn write(folder: &Path, name: &str, mesh: &Mesh, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    let sources = [Source::new("bench.cedar", text)];
    let (parsed, errors) = parse(&sources);
    let first = |errors: &[partywall_cli::diagnostic::Diagnostic]| errors.first().map(ToString::to_string);
    if let Some(error) = first(&errors) {
        return Err(error.into());
    }
    let translated = translate(&mesh.services, &parsed).map_err(|e| first(&e).unwrap_or_default())?;
    let program = translated.program.write().ok_or("the program cannot be written")?;
    // As they count: confined to a tenant where `@tenant` says so.
    let policies: Vec<String> = translated.policies.iter().map(ToString::to_string).collect();
    let material = json!({
        "program": BASE64_STANDARD.encode(program), "policies": policies.join("\n"),
        "tenants": mesh.tenants, "services": mesh.services, "cases": cases(mesh),
    });
    fs::write(folder.join(format!("{name}.json")), material.to_string())?;
    Ok(())
}
