//! `partywall import openapi`: a document becomes a service that `check` takes, and what cannot be mapped is told.

mod support;

use std::fs;

use support::{folder, partywall, path};

const DOCUMENT: &str = r#"
openapi: 3.0.3
info: { title: "Pets\n# of all kinds" }
servers: [{ url: "https://api.shop.example/v2" }]
security: [{ key: [] }]
paths:
  /tenants/{tenantId}/pets:
    parameters: [{ name: tenantId, in: path }]
    get: { operationId: listPets }
    post: { operationId: addPet }
  /pets/{pet.id}:
    get: { operationId: getPet, security: [] }
    delete: {}
  /pets/{name}:
    get: { operationId: again }
  /pets/{id}/feed:
    post: { operationId: feed }
    trace: {}
  /pets/{id}.json:
    get: {}
  /pets/:
    get: {}
"#;
const SERVICE: [&str; 4] = ["--service", "pets", "--spiffe-id", "spiffe://mesh.example/ns/shop/sa/pets"];

fn import(document: &str, name: &str, more: &[&str]) -> support::Ran {
    let file = folder(name).join("api.yaml");
    fs::write(&file, document).unwrap();
    partywall(&[&["import", "openapi", path(&file)], &SERVICE[..], more].concat())
}

#[test]
fn a_document_becomes_a_service_that_check_takes() {
    let tenancy = folder("import-into").join("tenancy");
    partywall(&["init", path(&tenancy)]).succeeds();
    let out = tenancy.join("services/pets.yaml");
    let ran = import(DOCUMENT, "import", &["--out", path(&out)]).ends_with(1);
    let told = ran.stderr();
    for what in [
        "5 operations; 4 left out; 2 that write show no owner",
        "left out: GET /v2/pets/{name}: covers the same requests as `GET /v2/pets/{pet.id}`",
        "left out: TRACE /v2/pets/{id}/feed: the method is not mapped",
        "left out: GET /v2/pets/{id}.json: `{id}.json` is a parameter and something else in one segment",
        "left out: GET /v2/pets/: its path ends with `/`",
    ] {
        assert!(told.contains(what), "{what}: {told}");
    }
    let text = fs::read_to_string(&out).unwrap();
    for line in [
        r#"{ http: "GET /v2/tenants/{tenantId}/pets", action: "pets:list", resource: Pet, owner: path.tenantId }"#,
        r#"{ http: "GET /v2/pets/{pet_id}", action: "pets:read", resource: Pet, id: pet_id, owner: none } # the document asks"#,
        r#"{ http: "DELETE /v2/pets/{pet_id}", action: "pets:delete", resource: Pet, id: pet_id, owner: none }"#,
        r#"{ http: "POST /v2/pets/{id}/feed", action: "pets:feed", resource: Pet, id: id, owner: none }"#,
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("anonymous: true }"), "nobody is let in for a document's sake: {text}");
    partywall(&["check", path(&tenancy)]).succeeds().says(" 0 errors, ");
    import(DOCUMENT, "import-again", &["--out", path(&out)]).ends_with(3);
}

#[test]
fn the_caller_says_what_a_document_cannot() {
    let ran = import(DOCUMENT, "import-said", &["--base-path", "/", "--actions", "operation", "--owner", "pet.id"]);
    let ran = ran.ends_with(1);
    let text = ran.stdout();
    assert!(
        text.contains(r#"{ http: "GET /pets/{pet_id}", action: "pets:getPet", resource: Pet, owner: path.pet_id }"#),
        "{text}"
    );
    assert!(
        ran.stderr().contains("DELETE /pets/{pet.id}: it has no `operationId` to be called by"),
        "{}",
        ran.stderr()
    );
    import(DOCUMENT, "import-id", &["--caller", "gateway"]).ends_with(2).says("is no SPIFFE ID");
    import(DOCUMENT, "import-base", &["--base-path", "v1"]).ends_with(2).says("does not begin with `/`");
}

#[test]
fn what_is_no_document_is_told() {
    for (document, why) in [
        ("{", "not JSON"),
        ("openapi: 3.0.0", "has no `paths`"),
        ("paths: {}", "no OpenAPI document"),
        ("openapi: 3.0.0\nservers: [{ url: 'https://h/{v}' }]\npaths: {}", "--base-path"),
        ("openapi: 3.0.0\npaths: { /a: 1 }", "0 operations; 1 left out"),
    ] {
        let ran = import(document, "import-broken", &[]);
        assert!(ran.stderr().contains(why), "{document}: {}", ran.stderr());
    }
}
