//! From a checked directory to the bytes of a bundle.

use std::path::Path;

use partywall_authorization::Authorization;
use partywall_tenancy::statement::TrustedKey;
use partywall_tenancy::{Bundle, BundleBody, RoleKeys, UnixSeconds};

use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::directory::{self, Directory, Reading};
use crate::exit::Failure;
use crate::keys::{self, Signer};
use crate::lower::{Vocabulary, lower};

/// What a compile adds to what the directory says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issue {
    /// The revision.
    pub(crate) revision: u64,
    /// When it is issued.
    pub(crate) issued: UnixSeconds,
    /// When it ends.
    pub(crate) expires: UnixSeconds,
}

/// A directory and what became of it.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Mistakes and warnings, in the order of files and lines; those of policies last.
    pub(crate) diagnostics: Vec<Diagnostic>,
    reading: Reading,
    program: Vec<u8>,
}

impl Checked {
    /// The directory and its decision program, unless there are mistakes.
    pub(crate) fn good(&self) -> Option<(Directory<'_>, &[u8])> {
        let broken = self.diagnostics.iter().any(|d| d.severity == Severity::Error);
        self.reading.directory().filter(|_| !broken).map(|directory| (directory, self.program.as_slice()))
    }
}

/// Reads a directory, lowers its policies and compares the program with Cedar's own decisions.
pub(crate) fn check(directory: &Path, keys: Option<&Path>) -> Checked {
    let reading = directory::read(directory, keys);
    let mut diagnostics = reading.diagnostics.clone();
    let mut program = Vec::new();
    match reading.policies().map(|(vocabulary, policies)| lowered(&vocabulary, policies)) {
        Some(Ok((bytes, warnings))) => {
            program = bytes;
            diagnostics.extend(warnings);
        }
        Some(Err(mistakes)) => diagnostics.extend(mistakes),
        None => {}
    }
    Checked { diagnostics, reading, program }
}

fn lowered(vocabulary: &Vocabulary<'_>, policies: &[Source]) -> Result<(Vec<u8>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let lowered = lower(vocabulary, policies)?;
    let written = lowered.program.write();
    let program = written.ok_or_else(|| vec![Diagnostic::of_file("policies", "cannot be written as a program")])?;
    Ok((program, lowered.warnings))
}

/// Signs the bundle of `directory`, and reads it back as a sidecar would before anybody gets it.
pub(crate) fn bundle(
    directory: Directory<'_>,
    program: &[u8],
    issue: Issue,
    signers: &[Signer],
) -> Result<Vec<u8>, Failure> {
    let body = body(directory, program, issue);
    let pairs: Vec<_> = signers.iter().map(|s| (s.id.as_str(), &s.key)).collect();
    let bytes = body.sign(&pairs).ok_or_else(|| Failure::invalid("the bundle cannot be signed with these keys"))?;
    for signer in signers {
        let trusted = signer
            .trusted()
            .ok_or_else(|| Failure::invalid(format!("key `{}` is weak; make another one", signer.id)))?;
        let opened = Bundle::open(&bytes, &[trusted])
            .and_then(|bundle| Authorization::new(&bundle).map(|_| bundle))
            .map_err(|refusal| Failure::invalid(format!("a sidecar would refuse this bundle: it {refusal}")))?;
        if *opened.body() != body {
            return Err(Failure::invalid(
                "the bundle does not read back as it was written; this is a defect of `partywall`",
            ));
        }
    }
    Ok(bytes)
}

/// What the bundle of `directory` says.
pub(crate) fn body(directory: Directory<'_>, program: &[u8], issue: Issue) -> BundleBody {
    BundleBody {
        format: BundleBody::FORMAT,
        mesh: directory.mesh.id.clone(),
        revision: issue.revision,
        issued: issue.issued,
        expires: issue.expires,
        source_digest: directory.digest,
        trust_domain: directory.mesh.trust_domain.clone(),
        stale_after: directory.mesh.stale_after,
        keys: RoleKeys { overlay: directory.mesh.overlay_keys.clone() },
        legacy_headers: directory.mesh.legacy_headers.clone(),
        sources: directory.mesh.sources.clone(),
        api_keys: directory.api_keys.to_vec(),
        issuers: directory.mesh.issuers.clone(),
        signers: directory.mesh.signers.clone(),
        gateways: directory.mesh.gateways.clone(),
        tenants: directory.tenants.to_vec(),
        services: directory.services.to_vec(),
        program: program.to_vec(),
    }
}

/// The private keys among `ids` that lie in `folder`. Each must fit its public half beside it:
/// sidecars are given the public halves, and would refuse what no public half verifies.
pub(crate) fn signers(ids: &[String], folder: &Path) -> Result<Vec<Signer>, Failure> {
    let mut found = Vec::new();
    for id in ids {
        let path = keys::private_path(folder, id);
        let signer = match keys::read_private(&path) {
            Ok(signer) => signer,
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(Failure::invalid(error)),
        };
        if signer.id != *id {
            return Err(Failure::file(&path, format!("holds a key called `{}`, not `{id}`", signer.id)));
        }
        let public = keys::read_public(&keys::public_path(folder, id)).map_err(Failure::invalid)?;
        if public.key != signer.key.verifying_key() {
            return Err(Failure::file(
                &path,
                format!("is not the private half of `{id}.pub`; sidecars would refuse its signature"),
            ));
        }
        found.push(signer);
    }
    if found.is_empty() {
        let wanted: Vec<String> = ids.iter().map(|id| format!("`{id}.key`")).collect();
        return Err(Failure::invalid(format!(
            "no key to sign with: `{}` holds none of {}\nhelp: `partywall keys new` makes keys; `keys.bundle` in mesh.yaml names those that sign",
            folder.display(),
            wanted.join(", ")
        )));
    }
    Ok(found)
}

/// The public halves of the keys in `folder` that may sign bundles.
pub(crate) fn trusted(ids: &[String], folder: &Path) -> Result<Vec<TrustedKey>, Failure> {
    ids.iter().map(|id| keys::read_public(&keys::public_path(folder, id)).map_err(Failure::invalid)).collect()
}
