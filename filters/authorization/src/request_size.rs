//! How many bytes the body of a tenant's request may have.

use std::collections::HashMap;

/// Bounds in bytes, by tenant and by tier. A tenant's own bound stands before the one of its tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestBytes {
    /// By tenant; `None` where its record says other limits alone, which replace those of its tier whole.
    pub tenants: HashMap<String, Option<u64>>,
    /// By tier.
    pub tiers: HashMap<String, u64>,
}

impl RequestBytes {
    /// What a request of this tenant may have, with what its head says (`content-length`, unread); `None` where there is
    /// no bound. O(1).
    ///
    /// # Errors
    ///
    /// The head says more already, or what it says is no number.
    pub fn begin<'h>(
        &self,
        tenant: &str,
        tier: &str,
        lengths: impl Iterator<Item = &'h [u8]>,
    ) -> Result<Option<Counted>, TooLarge> {
        let own = self.tenants.get(tenant).copied();
        let Some(most) = own.unwrap_or_else(|| self.tiers.get(tier).copied()) else { return Ok(None) };
        for length in lengths {
            let said = str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
            if said.is_none_or(|said| said > most) {
                return Err(TooLarge);
            }
        }
        Ok(Some(Counted { left: most }))
    }
}

/// A body that is counted as it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    left: u64,
}

impl Counted {
    /// So many more bytes want to pass.
    ///
    /// # Errors
    ///
    /// With them it is too large.
    pub fn more(&mut self, bytes: usize) -> Result<(), TooLarge> {
        let bytes = u64::try_from(bytes).map_err(|_| TooLarge)?;
        self.left = self.left.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }
}

/// The body is larger than its tenant may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> RequestBytes {
        RequestBytes {
            tenants: HashMap::from([("acme".into(), Some(10)), ("globex".into(), None)]),
            tiers: HashMap::from([("gold".into(), 100)]),
        }
    }

    fn begin(tenant: &str, tier: &str, lengths: &[&str]) -> Result<Option<Counted>, TooLarge> {
        bounds().begin(tenant, tier, lengths.iter().map(|text| text.as_bytes()))
    }

    #[test]
    fn a_record_replaces_its_tier_and_a_head_is_believed_only_to_deny() {
        for (tenant, tier, lengths, left) in [
            ("acme", "gold", &[][..], Ok(Some(10))),
            ("acme", "gold", &["10"], Ok(Some(10))),
            ("acme", "gold", &["11"], Err(TooLarge)),
            ("acme", "gold", &["5", "11"], Err(TooLarge)),
            ("acme", "gold", &["-1"], Err(TooLarge)),
            ("acme", "gold", &["99999999999999999999"], Err(TooLarge)),
            ("acme", "gold", &["\u{e9}"], Err(TooLarge)),
            ("initech", "gold", &["100"], Ok(Some(100))),
            ("initech", "gold", &["101"], Err(TooLarge)),
            ("globex", "gold", &["1000"], Ok(None)),
            ("initech", "tin", &["1000"], Ok(None)),
        ] {
            assert_eq!(begin(tenant, tier, lengths).map(|c| c.map(|c| c.left)), left, "{tenant} {tier} {lengths:?}");
        }
    }

    #[test]
    fn the_first_byte_too_many_is_noticed() {
        let mut body = begin("acme", "gold", &["3"]).unwrap().unwrap();
        assert_eq!([body.more(4), body.more(0), body.more(6), body.more(0)], [Ok(()); 4]);
        assert_eq!(body.more(1), Err(TooLarge));
        assert_eq!(begin("acme", "gold", &[]).unwrap().unwrap().more(11), Err(TooLarge));
    }
}
