//! What was written for a value in the same body: the same few stand in one again and again, and a hash takes a
//! microsecond.

use std::collections::HashMap;

use hmac::Mac;

use super::keys::digest;
use super::written::{self, Written};
use super::{Action, Keys, Nonce, encrypt};
use crate::tenants::Tenant;

/// Values that are remembered; all are forgotten when there are more.
const PLACES: usize = 1024;
/// The longest value that is remembered, in bytes.
const LONGEST: usize = 128;

/// What values were replaced by.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    known: HashMap<Asked, Vec<u8>>,
}

type Asked = (u16, Action, Option<Tenant>, Vec<u8>);

impl Memo {
    /// Another body begins.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }

    /// Appends what stands for `value` to `out`, and says by what action it was written: a mask where the tenant, or the
    /// key, is not there.
    pub(crate) fn write(
        &mut self,
        keys: &Keys,
        tenant: Option<Tenant>,
        what: (u16, &str),
        action: Action,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Action {
        let (id, detector) = what;
        let owner = tenant.and_then(|tenant| keys.of(tenant));
        let action = match action {
            Action::Pseudonym if owner.is_none() => Action::Mask,
            Action::Encrypt if owner.as_ref().is_none_or(|owner| owner.data.is_none()) => Action::Mask,
            Action::Partial => match super::partial(detector, value) {
                Some(left) => {
                    out.extend_from_slice(&left);
                    return Action::Partial;
                }
                None => Action::Mask,
            },
            action => action,
        };
        // Where a user and a password stand in a URL there is a convention, and no fingerprint: what is short can be guessed.
        if action == Action::Mask
            && let Some(word) = written::convention(detector, value)
        {
            out.extend_from_slice(word);
            return action;
        }
        let asked = (id, action, tenant, value.to_vec());
        if let Some(known) = self.known.get(&asked) {
            out.extend_from_slice(known);
            return action;
        }
        let start = out.len();
        let done = match (action, &owner) {
            (Action::Pseudonym, Some(owner)) => {
                written::pseudonym(&owner.epoch, &owner.pseudonym, &written::plain(detector, value), out);
                true
            }
            (Action::Encrypt, Some(owner)) => {
                let sealed = owner.data.as_ref().and_then(|key| encrypt(key, value, Nonce::Derived));
                sealed.map(|sealed| out.extend_from_slice(&sealed)).is_some()
            }
            _ => false,
        };
        let action = if done { action } else { Action::Mask };
        if !done {
            let print = keys.print(tenant).map(|mut mac| {
                mac.update(detector.as_bytes());
                mac.update(b"\0");
                mac.update(value);
                digest(mac)
            });
            written::mask(detector, print, out);
        }
        if value.len() <= LONGEST {
            if self.known.len() >= PLACES {
                self.known.clear();
            }
            self.known.insert(asked, out.get(start..).unwrap_or_default().to_vec());
        }
        action
    }

    /// What the redactor wrote before, in a text.
    pub(crate) fn written<'t>(&self, keys: &'t Keys, text: &'t [u8]) -> Written<'t> {
        Written::new(keys, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_what_would_be_written() {
        let keys = Keys::new(Some(&[1; 32]));
        let mut memo = Memo::default();
        for nth in 0..3 * PLACES {
            let value = format!("{nth}@example.com");
            let (mut first, mut again, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
            memo.write(&keys, None, (7, "email"), Action::Mask, value.as_bytes(), &mut first);
            memo.write(&keys, None, (7, "email"), Action::Mask, value.as_bytes(), &mut again);
            Memo::default().write(&keys, None, (7, "email"), Action::Mask, value.as_bytes(), &mut fresh);
            assert!(first == again && first == fresh);
            assert!(memo.known.len() <= PLACES);
        }
        memo.clear();
        memo.write(&keys, None, (7, "email"), Action::Mask, &[b'x'; LONGEST + 1], &mut Vec::new());
        assert!(memo.known.is_empty(), "nothing long stays");
    }
}
