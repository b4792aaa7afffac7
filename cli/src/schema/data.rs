//! `datasets.yaml`, and where operations name what is in it.

use partywall_tenancy::Scope;
use serde_json::{Value, json};

use super::shape::{Field, any_text, at_most, list, may, must, object, or_else, text, word};
use super::values::{LABEL, NAME, duration, label};
use crate::directory::{CLASSIFICATIONS, MOST_CLASSIFICATIONS};

pub(super) fn datasets() -> Value {
    object(
        "the file of datasets",
        "datasets.yaml: what data there is, where it may be served, and who may see it for what",
        [
            may("classifications", classifications()),
            may("clearance", clearance()),
            must("datasets", list("Data that is kept, used and shown under rules of its own", dataset(), 0)),
        ],
    )
}

/// What an operation says about data.
pub(super) fn of_operation() -> [Field; 6] {
    [
        may(
            "scope",
            or_else(
                "tenant",
                word(
                    "Whose it is about: a tenant's; nobody's, so that every verified tenant may read it where policies permit it (`global-read`); or the platform's, for platform principals alone",
                    Scope::ALL.iter().map(|(word, _)| *word),
                ),
            ),
        ),
        may("dataset", text("The dataset that it reads or writes, of datasets.yaml", NAME, &["orders"])),
        may(
            "classification",
            classification("How confidential it is, where it is more so than its dataset", "restricted"),
        ),
        may(
            "purpose",
            text("What it is done for; one of the dataset's purposes where it has some", NAME, &["analytics"]),
        ),
        may("feature", text("The feature that the tenant must have", NAME, &["bulk-export"])),
        may(
            "feature_off",
            json!({
                "description": "What a tenant without the feature is told: that it may not (403), or that there is no such thing (404)",
                "enum": [403, 404],
                "default": 403,
            }),
        ),
    ]
}

fn classifications() -> Value {
    let mut list = at_most(
        MOST_CLASSIFICATIONS,
        list(
            "The classifications, from what anybody may see to what hardly anybody may",
            text("A classification", LABEL, &["internal"]),
            1,
        ),
    );
    list["default"] = json!(CLASSIFICATIONS);
    list
}

fn classification(about: &str, example: &str) -> Value {
    text(&format!("{about}: one of `classifications`"), LABEL, &[example])
}

fn clearance() -> Value {
    object(
        "`clearance`",
        "Up to which classification a principal may see; without it everyone may see everything that policies permit",
        [
            may(
                "everyone",
                classification("Up to which one everyone is cleared; the lowest where left out", "internal"),
            ),
            must(
                "roles",
                list(
                    "Roles that are cleared further",
                    object(
                        "a clearance",
                        "How far a role is cleared",
                        [
                            must("role", any_text("The role", &["accountant"])),
                            must("up_to", classification("Up to which one", "confidential")),
                        ],
                    ),
                    0,
                ),
            ),
        ],
    )
}

fn dataset() -> Value {
    let purposes = |about: &str, example: &str| list(about, text("A purpose", NAME, &[example]), 0);
    object(
        "a dataset",
        "Data that is kept, used and shown under the same rules",
        [
            must("dataset", text("Its name", NAME, &["orders"])),
            may("classification", classification("How confidential it is", "confidential")),
            may(
                "residency",
                json!({
                    "description": "In which regions a sidecar may serve it: `tenant`, for the residency of whose it is, or a list",
                    "anyOf": [{ "const": "tenant" }, list("These regions", label("A region", &["eu"]), 1)],
                    "examples": ["tenant", ["eu", "ch"]],
                }),
            ),
            may("retention", retention()),
            may("purposes", purposes("What it may be used for without asking", "service")),
            may(
                "consent",
                purposes("What it may be used for where its owner has the consent of this name", "analytics"),
            ),
        ],
    )
}

fn retention() -> Value {
    object(
        "`retention`",
        "How old an object may be that is read; what is older, or does not tell its age, is answered with 410",
        [
            must("age", duration("The oldest that is shown: 1s to 36500d", "30d")),
            may(
                "header",
                text(
                    "The response header that tells since when it is there, as `Last-Modified` or in RFC 3339; needed where operations have no `since`",
                    "^(?!x-partywall-)[a-z0-9-]+$",
                    &["last-modified", "x-created-at"],
                ),
            ),
        ],
    )
}
