//! JWK sets (RFC 7517) to the public keys of a bundle.
//!
//! JSON is YAML, so that a set in a file and one written into `mesh.yaml` are read alike, and a
//! mistake in either has its line and column.

mod material;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_tenancy::{IssuerKey, KeyAlgorithm};

use crate::diagnostic::Diagnostic;
use crate::directory::fields::{Report, listed};
use crate::directory::yaml::{At, Node, Value};

/// The most keys of one issuer.
const MAX_KEYS: usize = 32;

/// Reads a JWK set. Fields that Partywall does not need are let be (RFC 7517, section 5).
pub(crate) fn read(node: &Node<'_>, report: &mut Report) -> Vec<IssuerKey> {
    const HELP: &str = "write `{ \"keys\": [ … ] }`";
    let Value::Map(entries) = &node.value else {
        report.push(*error(node.at, format!("a JWK set is a mapping, this is {}", node.value.kind()), HELP));
        return Vec::new();
    };
    let Some((_, keys)) = entries.iter().find(|(key, _)| key.value == "keys") else {
        let help = if entries.iter().any(|(key, _)| key.value == "kty") {
            "this is a single key; write `{ \"keys\": [ … ] }` around it"
        } else {
            HELP
        };
        report.push(*error(node.at, "a JWK set needs `keys`", help));
        return Vec::new();
    };
    let items = match &keys.value {
        Value::List(items) if (1..=MAX_KEYS).contains(&items.len()) => items,
        Value::List(items) => {
            let message = format!("this JWK set has {} keys; it needs 1 to {MAX_KEYS}", items.len());
            report.push(*error(keys.at, message, "write the keys that sign today, and the next one"));
            return Vec::new();
        }
        other => {
            report.push(*error(keys.at, format!("`keys` is a list, this is {}", other.kind()), HELP));
            return Vec::new();
        }
    };
    let mut found: Vec<IssuerKey> = Vec::new();
    for item in items {
        match read_key(item) {
            Ok(key) if found.iter().any(|other| other.id == key.id) => {
                let message = format!("key id `{}` is there twice in this set", key.id);
                report.push(*error(item.at, message, "give each key a `kid` of its own"));
            }
            Ok(key) => found.push(key),
            Err(diagnostic) => report.push(*diagnostic),
        }
    }
    found
}

fn read_key(node: &Node<'_>) -> Result<IssuerKey, Box<Diagnostic>> {
    let jwk = Jwk::of(node)?;
    jwk.refuse_private()?;
    let id = jwk.text("kid", "an id of this key, as the `kid` in the header of its tokens")?;
    let algorithm = jwk.algorithm()?;
    jwk.refuse_other_use()?;
    let spki = material::spki(&jwk, algorithm)?;
    if id.len() > 256 {
        return Err(error(jwk.at_of("kid"), "this `kid` is longer than 256 bytes", "use a shorter one"));
    }
    Ok(IssuerKey { id: id.to_owned(), algorithm, spki })
}

/// Algorithms with public keys, and the type of key each needs.
const PUBLISHED: &[(KeyAlgorithm, &str)] = &[
    (KeyAlgorithm::Rs256, "RSA"),
    (KeyAlgorithm::Rs384, "RSA"),
    (KeyAlgorithm::Rs512, "RSA"),
    (KeyAlgorithm::Ps256, "RSA"),
    (KeyAlgorithm::Es256, "EC"),
    (KeyAlgorithm::Es384, "EC"),
    (KeyAlgorithm::EdDsa, "OKP"),
];

struct Jwk<'n, 's> {
    at: At<'s>,
    entries: Vec<(&'n str, &'n Node<'s>)>,
}

impl<'n, 's> Jwk<'n, 's> {
    fn of(node: &'n Node<'s>) -> Result<Self, Box<Diagnostic>> {
        let Value::Map(entries) = &node.value else {
            let message = format!("a key is a mapping, this is {}", node.value.kind());
            return Err(error(node.at, message, "write `{ \"kty\": …, \"kid\": …, \"alg\": …, … }`"));
        };
        let mut kept: Vec<(&str, &Node<'_>)> = Vec::new();
        for (key, value) in entries {
            if kept.iter().any(|(name, _)| *name == key.value) {
                return Err(error(
                    key.at,
                    format!("`{}` is there twice in this key", key.value),
                    "keep one of the two",
                ));
            }
            kept.push((&key.value, value));
        }
        Ok(Self { at: node.at, entries: kept })
    }

    fn find(&self, name: &str) -> Option<&'n Node<'s>> {
        self.entries.iter().find(|(key, _)| *key == name).map(|(_, node)| *node)
    }

    fn at_of(&self, name: &str) -> At<'s> {
        self.find(name).map_or(self.at, |node| node.at)
    }

    fn text(&self, name: &str, what: &str) -> Result<&'n str, Box<Diagnostic>> {
        match self.find(name).map(|node| &node.value) {
            Some(Value::Text(text)) if !text.is_empty() => Ok(text),
            Some(_) => {
                Err(error(self.at_of(name), format!("`{name}` is a text that is not empty"), format!("write {what}")))
            }
            None => Err(error(self.at, format!("this key has no `{name}`"), format!("write `\"{name}\"`: {what}"))),
        }
    }

    /// INVARIANT: no private key gets past this point: what lies in a bundle, anybody may read.
    fn refuse_private(&self) -> Result<(), Box<Diagnostic>> {
        const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        match PRIVATE.iter().find_map(|name| self.find(name)) {
            Some(node) => Err(error(
                node.at,
                "this set holds a private key",
                "take it out, publish the public half alone, and count the key as leaked",
            )),
            None => Ok(()),
        }
    }

    fn algorithm(&self) -> Result<KeyAlgorithm, Box<Diagnostic>> {
        let known: Vec<&str> = PUBLISHED.iter().map(|(algorithm, _)| algorithm.name()).collect();
        let known = listed(&known);
        let alg = self.text("alg", &format!("the one algorithm this key is for, {known}"))?;
        let kty = self.text("kty", "`RSA`, `EC` or `OKP`")?;
        let Some((algorithm, needed)) = PUBLISHED.iter().find(|(algorithm, _)| algorithm.name() == alg) else {
            let message = format!("`alg` `{alg}` is not verified here");
            let help = if alg == KeyAlgorithm::Hs256.name() {
                "a shared secret is no part of a JWK set; write its id under `symmetric_keys` of the issuer".to_owned()
            } else {
                format!("use a key for {known}")
            };
            return Err(error(self.at_of("alg"), message, help));
        };
        if kty != *needed {
            let message = format!("`alg` `{alg}` needs a key of type `{needed}`, this is `{kty}`");
            return Err(error(self.at_of("kty"), message, "copy the key from its issuer again"));
        }
        Ok(*algorithm)
    }

    /// `use` and `key_ops`, where they are there (RFC 7517, sections 4.2 and 4.3).
    fn refuse_other_use(&self) -> Result<(), Box<Diagnostic>> {
        let other_use = self.find("use").filter(|node| !matches!(&node.value, Value::Text(t) if t == "sig"));
        let other_ops = self.find("key_ops").filter(|node| match &node.value {
            Value::List(items) => !items.iter().any(|item| matches!(&item.value, Value::Text(t) if t == "verify")),
            _ => true,
        });
        match other_use.or(other_ops) {
            Some(node) => {
                Err(error(node.at, "this key is not meant for verifying signatures", "leave it out of this set"))
            }
            None => Ok(()),
        }
    }

    fn base64url(&self, name: &str, what: &str) -> Result<Vec<u8>, Box<Diagnostic>> {
        let text = self.text(name, what)?;
        BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| {
            let message = format!("`{name}` is not base64url without padding");
            error(self.at_of(name), message, "use `-` and `_` for `+` and `/`, and no `=`")
        })
    }
}

/// The line is never shown: a terminal or a build log is no place for a private key, and this one
/// may lie beside another mistake.
fn error(at: At<'_>, message: impl Into<String>, help: impl Into<String>) -> Box<Diagnostic> {
    Box::new(at.error(message).help(help).without_line())
}
