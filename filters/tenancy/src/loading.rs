//! A bundle or a candidate on its way into force, in steps: a worker must not stand still while 24 MiB are hashed.

use sha2::{Digest, Sha512};

use crate::statement::{Digested, Kind, SignedBy, Statement};
use crate::{Bundle, BundleBody, Refusal, Rollout};

/// A bundle or a candidate that is being looked at. Nothing of it counts before all of it was.
#[derive(Debug)]
pub struct Loading {
    kind: Kind,
    bytes: Vec<u8>,
    body_at: usize,
    stage: Stage,
    /// Of a candidate, once its signatures were verified.
    candidacy: Option<(Rollout, SignedBy)>,
}

#[derive(Debug)]
enum Stage {
    /// How much of the body was hashed.
    Hashing(Box<Sha512>, usize),
    Hashed([u8; 64]),
    /// The first row of the tenants that was not looked at.
    Tenants([u8; 64], Box<BundleBody>, usize),
    Whole([u8; 64], Box<Bundle>),
    Refused,
}

/// A candidate of which all was looked at.
pub(crate) struct Finished {
    pub(crate) bundle: Bundle,
    pub(crate) rollout: Rollout,
    pub(crate) by: SignedBy,
    /// The file, as it came.
    pub(crate) bytes: Vec<u8>,
}

/// What one row of the tenants costs, in hashed bytes: about as many instructions.
const ROW: usize = 32;

const NOT_ALL: Refusal = Refusal::Garbage("not all of it was read");

impl Loading {
    /// Begins with a bundle: takes the envelope apart; gives the bytes back where there is none.
    pub fn new(bytes: Vec<u8>) -> Result<Self, (Refusal, Vec<u8>)> {
        Self::of(Kind::Bundle, bytes)
    }

    /// Begins with a candidate, in the same way.
    pub fn candidate(bytes: Vec<u8>) -> Result<Self, (Refusal, Vec<u8>)> {
        Self::of(Kind::Candidate, bytes)
    }

    fn of(kind: Kind, bytes: Vec<u8>) -> Result<Self, (Refusal, Vec<u8>)> {
        match Statement::read(&bytes).map(|statement| bytes.len() - statement.unverified_body().len()) {
            Ok(body_at) => Ok(Self { kind, bytes, body_at, stage: Stage::Hashing(Box::default(), 0), candidacy: None }),
            Err(refusal) => Err((refusal, bytes)),
        }
    }

    /// What it is to be: [`Kind::Bundle`] or [`Kind::Candidate`].
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The file, as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to keep.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bundle, once all of it was looked at.
    pub fn bundle(&self) -> Option<&Bundle> {
        match &self.stage {
            Stage::Whole(_, bundle) => Some(bundle),
            _ => None,
        }
    }

    /// The digest of the body, once it is known.
    pub(crate) fn digest(&self) -> Option<&[u8; 64]> {
        match &self.stage {
            Stage::Hashed(digest) | Stage::Tenants(digest, ..) | Stage::Whole(digest, _) => Some(digest),
            Stage::Hashing(..) | Stage::Refused => None,
        }
    }

    /// One step, about as long as hashing `budget` bytes takes. `verify` says who signed it, `judge` may refuse
    /// it by what it says of itself; only a candidate has a rollout. Says whether there is more to do.
    pub(crate) fn step(
        &mut self,
        budget: usize,
        verify: impl FnOnce(Digested<'_>) -> Result<SignedBy, Refusal>,
        judge: impl FnOnce(&BundleBody, Option<&Rollout>, &SignedBy) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        let stage = std::mem::replace(&mut self.stage, Stage::Refused);
        self.stage = match stage {
            Stage::Hashing(mut hash, from) => {
                let body = self.bytes.get(self.body_at..).unwrap_or_default();
                let end = from.saturating_add(budget.max(1)).min(body.len());
                hash.update(body.get(from..end).unwrap_or_default());
                if end < body.len() { Stage::Hashing(hash, end) } else { Stage::Hashed(hash.finalize().into()) }
            }
            Stage::Hashed(digest) => {
                let by = verify(Statement::read(&self.bytes)?.digested(digest))?;
                let whole = self.bytes.get(self.body_at..).unwrap_or_default();
                let (rollout, rest) = match self.kind {
                    Kind::Candidate => Rollout::read(whole).map(|(rollout, rest)| (Some(rollout), rest))?,
                    _ => (None, whole),
                };
                let body = BundleBody::read(rest)?;
                by.at_least(body.approvals.max(1))?;
                judge(&body, rollout.as_ref(), &by)?;
                body.tenants.check(0, 0)?;
                self.candidacy = rollout.map(|rollout| (rollout, by));
                Stage::Tenants(digest, Box::new(body), 0)
            }
            Stage::Tenants(digest, body, from) if from < body.tenants.len() => {
                let next = body.tenants.check(from, (budget / ROW).max(1))?;
                Stage::Tenants(digest, body, next)
            }
            Stage::Tenants(digest, body, _) => Stage::Whole(digest, Box::new(Bundle::index(*body)?)),
            whole @ Stage::Whole(..) => whole,
            Stage::Refused => return Err(Refusal::Garbage("refused before")),
        };
        Ok(!matches!(self.stage, Stage::Whole(..)))
    }

    /// The bundle and the file, if all of it was looked at and it is no candidate.
    ///
    /// INVARIANT: a candidate never becomes a bundle in force, nor the other way round.
    pub(crate) fn finish(self) -> Result<(Bundle, Vec<u8>), (Refusal, Vec<u8>)> {
        match (self.stage, self.kind) {
            (Stage::Whole(_, bundle), Kind::Bundle) => Ok((*bundle, self.bytes)),
            (Stage::Whole(..), _) => Err((Refusal::WrongKind, self.bytes)),
            _ => Err((NOT_ALL, self.bytes)),
        }
    }

    /// The candidate and the file, if all of it was looked at and it is one.
    pub(crate) fn finish_candidate(self) -> Result<Finished, (Refusal, Vec<u8>)> {
        match (self.stage, self.candidacy) {
            (Stage::Whole(_, bundle), Some((rollout, by))) => {
                Ok(Finished { bundle: *bundle, rollout, by, bytes: self.bytes })
            }
            (Stage::Whole(..), None) => Err((Refusal::WrongKind, self.bytes)),
            _ => Err((NOT_ALL, self.bytes)),
        }
    }
}
