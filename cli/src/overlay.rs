//! `overlay.yaml`: what operators take away at once, and the signed overlay made of it.
//!
//! The commands write this file and a person may edit it; `partywall serve` signs what it says.

mod edit;
mod issuing;

use partywall_tenancy::{OverlayBody, RevokedToken, TenantId};

use crate::diagnostic::{Diagnostic, Source};
use crate::directory::{Fields, Located, Mistakes, Node, list, parse, tenant_id, text};

pub(crate) use edit::{Served, edit};
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
    /// Ids of context signing keys that no longer sign for anybody.
    pub(crate) revoked_signers: Vec<String>,
}

impl From<&OverlayBody> for Withdrawn {
    fn from(body: &OverlayBody) -> Self {
        Self {
            suspended: body.suspended.clone(),
            quarantined: body.quarantined.clone(),
            revoked_tokens: body.revoked_tokens.clone(),
            revoked_signers: body.revoked_signers.clone(),
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
        let revoked_tokens =
            fields.optional("revoked_tokens").map_or(vec![], |n| list(n, "`revoked_tokens`", mistakes, token));
        let revoked_signers = fields
            .optional("revoked_signers")
            .map_or(vec![], |n| plain(list(n, "`revoked_signers`", mistakes, |n, m| text(n, "a signer's key id", m))));
        fields.finish(mistakes);
        Some(Self { suspended, quarantined, revoked_tokens, revoked_signers }.sorted())
    }

    /// One order, whatever was written, so that equal contents are equal bytes.
    fn sorted(mut self) -> Self {
        self.suspended.sort();
        self.suspended.dedup();
        self.quarantined.sort();
        self.quarantined.dedup();
        self.revoked_tokens.sort_by(|a, b| (&a.issuer, &a.id).cmp(&(&b.issuer, &b.id)));
        self.revoked_tokens.dedup();
        self.revoked_signers.sort();
        self.revoked_signers.dedup();
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
        let token = |t: &RevokedToken| format!("{{ issuer: {}, id: {} }}", quoted(&t.issuer), quoted(&t.id));
        section("revoked_tokens", self.revoked_tokens.iter().map(token).collect());
        section("revoked_signers", self.revoked_signers.iter().map(|s| quoted(s)).collect());
        out
    }

    /// In a few words, for a log line.
    pub(crate) fn summary(&self) -> String {
        let counts = [
            (self.suspended.len(), "suspended"),
            (self.quarantined.len(), "quarantined"),
            (self.revoked_tokens.len(), "tokens revoked"),
            (self.revoked_signers.len(), "signers revoked"),
        ];
        let parts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if parts.is_empty() { "nothing withdrawn".to_owned() } else { parts.join(", ") }
    }
}

const HEAD: &str = "\
# What is taken away at once, on top of the bundle. `partywall serve` signs it within 100 ms of a change.
# Written by `partywall tenant` and `partywall revoke`, which keep the entries but not your comments.
";

/// A double-quoted scalar (YAML 1.2.2, section 7.3.1), in ASCII: YAML holds no control characters,
/// and a token id may be anything.
fn quoted(text: &str) -> String {
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

fn token(node: Node<'_>, mistakes: &mut Mistakes) -> Option<RevokedToken> {
    let mut fields = Fields::of(node, "a revoked token", mistakes)?;
    let issuer = fields
        .required("issuer", "write `issuer: https://id.acme.example`", mistakes)
        .and_then(|node| text(node, "an issuer", mistakes));
    let id = fields
        .required("id", "write `id: <the token's jti>`", mistakes)
        .and_then(|node| text(node, "a token id", mistakes));
    fields.finish(mistakes);
    Some(RevokedToken { issuer: issuer?.value, id: id?.value })
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
            revoked_signers: vec!["edge-1".into(), "true".into()],
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
        for text in ["suspended: acme", "suspended: [Acme]", "suspnded: [acme]", "[", "revoked_tokens: [{id: x}]"] {
            assert!(Withdrawn::read(&Source::new("o", text)).is_err(), "{text}");
        }
    }
}
