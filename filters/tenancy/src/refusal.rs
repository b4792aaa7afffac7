//! Why a bundle, overlay, grant or candidate was refused. The last good one stays in force.

use std::fmt;

/// Why a signed statement was not accepted. [`Refusal::code`] is the metric label and the first word of the log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Larger than the bound; carries the size in bytes.
    TooLarge(usize),
    /// Not a Partywall statement, or cut short.
    Garbage(&'static str),
    /// A statement of another kind (a bundle where an overlay belongs, say).
    WrongKind,
    /// No signature by a key that is trusted for this kind verifies.
    BadSignature,
    /// The signature verifies, but under a key of another role.
    WrongRole(String),
    /// Fewer distinct trusted keys signed it than must.
    Approvals {
        /// How many did.
        found: u8,
        /// How many must.
        needed: u8,
    },
    /// A grant beyond what the bundle allows; says what that is.
    Ceiling(String),
    /// A slice for others; carries their name.
    WrongAudience(&'static str),
    /// A format this build does not read; carries the format found.
    Format(u16),
    /// Made for another mesh; carries that mesh's id.
    OtherMesh(String),
    /// Older than what is in force or than the configured floor.
    Older {
        /// Revision or sequence offered.
        offered: u64,
        /// The lowest that would do.
        needed: u64,
    },
    /// A candidate with a lower step than one of its revision that was accepted before.
    OlderStep {
        /// The revision, which both have.
        revision: u64,
        /// The step offered.
        offered: u64,
        /// The lowest that would do.
        needed: u64,
    },
    /// The number in force, with other contents: somebody signed two things under one number.
    SameNumberOtherContent(u64),
    /// Past its expiry.
    Expired,
    /// Issued later than now, beyond clock skew.
    FromTheFuture,
    /// It came before any bundle that could name its keys, or that it could stand beside.
    NoBundle,
    /// Signed, yet its contents contradict themselves; says where.
    Inconsistent(String),
}

impl Refusal {
    /// One word for metrics, as `older`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too_large",
            Self::Garbage(_) => "garbage",
            Self::WrongKind => "wrong_kind",
            Self::BadSignature => "bad_signature",
            Self::WrongRole(_) => "wrong_role",
            Self::Approvals { .. } => "approvals",
            Self::Ceiling(_) => "ceiling",
            Self::WrongAudience(_) => "wrong_audience",
            Self::Format(_) => "format",
            Self::OtherMesh(_) => "other_mesh",
            Self::Older { .. } | Self::OlderStep { .. } => "older",
            Self::SameNumberOtherContent(_) => "same_number_other_content",
            Self::Expired => "expired",
            Self::FromTheFuture => "from_the_future",
            Self::NoBundle => "no_bundle",
            Self::Inconsistent(_) => "inconsistent",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(n) => write!(f, "has {n} bytes, more than the bound"),
            Self::Garbage(what) => write!(f, "is no Partywall statement: {what}"),
            Self::WrongKind => f.write_str("is a statement of another kind"),
            Self::BadSignature => f.write_str("carries no valid signature of a trusted key"),
            Self::WrongRole(key) => write!(f, "is signed by `{key}`, a key of another role"),
            Self::Approvals { found, needed } => {
                write!(f, "is signed by {found} trusted keys; {needed} are needed")
            }
            Self::Ceiling(what) => write!(f, "gives more than the bundle allows: {what}"),
            Self::WrongAudience(name) => write!(f, "is the slice for `{name}`, not the one for this filter"),
            Self::Format(n) => write!(f, "has format {n}, which this build does not read"),
            Self::OtherMesh(mesh) => write!(f, "was made for mesh `{mesh}`"),
            Self::Older { offered, needed } => write!(f, "is number {offered}; at least {needed} is needed"),
            Self::OlderStep { revision, offered, needed } => {
                write!(f, "is step {offered} of revision {revision}; at least step {needed} is needed")
            }
            Self::SameNumberOtherContent(n) => write!(f, "repeats number {n} with other contents"),
            Self::Expired => f.write_str("is past its expiry"),
            Self::FromTheFuture => f.write_str("was issued in the future: check the clocks"),
            Self::NoBundle => f.write_str("came before any bundle"),
            Self::Inconsistent(what) => write!(f, "contradicts itself: {what}"),
        }
    }
}

impl std::error::Error for Refusal {}
