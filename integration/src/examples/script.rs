//! `requests.yaml` of an example: given, when, then.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Who issues tokens, by `iss`, and the file in the keys folder that holds its JWK set.
    #[serde(default)]
    pub issuers: BTreeMap<String, String>,
    /// Issuers, and what goes with them, that a shell script writes.
    pub generated: Option<Generated>,
    /// How Envoy's own `jwt_authn` is run, where that is not as it comes.
    #[serde(default)]
    pub native: Beside,
    /// The edge speaks TLS; clients may show certificates.
    #[serde(default)]
    pub tls: bool,
    /// What is asked, in this order.
    pub requests: Vec<Ask>,
}

/// What the example is compared with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// What it is called.
    pub called: String,
    /// Runtime keys of Envoy.
    pub runtime: BTreeMap<String, bool>,
}

impl Default for Beside {
    fn default() -> Self {
        Self { called: "Envoy's own jwt_authn".into(), runtime: BTreeMap::new() }
    }
}

/// Many issuers of one shape. In `issuer` and `jwks`, `{n}` stands for the number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// Run as `sh SCRIPT COUNT TENANCY`: adds to a tenancy directory, which holds the first, all others.
    pub script: String,
    /// Run as `sh SCRIPT COUNT`; prints the same as a configuration of `jwt_authn`.
    pub native: String,
    /// As in [`Script::issuers`].
    pub issuer: String,
    /// As in [`Script::issuers`].
    pub jwks: String,
    /// How many there are when the requests are sent.
    pub count: usize,
}

impl Generated {
    /// `iss` and JWK set of each.
    pub fn issuers(&self) -> impl Iterator<Item = (String, String)> {
        let of = |text: &str, n: usize| text.replace("{n}", &n.to_string());
        (1..=self.count).map(move |n| (of(&self.issuer, n), of(&self.jwks, n)))
    }
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What it is, in words.
    pub name: String,
    /// What the client holds.
    #[serde(default)]
    pub given: Given,
    /// What it sends.
    pub when: When,
    /// What must come of it.
    pub then: Then,
    /// What comes of the same request at Envoy's own `jwt_authn`.
    pub native: Option<Native>,
}

/// What a client holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// A token.
    pub token: Option<Token>,
    /// A client certificate with this URI and no other name.
    pub certificate: Option<String>,
}

/// A token, good for ten minutes from now.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// `iss`.
    pub issuer: String,
    /// The issuer whose key signs; `issuer` where this is left out.
    pub key_of: Option<String>,
    /// Every other claim but `iat`, `nbf`, `exp` and `jti`.
    pub claims: Map<String, Value>,
}

/// What a client sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The path of a GET.
    pub get: String,
    /// The authority.
    pub host: String,
    /// More headers; of several values each is a header of its own.
    #[serde(default)]
    pub headers: BTreeMap<String, Values>,
}

/// What must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// The status told.
    pub status: u16,
    /// Decision and reason in the access log of the edge; `-` where Envoy answered before the filter ran.
    pub log: String,
    /// Headers as they reach the app; an empty list for one that does not.
    #[serde(default)]
    pub app: BTreeMap<String, Values>,
}

/// What comes of it at Envoy's own `jwt_authn`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Native {
    /// The status told.
    pub status: u16,
    /// As in [`Then::app`].
    #[serde(default)]
    pub app: BTreeMap<String, Values>,
}

/// One value of a header or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// One.
    One(String),
    /// Several, or none.
    Many(Vec<String>),
}

impl Values {
    /// Them all.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl Script {
    /// Reads a `requests.yaml`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))
    }

    /// Every issuer: `iss` and JWK set.
    pub fn all_issuers(&self) -> Vec<(String, String)> {
        let written = self.issuers.iter().map(|(issuer, jwks)| (issuer.clone(), jwks.clone()));
        written.chain(self.generated.iter().flat_map(Generated::issuers)).collect()
    }
}
