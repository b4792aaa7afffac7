//! What a client shows in a case: the fields of `given` beside `tenant`.

use serde_json::{Map, Value as Json};

use crate::credentials::{Certificate, Shown, Token};
use crate::directory::{Fields, Mistakes, Node, Value, parse_duration, text};

/// How to write one.
pub(super) const EXAMPLE: &str = "write `given: { tenant: acme, roles: [viewer] }`, or what a client shows: \
    `given: { token: { issuer: \"https://id.acme.example\", claims: { tenant: acme, roles: [viewer] } } }`";

const TOKEN: &str = "write `token: { issuer: \"https://id.acme.example\", claims: { tenant: acme } }`";

/// Takes them out of `given`: `None` where none of them is there, `Some(None)` where one is no good.
pub(super) fn read(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Option<Shown>> {
    let token = fields.optional("token");
    let api_key = fields.optional("api_key");
    let certificate = fields.optional("certificate");
    let host = fields.optional("host");
    let headers = fields.optional("headers");
    if [&token, &api_key, &certificate, &host, &headers].iter().all(|node| node.is_none()) {
        return None;
    }
    let token = token.map(|node| self::token(node, mistakes));
    let api_key = api_key.map(|node| plain(node, "an API key", mistakes));
    let certificate = certificate.map(|node| self::certificate(node, mistakes));
    let host = host.map(|node| plain(node, "a host", mistakes));
    let headers = headers.map(|node| self::headers(node, mistakes));
    Some(all(token, api_key, certificate, host, headers))
}

type Read<T> = Option<Option<T>>;

fn all(
    token: Read<Token>,
    api_key: Read<String>,
    certificate: Read<Certificate>,
    host: Read<String>,
    headers: Read<Vec<(String, String)>>,
) -> Option<Shown> {
    Some(Shown {
        token: token.map_or(Some(None), |read| read.map(Some))?,
        api_key: api_key.map_or(Some(None), |read| read.map(Some))?,
        certificate: certificate.map_or(Some(None), |read| read.map(Some))?,
        host: host.map_or(Some(None), |read| read.map(Some))?,
        headers: headers.map_or(Some(Vec::new()), |read| read)?,
        address: String::new(),
    })
}

fn token(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Token> {
    let mut fields = Fields::of(node, "a token of a case", mistakes)?;
    let issuer = fields.required("issuer", TOKEN, mistakes).and_then(|node| plain(node, "an issuer", mistakes));
    let claims = fields.required("claims", TOKEN, mistakes).and_then(|node| claims(node, mistakes));
    let age = match fields.optional("age") {
        Some(node) => age(node, mistakes),
        None => Some(0),
    };
    fields.finish(mistakes);
    Some(Token { issuer: issuer?, claims: claims?, age: age? })
}

fn claims(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Map<String, Json>> {
    let at = node.at;
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("`claims` is a mapping, this is {}", node.value.kind());
        return mistakes.add(at.error(message).help(TOKEN));
    }
    match json(node, mistakes)? {
        Json::Object(claims) => Some(claims),
        _ => None,
    }
}

/// Any JSON: claims are as free as an issuer is.
fn json(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Json> {
    Some(match node.value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::String(text),
        Value::Scalar(scalar) => match serde_json::from_str(&scalar) {
            Ok(value) => value,
            Err(_) => {
                let message = format!("`{scalar}` is nothing that a token holds");
                return mistakes.add(node.at.error(message).help("write a number as JSON does, or put it in quotes"));
            }
        },
        Value::List(items) => {
            let items: Vec<_> = items.into_iter().map(|item| json(item, mistakes)).collect();
            Json::Array(items.into_iter().collect::<Option<_>>()?)
        }
        Value::Map(entries) => {
            let mut map = Map::new();
            let mut good = true;
            for (name, value) in entries {
                if map.contains_key(&name.value) {
                    let diagnostic = name.at.error(format!("claim `{}` is there twice", name.value));
                    mistakes.push(diagnostic.help("keep one of the two"));
                    good = false;
                }
                match json(value, mistakes) {
                    Some(value) => drop(map.insert(name.value, value)),
                    None => good = false,
                }
            }
            if !good {
                return None;
            }
            Json::Object(map)
        }
    })
}

fn age(node: Node<'_>, mistakes: &mut Mistakes) -> Option<u32> {
    const HELP: &str = "write how long ago the token was issued, as `2h`; tokens of cases live for ten minutes";
    let found = text(node, "the age of a token", mistakes)?;
    match parse_duration(&found.value) {
        Some(age) => Some(age),
        None => mistakes.add(found.at.error(format!("`{}` is no duration", found.value)).help(HELP)),
    }
}

fn certificate(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Certificate> {
    const HELP: &str = "write `certificate: { uri: spiffe://mesh.example/tenant/acme/sa/jobs }`, or `dns:`";
    let at = node.at;
    let mut fields = Fields::of(node, "a certificate of a case", mistakes)?;
    let uri = fields.optional("uri").map(|node| plain(node, "a URI", mistakes));
    let dns = fields.optional("dns").map(|node| plain(node, "a DNS name", mistakes));
    fields.finish(mistakes);
    if uri.is_none() && dns.is_none() {
        return mistakes.add(at.error("this certificate has no name").help(HELP));
    }
    let name = |read: Read<String>| read.map_or(Some(String::new()), |read| read);
    Some(Certificate { uri: name(uri)?, dns: name(dns)? })
}

/// Headers, each name once.
pub(super) fn headers(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Vec<(String, String)>> {
    const HELP: &str = "write `headers: { x-shop-tenant: acme }`";
    let Value::Map(entries) = node.value else {
        let message = format!("`headers` is a mapping, this is {}", node.value.kind());
        return mistakes.add(node.at.error(message).help(HELP));
    };
    let mut found: Vec<Option<(String, String)>> = Vec::new();
    for (name, value) in entries {
        if found.iter().flatten().any(|(known, _)| *known == name.value) {
            mistakes.push(name.at.error(format!("`{}` is there twice", name.value)).help("keep one of the two"));
        }
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if name.value.is_empty() || !name.value.bytes().all(good) {
            let message = format!("`{}` is no name of a header in lower case", name.value);
            mistakes.push(name.at.error(message).help(HELP));
            continue;
        }
        found.push(plain(value, "a header", mistakes).map(|value| (name.value, value)));
    }
    found.into_iter().collect()
}

fn plain(node: Node<'_>, what: &str, mistakes: &mut Mistakes) -> Option<String> {
    text(node, what, mistakes).map(|found| found.value)
}
