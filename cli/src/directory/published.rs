//! The public keys that `mesh.yaml` names, read from the keys folder. Private keys are never
//! looked at here.

use std::path::Path;

use partywall_tenancy::{ContextSigner, Issuer, IssuerKey, KeyAlgorithm, KeySource, RoleKeys};

use crate::diagnostic::{Diagnostic, Source};
use crate::directory::fields::Report;
use crate::directory::issuer::{BindingEntry, Fetched, IssuerEntry, JwksEntry};
use crate::directory::mesh::{MeshEntry, SignerEntry};
use crate::directory::yaml::Located;
use crate::directory::{jwks, yaml};
use crate::{files, keys};

/// The largest JWK set that is read, in bytes.
const MAX_JWKS: u64 = 256 * 1024;

/// Who may sign what. Without a keys folder the keys that lie in files are left out.
pub(crate) struct Published {
    /// Who may issue JWTs.
    pub(crate) issuers: Vec<Issuer>,
    /// Who may sign root contexts.
    pub(crate) signers: Vec<ContextSigner>,
    /// Keys that may sign other statements.
    pub(crate) keys: RoleKeys,
}

/// Reads the keys that `mesh` names.
pub(crate) fn read(mesh: &MeshEntry<'_>, keys: Option<&Path>, report: &mut Report) -> Published {
    let keys = keys.filter(|folder| is_folder(folder, report));
    let issuers = mesh.issuers.iter().map(|entry| issuer(entry, keys, report)).collect();
    let bundle_keys = public_keys(&mesh.keys.bundle, keys, report);
    let retired_keys = public_keys(&mesh.keys.retired, keys, report);
    let overlay_keys = public_keys(&mesh.keys.overlay, keys, report);
    let grant_keys = public_keys(&mesh.keys.grants, keys, report);
    let signer_ids: Vec<_> = mesh.signers.iter().map(|s| s.id.clone()).collect();
    let signer_keys = public_keys(&signer_ids, keys, report);
    one_id_each([&bundle_keys, &retired_keys, &overlay_keys, &grant_keys, &signer_keys], report);
    let named = |keys: Vec<PublicKey<'_>>| keys.into_iter().map(|key| (key.id.value, key.public)).collect();
    Published {
        issuers,
        signers: mesh.signers.iter().filter_map(|entry| signer(entry, &signer_keys)).collect(),
        keys: RoleKeys {
            bundle: named(bundle_keys),
            retired: named(retired_keys),
            overlay: named(overlay_keys),
            grants: named(grant_keys),
        },
    }
}

fn is_folder(path: &Path, report: &mut Report) -> bool {
    if path.is_dir() {
        return true;
    }
    let missing = Diagnostic::of_file(path.to_string_lossy(), "is no folder, and the keys should lie there");
    report.push(missing.help("make it with `partywall keys new`"));
    false
}

fn signer(entry: &SignerEntry<'_>, keys: &[PublicKey<'_>]) -> Option<ContextSigner> {
    let key = keys.iter().find(|key| key.id.value == entry.id.value)?;
    Some(ContextSigner {
        id: entry.id.value.clone(),
        workload: entry.workload.clone(),
        key: key.public,
        tenants: entry.tenants.to_tenant_scope(),
    })
}

fn issuer(entry: &IssuerEntry<'_>, keys: Option<&Path>, report: &mut Report) -> Issuer {
    let mut bindings: Vec<_> = entry.bindings.iter().map(BindingEntry::to_binding).collect();
    bindings.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    Issuer {
        issuer: entry.issuer.value.clone(),
        audiences: entry.audiences.clone(),
        tenant_claim: entry.tenant_claim.clone(),
        roles_claim: entry.roles_claim.clone(),
        client_claim: entry.client_claim.clone(),
        tenants: entry.tenants.to_tenant_scope(),
        bindings,
        keys: key_source(entry, keys, report),
    }
}

fn key_source(entry: &IssuerEntry<'_>, keys: Option<&Path>, report: &mut Report) -> KeySource {
    let mut found = match &entry.jwks {
        Some(JwksEntry::Fetched(Fetched { cluster, authority, path, max_age })) => {
            return KeySource::Fetched {
                cluster: cluster.clone(),
                authority: authority.clone(),
                path: path.clone(),
                max_age: *max_age,
            };
        }
        Some(JwksEntry::Inline(node)) => jwks::read(node, report),
        Some(JwksEntry::File(name)) => keys.map_or(vec![], |folder| key_file(name, folder, report)),
        None => Vec::new(),
    };
    for key in &entry.symmetric_keys {
        if found.iter().any(|other| other.id == key.value) {
            let message = format!("key id `{}` is there twice: in the JWK set, too", key.value);
            report.push(key.at.error(message).help("give each key an id of its own"));
        }
        found.push(IssuerKey { id: key.value.clone(), algorithm: KeyAlgorithm::Hs256, spki: Vec::new() });
    }
    KeySource::Inline(found)
}

/// The keys in a file of the keys folder.
fn key_file(name: &Located<'_, String>, folder: &Path, report: &mut Report) -> Vec<IssuerKey> {
    let path = folder.join(&name.value);
    let text = match files::read_text(&path, MAX_JWKS) {
        Ok(text) => text,
        Err(error) => {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            let why = if missing { "is not there".to_owned() } else { error.to_string() };
            let diagnostic = name.at.error(format!("the key set `{}` {why}", path.display()));
            report.push(diagnostic.help("put the issuer's JWK set into the keys folder under this name"));
            return Vec::new();
        }
    };
    let source = Source::new(path.to_string_lossy(), text);
    match yaml::parse(&source) {
        Ok(node) => jwks::read(&node, report),
        Err(mut diagnostic) => {
            diagnostic.message = diagnostic.message.replace("YAML", "JSON");
            report.push(diagnostic.help("write a JWK set in JSON (RFC 7517)").without_line());
            Vec::new()
        }
    }
}

struct PublicKey<'s> {
    id: Located<'s, String>,
    public: [u8; 32],
}

/// The public halves of these keys; one that cannot be read is reported where it is named.
fn public_keys<'s>(ids: &[Located<'s, String>], folder: Option<&Path>, report: &mut Report) -> Vec<PublicKey<'s>> {
    let Some(folder) = folder else { return Vec::new() };
    let mut found = Vec::new();
    for id in ids {
        match keys::read_public(&keys::public_path(folder, &id.value)) {
            Ok(key) if *key.id == *id.value => {
                found.push(PublicKey { id: id.clone(), public: key.key.to_bytes() });
            }
            Ok(key) => {
                let message = format!("the file `{0}.pub` holds a key called `{1}`, not `{0}`", id.value, key.id);
                report.push(id.at.error(message).help("name the key by its own id, or the file by its key"));
            }
            Err(error) => {
                let help = "`partywall keys new` makes keys; the public half of a key made elsewhere goes into the keys folder";
                report.push(id.at.error(error.to_string()).help(help));
            }
        }
    }
    found
}

/// INVARIANT: one key under two ids would be one key with two roles.
fn one_id_each(roles: [&[PublicKey<'_>]; 5], report: &mut Report) {
    let mut seen: Vec<&PublicKey<'_>> = Vec::new();
    for key in roles.into_iter().flatten() {
        match seen.iter().find(|other| other.public == key.public && other.id.value != key.id.value) {
            Some(other) => {
                let message = format!("`{}` and `{}` are one and the same key", other.id.value, key.id.value);
                report.push(key.id.at.error(message).help("make another key for this one, with `partywall keys new`"));
            }
            None => seen.push(key),
        }
    }
}
