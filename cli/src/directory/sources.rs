//! Finds and reads the files of a tenancy directory, with a bound on each, on their number and on
//! their sum.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::diagnostic::{Diagnostic, Source};
use crate::directory::fields::Report;
use crate::directory::links;
use crate::files;
use crate::nearest::nearest;

/// The largest file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// The largest file with one tenant, or the keys of one, per line.
const MAX_LINES: u64 = 32 * 1024 * 1024;
/// How its name ends.
const LINES: &str = ".ndjson";
/// The most files of one folder.
const MAX_FILES: usize = 20_000;
/// The most bytes of all files.
const MAX_TOTAL: usize = 64 * 1024 * 1024;

/// The files of a tenancy directory, each kind sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// `mesh.yaml`.
    pub(crate) mesh: Option<Source>,
    /// `api-keys.yaml`, if there is one.
    pub(crate) api_keys: Option<Source>,
    /// `datasets.yaml`, if there is one; `Some(None)` where it cannot be read.
    pub(crate) datasets: Option<Option<Source>>,
    /// `events.yaml`, if there is one.
    pub(crate) events: Option<Source>,
    /// `redaction.yaml`, if there is one.
    pub(crate) redaction: Option<Source>,
    /// `redaction-keys.ndjson`, if there is one.
    #[expect(dead_code, reason = "read with the next step")]
    pub(crate) redaction_keys: Option<Source>,
    /// `tenants/*.yaml`, but for `retired.yaml`, and `tenants/*.ndjson`.
    pub(crate) tenants: Vec<Source>,
    /// `tenants/retired.yaml`, if there is one.
    pub(crate) retired: Option<Source>,
    /// `profiles/*.yaml`, where there is such a folder.
    pub(crate) profiles: Vec<Source>,
    /// `services/*.yaml`.
    pub(crate) services: Vec<Source>,
    /// `shares/*.yaml`, where there is such a folder.
    pub(crate) shares: Vec<Source>,
    /// `policies/*.cedar`, and `policies/links.yaml`.
    pub(crate) policies: Vec<Source>,
    /// SHA-256 over the names and contents of all of them.
    pub(crate) digest: [u8; 32],
}

/// The file of API keys.
pub(crate) const API_KEYS: &str = "api-keys.yaml";
/// The file of datasets.
pub(crate) const DATASETS: &str = "datasets.yaml";
/// The file of clusters of Kafka.
pub(crate) const EVENTS: &str = "events.yaml";
/// The file of what may be written down.
pub(crate) const REDACTION: &str = "redaction.yaml";
/// The file of tenants' keys for that, sealed.
pub(crate) const REDACTION_KEYS: &str = "redaction-keys.ndjson";

/// The file of former tenants, in the folder `tenants`.
pub(crate) const RETIRED: &str = "retired.yaml";
/// The folder of cases, which `partywall test` reads: nothing in it enters a bundle.
pub(crate) const CASES: &str = "cases";

const FOLDERS: [(&str, &str); 3] = [("policies", ".cedar"), ("services", ".yaml"), ("tenants", ".yaml")];
/// Folders that need not be there.
const PROFILES: (&str, &str) = ("profiles", ".yaml");
const SHARES: (&str, &str) = ("shares", ".yaml");

/// Reads all files below `directory`. Hidden files and `README.md` are let be; anything else that
/// nobody would read is a mistake: a policy in a file with a mistyped ending protects nothing.
pub(crate) fn read(directory: &Path, report: &mut Report) -> Sources {
    let mut reader = Reader { directory, hash: Sha256::new(), total: 0, report };
    let mesh = reader.mesh();
    let api_keys = directory.join(API_KEYS).exists().then(|| reader.file(API_KEYS)).flatten();
    let datasets = directory.join(DATASETS).exists().then(|| reader.file(DATASETS));
    let events = directory.join(EVENTS).exists().then(|| reader.file(EVENTS)).flatten();
    let redaction = directory.join(REDACTION).exists().then(|| reader.file(REDACTION)).flatten();
    let redaction_keys = directory.join(REDACTION_KEYS).exists().then(|| reader.file(REDACTION_KEYS)).flatten();
    let mut sources = Sources { mesh, api_keys, datasets, events, redaction, redaction_keys, ..Sources::default() };
    for (folder, ending) in FOLDERS {
        let found = reader.folder(folder, ending);
        match folder {
            "policies" => sources.policies = found,
            "services" => sources.services = found,
            _ => sources.tenants = found,
        }
    }
    if directory.join(PROFILES.0).exists() {
        sources.profiles = reader.folder(PROFILES.0, PROFILES.1);
    }
    if directory.join(SHARES.0).exists() {
        sources.shares = reader.folder(SHARES.0, SHARES.1);
    }
    let retired = sources.tenants.iter().position(|source| Path::new(source.path()).ends_with(RETIRED));
    sources.retired = retired.map(|at| sources.tenants.remove(at));
    sources.digest = reader.hash.finalize().into();
    sources
}

struct Reader<'d> {
    directory: &'d Path,
    hash: Sha256,
    total: usize,
    report: &'d mut Report,
}

impl Reader<'_> {
    fn mesh(&mut self) -> Option<Source> {
        let names = match names(self.directory) {
            Ok(names) => names,
            Err(error) => {
                return self.mistake("", &error, "name the folder that holds `mesh.yaml`");
            }
        };
        for name in &names {
            let known = [
                "mesh.yaml",
                API_KEYS,
                DATASETS,
                EVENTS,
                REDACTION,
                REDACTION_KEYS,
                "tenants",
                "services",
                "policies",
                PROFILES.0,
                SHARES.0,
                CASES,
            ];
            if !known.contains(&name.as_str()) {
                let help = match nearest(name, known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => {
                        "it holds `mesh.yaml`, `api-keys.yaml`, `datasets.yaml`, `events.yaml`, `redaction.yaml`, `redaction-keys.ndjson`, `tenants/`, `profiles/`, `services/`, `policies/`, `shares/` and `cases/`; move this elsewhere".to_owned()
                    }
                };
                self.mistake::<()>(name, &io::Error::other("is no part of a tenancy directory"), &help);
            }
        }
        if !names.iter().any(|name| name == "mesh.yaml") {
            let missing = io::Error::other("is missing");
            return self.mistake("mesh.yaml", &missing, "every tenancy directory begins with one");
        }
        self.file("mesh.yaml")
    }

    fn folder(&mut self, folder: &str, ending: &str) -> Vec<Source> {
        let names = match names(&self.directory.join(folder)) {
            Ok(names) => names,
            // Where the directory itself is not there, that was said.
            Err(_) if !self.directory.is_dir() => return Vec::new(),
            Err(error) => {
                self.mistake::<()>(folder, &error, &format!("make a folder `{folder}` with `*{ending}` files"));
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for name in names {
            let path = format!("{folder}/{name}");
            let links = folder == "policies" && name == links::FILE;
            let lines = folder == "tenants" && name.ends_with(LINES) && name.len() > LINES.len();
            if !links && !lines && name.strip_suffix(ending).is_none_or(str::is_empty) {
                let help = format!("end its name with `{ending}`, or move it elsewhere");
                self.mistake::<()>(&path, &io::Error::other("is not read"), &help);
            } else {
                found.extend(self.file(&path));
            }
        }
        if found.is_empty() {
            let path = self.directory.join(folder);
            let so = match folder {
                "profiles" => "no tenant inherits anything",
                "shares" => "nothing is shared",
                _ => "every request is denied",
            };
            let message = format!("holds no `*{ending}`, so that {so}");
            self.report.push(Diagnostic::warning_of_file(path.to_string_lossy(), message));
        }
        found
    }

    fn file(&mut self, relative: &str) -> Option<Source> {
        if self.total > MAX_TOTAL {
            return None;
        }
        let path = self.directory.join(relative);
        let most = if relative.ends_with(LINES) { MAX_LINES } else { MAX_FILE };
        let text = match files::read(&path, most).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                let valid = error.utf8_error().valid_up_to();
                let source = Source::new(path.to_string_lossy(), String::from_utf8_lossy(error.as_bytes()));
                self.report.push(source.error_at(valid, "this is not UTF-8 text").help("save the file as UTF-8"));
                return None;
            }
            Err(error) => {
                let large = fs::metadata(&path).is_ok_and(|file| file.len() > most);
                let help = if large { "write it as several files" } else { "write a text file in UTF-8" };
                return self.mistake(relative, &error, help);
            }
        };
        self.total += text.len();
        if self.total > MAX_TOTAL {
            let error = format!("is one too many: {MAX_TOTAL} bytes are read in all");
            return self.mistake(relative, &io::Error::other(error), "split the mesh");
        }
        for part in [relative, &text] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
        Some(Source::new(path.to_string_lossy(), text))
    }

    fn mistake<T>(&mut self, relative: &str, error: &io::Error, help: &str) -> Option<T> {
        let path = if relative.is_empty() { self.directory.into() } else { self.directory.join(relative) };
        let message = if error.kind() == io::ErrorKind::NotFound { "is missing".to_owned() } else { error.to_string() };
        self.report.add(Diagnostic::of_file(path.to_string_lossy(), message).help(help))
    }
}

/// The names in a folder that count, sorted: the order of a file system must not reach a bundle.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "README.md" {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(io::Error::other(format!("holds more than {MAX_FILES} files")));
        }
    }
    names.sort();
    Ok(names)
}
