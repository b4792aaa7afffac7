//! In which region this Envoy stands.

use partywall_authorization::is_region;

use crate::host;
use crate::plugin::Setup;

impl Setup {
    /// The region of the plugin configuration, or that of Envoy's `node.locality`; empty where neither names one.
    /// A node stays where it is, so the host is asked once: with the first request, since some hosts know no node before.
    pub(crate) fn region(&self) -> &str {
        self.region.get_or_init(|| match &self.config.region {
            Some(region) => region.clone(),
            None => {
                let found = host::property(&["xds", "node", "locality", "region"]).unwrap_or_default();
                String::from_utf8(found).ok().filter(|region| is_region(region)).unwrap_or_default()
            }
        })
    }
}
