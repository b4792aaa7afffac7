//! `owner:`, `query:` and `header:` of an operation: places of a request that say something of its resource.

use partywall_authorization::GRPC;
use partywall_tenancy::{Condition, Owner, Place};

use crate::directory::fields::{Report, listed, text};
use crate::directory::headers;
use crate::directory::response::size;
use crate::directory::yaml::{At, Located, Node, Value};
use crate::nearest::nearest;

/// How each kind of place is written.
const KINDS: [&str; 5] = ["path.", "query.", "header.", "id_prefix.", "body."];
/// What may stand between a tenant's id and the rest of a resource's.
const SEPARATORS: [char; 6] = [':', '_', '.', '~', '|', '@'];

/// What an operation says of itself elsewhere, as far as places go by it.
#[derive(Clone, Copy)]
pub(super) struct Around<'o> {
    /// Method and path; `None` where these are no good, which was said.
    pub(super) http: Option<(&'o str, &'o str)>,
    /// Whether the operation names an `id`.
    pub(super) id: bool,
}

/// Reads `owner`: one place, or a list of them; `none` says that a request may show none.
pub(super) fn owner(node: Node<'_>, around: Around<'_>, report: &mut Report) -> Option<Owner> {
    let at = node.at;
    let Value::List(items) = node.value else {
        let found = text(node, "`owner`", report)?;
        return match one(&found, around, report)? {
            None => Some(Owner::Unseen),
            Some(place) => Some(Owner::Shown { places: vec![place], or_none: false }),
        };
    };
    let (mut places, mut or_none, mut good) = (Vec::new(), false, true);
    for item in items {
        let Some(found) = text(item, "a place of the owner", report) else {
            good = false;
            continue;
        };
        match one(&found, around, report) {
            Some(Some(place)) if places.contains(&place) => {
                report.push(found.at.error(format!("`{place}` is there twice")).help("keep one of the two"));
                good = false;
            }
            Some(Some(place)) => places.push(place),
            Some(None) => or_none = true,
            None => good = false,
        }
    }
    if places.is_empty() {
        if good {
            report.push(at.error("this list names no place").help(
                "write `owner: [path.tenant, query.tenant_id]`, or `owner: none` where nothing in the request shows whose it is",
            ));
        }
        return None;
    }
    good.then_some(Owner::Shown { places, or_none })
}

/// One place; `Some(None)` is the word `none`.
fn one(found: &Located<'_, String>, around: Around<'_>, report: &mut Report) -> Option<Option<Place>> {
    let (at, written) = (found.at, found.value.as_str());
    if written == "none" {
        return Some(None);
    }
    let kind = KINDS.iter().find_map(|kind| Some((*kind, written.strip_prefix(kind)?)));
    let Some((kind, name)) = kind else {
        let diagnostic = at.error(format!("`{written}` is no place where an owner can be seen"));
        return report.add(diagnostic.help(
            "write `path.<parameter>`, `query.<parameter>`, `header.<name>`, `id_prefix.<separator>` or `body.<JSON pointer>`, or `none` if nothing in the request shows it",
        ));
    };
    let grpc = around.http.is_some_and(|(method, _)| method == GRPC);
    match kind {
        "path." => has_parameter(at, kind, name, around.http, report).then(|| Some(Place::Path(name.to_owned()))),
        "query." if grpc => {
            let message = format!("`{written}`: a call of gRPC has no query");
            report.add(at.error(message).help("name a header, or write `owner: none`"))
        }
        "query." => query(at, name, report).map(Some),
        "header." => header(at, name, report).map(Some),
        "body." if grpc => {
            let message = format!("`{written}`: the body of a gRPC call is no JSON");
            report.add(at.error(message).help("name a header, or write `owner: none`"))
        }
        "body." if !name.starts_with('/') => {
            let message = format!("`{name}` is no JSON pointer: it must begin with `/`");
            report.add(
                at.error(message).help("write it as `body./customer/tenant_id`, with `*` for every member of a list"),
            )
        }
        "body." => Some(Some(Place::Body(name.to_owned()))),
        _ => prefix(at, name, around, report).map(Some),
    }
}

fn query(at: At<'_>, name: &str, report: &mut Report) -> Option<Place> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) {
        return Some(Place::Query(name.to_owned()));
    }
    let message = format!("`{name}` is no parameter of a query that is looked for");
    report.add(at.error(message).help("write 1 to 64 of `a-z A-Z 0-9 - _ . ~`, as `query.tenant_id`"))
}

fn header(at: At<'_>, name: &str, report: &mut Report) -> Option<Place> {
    let found = headers::of_source(Located { value: name.to_owned(), at }, "x-account", report)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if found.value.is_empty() || found.value.len() > 64 || !found.value.bytes().all(plain) {
        let message = format!("`{name}` is no header that is looked at");
        return report.add(at.error(message).help("write 1 to 64 of `a-z 0-9 -`, as `x-account`"));
    }
    Some(Place::Header(found.value))
}

fn prefix(at: At<'_>, written: &str, around: Around<'_>, report: &mut Report) -> Option<Place> {
    let all = SEPARATORS.map(|c| c.to_string());
    let all = listed(&all.each_ref().map(String::as_str));
    let mut chars = written.chars();
    let separator = chars.next().filter(|_| chars.next().is_none());
    let Some(separator) = separator.filter(|c| SEPARATORS.contains(c)) else {
        let message = match separator {
            Some(c) if c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit() => format!(
                "`{c}` may stand in a tenant's id: nobody could say whether `acme{c}eu{c}7` is of `acme` or of `acme{c}eu`"
            ),
            _ => format!("`{written}` is no separator between a tenant's id and the rest of a resource's"),
        };
        return report.add(at.error(message).help(format!("write one of {all}, as `\"id_prefix.:\"`")));
    };
    if !around.id {
        let message = format!("`id_prefix.{separator}`: the operation names no `id` that could begin with the owner");
        return report.add(at.error(message).help("write `id:` with the parameter that is the resource's id"));
    }
    Some(Place::IdPrefix(separator))
}

/// Reads `hold`, which goes with an owner in the body and with nothing else.
pub(super) fn hold(node: Option<Node<'_>>, owner: Option<&Owner>, at: At<'_>, report: &mut Report) -> Option<u32> {
    const MOST: u32 = 1024 * 1024;
    let reads_body = owner.is_some_and(Owner::reads_body);
    let Some(node) = node else {
        if reads_body {
            return report.add(at.error("the owner stands in the body, and nothing says how much of it is held").help(
                "write `hold: 64 KiB`: as much is read before the service gets the request, and a larger one is denied",
            ));
        }
        return Some(0);
    };
    let at = node.at;
    let hold = size(node, "`hold`", report)?;
    if owner.is_some() && !reads_body {
        let message = "nobody looks into the body, so that it need not be held";
        return report.add(at.error(message).help("take `hold` out, or name the owner's place, as `body./tenant_id`"));
    }
    if owner.is_some_and(Owner::may_be_hidden) {
        let message = "where the owner stands in the body, every body must show it";
        return report.add(at.error(message).help("take `none` out of `owner`, or the place in the body"));
    }
    if hold > MOST {
        return report.add(
            at.error("`hold` is more than 1024 KiB").help("Envoy keeps no more of a request by itself: write less"),
        );
    }
    Some(hold)
}

/// Reads the mapping `query:` or `header:`, which says what must stand there.
pub(super) fn conditions(
    node: Node<'_>,
    kind: &'static str,
    http: Option<(&str, &str)>,
    report: &mut Report,
) -> Option<Vec<Condition>> {
    let help = if kind == "query" { "write `query: { view: full }`" } else { "write `header: { x-mode: admin }`" };
    let at = node.at;
    let Value::Map(entries) = node.value else {
        let message = format!("`{kind}` is written as a mapping, this is {}", node.value.kind());
        return report.add(at.error(message).help(help));
    };
    if kind == "query" && http.is_some_and(|(method, _)| method == GRPC) {
        return report.add(at.error("a call of gRPC has no query").help("ask for a header, or take `query` out"));
    }
    let (mut all, mut good): (Vec<Condition>, bool) = (Vec::new(), true);
    for (name, value) in entries {
        let place =
            if kind == "query" { query(name.at, &name.value, report) } else { header(name.at, &name.value, report) };
        let value = text(value, "the value that is asked for", report);
        let (Some(place), Some(value)) = (place, value) else {
            good = false;
            continue;
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if value.value.is_empty() || value.value.len() > 64 || !value.value.bytes().all(plain) {
            let message = format!("`{}` cannot be asked for: clients write it in more than one way", value.value);
            report.push(value.at.error(message).help("write 1 to 64 of `a-z A-Z 0-9 - . _ ~`"));
            good = false;
        } else if all.iter().any(|one| one.place == place) {
            report.push(name.at.error(format!("`{}` is there twice", name.value)).help("keep one of the two"));
            good = false;
        } else {
            all.push(Condition { place, value: value.value });
        }
    }
    if all.is_empty() && good {
        return report.add(at.error(format!("`{kind}` asks for nothing")).help(help));
    }
    good.then_some(all)
}

/// Where the path itself is no good, that was said; its parameters are not known then.
pub(super) fn has_parameter(
    at: At<'_>,
    prefix: &str,
    name: &str,
    http: Option<(&str, &str)>,
    report: &mut Report,
) -> bool {
    let Some((method, path)) = http else { return true };
    if method == GRPC {
        let message =
            format!("`{prefix}{name}`: the path of a gRPC call names a service and a method, and no resource");
        let help = if prefix.is_empty() { "take `id` out" } else { "write `owner: none`" };
        report.push(at.error(message).help(help));
        return false;
    }
    let names: Vec<&str> = path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
    if names.contains(&name) {
        return true;
    }
    let diagnostic = at.error(format!("the path `{path}` has no parameter `{{{name}}}`"));
    let help = match (nearest(name, names.iter().copied()), names.as_slice()) {
        (Some(meant), _) => format!("did you mean `{prefix}{meant}`?"),
        (None, []) => format!("it has none; write one into the path, as `/…/{{{name}}}`"),
        (None, _) => {
            let names: Vec<String> = names.iter().map(|n| format!("{prefix}{n}")).collect();
            format!("write {}", listed(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        }
    };
    report.push(diagnostic.help(help));
    false
}
