//! Looks into a statement whose keys are not at hand. What comes out proves nothing: it may be
//! shown, or used to be stricter, never to let anything in.

use partywall_tenancy::statement::{Kind, Statement};
use partywall_tenancy::{BundleBody, OverlayBody, Rollout};

/// A statement as it lies there.
#[derive(Debug)]
pub(crate) struct Unverified<'b> {
    /// What it claims to be.
    pub(crate) kind: Kind,
    /// The ids of the keys that claim to have signed it.
    pub(crate) signed_by: Vec<String>,
    body: &'b [u8],
}

impl<'b> Unverified<'b> {
    /// Takes the envelope apart; its form is written down in [`partywall_tenancy::statement`].
    pub(crate) fn read(bytes: &'b [u8]) -> Option<Self> {
        let statement = Statement::read(bytes).ok()?;
        let signed_by = statement.claimed_by().map(|id| String::from_utf8_lossy(id).into_owned()).collect();
        Some(Self { kind: statement.kind(), signed_by, body: statement.unverified_body() })
    }

    /// What it says, if it is a bundle that this build reads.
    pub(crate) fn bundle(&self) -> Option<BundleBody> {
        (self.kind == Kind::Bundle).then(|| BundleBody::read(self.body).ok())?
    }

    /// What it says, if it is a candidate that this build reads.
    pub(crate) fn candidate(&self) -> Option<(Rollout, BundleBody)> {
        let (rollout, rest) = Rollout::read(self.body).ok().filter(|_| self.kind == Kind::Candidate)?;
        Some((rollout, BundleBody::read(rest).ok()?))
    }

    /// What it says, if it is of this kind, a bundle or a candidate; only the latter has a rollout.
    pub(crate) fn slice(&self, kind: Kind) -> Option<(Option<Rollout>, BundleBody)> {
        match kind {
            Kind::Candidate => self.candidate().map(|(rollout, body)| (Some(rollout), body)),
            _ => self.bundle().map(|body| (None, body)),
        }
    }

    /// What it says, if it is an overlay that this build reads.
    pub(crate) fn overlay(&self) -> Option<OverlayBody> {
        let format = || postcard::take_from_bytes::<u16>(self.body).ok().map(|(format, _)| format);
        (self.kind == Kind::Overlay && format()? == OverlayBody::FORMAT)
            .then(|| postcard::from_bytes(self.body).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    #[test]
    fn reads_what_was_signed_and_nothing_else() {
        let body = OverlayBody {
            format: OverlayBody::FORMAT,
            mesh: partywall_tenancy::MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap(),
            sequence: 7,
            issued: 1,
            expires: 121,
            bundle: 1,
            suspended: Vec::new(),
            quarantined: Vec::new(),
            revoked_tokens: Vec::new(),
            revoked_subjects: Vec::new(),
            revoked_keys: Vec::new(),
            revoked_issuers: Vec::new(),
            revoked_signers: Vec::new(),
            revoked_api_keys: Vec::new(),
            revoked_grants: Vec::new(),
            withdrawn_consents: Vec::new(),
            withdrawn_candidates: 0,
        };
        let bytes = body.sign("overlay-1", &SigningKey::from_bytes(&[1; 32])).unwrap();
        let read = Unverified::read(&bytes).unwrap();
        assert_eq!((read.kind, read.signed_by.as_slice()), (Kind::Overlay, &["overlay-1".to_owned()][..]));
        assert_eq!(read.overlay(), Some(body));
        assert_eq!(read.bundle(), None);
        for n in 0..bytes.len() {
            assert!(Unverified::read(&bytes[..n]).and_then(|u| u.overlay()).is_none(), "{n}");
        }
    }
}
