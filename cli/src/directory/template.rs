//! Templates in which `{tenant}` stands for one whole part: a label of a name, a segment of a path or SPIFFE ID.

use partywall_tenancy::SpiffeId;

use crate::directory::fields::Report;
use crate::directory::operation;
use crate::directory::values::is_label;
use crate::directory::yaml::{At, Located};

const TENANT: &str = "{tenant}";

/// What a template is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The name a client asks for.
    Host,
    /// A DNS name of a certificate.
    Dns,
    /// A URI of a certificate.
    Uri,
    /// The beginning of a path.
    Path,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host template",
            Self::Dns => "DNS template",
            Self::Uri => "URI template",
            Self::Path => "path template",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Host => "write `{tenant}` for one whole part of the name: `{tenant}.shop.example`",
            Self::Dns => "write `{tenant}` for one whole part of the name: `{tenant}.clients.example`",
            Self::Uri => {
                "write `{tenant}` for one whole segment: `spiffe://mesh.example/tenant/{tenant}/sa/{workload}`"
            }
            Self::Path => "write `{tenant}` for one whole segment: `/t/{tenant}`",
        }
    }
}

/// A good template.
#[derive(Debug)]
pub(crate) struct Template<'s> {
    /// As it was written.
    pub(crate) text: String,
    form: Form,
    at: At<'s>,
}

/// Reads a template.
pub(crate) fn read<'s>(form: Form, written: Located<'s, String>, report: &mut Report) -> Option<Template<'s>> {
    let Located { value: text, at } = written;
    let what = format!("{} `{text}`", form.name());
    let places = text.matches(TENANT).count();
    let wrong = if places != 1 {
        Some(format!("{what} has `{{tenant}}` {places} times, and needs it once"))
    } else {
        match form {
            Form::Host | Form::Dns => labels_wrong(&what, form, &text),
            Form::Uri => uri_wrong(&what, &text),
            Form::Path => path_wrong(&what, &text),
        }
    };
    match wrong {
        Some(wrong) => report.add(at.error(wrong).help(form.help())),
        None => Some(Template { text, form, at }),
    }
}

fn labels_wrong(what: &str, form: Form, text: &str) -> Option<String> {
    let labels: Vec<&str> = text.split('.').collect();
    if !labels.contains(&TENANT) {
        return Some(format!("{what} has something beside `{{tenant}}` in one part of the name"));
    }
    if let Some(label) = labels.iter().find(|l| **l != TENANT && !is_label(l)) {
        return Some(format!("{what} has a part `{label}` that is no host name in lower case"));
    }
    let every = if form == Form::Host { "every host name" } else { "every DNS name" };
    (labels.len() < 2).then(|| format!("{what} would take {every} for a tenant"))
}

fn uri_wrong(what: &str, text: &str) -> Option<String> {
    if text.strip_prefix("spiffe://").is_some_and(|rest| rest.split('/').next().is_some_and(|d| d.contains(['{', '}'])))
    {
        return Some(format!("{what} has a parameter for its trust domain; whoever signs there could name any tenant"));
    }
    parameters_wrong(what, text).or_else(|| {
        let plain: Vec<&str> =
            text.split('/').map(|segment| if is_parameter(segment) { "x" } else { segment }).collect();
        SpiffeId::parse(&plain.join("/")).err().map(|why| format!("{what} {why}"))
    })
}

fn path_wrong(what: &str, text: &str) -> Option<String> {
    // Judged by the very code that reads the paths of operations.
    parameters_wrong(what, text).or_else(|| operation::path_problem(text).map(|problem| format!("{what}: {problem}")))
}

fn parameters_wrong(what: &str, text: &str) -> Option<String> {
    let mut names = Vec::new();
    for segment in text.split('/') {
        if !is_parameter(segment) && segment.contains(['{', '}']) {
            return Some(format!("{what} has something beside a parameter in the segment `{segment}`"));
        }
        if is_parameter(segment) && names.contains(&segment) {
            return Some(format!("{what} has `{segment}` twice"));
        }
        names.push(segment);
    }
    None
}

fn is_parameter(segment: &str) -> bool {
    segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')).is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    })
}

/// Reports templates of one form that fit one and the same value: which of them counts must not be a guess.
pub(crate) fn apart(templates: &[&Template<'_>], report: &mut Report) {
    for (n, template) in templates.iter().enumerate() {
        let Some((other, clash)) = templates.iter().take(n).find_map(|o| Some((o, clash(o, template)?))) else {
            continue;
        };
        let (name, text) = (template.form.name(), &template.text);
        let (message, help) = match clash {
            Clash::Same => {
                (format!("{name} `{text}` covers the same values as `{}`", other.text), "keep one of the two")
            }
            Clash::TwoTenants(value) => (
                format!("{name} `{text}` and `{}` name two tenants for one value, as `{value}`", other.text),
                "let them differ in a part that both write out, or keep one of the two",
            ),
        };
        report.push(template.at.error(message).help(help));
    }
}

enum Clash {
    Same,
    /// In this value, for example.
    TwoTenants(String),
}

fn clash(a: &Template<'_>, b: &Template<'_>) -> Option<Clash> {
    if a.form != b.form {
        return None;
    }
    let divider = if matches!(a.form, Form::Host | Form::Dns) { '.' } else { '/' };
    let (left, right): (Vec<_>, Vec<_>) = (a.text.split(divider).collect(), b.text.split(divider).collect());
    // A path may go on after its template; everything else has as many parts as its template.
    if left.len() != right.len() && a.form != Form::Path {
        return None;
    }
    let mut value = Vec::new();
    for n in 0..left.len().max(right.len()) {
        value.push(match (left.get(n).copied(), right.get(n).copied()) {
            (Some(l), Some(r)) if !is_parameter(l) && !is_parameter(r) && l != r => return None,
            (Some(l), _) if !is_parameter(l) => l,
            (_, Some(r)) if !is_parameter(r) => r,
            (l, r) if l == Some(TENANT) || r == Some(TENANT) => {
                ["acme", "globex"][usize::from(value.contains(&"acme"))]
            }
            _ => "x",
        });
    }
    let place = |parts: &[&str]| parts.iter().position(|part| *part == TENANT);
    if place(&left) != place(&right) {
        return Some(Clash::TwoTenants(value.join(&divider.to_string())));
    }
    // Where they name the same tenant, only one that adds nothing is worth telling.
    let shape =
        |parts: &[&str]| parts.iter().map(|p| if is_parameter(p) { "{}" } else { p }).collect::<Vec<_>>().join("/");
    (shape(&left) == shape(&right)).then_some(Clash::Same)
}
