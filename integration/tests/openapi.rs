//! A public API, imported from its OpenAPI document and enforced: every operation of the Docker Engine asked of a real
//! Envoy, as somebody who may, as somebody who may not, and with what the document does not have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use partywall_integration::access_log::Line;
use partywall_integration::many_listeners::{Door, Doors, Files, bundle_file, bundle_path};
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::served::served;
use partywall_integration::site::{Site, compile, tenancy};
use partywall_integration::stand_in::{Says, StandIn};
use partywall_integration::variant::copy;
use partywall_integration::{artefacts, cli, wait};
use serde_json::{Value, json};

/// Method and path template of each operation: read from the document itself, and not from what was imported.
type Operations = BTreeSet<(String, String)>;

const METHODS: [&str; 7] = ["delete", "get", "head", "options", "patch", "post", "put"];
const POLICIES: &str = r#"
@id("operators-of-acme") @tenant("acme")
permit (principal in Role::"operator", action, resource);
"#;

fn operations(document: &Value) -> Result<Operations> {
    let base = document["basePath"].as_str().context("no basePath")?;
    let mut found = Operations::new();
    for (path, item) in document["paths"].as_object().context("no paths")? {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            found.insert((method.to_uppercase(), format!("{base}{path}")));
        }
    }
    Ok(found)
}

/// A path with a word for each parameter.
fn filled(template: &str) -> String {
    template.split('/').map(|part| if part.starts_with('{') { "x1" } else { part }).collect::<Vec<_>>().join("/")
}

/// Whether some operation of the document is asked for by this.
fn has(operations: &Operations, method: &str, path: &str) -> bool {
    operations.iter().filter(|(of, _)| of == method).any(|(_, template)| {
        let (parts, asked): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        parts.len() == asked.len() && parts.iter().zip(&asked).all(|(part, is)| part.starts_with('{') || part == is)
    })
}

struct Asked {
    what: String,
    id: String,
    status: &'static str,
    reason: &'static str,
}

struct Bench {
    site: Site,
    doors: Doors,
    app: StandIn,
}

impl Bench {
    fn start(document: &str) -> Result<Self> {
        let site = Site::prepare("openapi", |_| ())?;
        let directory = site.directory.join("tenancy");
        copy(&tenancy(), &directory)?;
        for part in ["services", "policies", "cases"] {
            fs::remove_dir_all(directory.join(part))?;
        }
        for part in ["services", "policies"] {
            fs::create_dir(directory.join(part))?;
        }
        let imported = directory.join("services/docker.yaml");
        let edge = "spiffe://mesh.example/ns/edge/sa/gateway";
        let arguments =
            ["--service", "docker", "--spiffe-id", "spiffe://mesh.example/ns/shop/sa/docker", "--caller", edge];
        cli::run(&[&["import", "openapi", document], &arguments[..], &["--out", cli::text(&imported)?]].concat())?;
        fs::write(directory.join("policies/docker.cedar"), POLICIES)?;
        let folder = site.directory.join("compiled");
        let door = Door { directory: "docker".into(), services: vec!["docker".into()], said: vec![], sidecar_of: None };
        compile(&directory, &site.keys(), &folder.join("docker"), Some(7))?;
        let overlay =
            served(&folder.join("docker"), &site.keys(), &site.directory.join("logs"))?.remove("/tenancy.overlay");
        let files = Files::from([
            ("/tenancy.overlay".to_owned(), overlay.context("no overlay")?),
            (bundle_path(&door), fs::read(bundle_file(&folder, &door))?),
        ]);
        let app = StandIn::start(0, |_, _| Says(200, Vec::new()))?;
        let doors = Doors::start(&site, &[door], app.address.port(), files)?;
        Ok(Self { site, doors, app })
    }

    fn ask(&self, tenant: &str, method: &str, path: &str) -> Result<String> {
        let id = unique();
        let claims = json!({ "tenant": tenant, "roles": ["operator"], "sub": "alice" });
        let token = self.site.issuers.claiming("https://id.shared.example", &claims, 0, &id)?;
        let asked = Request::new(method, path)
            .header("host", "docker.example")
            .header("x-request-id", id.as_str())
            .header("x-case-service", "docker")
            .header("authorization", format!("Bearer {token}"))
            .header("content-length", "0")
            .header("connection", "close");
        // The log has the status; an answer to HEAD may have no body where its head says one.
        let _ = asked.send(self.doors.addresses[0]);
        Ok(id)
    }
}

#[test]
fn every_operation_of_a_public_api_is_permitted_denied_or_unmapped() {
    let document = artefacts::docker_api().unwrap();
    let text = fs::read_to_string(&document).unwrap();
    let operations = operations(&serde_saphyr::from_str(&text).unwrap()).unwrap();
    assert_eq!(operations.len(), 108, "the document has as many operations");
    let started = Instant::now();
    let bench = Bench::start(cli::text(&document).unwrap()).unwrap();
    let mut asked = Vec::new();
    for (method, template) in &operations {
        let path = filled(template);
        // What the document does not have: another method here, and a longer path.
        let other = METHODS.map(str::to_uppercase).into_iter().find(|method| !has(&operations, method, &path));
        let (other, longer) = (other.expect("no path has all methods"), format!("{path}/none/such/path"));
        assert!(has(&operations, method, &path) && !has(&operations, method, &longer));
        for (tenant, method, path, status, reason) in [
            ("acme", method.as_str(), path.clone(), "200", ""),
            ("globex", method, path.clone(), "403", "policy_denied"),
            ("acme", &other, path.clone(), "403", "resource_unmapped"),
            ("acme", method, longer, "403", "resource_unmapped"),
        ] {
            let id = bench.ask(tenant, method, &path).unwrap();
            asked.push(Asked { what: format!("{tenant}: {method} {path}"), id, status, reason });
        }
    }
    let by_id = || -> HashMap<String, Line> {
        bench.doors.envoy.log().lines().into_iter().map(|line| (line.field("request_id"), line)).collect()
    };
    let all = wait::until(Duration::from_secs(10), || {
        let lines = by_id();
        asked.iter().all(|one| lines.contains_key(&one.id)).then_some(lines)
    });
    let lines = all.expect("a line for each request");
    let mut wrong = Vec::new();
    let mut counted: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in &asked {
        let line = &lines[&one.id];
        let told = (line.field("status"), line.field("reason").trim_start_matches('-').to_owned());
        let reached = bench.app.by_header("x-request-id", &one.id).len();
        *counted.entry((one.status, one.reason)).or_default() += 1;
        if told != (one.status.to_owned(), one.reason.to_owned()) || reached != usize::from(one.status == "200") {
            wrong.push(format!("{}: {told:?}, {reached} reached the app", one.what));
        }
    }
    let (requests, seconds) = (asked.len(), started.elapsed().as_secs_f64());
    println!("{} operations, {requests} requests in {seconds:.1} s: {counted:?}", operations.len());
    assert!(wrong.is_empty(), "{} of {requests}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_document_has_what_its_templates_cover() {
    let document =
        json!({ "basePath": "/v1", "paths": { "/a/{id}/b": { "get": {} }, "/c": { "put": {}, "x-note": {} } } });
    let expected = [("GET", "/v1/a/{id}/b"), ("PUT", "/v1/c")].map(|(m, p)| (m.to_owned(), p.to_owned()));
    let found = operations(&document).unwrap();
    assert_eq!(found, BTreeSet::from(expected));
    assert_eq!(filled("/v1/a/{id}/b"), "/v1/a/x1/b");
    let asked =
        [("GET", "/v1/a/x1/b"), ("GET", "/v1/a/x1"), ("PUT", "/v1/a/x1/b"), ("PUT", "/v1/c"), ("PUT", "/v1/x1")];
    assert_eq!(asked.map(|(method, path)| has(&found, method, path)), [true, false, false, true, false]);
}
