//! From a checked directory to the bytes of a bundle.

use std::path::{Path, PathBuf};

use partywall_authorization::Authorization;
use partywall_tenancy::statement::{Kind, Statement, TrustedKey};
use partywall_tenancy::{Audience, Bundle, BundleBody, Rollout, Tenants, UnixSeconds};

use crate::command::note;
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::directory::{self, Directory, Reading};
use crate::exit::Failure;
use crate::keys::{self, Signer};
use crate::lower::{Vocabulary, lower};
use crate::{candidates, files, history, slices};

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
    /// The directory as it was read.
    pub(crate) fn reading(&self) -> &Reading {
        &self.reading
    }

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

/// One slice, signed.
pub(crate) struct Slice {
    /// Who is to read it.
    pub(crate) audience: Audience,
    /// The statement.
    pub(crate) bytes: Vec<u8>,
}

/// Signs the slices of `directory`, with a rollout as candidates, and reads each back as a sidecar would before
/// anybody gets it.
pub(crate) fn slices(
    directory: Directory<'_>,
    program: &[u8],
    issue: Issue,
    rollout: Option<&Rollout>,
    signers: &[Signer],
) -> Result<Vec<Slice>, Failure> {
    let whole = body(directory, program, issue)?;
    Audience::ALL.into_iter().map(|audience| signed(&slices::slice(&whole, audience), rollout, signers)).collect()
}

/// One slice, signed as a bundle or, with a rollout, as a candidate.
pub(crate) fn signed(body: &BundleBody, rollout: Option<&Rollout>, signers: &[Signer]) -> Result<Slice, Failure> {
    let bytes = match rollout {
        Some(rollout) => candidates::sign(rollout, body, signers)?,
        None => sign(body, signers)?,
    };
    Ok(Slice { audience: body.audience, bytes })
}

/// Signs one slice, and reads it back as a sidecar would.
pub(crate) fn sign(body: &BundleBody, signers: &[Signer]) -> Result<Vec<u8>, Failure> {
    let cannot = || Failure::invalid("the bundle cannot be signed with these keys");
    let pairs: Vec<_> = signers.iter().map(|s| (s.id.as_str(), &s.key)).collect();
    let bytes = body.sign(&pairs).ok_or_else(cannot)?;
    // More keys may have to sign it before a sidecar takes it; what it says is looked at now.
    let alone = BundleBody { approvals: 1, ..body.clone() };
    let draft = alone.sign(&pairs).ok_or_else(cannot)?;
    let decides = matches!(body.audience, Audience::Edge | Audience::Workload);
    for signer in signers {
        let trusted = signer
            .trusted()
            .ok_or_else(|| Failure::invalid(format!("key `{}` is weak; make another one", signer.id)))?;
        let refused = |refusal| Failure::invalid(format!("a sidecar would refuse this bundle: it {refusal}"));
        let opened = Bundle::open(&draft, std::slice::from_ref(&trusted)).map_err(refused)?;
        if decides {
            Authorization::new(&opened).map_err(refused)?;
        }
        if !body.redaction.is_empty() {
            let refused = |error| Failure::invalid(format!("the collector's proxy would refuse this bundle: {error}"));
            partywall_log_redaction::Slice::read(&body.redaction).map_err(refused)?;
        }
        let verified = Statement::read(&bytes).and_then(|s| s.verify(Kind::Bundle, &[trusted], &[]));
        let read = verified.and_then(|verified| BundleBody::read(verified.body)).map_err(refused)?;
        if *opened.body() != alone || read != *body {
            return Err(Failure::invalid(
                "the bundle does not read back as it was written; this is a defect of `partywall`",
            ));
        }
    }
    Ok(bytes)
}

/// Writes bundles to where they are served, and into the history; or, while signatures are missing, to where they wait
/// for `partywall approve`. Gives their paths, in the order of the slices.
pub(crate) fn publish(out: &Path, revision: u64, slices: &[Slice], missing: u8) -> Result<Vec<PathBuf>, Failure> {
    let paths = put(out, slices, missing, slices::path, slices::pending_path)?;
    if missing == 0 {
        for slice in slices {
            history::keep(out, revision, slice.audience, &slice.bytes)?;
        }
        candidates::overtake(out, revision);
    }
    Ok(paths)
}

type Place = fn(&Path, Audience) -> PathBuf;

/// Writes slices to where they are served or, while signatures are missing, to where they wait.
pub(crate) fn put(
    out: &Path,
    slices: &[Slice],
    missing: u8,
    served: Place,
    waiting: Place,
) -> Result<Vec<PathBuf>, Failure> {
    let put = |slice: &Slice| {
        let path = if missing == 0 { served } else { waiting }(out, slice.audience);
        files::replace(&path, &slice.bytes, files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
        if missing == 0 {
            // What waited there was for another revision, or another step.
            let _ = std::fs::remove_file(waiting(out, slice.audience));
        }
        Ok(path)
    };
    slices.iter().map(put).collect()
}

/// Everything that a directory says; [`slices::slice`] takes what an audience needs.
pub(crate) fn body(directory: Directory<'_>, program: &[u8], issue: Issue) -> Result<BundleBody, Failure> {
    let tenants = Tenants::pack(directory.tenants.iter().cloned()).ok_or_else(|| {
        Failure::invalid(
            "more than 65,536 combinations of tier, status, residency and cell, or names of features and consents",
        )
    })?;
    let redaction = match directory.redaction {
        Some(slice) => slice.write().ok_or_else(|| Failure::invalid("what is said of redaction cannot be written"))?,
        None => Vec::new(),
    };
    Ok(BundleBody {
        format: BundleBody::FORMAT,
        audience: Audience::Workload,
        mesh: directory.mesh.id.clone(),
        revision: issue.revision,
        issued: issue.issued,
        expires: issue.expires,
        source_digest: directory.digest,
        trust_domain: directory.mesh.trust_domain.clone(),
        stale_after: directory.mesh.stale_after,
        approvals: directory.mesh.approvals,
        keys: directory.mesh.keys.clone(),
        grants: directory.mesh.grants.clone(),
        legacy_headers: directory.mesh.legacy_headers.clone(),
        sources: directory.mesh.sources.clone(),
        api_keys: directory.api_keys.to_vec(),
        issuers: directory.mesh.issuers.clone(),
        signers: directory.mesh.signers.clone(),
        gateways: directory.mesh.gateways.clone(),
        cells: directory.mesh.cells.clone(),
        networks: directory.mesh.networks.clone(),
        tenants,
        services: directory.services.to_vec(),
        modes: directory.modes.clone(),
        shares: directory.shares.to_vec(),
        events: directory.events.to_vec(),
        program: program.to_vec(),
        redaction,
    })
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

/// The public halves of these keys in `folder`.
pub(crate) fn trusted<'i>(
    ids: impl IntoIterator<Item = &'i String>,
    folder: &Path,
) -> Result<Vec<TrustedKey>, Failure> {
    ids.into_iter().map(|id| keys::read_public(&keys::public_path(folder, id)).map_err(Failure::invalid)).collect()
}

/// Sidecars count the signatures of keys that their configuration or the bundle in force names.
pub(crate) fn warn_of_new_keys(in_force: &BundleBody, signed_by: &[String], needed: u8) {
    let named = signed_by.iter().filter(|id| in_force.keys.bundle.iter().any(|(known, _)| known == *id)).count();
    if named < usize::from(needed) {
        note(format_args!(
            "warning: the bundle in force, revision {}, names only {named} of the keys that signed this one; sidecars whose `trusted_keys` do not hold the others will refuse it",
            in_force.revision
        ));
    }
}
