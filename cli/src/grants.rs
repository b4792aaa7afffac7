//! Grants in the folder that is served: those that wait for a second signature, and those in force.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use partywall_tenancy::statement::{self, Kind, Statement};
use partywall_tenancy::{BundleBody, GrantBody, GrantId, MAX_GRANTS, UnixSeconds, join_grants, split_grants};

use crate::exit::Failure;
use crate::keys::{self, Signer};
use crate::{compile, files};

/// The file that is served.
pub(crate) const FILE: &str = "tenancy.grants";
const PENDING: &str = ".grant.pending";

/// A grant as it lies there; its signatures were not checked.
pub(crate) struct Lying {
    /// What it says.
    pub(crate) body: GrantBody,
    /// The statement.
    pub(crate) bytes: Vec<u8>,
}

impl Lying {
    fn read(bytes: &[u8]) -> Option<Self> {
        let statement = Statement::read(bytes).ok().filter(|s| s.kind() == Kind::Grant)?;
        let body = GrantBody::read(statement.unverified_body()).ok()?;
        Some(Self { body, bytes: bytes.to_vec() })
    }
}

/// Where a grant waits for its second signature.
pub(crate) fn pending_path(folder: &Path, id: &GrantId) -> PathBuf {
    folder.join(format!("{id}{PENDING}"))
}

/// The grants that wait in `folder`, by the names of their files.
pub(crate) fn pending(folder: &Path) -> Result<Vec<(PathBuf, Lying)>, Failure> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|e| Failure::file(folder, e))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with(PENDING))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = files::read(&path, MAX_GRANTS as u64).map_err(|e| Failure::file(&path, e))?;
        let lying = Lying::read(&bytes).filter(|lying| pending_path(folder, &lying.body.id) == path);
        let lying = lying.ok_or_else(|| Failure::file(&path, "is no grant of this id that this build reads"))?;
        Ok((path, lying))
    };
    paths.into_iter().map(read).collect()
}

/// The grants in force in `folder`.
pub(crate) fn in_force(folder: &Path) -> Result<Vec<Lying>, Failure> {
    let path = folder.join(FILE);
    let file = match files::read(&path, MAX_GRANTS as u64) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Failure::file(&path, e)),
    };
    let statements = split_grants(&file).map_err(|refusal| Failure::file(&path, refusal))?;
    let read = |bytes| Lying::read(bytes).ok_or_else(|| Failure::file(&path, "holds something that is no grant"));
    statements.into_iter().map(read).collect()
}

/// The private keys in `keys` that the bundle names for grants.
pub(crate) fn signers(bundle: &BundleBody, keys: &Path) -> Result<Vec<Signer>, Failure> {
    let ids: Vec<String> = bundle.keys.grants.iter().map(|(id, _)| id.clone()).collect();
    if ids.is_empty() {
        return Err(Failure::invalid(
            "the bundle names no keys for grants\nhelp: write `keys: { grants: [grant-1, grant-2], … }` and `grants:` in mesh.yaml, and compile",
        ));
    }
    let mut found = compile::signers(&ids, keys)?;
    found.retain(|s| bundle.keys.grants.iter().any(|(id, key)| *id == s.id && key == s.key.verifying_key().as_bytes()));
    if found.is_empty() {
        return Err(Failure::invalid(format!(
            "the keys in `{}` are others than those that the bundle names for grants",
            keys.display()
        )));
    }
    Ok(found)
}

/// Who signed this grant already, by the keys that the bundle names. Strangers are an error.
pub(crate) fn signed_by(lying: &Lying, bundle: &BundleBody, keys: &Path) -> Result<Vec<String>, Failure> {
    let ids: Vec<String> = bundle.keys.grants.iter().map(|(id, _)| id.clone()).collect();
    // The approver's own copies: the bundle beside the grant may be anybody's.
    let trusted = keys::public_halves(&ids, keys).map_err(Failure::invalid)?;
    let id = lying.body.id;
    let verified = Statement::read(&lying.bytes)
        .and_then(|s| s.verify(Kind::Grant, &trusted, &[]))
        .map_err(|refusal| Failure::invalid(format!("grant {id}: {refusal}, of those in `{}`", keys.display())))?;
    Ok(trusted.into_iter().filter(|k| verified.by.keys().contains(&k.key)).map(|k| k.id.into()).collect())
}

/// Adds a signature by `signer`.
pub(crate) fn sign_also(lying: &Lying, signer: &Signer) -> Result<Vec<u8>, Failure> {
    statement::sign_also(&lying.bytes, &signer.id, &signer.key)
        .ok_or_else(|| Failure::invalid("a statement carries 16 signatures at most"))
}

/// Adds a grant to those in force, and leaves out those that are over. Under a lock: two approvals at once must not
/// undo each other.
pub(crate) fn publish(folder: &Path, statement: &[u8], now: UnixSeconds) -> Result<(), Failure> {
    let lock_path = folder.join(".grants.lock");
    let lock = File::create(&lock_path).map_err(|e| Failure::file(&lock_path, e))?;
    lock.lock().map_err(|e| Failure::file(&lock_path, e))?;
    let path = folder.join(FILE);
    let own = Lying::read(statement).ok_or_else(|| Failure::file(&path, "this is no grant"))?.body.id;
    let before = in_force(folder)?;
    let kept = before.iter().filter(|g| g.body.expires > now && g.body.id != own).map(|g| g.bytes.as_slice());
    let file = join_grants(kept.chain([statement]))
        .ok_or_else(|| Failure::file(&path, "would have more than 256 KiB; wait until some grants are over"))?;
    files::replace(&path, &file, files::PUBLIC).map_err(|e| Failure::file(&path, e))
}
