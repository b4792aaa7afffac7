//! What the route of a request says about the mode.

use partywall_tenancy::Mode;

use crate::host;

/// Where a route's metadata can be read.
#[derive(Clone, Copy)]
pub(super) enum Route {
    /// In the callback of the request itself.
    Here,
    /// In a tick: of this stream, with the plugin's own context to go back to.
    Of { stream: u32, root: u32 },
}

impl Route {
    /// `mode` in the namespace `partywall` of the route's metadata. A host call, so asked only about denials.
    pub(super) fn mode(self) -> Option<Mode> {
        let read = || host::property(&["xds", "route_metadata", "filter_metadata", "partywall", "mode"]);
        let word = match self {
            Self::Here => read(),
            Self::Of { stream, root } => {
                host::set_effective_context(stream);
                let word = read();
                host::set_effective_context(root);
                word
            }
        };
        word.map(|word| Mode::of_route(&word))
    }
}
