//! What the values must be that a pointer leads to: the tenant's id, or a time that is not too long ago.

use partywall_tenancy::TenantId;

use super::Refused;
use super::text::Compared;
use crate::retention;

/// What is asked of each value.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// To be this tenant's id.
    Owner(TenantId),
    /// To be a time, and none before this one, in seconds since the Unix epoch.
    Since(i64),
}

impl Asked {
    /// What a text is compared with while it is read.
    pub(super) fn expected(&self) -> &[u8] {
        match self {
            Self::Owner(tenant) => tenant.as_str().as_bytes(),
            Self::Since(_) => &[],
        }
    }

    /// At the beginning of a value, which is looked at where it is `wanted`.
    pub(super) fn compared(&self, wanted: bool) -> Compared {
        match self {
            Self::Since(_) if wanted => Compared::kept(),
            _ => Compared::new(wanted),
        }
    }

    /// Whether a value that was wanted is as it must be; refused where nobody can tell.
    pub(super) fn suits(&self, compared: &Compared, is_number: bool) -> Result<bool, Refused> {
        match self {
            Self::Owner(_) => Ok(compared.is(self.expected())),
            Self::Since(oldest) => {
                let text = compared.text().ok_or(Refused::NoTime)?;
                let since = if is_number { retention::unix_seconds(text) } else { retention::rfc_3339(text) };
                Ok(since.ok_or(Refused::NoTime)? >= *oldest)
            }
        }
    }

    /// Why a response is denied that has nothing where such a value should stand,
    pub(super) fn missing(&self) -> Refused {
        match self {
            Self::Owner(_) => Refused::NoOwner,
            Self::Since(_) => Refused::NoTime,
        }
    }

    /// and why one that has another one.
    pub(super) fn other(&self) -> Refused {
        match self {
            Self::Owner(_) => Refused::Foreign,
            Self::Since(_) => Refused::Outlived,
        }
    }
}
