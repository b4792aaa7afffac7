//! `sources:` of `mesh.yaml`: where a tenant is learned from, per role.

use partywall_tenancy::{Source, Sources};

use crate::directory::fields::{Fields, Report, listed, once_each, text};
use crate::directory::headers;
use crate::directory::template::{self, Form, Template};
use crate::directory::values::spiffe_pattern;
use crate::directory::yaml::{At, Located, Node, Value};
use crate::nearest::nearest;

/// `sources` as written, each one checked by itself.
#[derive(Debug, Default)]
pub(crate) struct SourcesEntry<'s> {
    /// `edge`.
    pub(crate) edge: Vec<SourceEntry<'s>>,
    /// `inbound`.
    pub(crate) inbound: Vec<SourceEntry<'s>>,
}

/// One source.
#[derive(Debug)]
pub(crate) struct SourceEntry<'s> {
    /// Where it is written.
    pub(crate) at: At<'s>,
    read: Read<'s>,
}

#[derive(Debug)]
enum Read<'s> {
    Jwt,
    ApiKey(Located<'s, String>),
    Template(Template<'s>, Form),
    Header { name: Located<'s, String>, peers: Vec<String> },
}

impl SourcesEntry<'_> {
    /// As the bundle says it.
    pub(crate) fn to_sources(&self) -> Sources {
        let list = |entries: &[SourceEntry<'_>]| entries.iter().map(|entry| entry.read.to_source()).collect();
        Sources { edge: list(&self.edge), inbound: list(&self.inbound) }
    }

    /// Headers that are taken out of every request, from whomever it comes: those of selecting sources.
    pub(crate) fn selecting_headers(&self) -> impl Iterator<Item = &String> {
        self.edge.iter().filter_map(|entry| match &entry.read {
            Read::Header { name, .. } => Some(&name.value),
            _ => None,
        })
    }

    /// Where JWTs are listed.
    pub(crate) fn jwt(&self) -> Option<At<'_>> {
        self.edge.iter().find(|entry| matches!(entry.read, Read::Jwt)).map(|entry| entry.at)
    }

    /// Whether API keys are listed.
    pub(crate) fn has_api_key(&self) -> bool {
        self.edge.iter().any(|entry| matches!(entry.read, Read::ApiKey(_)))
    }
}

impl Read<'_> {
    fn to_source(&self) -> Source {
        match self {
            Self::Jwt => Source::Jwt,
            Self::ApiKey(header) => Source::ApiKey { header: header.value.clone() },
            Self::Header { name, peers } => Source::Header { name: name.value.clone(), peers: peers.clone() },
            Self::Template(template, form) => {
                let template = template.text.clone();
                match form {
                    Form::Uri => Source::UriSan { template },
                    Form::Dns => Source::DnsSan { template },
                    Form::Host => Source::Host { template },
                    Form::Path => Source::Path { template },
                }
            }
        }
    }

    fn proves(&self) -> bool {
        matches!(self, Self::Jwt | Self::ApiKey(_) | Self::Template(_, Form::Uri | Form::Dns))
    }
}

const EDGE: &str = "write `edge: [jwt, { host: \"{tenant}.shop.example\" }]`";

/// Reads `sources`. `None` where what is left says less than what was meant.
pub(crate) fn read<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<SourcesEntry<'s>> {
    let mut fields = Fields::of(node, "`sources`", report)?;
    let edge = fields.required("edge", EDGE, report);
    let inbound = fields.optional("inbound");
    fields.finish(report);
    let edge = edge.and_then(|node| role(node, "`sources.edge`", EDGE_KINDS, trust_domain, report));
    let inbound = match inbound {
        Some(node) => role(node, "`sources.inbound`", INBOUND_KINDS, trust_domain, report),
        None => Some((None, Vec::new())),
    };
    if let Some((Some(at), sources)) = &edge
        && !sources.iter().any(|source| source.read.proves())
    {
        let diagnostic = at.error("no source of the edge proves anything, so that every request is denied");
        report.push(
            diagnostic.help(
                "add `jwt`, `api_key` or `certificate`; a host, a path or a header only narrows what these prove",
            ),
        );
    }
    Some(SourcesEntry { edge: edge?.1, inbound: inbound?.1 })
}

/// Sources of the edge.
pub(crate) const EDGE_KINDS: &[&str] = &["jwt", "api_key", "certificate", "host", "path", "header"];
/// Sources of an inbound filter.
pub(crate) const INBOUND_KINDS: &[&str] = &["certificate", "path"];

type Role<'s> = (Option<At<'s>>, Vec<SourceEntry<'s>>);

/// The sources of one role; `None` where one of them is no good.
fn role<'s>(
    node: Node<'s>,
    what: &str,
    kinds: &[&'static str],
    trust_domain: Option<&str>,
    report: &mut Report,
) -> Option<Role<'s>> {
    let at = node.at;
    let Value::List(items) = node.value else {
        let diagnostic = at.error(format!("{what} is a list, this is {}", node.value.kind()));
        return report.add(diagnostic.help("write one `- source` per line; the order counts"));
    };
    let count = items.len();
    let found: Vec<_> = items.into_iter().filter_map(|item| source(item, kinds, trust_domain, report)).collect();
    apart(&found, report);
    (found.len() == count).then_some((Some(at), found))
}

fn source<'s>(
    node: Node<'s>,
    kinds: &[&'static str],
    trust_domain: Option<&str>,
    report: &mut Report,
) -> Option<SourceEntry<'s>> {
    let at = node.at;
    let (kind, settings) = match node.value {
        Value::Text(kind) => (Located { value: kind, at }, None),
        Value::Map(mut entries) if entries.len() == 1 => {
            let (kind, settings) = entries.remove(0);
            (kind, Some(settings))
        }
        Value::Map(entries) => {
            let diagnostic = at.error(format!("this entry has {} sources", entries.len()));
            return report.add(diagnostic.help("write each source as an entry of its own, with a `-` before it"));
        }
        other => {
            let diagnostic = at.error(format!("a source is a word or a mapping, this is {}", other.kind()));
            return report.add(diagnostic.help(format!("write {}", listed(kinds))));
        }
    };
    if !kinds.contains(&kind.value.as_str()) {
        return report.add(unknown(&kind, kinds));
    }
    let read = match (kind.value.as_str(), settings.filter(|node| !matches!(node.value, Value::Null))) {
        ("jwt", None) => Read::Jwt,
        ("jwt", Some(_)) => {
            return report
                .add(kind.at.error("`jwt` has no settings here").help("write `- jwt`; `issuers` says the rest"));
        }
        (name, None) => {
            let diagnostic = kind.at.error(format!("`{name}` does not say where it is read from"));
            return report.add(diagnostic.help(format!("write `- {}`", example(name))));
        }
        ("api_key", Some(node)) => Read::ApiKey(api_key(node, report)?),
        ("certificate", Some(node)) => certificate(node, report)?,
        ("header", Some(node)) => header(node, trust_domain, report)?,
        ("host", Some(node)) => of_template(Form::Host, node, report)?,
        (_, Some(node)) => of_template(Form::Path, node, report)?,
    };
    Some(SourceEntry { at, read })
}

fn unknown(kind: &Located<'_, String>, kinds: &[&'static str]) -> crate::diagnostic::Diagnostic {
    let name = &kind.value;
    if EDGE_KINDS.contains(&name.as_str()) {
        let diagnostic = kind.at.error(format!("`{name}` is no source of an inbound filter"));
        return diagnostic.help("the root context counts there always; besides, only `certificate` and `path` do");
    }
    let diagnostic = kind.at.error(format!("there is no source `{name}`"));
    diagnostic.help(match nearest(name, kinds.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write {}", listed(kinds)),
    })
}

fn example(kind: &str) -> &'static str {
    match kind {
        "api_key" => "api_key: { header: x-api-key }",
        "certificate" => "certificate: { uri: \"spiffe://mesh.example/tenant/{tenant}/sa/{workload}\" }",
        "host" => "host: \"{tenant}.shop.example\"",
        "path" => "path: \"/t/{tenant}\"",
        _ => "header: { name: x-shop-tenant, from: [\"spiffe://mesh.example/ns/*/sa/partner-gateway\"] }",
    }
}

fn of_template<'s>(form: Form, node: Node<'s>, report: &mut Report) -> Option<Read<'s>> {
    let written = text(node, "a template", report)?;
    template::read(form, written, report).map(|template| Read::Template(template, form))
}

fn api_key<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let mut fields = Fields::of(node, "`api_key`", report)?;
    let header = fields.required("header", "write `header: x-api-key`", report);
    fields.finish(report);
    let name = text(header?, "a header", report)?;
    headers::of_source(name, "x-api-key", report)
}

fn certificate<'s>(node: Node<'s>, report: &mut Report) -> Option<Read<'s>> {
    const HELP: &str = "write `certificate: { uri: … }` or `certificate: { dns: … }`; both are two entries";
    let at = node.at;
    let mut fields = Fields::of(node, "`certificate`", report)?;
    let (uri, dns) = (fields.optional("uri"), fields.optional("dns"));
    fields.finish(report);
    match (uri, dns) {
        (Some(node), None) => of_template(Form::Uri, node, report),
        (None, Some(node)) => of_template(Form::Dns, node, report),
        (Some(_), Some(_)) => report.add(at.error("one source reads one name of a certificate").help(HELP)),
        (None, None) => report.add(at.error("`certificate` does not say which name of it is read").help(HELP)),
    }
}

fn header<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<Read<'s>> {
    const FROM: &str =
        "write `from: [\"spiffe://mesh.example/ns/*/sa/partner-gateway\"]`: a header that anybody may set says nothing";
    let mut fields = Fields::of(node, "`header`", report)?;
    let name = fields.required("name", "write `name: x-shop-tenant`", report);
    let from = fields.required("from", FROM, report);
    fields.finish(report);
    let name = name
        .and_then(|node| text(node, "a header", report))
        .and_then(|name| headers::of_source(name, "x-shop-tenant", report));
    let from = from?;
    let Value::List(items) = from.value else {
        let diagnostic = from.at.error(format!("`from` is a list of patterns, this is {}", from.value.kind()));
        return report.add(diagnostic.help(FROM));
    };
    if items.is_empty() {
        return report.add(from.at.error("nobody may set this header, so that it is never read").help(FROM));
    }
    let count = items.len();
    let found = items.into_iter().filter_map(|item| spiffe_pattern(item, trust_domain, report)).collect();
    let peers = once_each(found, "`from`", report);
    let peers: Vec<_> = peers.into_iter().map(|peer| peer.value).collect();
    (peers.len() == count).then_some(Read::Header { name: name?, peers })
}

/// INVARIANT: one request header is one source, and a source is there once.
fn apart(sources: &[SourceEntry<'_>], report: &mut Report) {
    let mut headers: Vec<&str> = Vec::new();
    let mut jwt = false;
    for source in sources {
        match &source.read {
            Read::Jwt if jwt => report.push(source.at.error("`jwt` is there twice").help("keep one of the two")),
            Read::Jwt => jwt = true,
            Read::ApiKey(name) | Read::Header { name, .. } if headers.contains(&name.value.as_str()) => {
                let diagnostic = name.at.error(format!("header `{}` is a source already", name.value));
                report.push(diagnostic.help("put its peers into one entry, or give this source a header of its own"));
            }
            Read::ApiKey(name) | Read::Header { name, .. } => headers.push(&name.value),
            Read::Template(..) => {}
        }
    }
    let templates: Vec<_> = sources
        .iter()
        .filter_map(|source| match &source.read {
            Read::Template(template, _) => Some(template),
            _ => None,
        })
        .collect();
    template::apart(&templates, report);
}
