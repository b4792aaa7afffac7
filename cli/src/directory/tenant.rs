//! `tenants/*.yaml`: one tenant per file; `tenants/*.ndjson`: one per line, for those who have thousands. What neither
//! says comes from the profile of the tier.

use std::path::Path;

use partywall_tenancy::{Cell, Mode, NameSet, Tenant, TenantId, TenantStatus};

use crate::diagnostic::Source;
use crate::directory::fields::{Fields, Report, choice, texts};
use crate::directory::modes;
use crate::directory::profile::Profile;
use crate::directory::settings::{self, Limit, Record, Settings};
use crate::directory::values::{tenant_id, word};
use crate::directory::yaml::{self, Located, Node};

/// What a file of `tenants/` says.
#[derive(Debug, Default)]
pub(crate) struct TenantFile<'s> {
    /// The tenant, if all of it is good.
    pub(crate) tenant: Option<Tenant>,
    /// What holds for it and where that comes from, if all of it is good and somebody wants to know.
    pub(crate) record: Option<Record>,
    /// Its id, if at least that is good.
    pub(crate) id: Option<Located<'s, TenantId>>,
    /// Its id by the name of the file. Where the id itself cannot be read, whoever names this
    /// tenant is not wrong, too.
    pub(crate) named: Option<TenantId>,
    /// `mode`.
    pub(crate) mode: Option<Located<'s, Mode>>,
    /// `cohort`, of its record or its profile.
    pub(crate) cohort: Option<String>,
    /// `limits` of its own record.
    pub(crate) limits: Option<Vec<Limit>>,
    /// `cell` of its own record.
    pub(crate) cell: Option<Located<'s, Cell>>,
}

/// What the files of tenants are read with.
#[derive(Clone, Copy)]
pub(crate) struct Inherits<'p, 's> {
    /// The profiles.
    pub(crate) profiles: &'p [Profile<'s>],
    /// The tenant of which it is told where everything comes from: for all of 100,000 that were too much.
    pub(crate) wanted: Option<&'p TenantId>,
}

/// Whether a file holds one tenant per line.
pub(crate) fn is_ndjson(source: &Source) -> bool {
    source.path().ends_with(".ndjson")
}

/// Reads a file with one JSON object per line, with the fields of a YAML file each; empty lines do not count.
pub(crate) fn read_lines<'s>(
    source: &'s Source,
    inherits: Inherits<'_, 's>,
    report: &mut Report,
) -> Vec<TenantFile<'s>> {
    let lines = source.text().lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut found = Vec::new();
    for (nth, line) in lines {
        // Thousands of lines with one mistake each tell nobody more than the first ones.
        if report.is_full() {
            break;
        }
        match yaml::parse_json_line(source, nth + 1, line) {
            Ok(node) => found.extend(document(node, inherits, report)),
            Err(diagnostic) => report.push(diagnostic),
        }
    }
    found
}

/// Reads one file; `node` is its document, if it has one.
pub(crate) fn read<'s>(
    source: &'s Source,
    node: Option<Node<'s>>,
    inherits: Inherits<'_, 's>,
    report: &mut Report,
) -> TenantFile<'s> {
    let stem = Path::new(source.path()).file_stem().unwrap_or_default().to_string_lossy();
    let named = TenantId::parse(&stem).ok();
    let file = node.and_then(|node| document(node, inherits, report)).unwrap_or_default();
    TenantFile { named: named.filter(|_| file.id.is_none()), ..file }
}

fn document<'s>(node: Node<'s>, inherits: Inherits<'_, 's>, report: &mut Report) -> Option<TenantFile<'s>> {
    let mut fields = Fields::of(node, "a tenant", report)?;
    let id = fields.required("tenant", "write `tenant: acme`", report).and_then(|node| tenant_id(node, report));
    let tier = fields.required("tier", "write `tier: gold`", report).and_then(|node| word(node, "a tier", report));
    let profile = tier.as_ref().and_then(|tier| settings::profile(inherits.profiles, tier, report));
    let status = fields.required("status", "write `status: active`", report).and_then(|node| {
        let at = node.at;
        choice(node, "a status", STATUSES, report).map(|value| Located { value, at })
    });
    let residency = match profile.and_then(|profile| profile.residency.as_ref()) {
        Some(theirs) => match fields.optional("residency") {
            Some(node) => word(node, "a residency", report).map(|own| (Some(own.clone()), own.value)),
            None => Some((None, theirs.value.clone())),
        },
        None => fields
            .required("residency", "write `residency: eu`", report)
            .and_then(|node| word(node, "a residency", report))
            .map(|own| (Some(own.clone()), own.value)),
    };
    let own = settings::read(&mut fields, report);
    let mode = modes::mode(&mut fields, report);
    if let Some(node) = fields.optional("contacts") {
        contacts(node, report);
    }
    fields.finish(report);
    let cell = own.cell.clone();
    let limits = own.limits.as_ref().map(|limits| limits.value.clone());
    let cohort = own.cohort.as_ref().or_else(|| profile.and_then(|profile| profile.cohort.as_ref()));
    let cohort = cohort.map(|cohort| cohort.value.clone());
    let (tenant, record) = match (&id, tier, status, residency) {
        (Some(id), Some(tier), Some(status), Some((of_record, residency))) => {
            let word = STATUSES.iter().find(|(_, known)| *known == status.value).map_or("", |(word, _)| word);
            let only = [("tier", tier.value.clone(), tier.at), ("status", word.to_owned(), status.at)];
            let own = Settings { residency: of_record, ..own };
            let wanted = inherits.wanted.is_some_and(|wanted| *wanted == id.value);
            // The reader has bounded how many there are.
            let set = |names: &[String]| NameSet::new(names).unwrap_or_default();
            let features = set(own.names(profile, |of| &of.features));
            let consents = set(own.names(profile, |of| &of.consents));
            let record = wanted.then(|| own.record(id, &only, profile));
            let tenant = Tenant {
                id: id.value.clone(),
                tier: tier.value.into(),
                status: status.value,
                residency: residency.into(),
                cell: cell_of(&own, profile),
                features,
                consents,
            };
            (Some(tenant), record)
        }
        _ => (None, None),
    };
    Some(TenantFile { tenant, record, id, named: None, mode, cohort, limits, cell })
}

fn cell_of(own: &Settings<'_>, profile: Option<&Settings<'_>>) -> Option<Cell> {
    own.cell.as_ref().or_else(|| profile?.cell.as_ref()).map(|cell| cell.value.clone())
}

/// What a tenant can be.
pub(crate) const STATUSES: &[(&str, TenantStatus)] = &[
    ("active", TenantStatus::Active),
    ("suspended", TenantStatus::Suspended),
    ("quarantined", TenantStatus::Quarantined),
];

/// Contacts are for people; they never enter a bundle.
fn contacts(node: Node<'_>, report: &mut Report) {
    for contact in texts(node, "a contact", report) {
        let good = contact.value.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !contact.value.contains(char::is_whitespace) && !host.contains('@')
        });
        if !good {
            let diagnostic = contact.at.error(format!("contact `{}` is no mail address", contact.value));
            report.push(diagnostic.help("write `ops@acme.example`"));
        }
    }
}
