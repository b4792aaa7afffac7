//! `overlay.yaml`: what operators take away at once, and the signed overlay made of it.
//!
//! The commands write this file and a person may edit it; `partywall serve` signs what it says.

mod edit;
mod issuing;

use partywall_tenancy::{GrantId, OverlayBody, RevokedKey, RevokedSubject, RevokedToken, TenantId, WithdrawnConsent};

use crate::diagnostic::{Diagnostic, Source};
use crate::directory::{Fields, Located, Mistakes, Node, Value, list, name, parse, tenant_id, text};

pub(crate) use edit::{Served, edit, withdrawn};
pub(crate) use issuing::{Issuer, now_millis};

/// The file's name in the folder that is served.
pub(crate) const FILE: &str = "overlay.yaml";
/// The largest `overlay.yaml`, in bytes.
pub(crate) const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// What is taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    /// Tenants whose requests are denied.
    pub(crate) suspended: Vec<TenantId>,
    /// Tenants whose requests are denied because they are suspected of harm.
    pub(crate) quarantined: Vec<TenantId>,
    /// Tokens that no longer prove anything.
    pub(crate) revoked_tokens: Vec<RevokedToken>,
    /// Subjects whose tokens no longer prove anything.
    pub(crate) revoked_subjects: Vec<RevokedSubject>,
    /// Keys of issuers that no longer sign for anybody.
    pub(crate) revoked_keys: Vec<RevokedKey>,
    /// Issuers whose tokens no longer prove anything.
    pub(crate) revoked_issuers: Vec<String>,
    /// Ids of context signing keys that no longer sign for anybody.
    pub(crate) revoked_signers: Vec<String>,
    /// Ids of API keys that no longer prove anything.
    pub(crate) revoked_api_keys: Vec<String>,
    /// Ids of grants that no longer let anybody cross.
    pub(crate) revoked_grants: Vec<GrantId>,
    /// Consents of tenants that no longer count.
    pub(crate) withdrawn_consents: Vec<WithdrawnConsent>,
    /// Candidates up to this revision decide nothing.
    pub(crate) withdrawn_candidates: u64,
}

impl From<&OverlayBody> for Withdrawn {
    fn from(body: &OverlayBody) -> Self {
        Self {
            suspended: body.suspended.clone(),
            quarantined: body.quarantined.clone(),
            revoked_tokens: body.revoked_tokens.clone(),
            revoked_subjects: body.revoked_subjects.clone(),
            revoked_keys: body.revoked_keys.clone(),
            revoked_issuers: body.revoked_issuers.clone(),
            revoked_signers: body.revoked_signers.clone(),
            revoked_api_keys: body.revoked_api_keys.clone(),
            revoked_grants: body.revoked_grants.clone(),
            withdrawn_consents: body.withdrawn_consents.clone(),
            withdrawn_candidates: body.withdrawn_candidates,
        }
    }
}

impl Withdrawn {
    /// Reads `overlay.yaml`. An empty file takes nothing away.
    pub(crate) fn read(source: &Source) -> Result<Self, Vec<Diagnostic>> {
        if source.text().lines().all(|line| matches!(line.trim().chars().next(), None | Some('#'))) {
            return Ok(Self::default());
        }
        let node = parse(source).map_err(|diagnostic| vec![diagnostic])?;
        let mut mistakes = Mistakes::default();
        let read = Self::of(node, &mut mistakes);
        let mistakes = mistakes.into_sorted();
        if mistakes.is_empty() { Ok(read.unwrap_or_default()) } else { Err(mistakes) }
    }

    fn of(node: Node<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let mut fields = Fields::of(node, "the overlay", mistakes)?;
        let mut tenants = |name: &'static str, mistakes: &mut Mistakes| {
            let node = fields.optional(name)?;
            Some(plain(list(node, &format!("`{name}`"), mistakes, tenant_id)))
        };
        let suspended = tenants("suspended", mistakes).unwrap_or_default();
        let quarantined = tenants("quarantined", mistakes).unwrap_or_default();
        let pairs = |fields: &mut Fields<'_>, name, of: Pair, mistakes: &mut Mistakes| {
            let node = fields.optional(name)?;
            Some(list(node, &format!("`{name}`"), mistakes, |node, mistakes| pair(node, &of, mistakes)))
        };
        let names = |fields: &mut Fields<'_>, name, what: &str, mistakes: &mut Mistakes| {
            let node = fields.optional(name)?;
            Some(plain(list(node, &format!("`{name}`"), mistakes, |node, mistakes| text(node, what, mistakes))))
        };
        let tokens = pairs(&mut fields, "revoked_tokens", TOKEN, mistakes).unwrap_or_default();
        let subjects = pairs(&mut fields, "revoked_subjects", SUBJECT, mistakes).unwrap_or_default();
        let keys = pairs(&mut fields, "revoked_keys", KEY, mistakes).unwrap_or_default();
        let read = Self {
            suspended,
            quarantined,
            revoked_tokens: tokens.into_iter().map(|(issuer, id)| RevokedToken { issuer, id }).collect(),
            revoked_subjects: subjects
                .into_iter()
                .map(|(issuer, subject)| RevokedSubject { issuer, subject })
                .collect(),
            revoked_keys: keys.into_iter().map(|(issuer, id)| RevokedKey { issuer, id }).collect(),
            revoked_issuers: names(&mut fields, "revoked_issuers", "an issuer", mistakes).unwrap_or_default(),
            revoked_signers: names(&mut fields, "revoked_signers", "a signer's key id", mistakes).unwrap_or_default(),
            revoked_api_keys: names(&mut fields, "revoked_api_keys", "the id of an API key", mistakes)
                .unwrap_or_default(),
            revoked_grants: fields
                .optional("revoked_grants")
                .map_or(vec![], |node| list(node, "`revoked_grants`", mistakes, grant_id)),
            withdrawn_consents: fields
                .optional("withdrawn_consents")
                .map_or(vec![], |node| list(node, "`withdrawn_consents`", mistakes, withdrawn_consent)),
            withdrawn_candidates: fields
                .optional("withdrawn_candidates")
                .and_then(|node| revision(node, mistakes))
                .unwrap_or_default(),
        };
        fields.finish(mistakes);
        Some(read.sorted())
    }

    /// One order, whatever was written, so that equal contents are equal bytes.
    fn sorted(mut self) -> Self {
        fn sort<T: Ord>(list: &mut Vec<T>) {
            list.sort();
            list.dedup();
        }
        sort(&mut self.suspended);
        sort(&mut self.quarantined);
        sort(&mut self.revoked_tokens);
        sort(&mut self.revoked_subjects);
        sort(&mut self.revoked_keys);
        sort(&mut self.revoked_issuers);
        sort(&mut self.revoked_signers);
        sort(&mut self.revoked_api_keys);
        sort(&mut self.revoked_grants);
        sort(&mut self.withdrawn_consents);
        self
    }

    /// The text of an `overlay.yaml` that says this.
    pub(crate) fn write(&self) -> String {
        let mut out = String::from(HEAD);
        let mut section = |name: &str, items: Vec<String>| {
            if items.is_empty() {
                out.push_str(&format!("{name}: []\n"));
            } else {
                out.push_str(&format!("{name}:\n"));
                items.iter().for_each(|item| out.push_str(&format!("  - {item}\n")));
            }
        };
        section("suspended", self.suspended.iter().map(|t| quoted(t.as_str())).collect());
        section("quarantined", self.quarantined.iter().map(|t| quoted(t.as_str())).collect());
        let of = |issuer: &str, name: &str, value: &str| {
            format!("{{ issuer: {}, {name}: {} }}", quoted(issuer), quoted(value))
        };
        section("revoked_tokens", self.revoked_tokens.iter().map(|t| of(&t.issuer, TOKEN.name, &t.id)).collect());
        let subjects = self.revoked_subjects.iter();
        section("revoked_subjects", subjects.map(|s| of(&s.issuer, SUBJECT.name, &s.subject)).collect());
        section("revoked_keys", self.revoked_keys.iter().map(|k| of(&k.issuer, KEY.name, &k.id)).collect());
        section("revoked_issuers", self.revoked_issuers.iter().map(|i| quoted(i)).collect());
        section("revoked_signers", self.revoked_signers.iter().map(|s| quoted(s)).collect());
        section("revoked_api_keys", self.revoked_api_keys.iter().map(|k| quoted(k)).collect());
        section("revoked_grants", self.revoked_grants.iter().map(|g| quoted(&g.to_string())).collect());
        let consent = |one: &WithdrawnConsent| {
            format!("{{ tenant: {}, consent: {} }}", quoted(one.tenant.as_str()), quoted(&one.consent))
        };
        section("withdrawn_consents", self.withdrawn_consents.iter().map(consent).collect());
        out.push_str(&format!("withdrawn_candidates: {}\n", self.withdrawn_candidates));
        out
    }

    /// In a few words, for a log line.
    pub(crate) fn summary(&self) -> String {
        let counts = [
            (self.suspended.len(), "suspended"),
            (self.quarantined.len(), "quarantined"),
            (self.revoked_tokens.len(), "tokens revoked"),
            (self.revoked_subjects.len(), "subjects revoked"),
            (self.revoked_keys.len(), "keys revoked"),
            (self.revoked_issuers.len(), "issuers revoked"),
            (self.revoked_signers.len(), "signers revoked"),
            (self.revoked_api_keys.len(), "API keys revoked"),
            (self.revoked_grants.len(), "grants revoked"),
            (self.withdrawn_consents.len(), "consents withdrawn"),
        ];
        let candidates = match self.withdrawn_candidates {
            0 => None,
            revision => Some(format!("candidates up to {revision} withdrawn")),
        };
        let parts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let parts: Vec<String> = parts.chain(candidates).collect();
        if parts.is_empty() { "nothing withdrawn".to_owned() } else { parts.join(", ") }
    }
}

const HEAD: &str = "\
# What is taken away at once, on top of the bundle. `partywall serve` signs it within 100 ms of a change.
# Written by `partywall tenant`, `revoke`, `consent` and `promote`, which keep the entries but not your comments.
";

/// A double-quoted scalar (YAML 1.2.2, section 7.3.1), in ASCII: YAML holds no control characters,
/// and a token id may be anything.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out + "\""
}

fn plain<T>(found: Vec<Located<'_, T>>) -> Vec<T> {
    found.into_iter().map(|located| located.value).collect()
}

fn grant_id(node: Node<'_>, mistakes: &mut Mistakes) -> Option<GrantId> {
    let found = text(node, "the id of a grant", mistakes)?;
    GrantId::parse(&found.value).or_else(|| {
        let diagnostic = found.at.error(format!("`{}` is no id of a grant", found.value));
        mistakes.add(diagnostic.help("write its 32 of `0-9 a-f`, as `partywall grant list` shows them"))
    })
}

/// The revision of a bundle or candidate; empty says none.
fn revision(node: Node<'_>, mistakes: &mut Mistakes) -> Option<u64> {
    let message = match node.value {
        Value::Null => return None,
        Value::Scalar(word) => match word.parse() {
            Ok(revision) => return Some(revision),
            Err(_) => format!("a revision is never `{word}`"),
        },
        other => format!("a revision is not {}", other.kind()),
    };
    mistakes.add(node.at.error(message).help("write the revision of the candidate, as `partywall inspect` shows it"))
}

fn withdrawn_consent(node: Node<'_>, mistakes: &mut Mistakes) -> Option<WithdrawnConsent> {
    let mut fields = Fields::of(node, "a withdrawn consent", mistakes)?;
    let tenant = fields.required("tenant", "write `tenant: acme`", mistakes).and_then(|node| tenant_id(node, mistakes));
    let consent = fields
        .required("consent", "write `consent: analytics`", mistakes)
        .and_then(|node| name(node, "a consent", mistakes));
    fields.finish(mistakes);
    Some(WithdrawnConsent { tenant: tenant?.value, consent: consent?.value })
}

/// Something of an issuer: how its field is called, and what it is in words.
struct Pair {
    what: &'static str,
    name: &'static str,
    value: &'static str,
    help: &'static str,
}

const TOKEN: Pair =
    Pair { what: "a revoked token", name: "id", value: "a token id", help: "write `id: <the token's jti>`" };
const SUBJECT: Pair =
    Pair { what: "a revoked subject", name: "subject", value: "a subject", help: "write `subject: <its sub>`" };
const KEY: Pair = Pair { what: "a revoked key", name: "kid", value: "a key id", help: "write `kid: <its kid>`" };

fn pair(node: Node<'_>, of: &Pair, mistakes: &mut Mistakes) -> Option<(String, String)> {
    let mut fields = Fields::of(node, of.what, mistakes)?;
    let issuer = fields
        .required("issuer", "write `issuer: https://id.acme.example`", mistakes)
        .and_then(|node| text(node, "an issuer", mistakes));
    let value = fields.required(of.name, of.help, mistakes).and_then(|node| text(node, of.value, mistakes));
    fields.finish(mistakes);
    Some((issuer?.value, value?.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let strange = "a\"b\\c\n\r\t: # ~ {} é 😀 \0\u{7f}\u{85}\u{2028}\u{feff}\u{ffff}";
        let withdrawn = Withdrawn {
            suspended: vec![TenantId::parse("acme").unwrap(), TenantId::parse("0x1").unwrap()],
            quarantined: vec![TenantId::parse("123").unwrap()],
            revoked_tokens: vec![RevokedToken { issuer: "https://id".into(), id: strange.into() }],
            revoked_subjects: vec![RevokedSubject { issuer: strange.into(), subject: strange.into() }],
            revoked_keys: vec![RevokedKey { issuer: "https://id".into(), id: "null".into() }],
            revoked_issuers: vec!["https://id".into(), "1e5".into()],
            revoked_signers: vec!["edge-1".into(), "true".into()],
            revoked_api_keys: vec!["0000000000000001".into()],
            revoked_grants: vec![GrantId::new([0x1e; 16]), GrantId::new([0; 16])],
            withdrawn_consents: vec![WithdrawnConsent {
                tenant: TenantId::parse("0x1").unwrap(),
                consent: "1e5".into(),
            }],
            withdrawn_candidates: u64::MAX,
        }
        .sorted();
        let text = withdrawn.write();
        assert_eq!(Withdrawn::read(&Source::new("overlay.yaml", &text)), Ok(withdrawn), "{text}");
        let nothing = Withdrawn::default();
        assert_eq!(Withdrawn::read(&Source::new("overlay.yaml", nothing.write())), Ok(nothing));
    }

    #[test]
    fn an_empty_file_takes_nothing_away_and_a_broken_one_is_an_error() {
        for text in ["", "\n", "# only a comment\n", "suspended:\n"] {
            assert_eq!(Withdrawn::read(&Source::new("o", text)), Ok(Withdrawn::default()), "{text}");
        }
        for text in [
            "suspended: acme",
            "suspended: [Acme]",
            "suspnded: [acme]",
            "[",
            "revoked_tokens: [{id: x}]",
            "revoked_keys: [{issuer: i, id: x}]",
            "revoked_grants: [x]",
            "withdrawn_consents: [analytics]",
            "withdrawn_candidates: -1",
            "withdrawn_candidates: \"7\"",
            "withdrawn_candidates: [7]",
            "withdrawn_candidates: 18446744073709551616",
            "withdrawn_consents: [{ tenant: acme }]",
            "withdrawn_consents: [{ tenant: acme, consent: Analytics }]",
            "revoked_grants: [\"0000000000000000000000000000000G\"]",
        ] {
            assert!(Withdrawn::read(&Source::new("o", text)).is_err(), "{text}");
        }
    }
}
