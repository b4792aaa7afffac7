//! `tenants/*.yaml`, `tenants/retired.yaml` and `profiles/*.yaml`.

use serde_json::{Value, json};

use super::shape::{Field, at_most, list, may, must, object, text, word};
use super::values::{NAME, label, mode, tenant_id, time};
use crate::directory::{LIMITS, MAX_LIMIT, STATUSES};

pub(super) fn tenant() -> Value {
    let only = [
        must(
            "tenant",
            tenant_id("Its id: it stands in host names, logs and metrics, and is never used again for somebody else"),
        ),
        must(
            "tier",
            label("Its tier; it inherits the settings of the profile with this name, if there is one", &["gold"]),
        ),
        must(
            "status",
            word(
                "What holds until the next compile; `partywall tenant suspend` works at once",
                STATUSES.iter().map(|(word, _)| *word),
            ),
        ),
    ];
    let contact = text("A mail address", r"^[^@\s]+@[^@\s]+$", &["ops@acme.example"]);
    let mode = may("mode", mode("to its requests"));
    let contacts = may("contacts", list("For people; never part of a bundle", contact, 1));
    object(
        "a tenant",
        "tenants/*.yaml: one tenant. What it does not say it inherits from the profile of its tier",
        only.into_iter().chain(settings()).chain([mode, contacts]),
    )
}

pub(super) fn profile() -> Value {
    let tier = must("profile", label("The tier whose tenants inherit this", &["gold"]));
    object(
        "a profile",
        "profiles/*.yaml: what the tenants of one tier inherit; a record's own value replaces it whole",
        [tier].into_iter().chain(settings()),
    )
}

fn settings() -> [Field; 6] {
    let names = |about: &str, item: &str, example: &str| at_most(64, list(about, text(item, NAME, &[example]), 0));
    [
        may("residency", label("Where its data lives: `principal.tenant.residency` in policies", &["eu"])),
        may("cell", label("The part of the platform that serves it", &["eu-1"])),
        may("cohort", label("The group of tenants that it is rolled out with", &["early"])),
        may(
            "features",
            names("What it has beyond its tier: `principal.tenant.features` in policies", "A feature", "export"),
        ),
        may(
            "consents",
            names(
                "What it agreed to: `principal.tenant.consents` in policies; `partywall consent withdraw` works at once",
                "A consent",
                "analytics",
            ),
        ),
        may("limits", limits()),
    ]
}

fn limits() -> Value {
    let bound = |about: &str| json!({ "description": about, "type": "integer", "minimum": 1, "maximum": MAX_LIMIT });
    let about = |name: &str| match name {
        "concurrent_requests" => "Requests at one time",
        "request_bytes" => "Bytes of a request's body; kept and shown, nothing enforces it yet",
        _ => "Requests per second",
    };
    object(
        "`limits`",
        "How much it may use: `partywall render` makes Envoy's rate limits of it",
        LIMITS.map(|name| may(name, bound(about(name)))),
    )
}

pub(super) fn retired() -> Value {
    let former = object(
        "a former tenant",
        "A tenant that left; nobody else is ever given its id",
        [must("tenant", tenant_id("Its id")), must("since", time("When it left, in UTC"))],
    );
    object(
        "the list of former tenants",
        "tenants/retired.yaml: `partywall tenant offboard` adds to it",
        [must("retired", list("Former tenants", former, 0))],
    )
}
