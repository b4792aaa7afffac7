//! `response:` of an operation: where the owner stands in what it answers.

use partywall_authorization::guard::{Guarded, RuleError};
use partywall_tenancy::{Errors, Foreign, Response, ResponseFormat, ResponseOwner};

use crate::directory::fields::{Fields, Report, choice, text, texts};
use crate::directory::since::{self, Kept};
use crate::directory::yaml::{Located, Node, Value};

/// How a body may be written.
pub(crate) const FORMATS: &[(&str, ResponseFormat)] = &[
    ("json", ResponseFormat::Json),
    ("ndjson", ResponseFormat::Ndjson),
    ("sse", ResponseFormat::Sse),
    ("grpc", ResponseFormat::Grpc),
];
/// What may be done about another tenant's element.
pub(crate) const FOREIGN: &[(&str, Foreign)] =
    &[("deny", Foreign::Deny), ("drop", Foreign::Drop), ("mask", Foreign::Mask), ("report", Foreign::Report)];
/// What may be done about the body of an error.
pub(crate) const ERRORS: &[(&str, Errors)] = &[("strip", Errors::Strip), ("pass", Errors::Pass)];
/// The cap of an element where none is written.
pub(crate) const ELEMENT_CAP: &str = "256 KiB";
/// The most bytes of `hold`.
const MAX_HOLD: u32 = 16 * 1024 * 1024;

/// Reads that of a call by `method` on data that is `kept` so long, judged by the very code that the sidecar runs.
pub(crate) fn read(node: Node<'_>, method: Option<&str>, kept: &Kept<'_>, report: &mut Report) -> Option<Response> {
    let at = node.at;
    let mut fields = Fields::of(node, "a response", report)?;
    let since = since::read(&mut fields, method, kept, report);
    let owner = match since {
        // What tells its age alone is whole.
        Ok(Some(_)) | Err(()) => Ok(fields.optional("owner")),
        Ok(None) => fields
            .required("owner", "write `owner: /items/*/tenant_id`, `owner: header.x-owner`, or, where only the age is asked, `since: /items/*/created_at`", report)
            .map(Some)
            .ok_or(()),
    };
    let owners = owner.map(|node| node.map(|node| owners(node, report)));
    let format = fields.optional("format").map(|node| choice(node, "`format`", FORMATS, report));
    let foreign = fields.optional("foreign").map(|node| match owners {
        Ok(None) => report.add(
            node.at
                .error("`foreign` says what is done about another tenant's, and nothing tells whose it is")
                .help("write `owner: /items/*/tenant_id` beside it; what is too old is a matter of `outlived`"),
        ),
        _ => choice(node, "`foreign`", FOREIGN, report),
    });
    let errors = fields.optional("errors").map(|node| choice(node, "`errors`", ERRORS, report));
    let element_cap = fields.optional("element_cap").map(|node| size(node, "`element_cap`", report));
    let hold = fields.optional("hold").map(|node| size(node, "`hold`", report));
    fields.finish(report);
    let response = Response {
        owners: owners.ok()?.unwrap_or(Some(vec![]))?,
        format: format.unwrap_or(Some(ResponseFormat::Json))?,
        foreign: foreign.unwrap_or(Some(Foreign::Deny))?,
        errors: errors.unwrap_or(Some(Errors::Strip))?,
        element_cap: element_cap.unwrap_or(Some(256 * 1024))?,
        hold: hold.unwrap_or(Some(0))?,
        since: since.ok()?,
    };
    if response.hold > MAX_HOLD {
        return report
            .add(at.error("`hold` is more than 16 MiB").help("write how much of a response may be kept back"));
    }
    match Guarded::compile(&response).and_then(|guarded| method.map_or(Ok(()), |method| guarded.goes_with(method))) {
        Ok(()) => Some(response),
        Err(error @ RuleError::TimeInMessages) => report.add(
            at.error(error.to_string()).help("take `since` out: calls of gRPC are not asked how old is what they answer"),
        ),
        Err(error) => report.add(at.error(error.to_string()).help(
            "write where each element has its owner, as `owner: /items/*/tenant_id`, and what is to be done about another's; its time, as `since: /items/*/created_at`",
        )),
    }
}

/// One place, or a list of them.
fn owners(node: Node<'_>, report: &mut Report) -> Option<Vec<ResponseOwner>> {
    let Value::List(_) = &node.value else { return Some(vec![owner(text(node, "`owner`", report)?, report)?]) };
    let found = texts(node, "`owner`", report);
    let places: Vec<_> = found.into_iter().map(|found| owner(found, report)).collect();
    // An empty list was reported.
    places.into_iter().collect::<Option<Vec<_>>>().filter(|places| !places.is_empty())
}

fn owner(found: Located<'_, String>, report: &mut Report) -> Option<ResponseOwner> {
    const HELP: &str = "write a JSON pointer, as `/items/*/tenant_id`, numbers of fields, as `\"1.*.3\"`, or `header.<name>` in lower case";
    if found.value.starts_with('/') {
        return Some(ResponseOwner::Pointer(found.value));
    }
    if found.value.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(ResponseOwner::Fields(found.value));
    }
    let name = found.value.strip_prefix("header.").filter(|name| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !name.is_empty() && name.bytes().all(plain) && !name.starts_with("x-partywall-")
    });
    match name {
        Some(name) => Some(ResponseOwner::Header(name.to_owned())),
        None => {
            let message = format!("`{}` is no place where a response shows its owner", found.value);
            report.add(found.at.error(message).help(HELP))
        }
    }
}

/// A number of bytes, as `64 KiB`.
pub(crate) fn size(node: Node<'_>, what: &str, report: &mut Report) -> Option<u32> {
    let found = text(node, what, report)?;
    let bytes = found.value.split_once(' ').and_then(|(number, unit)| {
        let unit = match unit {
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            _ => return None,
        };
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        number.parse::<u32>().ok().filter(|_| digits)?.checked_mul(unit)
    });
    let message = || format!("{what} is never `{}`", found.value);
    bytes.or_else(|| report.add(found.at.error(message()).help("write a number and `KiB` or `MiB`, as `64 KiB`")))
}
