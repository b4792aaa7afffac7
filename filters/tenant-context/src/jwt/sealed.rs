//! A fetched key set on its way through shared data, which is not trusted.

use hmac::{Hmac, Mac};
use partywall_tenancy::{IssuerKey, Secrets, UnixSeconds, keyed};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Ask;

const MAC: usize = 32;

/// A key set with what its successor needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// When it was fetched.
    pub(super) fetched: UnixSeconds,
    /// Its keys.
    pub(super) keys: Vec<IssuerKey>,
    /// Keys of the set before that are in it no more, with the time until which they count.
    pub(super) retiring: Vec<(IssuerKey, UnixSeconds)>,
}

/// The keys under which the workers of one process hand each other key sets.
#[derive(Clone)]
pub struct SetSeal(Vec<Hmac<Sha256>>);

impl SetSeal {
    /// Derives them from the secrets of purpose `shared_state`.
    pub fn new(secrets: &Secrets) -> Self {
        let derived = secrets.all().map(|secret| {
            let mut mac = keyed(secret.bytes());
            mac.update(b"partywall key sets");
            keyed(&mac.finalize().into_bytes())
        });
        Self(derived.collect())
    }

    /// A set of `issuer`, fetched from `place`.
    pub(super) fn seal(&self, issuer: &str, place: &Ask, kept: &Kept) -> Option<Vec<u8>> {
        let mut bytes = postcard::to_allocvec(kept).ok()?;
        let mac = mac(self.0.first()?, issuer, place, &bytes)?.finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        Some(bytes)
    }

    /// INVARIANT: what comes out was sealed under one of our keys, for this issuer and this place.
    pub(super) fn open(&self, issuer: &str, place: &Ask, sealed: &[u8]) -> Option<Kept> {
        let (bytes, tag) = sealed.split_at_checked(sealed.len().checked_sub(MAC)?)?;
        let genuine = |key| mac(key, issuer, place, bytes).is_some_and(|mac| mac.verify_slice(tag).is_ok());
        if self.0.iter().any(genuine) { postcard::from_bytes(bytes).ok() } else { None }
    }
}

/// Every part with its length, so that no two sets of parts are one text.
fn mac(key: &Hmac<Sha256>, issuer: &str, place: &Ask, bytes: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = key.clone();
    for part in [issuer.as_bytes(), place.cluster.as_bytes(), place.authority.as_bytes(), place.path.as_bytes(), bytes]
    {
        mac.update(&u64::try_from(part.len()).ok()?.to_be_bytes());
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use partywall_tenancy::KeyAlgorithm;

    use super::*;

    const A: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const B: &str = "2:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn seal(text: &str) -> SetSeal {
        SetSeal::new(&Secrets::parse(text).unwrap())
    }

    #[test]
    fn opens_whole_for_its_issuer_and_place_under_a_key_of_ours_only() {
        let key = |id: &str| IssuerKey { id: id.into(), algorithm: KeyAlgorithm::Es256, spki: vec![1, 2] };
        let kept = Kept { fetched: 7, keys: vec![key("a")], retiring: vec![(key("b"), 9)] };
        let place = Ask { cluster: "c".into(), authority: "h".into(), path: "/p".into() };
        let sealed = seal(A).seal("i", &place, &kept).unwrap();
        assert_eq!(seal(A).open("i", &place, &sealed), Some(kept.clone()));
        assert_eq!(seal(&format!("{B},{A}")).open("i", &place, &sealed), Some(kept));
        assert_eq!(seal(B).open("i", &place, &sealed), None);
        assert_eq!(seal(A).open("j", &place, &sealed), None);
        for other in [
            Ask { cluster: "d".into(), ..place.clone() },
            Ask { authority: "d".into(), ..place.clone() },
            Ask { path: "/q".into(), ..place.clone() },
            Ask { cluster: "ch".into(), authority: "".into(), ..place.clone() },
        ] {
            assert_eq!(seal(A).open("i", &other, &sealed), None);
        }
        for n in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[n] ^= 1;
            assert_eq!(seal(A).open("i", &place, &altered), None);
            assert_eq!(seal(A).open("i", &place, &sealed[..n]), None);
        }
    }
}
