//! What the route of a request says of it, in the namespace `partywall` of its metadata.

use partywall_authorization::RouteSays;
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

const NAMESPACE: [&str; 4] = ["xds", "route_metadata", "filter_metadata", "partywall"];
/// No word of a bundle is longer.
const LONGEST: usize = 128;
/// Stands for a word that nobody can read; no bundle has it.
const UNREADABLE: &str = "\u{fffd}";

fn word(name: &str) -> Option<Vec<u8>> {
    let [xds, route, filters, partywall] = NAMESPACE;
    host::property(&[xds, route, filters, partywall, name])
}

impl Route {
    /// `mode` in the namespace `partywall` of the route's metadata. A host call, so asked only about denials.
    pub(super) fn mode(self) -> Option<Mode> {
        self.there(|| word("mode")).map(|word| Mode::of_route(&word))
    }

    /// All else that it says; `None` where it says nothing, which costs one host call.
    ///
    /// INVARIANT: what is no text, or longer than any word of a bundle, comes out as what no bundle says.
    pub(super) fn says(self) -> Option<RouteSays> {
        let text = |word: Vec<u8>| {
            let word = String::from_utf8(word).ok().filter(|word| word.len() <= LONGEST);
            word.unwrap_or_else(|| UNREADABLE.to_owned())
        };
        self.there(|| {
            host::property(&NAMESPACE)?;
            Some(RouteSays::read(|name| word(name).map(text)))
        })
    }

    /// Asks where the route's metadata can be read.
    fn there<T>(self, read: impl FnOnce() -> T) -> T {
        match self {
            Self::Here => read(),
            Self::Of { stream, root } => {
                host::set_effective_context(stream);
                let found = read();
                host::set_effective_context(root);
                found
            }
        }
    }
}
