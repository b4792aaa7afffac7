//! A directory with thousands of policies, of which each names a tenant and a role of its own.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Result;

/// So many are written into one file.
const A_FILE: usize = 1_000;

/// Writes `count` policies into the tenancy directory, beside those of the sample.
pub fn write(tenancy: &Path, count: usize) -> Result<()> {
    for from in (0..count).step_by(A_FILE) {
        let mut text = String::new();
        for n in from..count.min(from + A_FILE) {
            let (action, resource) =
                [("orders:read", "Order"), ("orders:list", "Order"), ("invoices:read", "Invoice")][n % 3];
            let tenant = ["acme", "globex", "initech"][n % 3];
            write!(
                text,
                r#"
@id("many-{n:04}") @tenant("{tenant}")
permit (principal in Role::"role-{n:04}", action == Action::"{action}", resource is {resource})
when {{ principal.tenant.residency == "eu" || resource.tenant.residency like "u{}*" }};
"#,
                n % 7
            )?;
        }
        fs::write(tenancy.join(format!("policies/many-{from:05}.cedar")), text)?;
    }
    Ok(())
}
