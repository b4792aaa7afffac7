//! The files that a filter asks a bundle server for.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Bundle,
    Overlay,
    Grants,
    Candidate,
}

impl What {
    /// All of them; the bundle first, since it says who may sign the others.
    pub(crate) const ALL: [Self; 4] = [Self::Bundle, Self::Overlay, Self::Grants, Self::Candidate];

    /// The word for logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Overlay => "overlay",
            Self::Grants => "grants",
            Self::Candidate => "candidate",
        }
    }
}

/// Something for each of them.
#[derive(Default)]
pub(crate) struct Each<T> {
    bundle: T,
    overlay: T,
    grants: T,
    candidate: T,
}

impl<T> Each<T> {
    pub(crate) fn new(of: impl Fn(What) -> T) -> Self {
        let [bundle, overlay, grants, candidate] = What::ALL.map(of);
        Self { bundle, overlay, grants, candidate }
    }

    pub(crate) fn of(&self, what: What) -> &T {
        match what {
            What::Bundle => &self.bundle,
            What::Overlay => &self.overlay,
            What::Grants => &self.grants,
            What::Candidate => &self.candidate,
        }
    }

    pub(crate) fn of_mut(&mut self, what: What) -> &mut T {
        match what {
            What::Bundle => &mut self.bundle,
            What::Overlay => &mut self.overlay,
            What::Grants => &mut self.grants,
            What::Candidate => &mut self.candidate,
        }
    }
}
