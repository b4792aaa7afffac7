//! The topics of `filters/authorization/cases/decide`, read for a real Envoy: what is laid over the sample directory, and
//! what is asked. `partywall test` plays the same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::artefacts;
use crate::site::tenancy;
use crate::variant::copy;

/// A topic.
#[derive(Debug)]
pub struct Topic {
    /// The name of its folder.
    pub name: String,
    /// The services of its directory.
    pub services: Vec<String>,
    /// What is asked.
    pub cases: Vec<Case>,
    folder: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cases: Vec<Case>,
}

/// One request, and what is decided.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Who acts.
    pub given: Given,
    /// What is asked for.
    pub when: When,
    /// What is decided.
    pub then: Then,
}

/// Who acts: a tenant that was proved, or what a client shows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    /// The tenant.
    pub tenant: Option<String>,
    /// The principal.
    pub subject: Option<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// The scopes of its credential.
    pub scopes: Vec<String>,
    /// The workload that brings the request to the service's sidecar.
    pub caller: Option<String>,
    /// A token.
    pub token: Option<Token>,
    /// The host asked for.
    pub host: Option<String>,
    /// More headers.
    pub headers: BTreeMap<String, String>,
}

/// A token of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// `iss`.
    pub issuer: String,
    /// The other claims.
    pub claims: Value,
    /// How long ago it was issued, as `6h`.
    #[serde(default)]
    pub age: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The service called.
    pub service: String,
    /// Method and path.
    pub request: String,
    /// What the metadata of the route say: a mode, or several words.
    #[serde(default)]
    pub route: Option<Value>,
    /// The cell in which the edge or sidecar stands.
    #[serde(default)]
    pub cell: Option<String>,
    /// Its region.
    #[serde(default)]
    pub region: Option<String>,
    /// The client's address, as a proxy before the edge tells it.
    #[serde(default)]
    pub from: Option<String>,
}

impl When {
    /// All that the metadata of the route say; `None` for nothing.
    pub fn said(&self) -> Option<Value> {
        match self.route.as_ref()? {
            Value::String(mode) => Some(json!({ "mode": mode })),
            said => Some(said.clone()),
        }
    }
}

/// What is decided.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// `allow` or `deny`.
    pub decision: String,
    /// Why not.
    #[serde(default)]
    pub reason: Option<String>,
    /// Why not, were it not in shadow.
    #[serde(default)]
    pub shadow: Option<String>,
    /// The policy that settles it.
    #[serde(default)]
    pub policy: Option<String>,
}

/// All topics, by their names.
pub fn topics() -> Result<Vec<Topic>> {
    let all = artefacts::root().join("filters/authorization/cases/decide");
    let mut folders: Vec<PathBuf> = children(&all)?.into_iter().filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.into_iter().map(|folder| read(folder.clone()).with_context(|| format!("{}", folder.display()))).collect()
}

fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

fn read(folder: PathBuf) -> Result<Topic> {
    let mut cases = Vec::new();
    for path in children(&folder.join("cases"))? {
        let file: File = serde_saphyr::from_str(&fs::read_to_string(&path)?)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        cases.extend(file.cases);
    }
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let services = children(&folder.join("services"))?.iter().map(stem).collect();
    Ok(Topic { name: stem(&folder), services, cases, folder })
}

impl Topic {
    /// Lays the topic over a copy of the sample directory, as the README beside the topics says.
    pub fn lay(&self, to: &Path) -> Result<()> {
        copy(&tenancy(), to)?;
        for part in ["cases", "services", "policies", "tenants"] {
            if self.folder.join(part).is_dir() {
                fs::remove_dir_all(to.join(part))?;
                copy(&self.folder.join(part), &to.join(part))?;
            }
        }
        for part in ["profiles", "shares"] {
            if self.folder.join(part).is_dir() {
                copy(&self.folder.join(part), &to.join(part))?;
            }
        }
        if self.folder.join("datasets.yaml").is_file() {
            fs::copy(self.folder.join("datasets.yaml"), to.join("datasets.yaml"))?;
        }
        if let Ok(cells) = fs::read_to_string(self.folder.join("cells.yaml")) {
            let mesh = to.join("mesh.yaml");
            let text = fs::read_to_string(&mesh)?;
            let line = text.lines().find(|line| line.starts_with("cells:")).context("no `cells` in mesh.yaml")?;
            fs::write(&mesh, text.replace(line, cells.trim_end()))?;
        }
        if let Ok(more) = fs::read_to_string(self.folder.join("mesh.append.yaml")) {
            let mesh = to.join("mesh.yaml");
            fs::write(&mesh, fs::read_to_string(&mesh)? + &more)?;
        }
        Ok(())
    }
}

impl Case {
    /// Who decides: the edge or the sidecar of a service, in which cell and which region.
    pub fn place(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        let When { service, cell, region, .. } = &self.when;
        let sidecar_of = self.given.caller.as_ref().map(|_| service.as_str());
        (sidecar_of, cell.as_deref(), region.as_deref())
    }
}

/// The method of HTTP and the path of a request; a call of gRPC is a POST of its content type.
pub fn request(text: &str) -> Result<(&str, &str, bool)> {
    let (method, path) = text.split_once(' ').context("a request is a method and a path")?;
    Ok(if method == "GRPC" { ("POST", path, true) } else { (method, path, false) })
}
