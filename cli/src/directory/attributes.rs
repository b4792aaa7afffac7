//! `dataset`, `classification`, `purpose` and `feature` of an operation, worked out by what `datasets.yaml` says.

use partywall_tenancy::{Attributes, Feature, Residency, Scope};

use crate::directory::data::{Data, Dataset, classification};
use crate::directory::fields::{Fields, Report, listed, once_read};
use crate::directory::settings::name;
use crate::directory::yaml::{At, Located, Node, Value};
use crate::nearest::nearest;

/// Takes them out of an operation, which stands at `at`. `None` where one of them is no good: without what it asks for
/// the operation would be another one.
pub(crate) fn read<'s>(
    fields: &mut Fields<'s>,
    at: At<'s>,
    data: &Data<'_>,
    report: &mut Report,
) -> Option<Attributes> {
    let named = fields.optional("dataset").map(|node| name(node, "a dataset", report));
    let own = fields.optional("classification");
    let purpose = fields.optional("purpose").map(|node| name(node, "a purpose", report));
    let feature = feature(fields, report);
    let dataset = match &named {
        Some(Some(named)) => dataset(named, data, report),
        _ => None,
    };
    let classification = match own {
        Some(node) => {
            let at = node.at;
            let own = classification(node, &data.classifications, report).map(|value| Located { value, at });
            Some(own.and_then(|own| raised(own, dataset, data, report)))
        }
        None => dataset.and_then(|dataset| dataset.classification).map(Some),
    };
    let purpose = once_read(purpose)?;
    let needs_consent = match dataset {
        Some(dataset) => consent(dataset, purpose.as_ref(), at, report)?,
        None => false,
    };
    let (named, classification, feature) = match (named, classification, feature) {
        (Some(None), ..) | (_, Some(None), _) | (.., Err(())) => return None,
        (named, classification, Ok(feature)) => (named.flatten(), classification.flatten(), feature),
    };
    let word = |at: usize| data.classifications.get(at).cloned().unwrap_or_default();
    Some(Attributes {
        scope: Scope::Tenant,
        dataset: named.map(|named| named.value).unwrap_or_default(),
        classification: classification.map(word).unwrap_or_default(),
        purpose: purpose.map(|purpose| purpose.value).unwrap_or_default(),
        residency: dataset.map_or(Residency::Anywhere, |dataset| dataset.residency.clone()),
        needs_consent,
        retention: dataset.and_then(|dataset| dataset.retention.clone()),
        cleared: classification.and_then(|classification| data.cleared(classification)),
        feature,
    })
}

fn dataset<'d, 's>(named: &Located<'_, String>, data: &'d Data<'s>, report: &mut Report) -> Option<&'d Dataset<'s>> {
    let found = data.datasets.iter().find(|dataset| dataset.name.value == named.value);
    // Where a dataset could not be read, whoever names it is not wrong, too.
    if found.is_none() && data.whole {
        let known = data.datasets.iter().map(|dataset| dataset.name.value.as_str());
        let help = match nearest(&named.value, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add `{{ dataset: {} }}` to `datasets` of datasets.yaml, or take it out here", named.value),
        };
        report.push(named.at.error(format!("there is no dataset `{}`", named.value)).help(help));
    }
    found
}

/// INVARIANT: an operation is never less confidential than what it reads.
fn raised(
    own: Located<'_, usize>,
    dataset: Option<&Dataset<'_>>,
    data: &Data<'_>,
    report: &mut Report,
) -> Option<usize> {
    let lowest = dataset.and_then(|dataset| Some((&dataset.name.value, dataset.classification?)));
    match lowest {
        Some((name, lowest)) if own.value < lowest => {
            let word = |at: usize| data.classifications.get(at).map_or("", String::as_str);
            let message = format!("`{}` is lower than `{}`, which dataset `{name}` is", word(own.value), word(lowest));
            report.add(own.at.error(message).help("take it out, or give what it shows a dataset of its own"))
        }
        _ => Some(own.value),
    }
}

/// Whether the purpose needs the owner's consent; `None` where the dataset may not be used so.
fn consent(
    dataset: &Dataset<'_>,
    purpose: Option<&Located<'_, String>>,
    at: At<'_>,
    report: &mut Report,
) -> Option<bool> {
    let Some(purposes) = dataset.purposes() else { return Some(false) };
    let name = &dataset.name.value;
    match purpose {
        // Without a purpose nobody would ask whether it needs consent.
        None => {
            let message = format!("dataset `{name}` has purposes, and this operation says none");
            report.add(at.error(message).help(format!("write `purpose:` and {}", listed(&purposes))))
        }
        Some(purpose) if !purposes.contains(&purpose.value.as_str()) => {
            let help = match nearest(&purpose.value, purposes.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "write {}, or add it to `purposes` or `consent` of the dataset in datasets.yaml",
                    listed(&purposes)
                ),
            };
            report.add(purpose.at.error(format!("`{}` is no purpose of dataset `{name}`", purpose.value)).help(help))
        }
        Some(purpose) => Some(dataset.consent.contains(&purpose.value)),
    }
}

/// `feature`, and with which status it is off.
fn feature(fields: &mut Fields<'_>, report: &mut Report) -> Result<Option<Feature>, ()> {
    let feature = fields.optional("feature").map(|node| name(node, "a feature", report));
    let off = fields.optional("feature_off");
    match (feature, off) {
        (None, None) => Ok(None),
        (None, Some(node)) => {
            let diagnostic =
                node.at.error("`feature_off` says what is answered where a feature is off, and none is named");
            report.push(diagnostic.help("write `feature:` beside it, or take it out"));
            Err(())
        }
        (Some(name), off) => {
            let hidden = off.map_or(Some(false), |node| status(node, report));
            match (name, hidden) {
                (Some(name), Some(hidden)) => Ok(Some(Feature { name: name.value, hidden })),
                _ => Err(()),
            }
        }
    }
}

fn status(node: Node<'_>, report: &mut Report) -> Option<bool> {
    match &node.value {
        Value::Scalar(number) if number == "404" => Some(true),
        Value::Scalar(number) if number == "403" => Some(false),
        _ => {
            let diagnostic = node.at.error("`feature_off` is a status: 403, or 404");
            report.add(
                diagnostic.help("write `feature_off: 404` where a tenant is not to know that there is such a thing"),
            )
        }
    }
}
