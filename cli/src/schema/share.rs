//! `shares/*.yaml`.

use serde_json::{Value, json};

use super::shape::{any_text, list, may, must, object};
use super::values::{label, tenant_id, time};

pub(super) fn share() -> Value {
    object(
        "a share",
        "shares/*.yaml: what a tenant lets others read, or the tenants of a cohort each other; nobody writes by it",
        [
            must(
                "share",
                label("Its name, as the file is called; logs say `share:<name>`", &["orders-for-the-auditor"]),
            ),
            must(
                "owner",
                json!({
                    "description": "Whose resources are read: a tenant, or each tenant of a cohort",
                    "anyOf": [tenant_id("A tenant of tenants/"), cohort()],
                    "examples": ["acme", { "cohort": "franchise" }],
                }),
            ),
            must(
                "to",
                json!({
                    "description": "By whom: some tenants, or all of a cohort",
                    "anyOf": [list("These tenants", tenant_id("A tenant of tenants/"), 1), cohort()],
                    "examples": [["globex"], { "cohort": "franchise" }],
                }),
            ),
            must(
                "actions",
                list(
                    "By which actions; every operation of the services that does one is a GET or a HEAD",
                    any_text("An action of the operations in services/", &["orders:list"]),
                    1,
                ),
            ),
            must("services", list("At which services", label("A service of services/", &["orders"]), 1)),
            may("until", time("When it ends; it lasts as long as the file is there where left out")),
        ],
    )
}

fn cohort() -> Value {
    object(
        "a cohort",
        "Tenants by what their records, or profiles, say",
        [must("cohort", label("`cohort` of the tenants", &["franchise"]))],
    )
}
