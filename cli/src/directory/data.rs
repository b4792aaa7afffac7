//! `datasets.yaml`: what data there is, where it may be served, and who may see it for what.

use crate::directory::fields::{Fields, Report, list, listed, once_each, once_read, text};
use crate::directory::settings::name;
use crate::directory::values::{duration, word};
use crate::directory::yaml::{Located, Node, Value};
use crate::nearest::nearest;
use partywall_tenancy::{Residency, Retention, RouteDataset, RouteWords};

/// The classifications where `datasets.yaml` names none of its own, from what anybody may see to what hardly anybody may.
pub(crate) const CLASSIFICATIONS: [&str; 4] = ["public", "internal", "confidential", "restricted"];
/// The longest `age` of `retention`: a hundred years.
const LONGEST_AGE: u32 = 100 * 365 * 86_400;
/// The most classifications.
pub(crate) const MOST_CLASSIFICATIONS: usize = 16;

/// What `datasets.yaml` says.
#[derive(Debug)]
pub(crate) struct Data<'s> {
    /// The classifications, from the lowest.
    pub(crate) classifications: Vec<String>,
    /// `clearance`; without it everyone is cleared for everything.
    clearance: Option<Clearance>,
    /// `datasets`.
    pub(crate) datasets: Vec<Dataset<'s>>,
    /// Whether every dataset could be read, so that one that is not there is missing.
    pub(crate) whole: bool,
}

#[derive(Debug)]
struct Clearance {
    everyone: usize,
    roles: Vec<(String, usize)>,
}

/// One of `datasets`.
#[derive(Debug)]
pub(crate) struct Dataset<'s> {
    /// `dataset`.
    pub(crate) name: Located<'s, String>,
    /// `classification`, as a position in [`Data::classifications`].
    pub(crate) classification: Option<usize>,
    /// `residency`.
    pub(crate) residency: Residency,
    /// `retention`.
    pub(crate) retention: Option<Retention>,
    /// `purposes`: those that need no consent. `None` where it is not there.
    pub(crate) purposes: Option<Vec<String>>,
    /// `consent`: those that need the owner's consent of this name.
    pub(crate) consent: Vec<String>,
}

impl Data<'_> {
    /// What holds without the file: four classifications, and no dataset.
    pub(crate) fn none() -> Self {
        let classifications = CLASSIFICATIONS.map(str::to_owned).to_vec();
        Self { classifications, clearance: None, datasets: Vec::new(), whole: true }
    }

    /// The roles that are cleared for a classification; `None` where everyone is.
    pub(crate) fn cleared(&self, classification: usize) -> Option<Vec<String>> {
        let clearance = self.clearance.as_ref().filter(|clearance| clearance.everyone < classification)?;
        let up_to = clearance.roles.iter().filter(|(_, up_to)| *up_to >= classification);
        let mut roles: Vec<String> = up_to.map(|(role, _)| role.clone()).collect();
        roles.sort();
        Some(roles)
    }
}

impl Data<'_> {
    /// All that words of routes could mean.
    pub(crate) fn route_words(&self) -> RouteWords {
        let word = |at: usize| self.classifications.get(at).cloned().unwrap_or_default();
        let dataset = |dataset: &Dataset<'_>| RouteDataset {
            name: dataset.name.value.clone(),
            classification: dataset.classification.map(word).unwrap_or_default(),
            residency: dataset.residency.clone(),
            retention: dataset.retention.clone(),
            purposes: dataset.purposes.clone(),
            consent: dataset.consent.clone(),
        };
        let classifications = self.classifications.iter().enumerate();
        RouteWords {
            datasets: self.datasets.iter().map(dataset).collect(),
            classifications: classifications.map(|(at, name)| (name.clone(), self.cleared(at))).collect(),
        }
    }
}

impl Dataset<'_> {
    /// The purposes that it may be used for; `None` where it says nothing about them.
    pub(crate) fn purposes(&self) -> Option<Vec<&str>> {
        if self.purposes.is_none() && self.consent.is_empty() {
            return None;
        }
        Some(self.purposes.iter().flatten().chain(&self.consent).map(String::as_str).collect())
    }
}

/// Reads the document of `datasets.yaml`; `None` is one that is no YAML.
pub(crate) fn read<'s>(node: Option<Node<'s>>, report: &mut Report) -> Data<'s> {
    let broken = Data { whole: false, ..Data::none() };
    let Some(mut fields) = node.and_then(|node| Fields::of(node, "the file of datasets", report)) else {
        return broken;
    };
    let own = fields.optional("classifications").map(|node| classifications(node, report));
    let (clearance, datasets) =
        (fields.optional("clearance"), fields.required("datasets", "write `datasets: [{ dataset: orders }]`", report));
    fields.finish(report);
    let classifications = match own {
        Some(Some(own)) => own,
        // What names one of these would only repeat the mistake.
        Some(None) => return broken,
        None => broken.classifications,
    };
    let mut data = Data { classifications, ..Data::none() };
    data.clearance = clearance.and_then(|node| self::clearance(node, &data.classifications, report));
    let Some(node) = datasets else { return Data { whole: false, ..data } };
    let written = if let Value::List(items) = &node.value { items.len() } else { usize::MAX };
    let found = list(node, "`datasets`", report, |item, report| dataset(item, &data.classifications, report));
    data.whole = found.len() == written;
    data.datasets = each_once(found, report);
    data
}

fn classifications(node: Node<'_>, report: &mut Report) -> Option<Vec<String>> {
    let at = node.at;
    let found = list(node, "`classifications`", report, |item, report| word(item, "a classification", report));
    let found = once_each(found, "`classifications`", report);
    if found.is_empty() || found.len() > MOST_CLASSIFICATIONS {
        let diagnostic = at.error(format!("`classifications` are 1 to {MOST_CLASSIFICATIONS} words"));
        return report.add(diagnostic.help(format!(
            "write them from the lowest to the highest, as `[{}]`, or take the line out",
            CLASSIFICATIONS.join(", ")
        )));
    }
    Some(found.into_iter().map(|one| one.value).collect())
}

/// One of the classifications, as its position among them.
pub(crate) fn classification(node: Node<'_>, known: &[String], report: &mut Report) -> Option<usize> {
    let found = text(node, "a classification", report)?;
    let position = known.iter().position(|one| *one == found.value);
    position.or_else(|| {
        let words: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match nearest(&found.value, words.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}, or list it in `classifications` of datasets.yaml", listed(&words)),
        };
        report.add(found.at.error(format!("`{}` is no classification", found.value)).help(help))
    })
}

fn clearance(node: Node<'_>, known: &[String], report: &mut Report) -> Option<Clearance> {
    let mut fields = Fields::of(node, "`clearance`", report)?;
    let everyone = fields.optional("everyone").map(|node| classification(node, known, report));
    let roles = fields
        .required("roles", "write `roles: [{ role: accountant, up_to: confidential }]`", report)
        .map_or(vec![], |node| list(node, "`roles`", report, |item, report| cleared(item, known, report)));
    fields.finish(report);
    let mut once = Vec::<(String, usize)>::new();
    for (role, up_to) in roles {
        if once.iter().any(|(other, _)| *other == role.value) {
            let diagnostic = role.at.error(format!("role `{}` is there twice", role.value));
            report.push(diagnostic.help("keep the one that says how far it is cleared"));
        } else {
            once.push((role.value, up_to));
        }
    }
    Some(Clearance { everyone: everyone.unwrap_or(Some(0))?, roles: once })
}

fn cleared<'s>(node: Node<'s>, known: &[String], report: &mut Report) -> Option<(Located<'s, String>, usize)> {
    let mut fields = Fields::of(node, "a clearance", report)?;
    let role =
        fields.required("role", "write `role: accountant`", report).and_then(|node| text(node, "a role", report));
    let up_to = fields
        .required("up_to", "write `up_to: confidential`", report)
        .and_then(|node| classification(node, known, report));
    fields.finish(report);
    Some((role?, up_to?))
}

fn dataset<'s>(node: Node<'s>, known: &[String], report: &mut Report) -> Option<Dataset<'s>> {
    let mut fields = Fields::of(node, "a dataset", report)?;
    let name =
        fields.required("dataset", "write `dataset: orders`", report).and_then(|node| name(node, "a dataset", report));
    let classification = fields.optional("classification").map(|node| classification(node, known, report));
    let residency = fields.optional("residency").map(|node| residency(node, report));
    let retention = fields.optional("retention").map(|node| retention(node, report));
    let purposes = fields.optional("purposes").map(|node| purposes(node, report));
    let consent = fields.optional("consent").map_or(vec![], |node| purposes_at(node, report));
    fields.finish(report);
    let purposes: Option<Vec<String>> = purposes;
    for both in consent.iter().filter(|one| purposes.iter().flatten().any(|other| *other == one.value)) {
        let message = format!("`{}` is among `purposes`, which need no consent", both.value);
        report.push(both.at.error(message).help("keep it in one of the two"));
    }
    Some(Dataset {
        name: name?,
        classification: once_read(classification)?,
        residency: residency.unwrap_or(Some(Residency::Anywhere))?,
        retention: once_read(retention)?,
        purposes,
        consent: consent.into_iter().map(|one| one.value).collect(),
    })
}

fn retention(node: Node<'_>, report: &mut Report) -> Option<Retention> {
    let mut fields = Fields::of(node, "`retention`", report)?;
    let age = fields
        .required("age", "write `age: 30d`", report)
        .and_then(|node| duration(node, "`age`", 1..=LONGEST_AGE, report));
    let header = fields.optional("header").map(|node| header(node, report));
    fields.finish(report);
    // Without the header that it wrote it would be another one.
    let header = once_read(header)?;
    Some(Retention { age: age?, header })
}

/// The response header that tells since when an object is there.
fn header(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "a header", report)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if found.value.bytes().all(plain) && !found.value.starts_with("x-partywall-") {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("`{}` is no response header of a service", found.value));
    report.add(diagnostic.help("write its name in lower case, as `last-modified` or `x-created-at`"))
}

/// `tenant`, or a list of regions.
fn residency(node: Node<'_>, report: &mut Report) -> Option<Residency> {
    const HELP: &str = "write `tenant`, for the residency of whose it is, or a list of regions as `[eu, ch]`";
    let at = node.at;
    match &node.value {
        Value::Text(word) if word == "tenant" => return Some(Residency::Owners),
        Value::Text(word) => return report.add(at.error(format!("`{word}` is no set of regions")).help(HELP)),
        Value::List(items) if items.is_empty() => {
            return report.add(at.error("this is a set of no regions").help(HELP));
        }
        _ => {}
    }
    let found = list(node, "`residency` of a dataset", report, |item, report| word(item, "a region", report));
    let mut regions: Vec<String> = once_each(found, "`residency`", report).into_iter().map(|one| one.value).collect();
    regions.sort();
    (!regions.is_empty()).then_some(Residency::Only(regions))
}

fn purposes_at<'s>(node: Node<'s>, report: &mut Report) -> Vec<Located<'s, String>> {
    let found = list(node, "a list of purposes", report, |item, report| name(item, "a purpose", report));
    once_each(found, "this list of purposes", report)
}

fn purposes(node: Node<'_>, report: &mut Report) -> Vec<String> {
    purposes_at(node, report).into_iter().map(|one| one.value).collect()
}

fn each_once<'s>(found: Vec<Dataset<'s>>, report: &mut Report) -> Vec<Dataset<'s>> {
    let mut kept: Vec<Dataset<'s>> = Vec::with_capacity(found.len());
    for dataset in found {
        match kept.iter().find(|other| other.name.value == dataset.name.value) {
            Some(first) => {
                let diagnostic = dataset.name.at.error(format!("dataset `{}` is there twice", dataset.name.value));
                report.push(
                    diagnostic.help(format!("the first one is at {}; give this one another name", first.name.at)),
                );
            }
            None => kept.push(dataset),
        }
    }
    kept
}
