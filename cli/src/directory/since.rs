//! `since` of a response, with `outlived`: where its body tells how old its objects are.

use partywall_authorization::ROUTE;
use partywall_tenancy::{Attributes, Operation, Outlived, Retention, Since};

use crate::directory::data::Data;
use crate::directory::fields::{Fields, Report, choice, text};
use crate::directory::yaml::At;

/// What may be done about an element that is too old.
pub(crate) const OUTLIVED: &[(&str, Outlived)] =
    &[("deny", Outlived::Deny), ("drop", Outlived::Drop), ("mask", Outlived::Mask)];

/// The retention of the operation's dataset, where it has one.
pub(crate) enum Kept<'r> {
    /// What is known of it.
    Known(Option<&'r Retention>),
    /// Its dataset could not be read, which was reported.
    Unknown,
}

impl<'r> Kept<'r> {
    /// That of an operation with these attributes.
    pub(crate) fn of(attributes: Option<&'r Attributes>, data: &Data<'_>) -> Self {
        let known = |name: &str| name.is_empty() || data.datasets.iter().any(|dataset| dataset.name.value == name);
        match attributes {
            Some(attributes) if known(&attributes.dataset) => Self::Known(attributes.retention.as_ref()),
            _ => Self::Unknown,
        }
    }
}

/// Takes both out of a response of a call by `method`. An error was reported.
pub(crate) fn read(
    fields: &mut Fields<'_>,
    method: Option<&str>,
    kept: &Kept<'_>,
    report: &mut Report,
) -> Result<Option<Since>, ()> {
    let since = fields.optional("since");
    let outlived = fields.optional("outlived");
    let Some(since) = since else {
        let Some(outlived) = outlived else { return Ok(None) };
        let diagnostic =
            outlived.at.error("`outlived` says what is done about what is too old, and nothing tells its age");
        report.push(diagnostic.help("write `since: /items/*/created_at` beside it, or take it out"));
        return Err(());
    };
    let at = since.at;
    let outlived = outlived.map_or(Some(Outlived::Deny), |node| choice(node, "`outlived`", OUTLIVED, report));
    let pointer = text(since, "`since`", report);
    let age = match kept {
        Kept::Known(Some(retention)) => Some(retention.age),
        Kept::Known(None) => report.add(
            at.error("`since` tells how old an object is, and nothing says how old it may be")
                .help("name a `dataset` that has `retention: { age: 30d }` in datasets.yaml, or take `since` out"),
        ),
        Kept::Unknown => None,
    };
    if method == Some("HEAD") {
        let diagnostic = at.error("`since` is looked for in a body, and what answers a HEAD has none");
        report
            .push(diagnostic.help("write `header: last-modified` in `retention` of the dataset, and take `since` out"));
        return Err(());
    }
    match (pointer, age, outlived) {
        (Some(pointer), Some(age), Some(outlived)) => Ok(Some(Since { pointer: pointer.value, age, outlived })),
        _ => Err(()),
    }
}

/// INVARIANT: what is read of a dataset that has `retention` tells its age, in a header or in its body.
pub(crate) fn is_told(operation: &Operation, at: At<'_>, report: &mut Report) -> Option<()> {
    let Attributes { dataset, retention: Some(Retention { header: None, .. }), .. } = &operation.attributes else {
        return Some(());
    };
    let help = match operation.method.as_str() {
        "GET" if operation.response.as_ref().is_some_and(|response| response.since.is_some()) => return Some(()),
        "GET" => {
            "write `response: { since: /items/*/created_at }`, or `header: last-modified` in `retention` of the dataset"
        }
        "HEAD" | ROUTE => "write `header: last-modified` in `retention` of the dataset, or name another one",
        _ => return Some(()),
    };
    let message = format!("dataset `{dataset}` has `retention`, and nothing tells how old is what this answers");
    report.add(at.error(message).help(help))
}
