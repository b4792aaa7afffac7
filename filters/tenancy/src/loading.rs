//! A bundle on its way into force, in steps: a worker must not stand still while 24 MiB are hashed.

use sha2::{Digest, Sha512};

use crate::statement::{Digested, SignedBy, Statement};
use crate::{Bundle, BundleBody, Refusal};

/// A bundle that is being looked at. Nothing of it counts before all of it was.
#[derive(Debug)]
pub struct Loading {
    bytes: Vec<u8>,
    body_at: usize,
    stage: Stage,
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

/// What one row of the tenants costs, in hashed bytes: about as many instructions.
const ROW: usize = 32;

impl Loading {
    /// Takes the envelope apart; gives the bytes back where there is none.
    pub fn new(bytes: Vec<u8>) -> Result<Self, (Refusal, Vec<u8>)> {
        match Statement::read(&bytes).map(|statement| bytes.len() - statement.unverified_body().len()) {
            Ok(body_at) => Ok(Self { bytes, body_at, stage: Stage::Hashing(Box::default(), 0) }),
            Err(refusal) => Err((refusal, bytes)),
        }
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
    /// it by what it says of itself. Says whether there is more to do.
    pub(crate) fn step(
        &mut self,
        budget: usize,
        verify: impl FnOnce(Digested<'_>) -> Result<SignedBy, Refusal>,
        judge: impl FnOnce(&BundleBody, &SignedBy) -> Result<(), Refusal>,
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
                let body = BundleBody::read(self.bytes.get(self.body_at..).unwrap_or_default())?;
                by.at_least(body.approvals.max(1))?;
                judge(&body, &by)?;
                body.tenants.check(0, 0)?;
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

    /// The bundle and the file, if all of it was looked at.
    pub(crate) fn finish(self) -> Result<(Bundle, Vec<u8>), (Refusal, Vec<u8>)> {
        match self.stage {
            Stage::Whole(_, bundle) => Ok((*bundle, self.bytes)),
            _ => Err((Refusal::Garbage("not all of it was read"), self.bytes)),
        }
    }
}
