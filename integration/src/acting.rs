//! `invoices` as a workload that acts for tenants by itself.

use anyhow::Result;

use crate::variant::Variant;

/// Gives `invoices` a key to sign root contexts for `tenants`, lets policies permit it to read orders for them, and
/// puts `settings`, as `act_for`, into its file of the directory.
pub fn acting(variant: &mut Variant, tenants: &[&str], settings: &str) -> Result<()> {
    const BEFORE: &str = "\n# Who issues JWTs";
    const NAMES: &str = "PARTYWALL_FINGERPRINT, PARTYWALL_SHARED_STATE]";
    const SECRETS: &str = "{ audit_chain: PARTYWALL_AUDIT_CHAIN, fingerprint: PARTYWALL_FINGERPRINT, shared_state: PARTYWALL_SHARED_STATE, \
                           context_signing: PARTYWALL_CONTEXT_SIGNING }";
    variant.sign_also(&["invoices-1=invoices"])?;
    let signer = format!(
        "\n  - id: invoices-1\n    workload: spiffe://mesh.example/ns/shop/sa/invoices\n    tenants: [{}]\n{BEFORE}",
        tenants.join(", ")
    );
    variant.replace("mesh.yaml", BEFORE, &signer)?;
    variant.append("services/invoices.yaml", settings)?;
    for tenant in tenants {
        let policy = format!(
            "\n@id(\"invoices-for-{tenant}\")\npermit (\n    principal == \
             User::\"{tenant}/spiffe://mesh.example/ns/shop/sa/invoices\",\n    action in [Action::\"orders:read\", \
             Action::\"orders:list\"],\n    resource\n);\n"
        );
        variant.append("policies/readers.cedar", &policy)?;
    }
    variant.envoy("invoices", NAMES, &NAMES.replace(']', ", PARTYWALL_CONTEXT_SIGNING]"))?;
    variant.envoy("invoices", "secrets: *secrets", &format!("secrets: {SECRETS}"))
}
