//! What decides: a tenancy directory, a bundle or candidate file, or a folder with bundle files, read into one
//! [`Authorization`].
//!
//! Signatures are not looked at: what is asked of this is what *would* be decided, and nobody is let in by it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use partywall_authorization::{Authorization, Node, Program, Value};
use partywall_tenancy::statement::MAX_SIZE;
use partywall_tenancy::{Audience, BundleBody, Operation, Tenant, TenantId};

use crate::compile::{Issue, body, check};
use crate::directory::is_label;
use crate::exit::Failure;
use crate::files;
use crate::recorded::Record;
use crate::slices::{merged, slice};
use crate::unverified::Unverified;

/// One state of the policy, ready to decide.
#[derive(Debug)]
pub(crate) struct Material {
    /// As it was named on the command line.
    pub(crate) name: String,
    /// What decides: the whole of a directory, or what the slices that are there say together.
    pub(crate) body: BundleBody,
    /// What each audience is told, as far as it is known.
    pub(crate) slices: Vec<BundleBody>,
    /// The tenants, sorted by id.
    pub(crate) tenants: Vec<Tenant>,
    /// The same, as a sidecar decides by it.
    pub(crate) authorization: Authorization,
    /// Whether it was compiled: a directory has no revision.
    pub(crate) compiled: bool,
}

impl Material {
    /// Whether what is decided depends on when: a policy asks for the time, or a share ends.
    pub(crate) fn asks_time(&self) -> bool {
        let ends = self.body.shares.iter().any(|share| share.until.is_some());
        ends || self.authorization.program().find_text("time").is_some()
    }

    /// Reads `path`; with `keys` also the key files that a directory names.
    pub(crate) fn read(path: &Path, keys: Option<&Path>) -> Result<Self, Failure> {
        let files = if path.is_dir() { bundles(path)? } else { vec![path.to_owned()] };
        let compiled = !files.is_empty();
        let (body, slices) = if compiled {
            let slices = of_files(&files)?;
            (
                merged(&slices).filter(|body| !body.program.is_empty()).ok_or_else(|| {
                    Failure::file(path, "holds no decision program: name the slice of edge or workload")
                })?,
                slices,
            )
        } else {
            let whole = of_directory(path, keys)?;
            let slices = Audience::ALL.into_iter().map(|audience| slice(&whole, audience)).collect();
            (whole, slices)
        };
        let refused = |error: String| Failure::file(path, format!("a sidecar would refuse it: {error}"));
        let program = Program::read(&body.program).map_err(|e| refused(e.to_string()))?;
        let authorization = Authorization::from_parts(program, &body.services).map_err(|e| refused(e.to_string()))?;
        let mut tenants: Vec<Tenant> = body.tenants.iter().collect();
        tenants.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { name: path.display().to_string(), body, slices, tenants, authorization, compiled })
    }

    /// Its name and, where it has one, its revision.
    pub(crate) fn title(&self) -> String {
        if self.compiled { format!("{} (revision {})", self.name, self.body.revision) } else { self.name.clone() }
    }

    /// The tenant with this id.
    pub(crate) fn tenant(&self, id: &TenantId) -> Option<&Tenant> {
        let at = self.tenants.binary_search_by(|tenant| tenant.id.cmp(id)).ok()?;
        self.tenants.get(at)
    }

    /// The operation that a decision was about.
    pub(crate) fn operation(&self, record: &Record) -> Option<&Operation> {
        let service = self.body.services.iter().find(|s| s.name == record.service)?;
        service.operations.iter().find(|o| {
            o.method == record.method
                && o.path == record.path
                && o.when.len() == record.when.len()
                && o.when.iter().all(|condition| record.when.contains(&condition.to_string()))
        })
    }

    /// The roles that policies and clearances name.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.named("Role").chain(self.authorization.cleared_roles())
    }

    /// The networks that policies could ask for, where they ask for any: those of mesh.yaml or of the edge's slice, and
    /// where there is neither every text that could name one.
    pub(crate) fn networks(&self) -> Vec<String> {
        if !self.authorization.reads_networks() {
            return Vec::new();
        }
        match self.slices.iter().find(|slice| slice.audience == Audience::Edge) {
            Some(edge) => edge.networks.iter().map(|network| network.name.clone()).collect(),
            None => self.authorization.program().body().texts.iter().filter(|text| is_label(text)).cloned().collect(),
        }
    }

    /// The scopes that policies could ask for, where they ask for any: every text that they write out.
    pub(crate) fn scopes(&self) -> BTreeSet<String> {
        if !self.authorization.reads_scopes() {
            return BTreeSet::new();
        }
        written(self.authorization.program())
    }

    /// The SPIFFE IDs of those that call services.
    pub(crate) fn callers(&self) -> impl Iterator<Item = String> {
        let callers = self.body.services.iter().flat_map(|service| &service.callers);
        callers.map(|caller| caller.spiffe_id.to_string())
    }

    /// The ids of the entities of one type that the policies name.
    pub(crate) fn named(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.entities().filter(move |(found, _)| *found == kind).map(|(_, id)| id)
    }

    /// Type and id of every entity that the policies name.
    pub(crate) fn entities(&self) -> impl Iterator<Item = (&str, &str)> {
        let body = self.authorization.program().body();
        let text = |text: partywall_authorization::Text| {
            usize::try_from(text.0).ok().and_then(|at| body.texts.get(at)).map_or("", String::as_str)
        };
        body.entities.iter().map(move |(kind, id)| (text(*kind), text(*id)))
    }
}

/// The texts that policies write out, in the places of values.
pub(crate) fn written(program: &Program) -> BTreeSet<String> {
    let body = program.body();
    let in_nodes = body.nodes.iter().filter_map(|node| if let Node::Value(value) = node { Some(value) } else { None });
    let texts = in_nodes.chain(&body.values).filter_map(|value| match value {
        Value::Text(text) => body.texts.get(usize::try_from(text.0).ok()?).cloned(),
        _ => None,
    });
    texts.collect()
}

/// The bundle files of a folder, unless it is a tenancy directory.
fn bundles(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if folder.join("mesh.yaml").is_file() {
        return Ok(Vec::new());
    }
    let failed = |e: std::io::Error| Failure::file(folder, e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "bundle") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn of_directory(path: &Path, keys: Option<&Path>) -> Result<BundleBody, Failure> {
    let checked = check(path, keys);
    let Some((directory, program)) = checked.good() else {
        return Err(Failure::diagnostics(&checked.diagnostics));
    };
    body(directory, program, Issue { revision: 0, issued: 0, expires: u64::MAX })
}

fn of_file(path: &Path) -> Result<BundleBody, Failure> {
    let bytes = files::read(path, MAX_SIZE as u64).map_err(|e| Failure::file(path, e))?;
    let unverified = Unverified::read(&bytes)
        .ok_or_else(|| Failure::file(path, "is neither a tenancy directory nor a bundle; name one of the two"))?;
    let body = unverified.bundle().or_else(|| unverified.candidate().map(|(_, body)| body));
    body.ok_or_else(|| Failure::file(path, "is neither a bundle nor a candidate that this build reads"))
}

/// The slices of one bundle, sorted by audience.
fn of_files(paths: &[PathBuf]) -> Result<Vec<BundleBody>, Failure> {
    let mut slices: Vec<BundleBody> = Vec::new();
    for path in paths {
        let body = of_file(path)?;
        if let Some(first) = slices.first()
            && (first.revision, &first.mesh) != (body.revision, &body.mesh)
        {
            let text =
                format!("is of revision {}, and a file beside it of {}; name one file", body.revision, first.revision);
            return Err(Failure::file(path, text));
        }
        slices.push(body);
    }
    slices.sort_by_key(|body| Audience::ALL.iter().position(|audience| *audience == body.audience));
    Ok(slices)
}
