//! The edge with TLS: clients may show a certificate.

use std::fs;

use anyhow::Result;

use crate::variant::Variant;

const PLAIN: &str = "        - filters:\n            - name: envoy.filters.network.http_connection_manager\n";
const TLS: &str = r#"        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              require_client_certificate: false
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_certificates:
                  - certificate_chain: { filename: /etc/partywall/tls/edge.pem }
                    private_key: { filename: /etc/partywall/tls/edge.key }
                validation_context:
                  trusted_ca: { filename: /etc/partywall/tls/clients.pem }
          filters:
            - name: envoy.filters.network.http_connection_manager
"#;
/// Without it Envoy tells no filter for which host a connection was made.
const INSPECTOR: &str = r#"      listener_filters:
        - name: envoy.filters.listener.tls_inspector
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
"#;

/// Puts TLS in front of the edge, which trusts this authority of clients' certificates (PEM).
pub fn tls_edge(variant: &mut Variant, authority: &str) -> Result<()> {
    fs::write(variant.site.directory.join("etc/tls/clients.pem"), authority)?;
    variant.envoy("edge", PLAIN, TLS)?;
    variant.envoy("edge", "      filter_chains:\n", &format!("{INSPECTOR}      filter_chains:\n"))
}
