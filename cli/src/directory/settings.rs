//! What a profile gives to the tenants of its tier, and a tenant's record says otherwise.
//!
//! ```text
//! profiles/gold.yaml   residency: eu   features: [export]        ─┐
//! tenants/acme.yaml    tier: gold      features: [export, bulk]  ─┴─► eu (profile), [export, bulk] (record)
//! ```
//!
//! A value replaces the other whole: lists are not joined, so that what a file says is what holds.

use partywall_tenancy::{Cell, NameSet, TenantId};

use crate::diagnostic::Place;
use crate::directory::cells;
use crate::directory::fields::{Fields, Report, list, once_each, text};
use crate::directory::values::word;
use crate::directory::yaml::{At, Located, Node, Value};
use crate::nearest::nearest;

/// Settings as written in one file; what is not there is `None`.
#[derive(Debug, Default)]
pub(crate) struct Settings<'s> {
    /// `residency`.
    pub(crate) residency: Option<Located<'s, String>>,
    /// `cell`.
    pub(crate) cell: Option<Located<'s, Cell>>,
    /// `cohort`.
    pub(crate) cohort: Option<Located<'s, String>>,
    /// `features`, sorted.
    pub(crate) features: Option<Located<'s, Vec<String>>>,
    /// `consents`, sorted.
    pub(crate) consents: Option<Located<'s, Vec<String>>>,
    /// `limits`, sorted by name.
    pub(crate) limits: Option<Located<'s, Vec<Limit>>>,
}

/// Name and bound of one of `limits`.
pub(crate) type Limit = (&'static str, u64);

/// What `limits` can bound.
pub(crate) const LIMITS: [&str; 4] =
    ["concurrent_requests", "mesh_requests_per_second", "request_bytes", "requests_per_second"];

/// Where a value of a tenant comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The tenant's own file, at this place.
    Record(String),
    /// The profile of its tier, at this place.
    Profile(String),
    /// Neither says it.
    Nothing,
}

/// What holds for one tenant, and where each value comes from.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// Where its id stands.
    pub(crate) place: Place,
    /// Names, values in words and origins, in the order of the documentation.
    pub(crate) settings: Vec<(&'static str, String, Origin)>,
    /// What it has beyond its tier.
    pub(crate) features: Vec<String>,
    /// What its users agreed to.
    pub(crate) consents: Vec<String>,
}

/// Reads the settings among `fields`, but for `residency`, which only a tenant must have.
pub(crate) fn read<'s>(fields: &mut Fields<'s>, report: &mut Report) -> Settings<'s> {
    let mut one = |name, what, report: &mut Report| fields.optional(name).and_then(|node| word(node, what, report));
    let cohort = one("cohort", "a cohort", report);
    let cell = fields.optional("cell").and_then(|node| cells::of_tenant(node, report));
    let features = fields.optional("features").and_then(|node| names(node, "a feature", report));
    let consents = fields.optional("consents").and_then(|node| names(node, "a consent", report));
    let limits = fields.optional("limits").and_then(|node| limits(node, report));
    Settings { residency: None, cell, cohort, features, consents, limits }
}

/// Whether `text` can name a feature or a consent: 1 to 63 of `a-z 0-9 - _ .`, beginning and ending with a letter
/// or digit.
pub(crate) fn is_name(text: &str) -> bool {
    let inner = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && edge(text.bytes().next())
        && edge(text.bytes().next_back())
}

/// The most features, or consents, of one tenant: more are no set of switches but a table.
const MAX_NAMES: usize = NameSet::MOST;

/// Names, each once. The list may be empty: so a record takes away what its profile gives.
fn names<'s>(node: Node<'s>, what: &str, report: &mut Report) -> Option<Located<'s, Vec<String>>> {
    let at = node.at;
    if let Value::List(items) = &node.value
        && items.len() > MAX_NAMES
    {
        let diagnostic = at.error(format!("these are {} names, and a tenant has at most {MAX_NAMES}", items.len()));
        return report.add(diagnostic.help("write what belongs together under one name"));
    }
    let found = list(node, what, report, |item, report| name(item, what, report));
    let mut value: Vec<String> = once_each(found, what, report).into_iter().map(|name| name.value).collect();
    value.sort();
    Some(Located { value, at })
}

/// One name of a feature or a consent.
pub(crate) fn name<'s>(node: Node<'s>, what: &str, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, what, report)?;
    if is_name(&found.value) {
        return Some(found);
    }
    let diagnostic = found.at.error(format!("{what} `{}` is not 1 to 63 of `a-z 0-9 - _ .`", found.value));
    report.add(diagnostic.help("write it in lower case, as `export` or `marketing.mail`"))
}

fn limits<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, Vec<Limit>>> {
    let at = node.at;
    let mut fields = Fields::of(node, "`limits`", report)?;
    let mut value = Vec::new();
    for name in LIMITS {
        if let Some(node) = fields.optional(name)
            && let Some(bound) = limit(node, name, report)
        {
            value.push((name, bound));
        }
    }
    fields.finish(report);
    Some(Located { value, at })
}

/// The largest bound: what every reader of JSON keeps exactly (RFC 8259, section 6).
pub(crate) const MAX_LIMIT: u64 = (1 << 53) - 1;

fn limit(node: Node<'_>, name: &str, report: &mut Report) -> Option<u64> {
    let number = match &node.value {
        Value::Scalar(number) => number.parse().ok().filter(|n| (1..=MAX_LIMIT).contains(n)),
        _ => None,
    };
    number.or_else(|| {
        let diagnostic = node.at.error(format!("`{name}` is a whole number, 1 or more"));
        report.add(diagnostic.help(format!("write `{name}: 100`; to let nobody in, suspend the tenant")))
    })
}

/// The profile that a tier names, among those there are.
pub(crate) fn profile<'p, 's>(
    profiles: &'p [(Located<'s, String>, Settings<'s>)],
    tier: &Located<'_, String>,
    report: &mut Report,
) -> Option<&'p Settings<'s>> {
    let found = profiles.iter().find(|(name, _)| name.value == tier.value);
    // A tier without a profile is fine; one that nearly names a profile is a mistake that would be silent.
    if found.is_none()
        && let Some(meant) = nearest(&tier.value, profiles.iter().map(|(name, _)| name.value.as_str()))
    {
        let diagnostic = tier.at.warning(format!("no profile is called `{}`, so that it inherits nothing", tier.value));
        report.push(diagnostic.help(format!("did you mean `{meant}`?")));
    }
    found.map(|(_, settings)| settings)
}

impl<'s> Settings<'s> {
    /// What holds for `tenant`: its record's values, else those of its profile.
    pub(crate) fn record(&self, id: &Located<'s, TenantId>, own: &[Own<'_>], profile: Option<&Settings<'s>>) -> Record {
        let nothing = Settings::default();
        let theirs = profile.unwrap_or(&nothing);
        let mut settings: Vec<_> =
            own.iter().map(|own| (own.0, own.1.clone(), Origin::Record(own.2.to_string()))).collect();
        let mut add = |name, mine: Option<(String, At<'_>)>, theirs: Option<(String, At<'_>)>| {
            settings.push(match (mine, theirs) {
                (Some((value, at)), _) => (name, value, Origin::Record(at.to_string())),
                (None, Some((value, at))) => (name, value, Origin::Profile(at.to_string())),
                (None, None) => (name, "none".to_owned(), Origin::Nothing),
            });
        };
        let word = |of: &Option<Located<'s, String>>| of.as_ref().map(|w| (w.value.clone(), w.at));
        let names = |of: &Option<Located<'s, Vec<String>>>| of.as_ref().map(|n| (shown(&n.value), n.at));
        let bounds = |of: &Option<Located<'s, Vec<Limit>>>| {
            let shown = |l: &[Limit]| l.iter().map(|(name, bound)| format!("{name} {bound}")).collect::<Vec<_>>();
            of.as_ref().map(|l| (or_none(shown(&l.value).join(", ")), l.at))
        };
        add("residency", word(&self.residency), word(&theirs.residency));
        let cell = |of: &Option<Located<'s, Cell>>| of.as_ref().map(|cell| (cells::shown(&cell.value), cell.at));
        add("cell", cell(&self.cell), cell(&theirs.cell));
        add("cohort", word(&self.cohort), word(&theirs.cohort));
        add("features", names(&self.features), names(&theirs.features));
        add("consents", names(&self.consents), names(&theirs.consents));
        add("limits", bounds(&self.limits), bounds(&theirs.limits));
        Record {
            tenant: id.value.clone(),
            place: id.at.place(),
            settings,
            features: self.names(profile, |of| &of.features).to_vec(),
            consents: self.names(profile, |of| &of.consents).to_vec(),
        }
    }

    /// The names of one kind that hold for a tenant: its record's, else those of its profile.
    pub(crate) fn names<'n>(
        &'n self,
        profile: Option<&'n Settings<'s>>,
        of: impl for<'o> Fn(&'o Settings<'s>) -> &'o Option<Located<'s, Vec<String>>>,
    ) -> &'n [String] {
        let names = of(self).as_ref().or_else(|| of(profile?).as_ref());
        names.map_or(&[], |names| &names.value)
    }
}

/// A value that only the record has: its name, the value in words, its place.
pub(crate) type Own<'s> = (&'static str, String, At<'s>);

fn shown(names: &[String]) -> String {
    or_none(names.join(", "))
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}
