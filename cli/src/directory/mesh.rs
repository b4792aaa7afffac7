//! `mesh.yaml`: what holds for the whole mesh.

use partywall_tenancy::{MeshId, Mode, Network, SpiffeId};

use crate::directory::cells::CellEntry;
use crate::directory::fields::{Fields, Report, list, once_each, text};
use crate::directory::grants::GrantsEntry;
use crate::directory::issuer::{self, IssuerEntry};
use crate::directory::key_roles::KeyRoles;
use crate::directory::tenant_sources::{self, SourcesEntry};
use crate::directory::values::{Scope, duration, key_id, scope, spiffe_id};
use crate::directory::yaml::{Located, Node, Value};
use crate::directory::{cells, grants, headers, key_roles, modes, networks};

/// `mesh.yaml` as written, each value checked by itself; what could not be read is left out.
#[derive(Debug, Default)]
pub(crate) struct MeshEntry<'s> {
    /// `mesh`.
    pub(crate) id: Option<MeshId>,
    /// `trust_domain`.
    pub(crate) trust_domain: Option<String>,
    /// `stale_after`, in seconds.
    pub(crate) stale_after: Option<u32>,
    /// `sources`; `None` where one of them is no good.
    pub(crate) sources: Option<SourcesEntry<'s>>,
    /// `legacy_headers`.
    pub(crate) legacy_headers: Vec<String>,
    /// `approvals`.
    pub(crate) approvals: Option<u8>,
    /// `keys`.
    pub(crate) keys: KeyRoles<'s>,
    /// `grants`.
    pub(crate) grants: Option<GrantsEntry<'s>>,
    /// `signers`.
    pub(crate) signers: Vec<SignerEntry<'s>>,
    /// `gateways`.
    pub(crate) gateways: Vec<Located<'s, SpiffeId>>,
    /// `mode`.
    pub(crate) mode: Option<Located<'s, Mode>>,
    /// `cells`, sorted by name.
    pub(crate) cells: Vec<CellEntry<'s>>,
    /// `networks`, sorted by name.
    pub(crate) networks: Vec<Network>,
    /// Whether `mesh.yaml` was read at all, so that a cell that is not there is missing.
    pub(crate) cells_whole: bool,
    /// `issuers`.
    pub(crate) issuers: Vec<IssuerEntry<'s>>,
    /// Whether every signer could be read, so that a signer that is not there is missing.
    pub(crate) signers_whole: bool,
    /// Whether every issuer could be read.
    pub(crate) issuers_whole: bool,
}

/// One of `signers`.
#[derive(Debug)]
pub(crate) struct SignerEntry<'s> {
    /// `id`.
    pub(crate) id: Located<'s, String>,
    /// `workload`.
    pub(crate) workload: SpiffeId,
    /// `tenants`.
    pub(crate) tenants: Scope<'s>,
}

/// Reads the document of `mesh.yaml`.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> MeshEntry<'s> {
    let Some(mut fields) = Fields::of(node, "the mesh", report) else { return MeshEntry::default() };
    let id = fields
        .required("mesh", "write `mesh: 3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11`", report)
        .and_then(|node| mesh_id(node, report));
    let trust_domain = fields
        .required("trust_domain", "write `trust_domain: mesh.example`", report)
        .and_then(|node| domain(node, report));
    let stale_after = match fields.optional("stale_after") {
        Some(node) => duration(node, "`stale_after`", 30..=3_600, report),
        None => Some(300),
    };
    let sources = sources(&mut fields, trust_domain.as_deref(), report);
    let legacy_headers = fields.optional("legacy_headers").map_or(vec![], |node| headers::legacy(node, report));
    let keys = fields
        .required("keys", "write `keys: { bundle: [bundle-1], overlay: [overlay-1] }`", report)
        .map_or_else(Default::default, |node| key_roles::read(node, report));
    let approvals = match fields.optional("approvals") {
        Some(node) => grants::approvals(node, &keys, report),
        None => Some(1),
    };
    let grants = fields.optional("grants").and_then(|node| grants::read(node, &keys, report));
    let (signers, signers_whole) = fields.required("signers", SIGNERS, report).map_or((vec![], false), |node| {
        whole(node, "`signers`", report, |item, report| signer(item, trust_domain.as_deref(), report))
    });
    let gateways = fields.optional("gateways").map_or(vec![], |node| {
        let found = list(node, "`gateways`", report, |item, report| spiffe_id(item, trust_domain.as_deref(), report));
        once_each(found, "`gateways`", report)
    });
    let mode = modes::mode(&mut fields, report);
    let cells = fields.optional("cells").map_or(vec![], |node| cells::read(node, report));
    let networks = fields.optional("networks").map_or(vec![], |node| networks::read(node, report));
    let (issuers, issuers_whole) = fields
        .required("issuers", "write `issuers: [{ issuer: https://id.example, … }]`", report)
        .map_or((vec![], false), |node| whole(node, "`issuers`", report, issuer::read));
    fields.finish(report);
    let mesh = MeshEntry {
        id,
        trust_domain,
        stale_after,
        sources,
        legacy_headers,
        approvals,
        keys,
        grants,
        signers,
        gateways,
        mode,
        cells,
        networks,
        cells_whole: true,
        issuers,
        signers_whole,
        issuers_whole,
    };
    key_roles::one_role_each(&mesh, report);
    issuer::once_each(&mesh.issuers, report);
    mesh
}

const SOURCES: &str = "write `sources: { edge: [jwt, { host: \"{tenant}.shop.example\" }] }`";

fn sources<'s>(fields: &mut Fields<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<SourcesEntry<'s>> {
    if let Some(hosts) = fields.former("hosts") {
        let diagnostic = hosts.at.error("`hosts` is one of the sources now");
        report.push(diagnostic.help(SOURCES));
        // What is missing without it was told by that.
        return fields.optional("sources").and_then(|node| tenant_sources::read(node, trust_domain, report));
    }
    let node = fields.required("sources", SOURCES, report)?;
    tenant_sources::read(node, trust_domain, report)
}

/// A list, and whether each of its items was good.
fn whole<'s, T>(
    node: Node<'s>,
    what: &str,
    report: &mut Report,
    mut each: impl FnMut(Node<'s>, &mut Report) -> Option<T>,
) -> (Vec<T>, bool) {
    let mut whole = matches!(node.value, Value::List(_));
    let found = list(node, what, report, |item, report| {
        let good = each(item, report);
        whole &= good.is_some();
        good
    });
    (found, whole)
}

const SIGNERS: &str =
    "write `signers: [{ id: edge-1, workload: spiffe://mesh.example/ns/edge/sa/gateway, tenants: all }]`";

fn mesh_id(node: Node<'_>, report: &mut Report) -> Option<MeshId> {
    let found = text(node, "the mesh id", report)?;
    MeshId::parse(&found.value).map_or_else(
        |why| {
            let diagnostic = found.at.error(format!("mesh id `{}` {why}", found.value));
            report.add(diagnostic.help("make one with `uuidgen | tr A-Z a-z`, once, and never change it"))
        },
        Some,
    )
}

fn domain(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "the trust domain", report)?;
    let good = found.value.len() <= 255
        && found.value.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
    if good {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("trust domain `{}` is not of `a-z 0-9 . - _`", found.value));
    report.add(diagnostic.help("write the name alone, as `mesh.example`: no `spiffe://`, no path"))
}

fn signer<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<SignerEntry<'s>> {
    let mut fields = Fields::of(node, "a signer", report)?;
    let id = fields.required("id", "write `id: edge-1`", report).and_then(|node| key_id(node, report));
    let workload = fields
        .required("workload", "write `workload: spiffe://mesh.example/ns/edge/sa/gateway`", report)
        .and_then(|node| spiffe_id(node, trust_domain, report));
    let tenants = fields.required("tenants", "write `tenants: all`", report).and_then(|node| scope(node, report));
    fields.finish(report);
    Some(SignerEntry { id: id?, workload: workload?.value, tenants: tenants? })
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Source;
    use crate::directory::fields::Report;
    use crate::directory::yaml;

    /// Whatever a file holds, reading it ends, without a panic.
    #[test]
    fn every_cut_and_many_broken_characters_are_only_mistakes() {
        let text = include_str!("../../../envoy-config/tenancy/mesh.yaml");
        let text: String =
            text.lines().filter(|l| !l.trim_start().starts_with('#')).map(|l| format!("{l}\n")).collect();
        let read = |text: &str| {
            let source = Source::new("mesh.yaml", text);
            let mut report = Report::default();
            if let Ok(node) = yaml::parse(&source) {
                super::read(node, &mut report);
            }
            report.into_sorted().iter().for_each(|d| drop(d.to_string()));
        };
        for (at, _) in text.char_indices() {
            read(&text[..at]);
            for broken in ["{", "}", "[", ":", "-", "\"", "&a ", "*a", "!x ", "|", "\t", "\n", "\0", "ß", "~", "<<: "]
            {
                if at % 7 == 0 {
                    read(&format!("{}{broken}{}", &text[..at], &text[at + 1..]));
                }
            }
        }
    }
}
