//! Makes keys of tenants, and seals them anew.

use partywall_log_redaction::replace::{DataKey, KeyError, PseudonymKey};
use partywall_log_redaction::{Sealed, SealedKeys};
use partywall_tenancy::{Secret, Secrets, TenantId, UnixSeconds};

use crate::exit::Failure;
use crate::time::rfc3339;

/// New keys of a tenant: a random one for pseudonyms, of an epoch that is called after the day, and a random data key.
pub(crate) fn mint(tenant: &TenantId, master: &Secret, now: UnixSeconds) -> Result<SealedKeys, Failure> {
    let epoch = epoch(now, None);
    let data = data_key(tenant, master)?;
    Ok(SealedKeys { tenant: tenant.clone(), pseudonym: pseudonym(tenant, &epoch, master)?, epoch, data: vec![data] })
}

/// The same tenant with a new epoch and a new data key; the former data keys still open what was encrypted.
pub(crate) fn rotate(keys: &SealedKeys, master: &Secret, now: UnixSeconds) -> Result<SealedKeys, Failure> {
    let SealedKeys { tenant, .. } = keys;
    let epoch = epoch(now, Some(&keys.epoch));
    let mut data = vec![data_key(tenant, master)?];
    data.extend(keys.data.iter().cloned());
    Ok(SealedKeys { tenant: tenant.clone(), pseudonym: pseudonym(tenant, &epoch, master)?, epoch, data })
}

/// The same keys, sealed under the current master key; `None` where they are already.
pub(crate) fn rewrap(keys: &SealedKeys, masters: &Secrets) -> Result<Option<SealedKeys>, Failure> {
    let (tenant, current) = (keys.tenant.as_str(), masters.current());
    let mut all = keys.data.iter().map(|(_, sealed)| sealed).chain([&keys.pseudonym]);
    if all.all(|sealed| sealed.master == current.id()) {
        return Ok(None);
    }
    let failed = |what: &str, sealed: &Sealed, why: KeyError| {
        Failure::invalid(format!(
            "the {what} of `{tenant}`, sealed under `{}`: {why}\nhelp: nothing was changed; give the master key it was sealed under beside the new one, which stands first",
            sealed.master
        ))
    };
    let pseudonym = opened(&keys.pseudonym, masters)
        .and_then(|(bytes, master)| PseudonymKey::unwrap(bytes, &master, tenant, &keys.epoch))
        .map_err(|why| failed("key for pseudonyms", &keys.pseudonym, why))?;
    let pseudonym = sealed(current, |master, nonce| pseudonym.wrap(master, tenant, nonce))?;
    let data = keys.data.iter().map(|(kid, old)| {
        let key = opened(old, masters).and_then(|(bytes, master)| DataKey::unwrap(bytes, &master, tenant, kid));
        let key = key.map_err(|why| failed(&format!("data key `{kid}`"), old, why))?;
        Ok((kid.clone(), sealed(current, |master, nonce| key.wrap(master, tenant, nonce))?))
    });
    let data = data.collect::<Result<_, Failure>>()?;
    Ok(Some(SealedKeys { tenant: keys.tenant.clone(), epoch: keys.epoch.clone(), pseudonym, data }))
}

fn opened<'k>(sealed: &'k Sealed, masters: &Secrets) -> Result<(&'k [u8], [u8; 32]), KeyError> {
    let master = masters.find(&sealed.master).ok_or(KeyError::Master)?;
    Ok((&sealed.bytes, bytes_of(master)?))
}

fn bytes_of(master: &Secret) -> Result<[u8; 32], KeyError> {
    master.bytes().try_into().map_err(|_| KeyError::Length)
}

/// Six digits of the day, and letters where the epoch before was of the same day: an epoch hardly ever comes again, also
/// where keys were shredded in between.
fn epoch(now: UnixSeconds, before: Option<&str>) -> String {
    let day: String = rfc3339(now).chars().take(10).filter(char::is_ascii_digit).skip(2).collect();
    match before.and_then(|before| before.strip_prefix(&day)) {
        None => day,
        // a to z, then aa to zz: who rotates more often in a day begins anew.
        Some(rest) => {
            let next = rest
                .bytes()
                .filter(u8::is_ascii_lowercase)
                .fold(0, |number: u32, letter| 26 * number + u32::from(letter - b'a') + 1)
                % 702;
            let letter = |number: u32| char::from(b'a' + u8::try_from(number % 26).unwrap_or_default());
            let first = (next >= 26).then(|| letter(next / 26 - 1));
            [Some(day), first.map(String::from), Some(letter(next).to_string())].into_iter().flatten().collect()
        }
    }
}

fn pseudonym(tenant: &TenantId, epoch: &str, master: &Secret) -> Result<Sealed, Failure> {
    let key = PseudonymKey::new(epoch, &random()?).map_err(Failure::invalid)?;
    sealed(master, |master, nonce| key.wrap(master, tenant.as_str(), nonce))
}

fn data_key(tenant: &TenantId, master: &Secret) -> Result<(String, Sealed), Failure> {
    let kid: String = random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = DataKey::new(&kid, &random()?).map_err(Failure::invalid)?;
    Ok((kid, sealed(master, |master, nonce| key.wrap(master, tenant.as_str(), nonce))?))
}

fn sealed(
    master: &Secret,
    wrap: impl FnOnce(&[u8; 32], [u8; 24]) -> Result<Vec<u8>, KeyError>,
) -> Result<Sealed, Failure> {
    let bytes = bytes_of(master).and_then(|bytes| Ok((bytes, random().map_err(|_| KeyError::Unwrap)?)));
    let bytes = bytes.and_then(|(bytes, nonce)| wrap(&bytes, nonce)).map_err(Failure::invalid)?;
    Ok(Sealed { master: master.id().to_owned(), bytes })
}

fn random<const SIZE: usize>() -> Result<[u8; SIZE], Failure> {
    let mut bytes = [0; SIZE];
    getrandom::fill(&mut bytes).map_err(|e| Failure::invalid(format!("no randomness: {e}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_epoch_of_a_day_is_like_the_one_before() {
        let now = 1_796_000_000;
        let mut seen = vec![epoch(now, None)];
        assert_eq!((seen[0].len(), epoch(now, Some("1")) == seen[0]), (6, true));
        for _ in 0..702 {
            let next = epoch(now, seen.last().map(String::as_str));
            assert!(!seen.contains(&next) && next.len() <= 8, "{next}");
            assert!(PseudonymKey::new(&next, &[0; 32]).is_ok());
            seen.push(next);
        }
        let ends = |nth: usize| seen[nth].get(6..).unwrap();
        assert_eq!((ends(1), ends(26), ends(27), ends(702)), ("a", "z", "aa", "zz"));
        let last = epoch(now, seen.last().map(String::as_str));
        assert!(last != seen[702] && PseudonymKey::new(&last, &[0; 32]).is_ok());
    }
}
